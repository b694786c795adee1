"""One answer in the making for each MerchantBizId: the first caller works, the others wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from msgspec import structs

from adjudge.decision.prepared import RequestKey
from adjudge.errors import Overloaded
from adjudge.frozen import frozen
from adjudge.ledger.claims import conflict
from adjudge.model import Decision

LEAST_WAIT_S = 0.1
"""Seconds after which an engine with too much under way is asked again, at the least."""


@frozen
class _Flight:
    fingerprint: str
    anew: bool
    task: asyncio.Task[Decision]


@dataclass(slots=True)
class SingleFlight:
    """Decisions under way on one event loop. limit: of ids at a time, None for none."""

    limit: int | None = None
    _usual_s: float = 0.0
    _under_way: dict[str, _Flight] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many answers are under way."""
        return len(self._under_way)

    def has(self, merchant_biz_id: str) -> bool:
        """Whether an answer for an id is under way."""
        return merchant_biz_id in self._under_way

    async def run(
        self,
        key: RequestKey,
        work: Callable[[], Coroutine[Any, Any, Decision]],
        *,
        anew: bool = False,
    ) -> Decision:
        """Return the answer of the work under way for an id, or of this work.

        anew: an answer is wanted that was not under way before, unless that one was wanted so too.
        The work goes on when its caller is cancelled: it may have been paid for, and others may wait for it.
        Raises MerchantBizIdConflict where another fingerprint is under way, Overloaded where too much is, and whatever
        the work raises.
        """
        while (flight := self._under_way.get(key.merchant_biz_id)) is not None:
            if not key.has(flight.fingerprint):
                raise conflict(key.merchant_biz_id)
            if flight.anew or not anew:
                return structs.replace(await asyncio.shield(flight.task), status="duplicate")
            await asyncio.wait({flight.task})
        if self.limit is not None and len(self._under_way) >= self.limit:
            said = f"{self.limit} decisions are under way, which is all that the engine takes at a time"
            raise Overloaded(said, retry_after_s=max(LEAST_WAIT_S, self._usual_s))
        task = asyncio.get_running_loop().create_task(work())
        self._under_way[key.merchant_biz_id] = _Flight(key.fingerprint, anew, task)
        begun = monotonic()
        task.add_done_callback(lambda done: self._ended(key.merchant_biz_id, done, monotonic() - begun))
        return await asyncio.shield(task)

    def _ended(self, merchant_biz_id: str, task: asyncio.Task[Decision], took_s: float) -> None:
        del self._under_way[merchant_biz_id]
        self._usual_s += (took_s - self._usual_s) / 16
        if not task.cancelled():
            task.exception()  # looked at, since its caller may be gone

    async def wait(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            await self.wait_for_these()

    async def wait_for_these(self) -> None:
        """Wait until what is under way now has ended."""
        if self._under_way:
            await asyncio.wait([flight.task for flight in self._under_way.values()])
