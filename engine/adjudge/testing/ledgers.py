"""What every ledger must do: the same tests for those of this package and for a plugin's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import monotonic
from typing import Any

from msgspec import structs

from adjudge.audit.annotations import erasure_body, label_body
from adjudge.audit.bodies import DecisionBody, Recorder
from adjudge.errors import AuditUnavailable, LostClaim, MerchantBizIdConflict
from adjudge.model import Decision, Outcome, Request, Signal, SignalStatus, Verdict
from adjudge.plugin import Body, Busy, CallBody, Claim, DecisionLedger
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
 rules: [{id: risky, when: device.score > 70, then: review}]}
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
            holders, made = (ledger, self.another(ledger)), 0

            async def decide(holder: DecisionLedger) -> str:
                nonlocal made
                while True:
                    found = await _claim(holder)
                    if isinstance(found, Decision):
                        return found.decision_id
                    if isinstance(found, Busy):
                        await holder.wait(found, monotonic() + LONG_S)
                        continue
                    made += 1
                    await asyncio.sleep(0)
                    return (await _decide(holder, found, decision_id=f"{made:032x}")).decision_id

            answers = await asyncio.gather(*(decide(holders[n % 2]) for n in range(200)))
            assert (made, set(answers)) == (1, {f"{1:032x}"})

        self._run(work)

    def test_ledger_that_is_opened_again_knows_what_it_knew(self) -> None:
        """Decisions, conflicts, calls that no decision holds, and what the day has cost."""

        async def before(ledger: DecisionLedger) -> None:
            await _decide(ledger)
            claim = await _claimed(ledger, "A" * 32)
            await ledger.begin_call(claim, call := call_of(claim))
            await ledger.end_call(claim, ended(call))
            claim = await _claimed(ledger, "B" * 32)
            await ledger.begin_call(claim, call_of(claim, call_id="f" * 32))

        async def after(ledger: DecisionLedger) -> None:
            found = await _claim(ledger)
            assert isinstance(found, Decision) and found.decision_id == "d" * 32
            assert await ledger.find(decision_id="d" * 32) == found
            await _conflicts(ledger)
            assert (await _claimed(ledger, "A" * 32)).calls["device"].billed == "yes"
            assert [tally.spent for tally in (await ledger.spent()).values()] == [Decimal("0.20")]
            assert [one.merchant_biz_id for one in await ledger.in_doubt()] == ["B" * 32]

        if self.keeps:
            self._run(before)
            for _ in range(2):
                self._run(after, is_new=False)

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


async def _conflicts(ledger: DecisionLedger) -> None:
    with _raises(MerchantBizIdConflict):
        await ledger.claim(ID, OTHER, again=False, lease_s=LONG_S)


def _policy() -> Policy:
    return parse_policy(_POLICY, registry=Registry())
