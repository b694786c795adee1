"""A request's body in pieces, so that a slow network has no second and third copy of it waiting in buffers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

SLICE_BYTES = 64 * 1024


class Slices(httpx.AsyncByteStream):
    """Yields a body SLICE_BYTES at a time; the request has its length already."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._body), SLICE_BYTES):
            yield self._body[at : at + SLICE_BYTES]
