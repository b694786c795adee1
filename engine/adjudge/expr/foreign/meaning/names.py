"""What a name means by what is declared: fields with an owner before them, parts of moments, cells of lookup tables."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from adjudge.expr.foreign.functions.said import ZONE
from adjudge.expr.foreign.functions.times import doubtful_weekday
from adjudge.expr.foreign.meaning.beside import Beside, path_of
from adjudge.expr.nodes import (
    Binary,
    Call,
    Index,
    Literal,
    Name,
    Node,
    Select,
    list_name,
    list_of,
)
from adjudge.source import Span
from adjudge.values.types import (
    BOOL,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIMESTAMP,
    ListType,
    MoneyType,
    SetType,
    is_text,
)

_SLICE = re.compile(r"\[\s*(\d{1,6})\s*:\s*(\d{1,6})\s*\]$", re.ASCII)
_OWNERS = ("inputs", "input", "signals", "signal", "fields", "request", "data", "variables", "policy", "event")
_NOWS = frozenset({"current_date", "current_timestamp", "sysdate", "getdate", "current_time", "today"})
_PARTS_OF_MOMENTS = {
    "hour": ("getHours", False),
    "hours": ("getHours", False),
    "minute": ("getMinutes", False),
    "minutes": ("getMinutes", False),
    "second": ("getSeconds", False),
    "year": ("getFullYear", False),
    "month": ("getMonth", True),
    "day": ("getDate", False),
    "weekday": ("getDayOfWeek", False),
    "dayofweek": ("getDayOfWeek", False),
    "day_of_week": ("getDayOfWeek", False),
}
_PARTS_OF_LENGTHS = {
    "weeks": ("getHours", 168), "days": ("getHours", 24), "day": ("getHours", 24), "hours": ("getHours", 1),
    "hour": ("getHours", 1), "minutes": ("getMinutes", 1), "seconds": ("getSeconds", 1),
}  # fmt: skip  # fmt: skip


@dataclass(slots=True)
class Names(Beside):
    """Gives names, and what follows a dot or stands in square brackets, their meaning."""

    def index(self, node: Index) -> Node:
        """Return `text[0]` as the part of the text that it is, and a lookup table without the key that it finds."""
        path = path_of(node.operand)
        if (part := _SLICE.search(self.said(node))) and path in self.fields and is_text(self.type(node.operand)):
            self.slip(node.span, "a part of a text is `x.substring(from, to)`")
            places = tuple(Literal(span=node.key.span, value=int(at)) for at in part.groups())
            return Call(span=node.span, function="substring", arguments=(node.operand, *places), method=True)
        if path is not None and path not in self.fields and not isinstance(node.key, Literal) and self.is_scalar(path):
            self.slip(node.span, "a lookup table finds its row itself, and is read by its name")
            return node.operand
        key = node.key.value if isinstance(node.key, Literal) else None
        if isinstance(key, str) and isinstance(many := self.type(node.operand), SetType) and key in many.values:
            self.slip(node.span, "whether a value is among others is asked with `in`")
            return Binary(span=node.span, operator="in", left=node.key, right=node.operand)
        if (
            type(key) is int
            and key >= 0
            and is_text(self.type(node.operand))
            and "substring" in self.environment.functions
        ):
            self.slip(node.span, "a part of a text is `x.substring(from, to)`")
            ends = tuple(Literal(span=node.key.span, value=at) for at in (key, key + 1))
            return Call(span=node.span, function="substring", arguments=(node.operand, *ends), method=True)
        return node

    def is_scalar(self, path: str) -> bool:
        """Whether a name is that of one number, text or the like."""
        return self.environment.names.get(path) in (INT, DOUBLE, STRING, BOOL, DURATION)

    def name(self, node: Name | Select) -> Node:
        """Return a name as it is declared."""
        path = path_of(node)
        if path is None and isinstance(node, Select):
            table = node.operand
            while isinstance(table, Index) and not isinstance(table.key, Literal):
                table = table.operand
            column = f"{path_of(table)}.{node.field}"
            if table is not node.operand and self.is_scalar(column):
                self.slip(node.span, "a lookup table finds its row itself, and is read by its name and column")
                return Name(name=column, span=node.span)
        if path is None:
            return (
                self.part_of_moment(replace(node, operand=self.of(node.operand))) if isinstance(node, Select) else node
            )
        if self.is_known(path):
            return self.part_of_moment(node)
        first, _, rest = path.partition(".")
        names = self.environment.names
        if path.lower() in _NOWS and "now" in names:
            self.slip(node.span, f"`{path}` is written `now`")
            return Name(name="now", span=node.span)
        if first.lower() in _OWNERS and rest and self.is_known(rest):
            self.slip(node.span, f"`{path}` is written `{rest}`", is_sure=True)
            return Name(name=rest, span=node.span)
        if first.lower() in ("list", "lists") and list_name(rest).casefold() in {name.casefold() for name in names}:
            path = rest
        listed = [name for name in names if name.casefold() == list_name(path).casefold()]
        if listed and listed[0] != list_name(path):
            path = list_of(listed[0]) or path
        if listed:
            self.slip(node.span, f"the list `{path}` is written `{list_name(path)}`", is_sure=True)
            return Name(name=list_name(path), span=node.span)
        folded = [name for name in names if name.casefold() == path.casefold()]
        if len(folded) == 1:
            self.slip(node.span, f"`{path}` is written `{folded[0]}`", is_sure=True)
            return Name(name=folded[0], span=node.span)
        owned = [name for name in names if name.rpartition(".")[2] == path and "." in name]
        if len(owned) == 1:
            self.slip(node.span, f"`{path}` is written `{owned[0]}`")
            return Name(name=owned[0], span=node.span)
        if isinstance(node, Select):
            operand = self.of(node.operand)
            if operand != node.operand or isinstance(operand, Name):
                return self.part_of_moment(replace(node, operand=operand))
        return node

    def part_of_moment(self, node: Name | Select) -> Node:
        """Return `now.hour`, `account_age.days`, `name.length` as the calls that they are here."""
        if not isinstance(node, Select) or self.is_declared(node):
            return node
        operand = self.name(node.operand) if isinstance(node.operand, Name | Select) else self.of(node.operand)
        type_ = self.type(operand)
        word = node.field.lower()
        message = f"`.{node.field}` is asked for with a call"
        if isinstance(type_, MoneyType) and node.field.upper() in type_.currencies:
            self.slip(node.span, f"`.{node.field}` is asked for with a call")
            return self.money(operand, node.field.upper(), node.span)
        if isinstance(type_, SetType) and node.field in type_.values:
            self.slip(node.span, "whether a value is among others is asked with `in`")
            return Binary(span=node.span, operator="in", left=Literal(span=node.span, value=node.field), right=operand)
        if type_ == TIMESTAMP and word in _PARTS_OF_MOMENTS:
            function, ahead = _PARTS_OF_MOMENTS[word]
            if function == "getDayOfWeek":
                raise doubtful_weekday(operand, node.field, node.span)
            self.slip(node.span, message, ZONE)
            part: Node = Call(span=node.span, function=function, arguments=(operand,), method=True)
            return (
                Binary(span=node.span, operator="+", left=part, right=Literal(span=node.span, value=1))
                if ahead
                else part
            )
        if type_ == DURATION and word in _PARTS_OF_LENGTHS:
            function, divisor = _PARTS_OF_LENGTHS[word]
            self.slip(node.span, message)
            part = Call(span=node.span, function=function, arguments=(operand,), method=True)
            whole = Literal(span=node.span, value=divisor)
            return part if divisor == 1 else Binary(span=node.span, operator="/", left=part, right=whole)
        if word in ("length", "size", "count", "len") and (is_text(type_) or isinstance(type_, ListType | SetType)):
            self.slip(node.span, f"`.{node.field}` is written `size(…)`")
            return Call(span=node.span, function="size", arguments=(operand,))
        return replace(node, operand=operand)

    def money(self, value: Node, currency: str, span: Span) -> Call:
        """Return an amount in a currency."""
        code = Literal(span=span, value=currency)
        return Call(span=span, function="in", arguments=(value, code), method=True)

    def is_declared(self, node: Node) -> bool:
        """Whether a part is the full name of something declared."""
        path = path_of(node)
        if path is None or path.partition(".")[0] in self.bound:
            return False
        return path in self.environment.names
