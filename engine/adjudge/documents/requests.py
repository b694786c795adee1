"""Requests as JSON, from it and to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import cast

import msgspec
from msgspec import structs

from adjudge.errors import NAME_SHOWN, JsonError, RequestError, did_you_mean
from adjudge.model import MEDIA_MAX_BYTES, Face, MediaType, Request, face_of_base64
from adjudge.values import json_reader
from adjudge.values.literals import INT_MAX, INT_MIN, format_duration, format_timestamp
from adjudge.values.reading import describe, is_unicode

DOCUMENT_MAX_BYTES = MEDIA_MAX_BYTES * 4 // 3 + 1024 * 1024
"""The longest request document: the largest face as Base64, and a MiB for all else."""

REQUEST_KEYS = ("merchant_biz_id", "scene_code", "policy", "face", "inputs", "signals", "application_id", "attempts")
FACE_WAYS = ("file", "url", "base64")
MEDIA_TYPES = ("image", "video")


def decode_request(document: bytes | Mapping[str, object], *, folder: Path | None = None) -> Request:
    """Return the request that a document holds; a JSON null is absence.

    document: UTF-8 JSON, or what was already decoded of it.
    folder: where a relative `face.file` begins; without it, files are refused: a stranger must not name ours.
    Raises RequestError, which names the place. Cost: of what is refused, at most 2 ms a MiB; a good face takes 3 ms a
    MiB, in steps of some milliseconds, so that a server reads large documents in a thread beside its event loop.
    """
    if isinstance(document, Mapping):
        content: object = document
    else:
        content = read_json(document, max_bytes=DOCUMENT_MAX_BYTES, long_at=("face", "base64"))
    if not isinstance(content, Mapping):
        raise RequestError('a request must be a JSON object, such as {"merchant_biz_id": …}')
    parts = _known(content, REQUEST_KEYS, "")
    for key in REQUEST_KEYS[:2]:
        if key not in parts:
            raise RequestError("is missing", where=key)
    signals = _object(parts, "signals")
    request = Request(
        merchant_biz_id=_text(parts, "merchant_biz_id") or "",
        scene_code=_text(parts, "scene_code") or "",
        policy=_text(parts, "policy"),
        inputs=_object(parts, "inputs"),
        signals={name: _object(signals, name, "signals.") for name, said in signals.items() if said is not None},
        application_id=_text(parts, "application_id"),
        attempts=cast(int | None, parts.get("attempts")),  # which Request looks at
    )
    if "face" not in parts:
        return request
    return structs.replace(
        request, face=_face(_object(parts, "face"), folder)
    )  # the costly part, when all else is good


def encode_request(request: Request) -> bytes:
    """Return the document of a request, which `decode_request` takes back.

    Times, durations and sets become what JSON has for them; a number that is none is sent as one past every double.
    Raises RequestError for a kind of value that JSON does not have.
    """
    inputs = {_name(name, "inputs."): _sent(value, f"inputs.{name}") for name, value in request.inputs.items()}
    signals = {
        _name(signal, "signals."): {
            _name(name, f"signals.{signal}."): _sent(value, f"signals.{signal}.{name}") for name, value in said.items()
        }
        for signal, said in request.signals.items()
    }
    parts: dict[str, object] = {
        "merchant_biz_id": request.merchant_biz_id,
        "scene_code": request.scene_code,
        "policy": request.policy and _text_sent(request.policy),
        "face": request.face and _face_sent(request.face),
        "inputs": inputs,
        "signals": signals,
        "application_id": request.application_id,
        "attempts": request.attempts,
    }
    return msgspec.json.encode({key: value for key, value in parts.items() if value not in (None, {})})


def _face_sent(face: Face) -> dict[str, object]:
    said = {"url": face.url} if face.data is None else {"base64": face.data}  # as msgspec has bytes
    return {**said, "type": face.media_type}


def _name(name: object, place: str) -> str:
    if not isinstance(name, str) or not is_unicode(name):  # no policy declares such a name
        said = name[:NAME_SHOWN] if isinstance(name, str) else describe(name)
        raise RequestError("is not declared", where=f"{place}{said}")
    return name


def _sent(value: object, where: str) -> object:
    try:
        return _as_json(value, where)
    except RecursionError:
        raise RequestError("is nested too deeply", where=where) from None


def _as_json(value: object, where: str) -> object:
    """Return what msgspec writes for a value as the engine takes it, see `values.recorded`."""
    match value:
        case None | bool():
            return value
        case str():
            return _text_sent(value)
        case int():
            return int(value) if INT_MIN <= value <= INT_MAX else _TOO_LOW if value < 0 else _TOO_HIGH
        case float():
            return float(value) if isfinite(value) else _NEGATIVE_INFINITY if value < 0 else _INFINITY
        case list() | tuple():
            return [_as_json(item, where) for item in value]
        case set() | frozenset():
            return [_as_json(item, where) for item in sorted(value, key=repr)]
        case timedelta():
            return format_duration(value)
        case datetime() if value.tzinfo is not None:
            try:
                return format_timestamp(value)
            except OverflowError:
                return value.isoformat()
        case date():  # a time without a zone is read by nobody
            return value.isoformat()
        case Mapping():
            if stray := [key for key in value if not isinstance(key, str)]:
                raise RequestError(f"has a key that is {describe(stray[0])}, not a string", where=where)
            return {_key_sent(key, where): _as_json(item, where) for key, item in value.items()}
        case _:
            raise RequestError(f"must be a value that JSON has, not {describe(value)}", where=where)


_INFINITY, _NEGATIVE_INFINITY = msgspec.Raw(b"1e999"), msgspec.Raw(b"-1e999")
_TOO_HIGH, _TOO_LOW = msgspec.Raw(b"9" * 41), msgspec.Raw(b"-" + b"9" * 41)


def _text_sent(value: str) -> object:
    text = str.__str__(value)
    return text if is_unicode(text) else msgspec.Raw(json.dumps(text).encode())  # half characters, escaped


def _key_sent(key: str, where: str) -> str:
    if not is_unicode(key):
        raise RequestError("has a key that is not valid Unicode", where=where)
    return str.__str__(key)


def read_json(data: bytes, *, max_bytes: int = json_reader.TEXT_MAX_BYTES, long_at: Sequence[str] = ()) -> object:
    """Return what JSON says, see `json_reader`. Raises RequestError, which names line and column."""
    try:
        return json_reader.read_json(data, max_bytes=max_bytes, long_at=long_at)
    except JsonError as error:
        raise RequestError(error.message, where=error.where) from None


def _known(content: Mapping[str, object], keys: Sequence[str], place: str) -> dict[str, object]:
    """Return the parts that are there. Raises RequestError for a key that means nothing."""
    for key in content:
        if key not in keys:
            said = key[:NAME_SHOWN] if isinstance(key, str) else describe(key)
            hint = did_you_mean(said, keys) or f"it takes {', '.join(keys)}"
            raise RequestError("unknown key", where=f"{place}{said}", hint=hint)
    return {key: value for key, value in content.items() if value is not None}


def _text(parts: Mapping[str, object], key: str, place: str = "") -> str | None:
    value = parts.get(key)
    if value is not None and not isinstance(value, str):
        raise RequestError(f"must be a string, not {_kind(value)}", where=place + key)
    if value is not None and not is_unicode(value):
        raise RequestError("is not valid Unicode", where=place + key)
    return value


def _object(parts: Mapping[str, object], key: str, place: str = "") -> Mapping[str, object]:
    value = parts.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RequestError(f"must be an object, not {_kind(value)}", where=place + key)
    return value


def _face(form: Mapping[str, object], folder: Path | None) -> Face:
    parts = _known(form, (*FACE_WAYS, "type"), "face.")
    ways = [way for way in FACE_WAYS if way in parts]
    if len(ways) != 1:
        said = f"not {' and '.join(ways)} together" if ways else "and it has none of them"
        raise RequestError(f"takes one of file, url and base64, {said}", where="face")
    media_type = _text(parts, "type", "face.")
    if media_type not in (None, *MEDIA_TYPES):
        raise RequestError(f"must be image or video, not `{media_type[:NAME_SHOWN]}`", where="face.type")
    kind = cast(MediaType | None, media_type)
    match ways[0], parts[ways[0]]:
        case "base64", json_reader.LongText() as long:
            return _long_face(long, kind)
        case "base64", str() as text:
            return Face.from_base64(text, media_type=kind)
    said = _text(parts, ways[0], "face.") or ""
    if ways[0] == "url":
        return Face.from_url(said, media_type=kind or "image")
    if folder is None:
        raise RequestError("files are not read here", where="face.file", hint="send the face as base64, or its url")
    if "\0" in said or not said:
        raise RequestError("is not a path", where="face.file")
    return Face.from_file(folder / said, media_type=kind)


def _long_face(text: json_reader.LongText, kind: MediaType | None) -> Face:
    try:
        return face_of_base64(text.pieces, media_type=kind)
    except JsonError as error:
        raise RequestError(error.message, where="face.base64") from None


def _kind(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
