"""Anybody's columns: each value as the engine takes it, or unknown; each type fitting, or an error that says so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge.policy import parse_policy

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pa = pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

import pyarrow.parquet as pq  # noqa: E402

from adjudge.backtest.columns import DataError  # noqa: E402
from adjudge.backtest.dataset import open_dataset  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.run import Runner  # noqa: E402

HEAD = "policy_language: 1\npolicy: odd\ninputs:\n"
NAN, INF = math.nan, math.inf
T = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

CASES: Mapping[str, tuple[str, str, Any, Sequence[object]]] = {
    # declaration, condition, column, what the engine is given
    "double in a range": ("{type: double, range: [0, 1]}", "f >= 0.5",
        pa.array([0.5, 0.2, NAN, 1.0, None]), [0.5, 0.2, None, 1.0, None]),
    "double out of its range": ("{type: double, range: [0, 1]}", "f >= 0.5",
        pa.array([0.5, -0.5, 7.0, INF, NAN]), [0.5, -0.5, 7.0, INF, None]),
    "double without a range": ("double", "f > 1.0", pa.array([INF, -INF, NAN, 2.0]), [None, None, None, 2.0]),
    "floats": ("double", "f > 0.25", pa.array([0.5, 0.25], pa.float32()), [0.5, 0.25]),
    "ints for doubles": ("{type: double, range: [0, 9]}", "f > 2.5", pa.array([3, 2, 12]), [3, 2, 12]),
    "decimals": ("double", "f >= 0.5", pa.array([Decimal("0.50"), Decimal("0.49")]), [0.5, 0.49]),
    "small ints": ("{type: int, range: [0, 100]}", "f > 50", pa.array([51, 50, 120, -1], pa.int8()), [51, 50, 120, -1]),
    "an enum of strings": ("{type: enum, values: [a, b]}", 'f == "a"',
        pa.array(["a", "b", "c", None]), ["a", "b", "c", None]),
    "a dictionary": ("{type: enum, values: [a, b]}", 'f == "a"',
        pa.array(["a", "b", "c"]).dictionary_encode(), ["a", "b", "c"]),
    "a set": ("{type: set, values: [a, b]}", '"a" in f || size(f) > 1',
        pa.array([["a"], ["b"], ["x"], [], ["b", None], ["a", None], None]),
        [["a"], ["b"], ["x"], [], ["b", 5], ["a", 5], None]),
    "what a set has beside its vocabulary": ("{type: set, values: [a, b]}", 'size(novel_f) > 0',
        pa.array([["a"], ["x", "a"], [], ["a", None], None]), [["a"], ["x", "a"], [], ["a", None], None]),
    "what a map has beside its keys": ("{type: map, keys: [k], of: int}", 'novel_f == ["z", "x"] || size(novel_f) == 1',
        pa.array([[("z", 1), ("k", 1), ("x", 2)], [("y", 3)], [], None], pa.map_(pa.string(), pa.int64())),
        [{"z": 1, "k": 1, "x": 2}, {"y": 3}, {}, None]),
    "what a struct has beside a map's keys": ("{type: map, keys: [k], of: int}", "size(novel_f) > 0",
        pa.array([{"k": 1, "x y": 2}, {"k": 1, "x y": None}, {"k": None, "x y": 0}, None],
                 pa.struct([("k", pa.int64()), ("x y", pa.int64())])),
        [{"k": 1, "x y": 2}, {"k": 1}, {"x y": 0}, None]),
    "a list of ranged numbers": ("{type: list, of: {type: int, range: [0, 9]}}", "f.exists(v, v > 5)",
        pa.array([[1, 7], [12], [1], [None, 7], None]), [[1, 7], [12], [1], [None, 7], None]),
    "a map": ("{type: map, keys: [k, l], of: {type: double, range: [0, 1]}}", "f.k > 0.5 || size(f) > 1",
        pa.array([[("k", 0.7)], [("k", 7.0)], [("m", 0.9), ("l", 0.1)], [("k", 0.1), ("l", 0.1)], []],
                 pa.map_(pa.string(), pa.float64())),
        [{"k": 0.7}, {"k": 7.0}, {"m": 0.9, "l": 0.1}, {"k": 0.1, "l": 0.1}, {}]),
    "a map with what its absence means": (
        "{type: map, keys: [k], of: {type: double, range: [0, 1]}, absent: 1}", "f.k > 0.5",
        pa.array([[("k", 0.2)], [], [("k", 3.0)], None], pa.map_(pa.string(), pa.float64())),
        [{"k": 0.2}, {}, {"k": 3.0}, None]),
    "a struct for a map": ("{type: map, keys: [k, l], of: double}", "f.k > 0.5 && !has(f.l)",
        pa.array([{"k": 0.7}, {"k": 0.1}, {"k": None}, None], pa.struct([("k", pa.float64())])),
        [{"k": 0.7}, {"k": 0.1}, {"k": None}, None]),
    "times in a zone": ("timestamp", 'f < timestamp("2026-03-04T05:06:08Z")',
        pa.array([T, T + timedelta(seconds=1), None], pa.timestamp("us", "Asia/Singapore")),
        [T, T + timedelta(seconds=1), None]),
    "times in UTC": ("timestamp", 'f < timestamp("2026-03-04T05:06:08Z")',
        pa.array([T.replace(tzinfo=None)], pa.timestamp("ms")), [T]),
    "large ints": ("int", "f > 5", pa.array([2**63 - 1, 2**63, 1, None], pa.uint64()), [2**63 - 1, 2**63, 1, None]),
    "large ints for doubles": (
        "double", "f > 5.0", pa.array([2**63 - 1, 2**63, 1], pa.uint64()), [2**63 - 1, 2**63, 1]),
    "lengths of time": ("duration", 'f > duration("1h")', pa.array([3_600_000_001, 3_600_000_000], pa.duration("us")),
        [timedelta(hours=1, microseconds=1), timedelta(hours=1)]),
    "bools": ("bool", "f", pa.array([True, False, None]), [True, False, None]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_column_is_taken_as_the_engine_takes_it(tmp_path: Path, name: str) -> None:
    declared, condition, column, given = CASES[name]
    policy = parse_policy(f"{HEAD}  f: {declared}\nrules:\n  - {{id: r, when: '{condition}', then: reject}}\n")
    pq.write_table(pa.table({"f": column}), tmp_path / "data.parquet")
    with connect(threads=1) as connection:
        rows = list(
            Runner(connection, policy, open_dataset(connection, tmp_path / "data.parquet", policy.typed)).rows()
        )
    live = [policy.evaluate({"f": value}) for value in given]
    assert [(row.matched, row.unresolved, row.outcome) for row in rows] == [
        (verdict.matched, verdict.unresolved, verdict.outcome) for verdict in live
    ]
    assert len({verdict.lower for verdict in live}) > 1 or len(live) < 2, "the rows tell nothing apart"


@pytest.mark.parametrize(
    ("declared", "column", "said"),
    [
        ("int", pa.array([1.5]), "is DOUBLE, and the policy wants BIGINT"),
        ("double", pa.array(["0.5"]), "is VARCHAR, and the policy wants DOUBLE"),
        ("bool", pa.array([1]), "is BIGINT, and the policy wants BOOLEAN"),
        ("timestamp", pa.array(["2026-01-01"]), "is VARCHAR, and the policy wants TIMESTAMP"),
        ("timestamp", pa.array([date(2026, 1, 1)]), "is DATE, and the policy wants TIMESTAMP"),
        ("{type: set, values: [a]}", pa.array(["a"]), "is VARCHAR, and the policy wants VARCHAR[]"),
        ("{type: list, of: int}", pa.array([["a"]]), "is VARCHAR, and the policy wants BIGINT"),
        ("string", pa.array([b"a"]), "is BLOB, and the policy wants VARCHAR"),
    ],
)
def test_a_column_of_another_type_is_an_error_that_says_so(
    tmp_path: Path, declared: str, column: Any, said: str
) -> None:
    policy = parse_policy(f"{HEAD}  f: {declared}\nrules:\n  - {{id: r, when: has(f), then: reject}}\n")
    pq.write_table(pa.table({"f": column}), tmp_path / "data.parquet")
    with connect(threads=1) as connection, pytest.raises(DataError) as error:
        open_dataset(connection, tmp_path / "data.parquet", policy.typed)
    assert said in str(error.value)
    assert error.value.hint


def test_columns_may_be_called_what_the_query_calls_its_own(tmp_path: Path) -> None:
    names = ["c0", "u0", "at", "place", "label", "cost", "verdict", "day", "v", 'a "b"']
    inputs = "".join(f"  f{number}: {{type: double, range: [0, 1]}}\n" for number in range(len(names)))
    rules = "".join(f"  - {{id: r{number}, when: f{number} > 0.5, then: review}}\n" for number in range(len(names)))
    policy = parse_policy(f"{HEAD}{inputs}rules:\n{rules}")
    values = [[(at * (number + 3)) % 7 / 6 for at in range(20)] for number in range(len(names))]
    pq.write_table(pa.table(dict(zip(names, values, strict=True))), tmp_path / "data.parquet")
    mapping = {f"f{number}": name for number, name in enumerate(names)}
    with connect(threads=1) as connection:
        dataset = open_dataset(connection, tmp_path / "data.parquet", policy.typed, mapping=mapping)
        runner = Runner(connection, policy, dataset)
        rows = list(runner.rows())
    for at, row in enumerate(rows):
        live = policy.evaluate({f"f{number}": values[number][at] for number in range(len(names))})
        assert (row.matched, row.outcome) == (live.matched, live.outcome)


@pytest.mark.parametrize("rules", ["rules: []\n", "rules:\n  - {id: r, when: 'f > 1', then: review}\n"])
def test_no_rows_and_no_rules_are_counted_too(tmp_path: Path, rules: str) -> None:
    policy = parse_policy(
        f"{HEAD}  f: int\n{rules}scorecard:\n  points: [{{when: f > 3, add: 5}}]\n  bands: {{review: 5}}\n"
    )
    for rows in ([], [1, 9]):
        pq.write_table(pa.table({"f": pa.array(rows, pa.int64())}), tmp_path / "data.parquet")
        with connect(threads=1) as connection:
            found = Runner(
                connection, policy, open_dataset(connection, tmp_path / "data.parquet", policy.typed)
            ).backtest()
        assert found.rows == len(rows)
        assert sum(cell.rows for cell in found.cells if cell.outcome == "review") == len(rows) // 2


def csv(tmp_path: Path, text: str) -> Path:
    (tmp_path / "data.csv").write_text(text)
    return tmp_path / "data.csv"


def verdicts(path: Path, text: str, **mapping: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    policy = parse_policy(text)
    with connect(threads=1) as connection:
        dataset = open_dataset(connection, path, policy.typed, mapping=mapping)
        return [(row.matched, row.unresolved) for row in Runner(connection, policy, dataset).rows()]


def test_csv_texts_may_look_like_anything(tmp_path: Path) -> None:
    path = csv(tmp_path, "country,code,n,empty\nNO,007,1,\nSE,12,2,\n")
    text = f"{HEAD}  country: string\n  code: string\n  n: int\n  empty: double\nrules:\n"
    text += '  - {id: a, when: \'country == "NO" && code == "007"\', then: review}\n'
    text += "  - {id: b, when: empty > 1.0, then: review}\n"
    assert verdicts(path, text) == [(("a",), ("b",)), ((), ("b",))]


def test_the_time_of_a_decision_is_the_policys_now(tmp_path: Path) -> None:
    text = f"{HEAD}  n: int\nrules:\n  - {{id: r, when: n > 0, then: review, from: 2026-02-01, until: 2026-03-01}}\n"
    times = ("2026-01-31 23:59:59", "2026-02-01 00:00:00", "2026-02-28 12:00:00", "2026-03-01 00:00:00")
    path = csv(tmp_path, "n,when\n" + "".join(f"1,{time}\n" for time in times))
    assert [bool(matched) for matched, _ in verdicts(path, text, at="when")] == [False, True, True, False]
    path = csv(tmp_path, "n,when\n1,2026-01-31\n1,2026-02-01\n")
    assert [bool(matched) for matched, _ in verdicts(path, text, at="when")] == [False, True]
    policy = parse_policy(text)
    with connect() as connection:
        assert open_dataset(connection, path, policy.typed).absent == ("now",)


def test_a_key_may_have_a_dot_and_a_set_any_name(tmp_path: Path) -> None:
    text = HEAD + "  m: {type: map, keys: [a.b], of: double}\n  v: {type: set, values: [x]}\nrules:\n"
    text += "  - {id: r, when: 'm[\"a.b\"] > 0.5', then: review}\n  - {id: s, when: '\"x\" in v', then: review}\n"
    maps = pa.array([[("a.b", 0.7)], [("a.b", 0.1)]], pa.map_(pa.string(), pa.float64()))
    pq.write_table(pa.table({"m": maps, "v": pa.array([["x"], []])}), tmp_path / "data.parquet")
    assert verdicts(tmp_path / "data.parquet", text) == [(("r", "s"), ()), ((), ())]


def test_a_field_may_be_called_like_a_role(tmp_path: Path) -> None:
    text = f"{HEAD}  cost: double\n  label: string\nrules:\n"
    text += "  - {id: r, when: 'cost > 1.0 && label == \"x\"', then: review}\n"
    path = csv(tmp_path, "cost,label,price,found\n2,x,0.5,FRAUD\n0,y,0.25,Genuine\n")
    policy = parse_policy(text)
    with connect() as connection:
        dataset = open_dataset(connection, path, policy.typed, mapping={"@cost": "price", "@label": "found"})
        found = Runner(connection, policy, dataset).backtest()
    assert {(cell.label, cell.outcome.value, cell.cost) for cell in found.cells} == {
        ("fraud", "review", 0.5), ("genuine", "pass", 0.25)}  # fmt: skip


def test_labels_that_are_none_are_counted_and_told(tmp_path: Path) -> None:
    path = csv(tmp_path, "n,label,outcome\n1,bad,PASS\n1,fraud,pass\n1,ok,declined\n")
    policy = parse_policy(f"{HEAD}  n: int\nrules:\n  - {{id: r, when: n > 0, then: review}}\n")
    with connect() as connection:
        found = open_dataset(connection, path, policy.typed).unreadable
    assert [(one.column, one.wanted, one.count, one.examples) for one in found] == [
        ("label", "one of `fraud`, `genuine`", 2, (("bad", 1), ("ok", 1))),
        ("outcome", "one of `pass`, `review`, `reject`", 1, (("declined", 1),)),
    ]


def test_fields_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    policy = parse_policy(f"{HEAD}  foo: int\n  Foo: int\nrules:\n  - {{id: r, when: foo > Foo, then: review}}\n")
    with connect() as connection, pytest.raises(DataError, match="differ in case only"):
        open_dataset(connection, csv(tmp_path, "foo\n1\n"), policy.typed)


def test_what_the_language_has_no_room_for_is_unknown(tmp_path: Path) -> None:
    text = HEAD + "  f: duration\n  t: timestamp\nrules:\n"
    text += "  - {id: f, when: 'f > duration(\"1h\")', then: review}\n"
    text += "  - {id: t, when: 't > timestamp(\"2026-01-01T00:00:00Z\")', then: review}\n"
    table = pa.table(
        {"inputs.f": pa.array([2**62, 10**12]), "t": pa.array([4 * 10**17, 2 * 10**15], pa.timestamp("us"))}
    )
    pq.write_table(table, tmp_path / "data.parquet")
    assert verdicts(tmp_path / "data.parquet", text) == [((), ("f", "t")), (("f", "t"), ())]


def test_variables_upon_variables_are_left_to_the_engine(tmp_path: Path) -> None:
    lines = ["  v0: n"] + [f"  v{at}: v{at - 1} + v{at - 1}" for at in range(1, 40)]
    text = f"{HEAD}  n: int\nvariables:\n" + "\n".join(lines) + "\nrules:\n  - {id: r, when: v39 > 5, then: review}\n"
    assert verdicts(csv(tmp_path, "n\n1\n0\n\n"), text)[:2] == [(("r",), ()), ((), ())]


STRAYS = st.one_of(st.none(), st.sampled_from(("a", "b", "x", "y", "")))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_is_new_is_what_the_engine_finds_new(tmp_path: Path, data: st.DataObject) -> None:
    """A set, or a map as such or as a struct, with or without what the data themselves call new beside it."""
    kind = data.draw(st.sampled_from(("set", "map", "struct")))
    has_named = data.draw(st.booleans())
    declared = "{type: set, values: [a, b]}" if kind == "set" else "{type: map, keys: [a, b], of: int}"
    rows: list[dict[str, Any]] = []
    for _ in range(12):
        members = data.draw(st.one_of(st.none(), st.lists(STRAYS, max_size=4)))
        if members is not None and kind != "set":
            members = {name: 1 for name in members if name is not None}
        named = data.draw(st.one_of(st.none(), st.lists(STRAYS, max_size=3))) if has_named else None
        rows.append({"f": members, "novel_f": named})
    types = {"set": pa.list_(pa.string()), "map": pa.map_(pa.string(), pa.int64()),
             "struct": pa.struct([(name, pa.int64()) for name in ("x", "a", "y", "b")])}  # fmt: skip
    given_ = [list(row["f"].items()) if kind == "map" and row["f"] is not None else row["f"] for row in rows]
    columns = {"f": pa.array(given_, types[kind])}
    if has_named:
        columns["novel_f"] = pa.array([row["novel_f"] for row in rows], pa.list_(pa.string()))
    pq.write_table(pa.table(columns), tmp_path / "data.parquet")
    policy = parse_policy(f"{HEAD}  f: {declared}\nrules:\n  - {{id: r, when: size(novel_f) > 0, then: reject}}\n")
    with connect(threads=1) as connection:
        found = open_dataset(connection, tmp_path / "data.parquet", policy.typed)
        connection.execute("set preserve_insertion_order = true")
        read = connection.execute(f"select {found.columns['novel_f']} from {found.relation}").fetchall()
    for row, (novel,) in zip(rows, read, strict=True):
        if kind == "struct" and row["f"] is not None:
            row = {**row, "f": {name: 1 for name in ("x", "a", "y", "b") if name in row["f"]}}
        judged = policy.read(row).values["novel_f"]
        assert novel == (None if judged is None else list(judged)), (kind, row)


def test_field_that_is_called_as_a_novel_list_is_told_where_the_data_has_it_not(tmp_path: Path) -> None:
    policy = parse_policy("""policy_language: 1
policy: odd
signals:
  face:
    fields:
      novel_os: string
      tags: {type: set, values: [x]}
      score: {type: map, keys: [a.b, c], of: double}
rules:
  - {id: os, when: 'face.novel_os == "x" || size(face.novel_tags) > 0', then: reject}
  - {id: score, when: 'face.score["a.b"] > 1.0', then: reject}
""")
    pq.write_table(pa.table({"other": [1]}), tmp_path / "data.parquet")
    with connect(threads=1) as connection:
        absent = open_dataset(connection, tmp_path / "data.parquet", policy.typed).absent
    assert absent == ("face.novel_os", "face.score.a.b")
