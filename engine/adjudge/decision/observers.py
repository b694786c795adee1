"""Telling observers of decisions, without waiting for them and whatever they do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adjudge.events import Events
from adjudge.model import Decision
from adjudge.plugin import DecisionObserver
from adjudge.system.faults import is_cancelled, is_operators

TOLD_WITHIN_S = 5.0
"""Seconds that observers have, when the engine closes, for ending what they do."""

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
        except BaseException as error:  # the decision stands, whatever its observers do
            if is_operators(error) or is_cancelled():
                raise
            _events.exception("observer_failed", observer=type(observer).__name__)

    async def told(self) -> None:
        """Wait until everybody has been told; who takes longer than TOLD_WITHIN_S is left behind, and that is told."""
        if self._telling:
            _, late = await asyncio.wait(self._telling, timeout=TOLD_WITHIN_S)
            for task in late:
                task.cancel()
            if late:
                _events.warning("observers_left", count=len(late))
