"""Reading the request that is to be decided, and what is said beside it."""

from __future__ import annotations

from typing import Annotated

from adjudge.documents.requests import decode_request
from adjudge.documents.terms import said
from adjudge.errors import Overloaded
from adjudge.model import Request
from adjudge.service.admission import RETRY_AFTER_S
from adjudge.service.route import parameter
from adjudge.system.pools import Pool

SMALL_BYTES = 128 * 1024
"""Of a document that is read on the event loop; a longer one is read in a thread beside it."""
READ_WITHIN_S = 60.0
DEADLINE = parameter(
    "X-Deadline-Ms",
    Annotated[int, said("", 2000, minimum=1, maximum=999_999_999)],
    "Milliseconds for gathering signals; what has not come by then is unknown.",
    place="header",
)


async def read_request(readers: Pool, body: bytes) -> Request:
    """Read the document of a request: a long one in a thread, so that nobody else waits for it.

    Raises RequestError and Overloaded.
    """
    if len(body) <= SMALL_BYTES:
        return decode_request(body)
    try:
        return await readers.run(lambda: decode_request(body), deadline_s=READ_WITHIN_S)
    except TimeoutError:
        raise Overloaded("other long documents are being read", retry_after_s=RETRY_AFTER_S) from None
