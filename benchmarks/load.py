"""A load generator for HTTP on loopback: connections that stay open, requests made beforehand, nothing parsed twice.

At full speed each connection asks again as soon as it is answered. At a given rate requests have a time at which they
are due, and a latency counts from then: a server that stalls is charged for everybody who waited (no coordinated
omission).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from urllib.parse import urlsplit

ANSWERED_WITHIN_S = 60.0


@dataclass(slots=True)
class Load:
    """What came of it. seconds: that it took; latencies: of each request, in seconds; statuses: how many of each."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    @property
    def failed(self) -> int:
        """Requests that were not answered with 200."""
        return sum(count for status, count in self.statuses.items() if status != 200)

    def at(self, share: float) -> float:
        """Return the latency that this share of requests kept below, in seconds."""
        return sorted(self.latencies)[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


def post(url: str, path: str, body: bytes, *headers: str) -> bytes:
    """Return the bytes of a request."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        """Wait for nothing yet."""
        self._read = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not end:
            return
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) >= length and self._answer is not None and not self._answer.done():
            self._read = b""
            self._answer.set_result((int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        """Fail whoever waits."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the server closed the connection"))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Return the status and the body of the answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def send(self, data: bytes) -> None:
        """Send bytes, and wait for nothing."""
        assert self._transport is not None
        self._transport.write(data)

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()


async def connect(url: str, count: int) -> list[Connection]:
    """Open connections to `http://HOST:PORT`."""
    loop, at = asyncio.get_running_loop(), urlsplit(url)
    assert at.hostname is not None and at.port is not None
    made = [await loop.create_connection(Connection, at.hostname, at.port) for _ in range(count)]
    return [connection for _, connection in made]


@contextmanager
def _timed(load: Load) -> Iterator[None]:
    start = perf_counter()
    yield
    load.seconds = perf_counter() - start


async def full_speed(url: str, requests: Sequence[bytes], connections: int, *, keep: bool = False) -> Load:
    """Send all requests, so many at a time. keep: the bodies of the answers."""
    load, left = Load(), iter(requests)
    opened = await connect(url, connections)

    async def work(connection: Connection) -> None:
        for request in left:
            begun = perf_counter()
            status, body = await connection.ask(request)
            load.latencies.append(perf_counter() - begun)
            load.statuses[status] = load.statuses.get(status, 0) + 1
            if keep:
                load.bodies.append(body)

    with _timed(load):
        async with asyncio.timeout(ANSWERED_WITHIN_S + len(requests) / 20):
            await asyncio.gather(*(work(connection) for connection in opened))
    for connection in opened:
        connection.close()
    return load


async def at_rate(url: str, requests: Sequence[bytes], rate: float, connections: int) -> Load:
    """Send requests at a rate a second. A latency counts from when its request was due."""
    load, numbered = Load(), iter(enumerate(requests))
    opened = await connect(url, connections)
    start = perf_counter() + 0.05

    async def work(connection: Connection) -> None:
        for number, request in numbered:
            due = start + number / rate
            if (early := due - perf_counter()) > 0:
                await asyncio.sleep(early)
            status, _ = await connection.ask(request)
            load.latencies.append(perf_counter() - due)
            load.statuses[status] = load.statuses.get(status, 0) + 1

    with _timed(load):
        async with asyncio.timeout(ANSWERED_WITHIN_S + len(requests) / rate):
            await asyncio.gather(*(work(connection) for connection in opened))
    for connection in opened:
        connection.close()
    return load
