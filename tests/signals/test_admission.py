"""Who is asked when many come at once: our own queue, log and limits cost nothing and speak against nobody."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from adjudge.engine import Engine
from adjudge.errors import SignalFailed
from adjudge.model import Decision, Request, Signal, SignalStatus
from adjudge.plugin import Limits, Provider, Quota
from adjudge.registry import parse_policy
from adjudge.signals.admission import Guard, Guards, Usage
from adjudge.signals.ask import Asking, ask
from adjudge.signals.sources import OpenedSignals
from adjudge.testing import NOW, FakeProvider, Slow, fake_provider, registry_of
from virtual_time import VirtualTime

POLICY = """
policy_language: 1
policy: asking
signals: {face: {provider: acme.face, timeout: %s}}
rules: [{id: forged, when: face.score > 0.5, then: reject}]
"""
CLEAN = {"score": 0.1}


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    return VirtualTime(monkeypatch)


def vendor(takes_s: float, **limits: Any) -> FakeProvider:
    """Return a healthy vendor whose answers take their usual time."""
    return fake_provider(
        "acme.face",
        {"score": "double"},
        Slow(takes_s, CLEAN),
        price=Decimal("0.40"),
        latency_s=takes_s,
        limits=Limits(**{"attempts": 3, "breaker_failures": 5, **limits}),
    )


def burst(
    time: VirtualTime, asked: FakeProvider, n: int, timeout: str = "5s", deadline_s: float = 15.0
) -> tuple[list[Decision], Usage]:
    """Decide so many requests at once."""
    registry = registry_of([asked])
    policy = parse_policy(POLICY % timeout, registry=registry)

    async def main() -> tuple[list[Decision], Usage]:
        async with Engine([policy], registry=registry, guards=Guards(), deadline_s=deadline_s) as door:
            requests = [Request(merchant_biz_id=f"{number:032}", scene_code="s") for number in range(n)]
            return list(await asyncio.gather(*map(door.decide, requests))), door.usage()["acme.face"]

    with capture_logs():
        return time.run(main())


@pytest.mark.parametrize("deadline_s", [5.0, 15.0, 60.0])
@pytest.mark.parametrize(
    "limits", [{"rate": 10}, {"in_flight": 8}, {"rate": 10, "in_flight": 64}, {"rate": 3, "in_flight": 2}]
)
def test_burst_on_a_healthy_vendor_pays_for_answers_alone(
    limits: dict[str, Any], deadline_s: float, time: VirtualTime
) -> None:
    """What comes too late in our own queue is refused unpaid, and the breaker stays closed: it is not its business."""
    asked = vendor(1.0, **limits)

    decisions, usage = burst(time, asked, 200, deadline_s=deadline_s)

    signals = [decision.signals["face"] for decision in decisions]
    said = Counter(signal.status if signal.status is SignalStatus.OK else signal.reason_code for signal in signals)
    assert said[SignalStatus.OK] == len(asked.calls) == usage.calls > 0
    assert said.keys() <= {SignalStatus.OK, "RATE_LIMITED", "TOO_MANY_IN_FLIGHT", "NO_TIME"}
    assert (usage.failed, usage.in_doubt, usage.retried, usage.breaker) == (0, 0, 0, "closed")
    assert usage.spent == sum(signal.price for signal in signals) == said[SignalStatus.OK] * Decimal("0.40")
    assert all(not signal.is_final for signal in signals if signal.status is not SignalStatus.OK)


def test_wait_for_a_place_is_not_the_providers_time(time: VirtualTime) -> None:
    """A timeout that just suffices for an answer suffices behind a queue of others, within the decision's deadline."""
    decisions, _ = burst(time, vendor(1.0, in_flight=1), 12, timeout="1100ms")
    assert [decision.signals["face"].status for decision in decisions] == ["ok"] * 12
    assert [round(decision.signals["face"].duration_ms / 1000) for decision in decisions] == [*range(1, 13)]


def test_our_own_refusal_is_not_tried_again(time: VirtualTime) -> None:
    decisions, usage = burst(time, vendor(1.0, daily_calls=1), 3)
    assert [decision.signals["face"].attempts for decision in decisions] == [1, 1, 1]
    assert (usage.calls, usage.refused, usage.retried) == (1, 2, 0)


class SlowBook:
    """A log whose disk takes its time for each record."""

    def __init__(self, takes_s: float, wait_s: float = 0.0) -> None:
        self.takes_s, self.wait_s = takes_s, wait_s
        self.ended: list[tuple[str, bool | None]] = []

    shares_limits = False

    async def begin(
        self, signal: str, provider: Provider, price: Decimal, attempt: int, quota: Quota | None = None
    ) -> tuple[str, float]:
        await asyncio.sleep(self.takes_s)
        return "c" * 32, self.wait_s

    async def end(self, call_id: str, signal: Signal, billed: bool | None) -> None:
        self.ended.append((signal.reason_code or signal.status.value, billed))


@pytest.mark.parametrize(("takes_s", "expected", "asked_for"), [(5.0, ("ok", True), 1), (9.5, ("NO_TIME", False), 0)])
def test_log_that_takes_its_time_takes_none_of_the_providers(
    takes_s: float, expected: tuple[str, bool], asked_for: int, time: VirtualTime
) -> None:
    """Its record says that the call was begun, and the next one that it was not made and costs nothing."""
    asked, book = vendor(1.0, daily_calls=1), SlowBook(takes_s)
    policy = parse_policy(POLICY % "2s", registry=registry_of([asked]))
    guard = Guard(asked, asked.limits)
    source = OpenedSignals(policy, {asked.name: asked}, {(asked.name, ""): guard}, {}).open()["face"]
    request = Request(merchant_biz_id="0" * 32, scene_code="s")

    async def main() -> Signal:
        return await ask(source, Asking(request, book, NOW, time.now() + 10))

    with capture_logs():
        signal = time.run(main())
    assert (book.ended, len(asked.calls), guard.usage().calls_today) == ([expected], asked_for, asked_for)
    assert (signal.price > 0, guard.usage().breaker) == (bool(asked_for), "closed")


def test_call_that_waits_for_the_rate_of_all_costs_nothing_once_nobody_waits_for_it(time: VirtualTime) -> None:
    asked, book = vendor(1.0, daily_calls=1), SlowBook(0.0, wait_s=5.0)
    policy = parse_policy(POLICY % "2s", registry=registry_of([asked]))
    guard = Guard(asked, asked.limits)
    source = OpenedSignals(policy, {asked.name: asked}, {(asked.name, ""): guard}, {}).open()["face"]
    request = Request(merchant_biz_id="0" * 32, scene_code="s")

    async def main() -> None:
        asking = asyncio.ensure_future(ask(source, Asking(request, book, NOW, time.now() + 10)))
        await asyncio.sleep(1.0)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()

    with capture_logs():
        time.run(main())
    assert book.ended == [("error", False)] and not asked.calls and guard.usage().calls_today == 0


def test_tries_before_a_refusal_stay_paid(time: VirtualTime) -> None:
    """The price of a try that was paid for is in the signal, though the next one was refused."""
    lost = SignalFailed("lost", kind="unavailable", billed=True)
    asked = fake_provider(
        "acme.face", {"score": "double"}, lost, CLEAN, price=Decimal("0.40"), limits=Limits(attempts=2, daily_calls=1)
    )
    registry = registry_of([asked])
    text = (POLICY % "5s").replace("timeout: 5s", "timeout: 5s, when_billing_unknown: ask_again")

    async def main() -> Sequence[Signal]:
        async with Engine([parse_policy(text, registry=registry)], registry=registry, guards=Guards()) as door:
            return [(await door.decide(Request(merchant_biz_id="0" * 32, scene_code="s"))).signals["face"]]

    with capture_logs():
        (signal,) = time.run(main())
    assert (signal.reason_code, signal.price, signal.attempts) == ("DAILY_CALLS_MADE", Decimal("0.40"), 2)
