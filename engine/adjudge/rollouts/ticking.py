"""What an open engine does beside deciding while it takes part in rollouts, about once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from adjudge.errors import AdjudgeError
from adjudge.events import Events
from adjudge.rollouts.control import Rollouts

_events = Events("adjudge.rollouts")


class Ticking:
    """Looks what other workers have done, records what was counted, and minds the guard rails."""

    def __init__(self, rollouts: Rollouts, follow: Callable[[], Awaitable[None]]) -> None:
        """Begin. follow: does as rollouts stand by now; what it raises is told, and it is tried again."""
        self._rollouts, self._follow = rollouts, follow
        self._is_failing = False
        self._is_over = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        """End once what is under way is done, and record what was counted, if that can be."""
        self._is_over.set()
        await asyncio.wait([self._task])
        try:
            await self._rollouts.tally(is_due=True)
        except AdjudgeError:
            _events.warning("rollouts_not_counted")

    async def tick(self) -> None:
        """Do all of it once. Raises AdjudgeError."""
        await self._rollouts.look()
        await self._rollouts.tally()
        self._rollouts.is_behind |= await self._rollouts.guard()
        if self._rollouts.is_behind:
            self._rollouts.is_behind = False
            try:
                await self._follow()
            except BaseException:
                self._rollouts.is_behind = True
                raise

    async def _run(self) -> None:
        assert self._rollouts.settings is not None
        while not self._is_over.is_set():
            try:
                async with asyncio.timeout(self._rollouts.settings.look_every_s):
                    await self._is_over.wait()
            except TimeoutError:
                await self._tick_and_tell()

    async def _tick_and_tell(self) -> None:
        try:
            await self.tick()
        except Exception as error:
            if not self._is_failing and isinstance(error, AdjudgeError):
                _events.error("rollouts_not_followed", reason=str(error))
            elif not self._is_failing:
                _events.exception("rollouts_not_followed")
            self._is_failing = True
        else:
            self._is_failing = False
