"""`adjudge replay`: a log's decisions again, by their own policies or by another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.output import JSON, counted, format_option, print_json
from adjudge.cli.settings import Settings
from adjudge.model import OUTCOMES, Outcome
from adjudge.recorded import to_json
from adjudge.registry import load_policy
from adjudge.replay import Replayed, replay

EXAMPLES = 3
"""How many decisions are named for each pair of outcomes."""


@click.command("replay")
@click.argument("log", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Decide by this policy instead: what would have been.",
)
@click.option("--verbose", is_flag=True, help="Show every decision, not only those that differ.")
@format_option
@click.pass_obj
def command(settings: Settings, log: Path, policy: Path | None, verbose: bool, form: str) -> int:
    """Decide a log's decisions again.

    LOG is an audit log's folder, or one of its files. Exit status 0 only if all decisions come out the same: every
    part of the verdict, or with --policy the outcome.
    """
    registry = settings.registry()
    new = load_policy(policy, registry=registry) if policy is not None else None
    replayed = replay(log, policy=new, functions=registry.catalogue().functions)
    if new is None:
        return _again(replayed, form, verbose)
    return _what_if(replayed, form, verbose)


def _again(replayed: Iterator[Replayed], form: str, verbose: bool) -> int:
    answers: Counter[str] = Counter()
    for one in replayed:
        answers[one.answer] += 1
        if one.answer == "identical" and not verbose:
            continue
        if form == JSON:
            print_json(_decision(one), indent=None)
            continue
        click.echo(f"record {one.seq}, decision {one.decision.decision_id}: {one.answer}")
        if one.missing:
            click.echo(f"  {one.missing}")
        for name, recorded, recomputed in one.differences:
            click.echo(f"  {name}: recorded {_said(recorded)}, recomputed {_said(recomputed)}")
    total = answers.total()
    if form == JSON:
        counts = {answer: answers[answer] for answer in ("identical", "different", "not replayable")}
        print_json({"decisions": total, **counts}, indent=None)
    else:
        others = [f"{answers[answer]} {answer}" for answer in ("different", "not replayable") if answers[answer]]
        click.echo(", ".join([f"{answers['identical']} of {counted(total, 'decision')} identical", *others]))
    return FINE if answers["identical"] == total else FINDINGS


@dataclass(slots=True)
class _Moves:
    """How outcomes moved. by_rule: how often a rule began or ceased to stand in a verdict that moved."""

    cells: Counter[tuple[Outcome, Outcome]] = field(default_factory=Counter)
    by_rule: Counter[str] = field(default_factory=Counter)
    examples: dict[tuple[Outcome, Outcome], list[Replayed]] = field(default_factory=dict)
    not_replayable: list[Replayed] = field(default_factory=list)

    def add(self, one: Replayed) -> bool:
        """Count a decision, and return whether it moved or cannot be told."""
        if one.recomputed is None:
            self.not_replayable.append(one)
            return True
        cell = (one.decision.verdict.outcome, one.recomputed.outcome)
        self.cells[cell] += 1
        kept = self.examples.setdefault(cell, [])
        if len(kept) < EXAMPLES:
            kept.append(one)
        moved = cell[0] != cell[1]
        if moved:
            self.by_rule.update(_rules_moved(one))
        return moved


def _rules_moved(one: Replayed) -> list[str]:
    """Return what came into the verdict (`+rule`) and what left it (`-rule`), in doubt (`?`) or not."""
    assert one.recomputed is not None
    before, after = (
        [*verdict.matched, *(f"{rule}?" for rule in verdict.unresolved)]
        for verdict in (one.decision.verdict, one.recomputed)
    )
    return [f"+{rule}" for rule in after if rule not in before] + [f"-{rule}" for rule in before if rule not in after]


def _what_if(replayed: Iterator[Replayed], form: str, verbose: bool) -> int:
    moves = _Moves()
    for one in replayed:
        moved = moves.add(one)
        if form == JSON and (moved or verbose):
            rules = _rules_moved(one) if one.recomputed is not None else []
            outcome = one.recomputed.outcome.value if one.recomputed is not None else None
            old = one.decision.verdict.outcome.value
            data = {"seq": one.seq, "decision_id": one.decision.decision_id, "old": old, "new": outcome}
            print_json({**data, "rules": rules, "missing": one.missing}, indent=None)
    total = moves.cells.total() + len(moves.not_replayable)
    changed = sum(count for (old, new), count in moves.cells.items() if old != new)
    if form == JSON:
        matrix = {old.value: {new.value: moves.cells[old, new] for new in OUTCOMES} for old in OUTCOMES}
        facts = {"decisions": total, "changed": changed, "not replayable": len(moves.not_replayable)}
        print_json({**facts, "matrix": matrix, "rules": dict(moves.by_rule.most_common())}, indent=None)
    else:
        click.echo("\n".join(_matrix(moves, total, changed, verbose)))
    return FINDINGS if changed or moves.not_replayable else FINE


def _matrix(moves: _Moves, total: int, changed: int, verbose: bool) -> Iterator[str]:
    yield f"{changed} of {counted(total, 'decision')} would change"
    yield ""
    yield f"  {'old':<8}" + "".join(f"{f'→ {new}':>10}" for new in OUTCOMES)
    for old in OUTCOMES:
        yield f"  {old:<8}" + "".join(f"{moves.cells[old, new] or '·':>10}" for new in OUTCOMES)
    if moves.by_rule:
        yield "\nrules that moved them (+ came, - went, ? in doubt):"
        for rule, count in moves.by_rule.most_common():
            yield f"  {count:>5}  {rule}"
    for (old, new), examples in sorted(moves.examples.items()):
        if old != new or verbose:
            yield f"\n{old} → {new}, {counted(moves.cells[old, new], 'decision')}, such as:"
            for one in examples:
                why = f"  {' '.join(_rules_moved(one))}" if old != new else ""
                yield f"  record {one.seq}, decision {one.decision.decision_id}{why}"
    if moves.not_replayable:
        yield f"\nnot replayable, {counted(len(moves.not_replayable), 'decision')}:"
        for one in moves.not_replayable[: None if verbose else EXAMPLES]:
            yield f"  record {one.seq}, decision {one.decision.decision_id}: {one.missing}"


def _decision(one: Replayed) -> dict[str, object]:
    return {
        "seq": one.seq,
        "decision_id": one.decision.decision_id,
        "answer": one.answer,
        "missing": one.missing,
        "differences": [
            {"what": name, "recorded": to_json(old), "recomputed": to_json(new)} for name, old, new in one.differences
        ],
    }


def _said(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(_said(item) for item in value) or "none"
    return "none" if value is None else str(value)
