"""What the database cannot do, the engine answers by itself, or it is refused in words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adjudge.expr.nodes import Node
from adjudge.expr.sql.value import Sql
from adjudge.policy import parse_policy

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pa = pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

import pyarrow.parquet as pq  # noqa: E402

from adjudge.backtest import query  # noqa: E402
from adjudge.backtest.columns import DataError  # noqa: E402
from adjudge.backtest.dataset import open_dataset  # noqa: E402
from adjudge.backtest.duck import connect, fetched  # noqa: E402
from adjudge.backtest.run import Runner  # noqa: E402

T = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = pa.list_(pa.timestamp("us", "UTC"))
HEAD = """policy_language: 1
policy: x
inputs:
  flag: bool
  text: string
  at: timestamp
  numbers: {type: list, of: int}
  times: {type: list, of: timestamp}
rules:
"""
ROWS = [
    {"flag": True, "text": "a", "at": T, "numbers": [1], "times": [T]},
    {"flag": False, "text": "A\n", "at": None, "numbers": [], "times": [T, None]},
    {"flag": None, "text": "é", "at": T, "numbers": None, "times": []},
]


def data(folder: Path) -> Path:
    types = {"flag": pa.bool_(), "text": pa.string(), "at": pa.timestamp("us", "UTC"), "times": TIMES}
    types["numbers"] = pa.list_(pa.int64())
    pq.write_table(pa.Table.from_pylist(ROWS, pa.schema(list(types.items()))), folder / "d.parquet")
    return folder / "d.parquet"


@pytest.mark.parametrize(
    "condition",
    [
        'text.matches("(?<n>a)")',
        'text.matches("(?P<n>a)")',
        r'text.matches("\\p{Lu}")',
        'text.matches("(?i)É")',
        "numbers.map(y, at)[0] == at",
        "numbers.map(y, at).exists(t, t == at)",
        "(flag ? numbers.map(n, at) : times).exists(t, t == at)",
        "at in times",
        "times[0] == at && size(times) > 0",
        "(flag ? numbers : numbers)[0] == 1",
        "(flag ? text : text) == text",
        "numbers.map(n, times).exists(l, l.exists(t, t == at))",
        "{true: text}[flag] == text",
    ],
)
def test_conditions_that_databases_trip_over_agree_with_the_engine(tmp_path: Path, condition: str) -> None:
    policy = parse_policy(HEAD + f"  - {{id: r, when: '{condition}', then: review}}\n")
    with connect(threads=1) as connection:
        runner = Runner(connection, policy, open_dataset(connection, data(tmp_path), policy.typed))
        rows, found = list(runner.rows()), runner.backtest()
    live = [policy.evaluate(row) for row in ROWS]
    assert [(row.matched, row.unresolved) for row in rows] == [(one.matched, one.unresolved) for one in live]
    assert found.rules[0].true == sum(bool(one.matched) for one in live)


def test_a_condition_that_the_database_refuses_is_answered_by_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two faults of a translation: one is found when the query is read, one only on some row."""
    whole = query.Translator.value
    broken = {"r": "no_such_function(1)", "s": '(1 / (case when "flag" then 1 end))::varchar::date is null'}
    policy = parse_policy(HEAD + "  - {id: r, when: flag, then: reject}\n  - {id: s, when: '!flag', then: review}\n"
                          "  - {id: t, when: 'text == \"a\"', then: review}\n")  # fmt: skip
    texts = {id(rule.condition): broken.get(rule.id) for rule in policy.typed.rules}

    def value(self: query.Translator, node: Node, scope: Mapping[str, Sql]) -> Sql:
        text = texts.get(id(node))
        return Sql(text) if text is not None else whole(self, node, scope)

    monkeypatch.setattr(query.Translator, "value", value)
    with connect(threads=1) as connection:
        dataset = open_dataset(connection, data(tmp_path), policy.typed)
        found = Runner(connection, policy, dataset).backtest()
        rows = list(Runner(connection, policy, open_dataset(connection, data(tmp_path), policy.typed)).rows())
    assert [(one.true, one.unknown) for one in found.rules] == [(1, 1), (1, 1), (1, 0)]
    assert [row.matched for row in rows] == [policy.evaluate(row).matched for row in ROWS]
    assert [name for name, _ in found.by_row] == ["r", "s"]
    assert "the database refuses it: Catalog Error" in found.by_row[0][1]


def test_what_no_condition_is_to_blame_for_is_an_error_of_ours(tmp_path: Path) -> None:
    policy = parse_policy(HEAD + "  - {id: r, when: flag, then: review}\n")
    path = data(tmp_path)
    with connect(threads=1) as connection:
        dataset = open_dataset(connection, path, policy.typed)
        runner = Runner(connection, policy, dataset)
        path.write_bytes(b"PAR1 no longer PAR1")
        with pytest.raises(DataError, match="the database gives up"):
            runner.backtest()
        with pytest.raises(DataError, match="the database gives up"):
            list(runner.rows())
        with pytest.raises(DataError):
            fetched(connection, "select nothing from nowhere")


def test_memory_that_does_not_suffice_is_said_with_the_way_out(tmp_path: Path) -> None:
    with connect(memory="10MB", threads=1) as connection, pytest.raises(DataError) as error:
        fetched(connection, "select list(r::varchar || r) from range(10000000) t(r)")
    assert error.value.hint == "give it more, --memory 4GB"


def test_a_damaged_file_ends_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(HEAD + "  - {id: r, when: flag, then: review}\n")
    path = data(tmp_path)
    raw = path.read_bytes()
    path.write_bytes(raw[:8] + b"\xff" * 60 + raw[68:])
    command = [sys.executable, "-m", "adjudge", "backtest", str(tmp_path / "p.yaml"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr


WORK = """policy_language: 1
policy: work
inputs: {n: {type: list, of: int}, words: {type: list, of: string}, text: string, flag: bool}
variables:
  some: n.exists(a, n.exists(b, a + b == -1))
rules:
  - {id: a, when: 'n.exists(a, n.exists(b, a + b == -1))', then: reject}
  - {id: b, when: 'n.all(a, n.all(b, a + b != -2))', then: review}
  - {id: c, when: 'words.exists(w, words.exists(v, w + v == text))', then: review}
  - {id: d, when: 'words.exists(w, w.matches("x+y")) || flag', then: review}
  - {id: e, when: 'some || text.matches("q")', then: review}
  - {id: f, when: 'n.exists(a, some && a == 7)', then: review}
  - {id: g, when: 'text.matches("z$")', then: review}
"""


@pytest.mark.no_cover  # much work over the same few lines
def test_what_is_too_much_work_for_the_engine_is_unknown_here_too(tmp_path: Path) -> None:
    """Rows on both sides of the bound, few of them looked at one by one; no rule takes another's share."""
    policy = parse_policy(WORK)
    rows: list[dict[str, object]] = [
        {"n": list(range(count)), "words": ["a" * width] * many, "text": "z" * length, "flag": False}
        for count, many, width, length in (
            (5, 3, 4, 3), (600, 300, 8, 20_000), (1100, 500, 40, 20_001), (1300, 700, 4, 5), (2500, 2, 30_000, 100_000),
            (4000, 1000, 1, 1), (1, 400, 400, 99_999),
        )
    ]  # fmt: skip
    rows += [{"n": None, "words": [], "text": None, "flag": True}, {"n": [], "words": None, "text": "", "flag": None}]
    types = {"n": pa.list_(pa.int64()), "words": pa.list_(pa.string()), "text": pa.string(), "flag": pa.bool_()}
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(list(types.items()))), tmp_path / "d.parquet")
    with connect(threads=1) as connection:
        runner = Runner(connection, policy, open_dataset(connection, tmp_path / "d.parquet", policy.typed))
        found, counted = list(runner.rows()), runner.backtest()
    live = [policy.evaluate(row) for row in rows]
    assert [(row.matched, row.unresolved) for row in found] == [(one.matched, one.unresolved) for one in live]
    unknown = {rule.id: rule.unknown for rule in counted.rules}
    assert all(0 < unknown[id_] < len(rows) for id_ in unknown), "each rule has rows past its bound, and rows within"
    assert [name for name, _ in counted.by_row] == ["f"]
