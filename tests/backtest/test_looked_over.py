"""What a look at each cell proves saves checks and never changes an answer, however clean or dirty the columns are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adjudge.policy import parse_policy

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pa = pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

import pyarrow.parquet as pq  # noqa: E402

from adjudge.backtest.dataset import open_dataset  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.run import Runner  # noqa: E402

T = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
POLICY = parse_policy("""policy_language: 1
policy: looked
inputs:
  a: {type: double, range: [0, 1]}
  b: double
  n: {type: int, range: [0, 100]}
  e: {type: enum, values: [low, high]}
  s: string
  f: bool
  t: timestamp
  d: date
variables:
  both: a + b
rules:
  - {id: range, when: a >= 0.5, then: review}
  - {id: between, when: a > 0.25 && a < 0.75, then: review, when_unknown: pass}
  - {id: outside, when: a < 0.25 || a > 0.75, then: reject, when_unknown: pass}
  - {id: two, when: 'a > b', then: review}
  - {id: nan, when: both != both || b / b == 1.0, then: review}
  - {id: whole, when: n > b, then: review}
  - {id: odd, when: n % 2 == 1 && !f, then: review}
  - {id: word, when: 'e == "high" && f', then: reject}
  - {id: listed, when: 's in ["x", "é"]', then: review}
  - {id: text, when: 's.startsWith("x") || size(s) > 1', then: review}
  - {id: there, when: has(a) && !has(s), then: review}
  - {id: chosen, when: 'f ? a > 0.5 : n > 50', then: review}
  - {id: time, when: 't < timestamp("2026-03-04T05:06:08Z")', then: review}
  - {id: day, when: 'd > date("2026-03-04")', then: review}
  - {id: some, when: 'atLeast(2, [a > 0.5, n > 50, f])', then: reject}
  - {id: always, when: 'true || f', then: review, when_unknown: pass}
scorecard:
  points:
    - {when: a > 0.9, add: 30}
    - {when: f, add: -20}
    - {when: 'e == "low" || n > 90', add: 15}
  bands: {review: 30, reject: 40}
""")
COLUMNS: Mapping[str, tuple[tuple[Any, ...], tuple[object, ...], tuple[object, ...]]] = {
    # types, cells that are fit, cells that are not
    "a": ((pa.float64(), pa.float32()), (0.0, 0.25, 0.5, 0.875, 1.0), (math.nan, math.inf, -0.5, 7.0)),
    "b": ((pa.float64(),), (0.0, -0.0, 0.5, -1e300, 51.0), (math.nan, math.inf, -math.inf)),
    "n": ((pa.int64(), pa.int8()), (0, 1, 51, 100), (-1, 101)),
    "e": ((pa.string(), pa.dictionary(pa.int8(), pa.string())), ("low", "high"), ("", "High", "other")),
    "s": ((pa.string(),), ("x", "xy", "é", ""), ("e\u0301", "x\u200b", "\u202ex")),
    "f": ((pa.bool_(),), (True, False), ()),
    "t": ((pa.timestamp("us", "UTC"), pa.timestamp("us")), (T, T + timedelta(days=1)), ()),
    "d": ((pa.date32(),), (date(2026, 3, 4), date(2026, 3, 5)), ()),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[Any, list[dict[str, Any]]]:
    """Draw columns, each clean or not, and with unknown cells or not, often all clean; and the same as requests."""
    rows = draw(st.integers(1, 12))
    odd = st.booleans() if draw(st.integers(0, 2)) else st.just(False)
    columns = {}
    for name, (types, fit, unfit) in COLUMNS.items():
        cells = list(fit) + (list(unfit) if draw(odd) else []) + ([None] if draw(odd) else [])
        columns[name] = (
            draw(st.lists(st.sampled_from(cells), min_size=rows, max_size=rows)),
            draw(st.sampled_from(types)),
        )
    table = pa.table({
        name: pa.array([_naive(cell, type_) for cell in cells], type_) for name, (cells, type_) in columns.items()
    })  # fmt: skip
    return table, [{name: cells[at] for name, (cells, _) in columns.items()} for at in range(rows)]


def _naive(cell: Any, type_: Any) -> Any:
    return cell.replace(tzinfo=None) if isinstance(cell, datetime) and type_ == pa.timestamp("us") else cell


# a failure is shown as it was found: to shrink a table takes minutes
@settings(
    max_examples=25, phases=[Phase.explicit, Phase.generate], deadline=None, suppress_health_check=list(HealthCheck)
)
@given(drawn=tables())
def test_verdicts_are_the_engines_whatever_is_proved_of_the_columns(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[Any, list[dict[str, Any]]]
) -> None:
    table, requests = drawn
    path = tmp_path_factory.mktemp("looked") / "data.parquet"
    pq.write_table(table, path)
    live = [POLICY.evaluate(request) for request in requests]
    with connect(threads=1) as connection:
        dataset = open_dataset(connection, path, POLICY.typed)
        runner = Runner(connection, POLICY, dataset)
        for row, verdict in zip(runner.rows(), live, strict=True):
            assert (row.outcome, row.lower, row.upper) == (verdict.outcome, verdict.lower, verdict.upper)
            assert (row.matched, row.unresolved, row.score) == (verdict.matched, verdict.unresolved, verdict.score)
        result = runner.backtest()
    assert Counter({(cell.outcome, cell.lower, cell.upper): cell.rows for cell in result.cells}) == Counter(
        (verdict.outcome, verdict.lower, verdict.upper) for verdict in live
    )
    for hits in result.rules[: len(POLICY.typed.rules)]:
        assert hits.true == sum(hits.id in verdict.matched for verdict in live)
        assert hits.unknown == sum(hits.id in verdict.unresolved for verdict in live)
    unfit = {
        name: [cell for cell in table[name].to_pylist() if cell in COLUMNS[name][2] or cell != cell] for name in COLUMNS
    }
    for name in COLUMNS:
        checked = dataset.columns[name].startswith(("case ", "adjudge_text("))
        assert checked == bool(unfit[name]) or name == "t"
        unknown = any(cell is None for cell in table[name].to_pylist())
        assert (name in dataset.known) == (not unknown and not [cell for cell in unfit[name] if cell != "e\u0301"])


def test_clean_columns_are_read_without_a_check(tmp_path: Path) -> None:
    clean = {"a": [0.5, None], "n": [1, 2], "e": ["low", "high"], "s": ["x", None], "f": [True, False]}
    pq.write_table(pa.table(clean), tmp_path / "data.parquet")
    with connect(threads=1) as connection:
        dataset = open_dataset(connection, tmp_path / "data.parquet", POLICY.typed)
    assert {name: dataset.columns[name] for name in clean} == {name: f'"{name}"' for name in clean}
    assert dataset.known == {"n", "e", "f"}
