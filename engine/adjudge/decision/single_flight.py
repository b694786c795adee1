"""One answer in the making for each MerchantBizId: the first caller works, the others wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

import msgspec
from msgspec import structs

from adjudge.decision.prepared import RequestKey
from adjudge.errors import Overloaded
from adjudge.ledger.claims import conflict
from adjudge.model import Decision

LEAST_WAIT_S = 0.1
"""Seconds after which an engine with too much under way is asked again, at the least."""


class _Flight(msgspec.Struct, frozen=True):
    """alone: nobody shares it. waiting: those who wait for the answer; they may be cancelled, and the work goes on."""

    merchant_biz_id: str
    fingerprint: str
    anew: bool
    alone: bool
    task: asyncio.Task[Decision]
    begun: float
    waiting: list[asyncio.Future[Decision]]

    def join(self) -> asyncio.Future[Decision]:
        """Wait for the answer."""
        mine: asyncio.Future[Decision] = self.task.get_loop().create_future()
        self.waiting.append(mine)
        return mine


@dataclass(slots=True)
class SingleFlight:
    """Decisions under way on one event loop. limit: of ids at a time, None for none."""

    limit: int | None = None
    _usual_s: float = 0.0
    _under_way: dict[str, _Flight] = field(default_factory=dict)
    _later: dict[asyncio.Future[None], str] = field(default_factory=dict)
    _stopped: dict[str, asyncio.Event] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many answers are under way."""
        return len(self._under_way)

    def has(self, merchant_biz_id: str) -> bool:
        """Whether an answer for an id is under way, or none may begin just now."""
        return merchant_biz_id in self._under_way or merchant_biz_id in self._stopped

    async def run(
        self,
        key: RequestKey,
        work: Callable[[], Coroutine[Any, Any, Decision]],
        *,
        anew: bool = False,
        alone: bool = False,
    ) -> Decision:
        """Return the answer of the work under way for an id, or of this work.

        anew: an answer is wanted that was not under way before, unless that one was wanted so too.
        alone: this work is not what others ask for, nor theirs what is asked for here: each waits for the other's end.
        The work goes on when its caller is cancelled: it may have been paid for, and others may wait for it.
        Raises MerchantBizIdConflict where another fingerprint is under way, Overloaded where too much is, and whatever
        the work raises.
        """
        await self._begins(key.merchant_biz_id)
        while (flight := self._under_way.get(key.merchant_biz_id)) is not None:
            if not alone and not key.has(flight.fingerprint):
                raise conflict(key.merchant_biz_id)
            if not alone and not flight.alone and (flight.anew or not anew):
                return structs.replace(await flight.join(), status="duplicate")
            await self._end_of(flight)
        if self.limit is not None and len(self._under_way) >= self.limit:
            said = f"{self.limit} decisions are under way, which is all that the engine takes at a time"
            raise Overloaded(said, retry_after_s=max(LEAST_WAIT_S, self._usual_s))
        task = asyncio.get_running_loop().create_task(work())
        flight = _Flight(key.merchant_biz_id, key.fingerprint, anew, alone, task, monotonic(), [])
        self._under_way[key.merchant_biz_id] = flight
        task.add_done_callback(partial(self._ended, flight))
        return await flight.join()

    def _ended(self, flight: _Flight, task: asyncio.Task[Decision]) -> None:
        """Let a flight go, and give its answer to those who wait: `asyncio.shield`, in half of its time."""
        del self._under_way[flight.merchant_biz_id]
        self._usual_s += (monotonic() - flight.begun - self._usual_s) / 16
        error = None if task.cancelled() else task.exception()  # looked at, since its caller may be gone
        for one in flight.waiting:
            if one.done():
                continue
            if task.cancelled():
                one.cancel()
            elif error is not None:
                one.set_exception(error)
            else:
                one.set_result(task.result())

    async def _end_of(self, flight: _Flight) -> None:
        """Wait for the end of an answer before work on another one for its id begins."""
        begins: asyncio.Future[None] = flight.task.get_loop().create_future()
        self._later[begins] = flight.merchant_biz_id
        try:
            await asyncio.wait({flight.task})
        finally:
            del self._later[begins]
            begins.set_result(None)  # who waits for this comes to know it once the work has begun, if it does

    async def _begins(self, merchant_biz_id: str) -> None:
        """Wait until an answer for an id may begin."""
        while (stopped := self._stopped.get(merchant_biz_id)) is not None:
            await stopped.wait()

    @asynccontextmanager
    async def stopped(self, merchant_biz_id: str) -> AsyncIterator[None]:
        """Let no answer for an id be under way: those asked for by now are waited for, others begin afterwards."""
        await self._begins(merchant_biz_id)
        over = self._stopped[merchant_biz_id] = asyncio.Event()
        try:
            await self.wait_for(merchant_biz_id)
            yield
        finally:
            del self._stopped[merchant_biz_id]
            over.set()

    async def wait_for(self, merchant_biz_id: str) -> None:
        """Wait until the answers for an id that were asked for by now have ended."""
        later = [begins for begins, of in self._later.items() if of == merchant_biz_id]
        if (flight := self._under_way.get(merchant_biz_id)) is not None:
            await asyncio.wait({flight.task})
        if later:
            await asyncio.wait(later)
            await self.wait_for(merchant_biz_id)

    async def wait(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way or self._later:
            await self.wait_for_these()

    async def wait_for_these(self) -> None:
        """Wait until what was asked for by now, and not refused, has ended."""
        later = [*self._later]
        if self._under_way:
            await asyncio.wait([flight.task for flight in self._under_way.values()])
        if later:
            await asyncio.wait(later)
            await self.wait_for_these()
