"""Of two values for one option the first is never dropped in silence, whatever the command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import pytest

from adjudge.cli.group import COMMANDS, adjudge

pytestmark = pytest.mark.usefixtures("folder")


def commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context) if path else COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        yield (*path, name), command


OPTIONS = [
    (path, option)
    for path, command in commands(adjudge)
    for option in command.params
    if isinstance(option, click.Option)
]


def said(option: click.Option) -> list[str]:
    return [option.opts[0]] if option.is_flag else [option.opts[0], *(["1"] * option.nargs)]


@pytest.mark.parametrize(
    ("path", "option"), [pytest.param(*one, id=f"{' '.join(one[0])} {one[1].opts[0]}") for one in OPTIONS]
)
def test_an_option_of_one_value_is_refused_twice(run: Any, path: tuple[str, ...], option: click.Option) -> None:
    result = run(*path, *said(option), *said(option))
    is_refused = f"Error: {option.opts[-1]} is given 2 times: give it once" in result.stderr
    assert is_refused is not (option.multiple or option.is_flag)
    if is_refused:
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"Usage: adjudge {' '.join(path)}" in result.stderr


def test_there_are_such_options_of_every_kind() -> None:
    assert {path[0] for path, _ in OPTIONS} > {"decide", "tune", "audit", "table", "replay"}
    assert {option.opts[-1] for _, option in OPTIONS} > {"--where", "--by", "--policy", "--output", "--map"}


@pytest.mark.parametrize(
    "arguments",
    [("sandbox", "--port", "1", "--port", "2"), ("sandbox", "--port=1", "--port=2")],
)
def test_commands_of_plugins_are_no_other(run: Any, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--port is given 2 times: give it once" in result.stderr


@pytest.mark.parametrize("option", ["--map", "--assume"])
def test_a_field_has_one_column_and_one_value(run: Any, option: str) -> None:
    result = run("backtest", "policy.yaml", "policy.yaml", option, "country=A", option, "country=B")
    assert result.exit_code == 2
    assert f"{option} says two things of `country`, A and B: give one of them" in result.stderr
    again = run("backtest", "policy.yaml", "policy.yaml", option, "country=A", option, "country=A")
    assert "says two things" not in again.stderr


def test_what_else_is_wrong_is_told_as_ever(run: Any) -> None:
    assert "No such option '--nothing'" in run("check", "--nothing", "policy.yaml").stderr
    assert "Missing argument" in run("check").stderr
    assert run("decide", "--help", "--policy", "a", "--policy", "b").exit_code == 2
