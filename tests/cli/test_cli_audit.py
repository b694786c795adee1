from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_documents import BIZ_ID, request_document

from adjudge.audit.trail import AuditTrail
from adjudge.audit.verify import verify
from adjudge.documents import decode_request
from adjudge.engine import Engine
from adjudge.registry import Registry, load_policy


def test_audit_verify_good_log_is_status_0(run: Any, log: Path) -> None:
    result = run("audit", "verify", log)
    assert result.exit_code == 0
    assert result.stdout.startswith("6 records verify, last seq 6, last hash ")
    assert json.loads(run("audit", "verify", log, "--format", "json").stdout)["problem"] is None


def test_audit_verify_edited_record_is_named_and_status_1(run: Any, log: Path) -> None:
    file = log / "audit-000001.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"KP"', b'"SG"'))
    result = run("audit", "verify", log)
    assert result.exit_code == 1
    assert result.stdout.startswith("log/audit-000001.jsonl:4: error[edited]: record 4: ")


def test_audit_verify_against_a_witness(run: Any, log: Path) -> None:
    assert run("audit", "verify", log, "--expect-count", "6").exit_code == 0
    result = run("audit", "verify", log, "--expect-count", "5")
    assert result.exit_code == 1 and "unexpected-end" in result.stdout
    last = verify(log).last_hash
    assert run("audit", "verify", log, "--expect-last", last.upper()).exit_code == 0, "in capitals too"
    for cut_short in ("", last[:-1], last[:12], "x" * 64):
        result = run("audit", "verify", log, "--expect-last", cut_short)
        assert result.exit_code == 2 and "is not 64 hex digits" in result.stderr, "a slip, not a log that was changed"


def test_audit_verify_that_found_no_record_is_status_1(run: Any, folder: Path) -> None:
    for place in (".", "empty.jsonl"):
        (folder / "empty.jsonl").touch()
        result = run("audit", "verify", place)
        assert result.exit_code == 1
        assert result.stdout.endswith("error[empty]: contains no record of an audit log\n")
    os.mkfifo(folder / "audit-000001.jsonl")
    result = run("audit", "verify", ".")
    assert result.exit_code == 2 and "audit-000001.jsonl is not a regular file" in result.stderr


def test_audit_show_lists_records(
    run: Any, log: Path, golden: Callable[[str, str], None], steady: Callable[[str], str]
) -> None:
    result = run("audit", "show", log)
    assert result.exit_code == 0
    golden("cli/audit_show.txt", steady(result.stdout))


def test_audit_show_last_and_tail_are_the_newest(run: Any, log: Path) -> None:
    everything = run("audit", "show", log).stdout.splitlines(keepends=True)
    assert run("audit", "show", log, "--last", "2").stdout == "".join(everything[-2:])
    assert run("audit", "tail", log, "--last", "3").stdout == "".join(everything[-3:])


def test_audit_show_json_is_the_record_as_it_stands(run: Any, log: Path) -> None:
    assert run("audit", "show", log, "--format", "json").stdout == (log / "audit-000001.jsonl").read_text()


def test_audit_show_one_decision_hides_what_is_personal(
    run: Any, log: Path, golden: Callable[[str, str], None], steady: Callable[[str], str]
) -> None:
    decision_id = json.loads(run("audit", "show", log, "--format", "json").stdout.splitlines()[3])["decision_id"]
    result = run("audit", "show", log, decision_id)
    assert result.exit_code == 0
    golden("cli/audit_show_decision.txt", steady(result.stdout))
    assert "canary" not in result.stdout
    assert json.loads(run("audit", "show", log, decision_id, "--format", "json").stdout)["decision_id"] == decision_id


def test_audit_show_unknown_decision_is_status_2(run: Any, log: Path) -> None:
    result = run("audit", "show", log, "0" * 32)
    assert result.exit_code == 2
    assert "there is no decision or MerchantBizId 00000000000000000000000000000000 in log" in result.stderr


def test_audit_show_broken_log_shows_what_is_good_and_then_the_error(run: Any, log: Path) -> None:
    file = log / "audit-000001.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"KP"', b'"SG"'))
    result = run("audit", "show", log)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr.startswith("error[audit-broken]: log/audit-000001.jsonl:4: ")


def test_audit_tail_leaves_an_unfinished_line_to_its_writer(run: Any, log: Path) -> None:
    with (log / "audit-000001.jsonl").open("ab") as file:
        file.write(b'{"schema":1,"seq":7')
    result = run("audit", "tail", log)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 6


def test_audit_tail_follows_new_records(run: Any, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        """Let somebody write while the command waits for the first time; end it at the third."""
        waited.append(seconds)
        if len(waited) == 3:
            raise KeyboardInterrupt
        if len(waited) == 1:
            registry = Registry()
            policy = load_policy("policy.yaml", registry=registry)
            with Engine([policy], registry=registry, trail=AuditTrail.open(log)) as engine:
                for number in (5, 6):
                    engine.decide_sync(decode_request(request_document(number)))

    monkeypatch.setattr("adjudge.cli.audit.show.time.sleep", sleep)
    result = run("audit", "tail", log, "--last", "2", "--follow")
    assert result.exit_code == 130
    shown = [(line.split()[0], line.split()[5]) for line in result.stdout.splitlines() if "decision" in line]
    assert shown == [("5", f"{BIZ_ID}4"), ("8", f"{BIZ_ID}5"), ("9", f"{BIZ_ID}6")]
