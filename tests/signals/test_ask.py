"""Trying again: only what may pass, only what was not paid for, never past the deadline or the budget of retries."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from adjudge.engine import Engine
from adjudge.errors import SignalFailed
from adjudge.model import Decision, Request
from adjudge.plugin import Limits
from adjudge.registry import parse_policy
from adjudge.signals import ask
from adjudge.signals.admission import Guards
from adjudge.testing import FakeProvider, Slow, fake_provider, registry_of
from virtual_time import VirtualTime

POLICY = """
policy_language: 1
policy: asking
signals: {face: {provider: acme.face, timeout: %s, when_billing_unknown: %s}}
rules: [{id: forged, when: face.score > 0.5, then: reject}]
"""
ANSWER = {"score": 0.9}


def throttled(retry_after_s: float | None = None) -> SignalFailed:
    return SignalFailed("throttled", kind="unavailable", billed=False, retry_after_s=retry_after_s)


def lost() -> SignalFailed:
    return SignalFailed("the connection failed", kind="unavailable")


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    return VirtualTime(monkeypatch)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let waits take no time, and note them."""
    noted: list[float] = []
    real = ask.asyncio.sleep

    async def sleep(seconds: float) -> None:
        noted.append(seconds)
        await real(0)

    monkeypatch.setattr("adjudge.signals.ask.asyncio.sleep", sleep)
    return noted


def face(*answers: object, price: str = "0.40") -> FakeProvider:
    return fake_provider("acme.face", {"score": "double"}, *answers, price=Decimal(price))  # type: ignore[arg-type]


def decide(
    asked: FakeProvider,
    *,
    timeout: str = "10s",
    doubt: str = "unknown",
    time: VirtualTime | None = None,
    **limits: Any,
) -> Decision:
    registry = registry_of([asked])
    kept = {"acme.face": Limits(**{"attempts": 3, **limits})}
    policy = parse_policy(POLICY % (timeout, doubt), registry=registry)

    async def main() -> Decision:
        async with Engine([policy], registry=registry, limits=kept, guards=Guards()) as door:
            return await door.decide(Request(merchant_biz_id="0" * 32, scene_code="s"))

    with capture_logs():
        return asyncio.run(main()) if time is None else time.run(main())


def test_ask_tries_again_what_may_pass(waits: list[float]) -> None:
    asked = face(throttled(), throttled(), ANSWER)

    signal = decide(asked).signals["face"]

    assert (signal.fields, signal.attempts, len(asked.calls)) == (ANSWER, 3, 3)
    first, second = waits
    assert ask.FIRST_WAIT_S / 2 <= first <= ask.FIRST_WAIT_S <= second <= 2 * ask.FIRST_WAIT_S


def test_ask_stops_after_its_attempts(waits: list[float]) -> None:
    asked = face(throttled())

    signal = decide(asked).signals["face"]

    assert (signal.status, signal.reason, signal.attempts, len(asked.calls)) == ("unavailable", "throttled", 3, 3)


@pytest.mark.parametrize(("doubt", "calls"), [("unknown", 1), ("ask_again", 2)])
def test_ask_lost_answer_is_asked_for_again_only_where_the_policy_says_so(
    waits: list[float], doubt: str, calls: int
) -> None:
    asked = face(lost(), ANSWER)

    signal = decide(asked, doubt=doubt).signals["face"]

    assert (len(asked.calls), signal.status == "ok") == (calls, calls == 2)


def test_ask_lost_answer_that_costs_nothing_is_asked_for_again(waits: list[float]) -> None:
    assert decide(asked := face(lost(), ANSWER, price="0")).outcome == "reject"
    assert len(asked.calls) == 2


@pytest.mark.parametrize("kind", ["error", "misconfigured"])
def test_ask_does_not_try_again_what_does_not_pass(waits: list[float], kind: str) -> None:
    asked = face(SignalFailed("no", kind=kind, billed=False), ANSWER)

    assert (decide(asked).signals["face"].status, len(asked.calls), waits) == ("error", 1, [])


def test_ask_leaves_the_other_side_alone_for_as_long_as_it_asks(waits: list[float]) -> None:
    decide(face(throttled(retry_after_s=4.5), ANSWER))

    assert waits == [4.5]


@pytest.mark.parametrize("retry_after_s", [11.0, 1e9])
def test_ask_never_waits_past_the_deadline(waits: list[float], retry_after_s: float) -> None:
    asked = face(throttled(retry_after_s=retry_after_s), ANSWER)

    assert (decide(asked).outcome, len(asked.calls), waits) == ("review", 1, [])


def test_ask_attempt_has_its_own_timeout(time: VirtualTime) -> None:
    asked = face(Slow(60, ANSWER), ANSWER)

    signal = decide(asked, doubt="ask_again", time=time, attempt_timeout_s=2.0).signals["face"]

    assert (signal.status, signal.attempts) == ("ok", 2)
    assert asked.calls[0].deadline < asked.calls[1].deadline


def test_ask_provider_knows_best_whether_its_request_was_sent(time: VirtualTime) -> None:
    """What it says of its own timeout, a moment before ours, counts: a request that was never sent is not in doubt."""

    async def times_out(context: Any) -> Any:
        await asyncio.wait({asyncio.create_task(asyncio.Event().wait())}, timeout=context.deadline - time.now())
        raise SignalFailed("no connection in time", kind="timeout", billed=False)

    signal = decide(face(times_out), timeout="3s", time=time, attempts=1).signals["face"]

    assert (signal.status, signal.reason, signal.is_final) == ("timeout", "no connection in time", False)


def test_ask_open_breaker_asks_nobody_and_the_policy_decides(waits: list[float]) -> None:
    asked = face(SignalFailed("wrong key", kind="misconfigured", billed=False))
    registry = registry_of([asked])
    policy = parse_policy(POLICY % ("10s", "unknown"), registry=registry)
    with capture_logs() as events, Engine([policy], registry=registry, guards=Guards()) as door:
        first, second = (door.decide_sync(Request(merchant_biz_id=f"{n:032}", scene_code="s")) for n in range(2))

    assert (first.outcome, second.outcome, len(asked.calls)) == ("review", "review", 1)
    assert second.signals["face"].reason_code == "BREAKER_OPEN"
    assert "breaker_opened" in [event["event"] for event in events if event["log_level"] == "error"]
