"""Answers that come later: the decision waits for nobody, and is superseded by what came."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adjudge.audit.trail import AuditTrail
from adjudge.audit.verify import verify
from adjudge.engine import Engine
from adjudge.errors import AnsweredOtherwise, AuditUnavailable, MerchantBizIdConflict, SignalFailed, UnknownCall
from adjudge.model import Outcome, Request, SignalStatus
from adjudge.plugin import Answer, Context, SignalLater
from adjudge.registry import parse_policy
from adjudge.replay.decisions import replay
from adjudge.rollouts.settings import RolloutSettings
from adjudge.testing import FakeClock, fake_provider, registry_of
from signals.late_vendor import POLICY, SIGNED, LateProvider, engine, registry, request


def looped(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on a loop of its own."""

    @functools.wraps(test)
    def run(**given: Any) -> None:
        asyncio.run(test(**given))

    return run


@pytest.fixture(params=["file", "memory"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "log" if request.param == "file" else None


@looped
async def test_late_answer_supersedes(log: Path | None) -> None:
    vendor = LateProvider(price=Decimal("0.50"))
    async with engine(vendor, log) as deciding:
        first = await deciding.decide(request())
        assert (first.outcome, first.verdict.settled) == (Outcome.REVIEW, False)
        (waited,) = first.awaits
        assert (waited.name, waited.status, waited.request_id) == ("check", SignalStatus.PENDING, "vendor-7")
        assert first.cost == {"USD": Decimal("0.50")}
        again = await deciding.decide(request())
        assert (again.status, again.decision_id, len(vendor.calls)) == ("duplicate", first.decision_id, 1)
        second = await deciding.answer(vendor.calls[0], b"clean", SIGNED)
        assert (second.status, second.supersedes, second.outcome) == ("supersedes", first.decision_id, Outcome.PASS)
        assert (second.fingerprint, second.cost, second.awaits) == (first.fingerprint, {}, ())
        assert second.signals["own"].fields == {"ok": True}
        retried = await deciding.decide(request())
        assert (retried.status, retried.decision_id) == ("duplicate", second.decision_id)
    if log is not None:
        assert verify(log).is_good
        assert [one.answer for one in replay(log)] == ["identical"] * 2


@looped
async def test_answer_after_a_restart(tmp_path: Path) -> None:
    vendor = LateProvider()
    async with engine(vendor, tmp_path) as before:
        first = await before.decide(request())
    async with engine(vendor, tmp_path) as after:
        second = await after.answer(vendor.calls[0], b"fraud", SIGNED)
        assert (second.supersedes, second.outcome) == (first.decision_id, Outcome.REJECT)


@looped
async def test_call_takes_one_answer(log: Path | None) -> None:
    vendor = LateProvider()
    async with engine(vendor, log) as deciding:
        await deciding.decide(request())
        second = await deciding.answer(vendor.calls[0], b"clean", SIGNED)
        same = await deciding.answer(vendor.calls[0], b"clean", SIGNED)
        assert (same.status, same.decision_id) == ("duplicate", second.decision_id)
        for other in (b"fraud", b"failed"):
            with pytest.raises(AnsweredOtherwise):
                await deciding.answer(vendor.calls[0], other, SIGNED)
        found = await deciding.find(merchant_biz_id="1" * 32)
        assert found is not None and found.decision_id == second.decision_id


@looped
async def test_vendor_has_no_answer_after_all(log: Path | None) -> None:
    vendor = LateProvider()
    async with engine(vendor, log) as deciding:
        await deciding.decide(request())
        second = await deciding.answer(vendor.calls[0], b"failed", SIGNED)
        assert (second.outcome, second.awaits) == (Outcome.REVIEW, ())
        signal = second.signals["check"]
        assert (signal.status, signal.reason_code) == (SignalStatus.ERROR, "ILLEGIBLE")
        assert (await deciding.decide(request())).status == "duplicate"


@pytest.mark.parametrize("headers", [{}, {"x-signature": "wrong"}])
@looped
async def test_forged_and_unknown_are_told_alike(headers: Mapping[str, str], log: Path | None) -> None:
    vendor, other = LateProvider(), LateProvider()
    async with engine(vendor, log) as deciding, engine(other, None) as elsewhere:
        await deciding.decide(request())
        await elsewhere.decide(request())
        said = set()
        ticket = vendor.calls[0]
        for call in (ticket, "", "x", "a~b", "é", "x" * 9000, ticket[:-1], f"{ticket}0", other.calls[0], f"A{ticket}"):
            with pytest.raises(UnknownCall) as refused:
                await deciding.answer(call, b"clean", headers if call == ticket else SIGNED)
            said.add(str(refused.value))
        assert len(said) == 1 and len(vendor.read) == 1  # no reader was bothered for what is none of ours
        assert len((await deciding.decide(request())).awaits) == 1


@looped
async def test_time_is_over(log: Path | None) -> None:
    vendor, clock = LateProvider(within_s=60.0), FakeClock()
    async with engine(vendor, log, clock) as deciding:
        first = await deciding.decide(request())
        clock.advance(59.0)
        assert (await deciding.decide(request())).decision_id == first.decision_id
        clock.advance(1.0)
        with pytest.raises(AnsweredOtherwise):
            await deciding.answer(vendor.calls[0], b"clean", SIGNED)
        second = await deciding.decide(request())
        assert (second.supersedes, len(vendor.calls)) == (first.decision_id, 2)
        with pytest.raises(UnknownCall):
            await deciding.answer(vendor.calls[0], b"clean", SIGNED)
        assert (await deciding.answer(vendor.calls[1], b"clean", SIGNED)).outcome is Outcome.PASS


@looped
async def test_what_may_have_been_paid_for_is_not_asked_again(log: Path | None) -> None:
    vendor, clock = LateProvider(within_s=60.0, price=Decimal("0.50")), FakeClock()
    async with engine(vendor, log, clock) as deciding:
        first = await deciding.decide(request())
        clock.advance(100.0)
        assert (await deciding.decide(request())).decision_id == first.decision_id
        assert len(vendor.calls) == 1


@looped
async def test_retry_for_another_signal_goes_on_waiting(log: Path | None) -> None:
    vendor = LateProvider()
    async with engine(vendor, log, None, SignalFailed("down"), {"emulator": False}) as deciding:
        await deciding.decide(request())
        second = await deciding.decide(request())
        assert (second.status, second.signals["device"].status, len(vendor.calls)) == ("supersedes", "ok", 1)
        third = await deciding.answer(vendor.calls[0], b"clean", SIGNED)
        assert (third.supersedes, third.outcome) == (second.decision_id, Outcome.PASS)


@looped
async def test_late_answer_asks_nobody_else(log: Path | None) -> None:
    vendor = LateProvider()
    async with engine(vendor, log, None, SignalFailed("down"), {"emulator": True}) as deciding:
        await deciding.decide(request())
        second = await deciding.answer(vendor.calls[0], b"clean", SIGNED)
        assert second.signals["device"].status is SignalStatus.ERROR and not second.verdict.settled
        third = await deciding.decide(request())
        assert (third.supersedes, third.verdict.matched) == (second.decision_id, ("emulated",))
        assert len(vendor.calls) == 1


@looped
async def test_erased_subject_takes_no_answer(tmp_path: Path) -> None:
    vendor = LateProvider()
    async with engine(vendor, tmp_path) as deciding:
        await deciding.decide(request())
        await deciding.erase("1" * 32, reason="asked", by="kim")
        with pytest.raises(UnknownCall):
            await deciding.answer(vendor.calls[0], b"clean", SIGNED)


@looped
async def test_nothing_erased_comes_back_with_an_answer(log: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor, erasing = LateProvider(), []
    async with engine(vendor, log) as deciding:
        await deciding.decide(request())
        ledger: Any = deciding._ledger
        evidence = ledger.evidence

        async def slow(decision_id: str) -> object:
            found = await evidence(decision_id)
            erasing.append(asyncio.create_task(deciding.erase("1" * 32, by="kim")))
            await asyncio.wait(erasing, timeout=0.2)
            return found

        monkeypatch.setattr(ledger, "evidence", slow)
        await deciding.answer(vendor.calls[0], b"clean", SIGNED)
        await erasing[0]
        assert await deciding.erase("1" * 32, by="kim") == 0


@looped
async def test_answers_of_many_vendors_come_at_once(log: Path | None) -> None:
    vendor, count = LateProvider(), 6
    signals = "".join(f"  check{n}: {{provider: acme.check}}\n" for n in range(count))
    rules = "".join(f"  - {{id: fraud{n}, when: check{n}.fraud, then: reject}}\n" for n in range(count))
    lent = registry(vendor)
    policy = parse_policy(f"policy_language: 1\npolicy: many\nsignals:\n{signals}rules:\n{rules}", registry=lent)
    trail = AuditTrail.open(log, durability="flush") if log is not None else None
    async with Engine([policy], registry=lent, trail=trail, clock=FakeClock()) as deciding:
        asked = Request(merchant_biz_id="1" * 32, scene_code="a")
        assert len((await deciding.decide(asked)).awaits) == count
        taken = [deciding.answer(call, b"clean", SIGNED) for call in vendor.calls for _ in range(2)]
        found = await asyncio.gather(*taken, deciding.decide(asked), return_exceptions=True)
        assert not [one for one in found if isinstance(one, BaseException)]
        last = await deciding.decide(asked)
        assert (last.status, last.outcome, last.awaits) == ("duplicate", Outcome.PASS, ())
        assert len({one.decision_id for one in found[:-1] if one.status == "supersedes"}) == count  # type: ignore[union-attr]


@looped
async def test_caller_is_not_told_what_became_of_an_answer(log: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for a decision meanwhile gets one, also where the answer is not to be taken."""
    vendor, asking = LateProvider(), []
    async with engine(vendor, log) as deciding:
        first = await deciding.decide(request())
        ledger: Any = deciding._ledger

        async def gone(decision_id: str) -> None:
            asking.append(asyncio.create_task(deciding.decide(request())))
            await asyncio.sleep(0)

        monkeypatch.setattr(ledger, "evidence", gone)
        with pytest.raises(UnknownCall):
            await deciding.answer(vendor.calls[0], b"clean", SIGNED)
        assert (await asking[0]).decision_id == first.decision_id


@looped
async def test_id_is_not_decided_while_it_is_erased(log: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor, retried = LateProvider(), []
    async with engine(vendor, log) as deciding:
        await deciding.decide(request())
        await deciding.answer(vendor.calls[0], b"clean", SIGNED)
        ledger: Any = deciding._ledger
        erase = ledger.erase

        async def slow(*given: object) -> object:
            retried.append(asyncio.create_task(deciding.decide(request(inputs={"country": "DE"}), anew=True)))
            await asyncio.wait(retried, timeout=0.2)
            assert not retried[0].done()
            return await erase(*given)

        monkeypatch.setattr(ledger, "erase", slow)
        assert await deciding.erase("1" * 32, by="kim") > 0
        with pytest.raises(MerchantBizIdConflict):
            await retried[0]


@looped
async def test_answer_before_the_decision(log: Path | None) -> None:
    """A vendor may be faster than the decision."""
    vendor, gone_on = LateProvider(), asyncio.Event()

    async def slow(_: Context) -> Answer:
        await gone_on.wait()
        return {"emulator": False}

    async with engine(vendor, log, None, slow) as deciding:
        deciding_it = asyncio.create_task(deciding.decide(request()))
        while not vendor.calls:
            await asyncio.sleep(0)
        answering = asyncio.create_task(deciding.answer(vendor.calls[0], b"clean", SIGNED))
        await asyncio.sleep(0)
        gone_on.set()
        first, second = await deciding_it, await answering
        assert (second.supersedes, second.outcome) == (first.decision_id, Outcome.PASS)


@looped
async def test_fault_of_the_reader_leaves_the_call_open(log: Path | None) -> None:
    vendor = LateProvider()
    async with engine(vendor, log) as deciding:
        await deciding.decide(request())
        with pytest.raises(SignalFailed, match="ZeroDivisionError"):
            await deciding.answer(vendor.calls[0], b"bug", SIGNED)
        assert (await deciding.answer(vendor.calls[0], b"clean", SIGNED)).outcome is Outcome.PASS


@looped
async def test_provider_that_reads_nothing_later_has_failed() -> None:
    later = fake_provider("acme.check", {"fraud": "bool", "name": "string"}, SignalLater(within_s=60.0))
    lent = registry_of([later, fake_provider("acme.device", {"emulator": "bool"}, {"emulator": False})])
    async with Engine([parse_policy(POLICY, registry=lent)], registry=lent) as deciding:
        decision = await deciding.decide(request())
        assert decision.signals["check"].status is SignalStatus.ERROR and decision.awaits == ()
        assert later.calls[0].call == ""


@looped
async def test_call_whose_decision_was_lost_is_waited_for(log: Path | None) -> None:
    """It was paid for: the retry does not ask again."""
    vendor = LateProvider(price=Decimal("0.50"))
    async with engine(vendor, log) as deciding:
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(deciding._recording, "conclude", fails)
            with pytest.raises(AuditUnavailable):
                await deciding.decide(request())
        with pytest.raises(UnknownCall):
            await deciding.answer(vendor.calls[0], b"clean", SIGNED)
        first = await deciding.decide(request())
        assert (len(vendor.calls), len(first.awaits), first.cost) == (1, 1, {"USD": Decimal("0.50")})
        assert (await deciding.answer(vendor.calls[0], b"clean", SIGNED)).supersedes == first.decision_id


async def fails(*_: object) -> None:
    raise AuditUnavailable("the disk is full")


@looped
async def test_other_policy_that_answers_by_now_decides(log: Path | None) -> None:
    vendor = LateProvider()
    async with engine(vendor, log) as deciding:
        first = await deciding.decide(request())
        stricter = POLICY.replace("check.fraud, then", "check.fraud == false, then").replace("  country: string\n", "")
        stricter = stricter.replace('country != "SG" && !own.ok', "own.ok == false")
        await deciding.replace([parse_policy(stricter, registry=deciding.registry)])
        second = await deciding.answer(vendor.calls[0], b"clean", SIGNED)
        assert (second.supersedes, second.outcome) == (first.decision_id, Outcome.REJECT)
        assert second.policy_digest != first.policy_digest


@looped
async def test_policy_that_asks_nobody_of_it_takes_no_answer(log: Path | None) -> None:
    vendor = LateProvider()
    async with engine(vendor, log) as deciding:
        first = await deciding.decide(request())
        without = (
            "{policy_language: 1, policy: onboarding, inputs: {n: int}, rules: [{id: r, when: n > 1, then: reject}]}"
        )
        await deciding.replace([parse_policy(without, registry=deciding.registry)])
        with pytest.raises(UnknownCall):
            await deciding.answer(vendor.calls[0], b"clean", SIGNED)
        found = await deciding.find(merchant_biz_id="1" * 32)
        assert found is not None and found.decision_id == first.decision_id


def test_canary_keeps_its_version(tmp_path: Path) -> None:
    vendor = LateProvider()
    lent = registry(vendor)
    champion, other = (
        parse_policy(text, registry=lent)
        for text in (POLICY, POLICY.replace("fraud, then: reject", "fraud, then: review"))
    )
    settings = RolloutSettings(candidates={"other": other})
    with Engine(
        [champion], registry=lent, trail=AuditTrail.open(tmp_path, durability="flush"), rollouts=settings
    ) as deciding:
        deciding.rollout_sync("start", "june", mode="canary", candidate="other", share=1.0, reason="try", by="kim")
        first = deciding.decide_sync(request())
        assert first.arm is not None and len(first.awaits) == 1
        second = asyncio.run(deciding.answer(vendor.calls[0], b"fraud", SIGNED))
        assert (second.arm, second.policy_digest) == (first.arm, other.digest)
        assert (second.outcome, second.supersedes) == (Outcome.REVIEW, first.decision_id)
