"""The engine, from a request to a recorded decision: `_decide` begins it, `_make` is the main path.

`decide` and everything else that callers may ask is in `decision/door.py`, which the client of a service shares.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from os import PathLike
from pathlib import Path
from random import Random
from time import monotonic, perf_counter_ns
from types import NoneType
from typing import TYPE_CHECKING, TypeVar

from msgspec import structs

from adjudge.audit.activation import ActivationBody
from adjudge.audit.annotations import LabelBody, erasure_body
from adjudge.audit.proposals import ChecksBody, ProposalBody
from adjudge.decision.activations import Activations, PolicyWatch, Wanted
from adjudge.decision.conclude import conclude
from adjudge.decision.cursors import searched
from adjudge.decision.door import Audience, Door, check_asked, check_who
from adjudge.decision.feeds import Feeds
from adjudge.decision.home import Home
from adjudge.decision.person import drawn
from adjudge.decision.prepared import (
    PreparedRequest,
    answered_before,
    as_taken,
    is_answer,
    prepare,
    supplied_signals,
    verdict_on,
)
from adjudge.decision.single_flight import SingleFlight
from adjudge.decision.tally import Tally
from adjudge.documents.proposals import ProposalCommand, ProposalDocument
from adjudge.documents.reviews import ReviewCommand, ReviewDocument, ReviewQuery, ReviewsDocument
from adjudge.documents.rollouts import RolloutCommand, RolloutDocument
from adjudge.errors import (
    AdjudgeError,
    LostClaim,
    Overloaded,
    RequestError,
    SetupError,
)
from adjudge.events import Events, bound
from adjudge.ledger.calls import CallLedger, tell_of_doubts
from adjudge.ledger.checking import check_ledger
from adjudge.ledger.choice import ledger_for
from adjudge.ledger.local import ANSWER_FOR_S
from adjudge.ledger.recording import Recording
from adjudge.model import Decision, Request, ServedPolicy
from adjudge.moved import warn as warn_of_old_name
from adjudge.plugin import (
    Busy,
    Claim,
    DecisionLedger,
    DecisionPage,
    DecisionQuery,
    ExplainableLedger,
    LedgerFigures,
    Limits,
    LogReader,
    ReaderState,
    ShowsFigures,
)
from adjudge.policy.policy import Policy
from adjudge.proposals.activation import bring_about, require_possible
from adjudge.proposals.control import Draft, Proposals
from adjudge.proposals.settings import ProposalSettings
from adjudge.registry import Registry
from adjudge.reviews.control import Reviews
from adjudge.reviews.settings import ReviewSettings
from adjudge.rollouts.commands import check_candidates
from adjudge.rollouts.control import Rollouts
from adjudge.rollouts.settings import RolloutSettings
from adjudge.rollouts.ticking import Ticking
from adjudge.rollouts.turn import Running
from adjudge.signals.admission import PROCESS, Guards, Usage, begin_with, usage_of
from adjudge.signals.allowed import ANY_HOST, Allowed
from adjudge.signals.ask import Asking
from adjudge.signals.gather import gather
from adjudge.signals.late_answers import LateAnswers
from adjudge.signals.served import Serving
from adjudge.signals.sources import OpenedSignals
from adjudge.spans import span
from adjudge.system.given import all_of, check_count, check_kind, check_seconds, is_path
from adjudge.system.pools import NoThread, Pool

if TYPE_CHECKING:
    from adjudge.audit.trail import AuditTrail
    from adjudge.policy.routes import RouteTable

DEADLINE_S = 15.0
"""Seconds for gathering all signals of a decision, unless configured."""
EXPLAINED_WITHIN_S, EXPLAINED_AGAIN_S = 60.0, 5.0
RECORDED_WITHIN_S = 30.0
"""Seconds beyond the deadline after which another holder may decide an id: who had it was paused or killed."""

A_LIST = '`[load_policy("policy.yaml")]`'
COMPILED_WITHIN_S = 60.0
"""Seconds for which new policies are waited for before they are compiled on the event loop itself."""

_Reader = TypeVar("_Reader", bound=LogReader)
_events = Events("adjudge.engine")
_Running = Running[OpenedSignals]


def _utc_now() -> datetime:
    return datetime.now(UTC)


def in_utc(clock: Callable[[], datetime]) -> Callable[[], datetime]:
    """Return a clock that reads UTC, which days and records are counted in, whatever its own zone is."""
    now = clock() if callable(clock) else clock
    if not callable(clock) or not isinstance(now, datetime) or now.tzinfo is None:
        raise SetupError("the clock must be a function that gives aware times, such as `lambda: datetime.now(UTC)`")
    return clock if clock is _utc_now else lambda: clock().astimezone(UTC)


class Engine(Door):
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
        readers: Mapping[str, LogReader] | None = None,
        deadline_s: float = DEADLINE_S,
        max_in_flight: int | None = None,
        limits: Mapping[str, Limits] | None = None,
        guards: Guards | None = None,
        allowed: Allowed = ANY_HOST,
        routes: RouteTable | None = None,
        watch: PolicyWatch | None = None,
        rollouts: RolloutSettings | None = None,
        proposals: ProposalSettings | None = None,
        reviews: ReviewSettings | None = None,
        clock: Callable[[], datetime] = _utc_now,
        journal: AuditTrail | None = None,
        store: object = None,
        memory: object = None,
        observers: object = None,
    ) -> None:
        """Put an engine together; `Engine.open` does it from a configuration file.

        trail: where answers are recorded; without one they are not, and each decision's notes say so.
        ledger: who keeps decisions and says who may make one, in place of `trail`; other processes may share it.
        answer_for_s: seconds for which a decision answers its MerchantBizId; a ledger that is given has its own.
        readers: further places for the records, by names of your own; each is sent what it lacks of the log.
        max_in_flight: how many ids are decided at a time, None for any number; who comes then is Overloaded.
        limits: how providers may be asked, by name, in place of what they declare. guards: what keeps to them, the
        process's own unless given.
        allowed: what policies may have providers use; a signal that would use more is not asked, and says so.
        routes: choose the policy of a request that names none. watch: what replaces the policies meanwhile.
        rollouts: other versions of the policies that may take part. proposals: whether others may be proposed, which
        take part once they are approved; None for none.
        reviews: how people decide in their place.
        clock: an aware time, read once for each decision. journal: what `trail` was called before. store, memory,
        observers: are gone; see `ledger`, `answer_for_s` and `readers`.
        Raises SetupError for policies of the same name or scene, or none, and for limits of a provider that is not
        there; PolicyErrors for routes that do not fit the policies; PluginError where the registry lacks a provider;
        AuditUnavailable and AuditBroken where the trail cannot be read.
        """
        if journal is not None:
            warn_of_old_name("Engine(journal=…)", "Engine(trail=…)", stacklevel=2)
            if trail is not None:
                raise SetupError("`journal` is the old name of `trail`: give one of the two")
            trail = journal
        if store is not None or memory is not None:
            said = "`store` and `memory` are gone: give `answer_for_s` for how long a decision answers, or a `ledger`"
            raise SetupError(said)
        if observers is not None:
            raise SetupError("`observers` are gone: give `readers`, by names, which are sent the records of the log")
        check_kind("registry", registry, Registry, "a Registry, such as `Registry.discover()`")
        check_kind("limits", limits, (Mapping, NoneType), "a mapping of providers' names to Limits")
        for name, limited in (limits or {}).items():
            check_kind(f"limits[{name!r}]", limited, Limits, "Limits")
        check_kind("guards", guards, (Guards, NoneType), "Guards")
        check_kind("allowed", allowed, Allowed, "an Allowed")
        if routes is not None:
            from adjudge.policy.routes import RouteTable  # few engines have one

            check_kind("routes", routes, RouteTable, "a RouteTable")
        check_seconds("deadline_s", deadline_s)
        if max_in_flight is not None:
            check_count("max_in_flight", max_in_flight)
        self.registry = registry
        self._clock = in_utc(clock)
        self._serving = Serving(
            registry=registry,
            limits=limits or {},
            guards=guards or PROCESS,
            allowed=allowed,
            clock=self._clock,
            routes=routes,
        )
        check_kind("reviews", reviews, (ReviewSettings, NoneType), "ReviewSettings")
        check_kind("rollouts", rollouts, (RolloutSettings, NoneType), "RolloutSettings")
        check_kind("proposals", proposals, (ProposalSettings, NoneType), "ProposalSettings")
        if proposals is not None and rollouts is None:
            rollouts = RolloutSettings()  # by which they are activated
        given = tuple(all_of("policies", policies, Policy, A_LIST))
        self._given, self._served = given, self._serving.of(given)
        if rollouts is not None:
            check_candidates(rollouts.candidates, given)
            self._serving.of(policies, None, tuple(rollouts.candidates.values()))  # raises where one cannot be served
        self._trail = trail
        self._ledger = ledger_for(ledger, trail, answer_for_s, self._clock)
        self._recording = Recording(self._ledger, registry.catalogue)
        self._calls = CallLedger(self._recording, self._clock)
        self._proposals = Proposals(proposals, self._ledger, registry.catalogue, self._clock)
        self._rollouts = Rollouts(rollouts, self._ledger, self._recording, self._clock, self._proposals.candidate)
        self._reviews = Reviews(reviews or ReviewSettings(), self._ledger, self._clock, self._has_confirms)
        self._running: Mapping[str, _Running] = {}  # by policy; empty where no rollout runs
        self._ticking: Ticking | None = None
        self._feeds = Feeds(readers or {})
        self.activations = Activations(self._ledger, self._clock, routes.lines() if routes is not None else ())
        self._watch = watch
        self._deadline_s, self._lease_s = deadline_s, deadline_s + RECORDED_WITHIN_S
        self._single_flight = SingleFlight(max_in_flight)
        self._late = LateAnswers(
            self._ledger, self._single_flight, lambda: self._served, self._decide_late, self._clock, self._lease_s
        )
        self._replacing = asyncio.Lock()
        self._explaining = Pool("adjudge-explain", 1)
        self.tally = Tally()
        self._ids = Random()  # noqa: S311  # seeded by the system in each process; unique, not secret
        self._home = Home(self._close, self._let_go)

    @classmethod
    def open(cls, config: str | Path) -> Engine:
        """Put an engine together from a configuration file, such as `adjudge.yaml`.

        Raises PolicyErrors for the file and its policies, PluginError, AuditUnavailable and AuditBroken.
        """
        from adjudge.config.file import open_engine

        check_kind("config", config, (str, PathLike), "the path of a configuration file")
        return open_engine(config)

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The policies that answer now, by name."""
        return self._served.policies

    @property
    def activation(self) -> ActivationBody | None:
        """When other policies were last to answer, and whether they were accepted; None where they never were."""
        return self.activations.newest

    def policies_note(self) -> str | None:
        """Return what is not as it should be with the policies, although others answer; None where nothing is."""
        notes, newest = [], self.activation
        if newest is not None and not newest.accepted:
            notes.append(f"those wanted at {newest.at:%Y-%m-%dT%H:%M:%SZ} were refused; its record in the log says why")
        if self._watch is not None:
            notes += self._watch.notes(self._clock())
        return "; ".join(notes) or None

    def fresh_until(self) -> Mapping[str, datetime]:
        """Return when another one should have come of each bundle that answers and says so, by name; aware UTC."""
        return self._watch.fresh_until if self._watch is not None else {}

    @property
    def in_flight(self) -> int:
        """How many ids are being decided. Raises EngineError where the engine is closed or was forked."""
        self._home.check_not_over()
        return len(self._single_flight)

    async def _decide(self, request: Request, anew: bool, deadline_s: float | None) -> Decision:
        with span("decide") as seen:
            try:
                decision = await self._answer(request, anew, deadline_s)
            except AdjudgeError as error:
                self.tally.raised(error)
                raise
            seen.set(
                decision_id=decision.decision_id,
                policy=decision.policy,
                outcome=decision.outcome.value,
                status=decision.status,
                settled=decision.verdict.settled,
            )
        self.tally.answered(decision)
        return decision

    async def _answer(self, request: Request, anew: bool, deadline_s: float | None) -> Decision:
        """Begin: who works on the id already is waited for."""
        check_asked(request, anew, deadline_s)
        within_s = self._deadline_s if deadline_s is None else min(deadline_s, self._deadline_s)
        policy = self._served.policy_for(request)
        sources = self._served.sources[policy.digest]
        prepared = prepare(request, policy, self._ledger.key, anew=anew)
        running = self._running.get(policy.name) if self._running else None
        is_immediate = not sources.asked and self._recording.is_immediate(policy)
        if is_immediate and running is not None:
            others = running.deciding
            is_immediate = all(not one.asked and self._recording.is_immediate(other) for other, one in others)
        if is_immediate and not self._single_flight.has(request.merchant_biz_id):
            return await self._recall(prepared, sources, within_s, running)  # never waits: nobody comes in between
        work = partial(self._recall, prepared, sources, within_s, running)
        return await self._single_flight.run(prepared.key, work, anew=anew)

    async def _recall(
        self, prepared: PreparedRequest, sources: OpenedSignals, within_s: float, running: _Running | None
    ) -> Decision:
        """Give the answer that there is, or make one."""
        decision_id = f"{self._ids.getrandbits(128):032x}"
        with bound(decision_id=decision_id, merchant_biz_id=prepared.request.merchant_biz_id):
            is_presumed = not (sources.asked or prepared.anew or (running is not None and running.deciding))
            presumed = self._presumed(prepared) if is_presumed else None
            while True:
                claim = presumed or await self._claim(prepared)
                if isinstance(claim, Decision):
                    return structs.replace(claim, status="duplicate")
                try:
                    if prepared.late is not None:  # read once it is claimed: nobody erases it meanwhile
                        prepared = await self._late.restored(prepared, claim)
                    return await self._make(prepared, sources, within_s, claim, decision_id, running)
                except LostClaim:  # another holder decides, or has decided
                    if claim is not presumed:  # it took longer than its lease
                        _events.warning("claim_lost", token=claim.token)
                    presumed = None
                    await self._ledger.release(claim)
                except BaseException as error:
                    await self._ledger.release(claim)
                    if running is not None:
                        running.failed(prepared, error)
                    raise

    def _presumed(self, prepared: PreparedRequest) -> Claim | None:
        """Return a claim of an id that is presumed to be new, where the ledger finds that out in the end."""
        key = prepared.key
        return self._recording.presumed(key.merchant_biz_id, key.fingerprint, key.former, prepared.policy)

    async def _claim(self, prepared: PreparedRequest) -> Claim | Decision:
        """Return the answer that there is, or the claim to make one, once nobody else has it."""
        key, again = prepared.key, prepared.anew
        while True:
            found = await self._ledger.claim(
                key.merchant_biz_id, key.fingerprint, again=again, lease_s=self._lease_s, former=key.former
            )
            if isinstance(found, Busy):
                await self._ledger.wait(found, monotonic() + self._lease_s)
            elif isinstance(found, Decision):
                if is_answer(found, prepared, self._clock()):
                    return found
                again = True  # it lacks what may be had by now
            elif found.earlier is None or prepared.anew or not is_answer(found.earlier, prepared, self._clock()):
                return found
            else:  # made by another holder meanwhile
                await self._ledger.release(found)
                return found.earlier

    async def _make(
        self,
        prepared: PreparedRequest,
        sources: OpenedSignals,
        within_s: float,
        claim: Claim,
        decision_id: str,
        running: _Running | None,
    ) -> Decision:
        """Make a decision: plan, gather, evaluate, record. Signals that answered before are not asked again."""
        started, now, arm = perf_counter_ns(), self._clock(), None
        if running is not None:
            prepared, sources, arm = running.turn(prepared, sources, claim.earlier)
        policy, earlier = prepared.policy, claim.earlier
        kept = None if prepared.anew else earlier
        known = supplied_signals(sources.supplied, prepared, kept)
        if sources.asked:
            known |= answered_before(sources.asked, prepared, kept, now)
            known |= {} if prepared.anew else self._calls.recall(claim, policy, sources.asked)
            calls, deadline = self._calls.of(claim, policy), monotonic() + within_s
            asking = Asking(as_taken(prepared), calls, now, deadline, self._ledger.key)
            evaluate = partial(verdict_on, prepared, now)
            known = await gather(sources.plan, sources.open(), asking, known=known, evaluate=evaluate)
        verdict = verdict_on(prepared, now, known)
        took_ms = (perf_counter_ns() - started) // 1000 / 1000
        sampled = drawn(policy.typed, verdict, prepared.request.merchant_biz_id, self._ledger.key)
        notes = self._ledger.notes
        decision = conclude(prepared, known, verdict, now, earlier, decision_id, took_ms, notes, sampled, arm)
        shadows = running.watch(prepared, known, now) if running is not None else ()
        await self._recording.conclude(claim, decision, prepared.request, prepared.inputs, policy, shadows)
        if running is not None:
            running.count(decision, shadows, earlier)
        self._calls.forget(claim.merchant_biz_id)
        return decision

    async def answer(self, call: str, body: bytes, headers: Mapping[str, str]) -> Decision:
        """Take an answer that comes later, and return the decision that it leads to, or has led to already.

        call: as its provider was given it. body, headers: as they came: the provider finds out who sent them. The
        request is decided again as the log has it, and nobody else is asked.
        Raises UnknownCall where nobody waits for the answer, or it is not signed by who was asked; AnsweredOtherwise
        where the call has another answer or its time is over; SignalFailed where the provider failed to read it;
        Overloaded, AuditUnavailable and AuditBroken, and then it may be sent again.
        """
        decision, is_new = await self._home.run(lambda: self._late.take(call, body, headers))
        if is_new:
            self.tally.answered(decision)
        return decision

    async def _decide_late(self, prepared: PreparedRequest) -> Decision:
        policy = prepared.policy
        running = self._running.get(policy.name) if self._running else None
        return await self._recall(prepared, self._served.sources[policy.digest], self._deadline_s, running)

    async def _label(self, body: LabelBody) -> None:
        await self._ledger.label(body.decision_id, body.merchant_biz_id, body, confirms=body.confirms)

    async def _erase(self, merchant_biz_id: str, reason: str, by: str) -> int:
        async with self._single_flight.stopped(merchant_biz_id):  # what was read before would be recorded afterwards
            self._calls.forget(merchant_biz_id)
            return await self._ledger.erase(
                merchant_biz_id, lambda names: erasure_body(merchant_biz_id, names, by=by, reason=reason)
            )

    async def _find(self, decision_id: str | None, merchant_biz_id: str | None) -> Decision | None:
        return await self._ledger.find(decision_id=decision_id, merchant_biz_id=merchant_biz_id)

    async def _search(self, query: DecisionQuery, cursor: str | None) -> DecisionPage:
        return await searched(self._ledger, query, cursor)

    async def _check_ready(self) -> None:
        await check_ledger(self._ledger)

    async def _explain(self, decision_id: str, locale: str, audience: Audience) -> Mapping[str, object] | None:
        from adjudge.authoring.explaining import explained  # with all that proves, which no decision needs
        from adjudge.replay.decisions import recorded_in

        if not isinstance(self._ledger, ExplainableLedger):
            raise RequestError("this ledger does not give what a decision was made of", where="explain")
        evidence = await self._ledger.evidence(decision_id)
        if evidence is None:
            return None
        functions, served = self.registry.catalogue().functions, {one.digest: one for one in self.policies.values()}

        def work() -> dict[str, object]:
            found = recorded_in(evidence, functions, served=served)
            return explained(found, locale=locale, audience=audience)

        try:
            return await self._explaining.run(work, deadline_s=EXPLAINED_WITHIN_S)
        except (TimeoutError, NoThread):
            raise Overloaded("other decisions are being explained", retry_after_s=EXPLAINED_AGAIN_S) from None

    async def _served_policies(self, name: str | None) -> tuple[ServedPolicy, ...]:
        return self._served.told(name)

    async def archive(self, to: str | Path, *, before: date, by: str) -> int:
        """Move segments of the log whose records are all older than a day elsewhere; return how many.

        In a thread that no decision waits for. to: a folder, or a URL such as `s3://bucket/logs`. before: a day of UTC.
        by: who asked for it. Retries are answered from what stays, so leave the days of `answer_for` where they are.
        Raises RequestError, SetupError where there is no log in files, AuditUnavailable, AuditBroken and MissingExtra.
        """
        check_who(by)
        if not is_path(to):
            raise RequestError("must be a folder or a URL", where="to")
        if not isinstance(before, date) or isinstance(before, datetime):
            raise RequestError("must be a date, such as `date(2026, 1, 31)`", where="before")
        trail = self._trail
        if trail is None:
            raise SetupError("this engine has no log in files to archive")
        return await self._home.run(lambda: trail.archive(to, before=before, by=by))

    async def replace(self, policies: Sequence[Policy], *, wanted: Wanted = Wanted()) -> None:  # noqa: B008  # frozen
        """Answer with other policies from now on; what is under way ends with those that it began with.

        Returns once that is so. A policy that was there already, by its digest, keeps its providers open; guards and
        budgets stay, and so does every answer that was given. wanted: by whom, and why, for the log.
        Raises SetupError, PolicyErrors, PluginError, AuditUnavailable and AuditBroken, and then nothing changes.
        """
        given = all_of("policies", policies, Policy, A_LIST)
        check_kind("wanted", wanted, Wanted, "a Wanted")
        check_who(wanted.by)
        await self._home.run(lambda: self._replace(given, wanted))

    async def _replace(self, policies: Sequence[Policy], wanted: Wanted) -> None:
        async with self._replacing:
            await self._serve(policies, wanted)

    async def _serve(self, policies: Sequence[Policy], wanted: Wanted | None = None) -> None:
        """Answer with these policies, or with what was promoted in their place, and with the rollouts that run."""
        answering, beside = self._rollouts.answering(policies), self._rollouts.candidates
        await _compile([*answering, *beside])
        before, served = self._served, self._serving.of(answering, self._served, beside)
        begin_with(served.accounts, await self._ledger.spent(), before.accounts)
        if wanted is not None:
            await self.activations.accept(before.policies, served.policies, wanted)
        running = self._running
        if self._rollouts.is_involved:
            running = await self._rollouts.going_on(served.policies, served.sources)
        self._given, self._served, self._running = tuple(policies), served, running
        await self._single_flight.wait_for_these()
        for digest, sources in before.sources.items():
            if served.sources.get(digest) is not sources:
                await sources.close()

    async def _follow(self) -> None:
        """Do as rollouts stand by now, also by what other workers did."""
        async with self._replacing:
            await self._serve(self._given)

    async def _rollouts_now(self) -> tuple[RolloutDocument, ...]:
        return await self._rollouts.status()

    async def _rollout(self, command: RolloutCommand, by: str) -> RolloutDocument:
        async with self._replacing:
            given = {policy.name: policy for policy in self._given}
            done = await self._rollouts.command(command, by, given, self._served.policies)
            await self._serve(self._given)
        return done

    async def _proposals_now(self) -> tuple[ProposalDocument, ...]:
        await self._rollouts.look()
        return await self._proposals.status(self._served.policies, self._rollouts.known)

    async def _find_proposal(self, name: str) -> ProposalDocument:
        await self._rollouts.look()
        return await self._proposals.find(name, self._served.policies, self._rollouts.known)

    async def _proposal(self, command: ProposalCommand, by: str) -> ProposalDocument:
        if command.action not in ("activate", "roll-back"):
            act = await self._proposals.command(command, by, self._served.policies, self._checked, _never)
        else:
            async with self._replacing:
                given, answering = {policy.name: policy for policy in self._given}, self._served.policies
                require = partial(require_possible, self._rollouts, given=given, answering=answering)
                act = await self._proposals.command(command, by, answering, self._checked, require)
                try:
                    await bring_about(self._rollouts, act, given, answering)
                finally:
                    await self._serve(self._given)
        return await self._find_proposal(act.proposal)

    def _checked(self, draft: Draft) -> tuple[str, ChecksBody]:
        from adjudge.authoring.checks import checked, diff_of  # with all that proves, which no decision needs

        checks = checked(draft.base, draft.policy, draft.tests, self.registry.catalogue())
        return diff_of(draft.base, draft.policy), checks

    async def _reviews_now(self, query: ReviewQuery, by: str) -> ReviewsDocument:
        return await self._reviews.queue(query, by)

    async def _review_now(self, decision_id: str, by: str) -> ReviewDocument:
        return await self._reviews.show(decision_id, by)

    async def _review(self, command: ReviewCommand, by: str) -> ReviewDocument:
        return await self._reviews.act(command, by)

    def _has_confirms(self) -> bool:
        return any(policy.typed.confirms for policy in self.policies.values())

    def usage(self) -> dict[str, Usage]:
        """Return what this process asked of each provider and what that cost, by the provider's name.

        Of an engine that is closed, how it ended. Raises EngineError in a process that was forked.
        """
        self._home.check_process()
        return usage_of(self._served.accounts)

    def readers(self) -> list[ReaderState]:
        """Return how far each reader of the log is; empty before the engine is open.

        Of an engine that is closed, how it ended. Raises EngineError in a process that was forked.
        """
        self._home.check_process()
        return self._feeds.states()

    def ledger_figures(self) -> LedgerFigures | None:
        """Return what the ledger counts of itself; None where it shows nothing."""
        return self._ledger.figures() if isinstance(self._ledger, ShowsFigures) else None

    def reader_of(self, make: type[_Reader], name: str) -> _Reader:
        """Return the reader of a class, which is made and added under a name where there is none yet.

        Raises EngineError once the engine is open, and where it is closed or was forked.
        """
        self._home.check_not_begun()
        return self._feeds.reader_of(make, name)

    async def _close(self) -> None:
        """Let what is under way end, then let go of everything."""
        self._explaining.close()
        self._proposals.close()
        try:
            if self._watch is not None:
                await self._watch.aclose()
            await self._single_flight.wait()
            if self._ticking is not None:
                await self._ticking.aclose()
            for sources in self._served.sources.values():
                await sources.close()
        finally:
            try:
                await self._ledger.aclose()
            finally:
                await self._feeds.aclose()  # its last records are sent too

    def _let_go(self) -> None:
        """Let go of everything where nothing runs any more."""
        self._feeds.let_go()
        self._ledger.close()

    async def _begin(self) -> None:
        """Open the ledger, and go on with what it says was spent."""
        await self._ledger.open()
        begin_with(self._served.accounts, await self._ledger.spent())
        tell_of_doubts(await self._ledger.in_doubt())
        await self._rollouts.look()
        if self._rollouts.is_involved:
            await self._follow()
        if self._rollouts.settings is not None:
            self._ticking = Ticking(self._rollouts, self._follow)
        await self._feeds.open(self._ledger, self)
        if self._watch is not None:
            await self._watch.begin(self)


async def _never(act: ProposalBody) -> None:
    """Require nothing of an act that activates nothing."""


async def _compile(policies: Sequence[Policy]) -> None:
    """Compile policies beside the event loop, so that no decision waits for that."""
    pool = Pool("adjudge-compile", 1)
    try:
        await pool.run(lambda: [policy.evaluate for policy in policies], deadline_s=COMPILED_WITHIN_S)
    except (TimeoutError, NoThread):
        pass  # it is compiled on the loop, then
    finally:
        pool.close()
