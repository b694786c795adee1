"""`adjudge proposal`: directly, and over a service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adjudge.authoring import checks
from adjudge.config.file import open_engine
from cli.conftest import Run
from client.serving import served

POLICY = "{policy_language: 1, policy: one, inputs: {n: int}, rules: [{id: r, when: n > LIMIT, then: reject}]}"
TEST = "policy: one.yaml\ntests:\n  - {name: fifty, given: {inputs: {n: 50}}, expect: reject}\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(checks, "_compared", lambda base, proposed: (None, "not here"))
    (tmp_path / "next").mkdir()
    (tmp_path / "one.yaml").write_text(POLICY.replace("LIMIT", "70"))
    (tmp_path / "next" / "one.yaml").write_text(POLICY.replace("LIMIT", "20"))
    (tmp_path / "next" / "one_test.yaml").write_text(TEST)
    path = tmp_path / "adjudge.yaml"
    path.write_text("policies: [one.yaml]\naudit: {directory: log, durability: flush}\nproposals: {four_eyes: true}\n")
    return path


def test_proposal_goes_from_a_file_to_what_answers_and_back(run: Run, config: Path) -> None:
    place = ("--config", config)
    made = run("proposal", "make", config.parent / "next" / "one.yaml", "--reason", "june", "--by", "kim", *place)
    assert made.exit_code == 0 and "proposal 1: open" in made.output and "1 of 1 test passed" in made.output
    own = run("proposal", "approve", "1", "--seen", "1", "--by", "kim", *place)
    assert own.exit_code != 0 and "nobody approves their own" in own.output
    assert run("proposal", "comment", "1", "looks right", "--by", "lee", *place).exit_code == 0
    late = run("proposal", "approve", "1", "--seen", "1", "--by", "lee", *place)
    assert late.exit_code != 0 and "2 commented by lee; look at it" in late.output
    assert "approved by lee" in run("proposal", "approve", "1", "--seen", "2", "--by", "lee", *place).output
    assert "1  approved by lee  one " in run("proposal", "list", *place).output
    assert "0 proposals" in run("proposal", "list", "--status", "open", *place).output
    canary = run("proposal", "activate", "1", "--seen", "3", "--canary", "5%", "--by", "lee", *place)
    assert "activated, a canary" in canary.output and "activated as a canary of 5% by lee" in canary.output
    assert "activated, answers" in run("proposal", "activate", "1", "--seen", "4", "--by", "lee", *place).output
    shown = run("proposal", "show", "1", *place)
    assert "+{policy_language" in shown.output and "not compared: not here" in shown.output
    assert "then: reject" in run("proposal", "show", "1", "--text", *place).output
    back = run("proposal", "roll-back", "1", "--seen", "5", "--reason", "no", "--by", "ari", *place)
    assert "proposal 1: rolled back" in back.output and "6  " in back.output
    log = run("audit", "show", config.parent / "log")
    assert "proposal    " in log.output and "1: rolled back, by ari: no" in log.output
    assert run("audit", "verify", config.parent / "log").exit_code == 0


def test_proposal_is_sent_back_confirmed_and_withdrawn(run: Run, config: Path) -> None:
    place = ("--config", config, "--format", "json")
    new = config.parent / "next" / "one.yaml"
    assert json.loads(run("proposal", "make", new, "--reason", "a", *place).output)["status"] == "open"
    back = ("send-back", "1", "--seen", "1", "--reason", "no", "--by", "lee")
    assert json.loads(run("proposal", *back, *place).output)["status"] == "sent_back"
    again = json.loads(run("proposal", "make", "--name", "1", "--seen", "2", "--reason", "yes", *place).output)
    assert (again["status"], again["versions"]) == ("open", 2)
    assert json.loads(run("proposal", "withdraw", "1", "--seen", "3", *place).output)["status"] == "withdrawn"
    (one,) = json.loads(run("proposal", "list", *place).output)
    assert [act["act"] for act in one["acts"]] == ["made", "sent_back", "made", "withdrawn"]
    assert json.loads(run("proposal", "show", "1", *place).output)["text"].startswith("{policy_language")
    assert run("proposal", "make", "--reason", "x", *place).exit_code == 2


def test_failing_test_is_told_by_the_exit_status(run: Run, config: Path) -> None:
    (config.parent / "next" / "one_test.yaml").write_text(TEST.replace("reject", "pass"))
    made = run("proposal", "make", config.parent / "next" / "one.yaml", "--reason", "a", "--config", config)
    assert made.exit_code == 1 and "fifty: outcome is reject, not pass" in made.output


def test_log_that_a_service_has_is_asked_over_it(run: Run, config: Path) -> None:
    new = config.parent / "next" / "one.yaml"
    with served(open_engine(config)) as address:
        place = ("--service", address)
        assert "proposal 1: open" in run("proposal", "make", new, "--reason", "a", *place).output
        assert "2  " in run("proposal", "comment", "1", "hm", *place).output
        late = run("proposal", "send-back", "1", "--seen", "1", "--reason", "no", *place)
        assert late.exit_code != 0 and "has changed since act 1" in late.output
        assert "1 proposal" in run("proposal", "list", *place).output
        assert "+{policy_language" in run("proposal", "show", "1", *place).output
