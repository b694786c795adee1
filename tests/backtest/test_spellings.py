"""Names in data are compared as a request's are, however they were typed."""

from __future__ import annotations

from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("duckdb")

from adjudge import parse_policy  # noqa: E402
from adjudge.backtest.dataset import open_dataset  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.run import Runner  # noqa: E402

POLICY = """
policy_language: 1
policy: spelt
inputs:
  shares: {type: map, of: double}
  scores: {type: map, keys: [a, é], of: double, absent: 0}
  tags: {type: set, values: [a, é]}
  level: {type: enum, values: [a, é]}
rules:
  - {id: share, when: 'shares["é"] > 0.5', then: reject}
  - {id: score, when: 'scores["é"] > 0.5', then: reject}
  - {id: new-score, when: size(novel_scores) > 0, then: review}
  - {id: tag, when: '"é" in tags', then: reject}
  - {id: new-tag, when: size(novel_tags) > 0, then: review}
  - {id: level, when: level == "é", then: reject}
"""
ONE, TWO = "é", "e\u0301"
QUIET: dict[str, object] = {"shares": {ONE: 0.1}, "scores": {"a": 0.1}, "tags": ["a"], "level": "a"}
NUMBERS = ({ONE: 0.9}, {TWO: 0.9}, {TWO: 0.1}, {ONE: 0.1, TWO: 0.9}, {TWO: 0.9, ONE: 0.1}, {"a": 0.9, TWO: 0.9}, {})
ROWS = [
    QUIET,
    *({**QUIET, name: said} for name in ("shares", "scores") for said in NUMBERS),
    *({**QUIET, "tags": tags} for tags in ([ONE], [TWO], [TWO, ONE, "a"], ["o\u0308"], [], ["a", None])),
    *({**QUIET, "level": level} for level in (ONE, TWO, "o\u0308", None)),
]


def test_backtest_and_engine_agree_however_names_are_typed(tmp_path: Path) -> None:
    policy, numbers = parse_policy(POLICY), pa.map_(pa.string(), pa.float64())
    kinds = {"shares": numbers, "scores": numbers, "tags": pa.list_(pa.string()), "level": pa.string()}
    columns = {
        name: pa.array([list(said.items()) if isinstance(said, dict) else said for said in column], kinds[name])
        for name, column in ((name, [row[name] for row in ROWS]) for name in kinds)
    }
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")

    with connect(threads=1) as connection:
        dataset = open_dataset(connection, tmp_path / "rows.parquet", policy.typed)
        rows = list(Runner(connection, policy, dataset).rows())

    verdicts = [policy.evaluate(row) for row in ROWS]
    assert [row.outcome for row in rows] == [verdict.outcome for verdict in verdicts]
    assert {verdict.outcome.value for verdict in verdicts} == {"pass", "review", "reject"}


NAMED = [None, [], [None], ["New"], ["New", "New"], ["New", None], [None, None], [None, None, None], ["New", "Other"]]


def test_backtest_and_engine_agree_on_words_named_as_new(tmp_path: Path) -> None:
    policy = parse_policy("""
policy_language: 1
policy: named
inputs: {tags: {type: set, values: [a]}}
rules:
  - {id: one, when: size(novel_tags) == 1, then: review}
  - {id: more, when: size(novel_tags) > 1, then: reject}
""")
    given = [{"tags": tags, "novel_tags": named} for tags in ([], ["a"], ["z"], ["z", "New"]) for named in NAMED]
    texts = pa.list_(pa.string())
    columns = {name: pa.array([one[name] for one in given], texts) for name in ("tags", "novel_tags")}
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")

    with connect(threads=1) as connection:
        dataset = open_dataset(connection, tmp_path / "rows.parquet", policy.typed)
        rows = list(Runner(connection, policy, dataset).rows())

    verdicts = [policy.evaluate(one) for one in given]
    assert [(row.lower, row.upper) for row in rows] == [(one.lower, one.upper) for one in verdicts]
    assert len({(one.lower, one.upper) for one in verdicts}) == 4
