"""Policies that change while the engine is open: noticed, loaded beside it, and taken as a whole or not at all.

    policies_every: 2s        # how often it is looked; `never` for not at all

A file is read once two looks have found it the same, so that nobody takes one that is being written. What does not
load is refused whole, and what answered before goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from time import monotonic, time_ns
from typing import TypeVar

from adjudge.config.policies import PolicyLoader
from adjudge.decision.activations import Replacing, Wanted, digests_of
from adjudge.errors import AdjudgeError, BundleRefused, PolicyErrors, listed
from adjudge.events import Events
from adjudge.policy.policy import Policy
from adjudge.system.files import FileState
from adjudge.system.pools import Pool

EVERY_S = 2.0
"""Seconds between two looks of a service, unless configured."""
AGAIN_S = 30.0
"""Seconds after which what was refused is tried again although nothing seems to have changed."""
LOADED_WITHIN_S = 300.0

_T = TypeVar("_T")
_States = Mapping[Path | str, object]
_events = Events("adjudge.policies")


class Watch:
    """Looks after the policies of one engine."""

    def __init__(self, loader: PolicyLoader, *, every_s: float = 0.0, fetch: bool = True) -> None:
        """Load the policies. every_s: seconds between two looks, 0 for none. fetch: as of `PolicyLoader.load`.

        Raises PolicyErrors and PluginError.
        """
        self._loader, self._every_s = loader, every_s
        self._known: Mapping[str, Policy] = {}
        self._pool = Pool("adjudge-policies", 1)
        if fetch:
            loader.fetch()
        before, now_ns = self._states(), time_ns()
        self._loaded = loader.load(fetch=fetch)
        self._known = self._loaded.policies
        self._taken = self._seen = self._states()
        at_rest = all(one.is_at_rest(now_ns) for one in before.values() if isinstance(one, FileState))
        if not at_rest or not _same(before, self._taken):
            self._taken = {}  # it may have changed while it was read, so it is read again
        self._refused_at: float | None = None
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._replacing = asyncio.Lock()

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The policies as they were loaded for the engine, by name."""
        return self._loaded.policies

    async def begin(self, engine: Replacing) -> None:
        """Record which policies answer, where the log does not say so yet, and look from now on.

        Raises BundleRefused for a bundle that is older than one that was accepted before, by another process too.
        """
        if self._every_s or self._loaded.bundles or engine.activations.routes:
            wanted = Wanted(reason="start", bundles=self._loaded.bundles)
            try:
                await engine.activations.accept({}, engine.policies, wanted)
            except BundleRefused as error:
                await engine.activations.refuse({}, engine.policies, wanted, said_by(error))
                raise
        if self._every_s:
            self._task = asyncio.create_task(self._look_on(engine))

    @property
    def fresh_until(self) -> Mapping[str, datetime]:
        """When another one should have come of each bundle that answers and says so, by name; aware UTC."""
        bundles = self._loaded.bundles.items()
        return {name: one.fresh_until for name, one in bundles if one.fresh_until is not None}

    def notes(self, now: datetime) -> Iterator[str]:
        """Yield which bundles are not to be had, and which should have been followed by others."""
        if missed := [one.settings.name for one in self._loader.bundles if one.missed is not None]:
            yield f"bundles that cannot be fetched: {listed(missed)}"
        if stale := [name for name, until in self.fresh_until.items() if until <= now]:
            yield f"bundles that are no longer fresh, and go on answering: {listed(stale)}"

    async def aclose(self) -> None:
        """End: what is being loaded is dropped, what is being replaced is awaited."""
        self._ended.set()
        if self._task is not None:
            async with self._replacing:
                self._task.cancel()
            await asyncio.wait({self._task})
        self._pool.close()

    async def _look_on(self, engine: Replacing) -> None:
        while not self._ended.is_set():
            try:
                async with asyncio.timeout(self._every_s):
                    await self._ended.wait()
            except TimeoutError:
                try:
                    await self.look(engine)
                except Exception:  # of ours; the next look may do better, and what answers goes on
                    _events.exception("policies_not_looked_at")

    async def look(self, engine: Replacing) -> None:
        """Look once whether the policies have changed, and take them if they are the same as at the last look."""
        await self._beside(self._loader.fetch)
        states = await self._beside(self._states)
        is_over = self._refused_at is not None and monotonic() - self._refused_at >= AGAIN_S
        if states == self._taken and not is_over:
            self._seen = states
            return
        if states != self._seen:  # it may be half of a file
            self._seen = states
            return
        await self._take(engine, states)

    async def _take(self, engine: Replacing, states: _States) -> None:
        wanted = Wanted(reason="changed")
        try:
            loaded = await self._beside(self._loader.load)
        except AdjudgeError as error:
            if await self._beside(self._states) == states:
                await self._refuse(engine, {}, wanted, error)
                self._taken = states
            return
        policies, wanted = loaded.policies, Wanted(reason="changed", bundles=loaded.bundles)
        self._known = policies
        after = await self._beside(self._states)
        if after.keys() - states.keys() or not _same(states, after):  # what was read was not looked at twice
            self._seen = after
            return
        try:
            async with self._replacing:
                newest = engine.activations.newest
                is_new = digests_of(policies) != digests_of(engine.policies) or loaded.bundles != self._loaded.bundles
                if is_new or (newest is not None and not newest.accepted):
                    await engine.replace(tuple(policies.values()), wanted=wanted)
        except AdjudgeError as error:
            await self._refuse(engine, policies, wanted, error)
            self._taken = states
            return
        self._loaded, self._taken, self._seen, self._refused_at = loaded, after, after, None

    async def _refuse(
        self, engine: Replacing, policies: Mapping[str, Policy], wanted: Wanted, error: AdjudgeError
    ) -> None:
        self._refused_at = monotonic()
        try:
            await engine.activations.refuse(engine.policies, policies, wanted, said_by(error))
        except AdjudgeError:
            _events.exception("refusal_not_recorded")

    def _states(self) -> _States:
        try:
            return self._loader.states(self._known)
        except PolicyErrors:  # a folder is gone: loading says so
            return {}

    async def _beside(self, work: Callable[[], _T]) -> _T:
        """Do work in a thread, so that no decision waits for it."""
        return await self._pool.run(work, deadline_s=LOADED_WITHIN_S)


def _same(before: _States, after: _States) -> bool:
    """Whether the files that are in both are as they were."""
    return all(after[file] == state for file, state in before.items() if file in after)


def said_by(error: AdjudgeError) -> tuple[str, ...]:
    """Return what is wrong, a line each."""
    return tuple(map(str, error.errors)) if isinstance(error, PolicyErrors) else (str(error),)
