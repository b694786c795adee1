from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from adjudge.model import Verdict
from adjudge.policy import parse_policy
from cli.backtest_data import AFTER, MAP, POLICY, write_data

pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

Golden = Callable[[str, str], None]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    monkeypatch.chdir(tmp_path)
    Path("before.yaml").write_text(POLICY)
    Path("after.yaml").write_text(AFTER)
    return write_data(Path("data.csv"), 2000)


parsed = cache(parse_policy)


def evaluated(policy: str, row: dict[str, str]) -> Verdict:
    """Decide a row with the live engine."""

    def number(name: str, of: type) -> object:
        return of(row[name]) if row[name] else None

    given = {
        "country": row["country"],
        "document_match": number("document_match", float),
        "device": {"score": number("device_score", int)},
        "deepfake": {"result": row["result"], "score": {"SuspectRemake": number("remake", float)}},
    }
    return parsed(policy).evaluate(given)


def cells_of(moves: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(old, new): rows for old, cells in moves["matrix"].items() for new, rows in cells.items() if rows}


def test_backtest_says_what_the_engine_would(run: Any, data: list[dict[str, str]]) -> None:
    result = run("backtest", "before.yaml", "after.yaml", "data.csv", *MAP, "--format", "json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["rows"] == 2000
    verdicts = {}
    for text, said in zip((POLICY, AFTER), report["policies"], strict=True):
        verdicts[said["title"]] = found = [evaluated(text, row) for row in data]
        for outcome, counts in said["outcomes"].items():
            rows = [row for row, verdict in zip(data, found, strict=True) if verdict.outcome == outcome]
            labels = Counter(row["label"] for row in rows)
            assert counts["rows"] == len(rows)
            assert (counts["fraud"], counts["genuine"], counts["unlabelled"]) == (
                labels["fraud"], labels["genuine"], labels[""])  # fmt: skip
            assert counts["cost"] == pytest.approx(0.05 * len(rows))
        frauds = [verdict for row, verdict in zip(data, found, strict=True) if row["label"] == "fraud"]
        for name, bound in (("caught", "outcome"), ("caught_low", "lower"), ("caught_high", "upper")):
            caught = said["measures"][name]
            assert (caught["hits"], caught["of"]) == (sum(getattr(one, bound) != "pass" for one in frauds), len(frauds))
        for rule in said["rules"]:
            assert rule["true"] == sum(rule["id"] in verdict.matched for verdict in found)
            assert rule["unknown"] == sum(rule["id"] in verdict.unresolved for verdict in found)
    recorded, moved = report["moves"]
    assert (recorded["before"], moved["before"], moved["after"]) == ("as recorded", "before", "after")
    flow = Counter(
        (old.outcome.value, new.outcome.value) for old, new in zip(verdicts["before"], verdicts["after"], strict=True)
    )
    assert cells_of(moved) == flow
    then = Counter((row["outcome"], new.outcome.value) for row, new in zip(data, verdicts["before"], strict=True))
    assert {
        (old, new): rows for old, cells in recorded["matrix"].items() for new, rows in cells.items() if rows
    } == then


def test_backtest_as_text(run: Any, data: list[dict[str, str]], golden: Golden) -> None:
    result = run("backtest", "before.yaml", "after.yaml", "data.csv", *MAP)
    assert result.exit_code == 0, result.stderr
    golden("cli/backtest.txt", result.stdout)


class _Checker(HTMLParser):
    """Holds a page to what it promises: every element ends, nothing runs, nothing is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] += 1
        assert tag not in ("script", "link", "img", "iframe")
        assert not {name for name, _ in attrs} & {"href", "src", "onclick", "onload"}
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_backtest_as_a_page_that_stands_alone(run: Any, data: list[dict[str, str]]) -> None:
    Path("data.csv").rename("<b>&.csv")
    result = run("backtest", "before.yaml", "after.yaml", "<b>&.csv", *MAP, "--format", "html", "-o", "report.html")
    assert (result.exit_code, result.stdout) == (0, "wrote report.html\n"), result.stderr
    text = Path("report.html").read_text()
    checker = _Checker()
    checker.feed(text)
    assert checker.open == []
    # over time, two flows, three distributions by count and by logarithm, and a curve for each of four thresholds
    assert checker.seen["svg"] == 1 + 2 + 2 * 3 + 4
    assert "&lt;b&gt;&amp;.csv" in text and "http" not in text and "url(" not in text


def test_backtest_of_a_log(run: Any, folder: Path, log: Path) -> None:
    result = run("backtest", "policy.yaml", log, "--format", "json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    (moved,) = report["moves"]
    assert (report["rows"], report["data"]) == (4, "log")
    assert cells_of(moved).keys() == {("pass", "pass"), ("review", "review"), ("reject", "reject")}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--map", "device.scor=device_score"], "the policy reads no `device.scor`, which a mapping names"),
        (["--map", "device.score=devicescore"], "there is no column `devicescore`, to which `device.score` is mapped"),
        (["--map", "at=country"], "no cell of the column `country` is a time such as"),
        (["--map", "device.score"], "write FIELD=COLUMN"),
        (
            ["--map", "label=device_score"],
            "no cell of the column `device_score` is one of `fraud`, `genuine`, but for example",
        ),
        (["--memory", "lots"], "lots is not an amount of memory"),
        (["-o", "nowhere/report.txt"], "there is no folder nowhere"),
    ],
)
def test_backtest_of_data_that_do_not_fit(
    run: Any, data: list[dict[str, str]], arguments: list[str], said: str
) -> None:
    result = run("backtest", "before.yaml", "data.csv", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_backtest_of_what_is_no_data(run: Any, data: list[dict[str, str]]) -> None:
    Path("empty").mkdir()
    Path("odd.txt").write_text("x")
    Path("odd.parquet").write_text("x")
    cases = {
        "empty": "holds no Parquet or CSV files",
        "odd.txt": "is not a Parquet or CSV file",
        "odd.parquet": "cannot be read",
    }
    for name, said in cases.items():
        result = run("backtest", "before.yaml", name)
        assert result.exit_code == 2
        assert said in result.stderr


def test_backtest_of_no_rows_is_no_success(run: Any, folder: Path) -> None:
    (folder / "empty.csv").write_text("id,at,label\n")
    result = run("backtest", "policy.yaml", "empty.csv")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error[nothing-read]: empty.csv: holds no rows\n"


def test_policies_of_one_export_are_judged_on_the_same_rows(run: Any, folder: Path, log: Path) -> None:
    text = (folder / "policy.yaml").read_text()
    (folder / "other.yaml").write_text(text.replace("policy: onboarding", "policy: other"))
    lines = (folder / "request.json").read_text().replace("aaa1", "aaa9")
    assert run("decide", "-", "--policy", "other.yaml", "--audit", "log", input=lines).exit_code == 0
    result = run("backtest", "policy.yaml", "other.yaml", "log", "--format", "json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert [sum(one["rows"] for one in said["outcomes"].values()) for said in report["policies"]] == [4, 4]


def test_sigterm_ends_the_reading_of_a_log_as_ctrl_c_does() -> None:
    from adjudge.cli.tables import _ended_by_sigterm

    with pytest.raises(KeyboardInterrupt), _ended_by_sigterm():
        signal.raise_signal(signal.SIGTERM)


def test_plots_of_huge_numbers(run: Any, data: list[dict[str, str]]) -> None:
    Path("huge.yaml").write_text(
        "policy_language: 1\npolicy: huge\ninputs: {x: double}\nrules:\n  - {id: r, when: x > 1e17, then: review}\n"
    )
    Path("huge.csv").write_text("x\n1e17\n1e17\n")
    result = run("backtest", "huge.yaml", "huge.csv", "--format", "html", "-o", "huge.html")
    assert result.exit_code == 0, result.stderr
