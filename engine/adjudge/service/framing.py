"""What is no plain HTTP/1.1: refused before anything else looks at it.

The parser is strict about most of it. What it lets pass, and a proxy before the service may read in another way, is
refused here, and the connection closed: what comes behind could be the body of one or the head of another.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import Scope

from adjudge.documents.problems import Problem, problem

HEAD_MAX_BYTES = 32 * 1024
"""Of the path and all headers."""


def malformed(scope: Scope) -> Problem | None:
    """Return what is wrong with the head of a request; None where nothing is."""
    headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
    size = len(scope.get("raw_path") or b"") + len(scope.get("query_string", b""))
    has_length = has_coding = False
    for name, value in headers:
        size += len(name) + len(value) + 4
        has_length |= name == b"content-length"
        has_coding |= name == b"transfer-encoding"
    if size > HEAD_MAX_BYTES:
        return problem("head-too-large", f"the path and the headers are longer than {HEAD_MAX_BYTES:,} bytes")
    if scope["http_version"] not in ("1.1", "1.0"):
        return problem("malformed-http", "send HTTP/1.1")
    if b"%2f" in (scope.get("raw_path") or b"").lower():  # no path here has one; a rule of a proxy would not see it
        return problem("malformed-http", "no path has an encoded `/`")
    if has_coding and has_length:
        return problem("malformed-http", "give `Content-Length` or `Transfer-Encoding`, not both")
    if has_coding and scope["http_version"] == "1.0":
        return problem("malformed-http", "HTTP/1.0 has no `Transfer-Encoding`")
    return None
