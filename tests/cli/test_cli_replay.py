from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cli_documents import POLICY

from adjudge.audit.record import FIRST_PREV, encode, parse


def forge(log: Path, old: bytes, new: bytes) -> None:
    """Change a log and compute its hashes anew, which only a replay can find."""
    file = log / "audit-000001.jsonl"
    lines, prev = [], FIRST_PREV
    for line in file.read_bytes().splitlines(keepends=True):
        record = parse(line)
        body = record.body.replace(old, new)
        forged, prev = encode(record.kind, record.seq, prev, b"," + body[1:-1])
        lines.append(forged)
    file.write_bytes(b"".join(lines))


def test_replay_of_a_log_is_identical(run: Any, log: Path) -> None:
    result = run("replay", log)
    assert (result.exit_code, result.stdout) == (0, "4 of 4 decisions identical\n")


def test_replay_verbose_names_every_decision(run: Any, log: Path) -> None:
    assert run("replay", log, "--verbose").stdout.count(": identical\n") == 4


def test_replay_json_is_one_object_a_line(run: Any, log: Path) -> None:
    lines = [json.loads(line) for line in run("replay", log, "--verbose", "--format", "json").stdout.splitlines()]
    assert [line.get("answer") for line in lines] == ["identical"] * 4 + [None]
    assert lines[-1] == {"decisions": 4, "identical": 4, "different": 0, "erased": 0, "not replayable": 0}


def test_replay_of_a_forged_log_shows_what_differs(
    run: Any, log: Path, golden: Callable[[str, str], None], steady: Callable[[str], str]
) -> None:
    forge(log, b'"outcome":"reject","lower":"reject"', b'"outcome":"pass","lower":"reject"')
    result = run("replay", log)
    assert result.exit_code == 1
    golden("cli/replay_forged.txt", steady(result.stdout))
    first, _ = run("replay", log, "--format", "json").stdout.splitlines()
    assert json.loads(first)["differences"] == [{"what": "outcome", "recorded": "pass", "recomputed": "reject"}]


def test_replay_with_another_policy_shows_the_matrix(
    run: Any, folder: Path, log: Path, golden: Callable[[str, str], None], steady: Callable[[str], str]
) -> None:
    (folder / "new.yaml").write_text(
        POLICY.replace("{review: 70, reject: 90}", "{review: 10, reject: 20}").replace("KP", "NL")
    )
    result = run("replay", log, "--policy", "new.yaml")
    assert result.exit_code == 1
    golden("cli/replay_what_if.txt", steady(result.stdout))
    lines = [
        json.loads(line) for line in run("replay", log, "--policy", "new.yaml", "--format", "json").stdout.splitlines()
    ]
    assert [(line["old"], line["new"]) for line in lines[:-1]] == [
        ("pass", "review"),
        ("review", "reject"),
        ("reject", "review"),
    ]
    assert lines[0]["rules"] == ["+threshold:device.score:review"]
    assert lines[-1]["decisions"] == 4 and lines[-1]["changed"] == 3
    assert lines[-1]["matrix"]["reject"] == {"pass": 0, "review": 1, "reject": 0}


def test_replay_with_the_same_policy_changes_nothing(run: Any, log: Path) -> None:
    result = run("replay", log, "--policy", "policy.yaml")
    assert result.exit_code == 0
    assert result.stdout.startswith("0 of 4 decisions would change\n")


def test_replay_of_a_broken_log_is_a_finding(run: Any, log: Path) -> None:
    file = log / "audit-000001.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"KP"', b'"SG"'))
    result = run("replay", log)
    assert result.exit_code == 1
    assert result.stderr.startswith("error[audit-broken]: ") and "Traceback" not in result.stderr


def test_replay_with_a_bad_policy_is_status_2(run: Any, folder: Path, log: Path) -> None:
    (folder / "new.yaml").write_text("policy_language: 1\npolicy: p\nrulse: []\n")
    result = run("replay", log, "--policy", "new.yaml")
    assert result.exit_code == 2
    assert "new.yaml:3:1: error[schema-unknown-key]" in result.stderr
