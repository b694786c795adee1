"""Telling observers of decisions, without waiting for them and whatever they do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adjudge.events import Events
from adjudge.model import Decision
from adjudge.plugin import DecisionObserver

_events = Events("adjudge.observers")


class Observers:
    """The observers of one engine."""

    def __init__(self, observers: Sequence[DecisionObserver]) -> None:
        self._observers = tuple(observers)
        self._telling: set[asyncio.Task[None]] = set()

    def tell(self, decision: Decision) -> None:
        """Start telling everybody of a decision; returns at once."""
        for observer in self._observers:
            task = asyncio.get_running_loop().create_task(self._tell(observer, decision))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _tell(self, observer: DecisionObserver, decision: Decision) -> None:
        try:
            await observer.decided(decision)
        except Exception:  # the decision stands, whatever its observers do
            _events.exception("observer_failed", observer=type(observer).__name__, decision_id=decision.decision_id)

    async def told(self) -> None:
        """Wait until everybody has been told."""
        if self._telling:
            await asyncio.wait(self._telling)
