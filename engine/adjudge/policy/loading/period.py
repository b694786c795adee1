"""When a rule is in force: `from` and `until`, which become a part of its condition."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from adjudge.errors import EvaluationError
from adjudge.expr.nodes import Binary, BinaryOperator, Call, Literal, Logic, Name
from adjudge.expr.nodes import Node as Expression
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.policy.loading.reader import Reader
from adjudge.policy.slots import NOW
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.source import Edit, Span
from adjudge.values.literals import format_timestamp, parse_timestamp
from adjudge.values.meant import is_two_days, timestamp_meant
from adjudge.values.types import BOOL, STRING, TIMESTAMP

_DIGITS = late(r"\d{8}", re.ASCII)
_DATE = late(r"\d{4}-\d{2}-\d{2}", re.ASCII)


MOMENT_HINT = "for example 2026-03-01, which begins at midnight UTC, or 2026-03-01T08:00:00+08:00"


@frozen(kw_only=True)
class Period:
    """When a rule is in force, `starts <= now < ends`, and where that is written."""

    starts: datetime | None = None
    ends: datetime | None = None
    span: Span

    def joined(self, condition: Expression) -> Expression:
        """Return a rule's condition within the period."""
        bounds: list[tuple[BinaryOperator, datetime | None]] = [(">=", self.starts), ("<", self.ends)]
        parts = [self._compared(operator, moment) for operator, moment in bounds if moment is not None]
        if not parts:
            return condition
        rest = condition.operands if isinstance(condition, Logic) and condition.operator == "&&" else (condition,)
        return Logic(operator="&&", operands=(*parts, *rest), span=condition.span, type=BOOL)

    def _compared(self, operator: BinaryOperator, moment: datetime) -> Expression:
        span = self.span
        text = Literal(value=format_timestamp(moment), span=span, type=STRING)
        constant = Call(function="timestamp", arguments=(text,), span=span, type=TIMESTAMP)
        return Binary(
            operator=operator, left=Name(name=NOW, span=span, type=TIMESTAMP), right=constant, span=span, type=BOOL
        )


def read_period(reader: Reader, first: YamlNode | None, last: YamlNode | None, at: Span) -> Period:
    """Return a rule's `from` and `until`. at: where the rule stands."""
    starts = _moment(reader, first, "`from`") if first is not None else None
    ends = _moment(reader, last, "`until`") if last is not None else None
    if starts is not None and ends is not None and last is not None and starts >= ends:
        hint = "`from` is the first moment, `until` the first one after the end"
        reader.blame("schema-range", "the rule ends before it begins", last.span, hint)
    written = first or last
    return Period(starts=starts, ends=ends, span=written.span if written is not None else at)


def _moment(reader: Reader, node: YamlNode, what: str) -> datetime | None:
    is_digits = isinstance(node, Scalar) and _DIGITS.fullmatch(node.text.value) is not None
    said = node.text.value if isinstance(node, Scalar) and is_digits else reader.text(node, what)
    return read_moment(reader, said, what, node.span) if said is not None else None


def read_moment(reader: Reader, said: str, what: str, at: Span, *, is_own: bool = True) -> datetime | None:
    """Read a day, which begins at midnight UTC, or a time with its zone. is_own: it stands in the policy itself."""
    moment = moment_of(said)
    if moment is None:
        text, hint = moment_meant(said)
        fix = (Edit(span=at, text=text),) if text and is_own else ()
        reader.blame("schema-value", f"{what} must be a date, or a time with its zone", at, hint, fix=fix)
    return moment


def moment_meant(said: str) -> tuple[str, str]:
    """Return the text to type for what is no moment, empty where it is not clear, and the hint."""
    meant, days = timestamp_meant(said), is_two_days(said)
    if meant is not None:
        text = meant.removesuffix("T00:00:00Z")
        return text, f"write {text}"
    return "", MOMENT_HINT if days is None else f"write {days[0]} or {days[1]}"


def moment_of(said: str) -> datetime | None:
    """Return the moment that a day or a time with its zone says; None where it says none."""
    try:
        if _DATE.fullmatch(said):
            return datetime.combine(date.fromisoformat(said), datetime.min.time(), UTC)
        return parse_timestamp(said)
    except (EvaluationError, ValueError):
        return None
