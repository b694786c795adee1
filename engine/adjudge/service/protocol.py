"""A connection of the server that has to bring the head of a request in time, so that nobody holds it with nothing."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from adjudge.service.access.rates import Rates
from adjudge.service.access.refusals import TOLD_PER_S

HEAD_WITHIN_S = 20.0
"""Seconds for the head of a request, from the connection or its first byte. Between requests a connection may idle."""


class Bounded(logging.Filter):
    """Lets what strangers can cause be logged no more often than an operator can read."""

    def __init__(self) -> None:
        super().__init__()
        self.rates = Rates()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log it: whatever is an error, and some of the rest."""
        return record.levelno >= logging.ERROR or not self.rates.wait_s("", TOLD_PER_S)


BOUNDED = Bounded()
_logger = logging.getLogger("uvicorn.error.connections")
_logger.addFilter(BOUNDED)


class Connection(H11Protocol):
    """Reads requests as uvicorn does, and closes where a head does not come. A body has a bound of its own.

    Its parser is strict, and bounds the head of a request: the other one of uvicorn has no bound.
    """

    _late: asyncio.TimerHandle | None = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.logger = _logger

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base class has it
        """Wait for the first head."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes, and wait for the rest of a head."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        self._unwatch()

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:  # the head is there
            self._unwatch()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_WITHIN_S, self.transport.close)

    def _unwatch(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
