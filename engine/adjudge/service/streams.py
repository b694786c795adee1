"""Bodies and answers without an end in sight: a line at a time, each bounded in bytes and in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from adjudge.documents.problems import problem
from adjudge.events import Events
from adjudge.service.admission import Held, Refused

SENT_WITHIN_S = 60.0
"""Seconds in which whoever reads an answer takes a piece of it."""

_events = Events("adjudge.service")


async def lines_of(request: Request, held: Held, *, max_bytes: int, within_s: float) -> AsyncGenerator[bytes | None]:
    """Yield the lines of a body without their ends; None for one that is too long, which is read over.

    within_s: seconds that a line has, from when it is waited for. What a line takes of the memory for bodies is for
    the caller to give back: its bytes and one more. Raises Refused, Overloaded; ClientDisconnect as soon as it is asked
    for a line after the caller has gone, whatever was received before.
    """
    pending, is_too_long, is_over = bytearray(), False, False
    clock = asyncio.get_running_loop().time
    due = clock() + within_s
    coming = asyncio.ensure_future(_received(request, held))
    try:
        while not is_over:
            await asyncio.wait((coming,), timeout=max(0.0, due - clock()))
            if not coming.done():
                raise Refused(problem("body-too-slow", f"no line came within {within_s:g} s"))
            piece, is_over = coming.result()
            coming = asyncio.ensure_future(_received(request, held))  # one piece ahead: it says when the caller goes
            if is_over and (pending or piece) and not piece.endswith(b"\n"):
                held.take(1)
                piece += b"\n"
            start = 0
            while (end := piece.find(b"\n", start)) >= 0:
                pending += piece[start:end]
                start = end + 1
                line = None if is_too_long or len(pending) > max_bytes else bytes(pending)
                if line is None:
                    held.give(len(pending) + 1)
                pending, is_too_long = bytearray(), False
                if coming.done():
                    coming.result()
                yield line
                if line is None or line.strip():
                    due = clock() + within_s
            pending += piece[start:]
            if is_too_long or len(pending) > max_bytes:
                held.give(len(pending))
                pending, is_too_long = bytearray(), True
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


async def _received(request: Request, held: Held) -> tuple[bytes, bool]:
    """Return a piece of a body, and whether it is the last. Raises Overloaded and ClientDisconnect."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    piece: bytes = message.get("body", b"")
    held.take(len(piece))
    return piece, not message.get("more_body", False)


class Streamed(Response):
    """An answer that is made while it is read. Who reads slowly has it made slowly; who stops reading is left."""

    def __init__(self, pieces: AsyncGenerator[bytes], media_type: str, *, then: Callable[[], None]) -> None:
        """then: is called when it was read, or is left."""
        self.status_code, self.media_type, self.background = 200, media_type, None
        self._pieces, self._then = pieces, then
        self.init_headers({"connection": "close"})  # of a body that was not read to its end, nothing can follow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, from its first piece on."""
        try:
            # Before there is one, nothing is sent: to a caller who waits for `100 Continue`, that would be the end.
            piece = await anext(self._pieces, b"")
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while piece:
                async with asyncio.timeout(SENT_WITHIN_S):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await anext(self._pieces, b"")
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            _events.warning("answer_not_read", within_s=SENT_WITHIN_S)
        finally:
            await self._pieces.aclose()
            self._then()
