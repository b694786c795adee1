"""A threshold on the side that the field's `riskier` calls the safe one: most likely the two were mixed up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

from adjudge.authoring.lint.comparisons import comparison_of
from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.expr.nodes import Binary, Literal, Logic, Name, Node, Unary, names_in
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.typed import Rule
from adjudge.policy.written_rows import rows_written
from adjudge.source import Span
from adjudge.texts import in_digits
from adjudge.values.types import BOOL, EnumType

CODE = "against-riskier"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Look at rules that are one comparison of one field, and at values of an enum whose outcomes go the other way."""
    told: set[str] = set()
    by_enum: dict[str, list[tuple[int, Rule | _Row]]] = {}
    rules: list[Rule | _Row] = [*subject.typed.rules, *_rows(subject)]
    for rule in rules:
        side = _side(_without_clock(rule.condition))
        declared = subject.typed.slots.get(side[0]) if side is not None else None
        if side is None or declared is None or declared.riskier is None:
            continue
        slot, rises = side
        if isinstance(declared.type, EnumType):
            if isinstance(rises, str) and rises in declared.type.values and rule.origin != "row":
                at = declared.type.values.index(rises)
                by_enum.setdefault(slot, []).append((at if declared.riskier == "higher" else -at, rule))
        elif isinstance(rises, bool) and rises != (declared.riskier == "higher"):
            said = f"riskier: {_word(subject, slot)}"
            what = rule.id if rule.origin == "row" else f"`{rule.id}`"
            message = f"{what} catches the side of `{slot}` that is declared the safer one, {said}"
            hint = "reverse the comparison, or the field's `riskier`"
            if rule.origin == "threshold":
                if slot in told:
                    continue
                told.add(slot)  # both bounds of an entry are one mistake
                hint = _other_side(slot, subject.typed.rules, below=declared.riskier == "lower") or hint
            yield subject.finding(CODE, "warning", message, rule.span, hint)
    for slot, found in by_enum.items():
        for (low, softer), (high, other) in combinations(sorted(found, key=lambda one: one[0]), 2):
            if low < high and softer.outcome > other.outcome:
                message = f"`{other.id}` is softer than `{softer.id}`, but `{slot}` declares its value the riskier one"
                hint = "swap the two outcomes, or reverse the field's `riskier`"
                yield subject.finding(CODE, "warning", message, other.span, hint)


@frozen
class _Row:
    """A row of a scorecard that adds points, looked at as a rule is."""

    id: str
    condition: Node
    span: Span
    outcome: Outcome = Outcome.REVIEW
    origin: str = "row"


def _rows(subject: LintedPolicy) -> Iterator[_Row]:
    for written in rows_written(subject.typed):
        for row in [step for step in written.steps if step.points > 0][:1]:
            yield _Row(id=row.place, condition=row.condition, span=row.span)


def _without_clock(condition: Node) -> Node:
    """Return a condition without the days between which its rule is in force."""
    if not isinstance(condition, Logic) or condition.operator != "&&":
        return condition
    kept = [part for part in condition.operands if names_in(part).keys() != {"now"}]
    return kept[0] if len(kept) == 1 else condition


def _other_side(slot: str, rules: Iterable[Rule], *, below: bool) -> str | None:
    """Return a field's thresholds on its riskier side, with the bounds that it has. below: low values are risky."""
    bounds = {}
    for rule in rules:
        one = comparison_of(rule.condition) if rule.origin == "threshold" else None
        if one is not None and one.slot == slot and isinstance(one.bound, int | float):
            bounds[str(rule.outcome)] = one.bound
    if not bounds:
        return None
    values = sorted(bounds.values(), reverse=below)
    named = zip(sorted(bounds, reverse=True), values, strict=True)
    bands = ", ".join(f"{band}: {in_digits(value)}" for band, value in named)
    entry = f"{slot}: {{below: {{{bands}}}}}" if below else f"{slot}: {{{bands}}}"
    return f"write `{entry}`, or reverse the field's `riskier`"


def _side(condition: Node) -> tuple[str, bool | str] | None:
    """Return the slot that a condition compares, and which side of it: above or true, below or false, or a value."""
    match condition:
        case Name(name=name):
            return name, True
        case Unary(operator="!", operand=Name(name=name)):
            return name, False
        case Binary(operator="==", left=Name(name=name), right=Literal(value=str() as value)):
            return name, value
    one = comparison_of(condition)
    return (one.slot, one.rises) if one is not None else None


def _word(subject: LintedPolicy, slot: str) -> str:
    declared = subject.typed.slots[slot]
    return str(declared.riskier == "higher").lower() if declared.type == BOOL else str(declared.riskier)
