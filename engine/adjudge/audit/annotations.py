"""What is written into a log afterwards: what was found out about a decision, and that a subject was erased."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Literal, TypeGuard

import msgspec

from adjudge.patterns import late
from adjudge.system.given import kind_of

LABELS = ("fraud", "genuine")
Label = Literal["fraud", "genuine"]
NAMED_NOBODY = "engine"
"""Who a record says did it where its caller names nobody."""
_ID = late("[0-9a-f]{32}")
_TEXT_MAX = 1000


class LabelBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was found out about a decision. The newest label of a decision counts.

    at: when it was written, aware UTC. found_on: the day on which it was found. source: who says so, such as
    `chargeback` or a reviewer's name. by: who wrote it: a person, a key's name, or `engine`; empty in records of
    version 0.1.0.
    """

    decision_id: str
    merchant_biz_id: str
    label: Label
    found_on: date
    source: str
    at: datetime
    note: str = ""
    by: str = ""

    @property
    def confirms(self) -> bool:
        """Whether it confirms a reject that a person has to confirm, while no newer label says otherwise."""
        return self.label == "fraud"


class ErasureBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """A subject whose personal values were erased.

    names: of the fields that the vault held. reason: why, if said. by: who asked for it, as of a label.
    """

    merchant_biz_id: str
    names: tuple[str, ...]
    at: datetime
    reason: str = ""
    by: str = ""


def label_body(
    decision_id: str,
    merchant_biz_id: str,
    label: str,
    *,
    source: str,
    by: str,
    found_on: date | None = None,
    note: str = "",
) -> LabelBody:
    """Return the record of a label. Raises ValueError. found_on: today in UTC unless given."""
    now = datetime.now(UTC)
    check_decision_id(decision_id)
    if label not in LABELS:
        said = f"`{label}`" if isinstance(label, str) else kind_of(label)
        raise ValueError(f"a label must be {' or '.join(LABELS)}, not {said}")
    if not (_is_text(source) and source.strip() and _is_text(note)):
        raise ValueError(f"a source must be a string of 1 to {_TEXT_MAX} characters, a note of at most as many")
    check_by(by)
    found_on = now.date() if found_on is None else found_on
    if not isinstance(found_on, date) or isinstance(found_on, datetime):
        raise ValueError("found_on must be a date, such as `date(2026, 1, 31)`")
    if found_on > now.date():
        raise ValueError(f"{found_on} is in the future")
    return LabelBody(
        decision_id=decision_id,
        merchant_biz_id=merchant_biz_id,
        label="fraud" if label == "fraud" else "genuine",
        found_on=found_on,
        source=source,
        at=now,
        note=note,
        by=by,
    )


def erasure_body(merchant_biz_id: str, names: tuple[str, ...], *, by: str, reason: str = "") -> ErasureBody:
    """Return the record of an erasure. Raises ValueError."""
    check_by(by)
    check_reason(reason)
    return ErasureBody(merchant_biz_id, tuple(dict.fromkeys(names)), datetime.now(UTC), reason, by)


def check_decision_id(decision_id: object) -> None:
    """Raise ValueError for what is no decision_id."""
    if not isinstance(decision_id, str) or not _ID.fullmatch(decision_id):
        raise ValueError("a decision_id must be 32 lower-case hex digits")


def check_by(by: object) -> None:
    """Raise ValueError where a text says of nobody that he did it."""
    if not (_is_text(by) and by.strip()):
        raise ValueError(f"who did it must be a string of 1 to {_TEXT_MAX} characters")


def check_reason(reason: object) -> None:
    """Raise ValueError for what cannot say why something was erased."""
    if not _is_text(reason):
        raise ValueError(f"a reason must be a string of at most {_TEXT_MAX} characters")


def _is_text(said: object) -> TypeGuard[str]:
    """Whether something is a text that a record has room for. Raises ValueError for half a character."""
    if not isinstance(said, str) or len(said) > _TEXT_MAX:
        return False
    try:
        said.encode()
    except UnicodeEncodeError:
        raise ValueError("a text is not UTF-8: it holds half a character") from None
    return True
