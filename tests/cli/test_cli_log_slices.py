"""The same four options over logs: each decision is read as the policy that made it reads it."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adjudge.audit.bodies import DecisionBody
from adjudge.audit.kinds import bodies
from adjudge.audit.trail import AuditTrail
from adjudge.engine import Engine
from adjudge.model import Request
from adjudge.registry import parse_policy
from adjudge.testing import FakeClock, registry_of

OLD = """policy_language: 1
policy: shop
inputs:
  country: string
  email: {type: string, personal: true}
signals:
  device: {fields: {score: {type: int, range: [0, 100]}}}
thresholds:
  device.score: {review: 60, reject: 90}
"""
NEW = OLD.replace("review: 60", "review: 40")
OTHER = """policy_language: 1
policy: other
inputs:
  amount: int
rules:
  - {id: large, when: amount > 100, then: review}
"""
START = datetime(2026, 3, 1, tzinfo=UTC)
REQUESTS: list[tuple[str, dict[str, Any], int | None]] = [
    ("shop", {} if number % 6 == 5 else {"country": ("SG", "MY", "DE")[number % 3], "email": f"{number}@example.com"},
     None if number % 7 == 6 else number * 7 % 101)
    for number in range(60)
] + [("other", {"amount": number * 10}, None) for number in range(20)]  # fmt: skip
"""Policy, inputs and the device's score of decisions that are six hours apart."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("slices")
    for name, text in (("old", OLD), ("new", NEW), ("other", OTHER)):
        (found / f"{name}.yaml").write_text(text)
    clock = FakeClock(START)
    policies, registry = [parse_policy(text) for text in (OLD, OTHER)], registry_of([])
    trail = AuditTrail.open(found / "log")
    with capture_logs(), Engine(policies, registry=registry, trail=trail, clock=clock) as engine:
        for number, (policy, inputs, score) in enumerate(REQUESTS):
            signals = {} if score is None else {"device": {"score": score}}
            request = Request(
                merchant_biz_id=f"{number + 1:032x}", scene_code="onboard001", policy=policy, inputs=inputs,
                signals=signals if policy == "shop" else {},
            )  # fmt: skip
            engine.decide_sync(request)
            clock.advance(6 * 3600)
    return found


@pytest.fixture(autouse=True)
def _there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def lines(run: Any, *arguments: str, status: int = 0) -> list[dict[str, Any]]:
    result = run(*arguments, "--format", "json")
    assert result.exit_code == status, result.stderr + result.stdout
    return [json.loads(line) for line in result.stdout.splitlines()]


def logged() -> list[DecisionBody]:
    return [body for _, body in bodies(Path("log"), DecisionBody)]


WHERE = 'country == "SG" || device.score >= 50'


def answer(at: int) -> bool | None:
    """Say what WHERE is on a decision, by hand."""
    policy, inputs, score = REQUESTS[at]
    if policy != "shop":
        return False
    one = inputs["country"] == "SG" if inputs else None
    other = score >= 50 if score is not None else None
    return True if one or other else None if one is None or other is None else False


CHOSEN = [at for at in range(len(REQUESTS)) if answer(at)]
UNKNOWN = [at for at in range(len(REQUESTS)) if answer(at) is None]


def test_the_decisions_differ_enough() -> None:
    assert len(CHOSEN) > 20 and len(UNKNOWN) > 2 and len(logged()) == len(REQUESTS)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_replay_takes_the_slice_and_counts_what_it_leaves_out(run: Any, jobs: str) -> None:
    (found,) = lines(run, "replay", "log", "--where", WHERE, "--by", "country", "--jobs", jobs)
    assert found["decisions"] == found["identical"] == found["slice"]["rows"] == len(CHOSEN)
    assert (found["slice"]["unknown"], found["slice"]["foreign"], found["slice"]["of"]) == (len(UNKNOWN), 20, 80)
    countries = Counter(REQUESTS[at][1].get("country") for at in CHOSEN)
    assert {one["value"]: one["decisions"] for one in found["segments"]} == countries
    text = run("replay", "log", "--where", WHERE, "--by", "country").stdout
    assert f"slice where {WHERE}: {len(CHOSEN)} of 80 decisions; on {len(UNKNOWN)} more it is unknown" in text
    assert "20 of policies without its fields are left out" in text


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [("2026-03-03", None, (48, 999)), (None, "2026-03-03", (0, 72)), ("2026-03-02T12:00Z", "2026-03-04 Asia/Singapore",
     (36, 88))],
)  # fmt: skip
def test_times_are_the_same_in_every_command(
    run: Any, tmp_path: Path, since: str | None, until: str | None, hours: tuple[int, int]
) -> None:
    options = [*(["--since", since] if since else []), *(["--until", until] if until else [])]
    first, end = (START + timedelta(hours=hour) for hour in hours)
    wanted = [body.decision_id for body in logged() if first <= body.at < end]
    assert lines(run, "replay", "log", *options)[0]["decisions"] == len(wanted)
    shown = lines(run, "audit", "show", "log", "--kind", "decision", *options)
    assert [one["decision_id"] for one in shown] == wanted
    pytest.importorskip("pyarrow", reason="needs the extra `backtest`")
    (exported,) = [json.loads(run("audit", "export", "log", tmp_path / "e", *options, "--format", "json").stdout)]
    assert exported["decisions"] == exported["slice"]["rows"] == len(wanted)


def test_replay_by_another_policy_is_told_by_segment(run: Any) -> None:
    found = lines(run, "replay", "log", "--policy", "new.yaml", "--where", WHERE, "--by", "country", status=1)[-1]
    policy = parse_policy(NEW)
    moved: Counter[str | None] = Counter()
    for at in CHOSEN:
        _, inputs, score = REQUESTS[at]
        given = {**inputs, **({} if score is None else {"device": {"score": score}})}
        before, after = (one.evaluate(given).outcome for one in (parse_policy(OLD), policy))
        moved[inputs.get("country")] += before is not after
    assert found["changed"] == moved.total() > 0
    assert {one["value"]: one["moved"] for one in found["segments"]} == moved
    text = run("replay", "log", "--policy", "new.yaml", "--by", "country").stdout
    assert "by country" in text and "moved" in text and "\n  unknown " in text


def test_compare_takes_the_slice(run: Any) -> None:
    pytest.importorskip("z3", reason="needs the extra `proofs`")
    arguments = ("compare", "old.yaml", "new.yaml", "--log", "log", "--where", WHERE, "--by", "country")
    traffic = json.loads(run(*arguments, "--format", "json").stdout)["traffic"]
    assert traffic["decisions"] == traffic["slice"]["rows"] == len(CHOSEN)
    assert sum(one["moved"] for one in traffic["segments"]) == traffic["flips"] > 0
    assert f"slice where {WHERE}" in run(*arguments).stdout
    assert "| `unknown` |" in run(*arguments, "--format", "markdown").stdout
    result = run("compare", "old.yaml", "new.yaml", "--by", "country")
    assert result.exit_code == 2 and "they need a --log" in result.stderr


def test_show_takes_the_slice_and_counts_by_segment(run: Any) -> None:
    every = logged()
    shown = lines(run, "audit", "show", "log", "--where", WHERE)
    assert [one["decision_id"] for one in shown] == [every[at].decision_id for at in CHOSEN]
    assert run("audit", "show", "log", "--where", WHERE, "--count").stdout == f"{len(CHOSEN)}\n"
    assert f"on {len(UNKNOWN)} more it is unknown" in run("audit", "show", "log", "--where", WHERE, "--count").stderr
    (found,) = lines(run, "audit", "show", "log", "--where", WHERE, "--by", "country")
    counts = Counter((REQUESTS[at][1].get("country"), every[at].verdict.outcome.value) for at in CHOSEN)
    for one in found["segments"]:
        assert {(one["value"], name): n for name, n in one["outcomes"].items() if n} == {
            key: n for key, n in counts.items() if key[0] == one["value"]
        }
    rows = list(csv.DictReader(io.StringIO(run("audit", "show", "log", "--by", "country", "--format", "csv").stdout)))
    assert sum(int(row["decisions"]) for row in rows) == len(REQUESTS) and rows[-1]["country"] == "unknown"


def test_personal_fields_can_be_asked_for_and_make_no_segments(run: Any) -> None:
    (found,) = lines(run, "replay", "log", "--where", 'email.startsWith("1")')
    wanted = sum(inputs.get("email", "").startswith("1") for _, inputs, _ in REQUESTS)
    assert found["decisions"] == wanted
    result = run("replay", "log", "--by", "email")
    assert result.exit_code == 2 and "the field is personal" in result.stderr


def test_an_export_of_a_slice_goes_on_with_the_same_slice_alone(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra `backtest`")
    out = tmp_path / "export"
    found = json.loads(
        run("audit", "export", "log", out, "--where", WHERE, "--by", "country", "--format", "json").stdout
    )
    assert found["decisions"] == len(CHOSEN) == sum(one["decisions"] for one in found["segments"])
    assert json.loads(run("audit", "export", "log", out, "--where", WHERE, "--format", "json").stdout)["decisions"] == 0
    result = run("audit", "export", "log", out)
    assert result.exit_code == 2 and f"holds where {WHERE}" in result.stderr
    assert run("audit", "export", "log", tmp_path / "whole").exit_code == 0
    result = run("audit", "export", "log", tmp_path / "whole", "--where", WHERE)
    assert result.exit_code == 2 and "holds all decisions" in result.stderr


def test_a_state_goes_on_with_the_same_slice_alone(run: Any, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert run("replay", "log", "--where", WHERE, "--state", state).exit_code == 0
    assert lines(run, "replay", "log", "--where", WHERE, "--state", str(state))[0]["decisions"] == len(CHOSEN)
    result = run("replay", "log", "--state", state)
    assert result.exit_code == 2 and "is of a replay of another slice" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--where", 'contry == "SG"'], 2, "did you mean `country`"),
        (["--where", "country =="], 2, "--where:1:"),
        (["--where", 'device.score > "a"'], 2, "--where:1:"),
        (["--by", "contry"], 2, "did you mean `country`"),
        (["--where", 'country == "FR"'], 1, "no decision is in the slice"),
        (["--since", "soon"], 2, "is not a time such as"),
    ],
)
def test_a_slice_that_cannot_be(run: Any, arguments: list[str], status: int, said: str) -> None:
    result = run("replay", "log", *arguments)
    assert result.exit_code == status
    assert said in result.stderr


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_decisions_that_move_are_written_and_gated(run: Any, tmp_path: Path) -> None:
    (found,) = lines(run, "replay", "log", "--policy", "new.yaml", "--fail-if", "moved_share > 99%", "-o",
                     str(tmp_path / "moved.csv"))[-1:]  # fmt: skip
    rows = read(tmp_path / "moved.csv")
    assert len(rows) == found["changed"] > 0
    assert all(row["before"] != row["after"] and row["merchant_biz_id"] for row in rows)
    result = run("replay", "log", "--policy", "new.yaml", "--fail-if", f"moved >= {len(rows)}")
    assert result.exit_code == 1 and f"gate failed: moved is {len(rows)}" in result.stdout
    assert run("replay", "log", "--fail-if", "different > 0", "--fail-if", "not_replayable > 0").exit_code == 0
    assert run("replay", "log", "--fail-if", "moved > 0").exit_code == 1  # which no replay by the own policies can tell


def test_changes_of_a_comparison_are_written_and_gated(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("z3", reason="needs the extra `proofs`")
    arguments = ("compare", "old.yaml", "new.yaml", "--log", "log", "-o", tmp_path / "moved.csv", "--format", "json")
    result = run(*arguments)
    traffic = json.loads(result.stdout)["traffic"]
    assert len(read(tmp_path / "moved.csv")) == traffic["flips"] > 0 and "wrote" in result.stderr
    for gate, status in (("review_share_change > 0%", 1), ("moved_share > 99%", 0), ("reviews_per_day > 1000", 0)):
        result = run(*arguments, "--fail-if", gate)
        assert (result.exit_code, len(json.loads(result.stdout)["failed_gates"])) == (status, status)
    result = run("compare", "old.yaml", "new.yaml", "--fail-if", "moved > 0")
    assert result.exit_code == 2 and "need a --log" in result.stderr


def test_records_are_written_as_the_ending_says(run: Any, tmp_path: Path) -> None:
    result = run("audit", "show", "log", "--where", WHERE, "-o", tmp_path / "shown.csv")
    assert result.exit_code == 0 and f"{len(CHOSEN)} rows" in result.stdout
    assert [row["decision_id"] for row in read(tmp_path / "shown.csv")] == [logged()[at].decision_id for at in CHOSEN]
    calamine = pytest.importorskip("python_calamine", reason="needs the extra `sheets`")
    run("audit", "show", "log", "-o", tmp_path / "shown.xlsx")
    sheet = calamine.CalamineWorkbook.from_path(tmp_path / "shown.xlsx").get_sheet_by_index(0).to_python()
    assert len(sheet) - 1 == len(list(run("audit", "show", "log", "--format", "json").stdout.splitlines()))
    result = run("audit", "show", "log", "-o", tmp_path / "shown.txt")
    assert result.exit_code == 2 and ".csv, .xlsx, .parquet" in result.stderr


def test_parts_of_a_request_can_be_asked_for_though_no_rule_reads_them(run: Any) -> None:
    every = logged()
    wanted = f'merchant_biz_id == "{every[3].merchant_biz_id}"'
    assert [one["decision_id"] for one in lines(run, "audit", "show", "log", "--where", wanted)] == [
        every[3].decision_id
    ]
    assert lines(run, "replay", "log", "--where", wanted)[0]["decisions"] == 1
