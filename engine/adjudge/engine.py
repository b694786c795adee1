"""The engine, from a request to a recorded decision: `Engine.decide` is the front door, `_make` the main path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from time import monotonic, perf_counter_ns
from types import TracebackType
from typing import TYPE_CHECKING

from msgspec import structs

from adjudge.audit.annotations import LabelBody, check_by, erasure_body, label_body
from adjudge.decision.conclude import conclude
from adjudge.decision.home import Home
from adjudge.decision.observers import Observers
from adjudge.decision.person import drawn
from adjudge.decision.prepared import PreparedRequest, answered_before, as_taken, is_answer, prepare, supplied_signals
from adjudge.decision.single_flight import SingleFlight
from adjudge.errors import NAME_SHOWN, EngineError, LostClaim, RequestError, SetupError, did_you_mean
from adjudge.events import Events, bound
from adjudge.ledger.calls import CallLedger, tell_of_doubts
from adjudge.ledger.choice import ledger_for
from adjudge.ledger.local import ANSWER_FOR_S
from adjudge.ledger.recording import Recording
from adjudge.model import Decision, Request, Signal, SignalStatus, Verdict
from adjudge.moved import warn as warn_of_old_name
from adjudge.plugin import Busy, Claim, DecisionLedger, DecisionObserver, Limits
from adjudge.policy.policy import Policy
from adjudge.registry import Registry
from adjudge.signals.admission import PROCESS, Guards, Usage, begin_with, guards_of, usage_of
from adjudge.signals.allowed import ANY_HOST, Allowed
from adjudge.signals.ask import Asking
from adjudge.signals.gather import gather
from adjudge.signals.sources import OpenedSignals

if TYPE_CHECKING:
    from adjudge.audit.trail import AuditTrail

DEADLINE_S = 15.0
"""Seconds for gathering all signals of a decision, unless configured."""
RECORDED_WITHIN_S = 30.0
"""Seconds beyond the deadline after which another holder may decide an id: who had it was paused or killed."""

_events = Events("adjudge.engine")


def _utc_now() -> datetime:
    return datetime.now(UTC)


def by_scene(policies: Sequence[Policy]) -> Mapping[str, Policy]:
    """Return the policies by the scenes that they answer. Raises SetupError where two answer one."""
    found: dict[str, Policy] = {}
    for policy in policies:
        for scene in policy.typed.scenes:
            if scene in found:
                both = f"`{found[scene].name}` and `{policy.name}`"
                raise SetupError(f"{both} both have the scene `{scene}`: write it under `scenes:` of one of them")
            found[scene] = policy
    return found


def in_utc(clock: Callable[[], datetime]) -> Callable[[], datetime]:
    """Return a clock that reads UTC, which days and records are counted in, whatever its own zone is."""
    if clock().tzinfo is None:
        raise SetupError("the clock must give aware times, such as `datetime.now(UTC)`")
    return clock if clock is _utc_now else lambda: clock().astimezone(UTC)


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
        trail: AuditTrail | None = None,
        ledger: DecisionLedger | None = None,
        answer_for_s: float = ANSWER_FOR_S,
        observers: Sequence[DecisionObserver] = (),
        deadline_s: float = DEADLINE_S,
        limits: Mapping[str, Limits] | None = None,
        guards: Guards | None = None,
        allowed: Allowed = ANY_HOST,
        clock: Callable[[], datetime] = _utc_now,
        journal: AuditTrail | None = None,
        store: object = None,
        memory: object = None,
    ) -> None:
        """Put an engine together; `Engine.open` does it from a configuration file.

        trail: where answers are recorded; without one they are not, and each decision's notes say so.
        ledger: who keeps decisions and says who may make one, in place of `trail`; other processes may share it.
        answer_for_s: seconds for which a decision answers its MerchantBizId; a ledger that is given has its own.
        limits: how providers may be asked, by name, in place of what they declare. guards: what keeps to them, the
        process's own unless given.
        allowed: what policies may have providers use; a signal that would use more is not asked, and says so.
        clock: an aware time, read once for each decision. journal: what `trail` was called before. store, memory: are
        gone; see `ledger` and `answer_for_s`.
        Raises SetupError for policies of the same name or scene, or none, and for limits of a provider that is not
        there; PluginError where the registry lacks a provider; AuditUnavailable and AuditBroken where the trail cannot
        be read.
        """
        if journal is not None:
            warn_of_old_name("Engine(journal=…)", "Engine(trail=…)", stacklevel=2)
            if trail is not None:
                raise SetupError("`journal` is the old name of `trail`: give one of the two")
            trail = journal
        if store is not None or memory is not None:
            said = "`store` and `memory` are gone: give `answer_for_s` for how long a decision answers, or a `ledger`"
            raise SetupError(said)
        self.policies: Mapping[str, Policy] = {policy.name: policy for policy in policies}
        if not policies or len(self.policies) < len(policies):
            raise SetupError("an engine needs policies, each with its own name")
        self._by_scene = by_scene(policies)
        for policy in policies:
            _ = policy.evaluate  # compiles it now, so that no request waits for that
        self.registry = registry
        self._clock = in_utc(clock)
        self._ledger = ledger_for(ledger, trail, answer_for_s, self._clock)
        self._recording = Recording(self._ledger, registry.catalogue)
        self._calls = CallLedger(self._recording, self._clock)
        self._observers = Observers(observers)
        providers, secrets = registry.catalogue().providers, registry.secrets()
        signals = [signal for policy in self.policies.values() for signal in policy.typed.signals.values()]
        self._guards = guards_of(signals, providers, limits or {}, guards or PROCESS, self._clock)
        self._sources = {
            name: OpenedSignals(policy, providers, self._guards, secrets, allowed)
            for name, policy in self.policies.items()
        }
        self._deadline_s = deadline_s
        self._single_flight = SingleFlight()
        self._ids = Random()  # noqa: S311  # seeded by the system in each process; unique, not secret
        self._home = Home(self._close, self._ledger.close)

    @classmethod
    def open(cls, config: str | Path) -> Engine:
        """Put an engine together from a configuration file, such as `adjudge.yaml`.

        Raises PolicyErrors for the file and its policies, PluginError, AuditUnavailable and AuditBroken.
        """
        from adjudge.config.file import open_engine

        return open_engine(config)

    async def decide(self, request: Request, *, anew: bool = False) -> Decision:
        """Decide a request and return the decision once it is recorded, or the one its MerchantBizId already has.

        anew: decide again although there is an answer; the new decision supersedes it.
        Raises RequestError, MerchantBizIdConflict; AuditUnavailable or AuditBroken, and then nothing is decided;
        EngineError where the engine is not open here. All are AdjudgeError.
        A vendor that fails raises nothing: its fields are unknown, and the policy says what that means.
        """
        if asyncio.get_running_loop() is self._home.loop():
            return await self._decide(request, anew)
        return await self._home.run(lambda: self._decide(request, anew))

    def decide_sync(self, request: Request, *, anew: bool = False) -> Decision:
        """Decide from a thread without an event loop; as `decide` otherwise."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._home.run_blocking(lambda: self._decide(request, anew))
        said = "decide_sync would block the event loop that it is called in: write `await engine.decide(…)`"
        raise EngineError(said)

    async def _decide(self, request: Request, anew: bool) -> Decision:
        if not isinstance(request, Request):
            raise RequestError("must be a Request", where="request")
        prepared = prepare(request, self._policy(request), self._ledger.key, anew=anew)
        if self._is_immediate(prepared) and not self._single_flight.has(request.merchant_biz_id):
            return await self._recall(prepared)  # it never waits, so nobody comes in between
        return await self._single_flight.run(prepared.key, lambda: self._recall(prepared), anew=anew)

    async def _recall(self, prepared: PreparedRequest) -> Decision:
        """Give the answer that there is, or make one."""
        decision_id = f"{self._ids.getrandbits(128):032x}"
        with bound(decision_id=decision_id, merchant_biz_id=prepared.request.merchant_biz_id):
            while True:
                claim = await self._claim(prepared)
                if isinstance(claim, Decision):
                    return structs.replace(claim, status="duplicate")
                try:
                    return await self._make(prepared, claim, decision_id)
                except LostClaim:  # it took longer than its lease: another holder decides, or has decided
                    _events.warning("claim_lost", token=claim.token)
                finally:
                    await self._ledger.release(claim)

    async def _claim(self, prepared: PreparedRequest) -> Claim | Decision:
        """Return the answer that there is, or the claim to make one, once nobody else has it."""
        key, again = prepared.key, prepared.anew
        lease_s = self._deadline_s + RECORDED_WITHIN_S
        while True:
            found = await self._ledger.claim(
                key.merchant_biz_id, key.fingerprint, again=again, lease_s=lease_s, former=key.former
            )
            if isinstance(found, Busy):
                await self._ledger.wait(found, monotonic() + lease_s)
            elif isinstance(found, Decision):
                if is_answer(found, prepared):
                    return found
                again = True  # it lacks what may be had by now
            elif found.earlier is None or prepared.anew or not is_answer(found.earlier, prepared):
                return found
            else:  # made by another holder meanwhile
                await self._ledger.release(found)
                return found.earlier

    async def _make(self, prepared: PreparedRequest, claim: Claim, decision_id: str) -> Decision:
        """Make a decision: plan, gather, evaluate, record. Signals that answered before are not asked again."""
        started, now = perf_counter_ns(), self._clock()
        policy = prepared.policy
        sources, earlier = self._sources[policy.name], claim.earlier
        kept = None if prepared.anew else earlier

        def evaluate(signals: Mapping[str, Signal]) -> Verdict:
            fields = {name: signal.fields for name, signal in signals.items() if signal.status is SignalStatus.OK}
            given = {**prepared.inputs, **prepared.of_request, **fields}
            return policy.evaluate(policy.as_taken(given), now=now)

        known = supplied_signals(sources.supplied, prepared, kept)
        if sources.asked:
            known |= answered_before(sources.asked, policy, kept)
            known |= {} if prepared.anew else self._calls.recall(claim, policy, sources.asked)
            calls, deadline = self._calls.of(claim, policy), monotonic() + self._deadline_s
            asking = Asking(as_taken(prepared), calls, now, deadline)
            known = await gather(sources.plan, sources.open(), asking, known=known, evaluate=evaluate)
        verdict = evaluate(known)
        took_ms = (perf_counter_ns() - started) // 1000 / 1000
        sampled = drawn(policy.typed, verdict, prepared.request.merchant_biz_id, self._ledger.key)
        decision = conclude(prepared, known, verdict, now, earlier, decision_id, took_ms, self._ledger.notes, sampled)
        await self._recording.conclude(claim, decision, prepared.request, prepared.inputs, policy)
        self._calls.forget(claim.merchant_biz_id)
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
        by: str = "engine",
    ) -> None:
        """Record what was later found out about a decision: `fraud` or `genuine`, who says so, and since which day.

        A reject that a person has to confirm is final once its label says `fraud`.
        found_on: today in UTC unless given. by: who records it: a person, or a key's name.
        Raises RequestError, AuditUnavailable and AuditBroken.
        """
        try:
            body = label_body(decision_id, merchant_biz_id, label, source=source, by=by, found_on=found_on, note=note)
        except ValueError as error:
            raise RequestError(str(error), where="label") from None
        await self._home.run(lambda: self._label(body))

    async def _label(self, body: LabelBody) -> None:
        await self._ledger.label(body.decision_id, body.merchant_biz_id, body, confirms=body.confirms)

    async def erase(self, merchant_biz_id: str, *, reason: str = "", by: str = "engine") -> int:
        """Erase the personal values of a MerchantBizId, in memory and on disk, and return how many the vault held.

        The decision stays, and answers a retry. by: who asked for it: a person, or a key's name.
        Raises RequestError; AuditUnavailable and AuditBroken, and then erase again.
        """
        try:
            check_by(by)
        except ValueError as error:
            raise RequestError(str(error), where="by") from None
        return await self._home.run(lambda: self._erase(merchant_biz_id, reason, by))

    async def _erase(self, merchant_biz_id: str, reason: str, by: str) -> int:
        self._calls.forget(merchant_biz_id)
        return await self._ledger.erase(
            merchant_biz_id, lambda names: erasure_body(merchant_biz_id, names, by=by, reason=reason)
        )

    def usage(self) -> dict[str, Usage]:
        """Return what this process asked of each provider and what that cost, by the provider's name."""
        self._home.check_process()
        return usage_of(self._guards)

    def _is_immediate(self, prepared: PreparedRequest) -> bool:
        """Whether deciding waits for nobody: no provider is asked, and the log writes at once."""
        return not self._sources[prepared.policy.name].asked and self._recording.is_immediate(prepared.policy)

    def _policy(self, request: Request) -> Policy:
        if request.policy is None:
            if (chosen := self._by_scene.get(request.scene_code)) is not None:
                return chosen
            only = next(iter(self.policies.values())) if len(self.policies) == 1 else None
            if only is not None and not only.typed.scenes:
                return only
            if not self._by_scene:
                raise RequestError(f"name one of {', '.join(self.policies)}", where="policy")
            way = f"name one of {', '.join(self.policies)} as `policy`, or write the scene under `scenes:` of one"
            raise RequestError(f"no policy answers the scene `{request.scene_code}`", where="policy", hint=way)
        policy = self.policies.get(request.policy)
        if policy is None:
            said = request.policy[:NAME_SHOWN]
            hint = did_you_mean(said, self.policies)
            raise RequestError(f"there is no policy `{said}`", where="policy", hint=hint)
        return policy

    async def _close(self) -> None:
        """Let what is under way end, then let go of everything."""
        try:
            await self._single_flight.wait()
            await self._observers.told()
            for sources in self._sources.values():
                await sources.close()
        finally:
            await self._ledger.aclose()

    async def _begin(self) -> None:
        """Open the ledger, and go on with what it says was spent."""
        await self._ledger.open()
        begin_with(self._guards, await self._ledger.spent())
        tell_of_doubts(await self._ledger.in_doubt())

    async def __aenter__(self) -> Engine:
        self._home.open()
        await self._home.begin(self._begin)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._home.close()

    def __enter__(self) -> Engine:
        self._home.open_thread()
        self._home.begin_blocking(self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._home.close_blocking()
