"""What a policy's tests have tried: rules true, false and unknown, thresholds on both sides, bands, outcomes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Literal

from adjudge.authoring.policy_tests.cases import PolicyTestFile
from adjudge.authoring.policy_tests.row_items import UNKNOWN, things_to_try, tried_by
from adjudge.expr import nodes
from adjudge.expr.nodes import Binary, Name, Node, walk
from adjudge.expr.operators import FLIPPED
from adjudge.expr.printing import unparse
from adjudge.expr.reference import Unknown, evaluate
from adjudge.frozen import frozen
from adjudge.model import OUTCOMES, Verdict
from adjudge.policy.policy import Policy
from adjudge.policy.slots import NOW
from adjudge.policy.typed import TypedPolicy
from adjudge.policy.written_rows import Truth, WrittenRow, conditions_written, rows_written
from adjudge.source import Source, Span
from adjudge.values.fields import Field
from adjudge.values.types import DOUBLE, INT

Kind = Literal["rule", "row", "excuse", "threshold", "band", "outcome"]
LINES_MAX = 200
"""A table may have thousands of rows that no test tries; so many lines are for a person."""
_TRUTHS = {True: "true", False: "false", None: "unknown"}
_NEAR = 0.01
"""Just below or above a threshold is within this share of the field's range, or else of the threshold."""


@frozen(kw_only=True)
class Item:
    """One thing to try. name: of the rule, row or threshold. what: what about it. span: in the policy."""

    kind: Kind
    name: str
    what: str
    span: Span


@frozen(kw_only=True)
class Boundary:
    """A comparison of a number with a constant. near: how far from it still counts as just below or above.

    between: the field is an int, and no int is at the constant.
    """

    slot: str
    bound: Any
    near: Any
    node: Binary
    span: Span
    between: bool = False

    @property
    def name(self) -> str:
        """How the comparison is called."""
        return unparse(self.node)

    def side(self, value: object) -> str | None:
        """Return on which side a value lies, at the threshold or just beside it; None farther away."""
        if type(value) is not (int if self.between else type(self.bound)):
            return None
        if value == self.bound:
            return "at"
        distance: Any = value - self.bound
        if abs(distance) > self.near * (1 + 1e-9):
            return None
        return "just above" if distance > type(distance)() else "just below"

    def beside(self, side: str) -> object:
        """Return a value at, just below or just above the threshold, as a person would write it."""
        if side == "at":
            return self.bound
        if self.between:
            return math.ceil(self.bound) if side == "just above" else math.floor(self.bound)
        step = self.near
        if isinstance(step, timedelta) and isinstance(self.bound, timedelta | datetime):  # as a person would write it
            step = min(step, timedelta(minutes=1) if step >= timedelta(minutes=1) else timedelta(seconds=1))
        moved = self.bound + step if side == "just above" else self.bound - step
        return round(moved, 6) if isinstance(moved, float) else moved


@frozen(kw_only=True)
class Coverage:
    """What was tried. missing: in the policy's order. total: how many items there are, by kind."""

    source: Source
    covered: tuple[Item, ...]
    missing: tuple[Item, ...]

    @property
    def percent(self) -> float:
        """The share of items that were tried, 0 to 100; 100 where there are none."""
        total = len(self.covered) + len(self.missing)
        return 100.0 * len(self.covered) / total if total else 100.0

    def by_kind(self) -> dict[Kind, tuple[int, int]]:
        """Return for each kind how many items were tried, of how many."""
        kinds: dict[Kind, tuple[int, int]] = {}
        for items, is_covered in ((self.covered, True), (self.missing, False)):
            for item in items:
                done, all_ = kinds.get(item.kind, (0, 0))
                kinds[item.kind] = (done + is_covered, all_ + 1)
        return kinds

    def line(self, item: Item) -> int:
        """Return the line of the policy in which an item stands."""
        part, at = self.source.part(item.span.start)
        return part.place(at)[0]

    def lines(self) -> Iterator[str]:
        """Yield it as a person reads it: shares by kind, then what is missing, by line."""
        kinds = ", ".join(f"{kind}s {done} of {all_}" for kind, (done, all_) in self.by_kind().items())
        yield f"coverage {self.percent:.1f}%: {kinds}"
        grouped: dict[tuple[int, str], list[str]] = {}
        for item in self.missing:
            grouped.setdefault((self.line(item), item.name), []).append(item.what)
        for (line, name), whats in islice(sorted(grouped.items()), LINES_MAX):
            yield f"  {line:>5} | {name}: never {', '.join(whats)}"
        if len(grouped) > LINES_MAX:
            yield f"        {len(grouped) - LINES_MAX:,} more, which --format json names"

    def data(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "percent": round(self.percent, 2),
            "kinds": {kind: {"covered": done, "total": all_} for kind, (done, all_) in self.by_kind().items()},
            "missing": [
                {"kind": item.kind, "name": item.name, "what": item.what, "line": self.line(item)}
                for item in self.missing
            ],
        }


def coverage(files: Iterable[PolicyTestFile]) -> Coverage:
    """Return what the tests of one policy, in one file or several, have tried."""
    files = list(files)
    policy = files[0].policy
    tracker = Tracker(policy)
    seen: set[Item] = set()
    for file in files:
        for case in file.cases:
            seen |= tracker.tried(case.given, case.now)
    items = tracker.items
    return Coverage(
        source=policy.typed.source,
        covered=tuple(item for item in items if item in seen),
        missing=tuple(item for item in items if item not in seen),
    )


@dataclass(slots=True)
class Tracker:
    """Knows what there is to try of a policy, and what one input tries."""

    policy: Policy
    boundaries: list[Boundary] = field(init=False)
    items: list[Item] = field(init=False)

    def __post_init__(self) -> None:
        self.boundaries = list(_boundaries(self.policy.typed))
        self.items = list(dict.fromkeys(self._items()))

    def _items(self) -> Iterator[Item]:
        typed = self.policy.typed
        for rule in typed.rules:
            truths = self._truths("rule", rule.id, rule.condition, rule.span)
            yield from (item for item in truths if not (rule.only_doubts and item.what == "true"))
        for row in rows_written(typed):
            yield from self._of_row(row)
        for excuse in typed.excuses:
            yield from self._truths("excuse", excuse.id, excuse.condition, excuse.span)
        for one in self.boundaries:
            for side in ("just below", *(() if one.between else ("at",)), "just above"):
                if typed.slots[one.slot].is_within_range(one.beside(side)):
                    yield Item(kind="threshold", name=one.name, what=side, span=one.span)
        for card in typed.scorecards.values():
            for outcome in OUTCOMES:
                if outcome == "pass" or getattr(card, outcome.value) is not None:
                    yield Item(kind="band", name=card.label, what=f"in {outcome}", span=card.rows[0].span)
        never_passes = any(rule.otherwise for rule in typed.rules)  # a row is true, or `else` is
        for outcome in OUTCOMES:
            if (outcome == "pass" and not never_passes) or any(rule.outcome == outcome for rule in typed.rules):
                yield Item(kind="outcome", name="outcome", what=outcome.value, span=Span(0, 0))

    def _truths(self, kind: Kind, name: str, condition: Node, span: Span) -> Iterator[Item]:
        slots = self.policy.typed.reads.slots(condition) - {NOW}
        if isinstance(condition, nodes.Literal):
            yield Item(kind=kind, name=name, what=str(condition.value).lower(), span=span)
            return
        for what in ("true", "false", *(("unknown",) if slots else ())):
            yield Item(kind=kind, name=name, what=what, span=span)

    def _of_row(self, row: WrittenRow) -> Iterator[Item]:
        if row.is_plain:
            yield from self._truths("row", row.name, row.row.condition, row.row.span)
            return
        can_be_unknown = any(self.policy.typed.reads.slots(step.condition) - {NOW} for step in row.steps)
        for what in things_to_try(row):
            if what != UNKNOWN or can_be_unknown:
                yield Item(kind="row", name=row.name, what=what, span=row.row.span)

    def tried(self, given: Mapping[str, object], now: datetime | None) -> set[Item]:
        """Return what an input tries."""
        typed = self.policy.typed
        verdict = self.policy.evaluate(given, now=now)
        values = dict(self.policy.read(given, now=now).values)
        found = set(self._of_verdict(verdict))
        if typed.scorecards or typed.excuses:
            found |= set(self._of_parts(values, verdict))
        for one in self.boundaries:
            side = one.side(values.get(one.slot))
            if side is not None:
                found.add(Item(kind="threshold", name=one.name, what=side, span=one.span))
        return found

    def _of_verdict(self, verdict: Verdict) -> Iterator[Item]:
        matched, unresolved = set(verdict.matched), set(verdict.unresolved)
        for rule in self.policy.typed.rules:
            what = "true" if rule.id in matched else "unknown" if rule.id in unresolved else "false"
            yield Item(kind="rule", name=rule.id, what=what, span=rule.span)
        yield Item(kind="outcome", name="outcome", what=verdict.outcome.value, span=Span(0, 0))

    def _of_parts(self, values: dict[str, object], verdict: Verdict) -> Iterator[Item]:
        """Yield what is tried of rows and excuses, whose truth no verdict tells."""
        typed = self.policy.typed
        values |= typed.constants
        for name, node in typed.variables.items():
            answer = evaluate(node, values, functions=self.policy.functions)
            values[name] = None if isinstance(answer, Unknown) else answer

        def truth(condition: Node) -> Truth:
            answer = evaluate(condition, values, functions=self.policy.functions)
            return None if isinstance(answer, Unknown) else answer is True

        for row in rows_written(typed):
            answers = [truth(step.condition) for step in row.steps]
            what = _TRUTHS[answers[0]] if row.is_plain else tried_by(row, answers)
            yield Item(kind="row", name=row.name, what=what, span=row.row.span)
        for excuse in typed.excuses:
            yield Item(kind="excuse", name=excuse.id, what=_TRUTHS[truth(excuse.condition)], span=excuse.span)
        for name, (low, high) in verdict.totals.items():
            card = typed.scorecards[name]
            if low == high:
                band = card.outcome_of(low)
                yield Item(kind="band", name=card.label, what=f"in {band}", span=card.rows[0].span)


def _boundaries(typed: TypedPolicy) -> Iterator[Boundary]:
    """Yield the comparisons of numbers with constants in all conditions, each once."""
    seen: set[Node] = set()
    for condition in (*typed.variables.values(), *conditions_written(typed)):
        for node in walk(condition):
            if not isinstance(node, Binary) or node.operator not in FLIPPED or node in seen:
                continue
            seen.add(node)
            left, right = node.left, node.right
            if not isinstance(left, Name):
                left, right = right, left
            if (
                not isinstance(left, Name)
                or left.name not in typed.slots
                or any(isinstance(p, Name) for p in walk(right))
            ):
                continue
            bound = evaluate(right, {})
            declared = typed.slots[left.name]
            if isinstance(bound, int) and declared.type == DOUBLE and not isinstance(bound, bool):
                bound = float(bound)
            elif isinstance(bound, float) and declared.type == INT and bound.is_integer():
                bound = int(bound)
            if isinstance(bound, int | float | timedelta | date) and not isinstance(bound, bool):
                between = isinstance(bound, float) and declared.type == INT
                near = 1 if between else _near(bound, declared)
                yield Boundary(slot=left.name, bound=bound, near=near, node=node, span=node.span, between=between)


def _near(bound: object, declared: Field) -> int | float | timedelta:
    low, high = declared.minimum, declared.maximum
    match bound:
        case datetime():
            return timedelta(hours=1)
        case date():
            return timedelta(days=1)
        case timedelta():
            return max(abs(bound) * _NEAR // timedelta(seconds=1) * timedelta(seconds=1), timedelta(seconds=1))
        case float():
            ranged = isinstance(low, int | float) and isinstance(high, int | float)
            length = float(high) - float(low) if ranged else abs(bound)  # type: ignore[arg-type]  # both are numbers
            return float(f"{length * _NEAR:.6g}") or _NEAR
        case _:
            return 1


def described(item: Item) -> str:
    """Return an item as the name of a test."""
    if item.kind == "outcome":
        return f"the outcome {item.what}"
    return f"the excuse {item.name} {item.what}" if item.kind == "excuse" else f"{item.name} {item.what}"
