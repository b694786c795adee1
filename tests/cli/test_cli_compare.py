from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("z3", reason="needs the extra `proofs`")


@pytest.fixture
def new(folder: Path) -> Path:
    """A policy that lets risky devices through a little longer."""
    text = (folder / "policy.yaml").read_text()
    assert "review: 70" in text
    (folder / "new.yaml").write_text(text.replace("review: 70", "review: 80"))
    return folder / "new.yaml"


def test_compare_of_a_policy_with_itself_proves_no_difference(run: Any, folder: Path) -> None:
    result = run("compare", "policy.yaml", "policy.yaml", "--must-be", "same")
    assert result.exit_code == 0
    assert result.stdout.startswith("no difference")


def test_compare_names_the_rule_and_an_input(run: Any, new: Path) -> None:
    result = run("compare", "policy.yaml", "new.yaml")
    assert result.exit_code == 0
    assert result.stdout.startswith("laxer:")
    assert "no longer applies" in result.stdout


def test_compare_gate_that_fails_is_named(run: Any, new: Path) -> None:
    result = run("compare", "policy.yaml", "new.yaml", "--must-be", "stricter")
    assert result.exit_code == 1
    assert "gate failed: the new policy must be stricter; on some inputs it is laxer" in result.stdout
    assert run("compare", "policy.yaml", "new.yaml", "--must-be", "laxer").exit_code == 0


def test_compare_on_a_log_counts_what_flips(run: Any, new: Path, log: Path) -> None:
    result = run("compare", "policy.yaml", "new.yaml", "--log", log, "--format", "json")
    assert result.exit_code == 0
    traffic = json.loads(result.stdout)["traffic"]
    assert traffic["decisions"] == 4
    assert traffic["matrix"] == {
        "pass": {"pass": 1, "review": 0, "reject": 0},
        "review": {"pass": 1, "review": 1, "reject": 0},
        "reject": {"pass": 0, "review": 0, "reject": 1},
    }
    assert (traffic["flips"], traffic["flip_share"]) == (1, 0.25)
    (example,) = traffic["examples"]
    assert (example["old"], example["new"]) == ("review", "pass")


@pytest.mark.parametrize(("share", "status"), [("25%", 0), ("0.25", 0), ("24.9%", 1)])
def test_compare_gate_on_flips(run: Any, new: Path, log: Path, share: str, status: int) -> None:
    result = run("compare", "policy.yaml", "new.yaml", "--log", log, "--max-flips", share)
    assert result.exit_code == status
    assert ("gate failed" in result.stdout) is bool(status)


def test_compare_gate_on_reviews(run: Any, new: Path, log: Path) -> None:
    assert run("compare", "policy.yaml", "new.yaml", "--log", log, "--max-reviews", "25%").exit_code == 0
    assert run("compare", "policy.yaml", "new.yaml", "--log", log, "--max-reviews", "20%").exit_code == 1


@pytest.mark.parametrize(("more", "status"), [("+0%", 1), ("+24.9%", 1), ("+25%", 0)])
def test_compare_gate_on_more_reviews(run: Any, new: Path, log: Path, more: str, status: int) -> None:
    result = run("compare", "new.yaml", "policy.yaml", "--log", log, "--max-reviews", more)  # from one review to two
    assert result.exit_code == status
    assert ("50.00% of the decisions go to review, after 25.00%" in result.stdout) is bool(status)
    assert run("compare", "policy.yaml", "new.yaml", "--log", log, "--max-reviews", "+0%").exit_code == 0


def test_compare_gate_on_a_log_of_another_policy_fails(run: Any, folder: Path, new: Path, log: Path) -> None:
    for name in ("policy.yaml", "new.yaml"):
        (folder / name).write_text((folder / name).read_text().replace("policy: onboarding", "policy: payout"))
    result = run("compare", "policy.yaml", "new.yaml", "--log", log, "--max-flips", "100%")
    assert result.exit_code == 1
    assert "left out, because it cannot be compared: `onboarding` decided, another policy (4)" in result.stdout
    assert "gate failed: no decision of the log can be compared" in result.stdout


def test_compare_broken_log_is_a_finding(run: Any, new: Path, log: Path) -> None:
    (segment,) = log.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"SG"', b'"SO"', 1))
    result = run("compare", "policy.yaml", "new.yaml", "--log", log)
    assert (result.exit_code, "Traceback" in result.stderr) == (1, False)
    assert result.stderr.startswith("error[")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--max-flips", "+1%", "--log", "log"),
        ("--max-reviews", "+1%"),
        ("--max-flips", "1%"),
        ("--max-flips", "lots", "--log", "log"),
        ("--max-flips", "120%", "--log", "log"),
    ],
)
def test_compare_gate_that_cannot_be_is_refused(run: Any, new: Path, log: Path, arguments: tuple[str, ...]) -> None:
    assert run("compare", "policy.yaml", "new.yaml", *arguments).exit_code == 2


def test_compare_markdown_fits_a_pull_request(run: Any, new: Path, log: Path) -> None:
    result = run("compare", "policy.yaml", "new.yaml", "--log", log, "--format", "markdown")
    assert result.exit_code == 0
    assert "| from | to | cause | when | such as |" in result.stdout
    assert "<details><summary>examples</summary>" in result.stdout
    assert "| old \\ new | pass | review | reject |" in result.stdout
    assert "a" * 31 not in result.stdout  # no MerchantBizId: a pull request is read by many
    assert "a" * 31 in run("compare", "policy.yaml", "new.yaml", "--log", log).stdout
