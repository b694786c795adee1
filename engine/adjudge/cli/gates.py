"""The option `--fail-if`, the same for every command over past decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from adjudge.replay.gates import Gate

gate_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--fail-if", "fail_if", multiple=True, metavar="GATE",
    help="Exit with status 1 if this holds: 'review_share > 4%'; may be given several times. The measures are in the"
    " documentation of backtests, under Gates.",
)  # fmt: skip


def gates_of(texts: Sequence[str], known: Sequence[str]) -> tuple[Gate, ...]:
    """Read gates. known: the measures of the command. Raises DataError."""
    return tuple(Gate.read(text, known) for text in texts)


def gate_lines(failed: Sequence[str]) -> list[str]:
    """Return what a person is told of gates that fail."""
    return [line for one in failed for line in ("", f"gate failed: {one}")]
