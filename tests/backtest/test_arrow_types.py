"""Every type of Arrow for every type of a field: read exactly as a request is, or refused in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adjudge.policy import parse_policy

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pa = pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

import pyarrow.parquet as pq  # noqa: E402

from adjudge.backtest.columns import DataError  # noqa: E402
from adjudge.backtest.dataset import open_dataset  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.run import Runner  # noqa: E402

T = datetime(2026, 1, 1, tzinfo=UTC)
OLD = datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)
MS = timedelta(milliseconds=1)
LENGTHS = [timedelta(hours=2), timedelta(days=30), timedelta(seconds=-7), timedelta(), None]
TEXTS = ["a", "b", "é", "", None]
SAMPLES: Mapping[str, tuple[Any, list[object]]] = {
    "null": (pa.null(), [None, None]),
    "bool": (pa.bool_(), [True, False, None]),
    **{f"int{bits}": (getattr(pa, f"int{bits}")(), [0, 7, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), None])
       for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (getattr(pa, f"uint{bits}")(), [0, 7, 2 ** (bits - 1), 2**bits - 1, None])
       for bits in (8, 16, 32, 64)},
    "float16": (pa.float16(), [0.5, -1.5, math.inf, math.nan, None]),
    "float32": (pa.float32(), [0.5, -1.25, math.inf, math.nan, None]),
    "float64": (pa.float64(), [0.1, -0.0, 1e300, -math.inf, math.nan, None]),
    "decimal32": (pa.decimal32(9, 2), [Decimal("0.10"), Decimal("-1234567.89"), None]),
    "decimal128": (pa.decimal128(38, 20), [Decimal("0.1"), Decimal("123456789012345678.12345678901234567891"), None]),
    "decimal128 whole": (pa.decimal128(38, 0), [Decimal(7), Decimal(2**63 + 1), None]),
    "decimal256": (pa.decimal256(76, 2), [Decimal("1.5"), None]),
    **{name: (getattr(pa, name)(), TEXTS) for name in ("string", "large_string", "string_view")},
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), TEXTS),
    "binary": (pa.binary(), [b"a", None]),
    "large_binary": (pa.large_binary(), [b"a", None]),
    "fixed binary": (pa.binary(2), [b"ab", None]),
    "date32": (pa.date32(), [date(2026, 1, 1), date.min, date.max, None]),
    "date64": (pa.date64(), [date(2026, 1, 1), None]),
    "time32": (pa.time32("s"), [time(1), None]),
    "time64": (pa.time64("us"), [time(1), None]),
    **{f"timestamp[{unit}]": (pa.timestamp(unit), [T.replace(tzinfo=None), OLD.replace(tzinfo=None), None])
       for unit in ("s", "ms", "us", "ns")},
    **{f"timestamp[{unit}, {zone}]": (pa.timestamp(unit, zone), [T, OLD, None])
       for unit in ("s", "ms", "us", "ns") for zone in ("UTC", "Asia/Singapore")},
    **{f"duration[{unit}]": (pa.duration(unit), LENGTHS) for unit in ("s", "ms", "us", "ns")},
    "list of texts": (pa.list_(pa.string()), [["a"], ["a", "b"], ["x"], ["a", None], [], None]),
    "large list of texts": (pa.large_list(pa.string()), [["a"], [], None]),
    "list of nothing": (pa.list_(pa.null()), [[], [None], None]),
    "list of ints": (pa.list_(pa.int64()), [[1, 2], [None], [], None]),
    "fixed list of ints": (pa.list_(pa.int64(), 2), [[1, 2], [3, 4], None]),
    "list of large ints": (pa.list_(pa.uint64()), [[1], [2**64 - 1], None]),
    "list of doubles": (pa.list_(pa.float64()), [[0.5, math.nan], None]),
    "list of times": (pa.list_(pa.timestamp("ns", "UTC")), [[T, None], [OLD], [], None]),
    **{f"list of lengths in {unit}": (pa.list_(pa.duration(unit)), [LENGTHS, [], None]) for unit in ("s", "ns")},
    "map of ints": (pa.map_(pa.string(), pa.int64()), [[("a", 1)], [("b", 2), ("c", 3)], [], None]),
    "map of lengths": (pa.map_(pa.string(), pa.duration("ms")), [[("a", timedelta(hours=1))], [], None]),
    "map from ints": (pa.map_(pa.int64(), pa.int64()), [[(1, 1)], None]),
    "struct of ints": (pa.struct([("a", pa.int64()), ("c d", pa.int32())]), [{"a": 1, "c d": 2}, {"a": None}, None]),
    "struct of lengths": (pa.struct([("a", pa.duration("s")), ("b", pa.duration("ns"))]),
                          [{"a": timedelta(hours=1), "b": timedelta(hours=2)}, {"b": timedelta(1)}, None]),
    "struct of a paper": (pa.struct([("number", pa.string()), ("expiry", pa.date32()), ("more", pa.int8())]),
                          [{"number": "K1", "expiry": date(2027, 5, 1), "more": 1}, {"number": None}, None]),
    "struct of half a paper": (pa.struct([("number", pa.string())]), [{"number": "K1"}, None]),
    "list of papers": (pa.list_(pa.struct([("expiry", pa.date32()), ("number", pa.string())])),
                       [[{"number": "K1", "expiry": date(2027, 5, 1)}, None], [{"number": "\0"}], [], None]),
    "struct of times": (pa.struct([("a", pa.timestamp("us", "UTC"))]), [{"a": T}, {"a": None}, None]),
}  # fmt: skip
INTS = {name for name in SAMPLES if name.startswith(("int", "uint"))}
LENGTH_TYPES = {name for name in SAMPLES if name.startswith("duration")}
FIELDS: Mapping[str, tuple[str, set[str]]] = {
    # how a field is declared, and which columns serve it; every other is refused
    "bool": ("bool", {"bool"}),
    "int": ("int", INTS),
    "double": ("double", INTS | {"float16", "float32", "float64", "decimal32", "decimal128", "decimal128 whole"}),
    "string": ("string", {"string", "large_string", "string_view", "dictionary"}),
    "enum": ("{type: enum, values: [a, b]}", {"string", "large_string", "string_view", "dictionary"}),
    "timestamp": ("timestamp", {name for name in SAMPLES if name.startswith("timestamp")}),
    "duration": ("duration", LENGTH_TYPES),
    "date": ("date", {"date32", "date64"}),
    "set": ("{type: set, values: [a, b]}", {"list of texts", "large list of texts", "list of nothing"}),
    "list of strings": ("{type: list, of: string}", {"list of texts", "large list of texts", "list of nothing"}),
    "list of ints": ("{type: list, of: int}",
                     {"list of ints", "fixed list of ints", "list of large ints", "list of nothing"}),
    "list of doubles": ("{type: list, of: double}",
                        {"list of ints", "fixed list of ints", "list of large ints", "list of doubles",
                         "list of nothing"}),
    "list of times": ("{type: list, of: timestamp}", {"list of times", "list of nothing"}),
    "list of lengths": ("{type: list, of: duration}",
                        {"list of lengths in s", "list of lengths in ns", "list of nothing"}),
    "map of ints": ("{type: map, keys: [a, b], of: int}", {"map of ints", "struct of ints"}),
    "map of lengths": ("{type: map, keys: [a, b], of: duration}", {"map of lengths", "struct of lengths"}),
    "record": ("{type: record, of: {number: string, expiry: date}}",
               {"struct of a paper", "struct of half a paper"}),
    "list of records": ("{type: list, of: {type: record, of: {number: string, expiry: date}}}",
                        {"list of papers", "list of nothing"}),
    "map of times": ("{type: map, keys: [a, b], of: timestamp}", {"struct of times"}),
}  # fmt: skip
PAIRS = [  # the refusals of one field go over the same lines as those of the others
    pytest.param(field, column, marks=[] if column in served or field == "int" else [pytest.mark.no_cover])
    for field, (_, served) in FIELDS.items()
    for column in SAMPLES
]


@pytest.fixture(scope="module")
def database() -> Iterator[Any]:
    with connect(threads=1) as connection:
        yield connection


def live(value: object) -> object:
    """Say what a value of a column is in a request."""
    match value:
        case Decimal():
            return float(value)
        case datetime():
            return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        case list() if value and all(isinstance(item, tuple) for item in value):
            return {key: live(item) for key, item in value}
        case list():
            return [live(item) for item in value]
        case dict():
            return {key: live(item) for key, item in value.items() if item is not None}
        case _:
            return value


@pytest.mark.parametrize(("field", "column"), PAIRS)
def test_a_column_is_read_exactly_or_refused(database: Any, tmp_path: Path, field: str, column: str) -> None:
    declared, served = FIELDS[field]
    policy = parse_policy(
        f"policy_language: 1\npolicy: x\ninputs:\n  f: {declared}\nrules:\n  - {{id: r, when: has(f), then: review}}\n"
    )
    type_, values = SAMPLES[column]
    path = tmp_path / "d.parquet"
    pq.write_table(pa.table({"f": pa.array(values, type_)}), path)
    if column not in served and column != "null":
        with pytest.raises(DataError) as error:
            open_dataset(database, path, policy.typed)
        assert error.value.hint and "`f" in str(error.value)
        return
    found = open_dataset(database, path, policy.typed)
    slots = [slot for slot in policy.typed.slots if slot != "now"]
    database.execute("set preserve_insertion_order = true")
    rows = database.execute(
        f"select {', '.join(found.columns[slot] for slot in slots)} from {found.relation}"
    ).fetchall()
    for value, row in zip(values, rows, strict=True):
        empty = {} if field.startswith("map") and value == [] else live(value)
        judged = policy.read({"f": empty}).values
        for slot, read in zip(slots, row, strict=True):
            assert is_same(read, judged[slot]), f"{slot} of {value!r}: {read!r} for {judged[slot]!r}"


def is_same(read: object, judged: object) -> bool:
    if isinstance(judged, timedelta):
        judged = judged // timedelta(microseconds=1)
    if isinstance(judged, tuple):
        return isinstance(read, list) and len(read) == len(judged) and all(map(is_same, read, judged))
    if isinstance(judged, dict):
        return isinstance(read, dict) and read.keys() == judged.keys() and all(
            is_same(read[key], judged[key]) for key in judged)  # fmt: skip
    return read == judged and repr(read) == repr(judged) if isinstance(judged, float) else read == judged


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_lengths_of_every_unit_mean_the_same(database: Any, tmp_path: Path, unit: str) -> None:
    policy = parse_policy("policy_language: 1\npolicy: x\ninputs: {age: duration}\nrules:\n"
                          "  - {id: young, when: 'age < duration(\"24h\")', then: review}\n")  # fmt: skip
    path = tmp_path / "d.parquet"
    pq.write_table(pa.table({"age": pa.array(LENGTHS, pa.duration(unit))}), path)
    found = Runner(database, policy, open_dataset(database, path, policy.typed)).backtest()
    assert (found.rules[0].true, found.rules[0].unknown) == (3, 1)


def test_whole_numbers_are_lengths_only_where_an_export_wrote_them(database: Any, tmp_path: Path) -> None:
    policy = parse_policy("policy_language: 1\npolicy: x\ninputs: {age: duration}\nrules:\n"
                          "  - {id: young, when: 'age < duration(\"1s\")', then: review}\n")  # fmt: skip
    pq.write_table(pa.table({"age": [999_999, 1_000_000]}), tmp_path / "a.parquet")
    with pytest.raises(DataError) as error:
        open_dataset(database, tmp_path / "a.parquet", policy.typed)
    assert error.value.hint == "an integer has no unit: write an Arrow duration, or a string such as 36h in a CSV"
    pq.write_table(pa.table({"inputs.age": [999_999, 1_000_000]}), tmp_path / "b.parquet")
    runner = Runner(database, policy, open_dataset(database, tmp_path / "b.parquet", policy.typed))
    assert runner.backtest().rules[0].true == 1


def test_months_are_no_length_of_time(database: Any, tmp_path: Path) -> None:
    policy = parse_policy("policy_language: 1\npolicy: x\ninputs: {age: duration}\nrules:\n"
                          "  - {id: old, when: 'age >= duration(\"48h\")', then: review}\n")  # fmt: skip
    path = tmp_path / "d.parquet"
    database.execute(
        f"copy (select unnest([interval 2 days, interval 1 month, interval 14 months, interval 1 second]) as age)"
        f" to '{path}' (format parquet)"
    )
    (rule,) = Runner(database, policy, open_dataset(database, path, policy.typed)).backtest().rules
    assert (rule.true, rule.unknown) == (1, 2)


def test_files_that_disagree_on_a_unit_are_refused(database: Any, tmp_path: Path) -> None:
    policy = parse_policy("policy_language: 1\npolicy: x\ninputs: {age: duration}\nrules:\n"
                          "  - {id: young, when: 'age < duration(\"24h\")', then: review}\n")  # fmt: skip
    for name, type_ in (("a", pa.duration("s")), ("b", pa.duration("ms")), ("c", pa.int64())):
        pq.write_table(pa.table({"age": pa.array([1], type_)}), tmp_path / f"{name}.parquet")
    for gone in ("c", "b"):
        with pytest.raises(DataError, match="the column `age` is"):
            open_dataset(database, tmp_path, policy.typed)
        (tmp_path / f"{gone}.parquet").unlink()
    assert open_dataset(database, tmp_path, policy.typed).absent == ()


def test_times_past_what_can_be_told_are_unknown_or_an_error_of_ours(database: Any, tmp_path: Path) -> None:
    policy = parse_policy("policy_language: 1\npolicy: x\ninputs: {f: timestamp}\nrules:\n"
                          "  - {id: r, when: 'has(f)', then: review}\n")  # fmt: skip
    path = tmp_path / "d.parquet"
    for unit in ("ms", "us", "ns"):
        for raw in (2**63 - 1, -(2**63) + 1, -(2**63), 10**18):
            pq.write_table(pa.table({"f": pa.array([raw, 0], pa.int64()).view(pa.timestamp(unit, "UTC"))}), path)
            try:
                rows = list(Runner(database, policy, open_dataset(database, path, policy.typed)).rows())
            except DataError:
                continue
            is_known = unit == "ns" and raw not in (2**63 - 1, -(2**63) + 1)  # DuckDB keeps those two for infinity
            assert [bool(row.matched) for row in rows] == [is_known, True], (unit, raw)
