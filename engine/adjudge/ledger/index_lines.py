"""By which texts a record is found, and what a line of the log says without being taken apart, where it can."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

import msgspec

from adjudge.audit.annotations import LabelBody
from adjudge.audit.bodies import DecisionBody, PolicyBody
from adjudge.audit.kinds import decode
from adjudge.audit.record import MalformedLine, Record, parse
from adjudge.errors import AuditBroken
from adjudge.ledger.named import named_record
from adjudge.plugin import BY_NAME, NAMED, NamedRecord

_ID = rb'":"([^"\\]{1,64})"'
RECORD = re.compile(
    rb'\{"schema":\d+,"seq":\d+,"prev":"[^"]*","kind":"([a-z_]+)"'
    rb'(?:,"decision_id' + _ID + rb',"merchant_biz_id' + _ID + rb")?"
)
FIRST_NAMED = "named"
"""By which the first record of each name is found."""
NAMED_KINDS = frozenset(kind.encode() for kind in NAMED)
BY_NAME_KINDS = frozenset(kind.encode() for kind in BY_NAME)

_Body = TypeVar("_Body", bound=msgspec.Struct)


def looked_at(line: bytes) -> tuple[bytes, Sequence[bytes]]:
    """Return a record's kind, and the texts by which it is to be found.

    A decision is found by its two ids, a label by its decision, a policy by its digest. Raises AuditBroken for a named
    record that is damaged.
    """
    found = RECORD.match(line)
    if found is None:
        return b"", ()
    kind: bytes = found[1]
    if kind == b"decision" and found[2]:
        return kind, (b"decision " + found[2], found[3])
    if kind in NAMED_KINDS:  # how something stands may not be forgotten
        named = named_record(parsed(line))
        text = named_text(named).encode() if named is not None else b""
        return kind, () if named is None else (FIRST_NAMED.encode(), text) if named.number == 1 else (text,)
    if kind in BY_NAME_KINDS:
        named = named_record(parsed(line))
        return kind, () if named is None else (named_text(named).encode(),)
    with suppress(AuditBroken):  # which is for its readers to say
        if kind == b"decision":
            body = decoded(DecisionBody, line)
            return kind, (decision_text(body.decision_id).encode(), body.merchant_biz_id.encode())
        if kind == b"policy":
            return kind, (policy_text(decoded(PolicyBody, line).digest).encode(),)
        if kind == b"label":
            return kind, (label_text(decoded(LabelBody, line).decision_id).encode(),)
    return kind, ()


def decision_text(decision_id: str) -> str:
    """Return the text by which a decision is found; its id alone may be another's MerchantBizId."""
    return f"decision {decision_id}"


def named_text(record: NamedRecord) -> str:
    """Return the text by which the records of a name are found; the first of each is found by `FIRST_NAMED` as well."""
    return text_of_name(record.kind, record.name)


def text_of_name(kind: str, name: str) -> str:
    """Return the text by which the records of a kind and a name are found."""
    return f"named {kind} {name}"


def policy_text(digest: str) -> str:
    """Return the text by which the records of a policy are found."""
    return f"policy {digest}"


def label_text(decision_id: str) -> str:
    """Return the text by which the labels of a decision are found."""
    return f"label {decision_id}"


def decoded(body: type[_Body], line: bytes) -> _Body:
    """Return what a record holds. Raises AuditBroken."""
    record = parsed(line)
    return decode(body, record.seq, record.body)


def parsed(line: bytes) -> Record:
    """Take a line apart. Raises AuditBroken where it is no good record."""
    try:
        return parse(line)
    except MalformedLine as error:
        raise AuditBroken(str(error)) from None
