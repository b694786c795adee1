"""The service as a process: it opens the engine, takes requests, and ends them in order when it is told to."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from adjudge.config.service import ServiceSettings
from adjudge.decision.door import Door
from adjudge.engine import Engine
from adjudge.metrics.metrics import READER, Metrics
from adjudge.service.access.gate import Gate
from adjudge.service.admission import Admission
from adjudge.service.app import make_app
from adjudge.service.listening import Listening

DRAINED_WITHIN_S = 60
"""Seconds that requests under way have for ending, when the service ends."""
IDLE_S = 75
"""Seconds after which a connection that nobody uses is closed."""
HEADERS_MAX_BYTES = 32 * 1024
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Service:
    """Serves an engine at a socket until it is told to end, by `end` or by a signal."""

    def __init__(
        self,
        engine: Door,
        listening: Listening,
        *,
        settings: ServiceSettings | None = None,
        admission: Admission | None = None,
    ) -> None:
        """settings: who may ask; left out, whoever gets to the socket. Raises PolicyErrors and SetupError."""
        said = settings or ServiceSettings()
        self._engine, self._listening = engine, listening
        self.gate = Gate(said, at_socket=listening.socket.family == socket.AF_UNIX)
        hosts = None if listening.hosts is None else listening.hosts.union(said.hosts)
        metrics = engine.reader_of(Metrics, READER) if isinstance(engine, Engine) else Metrics()
        if isinstance(engine, Engine):
            metrics.watch_engine(engine)
        self._server = uvicorn.Server(
            uvicorn.Config(
                make_app(engine, admission=admission, hosts=hosts, gate=self.gate, metrics=metrics),
                http="h11",  # strict, and it bounds the head of a request: the other parser of uvicorn has no bound
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=IDLE_S,
                timeout_graceful_shutdown=DRAINED_WITHIN_S,
                h11_max_incomplete_event_size=HEADERS_MAX_BYTES,
            )
        )

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Open the engine, call `ready`, take requests, and close the engine when the last is answered.

        Raises what opening the engine raises.
        """
        with self._ended_by_signals():
            async with self._engine:
                ready()  # the socket takes connections already
                await self._server.serve(sockets=[self._listening.socket])

    def end(self) -> None:
        """Take no more requests, and return from `run` once those under way are answered; from any thread."""
        self._server.should_exit = True

    @contextmanager
    def _ended_by_signals(self) -> Iterator[None]:
        """End at a signal, also while the engine opens or closes.

        The server has handlers of its own while it serves, and raises what it caught again afterwards: it comes here.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, lambda *_: self.end()) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
