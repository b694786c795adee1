"""The service as a process: it opens the engine, takes requests, and ends them in order when it is told to."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from adjudge.config.service import ServiceSettings
from adjudge.decision.door import Door
from adjudge.engine import Engine
from adjudge.metrics.metrics import READER, Metrics
from adjudge.service.access.gate import Gate
from adjudge.service.admission import Admission
from adjudge.service.app import make_app
from adjudge.service.listening import Listening
from adjudge.service.protocol import Connection
from adjudge.service.room import backlog

DRAINED_WITHIN_S = 60
"""Seconds that requests under way have for ending, when the service ends."""
IDLE_S = 75
"""Seconds after which a connection that nobody uses is closed."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Server(uvicorn.Server):
    """A server that is not ended by a signal itself, but tells whoever runs it."""

    def __init__(self, ended: Callable[[], None], config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = ended

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Tell of a signal; once it ends, another Ctrl-C waits for nobody."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self._ended()


class Service:
    """Serves an engine at a socket until it is told to end, by `end` or by a signal."""

    def __init__(
        self,
        engine: Door,
        listening: Listening,
        *,
        settings: ServiceSettings | None = None,
        admission: Admission | None = None,
        tells_requests: bool = True,
    ) -> None:
        """settings: who may ask; left out, whoever gets to the socket. tells_requests: as an event each.

        Raises PolicyErrors and SetupError.
        """
        said = settings or ServiceSettings()
        self._engine, self._listening = engine, listening
        self.gate = Gate(said, at_socket=listening.socket.family == socket.AF_UNIX)
        metrics = engine.reader_of(Metrics, READER) if isinstance(engine, Engine) else Metrics()
        if isinstance(engine, Engine):
            metrics.watch_engine(engine)
        app = make_app(
            engine,
            admission=admission,
            hosts=listening.hosts,
            gate=self.gate,
            metrics=metrics,
            tells_requests=tells_requests,
        )
        self._readiness, self._notice_s = app.shared.readiness, said.notice_s
        self._loop: asyncio.AbstractEventLoop | None = None
        config = uvicorn.Config(
            app,
            http=Connection,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=DRAINED_WITHIN_S,
            backlog=backlog(),
        )
        config.load()
        config.ssl = self.gate.certificate.context if self.gate.certificate is not None else None
        self._server = _Server(self.end, config)

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Open the engine, call `ready`, take requests, and close the engine when the last is answered.

        Raises what opening the engine raises.
        """
        self._loop = asyncio.get_running_loop()
        with self._ended_by_signals():
            async with self._engine:
                ready()  # the socket takes connections already
                await self._server.serve(sockets=[self._listening.socket])

    def end(self) -> None:
        """Take no more requests, and return from `run` once those under way are answered; from any thread.

        Where the settings give notice, that comes first: `/readyz` says 503 at once, and requests are taken meanwhile.
        Whoever says it again does not wait for that.
        """
        if self._readiness.is_ending or not self._notice_s or self._loop is None:
            self._stop()
        else:
            self._loop.call_soon_threadsafe(self._loop.call_later, self._notice_s, self._stop)
        self._readiness.is_ending = True

    def _stop(self) -> None:
        self._server.should_exit = True

    @contextmanager
    def _ended_by_signals(self) -> Iterator[None]:
        """End at a signal, also while the engine opens or closes.

        The server has handlers of its own while it serves, which come here as well.
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
