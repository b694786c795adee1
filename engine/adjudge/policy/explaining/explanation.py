"""Why a policy says what it says: every rule with its condition taken apart, and how that reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import date, datetime, timedelta
from typing import Literal

from adjudge.expr.printing import quote
from adjudge.frozen import frozen
from adjudge.model import Outcome, Verdict
from adjudge.policy.explaining.neutral import neutral
from adjudge.policy.written_rows import Points, points_said
from adjudge.source import Span
from adjudge.texts import lines_of
from adjudge.values.literals import format_duration, format_timestamp
from adjudge.values.recorded import to_json

HIDDEN = "•••"
"""Stands for a personal value."""
SHOWN_MAX = 100
"""Characters of a value that a text shows."""
PART_MAX = 500
"""Characters of a part of a condition that a text shows: a lookup table is a part as long as its rows."""


@frozen(kw_only=True)
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


@frozen(kw_only=True)
class Explained:
    """A rule, a row of a scorecard, or an excuse.

    id: of a rule or an excuse; of a row its own or `row 1`, behind the name of its scorecard where that has one:
    `device:row 1`. outcome: a rule's.
    points: a row's, which stand there; where an expression says them what it adds here, as the least and the most if
    that is not certain.
    truth: None where unknown; of a row whose points an expression says, whether it adds any.
    counts_as: the outcome that an unknown rule is taken for.
    excused: whether a rule does not count because an excuse of it is true.
    message: what the policy tells a reviewer where the rule is true or in doubt, in the reader's locale.
    place: file and line. spans: where it stands in the policy.
    """

    id: str
    kind: Literal["rule", "threshold", "table", "row", "excuse"]
    outcome: Outcome | None = None
    points: int | Points | None = None
    reason: str | None = None
    truth: bool | None
    counts_as: Outcome | None = None
    excused: bool = False
    message: str | None = None
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
            "excused": self.excused,
            "unknown": self.why,
            "message": self.message,
            "place": self.place,
            "condition": self.condition.data(),
        }

    def lines(self) -> Iterator[str]:
        """Yield it as a person reads it: what it is worth, then its condition, deeper parts further in."""
        worth: str = self.outcome or "excuses from review"
        if self.points is not None:
            ends = self.points if isinstance(self.points, tuple) else (self.points, self.points)
            worth = f"{points_said(ends)} points"
        taken = f", taken as {self.counts_as}" if self.counts_as is not None else ", excused" if self.excused else ""
        yield f"{self.id} → {worth}{taken}  ({self.place})"
        if self.message is not None and self.truth is not False:
            yield f"  “{self.message}”" if self.truth else f"  if it is so: “{self.message}”"
        yield from _lines(self.condition, 1)


@frozen(kw_only=True)
class GivenReason:
    """A reason code, and what the policy tells an applicant of it in the reader's locale; None where nothing.

    in_doubt: it could only not be ruled out.
    """

    code: str
    text: str | None
    in_doubt: bool = False


@frozen(kw_only=True)
class GivenStep:
    """A step that is asked for, and what the policy tells an applicant of it in the reader's locale."""

    name: str
    text: str | None


@frozen(kw_only=True)
class Explanation:
    """A verdict and what led to it.

    reasons: of what decided, the heaviest first. rules, rows, excuses: all of them, in the policy's order.
    ask: the steps that are asked for next, in the policy's order. locale: of the reader.
    """

    verdict: Verdict
    locale: str = "en"
    reasons: tuple[GivenReason, ...] = ()
    rules: tuple[Explained, ...]
    rows: tuple[Explained, ...]
    excuses: tuple[Explained, ...] = ()
    ask: tuple[GivenStep, ...] = ()

    @property
    def for_applicant(self) -> tuple[str, ...]:
        """What an applicant may be told: the texts of facts. Never a code, and never what is only in doubt.

        Where that is nothing, a neutral text, in English or Chinese; nothing only where the outcome is pass.
        """
        texts = tuple(dict.fromkeys(told.text for told in self.reasons if told.text and not told.in_doubt))
        if texts or self.verdict.outcome is Outcome.PASS:
            return texts
        return neutral(self.verdict.outcome, self.locale, in_doubt=bool(self.verdict.doubts))

    def render(self, *, all: bool = False) -> str:
        """Return it as indented text: what is true, what is unknown, and the names of what is false.

        all: what is false too, taken apart.
        """
        verdict = self.verdict
        head = str(verdict.outcome)
        if not verdict.settled:
            head += f", not settled: anything from {verdict.lower} to {verdict.upper} is possible"
        lines = [head]
        if self.reasons:
            codes = ", ".join(told.code for told in self.reasons)
            lines.append(f"in doubt about {codes}" if verdict.doubts else f"because of {codes}")
        lines += [f"  {told.code}: {told.text}" for told in self.reasons if told.text]
        lines += [f"{name} {problem}" for name, problem in verdict.problems]
        for name, (low, high) in verdict.totals.items():
            head = "scorecard" if name == "scorecard" else f"scorecard {name}"
            lines.append(f"{head}: {low} points" if low == high else f"{head}: {low} to {high} points")
        lines += [f"next: {step.name}" + (f": {step.text}" if step.text else "") for step in self.ask]
        everything = (*self.rules, *self.rows, *self.excuses)
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
        return lines_of(lines)

    def data(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "outcome": self.verdict.outcome.value,
            "lower": self.verdict.lower.value,
            "upper": self.verdict.upper.value,
            "reasons": [{"code": told.code, "text": told.text, "in_doubt": told.in_doubt} for told in self.reasons],
            "score": list(self.verdict.score) if self.verdict.score is not None else None,
            "scores": {name: list(total) for name, total in self.verdict.scores.items()},
            "rules": [rule.data() for rule in self.rules],
            "rows": [row.data() for row in self.rows],
            "excuses": [excuse.data() for excuse in self.excuses],
            "ask": [{"step": step.name, "text": step.text} for step in self.ask],
        }


def _lines(part: Part, depth: int) -> Iterator[str]:
    said = f"is {shown(part.value)}"
    if part.value is not None and not part.parts and not isinstance(part.value, bool):
        said = f"= {shown(part.value)}"
    elif part.why is not None and all(inner.value is not None for inner in part.parts):
        said = f"is unknown: {part.why}"
    text = part.text if len(part.text) <= PART_MAX else part.text[: PART_MAX - 1] + "…"
    yield f"{'  ' * depth}{text} {said}"
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
        case date():
            return value.isoformat()
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
