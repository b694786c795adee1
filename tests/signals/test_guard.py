"""What protects the account behind a provider: rate, number, cost, breaker; over every thread and loop of a process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from adjudge.engine import Engine
from adjudge.errors import SignalFailed
from adjudge.model import Request
from adjudge.plugin import Answer, Context, Limits, Provider
from adjudge.registry import parse_policy
from adjudge.signals.admission import DAYS_KEPT, Guard, Guards
from adjudge.signals.breaker import Breaker
from adjudge.testing import NOW, fake_provider, registry_of
from virtual_time import VirtualTime

LOST = SignalFailed("lost", kind="unavailable")
REFUSED = SignalFailed("refused", kind="unavailable", billed=False)
MISCONFIGURED = SignalFailed("wrong key", kind="misconfigured", billed=False)
BLURRED = SignalFailed("blurred", capture_again="Again, please.")
OURS = SignalFailed("no time", kind="timeout", billed=False, asked=False)
SPOILT = SignalFailed("a parameter is wrong", billed=False)


class Clock:
    """Seconds and days that stand still; `asyncio.sleep` lets them go by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1000.0
        self.now = NOW
        real = asyncio.sleep

        async def sleep(seconds: float) -> None:
            await real(0)
            self.seconds += seconds

        monkeypatch.setattr("adjudge.signals.admission.asyncio.sleep", sleep)

    def timer(self) -> float:
        return self.seconds

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def guard(clock: Clock) -> Callable[..., Guard]:
    def make(price: str = "0.40", **limits: Any) -> Guard:
        provider = fake_provider("acme.face", {"score": "double"}, price=Decimal(price))
        return Guard(provider, Limits(**limits), timer=clock.timer, clock=clock)

    return make


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    return VirtualTime(monkeypatch)


def admit(guard: Guard, deadline: float = 1e9) -> str | None:
    """Ask to be let in, and return the reason code of a refusal."""
    try:
        asyncio.run(guard.admit(deadline))
    except SignalFailed as refused:
        return refused.reason_code if refused.billed is False else "it may have been paid for"
    return None


# rate


def test_rate_lets_no_more_through_in_any_second(guard: Callable[..., Guard], clock: Clock) -> None:
    kept = guard(rate=10)
    begun = []
    for number in range(60):
        clock.seconds += 0.013 * (number % 7)
        assert admit(kept) is None
        begun.append(clock.seconds)
        kept.left(None)
    for at in begun:
        assert len([one for one in begun if at <= one < at + 1 - 1e-9]) <= 10
    assert begun[-1] - begun[0] < 6, "and it keeps nobody longer than it must"


def test_rate_below_one_a_second_spaces_calls(guard: Callable[..., Guard], clock: Clock) -> None:
    kept = guard(rate=0.5)
    begun = []
    for _ in range(3):
        admit(kept)
        begun.append(clock.seconds - 1000)
    assert begun == [0, 2, 4]


def test_rate_without_room_before_the_deadline_refuses_at_once(guard: Callable[..., Guard], clock: Clock) -> None:
    kept = guard(rate=2)
    assert [admit(kept, clock.seconds + 0.5) for _ in range(3)] == [None, None, "RATE_LIMITED"]
    assert kept.usage().calls_today == 2, "what was refused used nothing up"
    clock.seconds += 1
    assert admit(kept, clock.seconds) is None


# in flight


def test_in_flight_waits_for_a_place_and_gives_up_at_the_deadline(time: VirtualTime) -> None:
    kept = Guard(fake_provider("acme.face", {}), Limits(in_flight=2))

    async def main() -> list[str | None]:
        await kept.admit(time.now() + 9)
        await kept.admit(time.now() + 9)
        waiting = asyncio.create_task(kept.admit(time.now() + 9))
        with pytest.raises(SignalFailed) as late:
            await kept.admit(time.now() + 0.02)
        cancelled = asyncio.create_task(kept.admit(time.now() + 9))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        assert not waiting.done()
        kept.left(None)
        await waiting
        kept.left(None)
        kept.left(None)
        for _ in range(2):
            await kept.admit(time.now() + 0.02)
        return [late.value.reason_code]

    assert time.run(main()) == ["TOO_MANY_IN_FLIGHT"]


def test_in_flight_counts_over_threads_and_loops() -> None:
    kept = Guard(fake_provider("acme.face", {}), Limits(in_flight=3))
    lock, now, most = threading.Lock(), [0], [0]

    async def call() -> None:
        await kept.admit(monotonic() + 600)
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        await asyncio.sleep(0.001)
        with lock:
            now[0] -= 1
        kept.left(None)

    async def many() -> None:
        await asyncio.gather(*(call() for _ in range(50)))

    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most[0], kept.usage().calls) == (3, 200)


# budget


def test_daily_calls_are_those_that_were_or_may_have_been_paid(guard: Callable[..., Guard], clock: Clock) -> None:
    kept = guard(daily_calls=2)
    for ended, in_doubt in ((REFUSED, False), (None, False), (LOST, True)):
        assert admit(kept) is None
        kept.left(ended, in_doubt=in_doubt)
    assert admit(kept) == "DAILY_CALLS_MADE"
    clock.now += timedelta(days=1)
    assert admit(kept) is None, "another day of UTC"


@pytest.mark.parametrize("budget", [{"daily_calls": 3}, {"daily_spend": Decimal("1.20")}])
@pytest.mark.parametrize("away", [timedelta(hours=24), timedelta(days=365), timedelta(days=-1), timedelta(days=-365)])
def test_day_has_one_budget_however_often_the_clock_comes_by(
    guard: Callable[..., Guard], clock: Clock, budget: dict[str, Any], away: timedelta
) -> None:
    """A clock that steps over midnight and back, or years ahead and back, gives no new calls for a day."""
    kept, calls = guard(**budget), {clock.now.date(): 0, (clock.now + away).date(): 0}
    for _ in range(5):
        for _ in range(5):
            if admit(kept) is None:
                kept.left(None)
                calls[clock.now.date()] += 1
        clock.now, away = clock.now + away, -away
    assert set(calls.values()) == {3}


def test_day_is_that_of_utc_whatever_the_clocks_zone(guard: Callable[..., Guard], clock: Clock) -> None:
    """Two readings of one moment are one day, also across a change to summer time."""
    kept = guard(daily_calls=1)
    clock.now = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert admit(kept) is None
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"):
        clock.now = clock.now.astimezone(ZoneInfo(zone))
        assert admit(kept) == "DAILY_CALLS_MADE"


def test_call_that_cost_nothing_is_taken_back_from_its_own_day(guard: Callable[..., Guard], clock: Clock) -> None:
    """One that was begun before midnight and refused after it gives the new day no call more."""
    kept = guard(daily_calls=1)
    late = asyncio.run(kept.admit(1e9))
    clock.now += timedelta(days=1)
    assert admit(kept) is None
    kept.left(REFUSED, day=late)
    assert admit(kept) == "DAILY_CALLS_MADE"
    clock.now -= timedelta(days=1)
    assert admit(kept) is None


def test_days_that_are_remembered_are_bounded(guard: Callable[..., Guard], clock: Clock) -> None:
    kept = guard()
    for _ in range(2 * DAYS_KEPT):
        admit(kept)
        clock.now += timedelta(days=1)
    assert len(kept._days) == DAYS_KEPT


def test_daily_spend_is_never_passed(guard: Callable[..., Guard]) -> None:
    kept = guard(daily_spend=Decimal("1.00"))
    assert [admit(kept) for _ in range(3)] == [None, None, "DAILY_SPEND_REACHED"], (
        "2 × 0.40, and 0.20 do not pay a third"
    )
    kept.left(REFUSED)
    assert admit(kept) is None
    usage = kept.usage()
    assert (usage.spent, usage.spent_today, usage.refused) == (Decimal(0), Decimal("0.80"), 1)


def test_price_of_the_limits_goes_before_the_providers(guard: Callable[..., Guard]) -> None:
    assert guard(price="0.40").price == Decimal("0.40")
    provider = fake_provider("acme.face", {}, price=Decimal("0.40"))
    assert Guard(provider, Limits(price=Decimal("0.35"))).price == Decimal("0.35")


def test_call_that_was_not_made_after_all_uses_nothing_up(guard: Callable[..., Guard]) -> None:
    kept = guard(daily_calls=1, in_flight=1)
    admit(kept)
    kept.not_made()
    assert admit(kept) is None
    kept.abandoned()
    assert (kept.usage().in_doubt, kept.usage().spent) == (1, Decimal("0.40"))


def test_begin_with_counts_the_larger_of_both(guard: Callable[..., Guard], clock: Clock) -> None:
    kept = guard(daily_calls=10)
    admit(kept)
    kept.begin_with(clock.now.date(), 7, Decimal("2.80"))
    kept.begin_with(clock.now.date(), 3, Decimal("1.20"))
    kept.begin_with(clock.now.date() - timedelta(days=1), 99, Decimal(99))
    assert (kept.usage().calls_today, kept.usage().spent_today) == (7, Decimal("2.80"))


# breaker


def test_breaker_opens_after_failures_in_a_row_and_tries_again(guard: Callable[..., Guard], clock: Clock) -> None:
    kept = guard(breaker_failures=3, breaker_pause_s=30)
    with capture_logs() as events:
        for ended in (LOST, LOST, None, LOST, LOST, SPOILT, LOST, LOST, BLURRED, LOST, LOST, OURS, LOST, LOST):
            assert admit(kept) is None
            kept.left(ended, in_doubt=ended is LOST)
        assert kept.usage().breaker == "closed", "what does not speak against it breaks the row"
        admit(kept)
        kept.left(LOST, in_doubt=True)
        assert (kept.usage().breaker, admit(kept)) == ("open", "BREAKER_OPEN")
        clock.seconds += 30
        assert (kept.usage().breaker, admit(kept)) == ("trying", None)
        assert admit(kept) == "BREAKER_OPEN", "one call tries, the others wait for what it brings"
        kept.left(LOST, in_doubt=True)
        clock.seconds += 29
        assert admit(kept) == "BREAKER_OPEN"
        clock.seconds += 1
        admit(kept)
        kept.left(None)
    assert (kept.usage().breaker, admit(kept)) == ("closed", None)
    opened = [event for event in events if event["event"] == "breaker_opened"]
    assert [(event["log_level"], event["reason"]) for event in opened] == [("warning", "lost"), ("warning", "lost")]


def test_breaker_opens_at_once_and_loudly_for_a_wrong_configuration(guard: Callable[..., Guard]) -> None:
    kept = guard()
    with capture_logs() as events:
        admit(kept)
        kept.left(MISCONFIGURED)
    with pytest.raises(SignalFailed, match="not asked since it failed: wrong key"):
        asyncio.run(kept.admit(1e9))
    assert [(event["event"], event["log_level"]) for event in events] == [("breaker_opened", "error")]


def test_breaker_trial_that_nobody_reports_on_is_given_up() -> None:
    now = [0.0]
    breaker = Breaker(1, 10, lambda: now[0])
    breaker.failed("x")
    now[0] = 10
    assert (breaker.refusal(), breaker.refusal() is None) == (None, False)
    now[0] = 20
    assert breaker.refusal() is None


# retries


def test_retries_are_a_tenth_of_the_calls_once_the_store_is_used_up(guard: Callable[..., Guard]) -> None:
    kept = guard()
    assert sum(kept.may_retry() for _ in range(50)) == 10
    for _ in range(100):
        kept.first_try()
    assert sum(kept.may_retry() for _ in range(50)) in (9, 10)
    assert kept.usage().retried in (19, 20)


# one for a process


def test_guards_have_one_for_each_provider_and_forget_it_with_him() -> None:
    guards = Guards()
    one, other = fake_provider("acme.face", {}), fake_provider("acme.face", {})
    kept = guards.of(one, Limits())
    assert guards.of(one, Limits()) is kept
    assert guards.of(other, Limits()) is not kept
    assert guards.of(one, Limits(), "another account") is not kept
    assert guards.of(one, Limits()) is kept
    assert guards.of(one, Limits(rate=3)) is not kept
    del one, other
    assert not guards._guards


def test_guards_take_any_subclass_of_provider() -> None:
    class Own(Provider):
        __slots__ = ()

    own = Own(name="own", fields={}, open=lambda config: None)  # type: ignore[arg-type, return-value]
    assert Guards().of(own, Limits()).usage().provider == "own"


def test_engine_two_accounts_of_a_provider_do_not_stop_each_other() -> None:
    """A wrong key of one policy must not stop the calls of another policy's account."""

    def answer(context: Context) -> Answer:
        if context.request.policy == "wrong":
            raise MISCONFIGURED
        return {"score": 0.9}

    asked = fake_provider(
        "acme.face", {"score": "double"}, answer, price=Decimal("0.40"), account=lambda config: str(config.get("at"))
    )
    registry = registry_of([asked])
    policies = [
        parse_policy(
            f"{{policy_language: 1, policy: {name}, signals: {{face: {{provider: acme.face, with: {{at: {name}}}}}}},"
            " rules: [{id: forged, when: face.score > 0.5, then: reject}]}",
            registry=registry,
        )
        for name in ("wrong", "right")
    ]
    with capture_logs(), Engine(policies, registry=registry, guards=Guards()) as door:
        said = [
            door.decide_sync(Request(merchant_biz_id=f"{n:032}", scene_code="s", policy=policy)).signals["face"]
            for n, policy in enumerate(("wrong", "wrong", "right"))
        ]
        usage = door.usage()
    assert [signal.reason_code for signal in said] == [None, "BREAKER_OPEN", None]
    assert said[2].status == "ok"
    assert {name: one.calls for name, one in usage.items()} == {"acme.face wrong": 1, "acme.face right": 1}
