"""`adjudge rollout`: directly, and over a service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adjudge.config.file import open_engine
from adjudge.model import Request
from cli.conftest import Run
from client.serving import served

POLICY = "{policy_language: 1, policy: one, inputs: {n: int, m: int}, rules: [{id: r, when: n > LIMIT, then: reject}]}"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "next").mkdir()
    (tmp_path / "one.yaml").write_text(POLICY.replace("LIMIT", "70"))
    (tmp_path / "next" / "one.yaml").write_text(POLICY.replace("LIMIT", "20"))
    path = tmp_path / "adjudge.yaml"
    audit = "{directory: log, durability: flush}"
    path.write_text(f"policies: [one.yaml]\naudit: {audit}\nrollouts: {{candidates: {{later: next/one.yaml}}}}\n")
    return path


def test_rollout_is_started_ramped_looked_at_and_aborted(run: Run, config: Path) -> None:
    place = ("--config", config)
    start = (
        "start",
        "june",
        "--mode",
        "canary",
        "--candidate",
        "later",
        "--share",
        "50%",
        "--by",
        "kim",
        "--reason",
        "x",
    )
    assert run("rollout", *start, *place).exit_code == 0
    with open_engine(config) as engine:
        for n in range(40):
            engine.decide_sync(Request(merchant_biz_id=f"{n:032d}", scene_code="a", inputs={"n": 2 * n}))
    looked = run("rollout", "status", *place)
    assert looked.exit_code == 0
    assert "june  running  canary 50% of one: later" in looked.output and "start by kim at" in looked.output
    assert "rail reject        1.25x:" in looked.output and "no rail acts before 100 ids" in looked.output
    assert " ids; " in looked.output and "decision" not in looked.output
    (june,) = json.loads(run("rollout", "status", *place, "--format", "json").output)
    assert sum(arm["decisions"] for arm in june["arms"].values()) == 40
    assert "canary 60%" in run("rollout", "ramp", "june", "0.6", *place).output
    assert "was promoted" not in run("rollout", "promote", "june", *place).output
    refused = run("rollout", "ramp", "june", "70%", *place)
    assert refused.exit_code != 0 and "was promoted by" in refused.output
    assert run("rollout", "abort", "june", *place).exit_code == 0
    report = run("rollout", "report", config.parent / "log")
    assert report.exit_code == 0
    assert [line.split()[3] for line in report.output.splitlines() if "  june " in line] == [
        "start",
        "ramp",
        "promote",
        "abort",
    ]
    told = json.loads(run("rollout", "report", config.parent / "log", "--format", "json").output)
    assert {arm["arm"] for arm in told["arms"]} == {"canary", "champion"}


def test_log_that_a_service_has_is_asked_over_it(run: Run, config: Path) -> None:
    with served(open_engine(config)) as address:
        refused = run("rollout", "status", "--config", config)
        assert refused.exit_code != 0 and "say --service" in refused.output
        start = ("start", "june", "--mode", "shadow", "--candidate", "later")
        assert "june  running  shadow of one" in run("rollout", *start, "--service", address).output
        assert "1 rollout" in run("rollout", "status", "--service", address).output


@pytest.mark.parametrize("place", [(), ("--config", "adjudge.yaml", "--service", "s")])
def test_rollout_needs_one_place(
    run: Run, config: Path, place: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config.parent)
    refused = run("rollout", "status", *place)
    assert refused.exit_code == 2 and "say --config FILE or --service URL" in refused.output


def test_share_that_is_none_is_refused(run: Run, config: Path) -> None:
    for share in ("0", "101%", "some"):
        assert "is no share, such as 5% or 0.05" in run("rollout", "ramp", "june", share, "--config", config).output


def test_candidate_that_is_not_there_is_named(run: Run, config: Path) -> None:
    refused = run("rollout", "start", "june", "--mode", "shadow", "--candidate", "latter", "--config", config)
    assert refused.exit_code == 2 and "the configuration has later" in refused.output


def test_log_shows_what_was_done_with_rollouts(run: Run, config: Path) -> None:
    start = (
        "start",
        "june",
        "--mode",
        "canary",
        "--candidate",
        "later",
        "--share",
        "5%",
        "--by",
        "kim",
        "--reason",
        "x",
    )
    assert run("rollout", *start, "--config", config).exit_code == 0
    with open_engine(config) as engine:
        engine.decide_sync(Request(merchant_biz_id="1" * 32, scene_code="a", inputs={"n": 2}))
    shown = run("audit", "show", config.parent / "log").output
    assert "june: start of the canary later at 5%" in shown and ": x" in shown and "kim" in shown
    assert "june: 1 decision counted" in shown
