"""Single rows as files: those that move and any others, as spreadsheets and warehouses read them."""

from __future__ import annotations

import csv
import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from adjudge.cli import rows as rows_module
from adjudge.cli.rows import Column, write_rows
from adjudge.errors import DataError
from adjudge.policy import parse_policy

pytest.importorskip("duckdb", reason="needs the extra `backtest`")
parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra `backtest`")
calamine = pytest.importorskip("python_calamine", reason="needs the extra `sheets`")
pytest.importorskip("xlsxwriter", reason="needs the extra `sheets`")

OLD = """policy_language: 1
policy: old
inputs:
  name: string
  mail: {type: string, personal: true}
  score: {type: double, range: [-1, 1]}
  number: int
  flag: bool
rules:
  - {id: high, when: score >= 0.5 && name != "" && number != 0 && !flag, then: review}
  - {id: mail, when: mail == "x", then: reject}
"""
NEW = (
    OLD.replace("policy: old", "policy: new").replace("score >= 0.5", "score >= 0.25").replace("id: high", "id: higher")
)
ATTACKS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1", " =1", "＝1", '=HYPERLINK("http://x";"y")')


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    monkeypatch.chdir(tmp_path)
    Path("old.yaml").write_text(OLD)
    Path("new.yaml").write_text(NEW)
    draw = random.Random(4)
    rows = [
        {
            "id": f"r{number}", "at": f"2026-01-{number % 28 + 1:02d} 10:00:00",
            "name": draw.choice([*ATTACKS, "shop", ""]),
            "mail": draw.choice("xyz"),
            "score": draw.choice(["", "0.1", "0.3", "0.7", "-0.25", "0.123456789012345678"]),
            "number": draw.choice(["7", "1234567890123456789", "-5"]), "flag": draw.choice(["true", "false"]),
            "outcome": draw.choice(["pass", "review", "reject"]),
        }
        for number in range(300)
    ]  # fmt: skip
    with Path("data.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return rows


parsed = cache(parse_policy)


def outcome(policy: str, row: dict[str, str]) -> str:
    given = {
        "name": row["name"] or None,
        "mail": row["mail"],
        "score": float(row["score"]) if row["score"] else None,
        "number": int(row["number"]),
        "flag": row["flag"] == "true",
    }
    return parsed(policy).evaluate(given).outcome.value


def moved(data: list[dict[str, str]]) -> dict[str, tuple[str, str]]:
    found = {row["id"]: (outcome(OLD, row), outcome(NEW, row)) for row in data}
    return {name: pair for name, pair in found.items() if pair[0] != pair[1]}


def plain(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def sheet(path: str) -> list[dict[str, Any]]:
    head, *rows = calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_the_rows_that_move_are_written_as_the_ending_says(run: Any, data: list[dict[str, str]]) -> None:
    files = ("moved.csv", "moved.xlsx", "moved.parquet")
    result = run("backtest", "old.yaml", "new.yaml", "data.csv", *(part for name in files for part in ("-o", name)))
    assert result.exit_code == 0, result.stderr
    wanted = moved(data)
    assert len(wanted) > 10
    for name in files:
        assert f"wrote {name}: {len(wanted)} rows" in result.stdout
    in_csv = plain("moved.csv")
    in_sheet = sheet("moved.xlsx")
    in_parquet = parquet.read_table("moved.parquet").to_pylist()
    for rows in (in_csv, in_sheet, in_parquet):
        assert {row["id"]: (row["before"], row["after"]) for row in rows} == wanted
        assert "mail" not in rows[0]
    by_id = {row["id"]: row for row in data}
    for one, other, third in zip(in_csv, in_sheet, in_parquet, strict=True):
        given = by_id[one["id"]]
        assert float(one["score"]) == float(given["score"]) == third["score"]
        assert one["number"] == given["number"] == str(third["number"])
        assert str(other["number"]).removesuffix(".0") == given["number"]
        assert (one["flag"], other["flag"], third["flag"]) == (
            given["flag"],
            given["flag"] == "true",
            given["flag"] == "true",
        )
        assert one["came"] == other["came"] and one["came"] in ("higher", "higher?") and third["came"] == [one["came"]]
        assert third["name"] == (given["name"] or None)
    assert result.stdout.count("of more than 15 digits written as text") == 1


def test_no_cell_of_a_spreadsheet_is_calculated(run: Any, data: list[dict[str, str]]) -> None:
    run("backtest", "old.yaml", "data.csv", "--rows", "all", "-o", "all.csv", "-o", "all.xlsx")
    seen = set()
    for rows in (plain("all.csv"), sheet("all.xlsx")):
        assert len(rows) == len(data)
        for row, given in zip(rows, data, strict=True):
            if given["name"] in ATTACKS:
                seen.add(given["name"])
                assert row["name"][0] == "'" or row["name"].startswith("\\")
            assert str(row["score"]) in ("", str(float(given["score"] or 0))) or float(row["score"]) == float(
                given["score"]
            )
    assert seen == set(ATTACKS)
    import zipfile

    with zipfile.ZipFile("all.xlsx") as parts:
        assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")


@pytest.mark.parametrize("which", ["pass", "review", "reject", "all"])
def test_any_slice_is_written(run: Any, data: list[dict[str, str]], which: str) -> None:
    run("backtest", "new.yaml", "data.csv", "--where", "flag", "--rows", which, "-o", "some.csv")
    rows = plain("some.csv")
    chosen = [row for row in data if row["flag"] == "true" and which in ("all", outcome(NEW, row))]
    assert [row["id"] for row in rows] == [row["id"] for row in chosen]
    assert [row["before"] for row in rows] == [row["outcome"] for row in chosen]


def test_rows_and_reports_go_together_and_endings_say_what_is_written(run: Any, data: list[dict[str, str]]) -> None:
    result = run("backtest", "old.yaml", "data.csv", "-o", "moved.csv", "-o", "page.html", "-o", "report.json")
    assert result.exit_code == 0, result.stderr
    assert Path("page.html").read_text().startswith("<!doctype html>")
    assert json.loads(Path("report.json").read_text())["rows"] == len(data)
    assert len(result.stdout.splitlines()) == 3
    as_json = run("backtest", "old.yaml", "data.csv", "-o", "moved.csv", "--format", "json")
    assert json.loads(as_json.stdout)["rows"] == len(data) and "wrote moved.csv" in as_json.stderr


def test_what_cannot_be_written_is_said_before_the_work(run: Any, data: list[dict[str, str]]) -> None:
    Path("bare.csv").write_text("score\n0.1\n")
    result = run("backtest", "old.yaml", "bare.csv", "-o", "moved.csv")
    assert result.exit_code == 2 and "--rows all" in result.stderr and not Path("moved.csv").exists()
    result = run("backtest", "old.yaml", "data.csv", "-o", "nowhere/moved.csv")
    assert result.exit_code == 2 and "there is no folder" in result.stderr


def test_limits_of_a_sheet_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = (Column("a"), Column("n", "number"))
    said = write_rows(tmp_path / "a.xlsx", columns, [["x" * 40_000, 0.1234567890123456], ["y", 1e15], [None, -0.5]])
    assert said.endswith(
        "3 rows; 1 text longer than 32,767 characters cut; 1 number of more than 15 digits written as text"
    )
    first, second, third = sheet(str(tmp_path / "a.xlsx"))
    assert len(first["a"]) == 32_767 and first["a"].endswith("…") and first["n"] == "0.1234567890123456"
    assert second["n"] == 1e15 and third["n"] == -0.5
    monkeypatch.setattr(rows_module, "ROWS_MAX", 2)
    with pytest.raises(DataError, match=r"holds 2 rows.*") as raised:
        write_rows(tmp_path / "b.xlsx", columns, [["x", 1.0]] * 3)
    assert ".parquet" in str(raised.value.hint) and not (tmp_path / "b.xlsx").exists()


@pytest.mark.parametrize(
    ("gate", "status"),
    [
        ("review_share > 0%", 1), ("review_share>0.999", 0), ("reject_share <= 90%", 1), ("rows < 300", 0),
        ("rows <= 300", 1), ("moved_share > 1%", 1), ("moved > 299", 0), ("review_share_change > +0%", 1),
        ("review_share_change < -50%", 0), ("unsettled_share > 100%", 0), ("unreadable_cells > 0", 0),
        ("frauds_missed > 1000", 1), ("cost > 1", 1), ("reviews_per_day > 100000", 0),
    ],
)  # fmt: skip
def test_a_gate_is_an_exit_status(run: Any, data: list[dict[str, str]], gate: str, status: int) -> None:
    result = run("backtest", "old.yaml", "new.yaml", "data.csv", "--fail-if", gate)
    assert result.exit_code == status, result.stdout + result.stderr
    assert (f"gate failed: {gate.split(' ')[0].split('>')[0]}" in result.stdout.replace("`", "")) == bool(status)


def test_gates_are_counted_as_the_engine_decides(run: Any, data: list[dict[str, str]]) -> None:
    share = len(moved(data)) / len(data)
    for bound, status in ((share + 0.0001, 0), (share - 0.0001, 1)):
        gate = f"moved_share > {bound:.6f}"
        result = run("backtest", "old.yaml", "new.yaml", "data.csv", "--fail-if", gate, "--format", "json")
        assert result.exit_code == status
        assert len(json.loads(result.stdout)["failed_gates"]) == status


def test_several_gates_fail_together(run: Any, data: list[dict[str, str]]) -> None:
    gates = ("--fail-if", "review_share > 0%", "--fail-if", "frauds_missed > 0", "--fail-if", "rows > 10000")
    result = run("backtest", "old.yaml", "data.csv", *gates)
    assert result.exit_code == 1 and result.stdout.count("gate failed:") == 2
    assert "`frauds_missed` cannot be told: no row has the label" in result.stdout


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("review_shar > 4%", "did you mean `review_share`"), ("review_share = 4%", "this is no gate"),
        ("review_share > 4", "is a share, 0 to 1"), ("rows > 4%", "is a number, and no share"),
        ("different > 0", "there is no measure `different` here"), ("review_share > -1%", "is a share"),
    ],
)  # fmt: skip
def test_a_gate_that_is_none_is_said(run: Any, data: list[dict[str, str]], gate: str, said: str) -> None:
    result = run("backtest", "old.yaml", "data.csv", "--fail-if", gate)
    assert result.exit_code == 2
    assert said in result.stderr
