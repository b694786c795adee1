"""Answers of the service: documents, and problems with what a caller needs to come again."""

from __future__ import annotations

from math import ceil

import msgspec
from starlette.responses import Response

from adjudge.documents.problems import CONTENT_TYPE, Problem
from adjudge.texts import in_compact_json

JSON, NDJSON = "application/json", "application/x-ndjson"

NOT_LET_IN = frozenset({"host", "not-allowed", "rate-limited", "unauthenticated", "unknown-call"})
"""Problems of whoever may not ask."""
UNREAD = NOT_LET_IN | {
    "body-too-large",
    "body-too-slow",
    "head-too-large",
    "malformed-http",
    "media-type",
    "overloaded",
}
"""Problems after which a part of the body may be on its way still: nobody waits for it."""


def encoded(content: object) -> bytes:
    """Return a document on one line. content: anything that msgspec encodes; what a text hides is shown in it."""
    return in_compact_json(msgspec.json.encode(content))


def document(content: object, *, status: int = 200) -> Response:
    """Return an answer in JSON. content: as of `encoded`."""
    return Response(encoded(content), status_code=status, media_type=JSON)


class ProblemResponse(Response):
    """A problem. code: of its kind."""

    code: str


def told(said: Problem, request_id: str) -> ProblemResponse:
    """Return a problem as the caller is told it."""
    headers = {}
    if said.retry_after_s is not None:
        headers["retry-after"] = str(max(1, ceil(said.retry_after_s)))
    if said.status == 401:
        headers["www-authenticate"] = 'Bearer realm="adjudge"'
    if said.code in UNREAD:
        headers["connection"] = "close"
    body = encoded(msgspec.structs.replace(said, request_id=request_id))
    response = ProblemResponse(body, status_code=said.status, media_type=CONTENT_TYPE, headers=headers)
    response.code = said.code
    return response
