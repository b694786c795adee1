"""The engine's front door: what it refuses, what it says of a decision, how it opens and closes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engines import CLEAN, POLICY, device, engine, face, recorded, request
from structlog.testing import capture_logs

from adjudge.engine import Engine
from adjudge.errors import AuditUnavailable, RequestError, SignalFailed
from adjudge.model import Decision, Face, Outcome, Request
from adjudge.registry import Registry
from adjudge.testing import NOW, FakeClock, fake_provider

OTHER = POLICY.replace("policy: onboarding", "policy: payouts")


@pytest.mark.parametrize(
    ("parts", "said", "hint"),
    [
        ({"inputs": {"contry": "SG"}}, "inputs.contry: is not declared", "did you mean `country`?"),
        ({"inputs": {5: "SG"}}, "inputs.an int: is not declared", None),
        ({"signals": {"ovn": {}}}, "signals.ovn: is not declared", "did you mean `own`?"),
        ({"signals": {"own": {"okay": True}}}, "signals.own.okay: is not declared", "did you mean `ok`?"),
        ({"signals": {"device": {"emulator": False}}},
         "signals.device: comes from acme.device, not from the caller", None),
        ({"policy": "onbording"}, "policy: there is no policy `onbording`", "did you mean `onboarding`?"),
        ({"policy": 5}, "policy: must be a policy's name", None),
        ({"inputs": {"country": b"SG"}}, "inputs.country: must be a string, not a bytes", None),
        ({"inputs": {"age": Decimal(5)}}, "inputs.age: must be a duration, not a Decimal", None),
        ({"inputs": {"born": date(2026, 1, 1)}}, "inputs.born: must be a timestamp, not a date", None),
        ({"inputs": {"country": NOW}}, "inputs.country: must be a string, not a datetime", None),
        ({"signals": {"own": {"score": object()}}}, "signals.own.score: must be an int, not an object", None),
    ],
)  # fmt: skip
def test_decide_request_that_cannot_be_right_is_refused_and_nobody_is_asked(
    parts: dict[str, Any], said: str, hint: str | None, tmp_path: Path
) -> None:
    asked = [face(), device()]
    with engine(asked, at=tmp_path) as door, pytest.raises(RequestError) as refused:
        door.decide_sync(request(**parts))
    assert (str(refused.value), refused.value.hint) == (said, hint)
    assert [len(provider.calls) for provider in asked] == [0, 0]
    assert recorded(tmp_path) == []


def test_decide_input_nested_past_all_bounds_is_refused() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with engine() as door, pytest.raises(RequestError, match=r"inputs\.country: is nested too deeply"):
        door.decide_sync(request(inputs={"country": deep}))


@pytest.mark.parametrize(
    ("inputs", "own", "notes"),
    [
        ({"country": 5}, {}, ["country must be a string, not an int"]),
        ({"age": float("nan")}, {}, ["age must be a finite number, not nan"]),
        ({"age": "soon"}, {}, ["age must be a duration: `soon` is not a duration"]),
        ({"born": "CANARY"}, {}, ["born must be a timestamp, not another string"]),
        ({"born": datetime(1990, 1, 1)}, {}, ["born must say its time zone"]),
        ({}, {"ok": "true"}, ["own.ok must be a bool, not a string"]),
        ({}, {"ok": 2**64}, ["own.ok is an integer past 64 bits"]),
        ({}, {"ok": None}, []),
    ],
)
def test_decide_wrong_value_is_unknown_and_said_so_in_notes(
    inputs: dict[str, object], own: dict[str, object], notes: list[str], tmp_path: Path
) -> None:
    with engine(at=tmp_path) as door:
        decision = door.decide_sync(request(inputs=CLEAN | {"country": "US"} | inputs, signals={"own": own}))
    assert list(decision.notes) == notes
    assert decision.outcome is Outcome.REVIEW and not decision.verdict.settled
    assert list(recorded(tmp_path)[0].notes) == notes


def test_decide_without_audit_says_so() -> None:
    with engine() as door:
        assert door.decide_sync(request()).notes == ("not recorded: the engine has no audit log",)


def test_decide_waiver_is_named() -> None:
    policy = POLICY.replace("{provider: acme.device,", "{provider: acme.device, when_unknown: pass,")
    with capture_logs(), engine([face(), device(SignalFailed("down"))], policies=[policy]) as door:
        decision = door.decide_sync(request())
    assert decision.outcome is Outcome.PASS
    assert "the doubt about `emulated` was waived by the policy" in decision.notes


def test_decide_policy_is_the_only_one_or_named() -> None:
    with engine(policies=[POLICY, OTHER]) as door:
        with pytest.raises(RequestError, match="policy: name one of onboarding, payouts"):
            door.decide_sync(request())
        assert door.decide_sync(request(policy="payouts")).policy == "payouts"
        assert door.decide_sync(request(1, policy="onboarding")).policy == "onboarding"


@pytest.mark.parametrize("policies", [[], [POLICY, POLICY]])
def test_engine_without_policies_or_with_two_of_one_name_is_refused(policies: list[str]) -> None:
    with pytest.raises(ValueError, match="policies, each with its own name"):
        engine(policies=policies)


def test_decide_cost_is_summed_by_currency_and_failures_are_free() -> None:
    policy = """
policy_language: 1
policy: costs
signals: {a: {provider: p.a}, b: {provider: p.b}, c: {provider: p.c}, d: {provider: p.d}}
rules: [{id: r, when: a.x && b.x && c.x && d.x, then: review}]
"""
    prices = {"a": ("0.10", "USD"), "b": ("0.03", "EUR"), "c": ("0.20", "USD"), "d": ("9", "USD")}
    asked = [
        fake_provider(f"p.{name}", {"x": "bool"}, {"x": True} if name != "d" else SignalFailed("down"),
                      price=Decimal(price), currency=currency)
        for name, (price, currency) in prices.items()
    ]  # fmt: skip
    with capture_logs(), engine(asked, policies=[policy]) as door:
        decision = door.decide_sync(request(inputs={}))
    assert decision.cost == {"USD": Decimal("0.30"), "EUR": Decimal("0.03")}


def test_decide_capture_again_is_said_unless_the_applicant_passes() -> None:
    blurred = SignalFailed("blurred", capture_again="Hold still")
    with capture_logs(), engine([face(blurred), device()]) as door:
        assert door.decide_sync(request()).capture_again == "Hold still"
    waived = POLICY.replace("{provider: acme.face}", "{provider: acme.face, when_unknown: pass}")
    with capture_logs(), engine([face(blurred), device()], policies=[waived]) as door:
        decision = door.decide_sync(request())
        assert (decision.outcome, decision.capture_again) == (Outcome.PASS, None)


def test_decide_clock_is_read_once_and_is_the_policys_now() -> None:
    clock = FakeClock(datetime(2007, 12, 1, tzinfo=UTC))
    asked = [face(), device()]
    with engine(asked, clock=clock) as door:
        decision = door.decide_sync(request())
    assert decision.decided_at == clock.now == asked[0].calls[0].now
    assert decision.verdict.matched == ("young",)


def test_decide_own_copy_of_the_request_is_decided() -> None:
    inputs, own = dict(CLEAN), {"ok": True}

    def change(context: object) -> Mapping[str, object]:
        inputs["country"], own["ok"] = "KP", False
        return {"score": 0.1}

    with engine([face(change), device()]) as door:
        decision = door.decide_sync(request(inputs=inputs, signals={"own": own}))
    assert decision.outcome is Outcome.PASS and decision.signals["own"].fields == {"ok": True}


def raising(error: BaseException) -> Callable[[], object]:
    def do() -> object:
        raise error

    return do


def test_engine_not_open_says_how_to_open_it() -> None:
    door = engine()
    with pytest.raises(RuntimeError, match=r"not open: use it as `async with engine:` or `with engine:`"):
        door.decide_sync(request())
    with pytest.raises(RuntimeError, match="not open"):
        asyncio.run(door.decide(request()))
    door.__exit__(None, None, None)


def test_engine_closed_says_so() -> None:
    door = engine()
    with door:
        pass
    with pytest.raises(RuntimeError, match="the engine is closed"):
        door.decide_sync(request())
    with pytest.raises(RuntimeError, match="was closed: create another one"), door:
        pass
    door.__exit__(None, None, None)


def test_engine_opened_twice_is_refused_and_stays_open() -> None:
    async def again() -> None:
        with pytest.raises(RuntimeError, match="is open already"):
            async with door:
                pass

    with engine() as door:
        with pytest.raises(RuntimeError, match="is open already"), door:
            pass
        asyncio.run(again())
        assert door.decide_sync(request()).outcome is Outcome.PASS


def test_decide_sync_inside_an_event_loop_is_refused() -> None:
    async def main() -> None:
        async with engine() as door:
            with pytest.raises(RuntimeError, match=r"write `await engine\.decide"):
                door.decide_sync(request())
            assert (await door.decide(request())).outcome is Outcome.PASS

    asyncio.run(main())


def test_decide_from_a_loop_while_the_engine_lives_in_a_thread() -> None:
    with engine() as door:
        assert asyncio.run(door.decide(request())).status == "fresh"
        assert asyncio.run(door.decide(request())).status == "duplicate"


def test_engine_closing_waits_for_what_is_under_way_in_its_loop(tmp_path: Path) -> None:
    asked, let_go = asyncio.Barrier(6), asyncio.Event()

    async def answer(context: object) -> dict[str, float]:
        await asked.wait()
        await let_go.wait()
        return {"score": 0.1}

    async def main() -> list[Decision]:
        async with engine([face(answer), device()], at=tmp_path) as door:
            deciding = [asyncio.create_task(door.decide(request(n))) for n in range(5)]
            await asked.wait()  # all five wait for their answer
            asyncio.get_running_loop().call_soon(let_go.set)
        return await asyncio.gather(*deciding)

    decisions = asyncio.run(main())
    assert {one.decision_id for one in recorded(tmp_path)} == {one.decision_id for one in decisions}


def test_engine_closing_answers_every_thread_that_came_in_before(tmp_path: Path) -> None:
    """Whoever calls while the engine closes gets a decision that is recorded, or is told that it is closed."""
    for round_ in range(20):
        answers: list[object] = []
        started = threading.Barrier(9)

        def call(n: int, door: Engine, answers: list[object] = answers, started: threading.Barrier = started) -> None:
            started.wait(120)
            while True:
                try:
                    answers.append(door.decide_sync(request(n, face=None)))
                except RuntimeError as error:
                    answers.append(str(error))
                    return
                n += 100

        directory = tmp_path / str(round_)
        with ThreadPoolExecutor(8) as threads:
            with engine(at=directory) as door:
                calls = [threads.submit(call, n, door) for n in range(8)]
                started.wait(120)
                time.sleep(0.002 * (round_ % 5))
            for one in calls:
                one.result(timeout=120)
        decided = {one.decision_id for one in answers if isinstance(one, Decision)}
        assert {one for one in answers if isinstance(one, str)} == {"the engine is closed"}
        assert decided == {one.decision_id for one in recorded(directory)}


def test_engine_closing_waits_for_a_caller_who_is_just_coming_in(monkeypatch: pytest.MonkeyPatch) -> None:
    entered = threading.Event()
    submit = asyncio.run_coroutine_threadsafe

    def slowly(work: Any, home: asyncio.AbstractEventLoop) -> Any:
        if threading.current_thread().name == "caller_0":
            entered.set()
            time.sleep(0.1)
        return submit(work, home)

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", slowly)
    with ThreadPoolExecutor(1, thread_name_prefix="caller") as threads:
        with engine() as door:
            call = threads.submit(door.decide_sync, request())
            assert entered.wait(120)
        assert call.result(timeout=120).outcome is Outcome.PASS


def test_engine_closing_lets_go_of_the_log_even_where_a_plugin_fails(tmp_path: Path) -> None:
    class Unkind:
        async def open(self, *_: object) -> None: ...

        async def aclose(self) -> None:
            raise ValueError("no")

    door = engine(at=tmp_path)
    door._feeds = Unkind()  # type: ignore[assignment]
    with pytest.raises(ValueError, match="no"), door:
        door.decide_sync(request())
    with engine(at=tmp_path) as again:
        assert again.decide_sync(request()).status == "duplicate"


def test_engine_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with engine(at=tmp_path) as door:
        door.decide_sync(request())
    left = [thread for thread in set(threading.enumerate()) - before if not thread.name.startswith("asyncio_")]
    for thread in left:
        thread.join(120)  # one that was told to end may be about to
    assert not any(thread.is_alive() for thread in left)


def test_engine_second_one_on_a_directory_is_refused(tmp_path: Path) -> None:
    with engine(at=tmp_path), pytest.raises(AuditUnavailable, match="another writer has this audit log"):
        engine(at=tmp_path)


def test_request_and_decision_show_no_values_in_their_repr() -> None:
    asked = [face(), device({"owner": "CANARY"})]
    given = request(inputs=CLEAN | {"email": "CANARY"}, signals={"own": {"score": 7}})
    with engine(asked) as door:
        decision = door.decide_sync(given)
    for shown in (
        repr(given),
        repr(decision),
        repr(asked[0].calls[0]),
        repr(Face.from_url("https://h.example/CANARY")),
    ):
        assert "CANARY" not in shown and "SG" not in shown


def test_engine_with_the_defaults_reads_the_real_clock() -> None:
    with engine() as door:
        decision = door.decide_sync(request())
    assert abs(datetime.now(UTC) - decision.decided_at) < timedelta(minutes=5)
    assert decision.decided_at.tzinfo is UTC and decision.decided_at != NOW
    assert isinstance(door.registry, Registry) and isinstance(request(), Request)


def test_events_of_a_decision_name_it_and_its_request(tmp_path: Path) -> None:
    """Whatever fails on the way of one: a provider, its breaker; and that of one decision is not another's."""
    asked = [face(SignalFailed("down", kind="misconfigured", billed=False)), device(ValueError("fault"))]
    with capture_logs() as events, engine(asked, at=tmp_path) as door:
        decisions = [door.decide_sync(request(n)) for n in range(2)]
    told = {"signal_failed", "provider_failed", "breaker_opened"}
    known = {(one.decision_id, one.merchant_biz_id) for one in decisions}
    named = {event["event"] for event in events if (event.get("decision_id"), event.get("merchant_biz_id")) in known}
    assert told <= named
    assert all("decision_id" in event for event in events if event["event"] in told)
    assert {event["decision_id"] for event in events if event["event"] == "signal_failed"} == {
        decision.decision_id for decision in decisions
    }
