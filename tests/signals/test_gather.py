"""Asking for signals: what a provider does wrong is data, in its own field, and holds nobody up."""

from __future__ import annotations

import asyncio
import signal as os_signals
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import monotonic, sleep
from typing import Any

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from adjudge.engine import DEADLINE_S, Engine
from adjudge.errors import PluginError, SignalFailed
from adjudge.model import Decision, Outcome, Request, Signal, SignalStatus
from adjudge.plugin import Answer, Context, Limits, Provider, Quota, provider
from adjudge.registry import parse_policy
from adjudge.signals.admission import Guard
from adjudge.signals.answers import REASON_MAX
from adjudge.signals.ask import Asking, OpenedSignal, ask
from adjudge.signals.sources import OpenedSignals
from adjudge.testing import MERCHANT_BIZ_ID, NOW, FakeProvider, Slow, decide_once, fake_provider, registry_of
from virtual_time import VirtualTime

POLICY = """
policy_language: 1
policy: asking
signals:
  device: {provider: acme.device, timeout: 10s}
rules:
  - {id: risky, when: device.score > 70 || device.emulator, then: reject}
"""
FIELDS: Mapping[str, object] = {
    "score": {"type": "double", "range": [0, 100]},
    "emulator": "bool",
    "os": "string",
    "age": "duration",
    "seen": {"type": "list", "of": "timestamp"},
    "tags": {"type": "set", "values": ["a", "b"]},
    "scores": {"type": "map", "of": "double"},
}
SECRET = "hunter2-canary"
REQUEST = Request(merchant_biz_id=MERCHANT_BIZ_ID, scene_code="test")


class Unheard(BaseException):
    """Neither an Exception nor anything that asyncio knows."""


class Hostile(Mapping[str, object]):
    """A mapping that fails when it is looked into."""

    def __getitem__(self, key: str) -> object:
        raise RuntimeError(SECRET)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError(SECRET)

    def __len__(self) -> int:
        return 1


class NoBook:
    """Records nothing: what is asked here costs nothing."""

    shares_limits = False

    async def begin(
        self, signal: str, provider: Provider, price: Decimal, attempt: int, quota: Quota | None = None
    ) -> tuple[str, float]:
        raise AssertionError("this provider is not billed")

    async def end(self, call_id: str, signal: Signal, billed: bool | None) -> None:
        raise AssertionError("this provider is not billed")


def device(*answers: object, **facts: object) -> FakeProvider:
    return fake_provider("acme.device", FIELDS, *answers, **facts)  # type: ignore[arg-type]


def one(*answers: object) -> tuple[Decision, Signal]:
    with capture_logs():
        decision = decide_once(POLICY, providers=[device(*answers)])
    return decision, decision.signals["device"]


def source(provider: Provider, *, timeout: str = "10s") -> OpenedSignal:
    policy = parse_policy(POLICY.replace("10s", timeout), registry=registry_of([provider]))
    guards = {(provider.name, ""): Guard(provider, provider.limits)}
    return OpenedSignals(policy, {provider.name: provider}, guards, {}).open()["device"]


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    return VirtualTime(monkeypatch)


def ask_once(of: OpenedSignal, time: VirtualTime, *, within_s: float = 10.0) -> Signal:
    async def main() -> Signal:
        signal = await ask(of, Asking(REQUEST, NoBook(), NOW, time.now() + within_s))
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=5)
        assert not of.asking, "a task leaked"
        return signal

    with capture_logs():
        return time.run(main())


def decide_in(
    time: VirtualTime, policy: str, providers: Sequence[Provider], deadline_s: float = DEADLINE_S, **parts: Any
) -> Decision:
    """Decide one request in a time of its own."""
    registry = registry_of(providers)

    async def main() -> Decision:
        async with Engine([parse_policy(policy, registry=registry)], registry=registry, deadline_s=deadline_s) as door:
            return await door.decide(structs.replace(REQUEST, **parts))

    with capture_logs():
        return time.run(main())


def bare(fetch: Callable[[Context], Awaitable[Answer]], **facts: object) -> Provider:
    """Return a provider with a `fetch` of this very kind, async or not."""

    class Asker:
        def __init__(self) -> None:
            self.fetch = fetch

        async def aclose(self) -> None:
            return None

    return device(open=lambda config: Asker(), **facts)


def test_ask_answer_comes_with_what_the_provider_is() -> None:
    provider = device({"score": 80, "request_id": "r-1"}, price=Decimal("0.10"), currency="EUR", version="7")
    decision = decide_once(POLICY, providers=[provider])
    signal = decision.signals["device"]
    assert decision.outcome is Outcome.REJECT
    assert (signal.status, signal.fields) == (SignalStatus.OK, {"score": 80})
    assert (signal.provider, signal.version, signal.request_id) == ("acme.device", "7", "r-1")
    assert (signal.price, signal.currency) == (Decimal("0.10"), "EUR")
    assert signal.duration_ms > 0
    assert decision.cost == {"EUR": Decimal("0.10")}
    context = provider.calls[0]
    assert (context.signal, context.request.merchant_biz_id) == ("device", MERCHANT_BIZ_ID)
    assert context.fields.keys() == FIELDS.keys()
    assert context.now == decision.decided_at


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (SignalFailed("no route"), SignalStatus.ERROR),
        (SignalFailed("no route", kind="timeout"), SignalStatus.TIMEOUT),
        (SignalFailed("no route", kind="unavailable"), SignalStatus.UNAVAILABLE),
        (SignalFailed("no route", kind="of its own"), SignalStatus.ERROR),
    ],
)
def test_ask_signal_failed_becomes_unknown_with_its_words(failure: SignalFailed, status: SignalStatus) -> None:
    failure.reason_code, failure.capture_again, failure.request_id = "E7", "Take off your hat", "r-2"
    decision, signal = one(failure)
    assert (signal.status, signal.reason, signal.reason_code, signal.request_id) == (status, "no route", "E7", "r-2")
    assert (decision.outcome, decision.verdict.settled) == (Outcome.REVIEW, False)
    assert decision.capture_again == "Take off your hat"
    assert signal.fields == {} and decision.cost == {}


@pytest.mark.parametrize(
    ("said", "expected"),
    [("x" * 10_000, "x" * REASON_MAX), ("half \ud800", "half ?"), (5, "no reason given"), (None, "no reason given")],
)
def test_ask_reason_that_a_log_cannot_hold_is_made_fit(said: object, expected: str) -> None:
    _, signal = one(SignalFailed(said, reason_code=said, request_id=b"x", capture_again=7))  # type: ignore[arg-type]
    assert signal.reason == expected
    assert signal.reason_code == (expected if isinstance(said, str) else None)
    assert signal.request_id is None and signal.capture_again is None


@pytest.mark.parametrize(
    "error",
    [ValueError(SECRET), TypeError(f"the provider answered {SECRET}"), RecursionError(SECRET), StopIteration(SECRET),
     SystemExit(SECRET), KeyboardInterrupt(SECRET), GeneratorExit(SECRET), Unheard(SECRET),
     ExceptionGroup(SECRET, [ValueError(SECRET)])],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_ask_whatever_is_raised_becomes_unknown_and_its_text_is_nowhere(error: BaseException) -> None:
    async def fetch(context: Context) -> Answer:
        secret = SECRET  # noqa: F841  # a traceback with variables would show it
        raise error

    with capture_logs() as events:
        decision = decide_once(POLICY, providers=[bare(fetch)])
    signal = decision.signals["device"]
    raised = "RuntimeError" if isinstance(error, StopIteration) else type(error).__name__
    assert (signal.status, signal.reason) == (SignalStatus.ERROR, f"the provider raised {raised}")
    assert decision.outcome is Outcome.REVIEW
    assert SECRET not in repr(events) + repr(decision)
    failed = next(event for event in events if event["event"] == "provider_failed")
    assert failed["error"] == raised and failed["at"].startswith(("test_gather.py:", "ask.py:"))
    assert not failed.get("exc_info")


@pytest.mark.parametrize(
    "said",
    [{"retry_after_s": "soon"}, {"retry_after_s": float("nan")}, {"retry_after_s": True}, {"billed": "no"},
     {"billed": 0}, {"kind": ["timeout"]}, {"kind": None, "reason": object()}, {"retry_after_s": 10**400}],
)  # fmt: skip
def test_ask_failure_with_strange_parts_is_a_failure_like_any_other(said: dict[str, Any]) -> None:
    """What a plugin puts into a SignalFailed says nothing but what its words allow, and raises nothing."""
    failure = SignalFailed(**{"reason": "down", "kind": "unavailable", **said})
    asked = device(failure, {"score": 80}, price=Decimal(1), limits=Limits(attempts=2))
    with capture_logs():
        decision = decide_once(POLICY, providers=[asked])
    found = decision.signals["device"]
    assert (found.status is SignalStatus.OK, found.is_final, len(asked.calls)) == (False, True, 1)


def test_ask_failure_that_raises_when_it_is_looked_at_is_the_providers_fault() -> None:
    class Crooked(SignalFailed):
        def __getattribute__(self, name: str) -> object:
            if name == "retry_after_s":
                raise ValueError(SECRET)
            return super().__getattribute__(name)

    assert one(Crooked("down"))[1].reason == "the provider raised ValueError"


def test_ask_fetch_that_is_not_async_is_a_fault_like_any_other(time: VirtualTime) -> None:
    def raises(context: Context) -> Awaitable[Answer]:
        raise ValueError(SECRET)

    def answers(context: Context) -> Awaitable[Answer]:
        return {"score": 80}  # type: ignore[return-value]

    assert ask_once(source(bare(raises)), time).reason == "the provider raised ValueError"
    assert ask_once(source(bare(answers)), time).reason == "the provider raised TypeError"


def test_ask_provider_that_cancels_itself_is_a_failure(time: VirtualTime) -> None:
    async def cancels_its_task(context: Context) -> Answer:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(10)
        return {}

    assert one(asyncio.CancelledError())[1].reason == "the provider cancelled itself"
    assert ask_once(source(bare(cancels_its_task)), time).status is SignalStatus.ERROR


@pytest.mark.parametrize(("said", "kind"), [(None, "null"), (5, "an int"), ("x", "a string"), ([], "a list"),
                                           (b"x", "a bytes"), (object(), "an object")])  # fmt: skip
def test_ask_answer_that_is_no_mapping_is_a_failure(said: object, kind: str) -> None:
    _, signal = one(lambda context: said)
    assert (signal.status, signal.reason) == (
        SignalStatus.ERROR, f"the provider answered {kind}, not a map of fields")  # fmt: skip


def test_ask_mapping_that_raises_is_a_failure() -> None:
    assert one(Hostile())[1].reason == "the provider raised RuntimeError"


@pytest.mark.parametrize(
    ("field", "value", "kept", "problem"),
    [
        ("score", float("nan"), None, "must be a finite number, not nan"),
        ("score", float("-inf"), None, "must be a finite number, not -inf"),
        ("score", 2**70, None, "is an integer past 64 bits"),
        ("score", b"face", None, "must be a double, not a bytes"),
        ("score", Decimal("0.5"), None, "must be a double, not a Decimal"),
        ("os", "half \ud800", None, "is not valid Unicode"),
        ("os", datetime(2026, 1, 1, tzinfo=UTC), None, "must be a string, not a datetime"),
        ("age", timedelta(hours=2), "7200s", None),
        ("age", datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00Z", None),
        ("seen", [datetime(2026, 1, 1)], [None], "must say its time zone"),
        ("seen", (datetime.min.replace(tzinfo=UTC) + timedelta(days=9),), ["0001-01-10T00:00:00Z"], None),
        ("tags", {"b", "a", "new"}, ["a", "b", "new"], None),
        ("scores", {"x": float("inf"), "y": 0.5}, {"x": None, "y": 0.5}, "must be a finite number, not inf"),
        ("scores", {5: 0.5}, None, "has a key that is an int, not a string"),
        ("scores", {"\ud800": 0.5}, None, "has a key that is not valid Unicode"),
    ],
)
def test_ask_value_no_log_can_hold_is_unknown_alone_and_said_so(
    field: str, value: object, kept: object, problem: str | None
) -> None:
    decision, signal = one({field: value, "emulator": True})
    assert signal.status is SignalStatus.OK
    assert signal.fields == {field: kept, "emulator": True} or signal.fields == {"emulator": True}
    assert signal.fields.get(field) == kept
    assert [text for _, text in signal.problems] == ([problem] if problem else [])
    assert all(f"{name} {text}" in decision.notes for name, text in signal.problems)
    assert decision.outcome is Outcome.REJECT, "its neighbour stays known"


def test_ask_value_nested_past_all_bounds_is_unknown_alone() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    _, signal = one({"os": deep, "score": 5})
    assert signal.fields == {"score": 5, "os": None}
    assert signal.problems == (("device.os", "is nested too deeply"),)


def test_ask_fields_that_are_not_declared_are_dropped() -> None:
    _, signal = one({"score": 5, "email": "a@example.com", 7: "x", "novel_tags": ["new"]})
    assert signal.fields == {"score": 5, "novel_tags": ["new"]}


def test_ask_timeout_is_the_signals_own(time: VirtualTime) -> None:
    signal = ask_once(source(device(Slow(20, {"score": 5})), timeout="2s"), time)
    assert (signal.status, signal.reason) == (SignalStatus.TIMEOUT, "no answer within 2 s")
    assert signal.fields == {}


def test_ask_deadline_of_the_decision_ends_it_sooner(time: VirtualTime) -> None:
    signal = ask_once(source(device(Slow(20, {}))), time, within_s=3)
    assert (signal.status, signal.reason) == (SignalStatus.TIMEOUT, "no answer within 3 s")


@pytest.mark.parametrize("within_s", [-1, 0, 0.999])
def test_ask_nobody_is_asked_who_usually_takes_longer_than_is_left(within_s: float, time: VirtualTime) -> None:
    """It would be paid for, time out, and speak against the vendor, who did nothing wrong."""
    provider = device({"score": 5}, price=Decimal(1), latency_s=1.0, limits=Limits(breaker_failures=1, attempts=3))
    of = source(provider)
    signal = ask_once(of, time, within_s=within_s)
    assert (signal.status, signal.reason_code) == (SignalStatus.TIMEOUT, "NO_TIME")
    assert signal.reason == "not asked: it usually takes 1 s, and less was left"
    assert (provider.calls, signal.price, signal.is_final, signal.attempts) == ([], 0, False, 1)
    assert (of.guard.usage().breaker, of.guard.usage().calls, of.guard.usage().retried) == ("closed", 0, 0)


def test_ask_timeout_shorter_than_usual_is_the_policys_to_choose(time: VirtualTime) -> None:
    provider = device({"score": 5}, latency_s=1.0)
    assert ask_once(source(provider, timeout="100ms"), time, within_s=0.1).status is SignalStatus.OK
    assert ask_once(source(provider, timeout="100ms"), time, within_s=0.09).reason_code == "NO_TIME"


def test_ask_provider_that_ignores_cancellation_holds_nobody_up_and_its_answer_is_discarded(
    time: VirtualTime,
) -> None:
    ended = asyncio.Event()

    async def stubborn(context: Context) -> Answer:
        for _ in range(3):
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                pass
        ended.set()
        return {"score": 80}

    of = source(bare(stubborn), timeout="1ms")

    async def main() -> Signal:
        signal = await ask(of, Asking(REQUEST, NoBook(), NOW, time.now() + 9))
        assert not ended.is_set() and of.asking, "the answer is not waited for"
        await asyncio.wait(set(of.asking))
        assert ended.is_set() and not of.asking
        return signal

    with capture_logs():
        signal = time.run(main())
    assert signal.status is SignalStatus.TIMEOUT and signal.fields == {}


def test_ask_late_failure_is_not_complained_about(time: VirtualTime) -> None:
    complaints: list[object] = []

    async def late(context: Context) -> Answer:
        try:
            await asyncio.sleep(10)
        finally:
            raise ValueError(SECRET)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        of = source(bare(late), timeout="1ms")
        await ask(of, Asking(REQUEST, NoBook(), NOW, time.now() + 9))
        await asyncio.wait(set(of.asking))

    with capture_logs() as events:
        time.run(main())
    assert complaints == [] and SECRET not in repr(events)


def test_ask_cancelled_by_its_caller_cancels_the_provider(time: VirtualTime) -> None:
    heard, asked = [], asyncio.Event()

    async def patient(context: Context) -> Answer:
        asked.set()
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            heard.append(True)
            raise
        return {}

    async def main() -> None:
        of = source(bare(patient))
        asking = asyncio.create_task(ask(of, Asking(REQUEST, NoBook(), NOW, time.now() + 9)))
        await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait(set(of.asking))

    time.run(main())
    assert heard == [True]


def test_ask_keyboard_interrupt_is_the_operators_only_where_python_raises_it_for_him() -> None:
    """In the main thread while nobody handles the signal; `asyncio.run` handles it, and other threads get none."""

    async def main() -> Signal:
        return await ask(source(device(KeyboardInterrupt())), Asking(REQUEST, NoBook(), NOW, monotonic() + 60))

    with capture_logs():
        assert asyncio.run(main()).reason == "the provider raised KeyboardInterrupt"
    loop, before = asyncio.new_event_loop(), os_signals.signal(os_signals.SIGINT, os_signals.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(main())
    finally:
        os_signals.signal(os_signals.SIGINT, before)
        loop.close()


EAGER = """
policy_language: 1
policy: several
signals:
  dear: {provider: acme.dear}
  cheap: {provider: acme.cheap}
  free: {provider: acme.free}
  own: {fields: {ok: bool}}
rules:
  - {id: free, when: free.bad, then: reject}
  - {id: cheap, when: cheap.bad, then: reject}
  - {id: dear, when: dear.bad && own.ok, then: review}
"""


def several(*, free: object = False, cheap: object = False, dear: object = False) -> list[FakeProvider]:
    def answer(said: object) -> object:
        return {"bad": said} if isinstance(said, bool) else said

    return [
        fake_provider("acme.dear", {"bad": "bool"}, answer(dear), price=Decimal("0.5")),  # type: ignore[arg-type]
        fake_provider("acme.cheap", {"bad": "bool"}, answer(cheap), price=Decimal("0.1")),  # type: ignore[arg-type]
        fake_provider("acme.free", {"bad": "bool"}, answer(free)),  # type: ignore[arg-type]
    ]


def test_gather_eager_asks_everybody_at_once() -> None:
    together = asyncio.Barrier(3)

    async def meet(context: Context) -> Answer:
        await together.wait()
        return {"bad": False}

    providers = several(free=meet, cheap=meet, dear=meet)
    decision = decide_once(EAGER + "gather: eager\n", providers=providers)
    assert [signal.status for signal in decision.signals.values()] == ["not_provided", "ok", "ok", "ok"]


def test_gather_thrifty_stops_when_settled_and_says_so() -> None:
    providers = several(free=True)
    decision = decide_once(EAGER + "gather: thrifty\n", providers=providers, signals={"own": {"ok": True}})
    assert decision.outcome is Outcome.REJECT and decision.verdict.settled
    assert [len(provider.calls) for provider in providers] == [0, 0, 1]
    for name in ("cheap", "dear"):
        signal = decision.signals[name]
        assert (signal.status, signal.reason) == (SignalStatus.SKIPPED, "the verdict is settled without it")
        assert (signal.provider, signal.version) == (f"acme.{name}", "1")
    assert decision.complete and decision.cost == {}


def test_gather_thrifty_skips_what_no_open_rule_reads() -> None:
    providers = several(cheap=SignalFailed("down"))
    with capture_logs():
        decision = decide_once(EAGER + "gather: thrifty\n", providers=providers, signals={"own": {"ok": False}})
    assert [len(provider.calls) for provider in providers] == [0, 1, 1]
    assert decision.signals["dear"].reason == "no rule that is still open reads it"
    assert not decision.verdict.settled and decision.outcome is Outcome.REVIEW


def test_gather_thrifty_asks_cheapest_first_one_billed_at_a_time() -> None:
    order: list[str] = []

    def note(context: Context) -> Answer:
        order.append(context.signal)
        return {"bad": False}

    decide_once(
        EAGER + "gather: thrifty\n", providers=several(free=note, cheap=note, dear=note), signals={"own": {"ok": True}}
    )
    assert order == ["free", "cheap", "dear"]
    providers = several(cheap=True)
    decide_once(EAGER + "gather: thrifty\n", providers=providers, signals={"own": {"ok": True}})
    assert [len(provider.calls) for provider in providers] == [0, 1, 1]


def test_gather_thrifty_asks_what_has_asks_about_even_when_settled() -> None:
    policy = """
policy_language: 1
policy: has
gather: thrifty
signals: {free: {provider: acme.free}, dear: {provider: acme.dear}, cheap: {provider: acme.cheap}}
variables: {spoken: dear.bad}
rules:
  - {id: country, when: country != "SG", then: review}
  - {id: free, when: free.bad, then: review}
  - {id: dear, when: has(spoken) && dear.bad, then: reject}
inputs: {country: string}
"""
    providers = several(free=True, dear=True)
    decision = decide_once(policy, providers=providers, inputs={"country": "US"})
    assert [len(provider.calls) for provider in providers] == [1, 0, 0]
    assert decision.verdict.matched == ("country", "dear")


def test_gather_explore_asks_everybody_for_a_share_of_ids() -> None:
    policy = EAGER + "gather: thrifty\nexplore: 25%\n"
    eager = 0
    for n in range(80):
        providers = several(free=True)
        decide_once(policy, providers=providers, merchant_biz_id=f"{n:032d}")
        eager += len(providers[0].calls)
    assert 8 <= eager <= 34, "about a quarter of 80, and the same ones each time"


def test_gather_deadline_of_the_decision_covers_all_signals(time: VirtualTime) -> None:
    providers = several(free=Slow(20, {}), cheap=Slow(20, {}), dear=Slow(20, {}))
    began = time.now()
    decision = decide_in(time, EAGER + "gather: thrifty\n", providers, 2.0, signals={"own": {"ok": True}})
    assert time.now() - began < 3
    statuses = {name: signal.status for name, signal in decision.signals.items() if name != "own"}
    assert set(statuses.values()) == {SignalStatus.TIMEOUT}
    assert [len(provider.calls) for provider in providers] == [1, 1, 1], "in a hurry all are asked at once, as eagerly"


class Opening:
    """A provider's `open` that fails at first, and what it opened."""

    def __init__(self, *errors: BaseException, close: BaseException | float | None = None) -> None:
        self.errors = list(errors)
        self.close = close
        self.closed = 0
        self.asking = 0

    def __call__(self, config: object) -> Opening:
        if self.errors:
            raise self.errors.pop(0)
        return self

    async def fetch(self, context: Context) -> Answer:
        self.asking += 1
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            await asyncio.sleep(3)  # it takes its time to end
            raise
        finally:
            self.asking -= 1
        return {"score": 5}

    async def aclose(self) -> None:
        assert self.asking == 0, "closed while it is asked"
        self.closed += 1
        if isinstance(self.close, BaseException):
            raise self.close
        await asyncio.sleep(self.close or 0)


def test_sources_provider_that_does_not_open_is_unavailable_and_tried_again(time: VirtualTime) -> None:
    opening = Opening(ValueError(SECRET), SystemExit(SECRET), SignalFailed("no key", kind="unavailable"))
    registry = registry_of([device(open=opening)])
    engine = Engine([parse_policy(POLICY, registry=registry)], registry=registry)

    async def main() -> list[Decision]:
        async with engine:
            return [await engine.decide(REQUEST) for _ in range(5)]

    with capture_logs() as events:
        decisions = time.run(main())
    signals = [decision.signals["device"] for decision in decisions]
    assert [signal.status for signal in signals] == ["unavailable"] * 3 + ["ok"] * 2
    assert [signal.reason for signal in signals[:3]] == ["the provider could not be opened"] * 2 + ["no key"]
    assert [decision.status for decision in decisions] == ["fresh", *["supersedes"] * 3, "duplicate"]
    assert SECRET not in repr(events)
    assert opening.closed == 1


@pytest.mark.parametrize("fault", [ValueError(SECRET), SystemExit(SECRET), 60.0, 0.0])
def test_sources_close_whatever_a_provider_does(fault: BaseException | float, time: VirtualTime) -> None:
    bad, good = Opening(close=fault), Opening()
    policy = EAGER + "gather: eager\n"
    providers = several()
    providers[0] = fake_provider("acme.dear", {"bad": "bool"}, open=bad)
    providers[1] = fake_provider("acme.cheap", {"bad": "bool"}, open=good)
    registry = registry_of(providers)

    async def main() -> None:
        async with Engine([parse_policy(policy, registry=registry)], registry=registry) as door:
            await door.decide(REQUEST)

    with capture_logs() as events:
        time.run(main())
    assert (bad.closed, good.closed) == (1, 1)
    assert SECRET not in repr(events)
    assert any(event["event"] == "provider_not_closed" for event in events) == isinstance(fault, BaseException)


def test_sources_close_waits_for_what_was_given_up(time: VirtualTime) -> None:
    opening = Opening()
    decision = decide_in(time, POLICY.replace("10s", "500ms"), [device(open=opening)])
    assert decision.outcome is Outcome.REVIEW
    assert (opening.asking, opening.closed) == (0, 1)


def test_sources_policy_whose_provider_is_not_registered_is_refused_by_name() -> None:
    policy = parse_policy(POLICY, registry=registry_of([device()]))
    with pytest.raises(PluginError, match=r"acme\.device.*the policy asking asks"):
        Engine([policy], registry=registry_of())


def test_gather_provider_cannot_change_what_is_decided_on() -> None:
    @provider("acme.evil", fields={"ok": "bool"})
    async def evil(context: Context) -> Answer:
        context.request.inputs["country"] = "SG"  # type: ignore[index]
        context.request.signals["own"]["score"] = 1.0  # type: ignore[index]
        return {"ok": True}

    policy = """
policy_language: 1
policy: evil
inputs: {country: string}
signals: {evil: {provider: acme.evil}, own: {fields: {score: double}}}
rules:
  - {id: country, when: country == "KP", then: reject}
  - {id: score, when: own.score > 90.0, then: reject}
  - {id: evil, when: "!evil.ok", then: review}
"""
    decision = decide_once(policy, providers=[evil], inputs={"country": "KP"}, signals={"own": {"score": 95.0}})
    assert decision.verdict.matched == ("country", "score")


def test_gather_answer_after_the_timeout_is_discarded_though_the_loop_was_held_up() -> None:
    @provider("acme.held", fields={"bad": "bool"})
    async def held(context: Context) -> Answer:
        sleep(0.1)
        return {"bad": False}

    policy = """
policy_language: 1
policy: held
signals: {held: {provider: acme.held, timeout: 20ms}}
rules: [{id: held, when: held.bad, then: reject}]
"""
    with capture_logs():
        decision = decide_once(policy, providers=[held])
    assert (decision.outcome, decision.signals["held"].status) == ("review", SignalStatus.TIMEOUT)


@pytest.mark.parametrize("gather", ["eager", "thrifty"])
def test_gather_thrifty_asks_the_rest_in_time_for_its_answer(gather: str, time: VirtualTime) -> None:
    """Two slow billed signals, one deadline: asked one after the other, the second would come too late."""
    first = fake_provider("acme.first", {"bad": "bool"}, Slow(3, {"bad": False}), price=Decimal(1))
    second = fake_provider("acme.second", {"bad": "bool"}, Slow(3, {"bad": True}), price=Decimal(2))
    policy = f"""
policy_language: 1
policy: hurry
gather: {gather}
signals:
  first: {{provider: acme.first, timeout: 4s}}
  second: {{provider: acme.second, timeout: 4s, when_unknown: pass}}
rules: [{{id: first, when: first.bad, then: reject}}, {{id: second, when: second.bad, then: reject}}]
"""
    assert decide_in(time, policy, [first, second], 5.0).outcome == "reject"
