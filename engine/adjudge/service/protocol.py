"""A connection of the server: it has to bring what it says in time and read what it is told, and there are so many."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from adjudge.documents.problems import Problem, problem
from adjudge.service.access.rates import Rates
from adjudge.service.access.refusals import TOLD_PER_S
from adjudge.service.admission import RETRY_AFTER_S
from adjudge.service.answers import told
from adjudge.service.asked import made_up_id
from adjudge.service.framing import HEAD_MAX_BYTES
from adjudge.service.room import connections_max

HEAD_WITHIN_S = 20.0
"""Seconds for the head of a request, from the connection or its first byte. Between requests a connection may idle."""
UNREAD_WITHIN_S = 75.0
"""Seconds in which a caller has to read some of an answer that waits for them; what is streamed has fewer."""
READ_MIN_BYTES = 16 * 1024
"""Of an answer that has to be read in that time, where it is not read to its end."""


class Bounded(logging.Filter):
    """Lets what strangers can cause be logged no more often than an operator can read."""

    def __init__(self, is_theirs: Callable[[logging.LogRecord], bool]) -> None:
        """is_theirs: whether a stranger can cause it; the rest is logged whatever it is."""
        super().__init__()
        self.rates, self._is_theirs = Rates(), is_theirs

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log it."""
        return not self._is_theirs(record) or not self.rates.wait_s("", TOLD_PER_S)


BOUNDED = Bounded(lambda record: record.levelno < logging.ERROR)
_logger = logging.getLogger("uvicorn.error.connections")
_logger.addFilter(BOUNDED)
BOUNDED_ACCEPTS = Bounded(lambda record: str(record.msg).startswith("socket.accept() out of system resource"))
"""Where there is no descriptor for a connection, the loop says so for each that could have been waiting."""
logging.getLogger("asyncio").addFilter(BOUNDED_ACCEPTS)


class _InOne(h11.Connection):
    """Gives out the head of an answer of known length with the first of its body: one write instead of two.

    What is streamed has a head that comes at once: its caller may wait for it before asking further.
    """

    _head: Sequence[bytes] = ()

    def send_with_data_passthrough(self, event: h11.Event) -> list[bytes] | None:
        """Return the pieces to write for an event."""
        pieces = super().send_with_data_passthrough(event)
        if pieces is None:
            return None
        if isinstance(event, h11.Response) and any(name == b"content-length" for name, _ in event.headers):
            self._head = pieces
            return []
        head, self._head = self._head, ()
        return [*head, *pieces]


class Connection(H11Protocol):
    """Reads requests as uvicorn does, and closes where a head does not come, or an answer is not read.

    The body of a request has a bound of its own. Its parser is strict, and bounds the head of a request: the other one
    of uvicorn has no bound.
    """

    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.logger = _logger
        self.conn = _InOne(h11.SERVER, HEAD_MAX_BYTES)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base class has it
        """Wait for the first head, unless there are too many connections already."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=1, low=0)  # tells whether anything waits; with 0, TLS never goes on
        most = connections_max()
        if len(self.connections) > most:
            self.app.shared.admission.refused_connections += 1
            said = f"{most:,} connections are open, which is all that the service takes"
            self._refuse(problem("overloaded", said, retry_after_s=RETRY_AFTER_S))
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes, and wait for the rest of a head."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        self._unwatch()
        self._stop_waiting()

    def pause_writing(self) -> None:
        """Wait until the caller has read what is written already."""
        super().pause_writing()
        if self._unread is None:
            self._wait()

    def resume_writing(self) -> None:
        """All was read."""
        super().resume_writing()
        self._stop_waiting()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser cannot read."""
        self._refuse(problem("malformed-http", "it cannot be read as HTTP/1.1"))

    def _refuse(self, said: Problem) -> None:
        """Answer with a problem, where nothing was answered yet, and close. Whatever answers otherwise is not heard."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            response = told(said, request_id := made_up_id())
            self.app.shared.seen.unread.answered(response, 0.0, {})
            headers = [*response.raw_headers, (b"x-request-id", request_id.encode())]
            for event in (
                h11.Response(status_code=said.status, headers=headers),
                h11.Data(data=bytes(response.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch(self) -> None:
        """Wait for a head, or for the rest of a body that nobody reads, because it was answered."""
        if self.conn.their_state is not h11.IDLE and self.conn.our_state is not h11.DONE:
            self._unwatch()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_WITHIN_S, self.transport.close)

    def _unwatch(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _wait(self) -> None:
        """Leave a caller who does not read."""
        left = self.transport.get_write_buffer_size()

        def look() -> None:
            if self.transport.get_write_buffer_size() > left - READ_MIN_BYTES:
                self.transport.abort()
            else:
                self._wait()

        self._unread = self.loop.call_later(UNREAD_WITHIN_S, look)

    def _stop_waiting(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
