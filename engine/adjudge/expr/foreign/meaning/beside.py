"""What a part of a condition means by what it stands beside: bare words, dates, shares, lengths of time, numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from adjudge.errors import nearest
from adjudge.expr.check import Environment, check
from adjudge.expr.foreign.phrases import NUMBER_WORDS
from adjudge.expr.foreign.slips import NOTHING, Amount, Clock, Doubtful, Moment, Slip
from adjudge.expr.nodes import (
    Binary,
    Call,
    ListLiteral,
    Literal,
    Name,
    Node,
    Select,
    walk,
)
from adjudge.source import Source, Span
from adjudge.texts import with_article
from adjudge.values.fields import Field
from adjudge.values.literals import parse_duration
from adjudge.values.meant import (
    INEXACT,
    Quantity,
    duration_meant,
    duration_text,
    is_two_days,
    is_week,
    length_text,
    plain_number,
    quantity,
    timestamp_meant,
)
from adjudge.values.types import (
    BOOL,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    TIMESTAMP,
    EnumType,
    Type,
    is_text,
)

_YES, _NO = ("true", "yes", "y", "1"), ("false", "no", "n", "0")
_TYPED_MAX = 200
"""Nodes of a part whose type is asked for; a larger one is left as it is."""
_SHORT_DAY = re.compile(r"(\d{1,2}/\d{1,2}/)(\d{2})")
"""`1/2/26`, which is read as two divisions."""
ORDER = ("<", "<=", ">", ">=")
COMPARISONS = (*ORDER, "==", "!=")
MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(slots=True)
class Beside:
    """Gives parts of one condition their meaning beside others.

    fields: the declared fields by full name, for their ranges. source: of the condition.
    """

    environment: Environment
    fields: Mapping[str, Field]
    source: Source
    slips: list[Slip]
    bound: frozenset[str] = frozenset()

    def of(self, node: Node) -> Node:
        """Return a part as it is written here, its own parts first; `tree` has it."""
        raise NotImplementedError

    def slip(self, span: Span, message: str, more: str = "", *, is_sure: bool = False) -> None:
        """Note what is written otherwise; `more` is added to the hint."""
        self.slips.append(Slip(span, message, is_sure, more))

    def type(self, node: Node) -> Type:
        """Return a part's type as far as it has one of its own."""
        match node:
            case Literal(value=str() as value) if value == NOTHING:
                return DYN
            case Moment():
                return TIMESTAMP
            case Clock():
                return DURATION
            case Amount():
                return DYN
        parts = list(walk(node))
        if len(parts) > _TYPED_MAX or any(isinstance(part, Amount | Moment | Clock) for part in parts):
            return DYN
        typed, _ = check(node, self.environment, source=self.source)
        return (typed.type if typed is not None else None) or DYN

    def range(self, node: Node) -> tuple[float, float] | None:
        """Return the range of the field that a part is."""
        declared = self.fields.get(path_of(node) or "")
        if declared is None and isinstance(node, Select):
            owner = self.fields.get(path_of(node.operand) or "")
            declared = owner.of if owner is not None else None
        if declared is not None and isinstance(declared.maximum, int | float):
            low = declared.minimum if isinstance(declared.minimum, int | float) else 0
            return float(low), float(declared.maximum)
        return None

    def is_known(self, path: str) -> bool:
        """Whether a dotted path is declared, or begins with what is."""
        first = path.partition(".")[0]
        names = self.environment.names
        return (
            first in self.bound
            or path in names
            or any(".".join(path.split(".")[:count]) in names for count in range(1, path.count(".") + 1))
        )

    def beside(self, value: Node, part: Node, operator: str) -> Node:
        """Return a part as what it means beside a value."""
        type_ = self.type(value)
        if isinstance(part, Amount):
            return _alike(self.amount(part, type_, self.range(value)), type_, operator)
        if isinstance(part, ListLiteral):
            return part
        if is_text(type_) and (word := self.word(part, type_, value)) is not None:
            return word
        if (
            isinstance(part, Moment)
            or (type_ == TIMESTAMP and isinstance(part, Literal | Binary))
            or type_.name == "date"
        ):
            return self.moment(part, type_)
        if type_ == DURATION and isinstance(part, Literal | Binary):
            return self.length(part)
        if type_ in (INT, DOUBLE) and isinstance(part, Literal):
            return self.number(part, type_, self.range(value), operator)
        if type_ in (INT, DOUBLE) and isinstance(part, Name) and part.name.lower() in NUMBER_WORDS:
            number = NUMBER_WORDS.index(part.name.lower())
            self.slip(part.span, f"a number is written in digits: {number}")
            return Literal(span=part.span, value=number)
        if type_ == DURATION and isinstance(part, Name) and (meant := duration_meant(part.name)) is not None:
            return self.duration(part.span, meant, f"`{part.name}` is not how a length of time is written")
        if type_ == BOOL and isinstance(part, Name) and not self.is_known(part.name) and len(part.name) == 1:
            return self.bool(Literal(span=part.span, value=part.name))
        if type_ == BOOL and isinstance(part, Literal) and not isinstance(part.value, bool):
            return self.bool(part)
        if (
            is_text(type_)
            and isinstance(part, Literal)
            and isinstance(part.value, int | float)
            and not isinstance(part.value, bool)
        ):
            said = self.said(part)
            self.slip(part.span, f"`{said}` is compared with a text, and stands in quotes then")
            return Literal(span=part.span, value=said)
        return part

    def said(self, node: Node) -> str:
        """Return a part as it was written."""
        return self.source.text[node.span.start : node.span.end]

    def word(self, part: Node, type_: Type, value: Node | None = None) -> Node | None:
        """Return a bare word as the text that it is beside a text; None where it is none."""
        if (
            isinstance(part, Literal)
            and isinstance(part.value, str)
            and isinstance(type_, EnumType)
            and part.value != NOTHING
        ):
            known = _in_vocabulary(part.value, type_)
            if known is not None and known != part.value:
                self.slip(part.span, f"`{part.value}` is written `{known}` in this vocabulary")
                return replace(part, value=known)
            return None
        if isinstance(value, Literal):
            return None
        names = [path for one in walk(part) if isinstance(one, Name | Select) and (path := path_of(one)) is not None]
        said = self.said(part)
        if isinstance(part, Name) and part.name != said and isinstance(type_, EnumType) and said in type_.values:
            self.slips[:] = [one for one in self.slips if one.span != part.span]  # it was taken for a field's name
            names = [said]
        if not names or any(self.is_known(name) for name in names) or not re.fullmatch(r"[\w.@+/-]{1,100}", said):
            return None
        if isinstance(type_, EnumType):
            known = _in_vocabulary(said, type_) or nearest(said, type_.values)
        else:
            known = None if nearest(said, self.environment.names) is not None else said
        if known is None:
            return None
        self.slip(part.span, f'`{said}` is a text, and stands in quotes: "{known}"')
        return Literal(span=part.span, value=known)

    def amount(self, part: Amount, type_: Type, within: tuple[float, float] | None) -> Node:
        """Return a number with a sign or a unit as one of a type. within: the range of what it stands beside."""
        said = Quantity(part.number, part.unit)
        if part.unit in ("m", "mo") and type_ in (INT, DOUBLE):
            said = Quantity(part.number, "m")
        length = duration_text(said)
        if type_ == DURATION and length is not None:
            return self.duration(part.span, length, f"`{part.said}` is not how a length of time is written", part.unit)
        text = plain_number(said, within=within)
        self.slip(part.span, _about_amount(part, text, within, type_))
        return _number(part.span, text, type_)

    def duration(self, span: Span, text: str, message: str, unit: str = "") -> Node:
        """Return the call that is a length of time."""
        more = f"{with_article(unit.rstrip('s'))} has no fixed length" if unit in INEXACT and len(unit) > 2 else ""
        more = more or in_hours(text)
        self.slip(span, message, more)
        return Call(span=span, function="duration", arguments=(Literal(span=span, value=text),))

    def moment(self, part: Node, type_: Type) -> Node:
        """Return a day as a moment."""
        said = part.said if isinstance(part, Moment) else part.value if isinstance(part, Literal) else None
        if isinstance(part, Binary) and (short := _SHORT_DAY.fullmatch(self.said(part).replace(" ", ""))):
            said = f"{short[1]}20{short[2]}"
        ours = '`date("2026-11-30")`' if type_.name == "date" else '`timestamp("2026-11-30T00:00:00Z")`'
        if type(said) is int:
            what = "a year, not a day" if 1900 <= said <= 2100 else "no day"
            raise Doubtful(Slip(part.span, f"`{said}` is {what}", more=f"write it like {ours}"))
        if not isinstance(said, str):
            return part
        two = is_two_days(said)
        if two is not None:
            ways = [f'timestamp("{day}T00:00:00Z")' if type_ == TIMESTAMP else f'date("{day}")' for day in two]
            raise Doubtful(Slip(part.span, f"`{said}` can be two days", more=f"write `{ways[0]}` or `{ways[1]}`"))
        meant = timestamp_meant(said)
        if meant is None:
            raise Doubtful(Slip(part.span, f"`{said}` is not a day with its year", more=f"write it like {ours}"))
        more = f"`{said}` is a week; this is its Monday" if is_week(said) else ""
        if type_.name == "date":
            self.slip(part.span, f"`{said}` is not how a day is written here", more)
            day = Literal(span=part.span, value=meant[:10])
            return Call(span=part.span, function="date", arguments=(day,))
        self.slip(part.span, f"`{said}` is not how a moment is written here", more)
        return Call(span=part.span, function="timestamp", arguments=(Literal(span=part.span, value=meant),))

    def length(self, part: Node) -> Node:
        """Return a text or number beside a duration as one."""
        number = reckoned(part)
        if isinstance(part, Literal) and isinstance(part.value, str):
            number = float(part.value) if part.value.strip().isdigit() else None
            meant = duration_meant(part.value)
            if meant is not None:
                return self.duration(part.span, meant, f"`{part.value}` is not how a length of time is written")
        if number:
            hours, days = length_text(timedelta(hours=number)), length_text(timedelta(days=number), 86_400)
            more = f'write `duration("{hours}")` for hours, `duration("{days}")` for days'
            raise Doubtful(
                Slip(part.span, f"a length of time needs its unit, and `{self.said(part)}` has none", more=more)
            )
        return part

    def number(self, part: Literal, type_: Type, within: tuple[float, float] | None, operator: str) -> Node:
        """Return a text beside a number as one, and an int beside a double where both must be alike."""
        value = part.value
        if isinstance(value, str) and value != NOTHING:
            said = quantity(value)
            if said is None:
                return part
            text = plain_number(said, within=within)
            self.slip(part.span, f"a number stands without quotes: {text}")
            return _alike(_number(part.span, text, type_), type_, operator)
        if isinstance(value, bool) or operator in ORDER:
            return part
        if type_ == DOUBLE and isinstance(value, int):
            self.slip(part.span, "a double is compared with a double", is_sure=True)
            return replace(part, value=float(value))
        if type_ == INT and isinstance(value, float) and value.is_integer():
            self.slip(part.span, "an int is compared with an int", is_sure=True)
            return replace(part, value=int(value))
        return part

    def bool(self, part: Literal) -> Node:
        """Return `yes`, `1` and their like beside a bool as one."""
        said = str(part.value).lower()
        if said not in (*_YES, *_NO):
            return part
        meant = "true" if said in _YES else "false"
        self.slip(part.span, f"a field that is true or false is compared with neither texts nor numbers: `{meant}`")
        return replace(part, value=said in _YES)


def reckoned(part: Node) -> float | None:
    """Return the number that a part is, also `7 * 24`; None for anything else."""
    if isinstance(part, Literal):
        return part.value if isinstance(part.value, int | float) and not isinstance(part.value, bool) else None
    if isinstance(part, Binary) and part.operator == "*":
        left, right = reckoned(part.left), reckoned(part.right)
        return left * right if left is not None and right is not None else None
    return None


def in_hours(text: str) -> str:
    """Return how many hours days or weeks are, as a hint says it; nothing of a duration in other units."""
    return f"`{text}` is {length_text(parse_duration(text))}, for a day has 24 hours" if text[-1] in "dw" else ""


def path_of(node: Node) -> str | None:
    """Return a dotted path as one text; None for anything else."""
    parts: list[str] = []
    while isinstance(node, Select):
        parts.append(node.field)
        node = node.operand
    return ".".join([node.name, *reversed(parts)]) if isinstance(node, Name) else None


def _in_vocabulary(word: str, type_: EnumType) -> str | None:
    folded = [value for value in type_.values if _folded(value) == _folded(word)]
    return word if word in type_.words else folded[0] if len(folded) == 1 else None


def _folded(word: str) -> str:
    return word.casefold().replace(" ", "_").replace("-", "_")


def _alike(node: Node, type_: Type, operator: str) -> Node:
    """Return a whole number as a double where both sides must be alike."""
    if type_ == DOUBLE and operator not in ORDER and isinstance(node, Literal) and type(node.value) is int:
        return replace(node, value=float(node.value))
    return node


def _number(span: Span, text: str, type_: Type) -> Node:
    value: int | float = float(text) if "." in text or type_ == DOUBLE else int(text)
    if type_ == INT and isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, float) and value.is_integer() and "." not in text:
        return Literal(span=span, value=int(text))
    return Literal(span=span, value=value)


def _about_amount(part: Amount, text: str, within: tuple[float, float] | None, type_: Type) -> str:
    if part.unit == "%":
        scale = f"this field runs from {within[0]:g} to {within[1]:g}, so" if within is not None else "as a fraction,"
        return f"a percent sign is not written in conditions: {scale} `{part.said}` is {text}"
    if part.unit == "currency":
        return f"an amount stands without its currency: {text}"
    return f"`{part.said}` is written {text}"
