"""Documents at the edge, the same for the command line and HTTP: a request as JSON, a decision as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from msgspec import structs

from adjudge.errors import NAME_SHOWN, JsonError, RequestError, did_you_mean
from adjudge.model import MEDIA_MAX_BYTES, Decision, Face, MediaType, Request, Signal, Verdict, face_of_base64
from adjudge.values import json_reader
from adjudge.values.literals import format_timestamp
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


def read_json(data: bytes, *, max_bytes: int = json_reader.TEXT_MAX_BYTES, long_at: Sequence[str] = ()) -> object:
    """Return what JSON says, see `json_reader`. Raises RequestError, which names line and column."""
    try:
        return json_reader.read_json(data, max_bytes=max_bytes, long_at=long_at)
    except JsonError as error:
        raise RequestError(error.message, where=error.where) from None


def decision_document(decision: Decision) -> dict[str, object]:
    """Return a decision as JSON has it: times and money are texts. Signals say how they fared, not what they said."""
    verdict = verdict_document(decision.verdict)
    return {
        "decision_id": decision.decision_id,
        "merchant_biz_id": decision.merchant_biz_id,
        "status": decision.status,
        **verdict,
        "outcome": decision.outcome.value,
        "final": decision.final,
        "sampled": decision.sampled and {"reason": decision.sampled.reason, "share": decision.sampled.share},
        "problems": _problems(problems_of(decision)),
        "policy": decision.policy,
        "policy_digest": decision.policy_digest,
        "decided_at": format_timestamp(decision.decided_at),
        "signals": {name: _signal_document(signal) for name, signal in decision.signals.items()},
        "supersedes": decision.supersedes,
        "duration_ms": decision.duration_ms,
        "cost": {currency: str(amount) for currency, amount in decision.cost.items()},
        "capture_again": decision.capture_again,
        "notes": list(decision.notes),
    }


def verdict_document(verdict: Verdict) -> dict[str, object]:
    """Return a verdict as JSON has it."""
    return {
        "outcome": verdict.outcome.value,
        "lower": verdict.lower.value,
        "upper": verdict.upper.value,
        "settled": verdict.settled,
        "reasons": list(verdict.reasons),
        "doubts": list(verdict.doubts),
        "matched": list(verdict.matched),
        "unresolved": list(verdict.unresolved),
        "missing": list(verdict.missing),
        "score": list(verdict.score) if verdict.score is not None else None,
        "scores": {name: list(total) for name, total in verdict.scores.items()},
        "waived": list(verdict.waived),
        "excused": list(verdict.excused),
        "ask": list(verdict.ask),
        "problems": _problems(verdict.problems),
    }


def problems_of(decision: Decision) -> tuple[tuple[str, str], ...]:
    """Return every value that was refused, wherever it came from: (full name, what was wrong)."""
    signals = (one for signal in decision.signals.values() for one in signal.problems)
    return tuple(dict.fromkeys((*decision.problems, *signals, *decision.verdict.problems)))


def _problems(found: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"field": name, "problem": problem} for name, problem in found]


def error_document(error: Exception) -> dict[str, object]:
    """Return an error that adjudge raised on purpose as JSON has it."""
    return {
        "code": getattr(error, "code", "adjudge"),
        "message": str(error),
        "where": getattr(error, "where", None) or None,
        "hint": getattr(error, "hint", None),
    }


def _signal_document(signal: Signal) -> dict[str, object]:
    return {
        "status": signal.status.value,
        "provider": signal.provider,
        "reason": signal.reason,
        "reason_code": signal.reason_code,
        "request_id": signal.request_id,
        "duration_ms": round(signal.duration_ms, 3),
        "price": str(signal.price),
        "currency": signal.currency,
    }


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
