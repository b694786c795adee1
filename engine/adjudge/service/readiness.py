"""Whether requests are taken, and what is in the way: asked by what sends them here, every second and more often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from adjudge.decision.door import Door
from adjudge.documents.operations import Reason
from adjudge.errors import AdjudgeError

KEPT_S = 1.0
"""Seconds for which what the ledger said is told again."""
WITHIN_S = 2.0
"""Seconds that one who asks waits for the ledger."""
ENDED_WITHIN_S = 10.0
"""Seconds after which a question to the ledger is given up, so that the next one can be asked."""


@dataclass(slots=True)
class Readiness:
    """What is in the way of taking requests.

    notes: what else is not as it should be while requests are taken, by part: a function gives a sentence, or None.
    is_ending: no more requests should be sent here. timer: seconds that only grow.
    """

    engine: Door
    notes: dict[str, Callable[[], str | None]] = field(default_factory=dict)
    is_ending: bool = False
    timer: Callable[[], float] = monotonic
    _asked: asyncio.Task[Reason | None] | None = None
    _asked_at: float = 0.0

    async def reasons(self) -> tuple[Reason, ...]:
        """Return why no requests are taken; empty where they are."""
        if self.is_ending:
            return (Reason("service", "service-unavailable", "the service is stopping"),)
        found = await self._of_ledger()
        return () if found is None else (found,)

    def noted(self) -> dict[str, str]:
        """Return what else is not as it should be, by part."""
        return {part: said for part, note in self.notes.items() if (said := note()) is not None}

    async def _of_ledger(self) -> Reason | None:
        """Ask the ledger, or tell what it just said: however many ask, it is asked once."""
        asked = self._asked
        if asked is None or (asked.done() and self.timer() - self._asked_at >= KEPT_S):
            asked = self._asked = asyncio.create_task(self._ask())
            self._asked_at = self.timer()
        done, _ = await asyncio.wait({asked}, timeout=WITHIN_S)
        return asked.result() if done else _SILENT

    async def _ask(self) -> Reason | None:
        try:
            async with asyncio.timeout(ENDED_WITHIN_S):
                await self.engine.check_ready()
        except AdjudgeError as error:
            return Reason("ledger", error.code, str(error))
        except TimeoutError:
            return _SILENT
        except Exception as error:  # whose text may hold what nobody should read
            return Reason("ledger", "fault", type(error).__name__)
        return None


_SILENT = Reason("ledger", "audit-unavailable", "gave no answer in time")
