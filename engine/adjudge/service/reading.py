"""Reading the request that is to be decided, and what is said beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from adjudge.documents.multipart import FORM_MAX_BYTES, boundary_of, decode_form
from adjudge.documents.problems import problem
from adjudge.documents.requests import decode_request
from adjudge.documents.terms import said
from adjudge.errors import Overloaded
from adjudge.model import Request
from adjudge.service.access.caller import LOCAL
from adjudge.service.admission import RETRY_AFTER_S, Refused
from adjudge.service.asked import Asked
from adjudge.service.route import parameter
from adjudge.system.pools import Pool

SMALL_BYTES = 128 * 1024
"""Of a document that is read on the event loop; a longer one is read in a thread beside it."""
READ_WITHIN_S = 60.0
FORM, FORM_HEADER = "multipart/form-data", "X-Adjudge"
DEADLINE = parameter(
    "X-Deadline-Ms",
    Annotated[int, said("", 2000, minimum=1, maximum=999_999_999)],
    "Milliseconds for gathering signals; what has not come by then is unknown.",
    place="header",
)


async def read_form(asked: Asked) -> Request:
    """Read a request and its face from a form. Raises Refused, RequestError and Overloaded.

    A page of another site can have a browser send a form unasked, but not with a header of ours, nor with a key.
    """
    asked.check_type(FORM)
    if asked.caller is LOCAL and asked.request.headers.get(FORM_HEADER) != "1":
        raise Refused(problem("media-type", f"send a form with the header `{FORM_HEADER}: 1`, or with a key"))
    boundary = boundary_of(asked.request.headers.get("content-type", ""))
    body = await asked.held.read(asked.request, max_bytes=FORM_MAX_BYTES)
    asked.held.take(len(body))  # the face is copied
    return await _beside(asked.shared.readers, body, lambda: decode_form(body, boundary))


async def read_request(readers: Pool, body: bytes) -> Request:
    """Read the document of a request. Raises RequestError and Overloaded."""
    return await _beside(readers, body, lambda: decode_request(body))


async def _beside(readers: Pool, body: bytes, read: Callable[[], Request]) -> Request:
    """Read a long body in a thread, so that nobody else waits for it."""
    if len(body) <= SMALL_BYTES:
        return read()
    try:
        return await readers.run(read, deadline_s=READ_WITHIN_S)
    except TimeoutError:
        raise Overloaded("other long documents are being read", retry_after_s=RETRY_AFTER_S) from None
