"""Printing: the option `--format`, JSON, and texts that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from difflib import unified_diff
from typing import Any

import click

from adjudge.cli.streams import standard_output
from adjudge.model import Decision, Signal, SignalStatus, Verdict
from adjudge.texts import in_json, lines_of, one_line, split_lines

TEXT, JSON = "text", "json"

format_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--format", "form", type=click.Choice([TEXT, JSON]), default=TEXT, show_default=True, help="json is for programs."
)


def say(*lines: str, err: bool = False) -> None:
    """Print lines, each of which stays one whatever texts of others stand in it."""
    say_text(lines_of(lines), err=err)


def say_text(text: str, *, err: bool = False) -> None:
    """Print a text whose lines are adjudge's own, and a line end."""
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{text}\n")
    stream.flush()


def print_json(document: object, *, indent: int | None = 2) -> None:
    """Print one JSON document; with `indent=None` on one line, for streams."""
    say_text(in_json(document, indent=indent))


def print_exact(document: str) -> None:
    """Print a document of a user: byte for byte to a file or a program, with what is hidden shown to a person."""
    stream = standard_output()
    stream.write(document) if stream.isatty() else stream.write_exact(document)
    stream.flush()


def diff_text(before: str, after: str, old_name: str, new_name: str) -> str:
    """Return what changes as a patch that `patch` and `git apply` take; empty where nothing does."""
    old, new = (f"{name}\t" if " " in name else name for name in map(one_line, (old_name, new_name)))
    lines = unified_diff(split_lines(before, keep_ends=True), split_lines(after, keep_ends=True), old, new)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


SHOWN_MAX = 6
"""How many rules in doubt a person wants to see."""


def counted(number: int, thing: str) -> str:
    """Return `1 rule`, `2 rules`."""
    return f"{number} {thing}" + ("" if number == 1 else "s")


def decision_text(decision: Decision) -> str:
    """Return a decision as a person reads it."""
    lines = [f"{decision.outcome.value.upper()}  {decision.merchant_biz_id}", *verdict_lines(decision.verdict)]
    lines += [_row("signal", _signal_text(signal)) for signal in decision.signals.values()]
    lines += [_row("final", "not yet: a person must confirm it")] if not decision.final else []
    lines += (
        [_row("reviewed", f"{decision.reviewed.reason}: otherwise {decision.verdict.outcome}")]
        if decision.reviewed
        else [_row("sampled", f"{decision.sampled.reason}: otherwise {decision.verdict.outcome}")]
        if decision.sampled
        else []
    )
    if decision.cost:
        lines.append(_row("cost", ", ".join(f"{amount} {currency}" for currency, amount in decision.cost.items())))
    if decision.capture_again:
        lines.append(_row("applicant", decision.capture_again))
    lines += [_row("note", note) for note in decision.notes]
    lines.append(_row("policy", f"{decision.policy} {decision.policy_digest[:12]}"))
    said = decision.status + (f" {decision.supersedes}" if decision.supersedes else "")
    lines.append(_row("decision", f"{decision.decision_id} ({said}, {decision.duration_ms:.0f} ms)"))
    return lines_of(lines)


def verdict_lines(verdict: Verdict) -> list[str]:
    """Return the reasons of a verdict, what matched and what is in doubt, as indented lines."""
    lines = [_row("because of", ", ".join(verdict.facts))] if verdict.facts else []
    lines += [_row("in doubt about", _in_doubt(verdict))] if verdict.doubts else []
    lines += [_row("matched", rule) for rule in verdict.matched]
    lines += [_row("unresolved", rule) for rule in verdict.unresolved[:SHOWN_MAX]]
    if len(verdict.unresolved) > SHOWN_MAX:
        lines.append(_row("", f"and {counted(len(verdict.unresolved) - SHOWN_MAX, 'more rule')}"))
    lines += [_row("excused", rule) for rule in verdict.excused]
    if verdict.missing:
        lines.append(_row("missing", ", ".join(verdict.missing)))
    if not verdict.settled:
        lines.append(_row("possible", f"{verdict.lower} to {verdict.upper}"))
    for name, (low, high) in verdict.totals.items():
        total = str(low) if low == high else f"{low} to {high}"
        lines.append(_row("score", total if name == "scorecard" else f"{name} {total}"))
    lines += [_row("next", ", ".join(verdict.ask))] if verdict.ask else []
    return lines


def _in_doubt(verdict: Verdict) -> str:
    """Return the codes that cannot be ruled out; where they are many, how many, and for want of what."""
    if len(verdict.doubts) > SHOWN_MAX:
        return f"{counted(len(verdict.doubts), 'reason')}, for want of {', '.join(verdict.missing)}"
    return ", ".join(verdict.doubts)


def _row(label: str, text: str) -> str:
    return f"  {label:<10} {text}"


def _signal_text(signal: Signal) -> str:
    said = f"{signal.name} {signal.status.value.replace('_', ' ')}"
    if signal.reason:
        said += f": {signal.reason}"
    elif signal.provider and signal.status is SignalStatus.OK:
        said += f" from {signal.provider} in {signal.duration_ms:.0f} ms"
    return said
