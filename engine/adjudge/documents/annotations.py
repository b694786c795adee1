"""Labels and erasures as JSON, from it and to it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, TypeVar

import msgspec

from adjudge.audit.annotations import LABELS, NAMED_NOBODY, LabelBody
from adjudge.documents.requests import read_json
from adjudge.documents.terms import NOT_BLANK, TEXT_MAX, DecisionId, MerchantBizId, Text, Who, said
from adjudge.errors import RequestError

_Struct = TypeVar("_Struct", bound=msgspec.Struct)

SAID_MAX_CHARS = 200
"""Of what an error quotes."""


class LabelDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What was found out about a decision."""

    decision_id: DecisionId
    merchant_biz_id: MerchantBizId
    label: Annotated[str, said("What it turned out to be. The newest label of a decision counts.", enum=LABELS)]
    source: Annotated[str, said("Who says so.", "chargeback", minLength=1, maxLength=TEXT_MAX, pattern=NOT_BLANK)]
    found_on: Annotated[
        date | None,
        said(
            "The day on which it was found, not in the future; today in UTC unless given.",
            "2026-01-31",
            pattern=r"^(?!0000)",  # which RFC 3339 has for a year, and Python has not
        ),
    ] = None
    note: Text = ""
    by: Annotated[Who | None, said("Who says so, where that is not the caller.")] = None


class ErasureDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Why a subject is to be erased, and who asks for it."""

    reason: Text = ""
    by: Annotated[Who | None, said("Who asks for it, where that is not the caller.")] = None


class ErasedDocument(msgspec.Struct, frozen=True):
    """What an erasure did."""

    erased: Annotated[int, said("How many personal values were erased.", 3, minimum=0)]


def decode_label(document: bytes) -> LabelDocument:
    """Return what a document says of a label. Raises RequestError."""
    return decoded(document, LabelDocument, "label")


def decode_erasure(document: bytes) -> ErasureDocument:
    """Return what a document says of an erasure; an empty one says nothing. Raises RequestError."""
    return decoded(document or b"{}", ErasureDocument, "erasure")


def encode_label(body: LabelBody) -> bytes:
    """Return the document of a label."""
    said = {name: getattr(body, name) for name in LabelDocument.__struct_fields__}
    return msgspec.json.encode(LabelDocument(**{**said, "by": _other(body.by)}))


def encode_erasure(reason: str, by: str) -> bytes:
    """Return the document of an erasure."""
    return msgspec.json.encode(ErasureDocument(reason=reason, by=_other(by)))


def _other(by: str) -> str | None:
    """Return who it is done by, where a caller named anybody."""
    return None if by == NAMED_NOBODY else by


def decoded(document: bytes, kind: type[_Struct], where: str) -> _Struct:
    """Return what a document says, as its form has it. where: what it is, for errors. Raises RequestError."""
    try:
        return msgspec.convert(read_json(document), kind)
    except msgspec.ValidationError as error:
        said = str(error)  # with an unknown key in whole
        raise RequestError(f"{said[:1].lower()}{said[1:SAID_MAX_CHARS]}", where=where) from None
    except UnicodeEncodeError:  # of half a character, which JSON can say
        raise RequestError("is not valid Unicode", where=where) from None
