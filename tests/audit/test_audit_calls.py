"""What the records of billed calls come to: what is open, what is in doubt, what was paid."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from msgspec import structs

from adjudge.audit.calls import Bill, OpenCalls
from adjudge.audit.record import Place
from adjudge.model import Signal, SignalStatus
from adjudge.plugin import CallBody, DaySpend

AT = datetime(2026, 1, 15, 23, 59, 59, tzinfo=UTC)
NEXT_DAY = AT + timedelta(seconds=2)
DAY = date(2026, 1, 15)
BIZ, MARK = "a" * 32, "f" * 64
ANSWER = Signal(name="face", status=SignalStatus.OK, fields={"score": 0.1})


def begun(number: int, **parts: Any) -> CallBody:
    call = CallBody(
        call_id=f"{number:032x}",
        stage="begun",
        merchant_biz_id=BIZ,
        fingerprint=MARK,
        policy_digest="d" * 64,
        signal="face",
        provider="acme.face",
        version="1",
        attempt=1,
        price=Decimal("0.40"),
        currency="USD",
        at=AT,
    )
    return structs.replace(call, **parts)


def ended(call: CallBody, billed: Any, **parts: Any) -> CallBody:
    return structs.replace(call, **{"stage": "ended", "billed": billed, "at": NEXT_DAY, **parts})


def fed(*bodies: CallBody) -> OpenCalls:
    calls = OpenCalls()
    for body in bodies:
        calls.add(body)
    return calls


def test_open_call_begun_and_never_ended_is_in_doubt() -> None:
    call = begun(1)
    assert fed(call).of(BIZ, MARK) == {"face": call}
    assert call.is_in_doubt
    assert not ended(call, "yes").is_in_doubt
    assert ended(call, "unknown").is_in_doubt


def test_open_calls_are_those_of_one_request_alone() -> None:
    calls = fed(begun(1), begun(2, fingerprint="0" * 64), begun(3, merchant_biz_id="b" * 32))
    assert [call.call_id for call in calls.of(BIZ, MARK).values()] == [begun(1).call_id]
    assert len(list(calls.undecided())) == 3


def test_open_answer_goes_before_a_doubt_whichever_came_first() -> None:
    lost, paid = begun(1), begun(2)
    answered = ended(paid, "yes", answer=ANSWER)
    assert fed(lost, ended(lost, "unknown"), paid, answered).of(BIZ, MARK) == {"face": answered}
    assert fed(paid, answered, lost, ended(lost, "unknown")).of(BIZ, MARK) == {"face": answered}


def test_open_call_that_cost_nothing_is_forgotten_and_leaves_the_others() -> None:
    lost, free = begun(1), begun(2)
    calls = fed(lost, free, ended(free, "no"))
    assert calls.of(BIZ, MARK) == {"face": lost}
    assert fed(free, ended(free, "no"))._open == {}, "nothing is kept of it"


def test_open_calls_of_a_decided_request_are_closed() -> None:
    calls = fed(begun(1), begun(2, signal="device"), begun(3, fingerprint="0" * 64))
    calls.decided(BIZ, MARK)
    assert calls.of(BIZ, MARK) == {}
    assert len(list(calls.undecided())) == 1


def test_today_counts_a_call_for_the_day_on_which_it_was_begun() -> None:
    first, second, free = begun(1), begun(2), begun(3)
    calls = fed(first, second, ended(first, "yes"), free, ended(free, "no"))
    assert calls.spent == {("acme.face", DAY): DaySpend(2, Decimal("0.80"))}
    calls.add(begun(4, at=NEXT_DAY))
    calls.add(ended(second, "no"))
    assert calls.spent == {
        ("acme.face", DAY): DaySpend(1, Decimal("0.40")),
        ("acme.face", NEXT_DAY.date()): DaySpend(1, Decimal("0.40")),
    }


def test_spent_on_a_day_is_one_sum_however_often_the_clock_comes_by() -> None:
    """A clock that steps over midnight and back, or a year ahead and back, or that has a zone, gives no new day."""
    ahead, zoned = NEXT_DAY + timedelta(days=365), begun(5).at.astimezone(timezone(timedelta(hours=14)))
    assert zoned.date() != DAY
    calls = fed(begun(1), begun(2, at=NEXT_DAY), begun(3), begun(4, at=ahead), begun(5, at=zoned))
    assert {day: tally.calls for (_, day), tally in calls.spent.items()} == {
        DAY: 3,
        NEXT_DAY.date(): 1,
        ahead.date(): 1,
    }


def test_today_does_not_count_back_what_it_never_counted() -> None:
    """The beginning of a call may lie before the part of the log that is read."""
    calls = fed(ended(begun(1), "no"), begun(2))
    assert calls.spent["acme.face", DAY].calls == 1


def test_bill_sums_by_day_provider_and_currency() -> None:
    paid, paid_too, lost, never, free = (begun(n) for n in range(1, 6))
    other = begun(6, provider="acme.other", currency="EUR", price=Decimal("0.10"))
    bodies = [
        paid, ended(paid, "yes"), paid_too, ended(paid_too, "yes"), lost, ended(lost, "unknown"),
        never, free, ended(free, "no"), other, ended(other, "yes"),
    ]  # fmt: skip
    bill = Bill()
    for seq, body in enumerate(bodies, 1):
        bill.add(Place(seq, seq), body)
    days = {
        key: (day.calls, day.billed, day.paid, day.in_doubt, day.doubtful) for key, day in sorted(bill.days.items())
    }
    assert days == {
        (AT.date(), "acme.face", "USD"): (5, 2, Decimal("0.80"), 2, Decimal("0.80")),
        (AT.date(), "acme.other", "EUR"): (1, 1, Decimal("0.10"), 0, Decimal(0)),
    }
    assert [(at.seq, call.stage) for at, call in bill.in_doubt.values()] == [(6, "ended"), (7, "begun")]


def test_bill_takes_a_call_whose_beginning_is_not_there() -> None:
    bill = Bill()
    bill.add(Place(1, 1), ended(begun(1), "yes"))
    days = [(day.calls, day.billed, day.paid, day.in_doubt, day.doubtful) for day in bill.days.values()]
    assert days == [(1, 1, Decimal("0.40"), 0, Decimal(0))]
    assert bill.in_doubt == {}
