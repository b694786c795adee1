"""Time for tests, that goes by only when nothing else is to be done, so that a busy machine changes nothing."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
MODULES = ("engine", "signals.ask", "signals.gather", "signals.guard")


class _Selector(selectors.DefaultSelector):
    """Waits by letting time go by; only where nothing is due does it wait for a thread or a socket."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        """Return what is ready; a timeout is over at once."""
        ready = super().select(timeout if timeout is None else 0)
        if not ready and timeout is not None:
            self.now += max(0.0, timeout)
        return ready


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
