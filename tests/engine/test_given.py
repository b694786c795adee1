"""What a program gives the engine of the wrong type: refused at once, in words, wherever it is given."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from engines import POLICY, device, engine, face, request

from adjudge import load_policy, parse_policy
from adjudge.audit.trail import AuditTrail
from adjudge.client import Engine as Client
from adjudge.engine import Engine
from adjudge.errors import AdjudgeError, RequestError, SetupError
from adjudge.policy.policy import Policy
from adjudge.registry import Registry
from adjudge.testing import registry_of

ID = "0" * 32
WRONG: list[Any] = [
    None, True, 3, -1, 10**400, 1.5, float("nan"), float("inf"), "", "2", "a\0b", "\ud800", b"x", [], ["a"], [1],
    {}, {"a": 1}, object(), Path("x"), dt.datetime(2020, 1, 1), int,
]  # fmt: skip
DAY = dt.date(2000, 1, 1)


def close(opened: Any) -> None:
    opened.close()


def made(**how: Any) -> None:
    registry = registry_of([face(), device()])
    close(Engine(**{"policies": [parse_policy(POLICY, registry=registry)], "registry": registry, **how}))


OF_AN_ENGINE: dict[str, Callable[[Engine, Any], object]] = {
    "decide": lambda door, one: door.decide_sync(one),
    "decide, anew": lambda door, one: door.decide_sync(request(), anew=one),
    "decide, deadline_s": lambda door, one: door.decide_sync(request(), deadline_s=one),
    "label, decision_id": lambda door, one: door.label_sync(one, ID, "fraud", source="x"),
    "label, merchant_biz_id": lambda door, one: door.label_sync(ID, one, "fraud", source="x"),
    "label, label": lambda door, one: door.label_sync(ID, ID, one, source="x"),
    "label, source": lambda door, one: door.label_sync(ID, ID, "fraud", source=one),
    "label, found_on": lambda door, one: door.label_sync(ID, ID, "fraud", source="x", found_on=one),
    "label, note": lambda door, one: door.label_sync(ID, ID, "fraud", source="x", note=one),
    "label, by": lambda door, one: door.label_sync(ID, ID, "fraud", source="x", by=one),
    "erase": lambda door, one: door.erase_sync(one),
    "erase, reason": lambda door, one: door.erase_sync(ID, reason=one),
    "erase, by": lambda door, one: door.erase_sync(ID, by=one),
    "find, decision_id": lambda door, one: door.find_sync(decision_id=one),
    "find, merchant_biz_id": lambda door, one: door.find_sync(merchant_biz_id=one),
    "archive": lambda door, one: asyncio.run(door.archive(one, before=DAY, by="x")),
    "archive, before": lambda door, one: asyncio.run(door.archive("archived", before=one, by="x")),
    "archive, by": lambda door, one: asyncio.run(door.archive("archived", before=DAY, by=one)),
    "replace": lambda door, one: asyncio.run(door.replace(one)),
}
IN_A_PROGRAM: dict[str, Callable[[Any], object]] = {
    **{
        f"Engine, {name}": lambda one, name=name: made(**{name: one})
        for name in Engine.__init__.__annotations__
        if name not in ("return", "store", "memory", "observers")
    },
    "Engine.open": Engine.open,
    "Client": lambda one: close(Client(one)),
    "Client, answer_within_s": lambda one: close(Client("s", answer_within_s=one)),
    "Client, connections": lambda one: close(Client("s", connections=one)),
    **{
        f"AuditTrail.open, {name}": lambda one, name=name: close(AuditTrail.open(**{"directory": "log", name: one}))
        for name in ("directory", "durability", "segments", "checkpoints", "anchors")
    },
    "load_policy": load_policy,
    "load_policy, registry": lambda one: load_policy("nowhere.yaml", registry=one),
    "parse_policy": parse_policy,
    "parse_policy, name": lambda one: parse_policy("x: 1", one),
    "parse_policy, folder": lambda one: parse_policy("x: 1", folder=one),
    "parse_policy, registry": lambda one: parse_policy("x: 1", registry=one),
}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(at=tmp_path_factory.mktemp("log")) as opened:
        yield opened


@pytest.mark.parametrize("call", OF_AN_ENGINE)
def test_wrong_argument_of_an_engine_is_taken_or_refused_in_words(
    door: Engine, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for wrong in WRONG:
        refused_in_words(lambda one: OF_AN_ENGINE[call](door, one), wrong)
    assert door.decide_sync(request(5)).outcome == "pass"


@pytest.mark.parametrize("call", IN_A_PROGRAM)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wrong_part_of_a_program_is_taken_or_refused_in_words(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for wrong in WRONG:
        refused_in_words(IN_A_PROGRAM[call], wrong)


def refused_in_words(call: Callable[[Any], object], wrong: Any) -> None:
    with suppress(AdjudgeError):
        call(wrong)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return parse_policy(POLICY, registry=registry_of([face(), device()]))


def test_forgotten_list_around_a_policy_is_told(door: Engine, policy: Policy) -> None:
    for call in (lambda one: asyncio.run(door.replace(one)), lambda one: made(policies=one)):
        with pytest.raises(SetupError, match=r"^`policies` must be a list, such as `\[load_policy\(.*, not `Policy`$"):
            call(policy)
        with pytest.raises(SetupError, match=r"^`policies\[1\]` must be a Policy, not None$"):
            call([policy, None])
    asyncio.run(door.replace(iter([policy])))  # type: ignore[arg-type]  # it is taken all the same
    assert door.policies == {policy.name: policy}


@pytest.mark.parametrize("wrong", ["2", True, b"2", float("nan"), -1, [2]])
def test_deadline_that_is_no_number_is_refused(door: Engine, wrong: Any) -> None:
    with pytest.raises(RequestError, match="deadline_s: must be a number of seconds above 0"):
        door.decide_sync(request(), deadline_s=wrong)


def test_word_for_anew_decides_nothing_anew(door: Engine) -> None:
    with pytest.raises(RequestError, match="anew: must be True or False"):
        door.decide_sync(request(), anew="false")  # type: ignore[arg-type]


def test_refusals_name_the_way_out(tmp_path: Path) -> None:
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: load_policy(None), "`path` must be the path of a policy's file; .* `parse_policy`, not None"),  # type: ignore[arg-type]
        (lambda: parse_policy(tmp_path), "`text` must be a policy's text; .* `load_policy`, not `PosixPath`"),  # type: ignore[arg-type]
        (lambda: AuditTrail.open(tmp_path, durability="sync"), "`durability` must be fsync, flush or async"),  # type: ignore[arg-type]
        (lambda: made(trail=tmp_path), r"`trail` must be an AuditTrail, such as `AuditTrail\.open\(directory\)`"),
        (lambda: made(ledger="postgres"), "`ledger` must be a DecisionLedger, not `str`"),
        (lambda: made(limits={"acme.face": 3}), r"`limits\['acme\.face'\]` must be Limits, not `int`"),
        (lambda: made(deadline_s="2"), "`deadline_s` must be a number of seconds above 0"),
        (lambda: made(max_in_flight=0), "`max_in_flight` must be a whole number above 0"),
        (lambda: made(registry=Registry), "`registry` must be a Registry, such as"),
        (lambda: made(clock=dt.datetime.now(dt.UTC)), "the clock must be a function that gives aware times"),
    ]
    for call, said in calls:
        with pytest.raises(SetupError, match=said):
            call()
