"""The engine, from a request to a recorded decision: `Engine.decide` is the front door, `_make` the main path."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from time import monotonic, perf_counter_ns
from types import TracebackType

from msgspec import structs

from adjudge.allowed import ANY_HOST, Allowed
from adjudge.audit.calls import OpenCalls
from adjudge.audit.marks import label_body
from adjudge.callbook import CallBook
from adjudge.case import Case, answered_before, as_taken, conclude, is_answer, supplied_signals, take, without_personal
from adjudge.errors import RequestError, did_you_mean
from adjudge.events import Events
from adjudge.journal import Journal
from adjudge.model import Decision, Request, Signal, SignalStatus, Verdict
from adjudge.observers import Observers
from adjudge.plugin import DecisionObserver, DecisionStore, Limits
from adjudge.policy.policy import Policy
from adjudge.registry import Registry
from adjudge.signals.gather import gather
from adjudge.signals.guard import PROCESS, Guards, Usage, guards_of, usage_of
from adjudge.signals.sources import Sources
from adjudge.store.flights import Flights, conflict
from adjudge.store.memory import MemoryStore

DEADLINE_S = 15.0
"""Seconds for gathering all signals of a decision, unless configured."""

_events = Events("adjudge.engine")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Engine:
    """Decides requests by its policies, once for each MerchantBizId, and records every answer.

    Use it as `async with` from one event loop, or as `with` from threads; while it is open, other loops and threads
    may call it too. Everything runs on one home loop, so one id is worked on once, whoever asks.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        *,
        registry: Registry,
        journal: Journal | None = None,
        store: DecisionStore | None = None,
        memory: MemoryStore | None = None,
        observers: Sequence[DecisionObserver] = (),
        deadline_s: float = DEADLINE_S,
        limits: Mapping[str, Limits] | None = None,
        guards: Guards | None = None,
        allowed: Allowed = ANY_HOST,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        """Put an engine together; `Engine.open` does it from a configuration file.

        journal: where answers are recorded; without one they are not, and each decision's notes say so.
        limits: how providers may be asked, by name, in place of what they declare. guards: what keeps to them, the
        process's own unless given.
        allowed: what policies may have providers use; a signal that would use more is not asked, and says so.
        store: recalls decisions; unless given, `memory` does, for a day, and is warmed from the journal.
        clock: aware UTC, read once for each decision.
        Raises ValueError for policies of the same name, or none, and for limits of a provider that is not there;
        PluginError where the registry lacks a provider; AuditUnavailable and AuditBroken where the journal cannot be
        read.
        """
        self.policies: Mapping[str, Policy] = {policy.name: policy for policy in policies}
        if not policies or len(self.policies) < len(policies):
            raise ValueError("an engine needs policies, each with a name of its own")
        for policy in policies:
            _ = policy.evaluate  # compiles it now, so that no request waits for that
        self.registry = registry
        self._journal = journal or Journal.nowhere()
        kept, calls = memory or MemoryStore(), OpenCalls()
        self._journal.warm(kept if store is None else None, calls, clock())
        self._store = kept if store is None else store
        self._book = CallBook(self._journal, calls, registry.catalogue, clock)
        self._observers = Observers(observers)
        providers, secrets = registry.catalogue().providers, registry.secrets()
        signals = [signal for policy in self.policies.values() for signal in policy.typed.signals.values()]
        self._guards = guards_of(signals, providers, limits or {}, guards or PROCESS, calls.today)
        self._sources = {
            name: Sources(policy, providers, self._guards, secrets, allowed) for name, policy in self.policies.items()
        }
        self._deadline_s = deadline_s
        self._clock = clock
        self._flights = Flights()
        self._ids: Random
        self._gate = threading.Lock()  # nobody comes in while the engine closes
        self._home: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._calls: set[Future[Decision]] = set()
        self._thread: threading.Thread | None = None

    @classmethod
    def open(cls, config: str | Path) -> Engine:
        """Put an engine together from a configuration file, such as `adjudge.yaml`.

        Raises PolicyErrors for the file and its policies, PluginError, AuditUnavailable and AuditBroken.
        """
        from adjudge.config import open_engine

        return open_engine(config)

    async def decide(self, request: Request, *, anew: bool = False) -> Decision:
        """Decide a request and return the decision once it is recorded, or the one its MerchantBizId already has.

        anew: decide again although there is an answer; the new decision supersedes it.
        Raises RequestError, MerchantBizIdConflict; AuditUnavailable or AuditBroken, and then nothing is decided.
        A vendor that fails raises nothing: its fields are unknown, and the policy says what that means.
        """
        if asyncio.get_running_loop() is self._opened():
            return await self._decide(request, anew)
        return await asyncio.wrap_future(self._call(request, anew))

    def decide_sync(self, request: Request, *, anew: bool = False) -> Decision:
        """Decide from a thread without an event loop; as `decide` otherwise."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._call(request, anew).result()
        raise RuntimeError(
            "decide_sync would block the event loop that it is called in: write `await engine.decide(…)`"
        )

    def _call(self, request: Request, anew: bool) -> Future[Decision]:
        """Decide on the home loop, for a caller from elsewhere."""
        with self._gate:
            home = self._opened()
            call = asyncio.run_coroutine_threadsafe(self._decide(request, anew), home)
            self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return call

    async def _decide(self, request: Request, anew: bool) -> Decision:
        if not isinstance(request, Request):
            raise RequestError("must be a Request", where="request")
        case = take(request, self._policy(request), self._journal.key, anew=anew)
        if self._is_immediate(case) and not self._flights.has(request.merchant_biz_id):
            return await self._recall(case)  # it never waits, so nobody comes in between
        return await self._flights.fly(request.merchant_biz_id, case.mark, lambda: self._recall(case), anew=anew)

    async def _recall(self, case: Case) -> Decision:
        """Give the answer that there is, or make one."""
        earlier = self._store.get(case.request.merchant_biz_id)
        if earlier is not None and earlier.fingerprint != case.mark:
            raise conflict(case.request.merchant_biz_id)
        if earlier is not None and not case.anew and is_answer(earlier, case):
            return structs.replace(earlier, status="duplicate")
        return await self._make(case, earlier)

    async def _make(self, case: Case, earlier: Decision | None) -> Decision:
        """Make a decision: plan, gather, evaluate, record. Signals that answered before are not asked again."""
        started, now = perf_counter_ns(), self._clock()
        policy = case.policy
        sources, kept = self._sources[policy.name], None if case.anew else earlier

        def evaluate(signals: Mapping[str, Signal]) -> Verdict:
            fields = {name: signal.fields for name, signal in signals.items() if signal.status is SignalStatus.OK}
            return policy.evaluate({**case.inputs, **fields}, now=now)

        known = supplied_signals(sources.supplied, case, kept)
        if sources.asked:
            known |= answered_before(sources.asked, policy, kept) | self._book.recall(case, sources.asked)
            deadline = monotonic() + self._deadline_s
            opened = sources.open()
            request, book = as_taken(case), self._book.of(case)
            known = await gather(
                sources.plan, opened, request, book, known=known, evaluate=evaluate, now=now, deadline=deadline
            )
        verdict = evaluate(known)
        took_ms = (perf_counter_ns() - started) // 1000 / 1000
        decision_id = f"{self._ids.getrandbits(128):032x}"
        decision = conclude(case, known, verdict, now, earlier, decision_id, took_ms, self._journal.notes)
        await self._journal.record(decision, case.request, case.inputs, policy, self.registry.catalogue)
        self._book.decided(case)
        try:
            self._store.put(decision)
        except Exception:  # it is recorded, and so it stands
            _events.exception("store_failed", store=type(self._store).__name__, decision_id=decision.decision_id)
        self._observers.tell(decision)
        return decision

    async def label(
        self,
        decision_id: str,
        merchant_biz_id: str,
        label: str,
        *,
        source: str,
        found_on: date | None = None,
        note: str = "",
    ) -> None:
        """Record what was later found out about a decision: `fraud` or `genuine`, who says so, and since which day.

        found_on: today in UTC unless given. Raises ValueError; AuditUnavailable and AuditBroken.
        """
        self._opened()
        body = label_body(decision_id, merchant_biz_id, label, source=source, found_on=found_on, note=note)
        await self._journal.record_label(body)

    async def erase(self, merchant_biz_id: str, *, reason: str = "") -> int:
        """Erase the personal values of a MerchantBizId, in memory and on disk, and return how many the vault held.

        The decision stays, and answers a retry. Raises AuditUnavailable and AuditBroken; then erase again.
        """
        self._opened()
        kept = self._store.get(merchant_biz_id)
        if kept is not None:
            policy = self.policies.get(kept.policy)
            self._store.put(without_personal(kept, policy.typed.signals if policy is not None else {}))
        return await self._journal.erase(merchant_biz_id, reason)

    def usage(self) -> dict[str, Usage]:
        """Return what this process asked of each provider and what that cost, by the provider's name."""
        return usage_of(self._guards)

    def _is_immediate(self, case: Case) -> bool:
        """Whether deciding waits for nobody: no provider is asked, and the log writes at once."""
        return not self._sources[case.policy.name].asked and self._journal.is_immediate(case.policy)

    def _policy(self, request: Request) -> Policy:
        if request.policy is None:
            if len(self.policies) == 1:
                return next(iter(self.policies.values()))
            raise RequestError(f"name one of {', '.join(self.policies)}", where="policy")
        policy = self.policies.get(request.policy)
        if policy is None:
            hint = did_you_mean(str(request.policy), self.policies)
            raise RequestError(f"there is no policy `{request.policy}`", where="policy", hint=hint)
        return policy

    def _opened(self) -> asyncio.AbstractEventLoop:
        if self._home is None:
            how = "is closed" if self._is_closed else "is not open: use it as `async with engine:` or `with engine:`"
            raise RuntimeError(f"the engine {how}")
        return self._home

    def _open(self, home: asyncio.AbstractEventLoop) -> None:
        with self._gate:
            if self._home is not None or self._is_closed:
                how = "was closed: put another one together" if self._is_closed else "is open already"
                raise RuntimeError(f"the engine {how}")
            self._home = home
            self._ids = Random()  # noqa: S311  # seeded by the system, after any fork; unique, not secret
        self._book.tell()

    def _leave(self) -> asyncio.AbstractEventLoop:
        with self._gate:
            home, self._home, self._is_closed = self._opened(), None, True
        return home

    async def __aenter__(self) -> Engine:
        self._open(asyncio.get_running_loop())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        await self._close()

    async def _close(self) -> None:
        """Let what is under way end, then let go of everything."""
        try:
            await asyncio.gather(*map(asyncio.wrap_future, tuple(self._calls)), return_exceptions=True)
            await self._flights.landed()
            await self._observers.told()
            for sources in self._sources.values():
                await sources.close()
        finally:
            await self._journal.aclose()

    def __enter__(self) -> Engine:
        home = asyncio.new_event_loop()
        try:
            self._open(home)
        except RuntimeError:
            home.close()
            raise
        self._thread = threading.Thread(target=home.run_forever, name="adjudge-engine", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        home = self._leave()
        try:
            asyncio.run_coroutine_threadsafe(self._close(), home).result()
        finally:
            home.call_soon_threadsafe(home.stop)
            assert self._thread is not None
            self._thread.join()
            home.close()
