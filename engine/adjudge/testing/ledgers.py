"""What every ledger must do: the same tests for those of this package and for a plugin's."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from secrets import token_hex
from time import monotonic, sleep
from typing import Any

import msgspec
from msgspec import structs

from adjudge.audit.annotations import erasure_body, label_body
from adjudge.audit.bodies import DecisionBody, Recorder, policy_body
from adjudge.errors import (
    AuditUnavailable,
    LostClaim,
    MerchantBizIdConflict,
    Overtaken,
    QuotaReached,
    RequestError,
    WrongPosition,
)
from adjudge.model import Decision, Outcome, Request, Signal, SignalStatus, Verdict
from adjudge.plugin import (
    BEFORE_FIRST,
    Body,
    Busy,
    CallBody,
    Claim,
    DecisionLedger,
    DecisionQuery,
    ExplainableLedger,
    KeepsHistories,
    LogRecord,
    NamedBody,
    NamedRecord,
    Pool,
    Position,
    Presuming,
    Quota,
    RecordSource,
    SearchableLedger,
    SharedLimits,
)
from adjudge.policy.policy import Policy
from adjudge.registry import Registry, parse_policy

ID = "0123456789abcdef0123456789ABCDEF"
FIRST, OTHER = "1" * 64, "2" * 64
"""Fingerprints of two different requests."""
LONG_S, SHORT_S = 60.0, 0.05
"""Leases that do not lapse during a test, and that do."""

_POLICY = """
{policy_language: 1, policy: contract, when_unknown: review,
 inputs: {email: {type: string, personal: true}},
 signals: {device: {fields: {score: int, owner: {type: string, personal: true}}}},
 rules: [{id: risky, when: device.score > 70, then: review, tags: [aml]}]}
"""


def decision_and_record(
    ledger: DecisionLedger,
    merchant_biz_id: str = ID,
    fingerprint: str = FIRST,
    *,
    decision_id: str = "d" * 32,
    at: datetime | None = None,
    owner: str | None = None,
    **changes: Any,
) -> tuple[Decision, Body]:
    """Return a decision and its record, as an engine makes them.

    owner: the commitment of a personal value of its signal; None where it has none. changes: attributes of Decision.
    """
    policy = _policy()
    fields: dict[str, object] = {"score": 80} | ({"owner": {"commitment": owner}} if owner is not None else {})
    decision = Decision(
        **{
            "decision_id": decision_id,
            "merchant_biz_id": merchant_biz_id,
            "status": "fresh",
            "verdict": Verdict(outcome=Outcome.REVIEW, lower=Outcome.REVIEW, upper=Outcome.REVIEW, matched=("risky",)),
            "policy": policy.name,
            "policy_digest": policy.digest,
            "fingerprint": fingerprint,
            "decided_at": at or datetime.now(UTC),
            "signals": {"device": Signal(name="device", status=SignalStatus.OK, fields=fields)},
            **changes,
        }
    )
    plain = structs.replace(decision, signals={})
    record = Recorder(policy, ledger.durability).body(
        plain, Request(merchant_biz_id=merchant_biz_id, scene_code="test"), {}, {}
    )
    personal = ("device.owner",) if owner is not None else ()
    return decision, structs.replace(record, signals=dict(decision.signals), personal=personal)


def call_of(claim: Claim, **changes: Any) -> CallBody:
    """Return the record of a call that is about to be made for a claim."""
    return CallBody(
        **{
            "call_id": "c" * 32,
            "stage": "begun",
            "merchant_biz_id": claim.merchant_biz_id,
            "fingerprint": claim.fingerprint,
            "policy_digest": _policy().digest,
            "signal": "device",
            "provider": "acme.device",
            "version": "1",
            "attempt": 1,
            "price": Decimal("0.10"),
            "currency": "USD",
            "at": datetime.now(UTC),
            **changes,
        }
    )


def ended(call: CallBody, billed: str = "yes") -> CallBody:
    """Return the record of how a call ended: with an answer, where it was paid for."""
    answer = Signal(name="device", status=SignalStatus.OK, fields={"score": 12}) if billed == "yes" else None
    return structs.replace(call, stage="ended", billed=billed, status="ok" if answer else "error", answer=answer)


class NoteBody(NamedBody, frozen=True):
    """A named record. said: anything."""

    said: str


def note_of(name: str, number: int, said: str) -> NoteBody:
    """Return a named record."""
    return NoteBody(name=name, number=number, said=said)


def said_in(record: NamedRecord) -> str:
    """Return what a named record of `note_of` says."""
    return msgspec.json.decode(record.line, type=NoteBody).said


def quota_of(**bounds: Any) -> Quota:
    """Return a quota of the account that `call_of` calls. bounds: attributes of Quota; none are set unless given."""
    unbound = {"rate": None, "daily_calls": None, "daily_spend": None, "within_s": 10.0}
    return Quota(**{"provider": "acme.device", "account": "", "price": Decimal("0.10"), **unbound, **bounds})


class LedgerContract:
    """What every ledger must do. Inherit from it in a test class and say how to open one.

    Each test begins with an empty ledger, which `begin` makes; give it a place of its own there. keeps: whether what
    was recorded is there when the ledger is opened again.
    """

    keeps = True

    def begin(self) -> None:
        """Make a place for an empty ledger."""

    def ledger(self, clock: Callable[[], datetime]) -> DecisionLedger:
        """Return the ledger that is there, not yet open. clock: aware UTC, for one that has none of its own."""
        raise NotImplementedError

    def another(self, ledger: DecisionLedger) -> DecisionLedger:
        """Return another holder of an open ledger; in a ledger of one process, that is the same object."""
        return ledger

    def program(self) -> str | None:
        """Return Python that makes `ledger`, the same that is there, not yet open, in another process.

        None where nothing of it outlives its process.
        """
        return None

    def cut(self, ledger: DecisionLedger) -> AbstractContextManager[None] | None:
        """Cut a ledger off from what it writes to, for a while; None where it writes to nothing."""
        return None

    def test_claim_that_is_concluded_answers_from_then_on(self) -> None:
        """The decision comes back whole and under its own id alone, letter case included; to every holder."""

        async def work(ledger: DecisionLedger) -> None:
            decision = await _decide(ledger)
            for holder in (ledger, self.another(ledger)):
                assert await _claim(holder) == decision
                assert await holder.find(decision_id=decision.decision_id) == decision
                assert await holder.find(merchant_biz_id=ID) == decision
                assert await holder.find(merchant_biz_id=ID.lower()) is None
                assert await holder.find(decision_id="e" * 32) is None
                await holder.release(await _claimed(holder, ID.lower()))

        self._run(work)

    def test_claim_of_another_fingerprint_is_a_conflict_at_every_moment(self) -> None:
        """While the id is claimed, and once it is decided, also where a new decision is wanted."""

        async def work(ledger: DecisionLedger) -> None:
            holder = self.another(ledger)
            claim = await _claimed(ledger)
            await _conflicts(holder)
            await ledger.begin_call(claim, call := call_of(claim))
            await _conflicts(holder)
            await ledger.end_call(claim, ended(call))
            await _conflicts(holder)
            await ledger.conclude(claim, *decision_and_record(ledger))
            await _conflicts(holder)
            with _raises(MerchantBizIdConflict):
                await holder.claim(ID, OTHER, again=True, lease_s=LONG_S)
            assert isinstance(await holder.claim(ID, OTHER, again=False, lease_s=LONG_S, former=FIRST), Decision)

        self._run(work)

    def test_second_holder_is_busy_until_the_first_is_done(self) -> None:
        """Whoever waits is told, or looks again, and then has the answer."""

        async def work(ledger: DecisionLedger) -> None:
            holder, claim = self.another(ledger), await _claimed(ledger)
            busy = await _claim(holder)
            assert isinstance(busy, Busy) and busy.token == claim.token
            waiting = asyncio.ensure_future(holder.wait(busy, monotonic() + LONG_S))
            decision, record = decision_and_record(ledger)
            await ledger.conclude(claim, decision, record)
            await asyncio.wait_for(waiting, LONG_S)
            assert await _claim(holder) == decision
            await holder.wait(busy, monotonic() + LONG_S)  # for what is over nobody waits

        self._run(work)

    def test_claim_that_is_given_back_is_free_at_once(self) -> None:
        """And giving back one that was lost takes nothing from the one who has it."""

        async def work(ledger: DecisionLedger) -> None:
            holder = self.another(ledger)
            first = await _claimed(ledger)
            await ledger.release(first)
            second = await _claimed(holder)
            assert second.token > first.token
            await ledger.release(first)
            assert isinstance(await _claim(ledger), Busy)

        self._run(work)

    def test_holder_that_was_paused_past_its_lease_changes_nothing(self) -> None:
        """One decision and one bill: it may begin no call and conclude nothing; its late answer is recorded."""

        async def work(ledger: DecisionLedger) -> None:
            holder = self.another(ledger)
            paused = await _claimed(ledger, lease_s=SHORT_S)
            await ledger.begin_call(paused, call := call_of(paused))
            await asyncio.sleep(2 * SHORT_S)
            winner = await _claimed(holder)
            assert winner.token > paused.token
            assert winner.calls["device"].is_in_doubt, "it is seen, so that nobody pays twice"
            decision, record = decision_and_record(holder, decision_id="a" * 32)
            for is_decided in (False, True):
                if is_decided:
                    await holder.conclude(winner, decision, record)
                with _raises(LostClaim):
                    await ledger.begin_call(paused, call_of(paused, call_id="f" * 32))
                with _raises(LostClaim):
                    await ledger.conclude(paused, *decision_and_record(ledger, decision_id="b" * 32))
            await ledger.end_call(paused, ended(call))
            await ledger.release(paused)
            assert await _claim(ledger) == decision
            assert await ledger.find(decision_id="b" * 32) is None
            assert [tally.calls for tally in (await ledger.spent()).values()] == [1]

        self._run(work)

    def test_calls_without_a_decision_are_seen_by_the_next_holder(self) -> None:
        """An answer that was paid for is used, one in doubt is known, one that cost nothing is forgotten."""

        async def work(ledger: DecisionLedger) -> None:
            holder = self.another(ledger)
            for billed in ("yes", "unknown", "no"):
                name = {"yes": "A", "unknown": "B", "no": "C"}[billed] * 32
                claim = await _claimed(ledger, name)
                call = call_of(claim, call_id=billed * 8)
                await ledger.begin_call(claim, call)
                await ledger.end_call(claim, ended(call, billed))
                await ledger.release(claim)
                found = (await _claimed(holder, name)).calls
                assert [one.billed for one in found.values()] == ([] if billed == "no" else [billed])
                if billed == "yes":
                    assert found["device"].answer == ended(call).answer
            (tally,) = (await ledger.spent()).values()
            assert (tally.calls, tally.spent) == (2, Decimal("0.20"))
            assert [one.merchant_biz_id for one in await ledger.in_doubt()] == ["B" * 32]

        self._run(work)

    def test_decision_takes_up_the_calls_before_it(self) -> None:
        """They are of no use to a later decision of the same id."""

        async def work(ledger: DecisionLedger) -> None:
            claim = await _claimed(ledger)
            await ledger.begin_call(claim, call := call_of(claim))
            await ledger.end_call(claim, ended(call))
            decision, record = decision_and_record(ledger)
            await ledger.conclude(claim, decision, record)
            again = await ledger.claim(ID, FIRST, again=True, lease_s=LONG_S)
            assert isinstance(again, Claim) and again.earlier == decision and not again.calls
            newer = await _decide(ledger, again, decision_id="f" * 32, status="supersedes", supersedes="d" * 32)
            assert await _claim(ledger) == newer
            if self.keeps:
                assert await ledger.find(decision_id="d" * 32) == decision

        self._run(work)

    def test_label_that_confirms_makes_a_decision_final(self) -> None:
        """Of that decision alone."""

        async def work(ledger: DecisionLedger) -> None:
            await ledger.record("policy", {"policy": "contract"})
            decision = await _decide(ledger, final=False)
            body = label_body("e" * 32, ID, "fraud", source="test", by="test")
            with suppress(RequestError):  # a ledger that can tell refuses a label of no decision
                await ledger.label(body.decision_id, ID, body, confirms=True)
            assert await _claim(ledger) == decision
            body = label_body(decision.decision_id, ID, "fraud", source="test", by="test")
            await ledger.label(body.decision_id, ID, body, confirms=True)
            assert await _claim(self.another(ledger)) == structs.replace(decision, final=True)

        if self.keeps:
            self._run(work)

    def test_personal_values_come_back_until_they_are_erased(self) -> None:
        """Then they are gone for every holder, and the decision stands."""

        async def work(ledger: DecisionLedger) -> None:
            holder = self.another(ledger)
            async with ledger.sealed(ID, {"device.owner": "alice"}) as sealed:
                await _decide(ledger, owner=sealed["device.owner"])
            found = await _claim(holder)
            assert isinstance(found, Decision) and found.signals["device"].fields == {"score": 80, "owner": "alice"}

            def body(names: tuple[str, ...]) -> Body:
                return erasure_body(ID, names, by="test")

            assert await ledger.erase(ID, body) == 1
            assert await ledger.erase(ID, body) == 0
            for each in (ledger, holder):
                found = await _claim(each)
                assert isinstance(found, Decision) and found.signals["device"].fields == {"score": 80}

        self._run(work)

    def test_clock_that_jumps_ends_no_lease_and_no_answer(self) -> None:
        """In either direction, by days."""

        async def work(ledger: DecisionLedger, clock: _Jumping) -> None:
            for days in (3, -6):
                name = ("A" if days > 0 else "B") * 32
                claim = await _claimed(ledger, name)
                clock.offset += timedelta(days=days)
                assert isinstance(await _claim(self.another(ledger), name), Busy)
                decision = await _decide(ledger, claim, decision_id=name.lower(), at=clock())
                clock.offset -= timedelta(days=days)
                assert await _claim(ledger, name) == decision
                clock.offset += timedelta(days=days)
                assert await _claim(ledger, name) == decision

        clock = _Jumping()
        self._run(lambda ledger: work(ledger, clock), clock)

    def test_two_hundred_callers_make_one_decision(self) -> None:
        """Of two holders; whoever gets the claim decides, and all have the same answer."""

        async def work(ledger: DecisionLedger) -> None:
            holders, made = (ledger, self.another(ledger)), list[str]()
            answers = await asyncio.gather(*(decide_as_engines_do(holders[n % 2], ID, made) for n in range(200)))
            assert len(made) == 1 and set(answers) == {made[0]}

        self._run(work)

    def test_presumed_claim_is_taken_with_its_conclusion(self) -> None:
        """Where the id is free; otherwise nothing is written, and whoever has the claim keeps it."""

        async def work(ledger: DecisionLedger) -> None:
            holder = self.another(ledger)
            if (presumed := _presumed(ledger)) is None:
                return
            await ledger.release(presumed)  # of no meaning: nobody has it
            await ledger.conclude(presumed, *decision_and_record(ledger))
            for each in (ledger, holder):
                with _raises(LostClaim):
                    await each.conclude(presumed, *decision_and_record(each, decision_id="e" * 32))
            found = await _claim(holder)
            assert isinstance(found, Decision) and found.decision_id == "d" * 32
            await _conflicts(holder)

            held, presumed = await _claimed(holder, "A" * 32), _presumed(ledger, "A" * 32)
            assert presumed is not None
            await holder.begin_call(held, call := call_of(held))
            for each in (ledger, holder):
                with _raises(LostClaim):
                    await _decide(each, presumed, decision_id="f" * 32)
            await holder.end_call(held, ended(call))
            await _decide(holder, held, decision_id="a" * 32)
            assert await ledger.find(decision_id="f" * 32) is None

            for is_cut in (True, False):
                if (presumed := _presumed(ledger, "B" * 32)) and is_cut and (cut := self.cut(ledger)) is not None:
                    with cut, _raises(AuditUnavailable):
                        await _decide(ledger, presumed, decision_id="b" * 32)
                    assert await holder.find(merchant_biz_id="B" * 32) is None
                elif presumed is not None and not is_cut:
                    await _decide(ledger, presumed, decision_id="b" * 32)

        self._run(work)

    def test_presumed_claims_and_held_ones_make_one_decision_of_each_id(self) -> None:
        """Of two holders, whoever comes first; and what is written together with others is written all the same."""

        async def work(ledger: DecisionLedger) -> None:
            holders, made = (ledger, self.another(ledger)), list[str]()
            ids = [f"{n:032d}" for n in range(40)]
            asked = [(each, holders[n % 2], n % 3 > 0) for each in ids for n in range(8)]
            answers = await asyncio.gather(
                *(decide_as_engines_do(of, each, made, presumes=presumes) for each, of, presumes in asked)
            )
            given: dict[str, set[str]] = {}
            for (each, *_), answer in zip(asked, answers, strict=True):
                given.setdefault(each, set()).add(answer)
            assert {len(one) for one in given.values()} == {1}
            for each in ids:
                found = await ledger.find(merchant_biz_id=each)
                assert found is not None and {found.decision_id} == given[each]

        self._run(work)

    def test_ledger_that_is_opened_again_knows_what_it_knew(self) -> None:
        """Decisions, conflicts, calls that no decision holds, and what the day has cost."""

        async def before(ledger: DecisionLedger) -> None:
            await _decide(ledger)
            claim = await _claimed(ledger, "A" * 32)
            await ledger.begin_call(claim, call := call_of(claim))
            await ledger.end_call(claim, ended(call))
            await ledger.release(claim)
            claim = await _claimed(ledger, "B" * 32)
            await ledger.begin_call(claim, call_of(claim, call_id="f" * 32))
            await ledger.release(claim)

        async def after(ledger: DecisionLedger) -> None:
            found = await _claim(ledger)
            assert isinstance(found, Decision) and found.decision_id == "d" * 32
            assert await ledger.find(decision_id="d" * 32) == found
            await _conflicts(ledger)
            claim = await _claimed(ledger, "A" * 32)
            assert claim.calls["device"].billed == "yes"
            await ledger.release(claim)
            assert [tally.spent for tally in (await ledger.spent()).values()] == [Decimal("0.20")]
            assert [one.merchant_biz_id for one in await ledger.in_doubt()] == ["B" * 32]

        if self.keeps:
            self._run(before)
            for _ in range(2):
                self._run(after, is_new=False)

    def test_newest_record_of_a_name_is_known_to_every_holder(self) -> None:
        """Of each kind apart; what is no kind of named records is refused, and so is what is no name."""

        async def work(ledger: DecisionLedger) -> None:
            holder = self.another(ledger)
            for each in (ledger, holder):
                assert await each.noted("rollout") == 0 and not await each.newest("rollout")
            counts = []
            for number, by in enumerate((ledger, holder, ledger), 1):
                await by.note("rollout", note_of("one", number, f"{number}"))
                counts.append(await holder.noted("rollout"))
            await ledger.note("rollout", note_of("two", 1, "first"))
            await holder.note("activation", note_of("one", 1, "other"))
            assert counts == [1, 2, 3]
            for each in (ledger, holder):
                found = await each.newest("rollout")
                assert {one.name: (one.number, said_in(one)) for one in found.values()} == {
                    "one": (3, "3"),
                    "two": (1, "first"),
                }
                assert await each.noted("rollout") == 4 and await each.noted("activation") == 1
            for kind, name in (("decision", "one"), ("rollout", ""), ("rollout", "a b"), ("rollout", "x" * 65)):
                with _raises(RequestError):
                    await ledger.note(kind, note_of(name, 1, ""))

        self._run(work)

    def test_next_record_of_a_name_is_written_once(self) -> None:
        """Whoever did not see the one before is told, and nothing is written."""

        async def work(ledger: DecisionLedger) -> None:
            holders = (ledger, self.another(ledger))

            async def try_it(number: int, n: int) -> int:
                try:
                    await holders[n % 2].note("rollout", note_of("one", number, f"{n}"))
                except Overtaken:
                    return 0
                return 1

            for number in (1, 2):
                assert sum(await asyncio.gather(*(try_it(number, n) for n in range(10)))) == 1
            for wrong in (0, 1, 2, 4):
                assert await try_it(wrong, 0) == 0
            for each in holders:
                assert await each.noted("rollout") == 2

        self._run(work)

    def test_all_records_of_a_name_are_known_to_every_holder(self) -> None:
        """Of a ledger that keeps them: each is written once, by whoever saw the one before, and outlives its holder."""

        async def before(ledger: DecisionLedger) -> None:
            if not isinstance(ledger, KeepsHistories):
                return
            holders = (ledger, self.another(ledger))
            assert not await ledger.history("review", "one")

            async def try_it(number: int, n: int) -> int:
                try:
                    await holders[n % 2].note("review", note_of("one", number, f"{number}"))
                except Overtaken:
                    return 0
                return 1

            for number in (1, 2, 3):
                assert sum(await asyncio.gather(*(try_it(number, n) for n in range(6)))) == 1
            for wrong in (0, 1, 3, 5):
                assert await try_it(wrong, 0) == 0
            await ledger.note("review", note_of("two", 1, "other"))
            for each in holders:
                found = await each.history("review", "one")  # type: ignore[attr-defined]
                assert [(one.number, said_in(one)) for one in found] == [(1, "1"), (2, "2"), (3, "3")]
            await _decide(ledger)

        async def after(ledger: DecisionLedger) -> None:
            if isinstance(ledger, KeepsHistories):
                assert [one.number for one in await ledger.history("review", "one")] == [1, 2, 3]
                await ledger.note("review", note_of("two", 2, "more"))
                assert [said_in(one) for one in await ledger.history("review", "two")] == ["other", "more"]

        self._run(before)
        if self.keeps:
            self._run(after, is_new=False)

    def test_newest_record_of_a_name_outlives_the_holder(self) -> None:
        """And the next one follows it."""

        async def before(ledger: DecisionLedger) -> None:
            for number in (1, 2):
                await ledger.note("rollout", note_of("one", number, f"{number}"))
            await _decide(ledger)

        async def after(ledger: DecisionLedger) -> None:
            found = (await ledger.newest("rollout"))["one"]
            await ledger.note("rollout", note_of("one", found.number + 1, said_in(found) + "+"))

        async def last(ledger: DecisionLedger) -> None:
            assert said_in((await ledger.newest("rollout"))["one"]) == "2++"
            assert await ledger.noted("rollout") == 4

        if self.keeps:
            self._run(before)
            for work in (after, after, last):
                self._run(work, is_new=False)

    def test_search_pages_through_decisions_newest_first(self) -> None:
        """Every decision is on one page, whatever is added meanwhile; what is asked for is there, and nothing else."""
        begun = datetime.now(UTC)
        verdicts = [
            Verdict(outcome=Outcome.REVIEW, lower=Outcome.PASS, upper=Outcome.REJECT, unresolved=("risky",),
                    reasons=("risky",), missing=("device.score",)),
            Verdict(outcome=Outcome.REJECT, lower=Outcome.REJECT, upper=Outcome.REJECT, matched=("risky",),
                    reasons=("RISK",)),
            Verdict(outcome=Outcome.PASS, lower=Outcome.PASS, upper=Outcome.REVIEW, waived=("risky",)),
        ]  # fmt: skip
        statuses: list[dict[str, SignalStatus]] = [
            {"device": SignalStatus.TIMEOUT, "other": SignalStatus.SKIPPED},
            {"device": SignalStatus.OK},
            {"device": SignalStatus.SKIPPED, "other": SignalStatus.ERROR},
        ]

        async def add(ledger: DecisionLedger, n: int) -> Decision:
            claim = await _claimed(ledger, f"{n:032}")
            await ledger.begin_call(claim, call_of(claim, call_id=f"{n:032}"))  # records that are no decisions
            at, verdict = begun + timedelta(seconds=n), verdicts[n % 3]
            signals = {name: Signal(name=name, status=status) for name, status in statuses[n % 3].items()}
            return await _decide(ledger, claim, decision_id=f"{n:032x}", at=at, verdict=verdict, signals=signals)

        async def work(ledger: DecisionLedger) -> None:
            if not isinstance(ledger, SearchableLedger):
                return

            async def all_of(**asked: Any) -> list[str]:
                """Go through all pages, while decisions are added."""
                found, after, pages = list[str](), None, 0
                while not pages or after is not None:
                    page = await ledger.search(DecisionQuery(**asked), after)
                    assert len(page.decisions) <= asked.get("limit", 50)
                    found += [decision.decision_id for decision in page.decisions]
                    after, pages = page.next, pages + 1
                    if asked.get("limit"):
                        await add(ledger, 100 + pages + len(made))
                        made.append("")
                return found

            await ledger.record("policy", policy_body(_policy(), {}, "1.0", datetime.now(UTC)))
            made = [(await add(ledger, n)).decision_id for n in range(9)]
            newest = made[::-1]
            assert await all_of() == newest
            assert await all_of(limit=2, until=begun + timedelta(seconds=50)) == newest
            within = begun + timedelta(seconds=50)
            assert await all_of(outcome=Outcome.REJECT, until=within) == [
                one for one in newest if int(one, 16) % 3 == 1
            ]
            assert await all_of(outcome="pass", limit=1, until=within) == [
                one for one in newest if int(one, 16) % 3 == 2
            ]
            assert await all_of(rule="risky", until=within) == await all_of(reason="RISK", until=within)
            assert await all_of(missing="device.score", until=within) == [
                one for one in newest if int(one, 16) % 3 == 0
            ]
            assert await all_of(tag="aml", until=within) == await all_of(rule="risky", until=within)
            assert await all_of(tag="aml", outcome=Outcome.PASS) == [] == await all_of(tag="risky")
            assert await all_of(waiver="risky", until=within) == [one for one in newest if int(one, 16) % 3 == 2]
            assert await all_of(waiver="another") == [] == await all_of(unknown="another")
            assert await all_of(unknown="device", until=within) == [one for one in newest if int(one, 16) % 3 == 0]
            assert await all_of(unknown="other", until=within) == await all_of(outcome="pass", until=within)
            assert await all_of(since=begun + timedelta(seconds=3), until=begun + timedelta(seconds=5)) == newest[4:6]
            assert await all_of(merchant_biz_id=f"{4:032}") == [f"{4:032x}"]
            assert await all_of(merchant_biz_id=f"{4:032}", outcome=Outcome.PASS) == []
            assert await all_of(policy="another") == [] and await all_of(rule="another") == []
            (whole,) = (await ledger.search(DecisionQuery(merchant_biz_id=f"{4:032}"), None)).decisions
            assert whole == await ledger.find(decision_id=whole.decision_id)
            for cursor in ("", "x", "-1", "9" * 40, "1 2 3", "0001-01-01T00:00:00+00:00 1 1 1"):
                with _raises(RequestError):
                    await ledger.search(DecisionQuery(), cursor)

        self._run(work)

    def test_evidence_of_a_decision_is_its_records_and_what_is_kept_of_its_person(self) -> None:
        """With the policy as it was recorded before it, where the ledger keeps records."""

        async def work(ledger: DecisionLedger) -> None:
            if not isinstance(ledger, ExplainableLedger):
                return
            policy = policy_body(_policy(), {}, "1.0", datetime.now(UTC))
            for text in (policy, structs.replace(policy, digest="0" * 64)):
                await ledger.record("policy", text)
            async with ledger.sealed(ID, {"device.owner": "alice"}) as sealed:
                decision = await _decide(ledger, owner=sealed["device.owner"])
            await ledger.record("policy", structs.replace(policy, engine="2.0"))
            for holder in (ledger, self.another(ledger)):
                found = await holder.evidence(decision.decision_id)  # type: ignore[attr-defined]
                assert found is not None and not found.is_confirmed
                assert decision.decision_id.encode() in found.decision
                assert found.values == {sealed["device.owner"]: "alice"}
                if self.keeps:
                    assert found.policy is not None and b'"engine":"1.0"' in found.policy
                    assert policy.digest.encode() in found.policy
                assert await holder.evidence("e" * 32) is None  # type: ignore[attr-defined]
            await ledger.erase(ID, lambda names: erasure_body(ID, names, by="ann", reason=""))
            found = await ledger.evidence(decision.decision_id)
            assert found is not None and found.values == {}

        self._run(work)

    def test_records_are_handed_out_from_any_position_in_order(self) -> None:
        """To readers of the log; a ledger may keep none where they can be read, and then says so."""

        def look(source: RecordSource) -> None:
            for _ in range(600):
                ends = source.ends(own=True)
                if ends and ends[0].seq >= 5:  # what is written may be durable a little later
                    break
                sleep(0.05)
            (end,) = ends
            at, found = Position(log=end.log, seq=0, hash=BEFORE_FIRST), list[LogRecord]()
            while records := source.read_from(at, max_records=2, max_bytes=10**6):
                found += records
                at = found[-1].position
            assert at == end and [one.seq for one in found] == list(range(1, end.seq + 1))
            assert [one.members()["n"] for one in found if one.kind == "note"] == list(range(5))
            assert {one.log for one in found} == {found[0].hash}, "a log is known by the hash of its first record"
            again = source.read_from(found[1].position, max_records=9, max_bytes=10**6)
            assert list(again) == found[2:11]
            assert len(source.read_from(found[1].position, max_records=9, max_bytes=1)) == 1
            for wrong in (
                Position(log="e" * 64, seq=1, hash=end.hash),
                Position(log=end.log, seq=end.seq + 1, hash=end.hash),
                Position(log=end.log, seq=end.seq, hash="e" * 64),
                Position(log=end.log, seq=2, hash="e" * 64),
            ):
                try:
                    source.read_from(wrong, max_records=1, max_bytes=1)
                except WrongPosition:
                    continue
                raise AssertionError(f"{wrong} is no place of the log")
            assert source.may_feed("copy")
            source.close()

        async def work(ledger: DecisionLedger) -> None:
            source: RecordSource | None = getattr(ledger, "records", lambda: None)()
            if source is not None:
                for number in range(5):
                    await ledger.record("note", {"n": number})
                pool = Pool("adjudge-contract", 1)
                await pool.run(lambda: look(source), deadline_s=120)
                pool.close()

        self._run(work)

    def test_ledger_that_is_cut_off_says_so_and_goes_on_when_it_is_not(self) -> None:
        """At every step. Nothing is decided meanwhile, and no call is begun."""

        async def work(ledger: DecisionLedger) -> None:
            claim = await _claimed(ledger)
            decision, record = decision_and_record(ledger)
            call = call_of(claim)
            steps: tuple[Callable[[], Coroutine[Any, Any, object]], ...] = (
                lambda: ledger.begin_call(claim, call),
                lambda: ledger.end_call(claim, ended(call)),
                lambda: ledger.conclude(claim, decision, record),
            )
            for step in steps:
                cut = self.cut(ledger)
                if cut is None:
                    return
                with cut, _raises(AuditUnavailable):
                    await step()
                await ledger.release(claim)
                claim = await _claimed(ledger)
                await step()
            assert await _claim(ledger) == decision

        self._run(work)

    def test_holder_that_is_killed_leaves_what_it_began_to_the_next(self) -> None:
        """The call that it had begun is seen as one in doubt, and the id is free once its lease is over."""

        async def work(ledger: DecisionLedger) -> None:
            until = monotonic() + LONG_S
            while isinstance(found := await _claim(ledger), Busy):
                await ledger.wait(found, until)
            assert isinstance(found, Claim), found
            assert found.calls["device"].is_in_doubt
            assert [tally.calls for tally in (await ledger.spent()).values()] == [1]
            await _decide(ledger, found)

        if (program := self._begun_with_program()) is not None:
            with Process(program) as holder:
                assert holder.do("claim", lease_s=0.5) == "claimed"
                assert holder.do("begin") == "begun"
                holder.kill()
            self._run(work, is_new=False)

    def test_budget_is_one_for_all_holders(self) -> None:
        """As many calls as it allows, of whoever asks; what cost nothing gives its place to another."""

        async def work(ledger: DecisionLedger) -> None:
            if not isinstance(ledger, SharedLimits):
                return
            holders = (ledger, self.another(ledger))
            for bounds, room in (({"daily_calls": 7}, 7), ({"daily_spend": Decimal("0.95")}, 9 - 7)):
                quota = quota_of(**bounds)
                made = [one for one in await asyncio.gather(*(_asked(holders[n % 2], quota) for n in range(20))) if one]
                assert len(made) == room
                for billed in ("no", "unknown", "no", "yes")[: len(made)]:
                    await ledger.end_call(*_ended(made.pop(), billed))
                refunded = [one for one in [await _asked(holders[n % 2], quota) for n in range(5)] if one]
                assert len(refunded) == (2 if room == 7 else 1)
            other = quota_of(daily_calls=1, account="another")
            assert [bool(await _asked(each, other)) for each in holders] == [True, False], "an account has its own"
            claim = await _claimed(ledger, "E" * 32, lease_s=SHORT_S)
            await asyncio.sleep(2 * SHORT_S)
            await _claimed(holders[1], "E" * 32)
            with _raises(LostClaim):
                await holders[0].admit(quota_of(daily_calls=100), claim, call_of(claim, call_id="e" * 32))
            (tally,) = (await ledger.spent()).values()
            assert (tally.calls, tally.spent) == (10, Decimal("1.00"))

        self._run(work)

    def test_budget_without_calls_that_cost_is_one_for_all_holders(self) -> None:
        """Calls that cost nothing are counted, and not recorded."""

        async def work(ledger: DecisionLedger) -> None:
            holder = self.another(ledger)
            if not isinstance(ledger, SharedLimits) or not isinstance(holder, SharedLimits):
                return
            claim, quota = await _claimed(ledger), quota_of(daily_calls=3, price=Decimal(0))
            for each in (ledger, holder, ledger):
                assert await each.admit(quota, claim, None) == 0
            for each in (ledger, holder):
                with _raises(QuotaReached):
                    await each.admit(quota, claim, None)
            assert not await ledger.spent()

        self._run(work)

    def test_rate_is_one_for_all_holders(self) -> None:
        """Each waits behind those before; who would wait too long is told, and takes nobody's place."""

        async def work(ledger: DecisionLedger) -> None:
            holder = self.another(ledger)
            if not isinstance(ledger, SharedLimits) or not isinstance(holder, SharedLimits):
                return
            claim, slow = await _claimed(ledger), {"rate": 0.001, "within_s": 10_000.0}
            assert await ledger.admit(quota_of(**slow), claim, None) == 0
            assert 0 < await holder.admit(quota_of(**slow), claim, call_of(claim)) <= 1000
            for each in (ledger, holder):
                with _raises(QuotaReached):
                    await each.admit(quota_of(rate=0.001, within_s=500.0), claim, None)
            assert 1000 < await ledger.admit(quota_of(**slow), claim, None) <= 2000
            at_once = quota_of(account="fast", rate=3.0, within_s=0.0)
            assert [await each.admit(at_once, claim, None) for each in (ledger, holder, ledger)] == [0, 0, 0]

        self._run(work)

    def test_call_of_a_holder_that_is_killed_stays_counted(self) -> None:
        """It may have been paid for."""

        async def work(ledger: DecisionLedger) -> None:
            claim = await _claimed(ledger, "A" * 32)
            if isinstance(ledger, SharedLimits):
                with _raises(QuotaReached):
                    await ledger.admit(quota_of(daily_calls=1), claim, call_of(claim, call_id="a" * 32))

        if (program := self._begun_with_program()) is not None:
            with Process(program) as holder:
                assert holder.do("claim") == "claimed"
                if holder.do("admit", daily_calls=1) == "unshared":
                    return
                holder.kill()
            self._run(work, is_new=False)

    def _begun_with_program(self) -> str | None:
        self.begin()
        return self.program()

    def _run(
        self,
        work: Callable[[DecisionLedger], Coroutine[Any, Any, None]],
        clock: Callable[[], datetime] | None = None,
        *,
        is_new: bool = True,
    ) -> None:
        """Do work with an open ledger, and close it."""
        if is_new:
            self.begin()

        async def main() -> None:
            ledger = self.ledger(clock or (lambda: datetime.now(UTC)))
            await ledger.open()
            try:
                await work(ledger)
            finally:
                await ledger.aclose()

        asyncio.run(main())


class SharedLedgerContract(LedgerContract):
    """What a ledger must do that processes share: they are stopped and killed, and are many. `program` is due."""

    def test_holder_that_was_stopped_past_its_lease_changes_nothing(self) -> None:
        """SIGSTOP, another decides, SIGCONT: its late answer is recorded, its decision is not."""
        with self._two() as (stopped, winner):
            assert stopped.do("claim", lease_s=0.3) == "claimed"
            assert stopped.do("begin") == "begun"
            stopped.stop()
            while winner.do("claim") == "busy":
                time.sleep(0.05)
            assert winner.do("conclude", decision_id="a" * 32) == "a" * 32
            stopped.go_on()
            assert stopped.do("end") == "ended"
            assert stopped.do("conclude", decision_id="b" * 32) == "LostClaim"
            assert stopped.do("begin") == "LostClaim"
            assert stopped.do("claim") == winner.do("claim") == "a" * 32

    def test_other_process_sees_claim_conflict_and_answer(self) -> None:
        """At once, and with another fingerprint too."""
        with self._two() as (first, second):
            assert first.do("claim") == "claimed"
            assert second.do("claim") == "busy"
            assert second.do("claim", fingerprint=OTHER) == "MerchantBizIdConflict"
            assert first.do("conclude", decision_id="a" * 32) == "a" * 32
            assert second.do("claim") == "a" * 32
            assert second.do("claim", fingerprint=OTHER) == "MerchantBizIdConflict"

    def test_two_hundred_callers_over_two_processes_make_one_decision(self) -> None:
        """And all have the same answer."""
        with self._two() as (first, second):
            first.tell("callers", count=100, prefix="1")
            second.tell("callers", count=100, prefix="2")
            told = [first.answer(), second.answer()]
            assert sum(one["made"] for one in told) == 1
            assert len({answer for one in told for answer in one["answers"]}) == 1

    @contextmanager
    def _two(self) -> Iterator[tuple[Process, Process]]:
        program = self._begun_with_program()
        assert program is not None, "say how another process makes the ledger"
        with Process(program) as first, Process(program) as second:
            yield first, second


class Process:
    """A holder in a process of its own; see `adjudge.testing.holder`."""

    def __init__(self, program: str) -> None:
        """program: makes `ledger`."""
        command = [sys.executable, "-m", "adjudge.testing.holder", program]
        self._process = subprocess.Popen(  # noqa: S603  # this Python, and a test's own program
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.answer() == "open"

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *how: object) -> None:
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()

    def do(self, do: str, **said: Any) -> Any:
        """Tell it to do something, and return what it says."""
        self.tell(do, **said)
        return self.answer()

    def tell(self, do: str, **said: Any) -> None:
        """Tell it to do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **said}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """Return what it says next."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def stop(self) -> None:
        """Pause it, wherever it is."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it, wherever it is."""
        self._process.kill()
        self._process.wait()


async def decide_as_engines_do(
    ledger: DecisionLedger, merchant_biz_id: str, made: list[str], prefix: str = "", *, presumes: bool = False
) -> str:
    """Claim, wait while somebody else has it, decide; return the id of the decision.

    made: takes those that were begun here and not lost. presumes: whether the id is presumed to be new at first.
    """
    found: Claim | Decision | Busy | None = _presumed(ledger, merchant_biz_id) if presumes else None
    while True:
        found = found or await _claim(ledger, merchant_biz_id)
        if isinstance(found, Decision):
            return found.decision_id
        if isinstance(found, Busy):
            await ledger.wait(found, monotonic() + LONG_S)
            found = None
            continue
        made.append(f"{prefix}{token_hex(8)}".zfill(32))
        decision_id = made[-1]
        await asyncio.sleep(0)
        try:
            return (await _decide(ledger, found, decision_id=decision_id)).decision_id
        except LostClaim:
            made.remove(decision_id)
            found = None


class _Jumping:
    """A clock on the wall that somebody sets."""

    offset = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


class _raises:  # noqa: N801  # as pytest has it, which a program that inherits these tests may lack
    def __init__(self, expected: type[Exception]) -> None:
        self.expected = expected

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        assert kind is not None, f"{self.expected.__name__} was not raised"
        return issubclass(kind, self.expected)


async def _claim(ledger: DecisionLedger, merchant_biz_id: str = ID) -> Claim | Decision | Busy:
    return await ledger.claim(merchant_biz_id, FIRST, again=False, lease_s=LONG_S)


def _presumed(ledger: DecisionLedger, merchant_biz_id: str = ID) -> Claim | None:
    return ledger.presume(merchant_biz_id, FIRST) if isinstance(ledger, Presuming) else None


async def _claimed(ledger: DecisionLedger, merchant_biz_id: str = ID, *, lease_s: float = LONG_S) -> Claim:
    claim = await ledger.claim(merchant_biz_id, FIRST, again=False, lease_s=lease_s)
    assert isinstance(claim, Claim), claim
    return claim


async def _decide(ledger: DecisionLedger, claim: Claim | None = None, **parts: Any) -> Decision:
    claim = claim or await _claimed(ledger)
    decision, record = decision_and_record(ledger, claim.merchant_biz_id, claim.fingerprint, **parts)
    receipt = await ledger.conclude(claim, decision, record)
    assert receipt.seq > 0 and isinstance(record, DecisionBody)
    return decision


async def _asked(ledger: DecisionLedger, quota: Quota) -> tuple[Claim, CallBody] | None:
    """Begin a call of an id of its own; None where the quota is reached."""
    assert isinstance(ledger, SharedLimits)
    claim = await _claimed(ledger, token_hex(16).upper())
    call = call_of(claim, call_id=token_hex(16))
    try:
        await ledger.admit(quota, claim, call)
    except QuotaReached:
        return None
    return claim, call


def _ended(begun: tuple[Claim, CallBody], billed: str) -> tuple[Claim, CallBody]:
    return begun[0], ended(begun[1], billed)


async def _conflicts(ledger: DecisionLedger) -> None:
    with _raises(MerchantBizIdConflict):
        await ledger.claim(ID, OTHER, again=False, lease_s=LONG_S)


def _policy() -> Policy:
    return parse_policy(_POLICY, registry=Registry())
