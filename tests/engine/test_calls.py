"""Billed calls: a record before and after each, and none made twice, whatever dies in between."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engines import POLICY, device, engine, face, recorded, request, trail
from structlog.testing import capture_logs

from adjudge.audit.read import read
from adjudge.errors import AuditUnavailable, SignalFailed
from adjudge.ledger.guarded import guarded
from adjudge.ledger.memory import MemoryLedger
from adjudge.ledger.recording import Recording
from adjudge.model import Decision, SignalStatus
from adjudge.plugin import Answer, Body, CallBody, Claim, Context, Limits, Receipt
from adjudge.replay.decisions import replay
from adjudge.signals.admission import Guards
from adjudge.testing import FakeProvider, Slow
from audit.audit_logs import assert_verifies
from engine.test_recording import SwitchedDisk

ASK_AGAIN = POLICY.replace("{provider: acme.face}", "{provider: acme.face, when_billing_unknown: ask_again}")
LOST = SignalFailed("the connection failed", kind="unavailable", reason_code="CONNECTION_FAILED")
NEVER_SENT = SignalFailed("the connection was refused", kind="unavailable", billed=False)


def calls(directory: Path) -> list[CallBody]:
    return [record.decode(CallBody) for record in read(directory) if record.kind == "call"]


def decide(directory: Path, asked: FakeProvider, policy: str = POLICY, **parts: Any) -> Any:
    with capture_logs(), engine([asked, device()], policies=[policy], at=directory) as door:
        return door.decide_sync(request(), **parts)


def die(directory: Path, asked: FakeProvider, policy: str = POLICY) -> None:
    """Decide, in a process that dies while the provider is asked: the log is left as it stands then."""

    async def main() -> None:
        door = engine([asked, device()], policies=[policy], at=directory)
        async with door:
            task = asyncio.create_task(door.decide(request()))
            while not asked.calls:
                await asyncio.sleep(0.001)
            for flight in door._single_flight._under_way.values():
                flight.task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with capture_logs():
        asyncio.run(main())


def test_call_is_recorded_before_it_is_made_and_after(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    async def answer(context: Context) -> Answer:
        seen.append([record.kind for record in read(tmp_path)])
        return {"score": 0.1, "request_id": "R-1"}

    decision = decide(tmp_path, face(answer))

    assert seen == [["policy", "call"]], "on disk before anybody is asked"
    begun, ended = calls(tmp_path)
    assert (begun.stage, ended.stage, begun.call_id) == ("begun", "ended", ended.call_id)
    assert (begun.merchant_biz_id, begun.fingerprint) == (decision.merchant_biz_id, decision.fingerprint)
    assert (begun.provider, begun.price, begun.currency, begun.attempt) == ("acme.face", Decimal("0.10"), "USD", 1)
    assert (ended.status, ended.billed, ended.request_id) == ("ok", "yes", "R-1")
    assert ended.answer == decision.signals["face"]
    assert ended.latency_ms == decision.signals["face"].duration_ms
    assert_verifies(tmp_path)


def test_call_of_a_provider_without_a_price_leaves_no_record(tmp_path: Path) -> None:
    decide(tmp_path, face())

    assert {call.signal for call in calls(tmp_path)} == {"face"}


@pytest.mark.parametrize(
    ("failure", "billed", "asked_again"),
    [
        (LOST, "unknown", False),
        (NEVER_SENT, "no", True),
        (RuntimeError("a fault of the plugin"), "unknown", False),
        (SignalFailed("blurred", capture_again="Again, please.", billed=False), "no", False),
        (SignalFailed("refused", billed=True), "yes", False),
    ],
)
def test_failed_call_is_made_again_for_a_retry_only_where_nothing_was_paid(
    tmp_path: Path, failure: Exception, billed: str, asked_again: bool
) -> None:
    asked = face(failure, {"score": 0.95})
    with capture_logs(), engine([asked, device()], at=tmp_path) as door:
        first, second = door.decide_sync(request()), door.decide_sync(request())

    assert [call.billed for call in calls(tmp_path)][:2] == [None, billed]
    assert (first.outcome, first.signals["face"].is_final) == ("review", not asked_again)
    assert (second.outcome, second.status) == (("reject", "supersedes") if asked_again else ("review", "duplicate"))
    assert len(asked.calls) == 1 + asked_again
    in_doubt = "face may have been paid for without an answer, and is not asked again"
    assert (in_doubt in first.notes) == (billed != "no")


def test_lost_answer_is_asked_for_again_where_the_policy_says_so(tmp_path: Path) -> None:
    asked = face(LOST, {"score": 0.95})
    with capture_logs(), engine([asked, device()], policies=[ASK_AGAIN], at=tmp_path) as door:
        first, second = door.decide_sync(request()), door.decide_sync(request())

    assert (first.outcome, second.outcome, second.status) == ("review", "reject", "supersedes")
    assert [call.billed for call in calls(tmp_path)] == [None, "unknown", None, "yes"]
    assert (first.cost, second.cost) == ({}, {"USD": Decimal("0.10")})


def test_answer_that_is_of_no_use_costs_all_the_same(tmp_path: Path) -> None:
    decision = decide(tmp_path, face(SignalFailed("no result in it", billed=True)))
    assert decision.cost == {"USD": Decimal("0.10")}


def test_answer_with_a_refused_value_is_not_paid_for_twice(tmp_path: Path) -> None:
    once, again = face({"score": 7}, {"score": 0.95}), face({"score": 7}, {"score": 0.95})
    for asked, policy, at in ((once, POLICY, "once"), (again, ASK_AGAIN, "again")):
        with capture_logs(), engine([asked, device()], policies=[policy], at=tmp_path / at) as door:
            door.decide_sync(request())
            door.decide_sync(request())

    assert (len(once.calls), len(again.calls)) == (1, 2)


@pytest.mark.parametrize(("policy", "outcome", "asked_again"), [(POLICY, "review", 0), (ASK_AGAIN, "reject", 1)])
def test_call_in_doubt_after_a_crash_is_handled_as_the_policy_says(
    tmp_path: Path, policy: str, outcome: str, asked_again: int
) -> None:
    die(tmp_path, face(Slow(60, {})), policy)
    assert [call.stage for call in calls(tmp_path)] == ["begun"]
    asked = face({"score": 0.95})

    with capture_logs() as events, engine([asked, device()], policies=[policy], at=tmp_path) as door:
        decision = door.decide_sync(request())
        again = door.decide_sync(request())

    told = [event for event in events if event["event"] == "calls_in_doubt"]
    assert [(event["count"], event["merchant_biz_ids"]) for event in told] == [(1, [request().merchant_biz_id])]
    assert (decision.outcome, again.status, len(asked.calls)) == (outcome, "duplicate", asked_again)
    if not asked_again:
        signal = decision.signals["face"]
        assert (signal.status, signal.reason_code, signal.is_final) == (SignalStatus.UNAVAILABLE, "IN_DOUBT", True)
    with capture_logs() as events, engine([asked, device()], policies=[policy], at=tmp_path) as door:
        assert door.decide_sync(request()).decision_id == decision.decision_id
    assert not [event for event in events if event["event"] == "calls_in_doubt"], "a decision has taken it up"
    assert all(one.answer == "identical" for one in replay(tmp_path))


def test_call_in_doubt_is_made_when_a_decision_is_wanted_anew(tmp_path: Path) -> None:
    die(tmp_path, face(Slow(60, {})))

    assert decide(tmp_path, asked := face({"score": 0.95}), anew=True).outcome == "reject"
    assert len(asked.calls) == 1


def test_call_in_doubt_says_nothing_of_another_picture(tmp_path: Path) -> None:
    die(tmp_path, face(Slow(60, {})))
    asked = face({"score": 0.95})

    with capture_logs(), engine([asked, device()], at=tmp_path) as door:
        assert door.decide_sync(request(inputs={"country": "KP"})).outcome == "reject"


def die_before_the_decision(directory: Path, *asked: FakeProvider) -> None:
    async def died(*parts: object) -> None:
        raise RuntimeError("the process ends here")

    with pytest.MonkeyPatch.context() as patch, capture_logs(), engine(asked, at=directory) as door:
        patch.setattr(Recording, "conclude", died)
        with pytest.raises(RuntimeError, match="ends here"):
            door.decide_sync(request())


def test_answer_that_no_decision_holds_yet_is_used_after_a_crash(tmp_path: Path) -> None:
    die_before_the_decision(tmp_path, face({"score": 0.95, "request_id": "R-9"}), device())
    assert [call.stage for call in calls(tmp_path)] == ["begun", "ended"]
    assert recorded(tmp_path) == []

    decision = decide(tmp_path, asked := face({"score": 0.0}))

    assert (decision.outcome, decision.signals["face"].request_id, len(asked.calls)) == ("reject", "R-9", 0)
    assert decision.cost == {"USD": Decimal("0.10")}, "it was paid for, and no other decision says so"
    assert all(one.answer == "identical" for one in replay(tmp_path))


def test_answer_is_kept_while_the_log_cannot_be_written(tmp_path: Path) -> None:
    disk = SwitchedDisk()

    async def answer(context: Context) -> Answer:
        disk.is_off = True
        return {"score": 0.95}

    asked = face(answer)
    with capture_logs(), engine([asked, device()], trail=trail(tmp_path, disk=disk)) as door:
        with pytest.raises(AuditUnavailable):
            door.decide_sync(request())
        disk.is_off = False
        decision = door.decide_sync(request())

    assert (decision.outcome, decision.status, len(asked.calls)) == ("reject", "fresh", 1)
    assert [call.stage for call in calls(tmp_path)] == ["begun"], "the log itself still calls it in doubt"


class LostOnTheWay(MemoryLedger):
    """A ledger that takes no ends, be they of calls or of decisions."""

    async def end_call(self, claim: Claim, call: CallBody) -> None:
        raise AuditUnavailable("the connection was lost")

    async def conclude(self, claim: Claim, decision: Decision, record: Body) -> Receipt:
        raise AuditUnavailable("the connection was lost")


@pytest.mark.parametrize("is_shared", [False, True])
def test_personal_answer_is_not_kept_where_the_erasure_of_another_worker_would_not_reach_it(is_shared: bool) -> None:
    """An engine of one process keeps both, and its own erasure reaches them."""
    ledger: Any = LostOnTheWay()
    owner = device({"emulator": False, "owner": "CANARY-OWNER"}, price=Decimal("0.01"))
    with capture_logs(), engine([face(), owner], ledger=guarded(ledger) if is_shared else ledger) as door:
        with pytest.raises(AuditUnavailable):
            door.decide_sync(request())
        kept = door._calls._unrecorded[request().merchant_biz_id]
        assert {name for name, _ in kept} == ({"face"} if is_shared else {"face", "device"})
        door.erase_sync(request().merchant_biz_id)
        assert not door._calls._unrecorded


def test_personal_field_of_an_answer_stands_in_its_call_as_a_commitment(tmp_path: Path) -> None:
    owner = device({"emulator": False, "owner": "CANARY-OWNER"}, price=Decimal("0.01"))
    die_before_the_decision(tmp_path, face(), owner)
    ended = next(call for call in calls(tmp_path) if call.signal == "device" and call.stage == "ended")
    assert (ended.personal, b"CANARY" in (tmp_path / "audit-000001.jsonl").read_bytes()) == (("device.owner",), False)

    asked = device()
    with capture_logs(), engine([face(), asked], at=tmp_path) as door:
        decision = door.decide_sync(request())
    assert (decision.signals["device"].fields["owner"], len(asked.calls)) == ("CANARY-OWNER", 0)
    assert b"CANARY" not in (tmp_path / "audit-000001.jsonl").read_bytes()


def test_budget_of_the_day_counts_what_an_earlier_process_spent(tmp_path: Path) -> None:
    limits = {"acme.face": Limits(daily_calls=2)}
    outcomes = []
    for n in range(3):
        with capture_logs(), engine(at=tmp_path, limits=limits, guards=Guards()) as door:
            signal = door.decide_sync(request(n)).signals["face"]
            outcomes.append(signal.reason_code)
            usage = door.usage()["acme.face"]
    assert outcomes == [None, None, "DAILY_CALLS_MADE"]
    assert (usage.calls, usage.calls_today, usage.spent_today) == (0, 2, Decimal("0.20"))
