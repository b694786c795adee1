"""The rollouts of one engine: read from its ledger, done by command or by a guard rail, and recorded there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Literal

import msgspec

from adjudge.audit.rollouts import ENGINE, ROLLOUT, TALLY, Counts, RolloutBody, TallyBody
from adjudge.documents.rollouts import RolloutCommand, RolloutDocument
from adjudge.errors import AuditUnavailable, Overtaken, RequestError, SetupError
from adjudge.events import Events
from adjudge.ledger.recording import Recording
from adjudge.plugin import DecisionLedger, NamedRecord
from adjudge.policy.policy import Policy
from adjudge.rollouts.commands import Known, ended_by_itself, next_record
from adjudge.rollouts.guard_rails import FEWER, Rail
from adjudge.rollouts.settings import RolloutSettings
from adjudge.rollouts.state import Active, active, promoted
from adjudge.rollouts.tally import Pending, added, arms_of, rails_on, rollout_document
from adjudge.rollouts.turn import Running, Sources

_TRIES = 10
_events = Events("adjudge.rollouts")
_rollout = msgspec.json.Decoder(RolloutBody)
_tally = msgspec.json.Decoder(TallyBody)


class Rollouts:
    """All methods run on the engine's home loop."""

    def __init__(
        self,
        settings: RolloutSettings | None,
        ledger: DecisionLedger,
        recording: Recording,
        clock: Callable[[], datetime],
        proposed: Callable[[str, str], Awaitable[Policy | None]],
    ) -> None:
        """settings: None for an engine that takes part in no rollout, and yet keeps to what was promoted.

        proposed: finds a version that is a candidate without the configuration, by its name and its digest.
        """
        self.settings, self._proposed = settings, proposed
        self._candidates = dict(settings.candidates) if settings is not None else {}
        self._ledger, self._recording, self._clock = ledger, recording, clock
        self._known: dict[str, RolloutBody] = {}
        self.is_behind = False
        """Whether rollouts have changed since they were last followed, whoever looked."""
        self._tallies: dict[str, TallyBody] = {}
        self._noted = -1
        self._pending = Pending()
        self._tallied_at = monotonic()

    @property
    def is_involved(self) -> bool:
        """Whether the policies that answer may be others than those of the configuration, or others watch."""
        return self.settings is not None or any(one.status == "promoted" for one in self._known.values())

    @property
    def known(self) -> Mapping[str, RolloutBody]:
        """How rollouts stood at the last look, by name."""
        return self._known

    @property
    def candidates(self) -> tuple[Policy, ...]:
        """The versions that decide or watch by what is known now."""
        wanted = {one.digest for one in self._known.values() if one.status == "running"}
        return tuple({one.digest: one for one in self._candidates.values() if one.digest in wanted}.values())

    async def look(self) -> None:
        """Read what the ledger has. Raises AuditUnavailable and AuditBroken."""
        if self.settings is None and not getattr(self._ledger, "keeps_named", True):
            return  # a ledger of before, in which nothing was promoted
        noted = await self._ledger.noted(ROLLOUT)
        if noted == self._noted:
            return
        known = {name: _rollout.decode(one.line) for name, one in (await self._ledger.newest(ROLLOUT)).items()}
        for one in known.values():
            if one.status != "ended":
                await self.admit(one.candidate, one.digest)
        self.is_behind |= known != self._known
        self._known, self._noted = known, noted

    async def admit(self, name: str, digest: str) -> None:
        """Let a version that was proposed be a candidate, where the configuration has none of its name."""
        has = self.settings.candidates if self.settings is not None else {}
        known = self._candidates.get(name)
        if name in has or (known is not None and known.digest == digest):
            return
        policy = await self._proposed(name, digest)
        if policy is not None:
            self._candidates[name] = policy

    def answering(self, given: Iterable[Policy]) -> list[Policy]:
        """Return the policies that answer where the configuration has these: what was promoted, in place of its base.

        Raises SetupError where a promoted version is not there.
        """
        return [self._answering(policy) for policy in given]

    def _answering(self, given: Policy) -> Policy:
        promotion = promoted(self._known.values(), given.name, given.digest)
        if promotion is None:
            return given
        for candidate in self._candidates.values():
            if candidate.digest == promotion.digest:
                return candidate
        said = f"the rollout `{promotion.name}` promoted `{promotion.candidate}` {promotion.digest[:12]}"
        way = (
            f"put that version where the configuration has `{given.name}`, name it under `rollouts: candidates:`,"
            " or take the promotion back where it is: `adjudge rollout abort`"
        )
        raise SetupError(f"{said} to answer as `{given.name}`, and it is not there: {way}")

    def _in_the_way(self, body: RolloutBody, answering: Mapping[str, Policy]) -> str:
        candidate = self._candidates.get(body.candidate)
        if candidate is None:
            return f"the configuration has no candidate `{body.candidate}` any more"
        if candidate.digest != body.digest:
            return f"the candidate `{body.candidate}` is another version by now, {candidate.digest[:12]}"
        champion = answering.get(body.policy)
        if champion is None:
            return f"`{body.policy}` is no policy of the engine any more"
        if body.mode == "canary" and champion.digest != body.champion:
            return f"another version of `{body.policy}` answers by now, {champion.digest[:12]}"
        return ""

    def _another(self, body: RolloutBody) -> str:
        """Return why there is no room for a rollout: two workers may start one each at the same moment."""
        running = active(self._known.values())[body.policy]
        first = {"canary": running.canary, "hold-out": running.hold_out}.get(body.mode, body)
        return f"`{body.policy}` has the {body.mode} `{first.name}`" if first and first.name != body.name else ""

    async def going_on(
        self, answering: Mapping[str, Policy], sources: Mapping[str, Sources]
    ) -> dict[str, Running[Sources]]:
        """Return what runs with these policies, by name, and end, with a record, what cannot go on with them.

        sources: what is asked by each version, by its digest. Raises AuditUnavailable and AuditBroken.
        """
        if self.settings is None:
            return {}
        for name in sorted(self._known):
            one = self._known[name]
            reason = (self._in_the_way(one, answering) or self._another(one)) if one.status == "running" else ""
            if reason:
                await self._end(one, reason, "abort")
        for candidate in self.candidates:  # so that the log replays
            await self._recording.introduce(candidate, self._clock())
        return self._running(answering, sources)

    def _running(self, answering: Mapping[str, Policy], sources: Mapping[str, Sources]) -> dict[str, Running[Sources]]:
        found = {}
        for name, one in active(self._known.values()).items():
            those = [each for each in (one.hold_out, one.canary, *one.shadows) if each is not None]
            here = {each.name for each in those if not self._in_the_way(each, answering)}
            if name in answering and here:
                found[name] = Running(
                    active=Active(
                        hold_out=one.hold_out if one.hold_out and one.hold_out.name in here else None,
                        canary=one.canary if one.canary and one.canary.name in here else None,
                        shadows=tuple(each for each in one.shadows if each.name in here),
                    ),
                    candidates={each.name: self._candidates[each.candidate] for each in those if each.name in here},
                    sources=sources,
                    deciding=tuple(
                        (self._candidates[each.candidate], sources[each.digest])
                        for each in (one.hold_out, one.canary)
                        if each is not None and each.name in here
                    ),
                    champion=answering[name].digest,
                    watching=tuple(
                        (each.name, self._candidates[each.candidate]) for each in one.shadows if each.name in here
                    ),
                    key=self._ledger.key,
                    pending=self._pending,
                )
        return found

    async def command(
        self, command: RolloutCommand, by: str, given: Mapping[str, Policy], answering: Mapping[str, Policy]
    ) -> RolloutDocument:
        """Do what is asked for, and return how the rollout stands then.

        Raises RequestError, also for an engine without `rollouts`; AuditUnavailable and AuditBroken.
        """
        for _ in range(_TRIES):
            body = await self.require(command, by, given, answering)
            if command.action == "start":
                await self._recording.introduce(self._candidates[body.candidate], self._clock())
            if await self._noted_as(body):
                return self._document(body)
        raise AuditUnavailable(f"somebody else writes of the rollout `{command.name}` all the time: try again")

    async def require(
        self, command: RolloutCommand, by: str, given: Mapping[str, Policy], answering: Mapping[str, Policy]
    ) -> RolloutBody:
        """Return the record that a command leads to as things stand, and write nothing. Raises as `command`."""
        if self.settings is None:
            said = "this engine takes part in no rollouts: its configuration has no `rollouts`"
            raise RequestError(said, where="rollout")
        await self.look()
        await self.tally(is_due=True)
        before = self._known.get(command.name)
        known = Known(
            rollouts=self._known,
            candidates=self._candidates,
            given=given,
            answering=answering,
            arms=arms_of(before, self._tallies.get(command.name)) if before is not None else {},
        )
        body = next_record(command, by, known, self._clock())
        if command.action != "abort" and (reason := self._in_the_way(body, answering)):
            raise RequestError(f"`{body.name}` cannot go on: {reason}", where="name")
        return body

    async def status(self) -> tuple[RolloutDocument, ...]:
        """Return how all rollouts stand, by name. Raises AuditUnavailable and AuditBroken."""
        await self.look()
        await self.tally(is_due=True)
        return tuple(self._document(self._known[name]) for name in sorted(self._known))

    async def tally(self, *, is_due: bool = False) -> None:
        """Record what was counted, where that is due, and learn what others have. Raises AuditUnavailable."""
        if self.settings is None:
            self._learn(await self._ledger.newest(TALLY))
            return
        if not is_due and monotonic() - self._tallied_at < self.settings.tally_every_s:
            return
        self._tallied_at = monotonic()
        self._learn(await self._ledger.newest(TALLY))
        taken = self._pending.take()
        try:
            while taken:
                name, stages = next(iter(taken.items()))
                await self._add(name, stages)
                del taken[name]
        finally:
            for name, stages in taken.items():
                self._pending.put_back(name, stages)

    async def _add(self, name: str, stages: Mapping[int, Mapping[str, Counts]]) -> None:
        """Add what was counted of a rollout to what all have."""
        for _ in range(_TRIES):
            rollout, tally = self._known.get(name), self._tallies.get(name)
            if rollout is None:
                return
            before = tally.stages if tally is not None and tally.begun == rollout.begun else {}
            of_this = {number: arms for number, arms in stages.items() if number >= rollout.begun}
            if not of_this:
                return
            number = tally.number + 1 if tally is not None else 1
            body = TallyBody(
                name=name, number=number, at=self._clock(), begun=rollout.begun, stages=added(before, of_this)
            )
            try:
                await self._ledger.note(TALLY, body)
            except Overtaken:
                self._learn(await self._ledger.newest(TALLY))
                continue
            self._tallies[name] = body
            return
        raise AuditUnavailable(f"somebody else counts of the rollout `{name}` all the time")

    def _learn(self, records: Mapping[str, NamedRecord]) -> None:
        for name, one in records.items():
            known = self._tallies.get(name)
            if known is None or known.number < one.number:
                self._tallies[name] = _tally.decode(one.line)

    async def guard(self) -> bool:
        """Let canaries fall back whose guard rails act; return whether one did. Raises AuditUnavailable."""
        fell = False
        for one in [*self._known.values()]:
            acting = [rail for rail in self._rails(one) if rail.acts]
            if acting:
                fell |= await self._end(one, "; ".join(self._said(one, rail) for rail in acting), "fall-back")
        return fell

    def _rails(self, body: RolloutBody) -> Sequence[Rail]:
        if self.settings is None:
            return ()
        return rails_on(body, self._tallies.get(body.name), self.settings.rails)

    def _said(self, body: RolloutBody, rail: Rail) -> str:
        arms = arms_of(body, self._tallies.get(body.name))
        canary, champion = arms.get("canary", Counts()), arms.get("champion", Counts())
        than = f"fewer than one in {rail.limit:g}" if rail.name in FEWER else f"more than {rail.limit:g} times as often"
        return (
            f"{rail.name}: {rail.canary} of {canary.decisions} decisions, where the champion has {rail.champion} of"
            f" {champion.decisions}: {than}"
        )

    async def _end(self, body: RolloutBody, reason: str, action: Literal["abort", "fall-back"]) -> bool:
        """End a rollout by itself; whoever else has done something with it meanwhile goes before."""
        arms = arms_of(body, self._tallies.get(body.name))
        if not await self._noted_as(ended_by_itself(body, action, reason, arms, self._clock())):
            await self.look()
            return False
        _events.warning(
            "rollout_ended", action=action, rollout=body.name, mode=body.mode, policy=body.policy, reason=reason
        )
        return True

    async def _noted_as(self, body: RolloutBody) -> bool:
        """Record how a rollout stands; False where somebody else did so first."""
        try:
            await self._ledger.note(ROLLOUT, body)
        except Overtaken:
            return False
        self._known[body.name], self._noted = body, -1
        if body.by != ENGINE:
            _events.info("rollout_changed", rollout=body.name, action=body.action, share=body.share, by=body.by)
        return True

    def _document(self, body: RolloutBody) -> RolloutDocument:
        rails = (self.settings or RolloutSettings()).rails
        return rollout_document(body, self._tallies.get(body.name), rails)
