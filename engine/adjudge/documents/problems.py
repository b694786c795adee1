"""Errors as JSON: for the command line, and over HTTP as problem documents (RFC 9457), to them and from them."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Annotated, NamedTuple

import msgspec

from adjudge.documents.terms import said
from adjudge.errors import (
    AdjudgeError,
    AnsweredOtherwise,
    AuditBroken,
    AuditUnavailable,
    LogInUse,
    MerchantBizIdConflict,
    NotAllowed,
    NotAuthenticated,
    NothingRead,
    Overloaded,
    Overtaken,
    RateLimited,
    RequestError,
    ServiceMismatch,
    ServiceUnavailable,
    UnknownCall,
)

TYPES = "/problems/"
"""What the type of a problem begins with; its code follows."""
CONTENT_TYPE = "application/problem+json"
NO_DECISION, NO_POLICY, FAULT = "no-decision", "no-policy", "fault"
_DETAIL_MAX = 10_000


class _Kind(NamedTuple):
    """status: of HTTP. title: the same for all problems of a code. error: what the client raises."""

    status: int
    title: str
    error: type[AdjudgeError]


KINDS: Mapping[str, _Kind] = {
    "request": _Kind(400, "the request cannot be decided as it stands", RequestError),
    "merchant-biz-id-conflict": _Kind(409, "the MerchantBizId belongs to another check", MerchantBizIdConflict),
    "overloaded": _Kind(503, "too much is under way", Overloaded),
    "audit-unavailable": _Kind(503, "what cannot be recorded is not decided", AuditUnavailable),
    "log-in-use": _Kind(503, "another process writes the log", LogInUse),
    "nothing-read": _Kind(503, "there is no log where it should be", NothingRead),
    "audit-broken": _Kind(503, "the log does not verify, and a person must look", AuditBroken),
    "service-unavailable": _Kind(503, "the service begins or ends", ServiceUnavailable),
    FAULT: _Kind(500, "the service has a fault", ServiceUnavailable),
    "body-too-large": _Kind(413, "the body is larger than is taken", RequestError),
    "body-too-slow": _Kind(408, "the body did not come in time", ServiceUnavailable),
    "head-too-large": _Kind(431, "the path and headers are longer than is taken", RequestError),
    "malformed-http": _Kind(400, "the request is not plain HTTP/1.1", ServiceMismatch),
    "media-type": _Kind(415, "the body is not of a kind that is taken", ServiceMismatch),
    "no-route": _Kind(404, "there is nothing at this path", ServiceMismatch),
    "no-method": _Kind(405, "this path takes other methods", ServiceMismatch),
    "host": _Kind(421, "the service does not go by this host name", ServiceMismatch),
    "unauthenticated": _Kind(401, "the service does not know who asks", NotAuthenticated),
    "not-allowed": _Kind(403, "the key or token does not allow this", NotAllowed),
    "rate-limited": _Kind(429, "the caller asks more often than it may", RateLimited),
    "unknown-call": _Kind(403, "nobody waits for this answer, or it is not signed by who was asked", UnknownCall),
    "overtaken": _Kind(409, "somebody else did something meanwhile", Overtaken),
    "answered-otherwise": _Kind(409, "the call takes no other answer", AnsweredOtherwise),
    NO_DECISION: _Kind(404, "there is no such decision", ServiceMismatch),
    NO_POLICY: _Kind(404, "there is no such policy", ServiceMismatch),
}
"""Every problem by its code. A code never changes its meaning; `docs/problems.md` has a section for each."""


class Problem(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Why a request was not answered (RFC 9457)."""

    type: Annotated[str, said("`/problems/` and the code.", "/problems/request", pattern="^/problems/")]
    title: Annotated[str, said("The same for all problems of a code.")]
    status: Annotated[int, said("The status of the answer.", 400, minimum=400, maximum=599)]
    code: Annotated[str, said("What a program goes by: a code never changes its meaning.", "request")]
    detail: Annotated[str, said("What is wrong in this one case.")]
    where: Annotated[str | None, said("The part of the request.", "inputs.country")] = None
    hint: Annotated[str | None, said("The way out.")] = None
    retry_after_s: Annotated[float | None, said("Seconds after which to ask again.", 1.0)] = None
    request_id: Annotated[str | None, said("What the service's events call this request.")] = None


def problem(code: str, detail: str, **members: object) -> Problem:
    """Return a problem of a code of KINDS."""
    kind = KINDS[code]
    return Problem(type=TYPES + code, title=kind.title, status=kind.status, code=code, detail=detail, **members)  # type: ignore[arg-type]  # members of a Problem


def fault() -> Problem:
    """Return the problem of a service that failed; what failed may hold secrets, and is told to its operator alone."""
    return problem(FAULT, "the request could not be answered; the service's events say why")


def problem_of(error: AdjudgeError) -> Problem:
    """Return the problem document of what an engine raised; what it does not raise on purpose is a fault."""
    if error.code not in KINDS:
        return fault()
    return problem(
        error.code,
        str(error),
        where=getattr(error, "where", None) or None,
        hint=getattr(error, "hint", None),
        retry_after_s=getattr(error, "retry_after_s", None),
    )


_decoder = msgspec.json.Decoder(Problem)


def decode_problem(document: bytes) -> Problem | None:
    """Return the problem that a document says; None for what is none."""
    try:
        return _decoder.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def error_of(said: Problem) -> AdjudgeError:
    """Return the error behind a problem document, of the class that the engine raised."""
    kind, detail = KINDS.get(said.code), said.detail[:_DETAIL_MAX]
    if kind is None:
        return ServiceMismatch(f"the service answered {said.status} with a problem of another version: {detail}")
    if kind.error is RequestError:
        where = said.where or ""
        return RequestError(detail.removeprefix(f"{where}: ") if where else detail, where=where, hint=said.hint)
    if kind.error is UnknownCall:
        return UnknownCall()
    if issubclass(kind.error, Overloaded):
        after_s = said.retry_after_s
        return kind.error(detail, retry_after_s=after_s if after_s is not None and 0 <= after_s < inf else 1.0)
    return kind.error(detail)


def error_document(error: Exception) -> dict[str, object]:
    """Return an error that adjudge raised on purpose as the command line's JSON has it."""
    return {
        "code": getattr(error, "code", "adjudge"),
        "message": str(error),
        "where": getattr(error, "where", None) or None,
        "hint": getattr(error, "hint", None),
    }
