"""`aliyun.deepfake` asked by an engine while the network or the vendor fails in every way we can think of.

Each scene runs in front of a fault proxy, and ends with the same questions: does the log say what is in doubt, was
nobody paid twice, is anything left open, was a secret told.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import threading
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fault_proxy as fault
import httpx
import pytest
import trustme
from fault_proxy import Fault, FaultProxy
from structlog.testing import capture_logs

import adjudge_plugins.aliyun as plugin
from adjudge.audit.calls import Bill
from adjudge.audit.read import read
from adjudge.audit.trail import AuditTrail
from adjudge.audit.verify import verify
from adjudge.engine import Engine
from adjudge.model import Decision, Face, Outcome, Request, Signal
from adjudge.plugin import CallBody, Limits, Provider
from adjudge.registry import Registry, parse_policy
from adjudge.signals.admission import Guard, Guards, Usage
from adjudge.signals.allowed import Allowed
from adjudge_plugins.aliyun.sandbox import Sandbox, read_scenario
from adjudge_plugins.http_exchange import ANSWER_MAX_BYTES
from conftest import portrait
from virtual_time import StoppedTime

SECRET = "adjudge-sandbox-secret"
POLICY = """
policy_language: 1
policy: onboarding
signals:
  face: {provider: aliyun.deepfake, timeout: %s, when_billing_unknown: %s, with: {endpoint: "%s"%s}}
rules: [{id: forged, when: face.result == "high", then: reject}]
"""
PATIENT = "20s"
"""The timeout where a fault ends by itself: no machine is so busy that it counts."""
HASTY = "1s"
"""The timeout where only the deadline ends a fault. Time stands still then, until the scene lets it go by."""
TOO_LATE_S, UNCONNECTED_S = 1.2, 0.5
"""Seconds after which a request of a HASTY signal is late, and after which its connection is."""
KEYS = Allowed(environment=frozenset({"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_SECURITY_TOKEN"}))
PORTRAIT = portrait(64, 80)
BIG = PORTRAIT.ljust(700_000, b"\0")
MIB = 1024 * 1024
THROTTLED = fault.answered(403, "Throttling.Api")
BROKEN = fault.answered(500, "InternalError")
FORBIDDEN = fault.answered(403, "Forbidden.RAMUserAccessDenied")


def biz_id(n: int) -> str:
    return f"{n:032x}"


@dataclass
class Play:
    """An engine in a scene."""

    engine: Engine
    picture: bytes
    time: StoppedTime | None = None

    def time_is_up(self, seen: Counter[str], step: str, count: int, seconds: float = TOO_LATE_S) -> None:
        """Let time go by as soon as so many more requests have come to a step of httpx."""
        assert self.time is not None
        enough = seen[step] + count
        self.time.pass_when(lambda: seen[step] >= enough, seconds)

    async def ask(self, n: int) -> Decision:
        face = Face.from_bytes(self.picture)
        return await self.engine.decide(Request(merchant_biz_id=biz_id(n), scene_code="onboard001", face=face))

    async def ask_all(self, numbers: Iterable[int]) -> list[Decision]:
        return list(await asyncio.gather(*(self.ask(n) for n in numbers)))

    @property
    def usage(self) -> Usage:
        return self.engine.usage()["aliyun.deepfake"]


class TimedGuards(Guards):
    """Guards of one engine, by a timer of the test's own."""

    def __init__(self, timer: Callable[[], float]) -> None:
        super().__init__()
        self._timer = timer
        self._made: dict[str, Guard] = {}

    def of(self, provider: Provider, limits: Limits, account: str = "", **clock: Any) -> Guard:
        return self._made.setdefault(account, Guard(provider, limits, timer=self._timer))


@dataclass
class Stage:
    """A sandbox that finds every face forged, a proxy before it, and a directory for the log.

    seconds: what the breaker takes for the time; it stands still unless a scene moves it.
    steps: how many requests have come to each step of httpx, such as CONNECTING.
    calls, bill: of the log, after each play.
    """

    sandbox: Sandbox
    proxy: FaultProxy
    directory: Path
    monkeypatch: pytest.MonkeyPatch
    seconds: float = 0.0
    steps: Counter[str] = field(default_factory=Counter)
    events: list[Any] = field(default_factory=list)
    calls: list[CallBody] = field(default_factory=list)
    bill: Bill = field(default_factory=Bill)

    def play(
        self,
        scene: Callable[[Play], Awaitable[None]],
        *,
        endpoint: str | None = None,
        timeout: str = PATIENT,
        doubt: str = "unknown",
        config: str = "",
        picture: bytes = PORTRAIT,
        **limits: Any,
    ) -> None:
        """Run a scene with an engine of its own, and look at what it leaves behind."""
        registry = Registry()
        registry.register(plugin, name="aliyun")
        policy = parse_policy(POLICY % (timeout, doubt, endpoint or self.proxy.url, config), registry=registry)
        kept = {"aliyun.deepfake": Limits(**{"breaker_pause_s": 2.0, **limits})}

        time = None
        if timeout == HASTY:
            time = StoppedTime(self.monkeypatch, "adjudge_plugins.aliyun.provider.monotonic")
            self.monkeypatch.setattr("adjudge_plugins.http_exchange.time", SimpleNamespace(monotonic=time.now))

        async def main() -> Usage:
            trail = AuditTrail.open(self.directory, durability="flush")
            guards = TimedGuards(lambda: self.seconds)
            async with Engine(
                [policy], registry=registry, trail=trail, limits=kept, guards=guards, allowed=KEYS
            ) as engine:
                play = Play(engine, picture, time)
                await scene(play)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, "a task outlives its engine"
            await asyncio.to_thread(self.proxy.emptied)  # here, as the end of the loop would close what was left open
            return play.usage

        before = len(self._recorded())
        with capture_logs() as self.events:
            usage = asyncio.run(main()) if time is None else time.run(main())
        assert verify(self.directory).problem is None
        self._look_at_calls(usage, before, doubt)
        self._look_for_secrets()

    def _recorded(self) -> list[CallBody]:
        if not self.directory.exists():
            return []
        return [record.decode(CallBody) for record in read(self.directory) if record.kind == "call"]

    def _look_at_calls(self, usage: Usage, before: int, doubt: str) -> None:
        """Hold the log against what the engine says, and what the sandbox was paid for."""
        self.calls, self.bill = self._recorded(), Bill()
        for number, body in enumerate(self.calls):
            self.bill.add(number, body)
        begun = [body.call_id for body in self.calls if body.stage == "begun"]
        assert sorted(begun) == sorted(body.call_id for body in self.calls if body.stage == "ended")
        assert (usage.calls, usage.in_doubt) == (
            (len(self.calls) - before) // 2,
            sum(body.stage == "ended" and body.billed == "unknown" for body in self.calls[before:]),
        )
        assert set(self.bill.in_doubt) == {body.call_id for body in self.ended if body.billed == "unknown"}
        paid = sum(day.billed for day in self.bill.days.values())
        assert paid == sum(body.billed == "yes" for body in self.ended)
        stats = self.sandbox.stats()
        assert paid <= stats["billed"] <= paid + len(self.bill.in_doubt)
        may_cost = Counter(body.merchant_biz_id for body in self.ended if body.billed != "no")
        for merchant_biz_id, count in stats["by_merchant_biz_id"].items():
            assert count["billed"] <= may_cost[merchant_biz_id]
            assert count["billed"] <= 1 or doubt == "ask_again", "paid for twice"

    def _look_for_secrets(self) -> None:
        said = repr(self.events).encode() + b"".join(file.read_bytes() for file in self.directory.glob("audit-*"))
        assert SECRET.encode() not in said

    @property
    def ended(self) -> list[CallBody]:
        """The second records of the log's calls."""
        return [body for body in self.calls if body.stage == "ended"]

    def billed(self, n: int) -> list[str | None]:
        """What the log says of the calls of one id, in order."""
        return [body.billed for body in self.ended if body.merchant_biz_id == biz_id(n)]

    def events_of(self, name: str) -> list[Any]:
        return [event for event in self.events if event["event"] == name]


@contextmanager
def staged(directory: Path, monkeypatch: pytest.MonkeyPatch, **facts: Any) -> Iterator[Stage]:
    with Sandbox(**facts) as sandbox, FaultProxy(sandbox.port) as proxy:
        sandbox.scenario = read_scenario({"default": {"result": "high"}})
        stage = Stage(sandbox, proxy, directory / "log", monkeypatch)
        _count_steps(monkeypatch, stage.steps)
        yield stage
    gc.collect()  # what was left open warns in the test that left it


@pytest.fixture(scope="module", autouse=True)
def _garbage_of_these_tests_only() -> Iterator[None]:
    """Keep what is there already out of the collections that look for what was left open: they take their time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _time_to_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a provider say itself that its time is up, on a busy machine too, and let no retry wait long."""
    monkeypatch.setattr("adjudge.signals.ask.GRACE_S", 10.0)
    monkeypatch.setattr("adjudge.signals.ask.FIRST_WAIT_S", 0.004)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with staged(tmp_path, monkeypatch) as running:
        yield running


SENT, CONNECTING, SHAKING = "send_request_headers.complete", "connect_tcp.started", "start_tls.started"


def _count_steps(monkeypatch: pytest.MonkeyPatch, steps: Counter[str]) -> None:
    """Count what httpx tells of its requests."""
    send = httpx.AsyncClient.send

    async def counted(client: httpx.AsyncClient, request: httpx.Request, **how: Any) -> httpx.Response:
        told = request.extensions["trace"]

        async def trace(event: str, facts: Any) -> None:
            steps[event.partition(".")[2]] += 1
            await told(event, facts)

        request.extensions = {**request.extensions, "trace": trace}
        return await send(client, request, **how)

    monkeypatch.setattr(httpx.AsyncClient, "send", counted)


def assert_answered(decision: Decision, *, attempts: int = 1) -> None:
    signal = decision.signals["face"]
    assert (signal.status, signal.reason, signal.attempts) == ("ok", None, attempts)
    assert decision.outcome is Outcome.REJECT


def assert_unknown(decision: Decision, status: str, reason_code: str | None, reason: str) -> Signal:
    """Check that a decision has no answer, for the right reason, and that the policy decided."""
    signal = decision.signals["face"]
    assert (signal.status, signal.reason_code, signal.reason) == (status, reason_code, reason)
    assert (decision.outcome, decision.verdict.unresolved, decision.cost) == (Outcome.REVIEW, ("forged",), {})
    assert (decision.verdict.lower, decision.verdict.upper) == (Outcome.PASS, Outcome.REJECT)
    return signal


# each fault, to twenty requests in flight and to one


@dataclass(frozen=True, kw_only=True)
class Case:
    """A fault and what must come of it.

    begin: brings it about, for so many requests. billed: what the log must say.
    works: whether the vendor does its work, and is paid. is_slow: only the deadline ends it.
    is_heard: whether the proxy reads the requests; one that it reads after the fault is over would be passed on.
    keeps: whether the connection is good for another request.
    """

    begin: Callable[[FaultProxy, int], None]
    status: str = "unavailable"
    reason_code: str = "CONNECTION_FAILED"
    reason: str = "the connection failed"
    billed: str = "unknown"
    works: bool = False
    is_slow: bool = False
    is_heard: bool = True
    keeps: bool = False
    picture: bytes = PORTRAIT
    config: str = ""

    def wait_for(self, play: Play, stage: Stage, count: int) -> None:
        """Let the time of so many requests be up once the fault has all of them."""
        assert play.time is not None
        if self.billed == "no":
            play.time_is_up(stage.steps, CONNECTING, count, UNCONNECTED_S)
            return
        sent, paid = stage.steps[SENT] + count, stage.sandbox.stats()["billed"] + (count if self.works else 0)
        seen = len(stage.proxy.seen) + (count if self.is_heard else 0)

        def is_late() -> bool:
            is_there = stage.steps[SENT] >= sent and len(stage.proxy.seen) >= seen
            return is_there and stage.sandbox.stats()["billed"] >= paid

        play.time.pass_when(is_late, TOO_LATE_S)


def at_once(each: Fault) -> Callable[[FaultProxy, int], None]:
    """Do it once all requests are in flight."""
    return lambda proxy, count: proxy.plan(then=fault.together(count, each))


def to_each(each: Fault) -> Callable[[FaultProxy, int], None]:
    return lambda proxy, count: proxy.plan(then=each)


def bad(status: int) -> dict[str, Any]:
    return {"reason_code": "BAD_ANSWER", "reason": f"answered {status} without a JSON object", "keeps": True}


LATE = {"status": "timeout", "reason_code": "TIMEOUT", "reason": "no answer in time", "is_slow": True}
UNCONNECTED = {"status": "timeout", "reason_code": "CONNECT_TIMEOUT", "reason": "no connection in time"}
TOO_LARGE = {"status": "error", "reason_code": "ANSWER_TOO_LARGE", "reason": "the answer is larger than 1 MiB"}
COMPRESSED = {
    "status": "error",
    "reason_code": "BAD_ANSWER",
    "reason": "the answer is compressed, which was not asked for",
}

CASES: dict[str, Case] = {
    "refused": Case(begin=lambda proxy, _: proxy.refuse(), reason="the connection was refused", billed="no"),
    "reset_in_request": Case(begin=to_each(fault.reset_in_request), picture=BIG, config=", preflight: off"),
    "reset_before_answer": Case(begin=at_once(fault.reset_before_answer), works=True),
    "reset_in_answer": Case(begin=at_once(fault.reset_in_answer), works=True),
    "closed_without_answer": Case(begin=at_once(fault.hung_up)),
    "black_hole": Case(begin=to_each(fault.black_hole), **LATE),
    "black_hole_that_reads_nothing": Case(begin=to_each(fault.unread), picture=BIG, config=", preflight: off", **LATE),
    "never_accepted": Case(begin=lambda proxy, _: proxy.ignore(), is_heard=False, **LATE),
    "never_accepted_and_full": Case(begin=lambda proxy, _: proxy.deafen(), billed="no", is_slow=True, **UNCONNECTED),
    "drip": Case(begin=to_each(fault.dripped(0.05)), works=True, **LATE),
    "early_hints_for_ever": Case(begin=to_each(fault.early_hints(0.05)), **LATE),
    "truncated_json": Case(begin=at_once(fault.truncated(keeps_length=False)), works=True, **bad(200)),
    "truncated_body": Case(begin=at_once(fault.truncated(keeps_length=True)), works=True),
    "truncated_body_that_stalls": Case(
        begin=to_each(fault.truncated(keeps_length=True, stalls=True)), works=True, **LATE
    ),
    "html_200": Case(begin=at_once(fault.page(200)), **bad(200)),
    "html_403": Case(begin=at_once(fault.page(403)), **bad(403)),
    "html_502": Case(begin=at_once(fault.page(502)), **bad(502)),
    "html_504": Case(begin=at_once(fault.page(504)), **bad(504)),
    "html_that_says_it_is_json": Case(
        begin=at_once(fault.replaced(200, b"<html></html>", "application/json")), **bad(200)
    ),
    "xml": Case(begin=at_once(fault.replaced(200, b"<Code>Success</Code>", "application/xml")), **bad(200)),
    "compressed": Case(
        begin=at_once(fault.replaced(200, b"\x1f\x8b", "application/json", content_encoding="gzip")), **COMPRESSED
    ),
    "no_http": Case(begin=at_once(fault.raw(b"220 mail.example ESMTP adjudge-sandbox-secret\r\n\r\n"))),
    "throttled": Case(
        begin=at_once(THROTTLED),
        reason_code="THROTTLING_API",
        reason="answered Throttling.Api",
        billed="no",
        keeps=True,
    ),
    "broken": Case(
        begin=at_once(BROKEN), reason_code="INTERNAL_ERROR", reason="answered InternalError", billed="no", keeps=True
    ),
    "broken_without_a_code": Case(
        begin=at_once(fault.answered(500, None)), reason_code="HTTP_500", reason="answered 500", keeps=True
    ),
    "forbidden": Case(
        begin=at_once(FORBIDDEN),
        status="error",
        reason_code="FORBIDDEN_RAM_USER_ACCESS_DENIED",
        reason="answered Forbidden.RAMUserAccessDenied: grant the RAM user AliyunAntCloudAuthFullAccess",
        billed="no",
        keeps=True,
    ),
    "200_megabytes": Case(begin=at_once(fault.endless(200 * MIB, chunked=False)), works=True, **TOO_LARGE),
    "200_megabytes_in_chunks": Case(begin=at_once(fault.endless(200 * MIB, chunked=True)), works=True, **TOO_LARGE),
    "200_megabytes_of_headers": Case(begin=at_once(fault.endless(200 * MIB, chunked=False, in_head=True)), works=True),
}


@pytest.mark.parametrize("name", CASES)
def test_fault_is_unknown_for_its_reason_and_over_when_it_ends(stage: Stage, name: str) -> None:
    case, proxy = CASES[name], stage.proxy
    faulty = range(1, 21)

    async def scene(play: Play) -> None:
        assert_answered(await play.ask(0))  # so that a connection is open when it begins
        case.begin(proxy, len(faulty))
        if case.is_slow:
            case.wait_for(play, stage, len(faulty))
        for decision in await play.ask_all(faulty):
            signal = assert_unknown(decision, case.status, case.reason_code, case.reason)
            assert signal.is_final == (case.billed != "no")
        proxy.plan()  # whoever read nothing now sees who left
        if not case.keeps:
            await asyncio.to_thread(proxy.emptied)
        proxy.mend()
        stage.seconds += 2
        asked = len(proxy.seen)
        assert_answered(await play.ask(1000))
        again = await play.ask_all(faulty)
        if case.billed == "no":
            assert {decision.status for decision in again} == {"supersedes"}
            for decision in again:
                assert_answered(decision)
        else:
            assert {(decision.status, decision.outcome) for decision in again} == {("duplicate", "review")}
        assert len(proxy.seen) - asked == 1 + (len(faulty) if case.billed == "no" else 0)

    stage.play(scene, timeout=HASTY if case.is_slow else PATIENT, picture=case.picture, config=case.config)

    for n in faulty:
        assert stage.billed(n) == (["no", "yes"] if case.billed == "no" else ["unknown"])
    in_doubt = sorted(body.merchant_biz_id for _, body in stage.bill.in_doubt.values())
    assert in_doubt == [biz_id(n) for n in faulty if case.billed != "no"]
    worked = len(faulty) if case.works or case.billed == "no" else 0
    assert stage.sandbox.stats()["billed"] == 2 + worked
    assert len(stage.events_of("signal_failed")) == len(faulty)


IN_DOUBT = [name for name, case in CASES.items() if case.billed == "unknown" and not case.is_slow]


@pytest.mark.parametrize(("names", "timeout"), [(IN_DOUBT, PATIENT), (["black_hole"], HASTY)])
def test_fault_in_doubt_is_asked_again_where_the_policy_says_so(
    stage: Stage, names: Sequence[str], timeout: str
) -> None:
    async def scene(play: Play) -> None:
        for n, name in enumerate(names):
            case = CASES[name]
            case.begin(stage.proxy, 1)
            if case.is_slow:
                case.wait_for(play, stage, 1)
            lost = assert_unknown(await play.ask(n), case.status, case.reason_code, case.reason)
            assert not lost.is_final
            stage.proxy.mend()
            again = await play.ask(n)
            assert_answered(again)
            assert again.status == "supersedes"
            assert (await play.ask(n)).status == "duplicate"

    stage.play(scene, timeout=timeout, doubt="ask_again", picture=BIG, config=", preflight: off")

    for n in range(len(names)):
        assert stage.billed(n) == ["unknown", "yes"], "the doubt about the first call stays"
    assert sorted(body.merchant_biz_id for _, body in stage.bill.in_doubt.values()) == [*map(biz_id, range(len(names)))]


@pytest.mark.parametrize("content_type", ["text/plain", "text/html", "application/xml", "image/jpeg; q=\xe9"])
def test_wrong_content_type_takes_nothing_from_a_good_answer(stage: Stage, content_type: str) -> None:
    """It was paid for, and it is JSON: what a proxy calls it says nothing about the face."""

    async def scene(play: Play) -> None:
        stage.proxy.plan(then=fault.typed(content_type))
        for decision in await play.ask_all(range(20)):
            assert_answered(decision)

    stage.play(scene)


def test_drip_that_ends_in_time_is_an_answer(stage: Stage) -> None:
    async def scene(play: Play) -> None:
        stage.proxy.plan(then=fault.dripped(0.0))
        assert_answered(await play.ask(1))

    stage.play(scene)


def test_answer_after_the_deadline_is_discarded(stage: Stage) -> None:
    release = threading.Event()

    async def scene(play: Play) -> None:
        assert_answered(await play.ask(0))
        stage.proxy.plan(then=fault.held(release))
        play.time_is_up(stage.steps, SENT, 20)
        late = await play.ask_all(range(1, 21))
        release.set()
        await asyncio.to_thread(stage.proxy.emptied)
        for decision in late:
            signal = assert_unknown(decision, "timeout", "TIMEOUT", "no answer in time")
            assert signal.is_final
        stage.proxy.mend()
        for decision, again in zip(late, await play.ask_all(range(1, 21)), strict=True):
            assert (again.status, again.decision_id) == ("duplicate", decision.decision_id)
        assert_answered(await play.ask(1000))

    stage.play(scene, timeout=HASTY)

    assert stage.sandbox.stats()["billed"] == 22
    assert len(stage.bill.in_doubt) == 20


@pytest.mark.parametrize("name", ["200_megabytes", "200_megabytes_in_chunks", "200_megabytes_of_headers"])
@pytest.mark.parametrize("count", [1, 20])
def test_answer_of_200_megabytes_is_bounded_on_the_wire_and_in_memory(stage: Stage, name: str, count: int) -> None:
    async def scene(play: Play) -> None:
        assert_answered(await play.ask(0))
        CASES[name].begin(stage.proxy, count)
        before = stage.proxy.sent
        tracemalloc.start()
        try:
            await play.ask_all(range(1, 1 + count))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        await asyncio.to_thread(stage.proxy.emptied)
        taken = stage.proxy.sent - before
        assert count * 64 * 1024 < taken < count * (ANSWER_MAX_BYTES + SOCKET_BUFFERS)
        assert peak < count * 4 * ANSWER_MAX_BYTES + 16 * MIB

    stage.play(scene)


SOCKET_BUFFERS = 7 * MIB
"""What the system may take before the client has read it; the sandbox's own 200 MB would not fit."""


# storms, and the retries and the breaker in them


@pytest.mark.parametrize(
    "storm",
    [
        (THROTTLED, THROTTLED),
        (BROKEN, BROKEN),
        (THROTTLED, BROKEN),
        (fault.answered(503, "ServiceUnavailable"), fault.answered(403, "Throttling.User")),
    ],
)
def test_storm_of_two_answers_is_sat_out(stage: Stage, storm: tuple[Fault, ...]) -> None:
    async def scene(play: Play) -> None:
        stage.proxy.plan(*storm)
        assert_answered(await play.ask(1), attempts=3)

    stage.play(scene, attempts=3)

    assert stage.billed(1) == ["no", "no", "yes"]
    assert [body.attempt for body in stage.calls] == [1, 1, 2, 2, 3, 3]
    assert (stage.sandbox.stats()["calls"], len(stage.proxy.seen), stage.bill.in_doubt) == (1, 3, {})


def test_refused_connection_is_tried_again_until_the_attempts_are_used_up(stage: Stage) -> None:
    async def scene(play: Play) -> None:
        stage.proxy.refuse()
        refused = assert_unknown(await play.ask(1), "unavailable", "CONNECTION_FAILED", "the connection was refused")
        assert (refused.attempts, refused.is_final) == (3, False)
        stage.proxy.mend()
        assert_answered(await play.ask(1))

    stage.play(scene, attempts=3)

    assert stage.billed(1) == ["no", "no", "no", "yes"]


@pytest.mark.parametrize("each", [fault.reset_in_answer, fault.hung_up, fault.page(502), FORBIDDEN])
def test_answer_that_may_be_paid_for_or_does_not_pass_is_not_tried_again(stage: Stage, each: Fault) -> None:
    async def scene(play: Play) -> None:
        stage.proxy.plan(each)
        decision = await play.ask(1)
        assert (decision.outcome, decision.signals["face"].attempts) == (Outcome.REVIEW, 1)

    stage.play(scene, attempts=3)

    assert len(stage.proxy.seen) == 1


def test_lost_answers_are_tried_again_within_one_decision_where_the_policy_says_so(stage: Stage) -> None:
    async def scene(play: Play) -> None:
        stage.proxy.plan(fault.reset_in_answer, fault.page(504))
        assert_answered(await play.ask(1), attempts=3)

    stage.play(scene, attempts=3, doubt="ask_again")

    assert stage.billed(1) == ["unknown", "unknown", "yes"]
    assert stage.sandbox.stats()["billed"] == 2


def test_attempt_of_its_own_timeout_leaves_a_black_hole_where_the_policy_says_so(stage: Stage) -> None:
    async def scene(play: Play) -> None:
        assert_answered(await play.ask(0))
        stage.proxy.plan(fault.black_hole)
        assert_answered(await play.ask(1), attempts=2)

    stage.play(scene, attempts=2, attempt_timeout_s=2.5, doubt="ask_again")

    assert stage.billed(1) == ["unknown", "yes"]


@pytest.mark.parametrize(
    ("header", "value", "at_least_s"), [("x_acs_retry_after", "400", 0.4), ("retry_after", "1", 1)]
)
def test_retry_waits_as_long_as_it_is_asked_to(stage: Stage, header: str, value: str, at_least_s: float) -> None:
    async def scene(play: Play) -> None:
        stage.proxy.plan(fault.answered(403, "Throttling.Api", **{header: value}))
        assert_answered(await play.ask(1), attempts=2)

    stage.play(scene, attempts=3)

    first, second = (seen.at for seen in stage.proxy.seen)
    assert second - first >= at_least_s


def test_retry_that_would_come_too_late_is_not_waited_for(stage: Stage) -> None:
    async def scene(play: Play) -> None:
        stage.proxy.plan(fault.answered(403, "Throttling.Api", retry_after="21"))
        throttled = assert_unknown(await play.ask(1), "unavailable", "THROTTLING_API", "answered Throttling.Api")
        assert (throttled.attempts, throttled.is_final) == (1, False)
        assert_answered(await play.ask(1))

    stage.play(scene, attempts=3)


@pytest.mark.parametrize("each", [THROTTLED, BROKEN])
def test_storm_over_twenty_requests_gets_a_few_retries_more_and_not_three_times_as_many(
    stage: Stage, each: Fault
) -> None:
    async def scene(play: Play) -> None:
        stage.proxy.plan(then=each)
        for decision in await play.ask_all(range(20)):
            assert decision.outcome is Outcome.REVIEW
            assert not decision.signals["face"].is_final
        assert 20 < len(stage.proxy.seen) <= 20 + 12
        assert play.usage.retried == len(stage.proxy.seen) - 20
        stage.proxy.mend()
        for decision in await play.ask_all(range(20)):
            assert_answered(decision)

    stage.play(scene, attempts=3)

    assert stage.sandbox.stats()["billed"] == 20


@pytest.mark.parametrize(
    ("each", "reason"),
    [
        (THROTTLED, "answered Throttling.Api"),
        (BROKEN, "answered InternalError"),
        (fault.page(502), "answered 502 without a JSON object"),
        (fault.reset_in_answer, "the connection failed"),
        (fault.endless(2 * MIB, chunked=False), "the answer is larger than 1 MiB"),
    ],
)
def test_storm_opens_the_breaker_and_one_call_closes_it(stage: Stage, each: Fault, reason: str) -> None:
    release = threading.Event()

    async def scene(play: Play) -> None:
        stage.proxy.plan(then=each)
        for n in range(3):
            assert (await play.ask(n)).signals["face"].reason == reason
        assert play.usage.breaker == "open"
        for decision in await play.ask_all(range(100, 120)):
            refused = assert_unknown(decision, "unavailable", "BREAKER_OPEN", f"not asked since it failed: {reason}")
            assert not refused.is_final
        assert len(stage.proxy.seen) == 3

        stage.seconds += 2
        stage.proxy.plan(fault.held(release))
        trial = asyncio.create_task(play.ask(200))
        await asyncio.to_thread(stage.proxy.arrived, 4)
        for decision in await play.ask_all(range(100, 120)):
            assert decision.signals["face"].reason_code == "BREAKER_OPEN", "one tries, the others wait for it"
        release.set()
        assert_answered(await trial)
        assert (play.usage.breaker, len(stage.proxy.seen)) == ("closed", 4)
        for decision in await play.ask_all(range(100, 120)):
            assert_answered(decision)
            assert decision.status == "supersedes"

    stage.play(scene, breaker_failures=3)

    opened = [(event["log_level"], event["reason"]) for event in stage.events_of("breaker_opened")]
    assert opened == [("warning", reason)]
    assert stage.billed(100) == ["yes"], "what was not asked is no call"


def test_breaker_whose_trial_fails_stays_open(stage: Stage) -> None:
    async def scene(play: Play) -> None:
        stage.proxy.plan(then=BROKEN)
        await play.ask_all(range(2))
        stage.seconds += 2
        assert (await play.ask(2)).signals["face"].reason_code == "INTERNAL_ERROR"
        stage.seconds += 1.9
        assert (await play.ask(3)).signals["face"].reason_code == "BREAKER_OPEN"
        stage.proxy.mend()
        stage.seconds += 0.1
        assert_answered(await play.ask(3))

    stage.play(scene, breaker_failures=2)

    assert len(stage.proxy.seen) == 4


def test_breaker_that_opens_during_retries_ends_them(stage: Stage) -> None:
    async def scene(play: Play) -> None:
        stage.proxy.plan(then=BROKEN)
        reason = "not asked since it failed: answered InternalError"
        assert_unknown(await play.ask(1), "unavailable", "BREAKER_OPEN", reason)
        stage.proxy.mend()
        stage.seconds += 2
        assert_answered(await play.ask(1))

    stage.play(scene, breaker_failures=2, attempts=3)

    assert stage.billed(1) == ["no", "no", "yes"]


def test_missing_permission_opens_the_breaker_at_once_and_loudly(stage: Stage) -> None:
    async def scene(play: Play) -> None:
        stage.proxy.plan(then=FORBIDDEN)
        assert (await play.ask(1)).signals["face"].reason_code == "FORBIDDEN_RAM_USER_ACCESS_DENIED"
        for decision in await play.ask_all(range(1, 21)):
            assert decision.signals["face"].reason_code == "BREAKER_OPEN"
        assert len(stage.proxy.seen) == 1
        stage.proxy.mend()
        assert (await play.ask(1)).signals["face"].reason_code == "BREAKER_OPEN", "also once it is mended"
        stage.seconds += 2
        assert_answered(await play.ask(1))
        for decision in await play.ask_all(range(2, 21)):
            assert_answered(decision)

    stage.play(scene, attempts=3)

    assert [event["log_level"] for event in stage.events_of("breaker_opened")] == ["error"]


@pytest.mark.parametrize("each", [THROTTLED, BROKEN, fault.reset_in_answer, fault.page(502)])
def test_alternating_answers_never_open_the_breaker(stage: Stage, each: Fault) -> None:
    async def scene(play: Play) -> None:
        stage.proxy.plan(*(each, fault.passed) * 6)
        outcomes = [(await play.ask(n)).outcome for n in range(12)]
        assert outcomes == [Outcome.REVIEW, Outcome.REJECT] * 6
        assert play.usage.breaker == "closed"

    stage.play(scene, breaker_failures=2)

    assert len(stage.proxy.seen) == 12


def test_alternating_answers_to_twenty_in_flight_are_each_their_own(stage: Stage) -> None:
    async def scene(play: Play) -> None:
        barrier = threading.Barrier(20)
        stage.proxy.plan(*(fault.waiting(barrier, each) for each in (BROKEN, fault.passed) * 10))
        first = await play.ask_all(range(20))
        assert Counter(decision.outcome for decision in first) == {Outcome.REVIEW: 10, Outcome.REJECT: 10}
        for before, decision in zip(first, await play.ask_all(range(20)), strict=True):
            assert decision.outcome is Outcome.REJECT
            assert decision.status == ("duplicate" if before.outcome is Outcome.REJECT else "supersedes")

    stage.play(scene)

    assert stage.sandbox.stats()["billed"] == 20


def test_places_in_flight_are_given_back_whatever_goes_wrong(stage: Stage) -> None:
    async def scene(play: Play) -> None:
        stage.proxy.plan(
            fault.reset_in_answer, fault.hung_up, fault.page(502), BROKEN, fault.endless(2 * MIB, chunked=True)
        )
        await play.ask_all(range(5))
        assert len(stage.proxy.seen) == 5
        stage.proxy.plan(then=fault.together(2, fault.passed))
        for decision in await play.ask_all(range(10, 20)):
            assert_answered(decision)

    stage.play(scene, in_flight=2)

    assert stage.proxy.most_open <= 2 * 2  # of a connection that its client closed the proxy hears a little later


# answers that are not the request's own


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(lambda answer: answer, id="the_answer_twice"),
        pytest.param(lambda answer: b"\r\n<!-- seen by the proxy -->\r\n", id="a_remark"),
    ],
)
def test_what_follows_an_answer_is_not_the_answer_to_the_next_request(
    stage: Stage, extra: Callable[[bytes], bytes]
) -> None:
    """A proxy that says more than its answer's length must not decide on the next applicant."""
    low = {"result": "low"}
    stage.sandbox.scenario = read_scenario({"default": {"result": "high"}, "merchant_biz_id": {biz_id(1): low}})

    async def scene(play: Play) -> None:
        stage.proxy.plan(fault.followed(extra))
        genuine = await play.ask(1)
        forged = await play.ask(2)
        assert genuine.outcome is Outcome.PASS
        assert forged.signals["face"].request_id != genuine.signals["face"].request_id
        assert_answered(forged)

    stage.play(scene)


# what outlives a request


def test_engine_that_closes_in_a_black_hole_records_what_is_in_doubt(stage: Stage) -> None:
    asking: list[asyncio.Task[Decision]] = []

    async def scene(play: Play) -> None:
        stage.proxy.plan(then=fault.black_hole)
        play.time_is_up(stage.steps, SENT, 20)
        asking.extend(asyncio.create_task(play.ask(n)) for n in range(20))
        await asyncio.to_thread(stage.proxy.arrived, 20)

    stage.play(scene, timeout=HASTY)

    assert {task.result().signals["face"].reason_code for task in asking} == {"TIMEOUT"}
    assert len(stage.bill.in_doubt) == 20


def test_callers_that_leave_in_a_black_hole_leave_their_doubt_in_the_log(stage: Stage) -> None:
    async def scene(play: Play) -> None:
        stage.proxy.plan(then=fault.black_hole)
        asking = [asyncio.create_task(play.ask(n)) for n in range(20)]
        await asyncio.to_thread(stage.proxy.arrived, 20)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        stage.proxy.mend()
        play.time_is_up(stage.steps, SENT, 0)
        for decision in await play.ask_all(range(20)):
            assert_unknown(decision, "timeout", "TIMEOUT", "no answer in time")

    stage.play(scene, timeout=HASTY)

    assert len(stage.proxy.seen) == 20


def test_engine_on_the_same_log_keeps_the_doubt_and_asks_what_was_refused(stage: Stage) -> None:
    async def failing(play: Play) -> None:
        stage.proxy.plan(fault.reset_in_answer, THROTTLED)
        assert (await play.ask(1)).outcome is Outcome.REVIEW
        assert (await play.ask(2)).outcome is Outcome.REVIEW

    async def mended(play: Play) -> None:
        assert (await play.ask(1)).status == "duplicate"
        assert_answered(await play.ask(2))

    stage.play(failing)
    stage.play(mended)

    assert (stage.billed(1), stage.billed(2)) == (["unknown"], ["no", "yes"])


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, name: str, **facts: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **facts).configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let clients trust the test's authority: on loopback, where the environment does not count, as the system's."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setattr("certifi.where", lambda: str(path))
    return path


def handshake_reset(connection: fault.Connection) -> None:
    connection.wait_for_a_byte()
    connection.reset()


def handshake_in_plain_text(connection: fault.Connection) -> None:
    connection.wait_for_a_byte()
    connection.send(b"HTTP/1.1 400 The plain HTTP request was sent to HTTPS port\r\n\r\n")
    connection.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tls_of_a_trusted_authority_is_spoken(stage: Stage, trusted: Path, authority: trustme.CA, host: str) -> None:
    stage.proxy.tls = server_context(authority, host)

    async def scene(play: Play) -> None:
        for decision in await play.ask_all(range(20)):
            assert_answered(decision)

    stage.play(scene, endpoint=f"https://{host}:{stage.proxy.port}")


@pytest.mark.parametrize(
    "kind", ["untrusted", "wrong_host", "wrong_address", "expired", "reset", "plain_text", "black_hole"]
)
def test_tls_that_fails_is_no_call_and_over_when_it_ends(
    stage: Stage, trusted: Path, authority: trustme.CA, kind: str
) -> None:
    host = "localhost" if kind == "wrong_host" else "127.0.0.1"
    proxy, good = stage.proxy, server_context(authority, host)
    status, reason_code, reason = "unavailable", "CONNECTION_FAILED", "TLS failed"
    proxy.tls = good
    match kind:
        case "untrusted":
            proxy.tls = server_context(trustme.CA(), host)
        case "wrong_host":
            proxy.tls = server_context(authority, "127.0.0.1")
        case "wrong_address":
            proxy.tls = server_context(authority, "localhost")
        case "expired":
            proxy.tls = server_context(authority, host, not_after=datetime.now(UTC) - timedelta(days=1))
        case "reset":
            proxy.at_accept, reason = handshake_reset, "the connection failed"
        case "plain_text":
            proxy.at_accept = handshake_in_plain_text
        case "black_hole":
            proxy.at_accept = fault.black_hole
            status, reason_code, reason = "timeout", "CONNECT_TIMEOUT", "no connection in time"

    async def scene(play: Play) -> None:
        if kind == "black_hole":
            play.time_is_up(stage.steps, SHAKING, 20, UNCONNECTED_S)
        for decision in await play.ask_all(range(20)):
            assert not assert_unknown(decision, status, reason_code, reason).is_final
        assert proxy.seen == []
        await asyncio.to_thread(proxy.emptied)
        proxy.at_accept, proxy.tls = None, good
        for decision in await play.ask_all(range(20)):
            assert_answered(decision)

    timeout = HASTY if kind == "black_hole" else PATIENT
    stage.play(scene, endpoint=f"https://{host}:{proxy.port}", timeout=timeout)

    assert {tuple(stage.billed(n)) for n in range(20)} == {("no", "yes")}


def test_tls_of_the_test_authority_is_refused_where_nobody_trusts_it(stage: Stage, authority: trustme.CA) -> None:
    stage.proxy.tls = server_context(authority, "127.0.0.1")

    async def scene(play: Play) -> None:
        assert_unknown(await play.ask(1), "unavailable", "CONNECTION_FAILED", "TLS failed")

    stage.play(scene, endpoint=f"https://127.0.0.1:{stage.proxy.port}")


# names, the machine's proxy, and clocks


@dataclass
class Resolver:
    """Names as the machine would find them: none outside it is ever looked up.

    answers: False, and no name is found. gate: cleared, and looking up takes for ever.
    """

    answers: bool = True
    gate: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)

    def getaddrinfo(self, host: Any, port: Any, *args: Any, **facts: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        if name.endswith((".invalid", ".example")):
            self.asked.append(name)
            self.gate.wait(fault.PATIENCE_S)
            if not self.answers:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = "127.0.0.1"
        return _getaddrinfo(host, port, *args, **facts)


_getaddrinfo = socket.getaddrinfo


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch, trusted: Path) -> Iterator[Resolver]:
    """Answer for names, with keys and a trusted authority in the environment as a real host needs them."""
    found = Resolver()
    found.gate.set()
    monkeypatch.setattr(socket, "getaddrinfo", found.getaddrinfo)
    monkeypatch.setattr("certifi.where", lambda: "/nonexistent")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "adjudge-sandbox")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    yield found
    found.gate.set()


def test_name_that_is_not_found_is_no_call_and_over_when_it_is(
    stage: Stage, resolver: Resolver, authority: trustme.CA
) -> None:
    stage.proxy.tls = server_context(authority, "no-such-host.invalid")
    resolver.answers = False

    async def scene(play: Play) -> None:
        for decision in await play.ask_all(range(20)):
            signal = assert_unknown(decision, "unavailable", "CONNECTION_FAILED", "the host's name is not found")
            assert not signal.is_final
        assert set(resolver.asked) == {"no-such-host.invalid"}
        assert (stage.proxy.seen, stage.proxy.most_open) == ([], 0)
        resolver.answers = True
        for decision in await play.ask_all(range(20)):
            assert_answered(decision)

    stage.play(scene, endpoint=f"https://no-such-host.invalid:{stage.proxy.port}")


def test_name_that_nobody_looks_up_in_time_is_no_call(stage: Stage, resolver: Resolver, authority: trustme.CA) -> None:
    stage.proxy.tls = server_context(authority, "no-such-host.invalid")

    async def scene(play: Play) -> None:
        assert_answered(await play.ask(0))
        stage.proxy.hang_up()
        resolver.gate.clear()
        play.time_is_up(stage.steps, CONNECTING, 1, UNCONNECTED_S)
        stuck = assert_unknown(await play.ask(1), "timeout", "CONNECT_TIMEOUT", "no connection in time")
        assert not stuck.is_final
        resolver.gate.set()
        assert_answered(await play.ask(1))

    stage.play(scene, endpoint=f"https://no-such-host.invalid:{stage.proxy.port}", timeout=HASTY)


@pytest.mark.parametrize("status", [407, 502])
def test_proxy_of_the_machine_that_does_not_connect_is_no_call(
    stage: Stage, resolver: Resolver, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """The vendor never saw the request: a proxy that answers CONNECT with a page leaves nothing in doubt."""
    stage.proxy.tls = server_context(authority, "vendor.example")
    with FaultProxy(0) as machines:
        monkeypatch.setenv("HTTPS_PROXY", machines.url)

        async def scene(play: Play) -> None:
            machines.plan(then=fault.page(status))
            refused = await play.ask(1)
            machines.plan(then=fault.tunnelled(stage.proxy.port))
            assert_answered(await play.ask(2))
            signal = assert_unknown(refused, "unavailable", "CONNECTION_FAILED", "the connection failed")
            assert not signal.is_final
            assert_answered(await play.ask(1))

        stage.play(scene, endpoint="https://vendor.example")
        machines.emptied()

    assert stage.billed(1) == ["no", "yes"]
    assert resolver.asked == []


@pytest.mark.parametrize(("off_minutes", "said"), [(20, "20 minutes behind"), (-20, "20 minutes ahead of")])
def test_clock_that_is_twenty_minutes_off_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off_minutes: int, said: str
) -> None:
    off = [timedelta(minutes=off_minutes)]
    reason = (
        f"answered InvalidTimeStamp.Expired: this machine's clock is more than 15 minutes off ({said} the vendor's)"
    )
    with staged(tmp_path, monkeypatch, clock=lambda: datetime.now(UTC) + off[0]) as stage:

        async def scene(play: Play) -> None:
            stage.proxy.plan(then=fault.together(20, fault.passed))
            for decision in await play.ask_all(range(20)):
                signal = assert_unknown(decision, "error", "INVALID_TIME_STAMP_EXPIRED", reason)
                assert not signal.is_final
            stage.proxy.mend()
            refused = await play.ask(100)
            assert refused.signals["face"].reason_code == "BREAKER_OPEN"
            assert refused.signals["face"].reason == f"not asked since it failed: {reason}"
            off[0] = timedelta(minutes=14)
            stage.seconds += 2
            assert_answered(await play.ask(100))
            for decision in await play.ask_all(range(20)):
                assert_answered(decision)

        stage.play(scene, attempts=3)

        assert stage.sandbox.stats()["refused"] == {"InvalidTimeStamp.Expired": 20}
        assert [event["log_level"] for event in stage.events_of("breaker_opened")] == ["error"]


# the upload before the call

CUT = fault.truncated(keeps_length=False)
HUGE = fault.endless(200 * MIB, chunked=True)


@pytest.mark.parametrize(
    ("step", "each", "reason_code"),
    [
        ("AuthorizeFileUpload", fault.reset_in_answer, "CONNECTION_FAILED"),
        ("AuthorizeFileUpload", fault.page(502), "BAD_ANSWER"),
        ("AuthorizeFileUpload", CUT, "BAD_ANSWER"),
        ("AuthorizeFileUpload", HUGE, "ANSWER_TOO_LARGE"),
        ("AuthorizeFileUpload", THROTTLED, "THROTTLING_API"),
        ("AuthorizeFileUpload", fault.black_hole, "TIMEOUT"),
        ("PostObject", fault.reset_in_request, "CONNECTION_FAILED"),
        ("PostObject", fault.reset_in_answer, "CONNECTION_FAILED"),
        ("PostObject", fault.page(502), "UPLOAD_VENDOR_502"),
        ("PostObject", HUGE, "ANSWER_TOO_LARGE"),
        ("PostObject", fault.black_hole, "TIMEOUT"),
    ],
)
def test_upload_that_fails_costs_nothing_and_is_made_again(
    stage: Stage, step: str, each: Fault, reason_code: str
) -> None:
    async def scene(play: Play) -> None:
        assert_answered(await play.ask(0))
        stage.proxy.plan(*([fault.granted] if step == "PostObject" else []), each)
        if reason_code == "TIMEOUT":
            play.time_is_up(stage.steps, SENT, 2 if step == "PostObject" else 1)
        failed = await play.ask(1)
        assert (failed.outcome, failed.signals["face"].reason_code) == (Outcome.REVIEW, reason_code)
        assert not failed.signals["face"].is_final
        again = await play.ask(1)
        assert_answered(again)
        assert again.status == "supersedes"

    timeout = HASTY if reason_code == "TIMEOUT" else PATIENT
    stage.play(scene, config=", upload: stream", timeout=timeout)

    assert stage.billed(1) == ["no", "yes"]
