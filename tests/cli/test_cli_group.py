"""The command itself: help, version, statuses, errors, plugins' commands."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from importlib.metadata import EntryPoint, version
from pathlib import Path
from typing import Any

import click
import pytest

from adjudge.cli.group import COMMANDS, adjudge
from adjudge.errors import AuditBroken, AuditUnavailable, MerchantBizIdConflict, PluginError, RequestError

pytestmark = pytest.mark.usefixtures("folder")


def spawn(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "adjudge", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,  # as in a terminal
        **options,
    )


def test_help_lists_built_in_and_plugins_commands(run: Any) -> None:
    result = run("--help")
    assert result.exit_code == 0
    listed = [line.split()[0] for line in result.stdout.partition("Commands:\n")[2].splitlines() if line[2:3] != " "]
    assert listed == [*COMMANDS, "postgres", "sandbox", "webhook"]


def test_help_imports_no_command_module() -> None:
    code = """
import sys
from click.testing import CliRunner
from adjudge.cli.group import COMMANDS, adjudge
assert CliRunner().invoke(adjudge, ["--help"]).exit_code == 0
assert not [name for name in COMMANDS if f"adjudge.cli.{name}" in sys.modules]
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_help_begins_as_the_list_says(name: str) -> None:
    context = click.Context(adjudge)
    command = adjudge.get_command(context, name)
    assert command is not None and command.name == name
    assert (command.help or "").partition("\n")[0] == COMMANDS[name]


@pytest.mark.parametrize("name", [*COMMANDS, "postgres", "sandbox", "webhook"])
def test_command_explains_itself(run: Any, name: str) -> None:
    assert run(name, "--help").exit_code == 0


def test_version_is_the_packages(run: Any) -> None:
    assert run("--version").stdout == f"adjudge {version('adjudge')}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("chekc",), "No such command 'chekc'"),
        (("check", "--fromat", "json", "policy.yaml"), "No such option '--fromat'"),
        (("check",), "Missing argument 'PATHS...'"),
        (("check", "nowhere.yaml"), "'nowhere.yaml' does not exist"),
        (("test", "nowhere.yaml"), "'nowhere.yaml' does not exist"),
        (("decide", "nowhere.json", "--policy", "policy.yaml"), "'nowhere.json' does not exist"),
        (("decide", ".", "--policy", "policy.yaml"), "'.' is a directory"),
        (("decide", "request.json", "--policy", "."), "'.' is a directory"),
        (("decide", "request.json"), "give one of --policy and --config"),
        (("replay", "nowhere"), "'nowhere' does not exist"),
        (("audit", "verify", "nowhere"), "'nowhere' does not exist"),
        (("check", "--format", "xml", "policy.yaml"), "'xml' is not one of 'text', 'json'"),
    ],
)
def test_usage_error_is_one_message_and_status_2(run: Any, arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RequestError("is missing", where="scene_code", hint="write it"), 2),
        (AuditUnavailable("no room"), 2),
        (PluginError("does not load", plugin="p"), 2),
        (AuditBroken("line 3"), 1),
        (MerchantBizIdConflict("came before"), 1),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (OSError(errno.EPIPE, "gone"), 1),
    ],
)
def test_error_of_a_command_becomes_a_status_without_traceback(
    run: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("adjudge.cli.check._documents", fail)
    result = run("check", "policy.yaml")
    assert result.exit_code == status
    assert "Traceback" not in result.stderr
    if isinstance(error, RequestError):
        assert result.stderr == "error[request]: scene_code: is missing\n   hint: write it\n"


def test_unexpected_exception_keeps_its_traceback_and_asks_for_a_report(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("adjudge.cli.check._documents", fail)
    result = run("check", "policy.yaml")
    assert result.exit_code == 3
    assert "Traceback" in result.stderr and "ZeroDivisionError: oops" in result.stderr
    assert result.stderr.endswith("this is a bug in adjudge; please report it with the lines above\n")


def test_plugins_named_in_the_environment_are_the_only_ones(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADJUDGE_PLUGINS", "lists, http_json")
    result = run("sandbox")
    assert result.exit_code == 2
    assert "No such command 'sandbox'" in result.stderr


def test_plugin_that_fails_is_a_warning_and_strictly_an_error(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint(name="broken", value="adjudge_no_such_module", group="adjudge")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [broken])
    lenient = run("check", "policy.yaml")
    assert lenient.exit_code == 0
    assert "plugin_skipped" in lenient.stderr and "broken" in lenient.stderr
    strict = run("--strict-plugins", "check", "policy.yaml")
    assert strict.exit_code == 2
    assert strict.stderr.startswith("error[plugin]: plugin `broken`: cannot be imported: ")
    monkeypatch.setenv("ADJUDGE_STRICT_PLUGINS", "1")
    assert run("check", "policy.yaml").exit_code == 2


def test_trace_plugins_tells_how_each_fared(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADJUDGE_TRACE_PLUGINS", "1")
    monkeypatch.setenv("ADJUDGE_PLUGINS", "lists,absent")
    told = run("check", "policy.yaml").stderr
    assert f"plugin lists (adjudge {version('adjudge')}) offers provider lists" in told
    assert "plugin absent (unknown package) failed: is not installed" in told


def test_process_with_a_broken_pipe_ends_quietly(folder: Path) -> None:
    process = spawn("plugins")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    process.wait(timeout=300)


def test_process_interrupted_ends_with_130_and_no_traceback(folder: Path) -> None:
    with spawn("decide", "-", "--policy", "policy.yaml", "--format", "json", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.write((folder / "request.json").read_bytes() + b"\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(b'{"line": 1, ')  # it answers before its input ends
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=300) == 130
        assert b"Traceback" not in process.stderr.read()


def test_process_writes_utf8_whatever_the_locale(folder: Path) -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    with spawn("eval", r'"\u00e9 \u2192"', env=environment) as process:
        out, _ = process.communicate(timeout=300)
    assert out.decode("utf-8") == '"é →"\n'
