"""Why a policy says what it says: every rule with its condition taken apart, value by value.

Made on demand with the reference interpreter, never while deciding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from adjudge.expr.nodes import Comprehension, Name, Node, children, walk
from adjudge.expr.printing import quote, unparse
from adjudge.expr.reference import Unknown, evaluate
from adjudge.expr.values import format_duration, format_timestamp
from adjudge.fields import to_json
from adjudge.model import Outcome, Verdict
from adjudge.policy.terms import slots_read
from adjudge.source import Source, Span

if TYPE_CHECKING:
    from adjudge.policy.policy import Policy

HIDDEN = "•••"
"""Stands for a personal value."""
SHOWN_MAX = 100
"""Characters of a value that a text shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a condition.

    value: None where unknown; HIDDEN where it is personal.
    why: for an unknown value, in words, with the place in the policy where the answer went missing.
    """

    text: str
    value: object
    why: str | None = None
    parts: tuple[Part, ...] = ()

    def data(self) -> dict[str, object]:
        """Return the tree as JSON has it."""
        data: dict[str, object] = {"text": self.text, "value": to_json(self.value)}
        if self.why:
            data["unknown"] = self.why
        if self.parts:
            data["parts"] = [part.data() for part in self.parts]
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A rule, or a row of the scorecard.

    id: of a rule; `row 1` and so on for rows. outcome: a rule's. points: a row's.
    truth: None where unknown. counts_as: the outcome that an unknown rule is taken for.
    place: file and line. spans: where it stands in the policy.
    """

    id: str
    kind: Literal["rule", "threshold", "row"]
    outcome: Outcome | None = None
    points: int | None = None
    reason: str | None = None
    truth: bool | None
    counts_as: Outcome | None = None
    condition: Part
    place: str
    spans: tuple[Span, ...] = field(default=(), repr=False)

    @property
    def why(self) -> str | None:
        """Why it is unknown; None where it is not."""
        return self.condition.why

    def data(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "outcome": self.outcome.value if self.outcome else None,
            "points": self.points,
            "reason": self.reason,
            "truth": self.truth,
            "counts_as": self.counts_as.value if self.counts_as else None,
            "unknown": self.why,
            "place": self.place,
            "condition": self.condition.data(),
        }

    def lines(self) -> Iterator[str]:
        """Yield it as a person reads it: what it is worth, then its condition, deeper parts further in."""
        worth = f"{self.points:+d} points" if self.points is not None else self.outcome
        taken = f", taken as {self.counts_as}" if self.counts_as is not None else ""
        yield f"{self.id} → {worth}{taken}  ({self.place})"
        yield from _lines(self.condition, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A verdict and what led to it. rules, rows: all of them, in the policy's order."""

    verdict: Verdict
    rules: tuple[Explained, ...]
    rows: tuple[Explained, ...]
    source: Source = field(repr=False)

    def render(self, *, all: bool = False) -> str:
        """Return it as indented text: what is true, what is unknown, and the names of what is false.

        all: what is false too, taken apart.
        """
        verdict = self.verdict
        head = str(verdict.outcome)
        if not verdict.settled:
            head += f", not settled: anything from {verdict.lower} to {verdict.upper} is possible"
        lines = [head]
        if verdict.reasons:
            lines.append(f"because of {', '.join(verdict.reasons)}")
        lines += [f"{name} {problem}" for name, problem in verdict.problems]
        if verdict.score is not None:
            low, high = verdict.score
            lines.append(f"scorecard: {low} points" if low == high else f"scorecard: {low} to {high} points")
        everything = (*self.rules, *self.rows)
        for title, truth in (("true", True), ("unknown", None), ("false", False)):
            found = [one for one in everything if one.truth is truth]
            if not found:
                continue
            if truth is False and not all:
                lines += ["", f"false: {', '.join(one.id for one in found)}"]
                continue
            lines += ["", f"{title}:"]
            for one in found:
                lines += ["  " + line for line in one.lines()]
        return "\n".join(lines)

    def data(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "outcome": self.verdict.outcome.value,
            "lower": self.verdict.lower.value,
            "upper": self.verdict.upper.value,
            "reasons": list(self.verdict.reasons),
            "score": list(self.verdict.score) if self.verdict.score is not None else None,
            "rules": [rule.data() for rule in self.rules],
            "rows": [row.data() for row in self.rows],
        }


def explain(
    policy: Policy, given: Mapping[str, object], *, now: datetime | None = None, personal: bool = False
) -> Explanation:
    """Explain the verdict on what is known. given, now: as `Policy.evaluate` takes them.

    personal: show the values of personal fields too, which are hidden otherwise.
    """
    return _Explainer(policy, given, now, personal).explanation()


class _Explainer:
    def __init__(self, policy: Policy, given: Mapping[str, object], now: datetime | None, personal: bool) -> None:
        self.policy, self.typed = policy, policy.typed
        self.verdict = policy.evaluate(given, now=now)
        read = policy.read(given, now=now)
        self.refused = dict(read.problems)
        self.constants = {f"lists.{name}": values for name, values in self.typed.lists.items()}
        self.values: dict[str, object] = {**self.constants, **read.values}
        self.lost: dict[str, Unknown] = {}
        for name, node in self.typed.variables.items():
            answer = self.answer(node)
            self.values[name] = None if isinstance(answer, Unknown) else answer
            if isinstance(answer, Unknown):
                self.lost[f"`{name}` is unknown"] = answer
        self.hidden = frozenset(
            ()
            if personal
            else (name for name, slot in self.typed.slots.items() if self.is_personal(name, slot.personal))
        )

    def is_personal(self, slot: str, declared: bool) -> bool:
        """Whether a slot, or the field of which it is a part, is personal."""
        owner, _, rest = slot.partition(".")
        fields = self.typed.signals[owner].fields if owner in self.typed.signals else self.typed.inputs
        name = (rest if owner in self.typed.signals else slot).removeprefix("novel_").partition(".")[0]
        return declared or (name in fields and fields[name].personal)

    def answer(self, node: Node) -> object:
        return evaluate(node, self.values, functions=self.policy.functions)

    def explanation(self) -> Explanation:
        card = self.typed.scorecard
        return Explanation(
            verdict=self.verdict,
            rules=tuple(
                self.explained(
                    rule.id,
                    rule.origin,
                    rule.condition,
                    rule.span,
                    outcome=rule.outcome,
                    reason=rule.reason,
                    own=rule.when_unknown,
                )
                for rule in self.typed.rules
            ),
            rows=tuple(
                self.explained(f"row {at}", "row", row.condition, row.span, points=row.points)
                for at, row in enumerate(card.rows if card else (), 1)
            ),
            source=self.typed.source,
        )

    def explained(
        self,
        name: str,
        kind: Literal["rule", "threshold", "row"],
        node: Node,
        span: Span,
        *,
        outcome: Outcome | None = None,
        points: int | None = None,
        reason: str | None = None,
        own: Outcome | None = None,
    ) -> Explained:
        condition = self.part(node)
        truth = condition.value if isinstance(condition.value, bool) else None
        counts_as = min(outcome, own or self.doubt(node)) if outcome is not None and truth is None else None
        return Explained(
            id=name,
            kind=kind,
            outcome=outcome,
            points=points,
            reason=reason,
            truth=truth,
            counts_as=counts_as,
            condition=condition,
            place=self.place(span),
            spans=(span, *(part.span for part in walk(node) if part.span.end > 0)),
        )

    def doubt(self, node: Node) -> Outcome:
        """Return the `when_unknown` of what is unknown to a condition: the most severe one, else the policy's."""
        slots = slots_read(node, self.typed.variables, self.typed.slots)
        owners = {slot.partition(".")[0] for slot in slots if self.values.get(slot) is None}
        signals = [self.typed.signals.get(owner) for owner in owners]
        owns = [signal.when_unknown if signal is not None else None for signal in signals]
        return max((own or self.typed.when_unknown for own in owns), default=self.typed.when_unknown)

    def part(self, node: Node) -> Part:
        """Take a condition apart; constants stand only in the text of what holds them."""
        answer = self.answer(node)
        slots = slots_read(node, self.typed.variables, self.typed.slots)
        hides = bool(slots & self.hidden) and (isinstance(node, Name) or not isinstance(answer, bool))
        return Part(
            text=unparse(node),
            value=None if isinstance(answer, Unknown) else HIDDEN if hides else answer,
            why=self.why(node, answer) if isinstance(answer, Unknown) else None,
            parts=tuple(self.part(inner) for inner in self.inside(node)),
        )

    def inside(self, node: Node) -> tuple[Node, ...]:
        """Return the parts of a condition that have a value of their own and say more than constants do."""
        parts = children(node)
        if isinstance(node, Name) and node.name in self.typed.variables:
            parts = (self.typed.variables[node.name],)
        elif isinstance(node, Comprehension):  # what follows has another value for each item
            parts = (node.operand,)
        return tuple(part for part in parts if slots_read(part, self.typed.variables, self.typed.slots))

    def why(self, node: Node, unknown: Unknown) -> str:
        """Say why there is no answer, as near to the reason as can be: inside a variable, or at a refused value."""
        if isinstance(node, Name) and node.name in self.typed.slots:
            return self.refused.get(node.name, "not given")
        while unknown.reason in self.lost:
            unknown = self.lost[unknown.reason]
        slot = unknown.reason.removesuffix("` is unknown").removeprefix("`")
        refusal = f": it {self.refused[slot]}" if slot in self.refused else ""
        return f"{unknown.reason}{refusal} ({self.place(unknown.span)})"

    def place(self, span: Span) -> str:
        source = self.typed.source
        return f"{source.name}:{source.place(span.start)[0]}"


def _lines(part: Part, depth: int) -> Iterator[str]:
    said = f"is {shown(part.value)}"
    if part.value is not None and not part.parts and not isinstance(part.value, bool):
        said = f"= {shown(part.value)}"
    elif part.why is not None and all(inner.value is not None for inner in part.parts):
        said = f"is unknown: {part.why}"
    yield f"{'  ' * depth}{part.text} {said}"
    for inner in part.parts:
        yield from _lines(inner, depth + 1)


def shown(value: object) -> str:
    """Return a value as a person writes it in a condition, at most SHOWN_MAX characters of it."""
    text = HIDDEN if value is HIDDEN else _literal(value)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"


def _literal(value: object) -> str:
    match value:
        case None:
            return "unknown"
        case bool():
            return "true" if value else "false"
        case str():
            return quote(value)
        case timedelta():
            return _hours(value)
        case datetime():
            return format_timestamp(value)
        case tuple() | list():
            return f"[{', '.join(_literal(item) for item in value)}]"
        case Mapping():
            return "{" + ", ".join(f"{_literal(key)}: {_literal(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)


def _hours(value: timedelta) -> str:
    """Return a duration as an author writes it, such as `900h` or `1h30m`; with fractions of a second in seconds."""
    if value % timedelta(seconds=1) or not value:
        return format_duration(value)
    minutes, seconds = divmod(abs(value) // timedelta(seconds=1), 60)
    parts = zip((*divmod(minutes, 60), seconds), "hms", strict=True)
    return ("-" if value < timedelta() else "") + "".join(f"{count}{unit}" for count, unit in parts if count)
