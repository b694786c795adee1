"""The demo, from a JPEG over a socket to a log that replays."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DEMO = Path(__file__).parents[2] / "engine/adjudge/cli/demo"


def test_demo_shows_pass_review_reject_duplicate_conflict_and_outage(
    tmp_path: Path, golden: Callable[[str, str], None], steady: Callable[[str], str]
) -> None:
    (tmp_path / "adjudge.py").write_text("raise SystemExit('the wrong adjudge was imported')")
    environment = {**os.environ, "ALIBABA_CLOUD_ACCESS_KEY_ID": "real", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "real"}
    result = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-m", "adjudge", "demo", "--keep", "kept"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    golden("cli/demo.txt", steady(result.stdout))
    assert (tmp_path / "kept/audit/audit-000001.jsonl").is_file()


def test_demo_json_holds_the_same(run: Any) -> None:
    result = run("demo", "--format", "json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert [one.get("outcome") for one in document["requests"]] == ["pass", "review", "reject", "pass", None, "review"]
    assert document["requests"][3]["status"] == "duplicate"
    assert document["requests"][4]["error"]["code"] == "merchant-biz-id-conflict"
    assert document["requests"][5]["signals"]["deepfake"]["status"] == "unavailable"
    assert document["log"]["verifies"] is True
    assert [one["answer"] for one in document["replay"]] == ["identical"] * 4


def test_demo_leaves_the_environment_as_it_was(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADJUDGE_ALIYUN_ENDPOINT", "https://vendor.example")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "real")
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", raising=False)
    before = dict(os.environ)
    assert run("demo").exit_code == 0
    assert dict(os.environ) == before


def test_demo_keep_in_a_folder_that_is_not_empty_is_refused(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("demo", "--keep", tmp_path)
    assert result.exit_code == 2
    assert "is not empty" in result.stderr


def test_demo_without_the_sandbox_says_what_is_missing(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjudge.cli.demo.vendor.COMMAND", "absent")
    result = run("demo")
    assert result.exit_code == 2
    assert "no plugin that was loaded offers the command" in result.stderr


def test_demo_whose_sandbox_does_not_start_says_so(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjudge.cli.demo.vendor.READY", "something else")
    result = run("demo")
    assert result.exit_code == 2
    assert "its sandbox did not start" in result.stderr


def test_demo_sandbox_knows_the_forged_face_by_its_digest() -> None:
    digest = hashlib.sha256((DEMO / "face-forged.jpg").read_bytes()).hexdigest()
    assert digest in (DEMO / "sandbox.yaml").read_text()
