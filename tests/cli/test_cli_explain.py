from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("z3", reason="needs the extra `analyze`")


def decisions(run: Any, log: Path) -> list[dict[str, Any]]:
    lines = run("audit", "show", log, "--format", "json").stdout.splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == "decision"]


def test_explain_says_why_and_what_would_have_changed_it(run: Any, log: Path) -> None:
    _, review, *_ = decisions(run, log)
    result = run("explain", log, review["decision_id"])
    assert result.exit_code == 0, result.stderr
    assert "because of DEVICE_SCORE" in result.stdout
    assert "pass with device.score: 75.0 → 69.9" in result.stdout


def test_explain_json_holds_both(run: Any, log: Path) -> None:
    _, review, *_ = decisions(run, log)
    document = json.loads(run("explain", log, review["decision_id"], "--format", "json").stdout)
    assert document["reasons"] == [{"code": "DEVICE_SCORE", "text": None}]
    assert document["changes"]["ways"][0]["outcome"] == "pass"


def test_explain_tells_an_applicant_no_rules(run: Any, log: Path) -> None:
    _, review, *_ = decisions(run, log)
    said = run("explain", log, review["decision_id"], "--applicant").stdout
    assert "threshold:" not in said
    assert "no change of up to" in said


def test_explain_of_a_pass_has_nothing_to_change(run: Any, log: Path) -> None:
    passed, *_ = decisions(run, log)
    assert "what would have changed it" not in run("explain", log, passed["decision_id"]).stdout


def test_explain_of_another_id_says_so(run: Any, log: Path) -> None:
    result = run("explain", log, "nobody")
    assert result.exit_code == 2
    assert "holds no decision nobody" in result.stderr
