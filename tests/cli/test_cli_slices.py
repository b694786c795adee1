"""`--since`, `--until`, `--where` and `--by` over tables: what they leave and count, counted again in plain Python."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from cli.backtest_data import AFTER, MAP, POLICY, write_data

pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

Rows = list[dict[str, str]]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rows:
    monkeypatch.chdir(tmp_path)
    Path("before.yaml").write_text(POLICY)
    Path("after.yaml").write_text(AFTER)
    rows = write_data(Path("data.csv"), 1500)
    draw = random.Random(8)
    for row in rows:
        row["country"] = "" if draw.random() < 0.1 else row["country"]
    write(rows)
    return rows


def write(rows: Rows) -> None:
    Path("data.csv").write_text("\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n")


def backtest(run: Any, *arguments: str) -> dict[str, Any]:
    result = run("backtest", "before.yaml", "after.yaml", "data.csv", *MAP, *arguments, "--format", "json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def at(row: dict[str, str]) -> datetime:
    return datetime.fromisoformat(row["at"]).replace(tzinfo=UTC)


SINGAPORE = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    ("arguments", "holds"),
    [
        (["--since", "2026-03-01"], lambda t: t >= datetime(2026, 3, 1, tzinfo=UTC)),
        (["--until", "2026-03-01"], lambda t: t < datetime(2026, 3, 2, tzinfo=UTC)),
        (["--until", "2026-03-01T00:00Z"], lambda t: t < datetime(2026, 3, 1, tzinfo=UTC)),
        (["--since", "2026-03-01 Asia/Singapore"], lambda t: t >= datetime(2026, 3, 1, tzinfo=SINGAPORE)),
        (["--until", "2026-03-01 Asia/Singapore"], lambda t: t < datetime(2026, 3, 2, tzinfo=SINGAPORE)),
        (
            ["--since", "2026-03-01T12:30:00+08:00", "--until", "2026-04-01 18:00 UTC"],
            lambda t: datetime(2026, 3, 1, 4, 30, tzinfo=UTC) <= t < datetime(2026, 4, 1, 18, tzinfo=UTC),
        ),
    ],
)
def test_times_take_the_rows_of_theirs(
    run: Any, data: Rows, arguments: list[str], holds: Callable[[datetime], bool]
) -> None:
    found = backtest(run, *arguments)
    rows = sum(holds(at(row)) for row in data)
    assert 0 < rows < len(data)
    assert (found["rows"], found["slice"]["rows"], found["slice"]["of"]) == (rows, rows, len(data))


def test_a_length_of_time_is_before_now(run: Any, data: Rows) -> None:
    now = datetime.now(UTC)
    for number, row in enumerate(data):
        row["at"] = f"{now - timedelta(hours=number + 0.5):%Y-%m-%d %H:%M:%S}"
    write(data)
    assert backtest(run, "--since", "2d")["rows"] == 48
    assert backtest(run, "--since", "1w", "--until", "36h")["rows"] == 7 * 24 - 36
    said = run("backtest", "before.yaml", "data.csv", *MAP, "--since", "2d").stdout
    assert f"slice since {now - timedelta(days=2):%Y-%m-%d}" in said and " UTC" in said


@pytest.mark.parametrize(
    "said",
    ["yesterday", "2026-13-01", "01/02/2026", "2026-03-01 Mars/Crater", "7", "7y", "2026-3-1", "2026-03-01 12:00"],
)
def test_what_is_no_time_is_said_with_the_forms(run: Any, data: Rows, said: str) -> None:
    result = run("backtest", "before.yaml", "data.csv", *MAP, "--since", said)
    assert result.exit_code == 2
    assert "is not a time such as 2026-03-01 (a day in UTC)" in result.stderr and "7d" in result.stderr


def test_a_condition_takes_the_rows_on_which_it_is_true_and_counts_those_in_doubt(run: Any, data: Rows) -> None:
    found = backtest(run, "--where", 'country == "SG" || device.score >= 50')

    def answer(row: dict[str, str]) -> bool | None:
        one = row["country"] == "SG" if row["country"] else None
        other = int(row["device_score"]) >= 50 if row["device_score"] else None
        return True if one or other else None if one is None or other is None else False

    answers = Counter(map(answer, data))
    assert found["rows"] == answers[True]
    assert (found["slice"]["unknown"], found["slice"]["of"]) == (answers[None], len(data))
    said = run("backtest", "before.yaml", "data.csv", *MAP, "--where", 'country == "SG" || device.score >= 50').stdout
    assert (
        f"{answers[True]:,} of 1,500 rows; on {answers[None]:,} more it is unknown whether the condition holds" in said
    )


def test_what_sql_cannot_say_is_asked_all_the_same(run: Any, data: Rows) -> None:
    condition = "[device.score, 3].exists(x, x >= 90)"
    found = backtest(run, "--where", condition)
    assert found["rows"] == sum(bool(row["device_score"]) and int(row["device_score"]) >= 90 for row in data)


def test_one_slice_is_for_all_policies(run: Any, data: Rows) -> None:
    found = backtest(run, "--where", "document_match < 0.5")
    rows = sum(bool(row["document_match"]) and float(row["document_match"]) < 0.5 for row in data)
    for policy in found["policies"]:
        assert sum(outcome["rows"] for outcome in policy["outcomes"].values()) == rows
    assert sum(sum(cells.values()) for cells in found["moves"][1]["matrix"].values()) == rows


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--where", 'contry == "SG"'], "did you mean `country`"),
        (["--where", "country"], "--where:1:1: error[type-mismatch]: `country` is a string, and alone no condition"),
        (["--where", 'device.score > "a"'], "--where:1:"),
        (["--where", "device.score >"], "--where:1:"),
        (["--by", "contry"], "did you mean `country`"),
        (["--by", "deepfake.score"], "makes no segments"),
        (["--since", "2026-03-02", "--until", "2026-03-01"], "--until is not after --since"),
    ],
)
def test_a_slice_that_cannot_be(run: Any, data: Rows, arguments: list[str], said: str) -> None:
    result = run("backtest", "before.yaml", "data.csv", *MAP, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_slice_without_rows_is_said(run: Any, data: Rows) -> None:
    result = run("backtest", "before.yaml", "data.csv", *MAP, "--where", 'country == "FR"')
    assert result.exit_code == 1
    assert 'no row is in the slice where country == "FR": 0 of 1,500 rows' in result.stderr


def test_segments_add_up_and_unknown_is_one_of_them(run: Any, data: Rows) -> None:
    found = backtest(run, "--by", "country")
    by_country: defaultdict[str | None, Rows] = defaultdict(list)
    for row in data:
        by_country[row["country"] or None].append(row)
    for at_, policy in enumerate(found["policies"]):
        segments = {one["value"]: one for one in policy["segments"]}
        assert list(segments)[-1] is None and len(segments) == 4
        for country, rows in by_country.items():
            segment = segments[country]
            alone = backtest_of(run, rows)["policies"][at_]
            assert segment["rows"] == len(rows)
            assert segment["outcomes"] == {name: one["rows"] for name, one in alone["outcomes"].items()}
            for measure in ("caught", "turned_away", "settled"):
                assert segment["measures"][measure] == alone["measures"][measure]
        moved = sum(one["moved"]["hits"] for one in segments.values())
        matrix = found["moves"][at_]["matrix"]
        assert moved == sum(n for old, cells in matrix.items() for new, n in cells.items() if old != new)


def backtest_of(run: Any, rows: Rows) -> dict[str, Any]:
    """Return a backtest of some rows alone."""
    whole = Path("data.csv").read_text()
    write(rows)
    try:
        return backtest(run)
    finally:
        Path("data.csv").write_text(whole)


def test_segments_are_shown_in_every_report(run: Any, data: Rows) -> None:
    text = run("backtest", "before.yaml", "data.csv", *MAP, "--by", "country").stdout
    head, *lines = text[text.index("by country") :].splitlines()
    assert head.split("  ")[-1].strip() == "moved"
    assert [line.split()[0] for line in lines[:4]] == [*(c for c, _ in Counter(
        row["country"] for row in data if row["country"]).most_common()), "unknown"]  # fmt: skip
    run("backtest", "before.yaml", "data.csv", *MAP, "--by", "country", "--format", "html", "-o", "page.html")
    page = Path("page.html").read_text()
    assert "before by country" in page and "<td>unknown</td>" in page


def test_many_values_end_in_others(run: Any, data: Rows) -> None:
    for number, row in enumerate(data):
        row["country"] = f"C{number % 80}" if number % 9 else ""
    write(data)
    segments = backtest(run, "--by", "country")["policies"][0]["segments"]
    assert len(segments) == 52
    assert [one["others"] for one in segments[-2:]] == [30, 0]
    assert sum(one["rows"] for one in segments) == len(data)


def test_a_text_called_unknown_is_not_taken_for_it(run: Any, data: Rows) -> None:
    data[0]["country"] = "unknown"
    write(data)
    text = run("backtest", "before.yaml", "data.csv", *MAP, "--by", "country").stdout
    assert '\n  "unknown" ' in text and "\n  unknown " in text


def test_tuning_learns_and_judges_on_the_slice(run: Any, data: Rows) -> None:
    rows = write_data(Path("data.csv"), 6000)
    result = run("tune", "before.yaml", "data.csv", *MAP, "--max-review", "10%", "--where", 'country == "SG"',
                 "--by", "deepfake.result", "--format", "json")  # fmt: skip
    assert result.exit_code in (0, 1), result.stderr
    found = json.loads(result.stdout)
    chosen = [row for row in rows if row["country"] == "SG"]
    assert found["slice"]["rows"] == len(chosen)
    assert sum(found["now"][part]["review"]["of"] for part in ("learned", "judged")) == len(chosen)
    later = [row for row in chosen if row["at"] > found["split"].replace("T", " ")[:26]]
    assert sum(one["now"]["rows"] for one in found["segments"]) == found["now"]["judged"]["review"]["of"] == len(later)
    text = run("tune", "before.yaml", "data.csv", *MAP, "--max-review", "10%", "--where", 'country == "SG"',
               "--by", "deepfake.result").stdout  # fmt: skip
    assert "slice where country" in text and "judged, by deepfake.result" in text


def test_drift_is_told_of_the_slice_and_by_segment(run: Any, data: Rows) -> None:
    rows = write_data(Path("data.csv"), 6000)
    result = run("audit", "drift", "data.csv", "--policy", "before.yaml", *MAP, "--before", "2026-07-01", "--window",
                 "60", "--since", "2026-08-01", "--by", "country", "--format", "json")  # fmt: skip
    found = json.loads(result.stdout)
    windows = next(one for one in found["fields"] if one["field"] == "device.score")["windows"]
    wanted = [row for row in rows if row["at"] >= "2026-08-01"]
    assert sum(one["rows"] for one in windows) <= len(wanted)
    assert windows[0]["rows"] == sum("2026-08-01" <= row["at"] < "2026-08-30" for row in rows)
    early = Counter(row["country"] for row in rows if row["at"] < "2026-07-01")
    for country, fields in found["segments"].items():
        assert fields[0]["rows"] == early[country]


DAYS = """policy_language: 1
policy: days
inputs: {born: date, flag: bool, n: double}
rules:
  - {id: young, when: 'born > date("2008-01-01") && !flag && n > 0.5', then: review}
"""


@pytest.mark.parametrize(
    ("by", "titles"),
    [("born", ["2009-05-05", "1990-01-01", "unknown"]), ("flag", ["false", "true", "unknown"]),
     ("n", ["1", "0.25", "unknown"])],
)  # fmt: skip
def test_segments_of_every_kind_of_field_and_without_an_outcome_before(
    run: Any, data: Rows, by: str, titles: list[str]
) -> None:
    Path("days.yaml").write_text(DAYS)
    Path("days.csv").write_text(
        "born,flag,n\n2009-05-05,false,1\n2009-05-05,false,1\n1990-01-01,true,0.25\n,,\nx,y,z\n1990-01-01,false,1\n"
        "2009-05-05,true,0.25\n"
    )
    result = run("backtest", "days.yaml", "days.csv", "--by", by, "--format", "json")
    assert result.exit_code == 0, result.stderr
    segments = json.loads(result.stdout)["policies"][0]["segments"]
    assert [one["value"] or "unknown" for one in segments] == titles
    assert all(one["moved"] is None for one in segments)
    for suffix in ("csv", "parquet"):
        result = run("backtest", "days.yaml", "days.csv", "--rows", "all", "-o", f"out.{suffix}")
        assert result.exit_code == 0, result.stderr
    assert "2009-05-05" in Path("out.csv").read_text()
    Path("bare.csv").write_text("flag,n\nfalse,1\n")
    found = run("backtest", "days.yaml", "bare.csv", "--assume", "born=2009-01-01", "--format", "json")
    assert json.loads(found.stdout)["policies"][0]["outcomes"]["review"]["rows"] == 1


def test_a_condition_on_what_the_data_lacks_is_unknown_on_every_row(run: Any, data: Rows) -> None:
    write([{"id": row["id"], "at": row["at"]} for row in data])
    result = run("backtest", "before.yaml", "data.csv", "--where", 'country == "SG"')
    assert result.exit_code == 1
    assert "0 of 1,500 rows; on 1,500 more it is unknown whether the condition holds" in result.stderr
    result = run(
        "backtest", "before.yaml", "data.csv", "--where", "!has(country)", "--by", "country", "--format", "json"
    )
    found = json.loads(result.stdout)
    assert found["rows"] == 1500 and [one["value"] for one in found["policies"][0]["segments"]] == [None]


def with_requests(data: Rows) -> None:
    for number, row in enumerate(data):
        row["scene_code"], row["attempts"] = f"onboard{number % 3}", str(number % 4) if number % 4 else ""
    write(data)


@pytest.mark.parametrize(("by", "values"), [("scene_code", 3), ("attempts", 4)])
def test_segments_of_a_part_of_the_request_that_no_rule_reads(run: Any, data: Rows, by: str, values: int) -> None:
    with_requests(data)
    counts = Counter(row[by] or None for row in data)
    found = backtest(run, "--by", by)
    for policy in found["policies"]:
        assert {one["value"]: one["rows"] for one in policy["segments"]} == counts and len(counts) == values
    tuned = run("tune", "before.yaml", "data.csv", *MAP, "--max-review", "9%", "--by", by, "--format", "json")
    assert {one["value"] for one in json.loads(tuned.stdout)["segments"]} == {*counts}
    drift = run("audit", "drift", "data.csv", "--policy", "before.yaml", *MAP, "--before", "2026-07-01", "--by", by)
    assert f"{by}: " in drift.stdout, drift.stderr


def test_segments_of_a_part_of_the_request_that_the_data_lacks(run: Any, data: Rows) -> None:
    result = run("backtest", "before.yaml", "data.csv", *MAP, "--by", "scene_code")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--by reads `scene_code`, which the data lacks" in result.stderr
    assert "--map scene_code=COLUMN" in result.stderr
    mapped = backtest(run, "--by", "scene_code", "--map", "scene_code=country")
    assert len(mapped["policies"][0]["segments"]) == 4
    assert run("backtest", "before.yaml", "data.csv", *MAP, "--by", "scene").exit_code == 2


def test_a_page_compares_policies_that_read_different_fields(run: Any, data: Rows) -> None:
    Path("other.yaml").write_text(
        "policy_language: 1\npolicy: other\ninputs: {country: string}\n"
        'rules: [{id: abroad, when: country != "SG", then: review}]\n'
    )
    for policies in (("before.yaml", "other.yaml"), ("other.yaml", "before.yaml")):
        told = run("backtest", *policies, "data.csv", *MAP, "--by", "country", "--format", "json")
        result = run("backtest", *policies, "data.csv", *MAP, "--by", "country", "--format", "html", "-o", "page.html")
        assert result.exit_code == 0, result.stderr
        page = Path("page.html").read_text()
        for one in json.loads(told.stdout)["policies"]:
            assert all(f"<td>{segment['rows']:,}</td>" in page for segment in one["segments"])
