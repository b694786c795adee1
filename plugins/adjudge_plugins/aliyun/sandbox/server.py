"""The server under a sandbox: one event loop in a thread of its own, so that a thousand slow answers cost little."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable

from adjudge_plugins.aliyun.sandbox.answers import Outgoing
from adjudge_plugins.aliyun.sandbox.delivery import deliver
from adjudge_plugins.aliyun.sandbox.http import HEAD_MAX_BYTES, BadRequest, read_request
from adjudge_plugins.aliyun.sandbox.incoming import Incoming

IDLE_MAX_S = 60.0
"""Seconds for which a connection may be silent before a request, or take over one."""

_BACKLOG = 1024


class Server:
    """Listens on 127.0.0.1 from the beginning, and answers from `start` to `stop`.

    answer: makes the answer to a request; called in the loop's thread, so it must not wait.
    port: 0 takes a free one. tls: for a second port, which speaks TLS. Raises OSError where the port is taken.
    """

    def __init__(
        self, answer: Callable[[Incoming], Outgoing], *, port: int, body_max_bytes: int, tls: ssl.SSLContext | None
    ) -> None:
        self._answer = answer
        self._body_max_bytes = body_max_bytes
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
        self._tls_socket = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) if tls is not None else None
        self._connections: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self.in_flight = 0
        self.most_in_flight = 0

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._socket.getsockname()[1])

    @property
    def tls_port(self) -> int | None:
        """The port that speaks TLS, or None."""
        return None if self._tls_socket is None else int(self._tls_socket.getsockname()[1])

    def start(self) -> None:
        """Begin to answer."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()

    def stop(self) -> None:
        """End every connection, whatever it waits for, and the thread."""
        assert self._loop is not None, "it was never started"
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        loop = self._loop
        assert loop is not None
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        servers = [await self._listen(self._socket, None)]
        if self._tls_socket is not None:
            servers.append(await self._listen(self._tls_socket, self._tls))
        await self._stopping.wait()
        for server in servers:
            server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections)

    async def _listen(self, listening: socket.socket, tls: ssl.SSLContext | None) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._connections.add(task)
            try:
                await self._converse(reader, writer, is_tls=tls is not None)
                writer.close()
                await writer.wait_closed()
            except (OSError, EOFError, asyncio.CancelledError):  # the client left or said nothing, or the sandbox ends
                pass
            finally:
                writer.transport.abort()
                self._connections.discard(task)

        return await asyncio.start_server(connected, sock=listening, ssl=tls, limit=HEAD_MAX_BYTES, backlog=_BACKLOG)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_tls: bool) -> None:
        """Answer the requests of one connection, one after the other."""
        goes_on = True
        while goes_on:
            try:
                async with asyncio.timeout(IDLE_MAX_S):
                    incoming, closes = await read_request(
                        reader, writer, body_max_bytes=self._body_max_bytes, is_tls=is_tls
                    )
                outgoing = self._answer(incoming)
            except BadRequest as bad:
                outgoing, closes = Outgoing(status=bad.status, body=b"", content_type="text/plain"), True
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            try:
                goes_on = await deliver(outgoing, reader, writer, closes=closes) and not closes
            finally:
                self.in_flight -= 1
