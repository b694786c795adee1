"""What a text means as a value of a type, be it a table's cell or a key under `by`; what to type where it is none."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from adjudge.errors import EvaluationError, listed
from adjudge.expr.nodes import Call, Literal, Node
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.policy.loading.meant_values import scale_of, text_meant
from adjudge.policy.loading.other_words import choice_meant
from adjudge.policy.text.syntax import shown
from adjudge.source import Edit, Span
from adjudge.texts import composed, in_digits
from adjudge.values.fields import Bound, Field
from adjudge.values.list_file import mistake_in
from adjudge.values.literals import (
    INT_MAX,
    INT_MIN,
    format_duration,
    format_timestamp,
    parse_date,
    parse_duration,
    parse_timestamp,
)
from adjudge.values.meant import is_two_days, on_scale
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    SetType,
    Type,
    named,
)

_INT = late(r"[+-]?[0-9]+", re.ASCII)
_DOUBLE = late(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_DAY = late(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_EXAMPLES = {
    INT: "a number, such as 12",
    DOUBLE: "a number, such as 0.85",
    DURATION: "for example 168h",
    TIMESTAMP: "for example 2026-01-15T08:30:00Z",
    DATE: "for example 2026-01-15",
}
Value = bool | int | float | str | timedelta | date


@frozen
class Unfit(Exception):
    """Why a text is no value of a type: an error's code, message and hint."""

    code: str
    message: str
    hint: str | None = None
    meant: str = ""

    def fix(self, at: Span) -> tuple[Edit, ...]:
        """Return the edit that puts what was meant in the place of the text, where that is plain."""
        return (Edit(span=at, text=self.meant),) if self.meant else ()


def value_of(text: str, declared: Field, name: str) -> Value:
    """Return the value that a text stands for, of the field's type; of a set or a list, of its members.

    Nothing is guessed: `NO` is a string, `0012` keeps its zeros, and `12%` is no number. Raises Unfit.
    name: what to call the field in messages.
    """
    match declared.type:
        case EnumType(values=words) | SetType(values=words):
            return _word(text, words, name)
        case ListType(item=item):
            return value_of(text, declared.of or Field(type=item), name)
        case type_ if type_ == BOOL:
            return _bool(text, name)
        case type_ if type_ == STRING:
            return _text(text)
        case type_ if type_ in (INT, DOUBLE, DURATION, TIMESTAMP, DATE):
            return _in_range(_ordered(text, type_, name, declared), declared, name)
        case type_:
            raise Unfit("type-mismatch", f"`{name}` is {named(type_)}, which no cell can hold")


def constant(value: Value, type_: Type, span: Span) -> Node:
    """Return a value as a condition writes it, typed."""
    if isinstance(value, timedelta | date):
        inner = Literal(value=said(value), span=span, type=STRING)
        return Call(function=type_.name, arguments=(inner,), span=span, type=type_)
    types: dict[type, Type] = {bool: BOOL, int: INT, float: DOUBLE, str: STRING}
    return Literal(value=value, span=span, type=types[type(value)])


def _word(text: str, words: tuple[str, ...], name: str) -> str:
    word = composed(text)
    if word in words:
        return word
    meant = choice_meant(text, words)
    hint = f"did you mean `{meant[0]}`?" if meant is not None else f"it holds {listed(words)}"
    message = f"`{shown(text)}` is not in the vocabulary of `{name}`"
    raise Unfit("name-vocabulary", message, hint, meant[0] if meant is not None else "")


def _bool(text: str, name: str) -> bool:
    if text in ("true", "false", "TRUE", "FALSE"):  # a spreadsheet writes capitals
        return text.lower() == "true"
    meant = text_meant(text, BOOL)
    hint = f"write {meant.text}" if meant is not None else "write true or false"
    message = f"`{name}` is true or false, not `{shown(text)}`"
    raise Unfit("table-cell", message, hint, meant.text if meant is not None else "")


def _text(text: str) -> str:
    mistake = mistake_in(text)
    if mistake is not None:
        _, message, hint = mistake
        raise Unfit("table-cell", message, hint)
    return composed(text)


def _ordered(text: str, type_: Type, name: str, declared: Field) -> Bound:
    try:
        if type_ == INT and _INT.fullmatch(text):
            whole = int(text) if len(text) <= len(str(INT_MIN)) + 1 else INT_MAX + 1
            if INT_MIN <= whole <= INT_MAX:
                return whole
            raise Unfit("table-cell", f"`{shown(text)}` is an integer past 64 bits")
        if type_ == DOUBLE and _DOUBLE.fullmatch(text):
            number = float(text)
            if abs(number) != float("inf"):
                return number
            raise Unfit("table-cell", f"`{shown(text)}` is too large a number")
        if type_ == DURATION:
            return parse_duration(text)
        if type_ == TIMESTAMP:
            if _DAY.fullmatch(text):
                return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return parse_timestamp(text)
        if type_ == DATE:
            return parse_date(text)
    except (EvaluationError, ValueError):
        pass
    hint, meant = _way_out(text, declared)
    raise Unfit("table-cell", f"`{name}` is {named(type_)}, not `{shown(text)}`", hint, meant)


def _way_out(text: str, declared: Field) -> tuple[str, str]:
    """Return what to type, and the text that was meant where there is only one."""
    type_ = declared.type
    if (meant := text_meant(text, type_, scale_of(declared))) is not None:
        return f"write {meant.text}", meant.text
    number = text_meant(text, DOUBLE)
    if type_ == DURATION and number is not None:
        return f"add the unit: {number.text}h or {number.text}d", ""
    if type_ in (TIMESTAMP, DATE) and (days := is_two_days(text)) is not None:
        return f"write {days[0]} or {days[1]}", ""
    return _EXAMPLES[type_], ""


def _in_range(value: Bound, declared: Field, name: str) -> Bound:
    low, high = declared.minimum, declared.maximum
    if (low is not None and value < low) or (high is not None and value > high):  # type: ignore[operator]  # of one type
        raise Unfit("threshold-range", f"`{name}` can never be {said(value)}", range_hint(value, low, high))
    return value


def range_hint(bound: Bound, low: Bound | None, high: Bound | None) -> str:
    """Say the range, and the same number as a share or in per cent where that lies inside."""
    if low is not None and high is not None:
        about_it = f"it ranges from {said(low)} to {said(high)}"
    else:
        about_it = f"it is {said(low)} or more" if low is not None else f"it is {said(high)} or less"
    meant = on_scale(bound, low, high)
    return f"{about_it}; did you mean {meant}?" if meant else about_it


def said(bound: Bound | None) -> str:
    """Return a bound as an author writes it."""
    match bound:
        case timedelta():
            return format_duration(bound)
        case datetime():
            return format_timestamp(bound)
        case date():
            return bound.isoformat()
        case None:
            return ""
        case _:
            return in_digits(bound)
