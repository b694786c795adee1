"""Time for tests, that goes by only when nothing else is to be done, so that a busy machine changes nothing."""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
MODULES = ("engine", "signals.ask", "signals.gather", "signals.admission")


class _Selector(selectors.DefaultSelector):
    """Waits by letting time go by; only where nothing is due does it wait for a thread or a socket."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        """Return what is ready; a timeout is over at once."""
        ready = super().select(timeout if timeout is None else 0)
        if not ready and timeout is not None:
            self.now += max(0.0, timeout)
        return ready


class StoppedTime:
    """A clock that stands still until something has happened, for tests with real sockets and threads.

    However long a busy machine takes to send twenty requests, their time is not up before they are sent.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *others: str) -> None:
        """others: further names that hold `time.monotonic`, such as `adjudge_plugins.lists.monotonic`."""
        self.seconds = 1000.0
        self.loop = asyncio.SelectorEventLoop()
        self.loop.time = self.now  # type: ignore[method-assign]
        for name in (*(f"adjudge.{module}.monotonic" for module in MODULES), *others):
            monkeypatch.setattr(name, self.now)

    def now(self) -> float:
        """Return seconds that only grow."""
        return self.seconds

    def pass_when(self, happened: Callable[[], bool], seconds: float) -> None:
        """Let time go by once something has happened; asked between two steps of the loop, so that timers are set."""
        done = threading.Event()

        def look() -> None:
            if not done.is_set() and happened():
                done.set()
                self.seconds += seconds

        def ask() -> None:
            while not done.wait(0.005):
                self.loop.call_soon_threadsafe(look)
            self.loop.call_soon_threadsafe(lambda: None)

        threading.Thread(target=ask, daemon=True).start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            return runner.run(work)


class VirtualTime:
    """A clock for one test: run its coroutines with `run`. Threads must not be waited for with a timeout."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._selector = _Selector()
        for module in MODULES:
            monkeypatch.setattr(f"adjudge.{module}.monotonic", self.now)

    def now(self) -> float:
        """Return seconds that only grow, as `time.monotonic` does."""
        return self._selector.now

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, on a loop that keeps this time."""
        loop = asyncio.SelectorEventLoop(self._selector)
        loop.time = self.now  # type: ignore[method-assign]
        try:
            return loop.run_until_complete(work)
        finally:
            loop.close()
            now, self._selector = self._selector.now, _Selector()
            self._selector.now = now
