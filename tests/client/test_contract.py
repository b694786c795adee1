"""The embedded engine and the clients of a service are one: the same decisions, errors and words, whoever is asked."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import enum
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec import structs
from serving import served

from adjudge.cli.group import adjudge
from adjudge.client import Engine as Client
from adjudge.decision.door import Door
from adjudge.engine import Engine
from adjudge.errors import AdjudgeError, AuditBroken, AuditUnavailable, EngineError, LogInUse, Overloaded, RequestError
from adjudge.ledger.memory import MemoryLedger
from adjudge.model import Decision, Face
from adjudge.plugin import DecisionQuery
from adjudge.testing import FakeProvider, Slow
from engine.engines import CLEAN, MEDIA, device, engine, face, request

POLICY = """
policy_language: 1
policy: everything
inputs:
  country: string
  age: duration
  born: {type: timestamp, personal: true}
  day: date
  n: int
  x: double
  tags: {type: set, values: [a, b]}
  names: {type: list, of: string}
  limits: {type: map, of: int}
  paid: {type: money, currencies: [EUR]}
signals:
  face: {provider: acme.face}
  device: {provider: acme.device, timeout: 5s}
  own: {fields: {ok: bool, score: {type: int, range: [0, 9]}}}
rules:
  - {id: forged, when: face.score >= 0.9, then: reject}
  - {id: abroad, when: country != "SG" && !own.ok, then: review}
  - {id: old, when: 'age > duration("1h") && n > 5 && x > 0.5 && "a" in tags', then: review}
  - {id: young, when: 'now - born < duration("1h") && limits["a"] > 1 && paid.amount > 1', then: review}
"""


class Asked:
    """An engine behind one kind of door, asked from a thread."""

    def __init__(self, door: Door, *, is_async: bool) -> None:
        self.door, self.is_async = door, is_async

    def __call__(self, method: str, *said: Any, **how: Any) -> Any:
        if self.is_async:
            return asyncio.run(getattr(self.door, method)(*said, **how))
        return getattr(self.door, f"{method}_sync")(*said, **how)

    def outcome(self, method: str, *said: Any, **how: Any) -> Any:
        """Return what came, comparable: a decision without what is another each time, or an error."""
        try:
            return comparable(self(method, *said, **how))
        except AdjudgeError as error:
            return type(error), str(error), getattr(error, "where", None), getattr(error, "hint", None)


def comparable(found: Any) -> Any:
    if not isinstance(found, Decision):
        return found
    signals = {
        name: structs.replace(signal, fields={}, duration_ms=0.0) for name, signal in found.signals.items()
    }  # what providers said stays with the service
    return structs.replace(
        found,
        decision_id="",
        supersedes=found.supersedes and "",
        fingerprint="",
        duration_ms=0.0,
        decided_at=dt.datetime(2000, 1, 1, tzinfo=dt.UTC),
        signals=signals,
    )


KINDS = ("embedded", "embedded async", "client", "client async", "client over TCP")


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def asked_of(whole: Engine, kind: str, stack: ExitStack) -> Asked:
    if kind.startswith("embedded"):
        return Asked(stack.enter_context(whole), is_async="async" in kind)
    address = stack.enter_context(served(whole, over_tcp="TCP" in kind))
    return Asked(stack.enter_context(Client(address)), is_async="async" in kind)


@pytest.fixture
def opened(kind: str) -> Iterator[Callable[..., Asked]]:
    """Open an engine of one's own behind a door."""
    with ExitStack() as stack:
        yield lambda *parts, **more: asked_of(engine(*parts, **more), kind, stack)


@pytest.fixture(scope="module")
def ask(kind: str) -> Iterator[Asked]:
    """An engine behind a door, the same for all tests that leave nothing behind."""
    with ExitStack() as stack:
        yield asked_of(engine(policies=[POLICY]), kind, stack)


@pytest.fixture(scope="module")
def judge() -> Iterator[Asked]:
    """An embedded engine, to compare with."""
    with engine(policies=[POLICY]) as whole:
        yield Asked(whole, is_async=False)


class Level(enum.IntEnum):
    HIGH = 9


class Text(str):
    __slots__ = ()


TIME = dt.datetime(1990, 1, 2, 3, 4, 5, 678, tzinfo=dt.timezone(dt.timedelta(hours=8)))
VALUES: dict[str, dict[str, object]] = {
    "plain": {"country": "KP", "n": 7, "x": 0.75, "names": ["é", "x"], "limits": {"a": 1}},
    "times": {"age": dt.timedelta(hours=3, microseconds=5), "born": TIME, "day": dt.date(2020, 2, 3)},
    "times as texts": {"age": "3h", "born": "1990-01-02T03:04:05+08:00", "day": "2020-02-03"},
    "sets": {"tags": {"b", "a"}, "names": ("x", "y")},
    "list for a set": {"tags": ["a", "a"]},
    "money": {"paid": {"amount": "3.50", "currency": "EUR"}},
    "subclasses": {"country": Text("SG"), "n": Level.HIGH},
    "nothing": {"country": None},
    "infinite": {"x": float("inf")},
    "minus infinite": {"x": float("-inf"), "n": 1},
    "past 64 bits": {"n": 2**63},
    "far past 64 bits": {"n": -(10**60)},
    "half a character": {"country": "a\ud800"},
    "half a character inside": {"names": ["\udfff", "b"]},
    "wrong types": {"n": "seven", "x": True, "age": 3, "day": "soon", "tags": "a", "paid": 3},
    "wrong inside": {"limits": {"a": "b"}, "names": [1, None]},
    "int for a double": {"x": 1},
    "zero": {"x": -0.0},
    "long": {"country": "x" * 300_000},
    "controls": {"country": "a\u2028\x00\x1b[31m\r\nb", "names": ["\u202e"]},
}


@pytest.mark.parametrize("values", VALUES)
def test_values_of_every_kind_are_judged_alike(ask: Asked, judge: Asked, values: str) -> None:
    number = list(VALUES).index(values)
    asked = request(number, inputs=VALUES[values], signals={"own": {"ok": False, "score": 10**30}})
    judged = ask.outcome("decide", asked)
    assert isinstance(judged, Decision)
    assert structs.replace(judged, status="fresh") == structs.replace(judge.outcome("decide", asked), status="fresh")


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"x": float("nan")}, "finite"),
        ({"born": dt.datetime(1990, 1, 1)}, "born"),
    ],
)
def test_values_that_json_lacks_are_unknown_and_told(ask: Asked, values: dict[str, Any], what: str) -> None:
    (name,) = values
    judged = ask("decide", request(100 + ord(name[0]), inputs=values))
    said = [*judged.problems, *judged.verdict.problems]
    assert len(said) == 1 and what in " ".join(said[0])
    assert said[0][0] == name


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


MISTAKES: dict[str, dict[str, Any]] = {
    "undeclared input": {"inputs": {"contry": "SG"}},
    "undeclared signal": {"signals": {"devise": {}}},
    "undeclared field": {"signals": {"own": {"okay": True}}},
    "signal of a provider": {"signals": {"face": {"score": 0.1}}},
    "no such policy": {"policy": "other"},
    "number for a name": {"inputs": {3: "SG"}},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_refused_with_the_same_words(ask: Asked, judge: Asked, mistake: str) -> None:
    asked = request(300, **MISTAKES[mistake])
    refused = ask.outcome("decide", asked)
    assert refused[0] is RequestError
    assert refused == judge.outcome("decide", asked)


@pytest.mark.parametrize("value", [object(), b"bytes", Decimal("1.5"), 1j, nested(5000)])
def test_values_of_no_kind_are_refused_where_they_stand(ask: Asked, value: object) -> None:
    with pytest.raises(RequestError) as refused:
        ask("decide", request(301, inputs={"names": [value]}))
    assert refused.value.where == "inputs.names"


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("decide", ("no request",), {}),
    ("decide", (request(),), {"deadline_s": 0}),
    ("decide", (request(),), {"deadline_s": float("nan")}),
    ("decide", (request(),), {"deadline_s": float("inf")}),
    ("decide", (request(),), {"deadline_s": "2"}),
    ("decide", (request(),), {"deadline_s": True}),
    ("decide", (request(),), {"deadline_s": 10**400}),
    ("decide", (request(),), {"anew": "false"}),
    ("label", ("short", "0" * 32, "fraud"), {"source": "x"}),
    ("label", ("0" * 32, "../../etc", "fraud"), {"source": "x"}),
    ("label", ("0" * 32, "0" * 32, "maybe"), {"source": "x"}),
    ("label", ("0" * 32, "0" * 32, "fraud"), {"source": " "}),
    ("label", ("0" * 32, "0" * 32, "fraud"), {"source": "x", "by": ""}),
    ("label", ("0" * 32, "0" * 32, "fraud"), {"source": "x", "found_on": dt.date(9999, 1, 1)}),
    ("label", ("0" * 32, "0" * 32, ["fraud"]), {"source": "x"}),
    ("label", ("0" * 32, "0" * 32, "fraud"), {"source": None}),
    ("label", ("0" * 32, "0" * 32, "fraud"), {"source": "\udc80"}),
    ("label", ("0" * 32, "0" * 32, "fraud"), {"source": "x", "note": None}),
    ("label", ("0" * 32, "0" * 32, "fraud"), {"source": "x", "found_on": "2020-01-02"}),
    ("label", ("0" * 32, "0" * 32, "fraud"), {"source": "x", "found_on": dt.datetime(2020, 1, 2)}),
    ("erase", ("../subjects",), {}),
    ("erase", ("0" * 32,), {"by": None}),
    ("erase", ("0" * 32,), {"reason": b"asked"}),
    ("erase", ("0" * 32,), {"by": ""}),
    ("erase", ("0" * 32,), {"reason": "x" * 1001}),
    ("erase", ("9" * 32,), {}),
    ("find", (), {}),
    ("find", (), {"decision_id": "0" * 32, "merchant_biz_id": "0" * 32}),
    ("find", (), {"decision_id": "9" * 32}),
    ("find", (), {"merchant_biz_id": "9" * 32}),
    ("find", (), {"decision_id": "../v1"}),
    ("find", (), {"merchant_biz_id": "a&b=c"}),
    ("find", (), {"decision_id": 3}),
    ("find_policy", ("nobody",), {}),
    ("find_policy", ("../v1/policies",), {}),
    ("find_policy", ("a%2Fb",), {}),
    ("find_policy", ("everything\n",), {}),
    ("find_policy", (3,), {}),
    ("search", ({},), {}),
    ("search", (), {"cursor": 3}),
    ("search", (), {"cursor": "x" * 10_000}),
]


@pytest.mark.parametrize(("method", "said", "how"), CALLS, ids=range(len(CALLS)))
def test_calls_without_a_decision_end_alike(
    ask: Asked, judge: Asked, method: str, said: tuple[Any, ...], how: dict[str, Any]
) -> None:
    assert ask.outcome(method, *said, **how) == judge.outcome(method, *said, **how)


def test_one_id_has_one_decision_which_is_found_again(opened: Callable[..., Asked], tmp_path: Path) -> None:
    ask = opened([face(), device()], at=tmp_path)
    first, second = ask("decide", request()), ask("decide", request())
    assert (first.status, second.status) == ("fresh", "duplicate")
    assert second.decision_id == first.decision_id
    found = ask("find", decision_id=first.decision_id), ask("find", merchant_biz_id=first.merchant_biz_id)
    assert found[0] == found[1] and found[0].decision_id == first.decision_id
    assert first.cost == {"USD": Decimal("0.10")} or first.cost
    with pytest.raises(AdjudgeError, match="came before with another face") as refused:
        ask("decide", request(inputs={**CLEAN, "country": "KP"}))
    assert refused.value.code == "merchant-biz-id-conflict"
    again = ask("decide", request(), anew=True)
    assert (again.status, again.supersedes) == ("supersedes", first.decision_id)


def test_decisions_are_searched_alike(opened: Callable[..., Asked], tmp_path: Path) -> None:
    ask = opened([face(), device()], at=tmp_path)
    own = [{}, {"own": {"ok": False}}]
    abroad = {**CLEAN, "country": "KP"}
    made = [ask("decide", request(n, inputs=abroad, signals=own[n % 2])) for n in range(5)]
    assert made[1].verdict.matched == ("abroad",) and made[0].verdict.missing
    newest = [decision.decision_id for decision in reversed(made)]
    first = ask("search", DecisionQuery(limit=3))
    second = ask("search", DecisionQuery(limit=3), cursor=first.next)
    assert [one.decision_id for one in (*first.decisions, *second.decisions)] == newest
    assert comparable(first.decisions[0]) == comparable(ask("find", decision_id=newest[0]))
    since = made[3].decided_at
    found = ask("search", DecisionQuery(since=since, policy="onboarding", limit=500))
    assert [one.decision_id for one in found.decisions] == newest[:2] and found.next is None
    matched, lacking = newest[1::2], newest[0::2]
    assert [one.decision_id for one in ask("search", DecisionQuery(rule="abroad")).decisions] == matched
    found = ask("search", DecisionQuery(missing=made[0].verdict.missing[0], outcome="review"))
    assert [one.decision_id for one in found.decisions] == lacking
    assert ask("search", DecisionQuery(reason="none")).decisions == ()
    assert (
        ask("search", DecisionQuery(unknown="own")).decisions == ask("search", DecisionQuery(missing="own")).decisions
    )
    assert (
        ask("search", DecisionQuery(tag="none")).decisions == ask("search", DecisionQuery(waiver="x")).decisions == ()
    )
    for cursor, query in ((first.next + "A", None), (first.next, DecisionQuery(rule="abroad")), ("\r\n", None)):
        with pytest.raises(RequestError, match="cursor: is none that a page of this search ended with"):
            ask("search", query, cursor=cursor)


def test_decision_is_explained_alike_and_as_the_command_line_does(
    opened: Callable[..., Asked], tmp_path: Path, patient_solver: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing that is personal is told."""
    if find_spec("z3") is not None:
        from adjudge.authoring.proofs.apart import here

        monkeypatch.setattr("adjudge.authoring.counterfactual.apart", here)  # a process for each starts a second long
    ask = opened([face({"score": 0.95}), device()], at=tmp_path)
    decision = ask("decide", request(inputs={**CLEAN, "email": "mallory@bad.example"}))
    found = {audience: ask("explain", decision.decision_id, audience=audience) for audience in ("team", "applicant")}
    (recorded,) = [one for one in [ask("find", decision_id=decision.decision_id)] if one is not None]
    assert recorded.policy_digest == found["team"]["policy_digest"] == decision.policy_digest
    for audience, said in found.items():
        by_hand = CliRunner().invoke(adjudge, ["explain", str(tmp_path), decision.decision_id, *FLAGS[audience]])
        assert json.loads(by_hand.stdout) == json.loads(json.dumps(said)), by_hand.output
        assert said["outcome"] == "reject" and "mallory" not in json.dumps(said)
    assert len(json.dumps(found["applicant"])) < len(json.dumps(found["team"]))
    assert ask("explain", "e" * 32) is None
    for wrong in ({"locale": "../etc"}, {"locale": ""}, {"audience": "everybody"}):
        with pytest.raises(RequestError):
            ask("explain", decision.decision_id, **wrong)


FLAGS = {"team": ("--format", "json"), "applicant": ("--format", "json", "--applicant")}


def test_policies_are_told_alike(opened: Callable[..., Asked]) -> None:
    ask = opened([face(), device()])
    (one,) = ask("served")
    assert (one.name, one.rules, one.signals, one.scenes, one.text) == (
        "onboarding",
        6,
        ("face", "device", "own"),
        (),
        None,
    )
    found = ask("find_policy", "onboarding")
    assert structs_without_text(found) == one and "policy: onboarding" in found.text
    assert one.since <= ask("decide", request()).decided_at and ask("decide", request()).policy_digest == one.digest


def structs_without_text(policy: Any) -> Any:
    return dataclasses.replace(policy, text=None)


def test_labels_and_erasures_reach_the_log(opened: Callable[..., Asked], tmp_path: Path) -> None:
    ask = opened(at=tmp_path)
    decision = ask("decide", request())
    said: dict[str, Any] = {"source": "chargeback", "found_on": dt.date(2020, 1, 2), "note": "é", "by": "ann"}
    assert ask("label", decision.decision_id, decision.merchant_biz_id, "fraud", **said) is None
    assert ask("erase", decision.merchant_biz_id, reason="asked for", by="bob") == 3
    assert ask("erase", decision.merchant_biz_id) == 0
    from adjudge.audit.read import read

    records = [record for record in read(tmp_path) if record.kind in ("label", "erasure")]
    text = b"".join(record.line for record in records).decode()
    assert [record.kind for record in records] == ["label", "erasure"]
    for part in ("chargeback", "2020-01-02", "é", "ann", "asked for", "bob"):
        assert part in text


def test_face_arrives_as_it_was_sent(opened: Callable[..., Asked]) -> None:
    seen: list[Face] = []

    def look(context: Any) -> dict[str, Any]:
        seen.append(context.request.face)
        return {"score": 0.1}

    ask = opened([face(look), device()])
    large = Face.from_bytes(MEDIA * 50_000)
    sent = [large, Face.from_bytes(MEDIA, media_type="video"), Face.from_url("https://x.example/a b.jpg?sig=%2F")]
    for number, one in enumerate(sent):
        ask("decide", request(number, face=one))
    assert seen == sent


def test_deadline_of_a_caller_holds(opened: Callable[..., Asked]) -> None:
    ask = opened([face(Slow(60.0, {"score": 0.1})), device()])
    decision = ask("decide", request(), deadline_s=2.0)
    assert decision.signals["face"].status == "timeout"
    assert re.fullmatch(r"no answer within (2|[01]\.\d+) s", decision.signals["face"].reason), (
        "not the engine's own 15 s"
    )
    assert decision.outcome == "review"
    assert decision.complete, "the call may have been paid for, and is not made again"


class Failing(MemoryLedger):
    """A ledger that raises what it is told to."""

    error: BaseException = AuditUnavailable("the disk is full: mend it")

    async def claim(self, *said: Any, **how: Any) -> Any:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        AuditUnavailable("the disk is full: mend it"),
        LogInUse("another process writes the log"),
        AuditBroken("record 3: the hash differs"),
        Overloaded("too much", retry_after_s=2.5),
    ],
    ids=lambda error: error.code,
)
def test_what_the_ledger_raises_arrives(opened: Callable[..., Asked], error: AdjudgeError) -> None:
    ledger = Failing()
    ledger.error = error
    with pytest.raises(type(error)) as raised:
        opened(ledger=ledger)("decide", request())
    assert (type(raised.value), str(raised.value)) == (type(error), str(error))
    assert getattr(raised.value, "retry_after_s", None) == getattr(error, "retry_after_s", None)


def test_ids_in_flight_are_counted_and_bounded(opened: Callable[..., Asked]) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def wait(context: object) -> dict[str, Any]:
        begun.set()
        assert let_go.wait(60)
        return {"score": 0.1}

    ask = opened([blocking(wait), device()], max_in_flight=1)
    found: list[Decision] = []
    callers = [threading.Thread(target=lambda: found.append(ask("decide", request()))) for _ in range(2)]
    assert ask.door.in_flight == 0
    for caller in callers:
        caller.start()
    assert begun.wait(60)
    assert ask.door.in_flight == 1
    with pytest.raises(Overloaded, match=r"^1 decisions are under way") as refused:
        ask("decide", request(1))
    assert refused.value.retry_after_s >= 0.1
    let_go.set()
    for caller in callers:
        caller.join(60)
    assert ask.door.in_flight == 0
    assert sorted(one.status for one in found) == ["duplicate", "fresh"]
    assert len({one.decision_id for one in found}) == 1


def blocking(wait: Callable[[object], dict[str, Any]]) -> FakeProvider:
    """A provider that waits beside the loop."""

    async def answer(context: object) -> Any:
        return await asyncio.to_thread(wait, context)

    return face(answer)


DOORS: list[Callable[[], Door]] = [engine, lambda: Client("/nowhere/s"), lambda: Client("http://127.0.0.1:1")]


@pytest.mark.parametrize("make", DOORS)
def test_door_that_is_not_open_or_closed_says_so(make: Callable[[], Door]) -> None:
    door = make()
    for message in ("the engine is not open", "the engine is closed"):
        for work in (
            lambda: door.decide_sync(request()),
            lambda: asyncio.run(door.decide(request())),
            lambda: door.label_sync("0" * 32, "0" * 32, "fraud", source="x"),
            lambda: asyncio.run(door.erase("0" * 32)),
            lambda: door.find_sync(merchant_biz_id="0" * 32),
        ):
            with pytest.raises(EngineError, match=message):
                work()
        door.close()
    with pytest.raises(EngineError, match="was closed: create another one"):
        door.__enter__()
    with pytest.raises(EngineError, match="the engine is closed"):
        _ = door.in_flight


@pytest.mark.parametrize("make", DOORS)
def test_sync_methods_do_not_block_a_loop(make: Callable[[], Door]) -> None:
    async def main() -> None:
        async with make() as door:
            with pytest.raises(EngineError, match=r"decide_sync would block .* `await engine.decide\(…\)`"):
                door.decide_sync(request())

    asyncio.run(main())


@pytest.mark.parametrize("make", DOORS)
@pytest.mark.parametrize("lives", ["on the loop", "in its thread"])
def test_what_blocks_a_loop_says_what_to_write_and_leaves_the_engine_open(make: Callable[[], Door], lives: str) -> None:
    door = make()

    async def main() -> None:
        if lives == "on the loop":
            await door.__aenter__()
        for close in (door.close, lambda: door.__exit__(None, None, None)):
            with pytest.raises(EngineError, match=r"^close would block .*: write `await engine\.aclose\(\)`$"):
                close()
        with pytest.raises(EngineError, match=r"^`with engine:` would block .*: write `async with engine:`$"):
            make().__enter__()
        assert door.in_flight == 0, "it is open"
        await door.aclose()
        door.close()  # nothing is left to wait for

    if lives == "in its thread":
        door.__enter__()
    asyncio.run(main())
    with pytest.raises(EngineError, match="is closed"):
        door.decide_sync(request())


@pytest.mark.parametrize("make", DOORS)
@pytest.mark.parametrize("is_failing", [False, True])
def test_block_whose_engine_was_closed_inside_ends_as_its_body_does(make: Callable[[], Door], is_failing: bool) -> None:
    def body() -> None:
        if is_failing:
            raise LookupError("the body's own")

    def with_thread() -> None:
        with make() as door:
            door.close()
            body()

    def with_thread_closed_elsewhere() -> None:
        with make() as door:
            asyncio.run(door.aclose())
            body()

    async def with_loop() -> None:
        async with make() as door:
            await door.aclose()
            body()

    for work in (with_thread, with_thread_closed_elsewhere, lambda: asyncio.run(with_loop())):
        if is_failing:
            with pytest.raises(LookupError, match="the body's own"):
                work()
        else:
            work()


def test_label_of_no_decision_or_of_anothers_is_refused(opened: Callable[..., Asked], tmp_path: Path) -> None:
    ask = opened(at=tmp_path)
    one, other = ask("decide", request()), ask("decide", request(1))
    for decision_id, biz_id in ((one.decision_id, other.merchant_biz_id), ("f" * 32, one.merchant_biz_id)):
        said = f"^label: there is no decision {decision_id} of the MerchantBizId {biz_id}$"
        with pytest.raises(RequestError, match=said):
            ask("label", decision_id, biz_id, "fraud", source="x")
    ask("label", one.decision_id, one.merchant_biz_id, "fraud", source="x")
    from adjudge.audit.read import read

    assert [record.kind for record in read(tmp_path)].count("label") == 1
