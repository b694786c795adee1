"""A field that was left out stands in an export as what it meant, and a new `absent` fills none of it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("duckdb", reason='needs `pip install "adjudge[backtest]"`')
pq = pytest.importorskip("pyarrow.parquet", reason='needs `pip install "adjudge[backtest]"`')

from adjudge import Engine, Request, parse_policy  # noqa: E402
from adjudge.audit.trail import AuditTrail  # noqa: E402
from adjudge.backtest.dataset import open_dataset  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.export import export  # noqa: E402
from adjudge.backtest.run import Runner  # noqa: E402
from adjudge.replay.decisions import replay  # noqa: E402
from adjudge.testing import registry_of  # noqa: E402

POLICY = """
policy_language: 1
policy: p
signals: {{own: {{fields: {{flag: {{type: bool{absent}}}, hits: {{type: int{count}}}}}}}}}
rules:
  - {{id: flagged, when: own.flag || own.hits > 2, then: reject}}
"""
FULL = POLICY.format(absent=", absent: false", count=", absent: 0")
BARE = POLICY.format(absent="", count="")
SAID = [
    {},
    {"flag": True},
    {"flag": False, "hits": 3},
    {"hits": 1},
    {"flag": "odd"},
    {"flag": None, "hits": None},
    None,
]


@pytest.mark.parametrize("text", [FULL, BARE])
@pytest.mark.parametrize("candidate", [FULL, BARE])
def test_backtest_and_replay_agree_on_what_was_left_out(tmp_path: Path, text: str, candidate: str) -> None:
    registry, decided = registry_of(), {}
    with Engine(
        [parse_policy(text, registry=registry)], registry=registry, trail=AuditTrail.open(tmp_path / "log")
    ) as engine:
        for at, said in enumerate(SAID):
            signals = {"own": said} if said is not None else {}
            decision = engine.decide_sync(Request(merchant_biz_id=f"{at:032}", scene_code="a", signals=signals))
            decided[decision.decision_id] = decision.outcome
    export(tmp_path / "log", tmp_path / "out")
    policy = parse_policy(candidate, registry=registry)
    replayed = {
        one.decision.decision_id: one.recomputed.outcome
        for one in replay(tmp_path / "log", policy=policy)
        if one.recomputed is not None
    }

    [part] = (tmp_path / "out").rglob("part-*.parquet")
    flags = pq.read_table(part).column("signals.own.flag").to_pylist()
    assert flags[0] is (False if text is FULL else None) and flags[4] is None and flags[6] is None
    with connect(threads=1) as connection:
        dataset = open_dataset(connection, tmp_path / "out", policy.typed)
        backtested = {row.id: row.outcome for row in Runner(connection, policy, dataset).rows()}
    assert backtested == replayed
    if text == candidate:
        assert list(replayed.values()) == list(decided.values())
