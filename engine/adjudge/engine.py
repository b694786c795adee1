"""The engine: from a request to a recorded decision. `Engine.decide` is the front door, `Engine._make` the main path."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import monotonic, perf_counter
from types import TracebackType

from adjudge.errors import RequestError, did_you_mean
from adjudge.journal import Journal
from adjudge.model import Decision, DecisionStatus, Outcome, Request, Signal, SignalStatus, Verdict
from adjudge.observers import Observers
from adjudge.plugin import DecisionObserver, DecisionStore
from adjudge.policy.policy import Policy
from adjudge.registry import Registry
from adjudge.signals.gather import gather
from adjudge.signals.sources import Sources
from adjudge.store.fingerprint import fingerprint
from adjudge.store.flights import Flights, conflict
from adjudge.store.memory import MemoryStore

DEADLINE_S = 15.0
"""Seconds for gathering all signals of a decision, unless configured."""


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
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        """Put an engine together; `Engine.open` does it from a configuration file.

        journal: where answers are recorded; without one they are not, and each decision's notes say so.
        store: recalls decisions; unless given, `memory` does, for a day, and is warmed from the journal.
        clock: aware UTC, read once for each decision.
        """
        self.policies: Mapping[str, Policy] = {policy.name: policy for policy in policies}
        self.registry = registry
        self._journal = journal or Journal.nowhere()
        self._store = store if store is not None else self._journal.warm(memory or MemoryStore(), clock())
        self._observers = Observers(observers)
        self._sources = {
            name: Sources(policy, registry.catalogue().providers) for name, policy in self.policies.items()
        }
        self._deadline_s = deadline_s
        self._clock = clock
        self._flights = Flights()
        self._home: asyncio.AbstractEventLoop | None = None
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
        home = self._opened()
        if asyncio.get_running_loop() is home:
            return await self._decide(request, anew)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._decide(request, anew), home))

    def decide_sync(self, request: Request, *, anew: bool = False) -> Decision:
        """Decide from a thread without an event loop; as `decide` otherwise."""
        home = self._opened()
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run_coroutine_threadsafe(self._decide(request, anew), home).result()
        raise RuntimeError(f"decide_sync would block the event loop {running!r}; write `await engine.decide(…)`")

    async def _decide(self, request: Request, anew: bool) -> Decision:
        policy = self._policy(request)
        _check_names(policy, request)
        mark = fingerprint(request, policy.name, self._journal.key)
        return await self._flights.fly(request.merchant_biz_id, mark, lambda: self._recall(request, policy, mark, anew))

    async def _recall(self, request: Request, policy: Policy, mark: str, anew: bool) -> Decision:
        """Give the answer that there is, or make one."""
        earlier = self._store.get(request.merchant_biz_id)
        if earlier is not None and earlier.fingerprint != mark:
            raise conflict(request.merchant_biz_id)
        if earlier is not None and not anew and _answers(earlier, request):
            return replace(earlier, status="duplicate")
        return await self._make(request, policy, mark, None if anew else earlier, earlier)

    async def _make(
        self, request: Request, policy: Policy, mark: str, kept: Decision | None, earlier: Decision | None
    ) -> Decision:
        """Make a decision: plan, gather, evaluate, record. Signals that answered before are `kept`."""
        started, now = perf_counter(), self._clock()
        sources = self._sources[policy.name]

        def evaluate(signals: Mapping[str, Signal]) -> Verdict:
            fields = {name: signal.fields for name, signal in signals.items() if signal.status is SignalStatus.OK}
            return policy.evaluate({**request.inputs, **fields}, now=now)

        known = _supplied(sources.supplied, request, kept)
        if sources.asked:
            known |= _answered(sources.asked, kept)
            deadline = monotonic() + self._deadline_s
            opened = sources.open()
            known = await gather(
                sources.plan, opened, request, known=known, evaluate=evaluate, now=now, deadline=deadline
            )
        decision = _decision(request, policy, mark, known, evaluate(known), now, earlier)
        notes = self._journal.notes + decision.notes
        decision = replace(decision, notes=notes, duration_ms=round((perf_counter() - started) * 1000, 3))
        await self._journal.record(decision, request, policy, self.registry.catalogue)
        self._store.put(decision)
        self._observers.tell(decision)
        return decision

    def _policy(self, request: Request) -> Policy:
        if request.policy is None:
            if len(self.policies) == 1:
                return next(iter(self.policies.values()))
            raise RequestError(f"name one of {', '.join(self.policies)}", where="policy")
        policy = self.policies.get(request.policy)
        if policy is None:
            hint = did_you_mean(request.policy, self.policies)
            raise RequestError(f"there is no policy `{request.policy}`", where="policy", hint=hint)
        return policy

    def _opened(self) -> asyncio.AbstractEventLoop:
        if self._home is None:
            raise RuntimeError("the engine is not open: use it as `async with engine:` or `with engine:`")
        return self._home

    async def __aenter__(self) -> Engine:
        self._home = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._home = None
        await self._close()

    async def _close(self) -> None:
        """Let what is under way end, then let go of everything."""
        await self._flights.landed()
        await self._observers.told()
        for sources in self._sources.values():
            await sources.close()
        await asyncio.to_thread(self._journal.close)

    def __enter__(self) -> Engine:
        home = asyncio.new_event_loop()
        self._thread = threading.Thread(target=home.run_forever, name="adjudge-engine", daemon=True)
        self._thread.start()
        self._home = home
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        home, self._home = self._opened(), None
        try:
            asyncio.run_coroutine_threadsafe(self._close(), home).result()
        finally:
            home.call_soon_threadsafe(home.stop)
            assert self._thread is not None
            self._thread.join()
            home.close()


def _check_names(policy: Policy, request: Request) -> None:
    """Refuse inputs and signals that the policy does not declare: a typo is not to become unknown in silence."""
    typed = policy.typed
    for name in request.inputs.keys() - typed.inputs.keys():
        raise RequestError("is not declared", where=f"inputs.{name}", hint=did_you_mean(name, typed.inputs))
    for name, fields in request.signals.items():
        declared = typed.signals.get(name)
        if declared is None:
            raise RequestError("is not declared", where=f"signals.{name}", hint=did_you_mean(name, typed.signals))
        if declared.provider is not None:
            raise RequestError(f"is asked from {declared.provider}, not taken from the caller", where=f"signals.{name}")
        for field in fields.keys() - declared.fields.keys():
            hint = did_you_mean(field, declared.fields)
            raise RequestError("is not declared", where=f"signals.{name}.{field}", hint=hint)


def _answers(earlier: Decision, request: Request) -> bool:
    """Whether an earlier decision is the answer: nothing failed, and the caller brings nothing that was missing."""
    brings = any(
        earlier.signals[name].status is SignalStatus.NOT_PROVIDED for name in request.signals if name in earlier.signals
    )
    return earlier.complete and (earlier.verdict.settled or not brings)


def _supplied(names: Sequence[str], request: Request, kept: Decision | None) -> dict[str, Signal]:
    """Return the signals that callers supply, as given now, or as given before."""
    signals: dict[str, Signal] = {}
    for name in names:
        fields = request.signals.get(name)
        if fields is not None:
            signals[name] = Signal(name=name, status=SignalStatus.OK, fields=fields)
        elif kept is not None and name in kept.signals:
            signals[name] = kept.signals[name]
        else:
            signals[name] = Signal(name=name, status=SignalStatus.NOT_PROVIDED, reason="the caller did not supply it")
    return signals


def _answered(names: Sequence[str], kept: Decision | None) -> dict[str, Signal]:
    """Return what providers answered before; only the others are asked again."""
    if kept is None:
        return {}
    before = {name: kept.signals[name] for name in names if name in kept.signals}
    return {
        name: replace(signal, price=Decimal(0)) for name, signal in before.items() if signal.status is SignalStatus.OK
    }


def _decision(
    request: Request,
    policy: Policy,
    mark: str,
    signals: Mapping[str, Signal],
    verdict: Verdict,
    now: datetime,
    earlier: Decision | None,
) -> Decision:
    status: DecisionStatus = "fresh" if earlier is None else "supersedes"
    cost: dict[str, Decimal] = {}
    capture_again = None
    for signal in signals.values():
        if signal.price and signal.currency is not None:
            cost[signal.currency] = cost.get(signal.currency, Decimal(0)) + signal.price
        capture_again = capture_again or signal.capture_again
    notes = [f"{name} {what}" for name, what in verdict.problems]
    notes += [f"the doubt about `{rule}` was waived by the policy" for rule in verdict.waived]
    return Decision(
        decision_id=secrets.token_hex(16),
        merchant_biz_id=request.merchant_biz_id,
        status=status,
        verdict=verdict,
        policy=policy.name,
        policy_digest=policy.digest,
        fingerprint=mark,
        decided_at=now,
        signals=signals,
        supersedes=earlier.decision_id if earlier is not None else None,
        cost=cost,
        capture_again=capture_again if verdict.outcome is not Outcome.PASS else None,
        notes=tuple(notes),
    )
