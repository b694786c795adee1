"""Labels and erasures as JSON, from it and to it."""

from __future__ import annotations

from datetime import date
from typing import TypeVar

import msgspec

from adjudge.audit.annotations import NAMED_NOBODY, LabelBody
from adjudge.documents.requests import read_json
from adjudge.errors import RequestError

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class LabelDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What was found out about a decision, as `Engine.label` takes it. by: None for whoever asks."""

    decision_id: str
    merchant_biz_id: str
    label: str
    source: str
    found_on: date | None = None
    note: str = ""
    by: str | None = None


class ErasureDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Why a subject is to be erased, and who asks for it, as `Engine.erase` takes it. by: None for whoever asks."""

    reason: str = ""
    by: str | None = None


def decode_label(document: bytes) -> LabelDocument:
    """Return what a document says of a label. Raises RequestError."""
    return _decoded(document, LabelDocument, "label")


def decode_erasure(document: bytes) -> ErasureDocument:
    """Return what a document says of an erasure; an empty one says nothing. Raises RequestError."""
    return _decoded(document or b"{}", ErasureDocument, "erasure")


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


def _decoded(document: bytes, kind: type[_Struct], where: str) -> _Struct:
    try:
        return msgspec.convert(read_json(document), kind)
    except msgspec.ValidationError as error:
        said = str(error)
        raise RequestError(said[:1].lower() + said[1:], where=where) from None
