"""Whole logs replayed on several processors, and in pieces: the same sums, in the same order."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adjudge import AuditBroken, Decision, Engine, Policy, Request
from adjudge.audit.trail import AuditTrail
from adjudge.registry import parse_policy
from adjudge.replay import logs as many
from adjudge.replay.logs import ReplayedLine, ReplayTally, StateError, replay_all
from adjudge.testing import fake_provider, registry_of

TEXT = """policy_language: 1
policy: sums
inputs: {n: int}
signals: {paid: {provider: acme.paid}}
gather: GATHER
rules:
  - {id: big, when: n >= 30, then: reject}
  - {id: middle, when: n >= 20, then: review}
  - {id: risky, when: paid.risk > 50, then: review}
"""
FIELDS = {"risk": {"type": "int"}}


def provider(answers: int) -> Any:
    return fake_provider("acme.paid", FIELDS, *({"risk": at % 60} for at in range(answers)), price=Decimal("0.25"))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Forty decisions of an eager policy, and then forty of a thrifty one."""
    for at, gather in enumerate(("eager", "thrifty")):
        registry = registry_of([provider(40)])
        policy = parse_policy(TEXT.replace("GATHER", gather), registry=registry)
        with Engine([policy], registry=registry, trail=AuditTrail.open(tmp_path / "log")) as engine:
            for n in range(40):
                request = Request(merchant_biz_id=f"{40 * at + n:032x}", scene_code="s", inputs={"n": n})
                assert isinstance(engine.decide_sync(request), Decision)
    return tmp_path / "log"


def replayed(log: Path, **options: Any) -> tuple[ReplayTally, list[ReplayedLine]]:
    told: list[ReplayedLine] = []
    return replay_all(log, tell=told.append, is_verbose=True, **options), told


def other() -> Policy:
    registry = registry_of([provider(0)])
    return parse_policy(TEXT.replace("GATHER", "thrifty").replace("n >= 20", "n >= 10"), registry=registry)


@pytest.mark.parametrize("what_if", [False, True])
def test_replay_on_two_processors_is_replay_on_one(log: Path, monkeypatch: pytest.MonkeyPatch, what_if: bool) -> None:
    monkeypatch.setattr(many, "_BATCH", 7)
    options: dict[str, Any] = {"policy": other(), "providers": {"acme.paid": provider(0)}} if what_if else {}
    one, first = replayed(log, **options)
    two, second = replayed(log, jobs=2, **options)
    assert (one, first) == (two, second)
    assert one.total == len(first) == 80
    assert [told.seq for told in first] == sorted(told.seq for told in first)


def test_what_another_policy_would_have_moved_and_paid(log: Path) -> None:
    tally, told = replayed(log, policy=other(), providers={"acme.paid": provider(0)})
    moved = [one for one in told if one.old is not one.new]
    assert tally.changed == len(moved) == 20
    assert tally.by_rule == {"+middle": 20}
    assert {name: cell.count for name, cell in tally.cells.items()} == {
        "pass>pass": 20, "pass>review": 20, "review>review": 20, "reject>reject": 20}  # fmt: skip
    # forty eager calls, and twenty thrifty ones, where no rule had spoken yet; the other policy asks for ten of forty
    assert tally.recorded_cost == {"USD": Decimal("0.25") * 60}
    assert tally.cost == {"USD": Decimal("0.25") * 20}
    assert not tally.untold
    unknown, _ = replayed(log, policy=other())
    assert unknown.cost is None, "without the provider nobody knows its price"


def test_scorecard_that_moves_decisions_is_said_to(log: Path) -> None:
    card = "scorecard: {points: [{when: n >= 10, add: 3}], bands: {review: 3}}\n"
    policy = parse_policy(TEXT.replace("GATHER", "thrifty") + card, registry=registry_of([provider(0)]))
    tally, told = replayed(log, policy=policy)
    assert tally.changed == 20
    assert (tally.by_rule, tally.by_scorecard) == ({}, {"is new": 20})
    assert {"; ".join(map(str, one.scorecards)) for one in told if one.old is not one.new} == {"scorecard is new: 3"}


def test_a_replay_goes_on_where_it_stopped(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "_BATCH", 7)
    monkeypatch.setattr(many, "_SAVE_EVERY", 1)
    state = tmp_path / "state.json"
    whole, every = replayed(log)
    told: list[ReplayedLine] = []

    class Stopped(Exception):
        pass

    def stop(one: ReplayedLine) -> None:
        told.append(one)
        if len(told) == 30:
            raise Stopped

    with pytest.raises(Stopped):
        replay_all(log, state=state, is_verbose=True, tell=stop)
    saved = json.loads(state.read_bytes())["tally"]["answers"]["identical"]
    assert 0 < saved <= 30
    tally, rest = replayed(log, state=state)
    assert tally == whole
    assert told[:saved] + rest == every
    tally, rest = replayed(log, state=state)
    assert (tally, rest) == (whole, []), "there is nothing new"


def test_a_state_of_another_replay_is_refused(log: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    replay_all(log, state=state)
    with pytest.raises(StateError, match="another policy"):
        replay_all(log, state=state, policy=other())
    document = json.loads(state.read_bytes())
    state.write_text(json.dumps({**document, "hash": "0" * 64}))
    with pytest.raises(StateError, match="is of another log"):
        replay_all(log, state=state)
    state.write_text(json.dumps({**document, "seq": 10_000}))
    with pytest.raises(StateError, match="is of a log with 10000 records or more"):
        replay_all(log, state=state)
    state.write_text("x")
    with pytest.raises(StateError, match="is not the state of a replay"):
        replay_all(log, state=state)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_broken_log_breaks_a_replay_on_any_processor(log: Path, jobs: int) -> None:
    copy = log.with_name("copy")
    shutil.copytree(log, copy)
    segment = copy / "audit-000001.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"n":25', b'"n":26', 1))
    with pytest.raises(AuditBroken):
        replay_all(copy, jobs=jobs)


CARD = """policy_language: 1
policy: points
inputs: {n: int, proxy: bool}
rules:
  - {id: many, when: n > 50, then: reject}
scorecard:
  points: [{when: n > 5, add: 10}, {when: proxy, add: 25}]
  bands: {review: 40}
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_the_scorecard_moved_is_told(tmp_path: Path, jobs: int) -> None:
    with Engine([parse_policy(CARD)], registry=registry_of(), trail=AuditTrail.open(tmp_path / "log")) as engine:
        for at, inputs in enumerate(({"n": 8, "proxy": True}, {"n": 8}, {"n": 60, "proxy": True}, {"n": 0})):
            engine.decide_sync(Request(merchant_biz_id=f"{at:032x}", scene_code="s", inputs=inputs))
    tally, told = replayed(tmp_path / "log", policy=parse_policy(CARD.replace("add: 25", "add: 40")), jobs=jobs)
    assert ["; ".join(map(str, one.scorecards)) for one in told] == [
        "scorecard 35 → 50 (row 2 +25 → +40)", "scorecard 10 to 35 → 10 to 50 (row 2 +25? → +40?)", "",
        "scorecard 0 to 25 → 0 to 40 (row 2 +25? → +40?)"]  # fmt: skip
    assert (tally.by_rule, tally.by_scorecard) == ({}, {"row 2 +25 → +40": 1, "row 2 +25? → +40?": 2})


def test_without_the_policy_that_decided_the_totals_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine([parse_policy(CARD)], registry=registry_of(), trail=AuditTrail.open(tmp_path / "log")) as engine:
        engine.decide_sync(Request(merchant_biz_id="0" * 32, scene_code="s", inputs={"n": 8, "proxy": True}))
    new = parse_policy(CARD.replace("add: 25", "add: 40"))
    monkeypatch.setattr(many.Policies, "get", lambda policies, body: "is not to be had")
    tally, told = replayed(tmp_path / "log", policy=new)
    assert ["; ".join(map(str, one.scorecards)) for one in told] == ["scorecard 35 → 50"]
    assert tally.by_scorecard == {"total": 1}
    monkeypatch.setattr(many.Policies, "get", lambda policies, body: new)  # which did not decide so
    assert ["; ".join(map(str, one.scorecards)) for one in replayed(tmp_path / "log", policy=new)[1]] == [
        "scorecard 35 → 50"
    ]
