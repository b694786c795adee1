"""CSV: one dialect, read as a strict reader reads it or refused with the line; cells as a policy declares them."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import os
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adjudge.policy import parse_policy

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pa = pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

from adjudge.backtest import delimited  # noqa: E402
from adjudge.backtest.columns import DataError  # noqa: E402
from adjudge.backtest.dataset import Dataset, open_dataset  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.run import Runner  # noqa: E402

HEAD = "policy_language: 1\npolicy: x\ninputs:\n"


@pytest.fixture(scope="module")
def database() -> Iterator[Any]:
    with connect(threads=1) as connection:
        yield connection


def loaded(database: Any, path: Path) -> list[tuple[str | None, ...]]:
    database.execute("drop table if exists rows_")
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in delimited.load(database, [path], "rows_"))
    rows: list[tuple[str | None, ...]] = database.execute(
        f"select {names} from rows_ order by {delimited.RECORD}"
    ).fetchall()
    return rows


@pytest.mark.parametrize(
    ("raw", "rows"),
    [
        (b"a,b\n1,2\n3,4\n", [("1", "2"), ("3", "4")]),
        (b"a,b\r\n1,2\r\n3,4", [("1", "2"), ("3", "4")]),
        (b"a,b\r1,2\r3,4\r", [("1", "2"), ("3", "4")]),
        (b"a,b\r\n1,2\n3,4\r5,6\n", [("1", "2"), ("3", "4"), ("5", "6")]),
        (b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2")]),
        (b'a,b\n"x\ny",2\n"x\r\ny",3\n', [("x\ny", "2"), ("x\r\ny", "3")]),
        (b'a,b\n"say ""hi"", he said",2\n', [('say "hi", he said', "2")]),
        (b'a,b\nx"y,2\n', [('x"y', "2")]),
        (b'a,b\n 1 , "2"\n', [(" 1 ", ' "2"')]),
        (b"a,b\n1,\n,2\n", [("1", None), (None, "2")]),
        (b'a,b\n"",2\n1,""\n', [(None, "2"), ("1", None)]),
        (b"a,b\n\n1,2\n\n\n3,4\n\n", [("1", "2"), ("3", "4")]),
        (b'a\n1\n\n""\n2\n', [("1",), (None,), ("2",)]),
        (b"a,b\n", []),
        (b"a,b", []),
        (b"a,b\nx\\,2\n'q,3\n#c,4\n", [("x\\", "2"), ("'q", "3"), ("#c", "4")]),
        (b"a,b\n007,TRUE\n1e400,NaN\n", [("007", "TRUE"), ("1e400", "NaN")]),
        (b",a,b,\n0,1,2,\n1,3,4,\n", [("1", "2"), ("3", "4")]),
        ('a,b\né,"日本"\n'.encode(), [("é", "日本")]),
    ],
)
def test_files_are_read_as_they_stand(database: Any, tmp_path: Path, raw: bytes, rows: list[Any]) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(raw)
    assert loaded(database, path) == rows


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "names no columns"),
        (b"\n\na,b\n1,2\n", None),
        (b",,\n1,2,3\n", "names no columns"),
        (b"a,b\n1,2\n1,2,3\n", "d.csv:3: the record has 3 fields where 2 are named"),
        (b"a,b\n1,2\n1,2,\n", "d.csv:3: the record has 3 fields"),
        (b"a,b\n1,2\n1\n", "d.csv:3: the record has 1 fields"),
        (b'a,b\n"x\ny",2\n1\n', "d.csv:4: the record has 1 fields"),
        (b'a,b\n1,2\n"x"y,2\n', "d.csv:3: the record is not CSV"),
        (b'a,b\n1,2\n"x,2\n3,4\n', "d.csv:3: the record is not CSV"),
        (b"a,b\n1,2\ncaf\xe9,4\n", "d.csv:3: the line is not UTF-8"),
        (b"caf\xe9,b\n1,2\n", "d.csv:1: the line is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "d.csv:1: the line is not UTF-8"),
        (b"a,a\n1,2\n", "the column `a` appears twice"),
        (b"a,A\n1,2\n", "the columns `a` and `A` differ in case only"),
        (b'"a\nb",c\n1,2\n', "control character"),
        (b"a;b\n1;2\n", "separated by semicolons"),
        (b"a\tb\n1\t2\n", "separated by tabs"),
    ],
)
def test_what_is_no_csv_is_refused_with_its_line(database: Any, tmp_path: Path, raw: bytes, said: str | None) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(raw)
    if said is None:
        assert loaded(database, path) == [("1", "2")]
        return
    with pytest.raises(DataError) as error:
        loaded(database, path)
    assert said in str(error.value)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from([*'ab,"\n\r é\t;\\', "\r\n", '","', '""', "\n1,2\n"]), max_size=30).map("".join))
@example('"a"b,c')
@example('a,"b')
@example('a, "b"\n')
def test_any_text_is_read_as_a_strict_reader_reads_it_or_refused(database: Any, tmp_path: Path, text: str) -> None:
    path = tmp_path / "fuzz.csv"
    path.write_bytes(("x,y\n" + text).encode())
    try:
        judged = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error:
        judged = [["not", "a", "csv"]]
    if all(len(row) == 2 for row in judged):
        assert loaded(database, path) == [tuple(cell or None for cell in row) for row in judged]
    else:
        with pytest.raises(DataError):
            loaded(database, path)


def test_a_record_longer_than_a_block_is_refused_and_many_blocks_are_joined(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "CELL_MAX", 64)
    path = tmp_path / "d.csv"
    path.write_text("a,b\n" + "".join(f"{at},{'x' * (at % 20)}\n" for at in range(500)))
    rows = loaded(database, path)
    assert [row[0] for row in rows] == [str(at) for at in range(500)]
    path.write_text("a,b\n1,2\n3," + "x" * 500 + "\n")
    with pytest.raises(DataError):
        loaded(database, path)
    monkeypatch.setattr(delimited, "CELL_MAX", 1000)
    monkeypatch.setattr(delimited, "_BLOCK", 64)
    assert loaded(database, path) == [("1", "2"), ("3", "x" * 500)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_of_records_with_a_quote_each_is_looked_at_wherever_it_stands(database: Any, tmp_path: Path, end: str) -> None:
    path = tmp_path / "d.csv"
    plain, split = [f"{at},x" for at in range(50)], ['1,"a', "b,c", "", 'd"']
    path.write_text(end.join(["a,b", *plain, *split, *plain, ""]), newline="")
    rows = loaded(database, path)
    assert len(rows) == 101 and rows[50] == ("1", end.join(["a", "b,c", "", "d"]))
    path.write_text(end.join(["a,b", *plain, *split, *plain, '1,"a"b', *plain, ""]), newline="")
    with pytest.raises(DataError, match=r":106: the record is not CSV"):
        loaded(database, path)


def dataset(database: Any, path: Path, inputs: str, **mapping: str) -> Dataset:
    policy = parse_policy(f"{HEAD}{inputs}rules:\n  - {{id: r, when: has(f), then: review}}\n")
    return open_dataset(database, path, policy.typed, mapping=mapping)


def values(database: Any, folder: Path, type_: str, cells: list[str]) -> list[object]:
    """Return what a column of cells is taken for; one more that is certainly good stands at its end."""
    good = {
        "int": "1",
        "double": "1",
        "bool": "true",
        "timestamp": "2026-01-01T00:00:00Z",
        "duration": "1h",
        "date": "2026-01-01",
    }
    path = folder / f"v{len(list(folder.iterdir()))}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([["f"], *([cell] for cell in cells), [good.get(type_, "x")]])
    found = dataset(database, path, f"  f: {type_}\n")
    rows = database.execute(f"select {found.columns['f']} from {found.relation} order by {delimited.RECORD}").fetchall()
    return [row[0] for row in rows[:-1]]


CELLS = {
    "int": {
        "0": 0, "-0": 0, "007": 7, "-12": -12, "9223372036854775807": 2**63 - 1, "-9223372036854775808": -(2**63),
        "9223372036854775808": None, "+5": None, " 5": None, "5 ": None, "5.0": None, "1e3": None, "1_000": None,
        "1,000": None, "0x10": None, "": None, "-": None, "NaN": None, "٣": None, "true": None, "1.5": None,
    },
    "double": {
        "0.5": 0.5, ".5": 0.5, "5.": 5.0, "1e-3": 0.001, "1E3": 1000.0, "-0": 0.0, "-0.0": -0.0, "00.5": 0.5,
        "1e400": None, "-1e400": None, "1e-400": 0.0, "NaN": None, "nan": None, "inf": None, "-Infinity": None,
        "9007199254740993": 9007199254740992.0, "9223372036854775808": None, "9223372036854775808.0": 2.0**63,
        "0.1": 0.1, "123456789.123456789": 123456789.123456789, "93.1%": None, "1,5": None, "1_0.5": None,
        "0x1p3": None, "N/A": None, " 1": None, "1e": None, ".": None, "5e-324": 5e-324, "1d": None,
    },
    "bool": {"true": True, "FALSE": False, "True": True, "t": None, "1": None, "yes": None, "0": None, " true": None},
    "timestamp": {
        "2026-01-31 10:00:00": "2026-01-31T10:00:00", "2026-01-31T10:00:00Z": "2026-01-31T10:00:00",
        "2026-01-31t10:00:00z": "2026-01-31T10:00:00", "2026-01-31 10:00": "2026-01-31T10:00:00",
        "2026-01-31 10:00:00 UTC": "2026-01-31T10:00:00", "2026-01-31T10:00:00+08:00": "2026-01-31T02:00:00",
        "2026-01-31 10:00:00+08": "2026-01-31T02:00:00", "2026-01-31 10:00:00-0530": "2026-01-31T15:30:00",
        "2026-01-31 10:00:00.1234567": "2026-01-31T10:00:00.123456", "2026-01-31": None, "01/02/2026": None,
        "01/02/2026 10:00:00": None, "31.01.2026 10:00": None, "2026-02-30 10:00:00": None, "20260131T100000Z": None,
        "2026-01-31 24:00:00": None, "2026-01-31 10:60:00": None, "2026-01-31 10:00:60": None, "1767225600": None,
        "2026-1-1 10:00:00": None, "2026-01-31 10:00 PM": None, "0000-01-01 00:00:00": None, "infinity": None,
        "0001-01-01 00:00:00": "0001-01-01T00:00:00", "0001-01-01 00:00:00+08": None, "epoch": None,
        "9999-12-31 23:59:59.999999": "9999-12-31T23:59:59.999999", "now": None, "2026-01-31 10:00:00 PST": None,
    },
    "date": {
        "2026-01-31": date(2026, 1, 31), "2026-02-30": None, "31.01.2026": None, "2026-1-31": None, "0000-01-01": None,
        "2026-01-31T00:00:00Z": None, "9999-12-31": date.max, "": None,
    },
    "duration": {
        "24h": timedelta(hours=24), "1h30m": timedelta(minutes=90), "-1.5s": timedelta(seconds=-1.5), "7200": None,
        "2w1d": timedelta(days=15), "02:00:00": None, "2 days": None, "P1D": None, "0": timedelta(),
    },
    "string": {"NO": "NO", "007": "007", "NULL": "NULL", " x ": " x ", "1e5": "1e5", "": None, "2026-1-1": "2026-1-1"},
}  # fmt: skip


@pytest.mark.parametrize(("type_", "cell"), [(type_, cell) for type_, cells in CELLS.items() for cell in cells])
def test_a_cell_is_what_can_be_meant_in_one_way_only(database: Any, tmp_path: Path, type_: str, cell: str) -> None:
    wanted: object = CELLS[type_][cell]  # type: ignore[index]
    if type_ == "timestamp" and isinstance(wanted, str):
        wanted = datetime.fromisoformat(wanted).replace(tzinfo=UTC)
    if isinstance(wanted, timedelta):
        wanted = wanted // timedelta(microseconds=1)
    (found,) = values(database, tmp_path, type_, [cell])
    if isinstance(found, datetime):
        found = found.astimezone(UTC)
    assert found == wanted and repr(found) == repr(wanted) if isinstance(wanted, float) else found == wanted


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.text(st.sampled_from("0123456789.eE+-_ ,x"), min_size=1, max_size=24),
            st.floats(allow_nan=False, allow_infinity=False).map(repr),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_numbers_are_read_to_the_last_bit(database: Any, tmp_path: Path, cells: list[str]) -> None:
    for type_ in ("int", "double"):
        for cell, found in zip(cells, values(database, tmp_path, type_, cells), strict=True):
            assert repr(found) == repr(judged(type_, cell)), cell


def judged(type_: str, cell: str) -> object:
    """Say what Python makes of a number's text, without what it has beside plain decimals."""
    if re.search(r"[^0-9.eE+-]", cell) or cell.startswith("+"):
        return None
    try:
        whole = int(cell)
    except ValueError:
        try:
            number = float(cell)
        except ValueError:
            return None
        return number if type_ == "double" and abs(number) != float("inf") else None
    if not -(2**63) <= whole < 2**63:
        return None
    return whole if type_ == "int" else float(whole)


def test_cells_that_cannot_be_read_are_counted_with_the_first_line(database: Any, tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text('f,g,h\n0.5,"two\nlines",1\n\nN/A,NULL,x\n93%,a,2\n')
    found = dataset(database, path, "  f: double\n  g: string\n  h: {type: int, personal: true}\n")
    assert [str(one) for one in found.unreadable] == [
        "2 of 3 cells of `f` cannot be read, and are unknown in their rows: not a number such as `0.5` or `1e-3`, but"
        " `93%` (1), `N/A` (1); the first in line 5 of d.csv",
    ]  # and `h` is read by no rule
    assert found.notes == ("1 cells of `g` are the text `NULL`; leave a cell empty where it is unknown",)


def test_a_column_of_which_nothing_can_be_read_is_unknown_in_every_row(database: Any, tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("f,at,cost\n01/02/2026 10:00:00,01/02/2026,cheap\n")
    (said,) = dataset(database, path, "  f: timestamp\n").unreadable
    assert (said.column, said.count, said.cells, said.line) == ("f", 1, 1, 2)
    found = dataset(database, path, "  f: string\n")
    assert [note.partition(":")[0] for note in found.notes] == [
        "the column `at` is left out", "the column `cost` is left out"]  # fmt: skip
    assert set(found.roles) == set()
    for role in ("at", "cost"):
        with pytest.raises(DataError, match=f"no cell of the column `{role}`"):
            dataset(database, path, "  f: string\n", **{role: role})
    with pytest.raises(DataError, match="and the policy wants VARCHAR"):
        dataset(database, path, "  f: {type: list, of: string}\n")


def test_two_policies_may_read_one_column_as_two_types(database: Any, tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("code,at\n007,2026-01-01\n8,2026-01-02\n")
    texts = [
        f"{HEAD}  code: {type_}\nrules:\n  - {{id: r, when: '{when}', then: review}}\n"
        for type_, when in (("int", "code == 7"), ("string", 'code == "007"'), ("double", "code > 7.5"))
    ]
    policies = [parse_policy(text) for text in texts]
    datasets = [open_dataset(database, path, policy.typed) for policy in policies]
    assert len({one.relation for one in datasets}) == 1
    runners = [
        Runner(database, policy, one, prefix=f"p{at}_")
        for at, (policy, one) in enumerate(zip(policies, datasets, strict=True))
    ]
    assert [runner.backtest().rules[0].true for runner in runners] == [1, 1, 1]
    moved = runners[2].flow(runners[0])
    assert {(old.value, new.value): rows for (old, new), rows in moved.items()} == {
        ("review", "pass"): 1, ("pass", "review"): 1}  # fmt: skip


def count(database: Any, path: Path) -> int:
    return sum(1 for _ in Runner(database, POLICY, open_dataset(database, path, POLICY.typed)).rows())


POLICY = parse_policy(f"{HEAD}  f: int\n  n: int\nrules:\n  - {{id: r, when: f > 0 || n > 0, then: review}}\n")
ODD = ("h[1].csv", "h*.csv", "h?.csv", "it's.csv", 'a "b".csv', "h{1,2}.csv", "é.csv", "~h.csv", "h\\x.csv", "#h.csv")


@pytest.mark.parametrize("name", [*ODD, "[a-z]", "n=9"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_is_the_one_that_is_named(tmp_path: Path, form: str, name: str) -> None:
    import pyarrow.parquet as pq

    for other, rows in ((name, 3), ("h1.csv", 1), ("hx.csv", 1), ("a", 1)):
        path = tmp_path / other.replace(".csv", f".{form}")
        path = path if path.suffix else path / f"part.{form}"
        path.parent.mkdir(exist_ok=True)
        if form == "csv":
            path.write_text("f\n" + "1\n" * rows)
        else:
            pq.write_table(pa.table({"f": [1] * rows}), path)
    with connect(threads=1) as connection:
        found = open_dataset(connection, tmp_path / name.replace(".csv", f".{form}"), POLICY.typed)
        assert sum(1 for _ in Runner(connection, POLICY, found).rows()) == 3
    assert found.absent == ("n",)


def test_names_that_are_not_utf8_are_read_or_refused_in_words(database: Any, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv"))
    path.write_text("f\n1\n2\n")
    assert count(database, path) == 2
    path.rename(other := path.with_suffix(".parquet"))
    with pytest.raises(DataError, match="the name is not UTF-8"):
        count(database, other)


def test_a_folder_is_read_whole_each_file_once(database: Any, tmp_path: Path) -> None:
    folder = tmp_path / "all"
    (folder / "deep" / "n=9").mkdir(parents=True)
    (folder / "a.csv").write_text("f,n\n1,2\n")
    (folder / "B.CSV").write_text("n\n3\n4\n")
    (folder / "deep" / "c.tsv").write_text("n\tf\n5\t6\n")
    (folder / "deep" / "n=9" / "d.csv.gz").write_bytes(gzip.compress(b"f\n7\n", mtime=0))
    (folder / "e.csv.bz2").write_bytes(bz2.compress(b"f\n8\n"))
    (folder / ".hidden.csv").write_text("f\n9\n")
    (folder / "_SUCCESS").write_text("")
    (folder / "latest.csv").symlink_to("a.csv")
    (folder / "again").symlink_to(folder, target_is_directory=True)
    (folder / "readme.txt").write_text("none")
    found = open_dataset(database, folder, POLICY.typed)
    rows = database.execute(f"select {found.columns['f']}, {found.columns['n']} from {found.relation}").fetchall()
    assert sorted(rows, key=str) == [(1, 2), (6, 5), (7, None), (8, None), (None, 3), (None, 4)]
    assert found.notes == (f"1 other files are left out, such as {folder / 'readme.txt'}",)


def test_a_folder_of_two_kinds_is_refused(database: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("f\n1\n")
    (tmp_path / "b.parquet").write_bytes(b"")
    with pytest.raises(DataError, match="holds 1 Parquet and 1 CSV files"):
        count(database, tmp_path)


@pytest.mark.parametrize(("name", "raw"), [("d.csv.gz", gzip.compress(b"f\n1\n", mtime=0)[:-9]), ("d.gz", b"f\n1\n"),
                                           ("d.csv.zst", b"f\n1\n")])  # fmt: skip
def test_a_packed_file_that_is_damaged_is_refused(database: Any, tmp_path: Path, name: str, raw: bytes) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(DataError, match=re.escape(name)):
        count(database, tmp_path / name)


@pytest.mark.parametrize("name", ["d.zip", "d.xlsx", "d.json", "d"])
def test_other_files_are_refused_in_words(database: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("f\n1\n")
    with pytest.raises(DataError, match="is not a Parquet or CSV file"):
        count(database, tmp_path / name)
    broken = tmp_path / "all"
    broken.mkdir()
    (broken / "a.csv").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match="No such file"):
        count(database, broken)
