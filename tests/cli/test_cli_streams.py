"""Standard streams that are closed, full, or whose reader has gone: said, never a success, never a fault of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_documents import BIZ_ID

from adjudge.audit.read import read
from adjudge.cli.group import COMMANDS
from adjudge.cli.streams import UNDELIVERED

FULL = Path("/dev/full")
RESULTS = {
    "--version": ["--version"],
    "--help": ["--help"],
    "decide": ["decide", "request.json", "--policy", "policy.yaml", "--audit", "new-log"],
    "eval": ["eval", "1 + 1"],
    "check": ["check", "policy.yaml"],
    "test": ["test", "policy.yaml"],
    "schema": ["schema"],
    "format": ["format", "--check", "policy.yaml"],
    "analyse": ["analyse", "policy.yaml"],
    "compare": ["compare", "policy.yaml", "policy.yaml"],
    "explain": ["explain", "log", "ID"],
    "backtest": ["backtest", "policy.yaml", "log"],
    "replay": ["replay", "log"],
    "bundle": ["bundle", "make", ".", "--name", "here"],
    "audit": ["audit", "show", "log"],
    "rollout": ["rollout", "report", "log"],
    "review": ["review", "report", "log"],
    "keys": ["keys", "new", "keys.yaml", "--name", "flow", "--scope", "decide"],
    "plugins": ["plugins"],
    "demo": ["demo"],
    "new": ["new", "fresh", "--yes"],
}
"""A run of each command that prints a result."""
ELSEWHERE = {"lsp", "proposal", "serve", "table", "top", "tune"}
"""The first speaks to an editor, the second to others than who started it; the rest need more than stands here, and
print by the same functions."""


@pytest.fixture
def work(folder: Path, log: Path) -> Path:
    return folder


def shell(script: str, *arguments: str) -> tuple[int, str, str]:
    """Run `adjudge` under a shell that says what becomes of its streams."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "adjudge", *arguments]
    done = subprocess.run(
        ["sh", "-c", script, "sh", *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )
    return done.returncode, done.stdout, done.stderr


def arguments(name: str) -> list[str]:
    ids = [record.decode()["decision_id"] for record in read(Path("log")) if record.kind == "decision"]
    return [ids[0] if argument == "ID" else argument for argument in RESULTS[name]]


def test_every_command_is_tried() -> None:
    assert RESULTS.keys() - {"--version", "--help"} | ELSEWHERE == set(COMMANDS)


@pytest.mark.parametrize(
    ("name", "stream"),
    [*((name, ">&-") for name in RESULTS), *((name, "> /dev/full") for name in ("--help", "decide", "schema"))],
)
def test_result_that_nobody_got_is_no_success(work: Path, name: str, stream: str) -> None:
    if "full" in stream and not FULL.exists():
        pytest.skip("this system has no /dev/full")
    status, out, said = shell(f'exec "$@" {stream}', *arguments(name))
    assert status == UNDELIVERED, said
    assert "error[undelivered]: cannot write the standard output: " in said
    assert "Traceback" not in said
    assert "bug in adjudge" not in said
    assert not out


@pytest.mark.parametrize("stream", ["2>&-", "2> /dev/full"])
def test_decision_needs_no_standard_error(work: Path, stream: str) -> None:
    script = f'exec "$@" {stream}'
    status, out, _ = shell(script, *arguments("decide"))
    assert (status, out[:4]) == (0, "PASS")
    assert shell(script, "check", "nowhere.yaml")[0] == 2
    assert shell(script, "--verbose", *arguments("decide"))[0] == 0


def test_reader_that_left_is_told_nothing(work: Path) -> None:
    status, _, said = shell('{ "$@"; echo $? >&3; } 3> status | true', *arguments("schema"))
    assert (status, said) == (0, "")
    assert Path("status").read_text() == f"{UNDELIVERED}\n"


def test_decision_that_nobody_got_stands_in_the_log(work: Path) -> None:
    status, _, said = shell('exec "$@" > /dev/full', *arguments("decide"))
    assert status == UNDELIVERED
    (record,) = [record for record in read(Path("new-log")) if record.kind == "decision"]
    assert f"decision {record.decode()['decision_id']} was made and is in the log" in said
    status, out, _ = shell('exec "$@"', *arguments("decide"))
    assert status == 0
    assert f"{record.decode()['decision_id']} (duplicate" in out


def test_decision_that_nobody_got_and_nothing_recorded_is_said(work: Path) -> None:
    status, _, said = shell('exec "$@" >&-', "decide", "request.json", "--policy", "policy.yaml")
    assert status == UNDELIVERED
    assert "was made and is not recorded" in said


@pytest.mark.parametrize(
    "command",
    [
        ["decide", "-", "--policy", "policy.yaml"],
        ["format", "-"],
        ["new"],
        ["audit", "erase", "log", "--merchant-biz-id", f"{BIZ_ID}3"],
        ["lsp"],
    ],
)
def test_closed_standard_input_is_not_an_empty_one(work: Path, command: list[str]) -> None:
    status, out, said = shell('exec "$@" <&-', *command)
    assert (status, "Traceback" in said) == (2, False)
    assert not out.strip().endswith("}")
    assert "the standard input is closed" in said


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", ">&- 2>&-", "<&- 2>&-"])
def test_log_is_never_written_over_by_what_is_printed(work: Path, closed: str) -> None:
    """Without a place-holder the log's file would get the number of the closed stream."""
    shell(f'exec "$@" {closed}', "--verbose", *arguments("decide"))
    done = subprocess.run(
        [sys.executable, "-m", "adjudge", "audit", "verify", "new-log", "--format", "json"],
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["count"] == sum(1 for _ in read(Path("new-log"))) > 0


def test_stream_of_requests_stops_where_answers_are_lost(work: Path) -> None:
    line = Path("request.json").read_text()
    Path("lines").write_text("\n".join([line] * 3))
    status, _, said = shell(
        'exec "$@" < lines > /dev/full', "decide", "-", "--policy", "policy.yaml", "--audit", "new-log"
    )
    assert status == UNDELIVERED
    assert said.count("error[undelivered]") == 1
    assert sum(record.kind == "decision" for record in read(Path("new-log"))) == 1


HELLO = b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}'


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
def test_language_server_ends_where_its_answers_are_lost(work: Path) -> None:
    Path("hello").write_bytes(b"Content-Length: %d\r\n\r\n%b" % (len(HELLO), HELLO))
    status, _, said = shell('exec "$@" < hello > /dev/full', "lsp")
    assert (status, said) == (
        UNDELIVERED,
        "error[undelivered]: cannot write the standard output: no space left on device\n",
    )


@pytest.mark.parametrize("length", [b"99999999999999", b"9" * 5000])
def test_language_server_reads_no_message_without_a_bound(work: Path, length: bytes) -> None:
    Path("hello").write_bytes(b"Content-Length: " + length + b"\r\n\r\n{}")
    status, out, said = shell('exec "$@" < hello', "lsp")
    assert (status, out, "Traceback" in said) == (2, "", False)
    assert "of the editor is longer than" in said
