"""What the parts of a condition mean by the types of what they stand beside: bare words, dates, shares, functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

from adjudge.expr.check import Environment, check
from adjudge.expr.foreign.beside import ORDER, Beside, in_hours, path_of, reckoned
from adjudge.expr.foreign.built import COUNTED
from adjudge.expr.foreign.built import within as between
from adjudge.expr.foreign.calls import ZONE, Said, doubtful_weekday, ours
from adjudge.expr.foreign.slips import NOTHING, Amount, Clock, Doubtful, Moment, Slip
from adjudge.expr.nodes import (
    Binary,
    BinaryOperator,
    Call,
    Comprehension,
    Conditional,
    Has,
    Index,
    ListLiteral,
    Literal,
    Logic,
    MapLiteral,
    Name,
    Node,
    Select,
    Unary,
    list_name,
    list_of,
)
from adjudge.source import Source, Span
from adjudge.values.fields import Field
from adjudge.values.literals import parse_duration
from adjudge.values.meant import (
    SECONDS,
    Quantity,
    currency_of,
    duration_meant,
    duration_text,
    length_text,
)
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    MoneyType,
    SetType,
    is_text,
    named,
)

_COMPARISONS = (*ORDER, "==", "!=")
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_SLICE = re.compile(r"\[\s*(\d{1,6})\s*:\s*(\d{1,6})\s*\]$", re.ASCII)
_OWNERS = ("inputs", "input", "signals", "signal", "fields", "request", "data", "variables", "policy", "event")


def with_meaning(
    tree: Node, environment: Environment, fields: Mapping[str, Field], source: Source, slips: list[Slip]
) -> Node:
    """Return an untyped tree in which each part means what it does by its types, and note what is written otherwise.

    Raises Doubtful where a part can be meant in two ways.
    """
    meaning = _Meaning(environment, fields, source, slips)
    return meaning.settled(meaning.of(tree))


def asked_of(node: Node, environment: Environment, source: Source) -> Slip | None:
    """Return what can be asked of a field that stands where a condition belongs; None for anything else."""
    denied = isinstance(node, Unary) and node.operator == "!"
    field = node.operand if isinstance(node, Unary) and denied else node
    path = path_of(field)
    typed, _ = check(field, environment, source=source)
    if path is None or typed is None or typed.type in (None, BOOL, DYN):
        return None
    not_ = "!" if denied else ""
    ways = [f"{not_}has({path})"]
    if is_text(typed.type or DYN):
        ways.append(f'{path} {"==" if denied else "!="} ""')
    elif typed.type in (INT, DOUBLE):
        ways.append(f"{path} {'==' if denied else '>'} 0{'.0' if typed.type == DOUBLE and denied else ''}")
    what = f"`{path}` is {named(typed.type)}, and alone no condition"
    return Slip(node.span, what, more="write " + " or ".join(f"`{way}`" for way in ways))


@dataclass(slots=True)
class _Meaning(Beside):
    """Gives each part of one condition its meaning, its own parts first."""

    def of(self, node: Node) -> Node:
        """Return a part as it is written here, its own parts first."""
        match node:
            case Amount():
                return node
            case Name() | Select():
                return self.name(node)
            case Has(operand=operand):
                return replace(node, operand=self.of(operand))
            case Index(operand=operand, key=key):
                return self.index(replace(node, operand=self.of(operand), key=self.of(key)))
            case Unary():
                return self.unary(node)
            case Binary():
                return self.binary(node)
            case Logic():
                return self.logic(node)
            case Conditional(condition=condition, then=then, otherwise=otherwise):
                return self.choice(
                    replace(node, condition=self.of(condition), then=self.of(then), otherwise=self.of(otherwise))
                )
            case Call():
                return self.call(node)
            case Comprehension(variable=variable):
                return self.comprehension(node, variable)
            case ListLiteral(items=items):
                return replace(node, items=tuple(self.of(item) for item in items))
            case MapLiteral(entries=entries):
                return replace(node, entries=tuple((self.of(key), self.of(value)) for key, value in entries))
            case _:
                return node

    def choice(self, node: Conditional) -> Conditional:
        """Return `has(x) ? x : 0` with a double where `x` is one."""
        other = node.otherwise
        is_known = isinstance(node.condition, Has) and self.type(node.then) == DOUBLE
        if is_known and isinstance(other, Literal) and type(other.value) is int:
            return replace(node, otherwise=replace(other, value=float(other.value)))
        return node

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

    def comprehension(self, node: Comprehension, variable: str) -> Node:
        operand = self.of(node.operand)
        outer, self.bound = self.bound, self.bound | {variable}
        predicate = self.of(node.predicate) if node.predicate is not None else None
        transform = self.of(node.transform) if node.transform is not None else None
        self.bound = outer
        return replace(node, operand=operand, predicate=predicate, transform=transform)

    def name(self, node: Name | Select) -> Node:
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

    def in_currency(self, node: Binary) -> Binary:
        """Return a comparison of money with an amount that names its currency: `limit > $1000`."""
        for side, other, place in ((node.left, node.right, "left"), (node.right, node.left, "right")):
            type_ = self.type(side)
            if not isinstance(type_, MoneyType) or not isinstance(other, Amount) or other.unit != "currency":
                continue
            currency = currency_of(other.said)
            if currency is not None:
                self.slip(node.span, f"money is compared in one currency: `….in({currency})`")
                amount = self.money(side, currency, side.span)
                number = Literal(span=other.span, value=other.number)
                left, right = (amount, number) if place == "left" else (number, amount)
                return replace(node, left=left, right=right)
        return node

    def is_declared(self, node: Node) -> bool:
        path = path_of(node)
        if path is None or path.partition(".")[0] in self.bound:
            return False
        return path in self.environment.names

    def unary(self, node: Unary) -> Node:
        operand = self.of(node.operand)
        if node.operator == "-" and isinstance(operand, Amount):
            return replace(operand, number=-operand.number, span=node.span)
        if node.operator == "!" and isinstance(operand, Unary) and operand.operator == "!":
            return operand.operand
        return replace(node, operand=operand)

    def binary(self, node: Binary) -> Node:
        left, right = self.of(node.left), self.of(node.right)
        node = replace(node, left=left, right=right)
        if isinstance(left, Unary) and left.operator == "!" and self.type(left.operand) not in (BOOL, DYN):
            self.slip(left.span, "`!` belongs before the whole comparison")
            inner = self.binary_of(replace(node, left=left.operand))
            if node.operator == "==":
                return replace(inner, operator="!=") if isinstance(inner, Binary) else inner
            return Unary(span=node.span, operator="!", operand=inner)
        return self.binary_of(node)

    def binary_of(self, node: Binary) -> Node:
        node = self.in_currency(self.with_fields(node))
        left, right, operator = node.left, node.right, node.operator
        if (
            operator in _COMPARISONS
            and isinstance(left, Binary)
            and left.operator in _COMPARISONS
            and self.is_chain(node, left)
        ):
            self.slip(node.span, "a comparison has two sides; two comparisons are joined with `&&`")
            second = self.binary_of(replace(node, left=_middle(left)))
            return self.overnight(Logic(span=node.span, operator="&&", operands=(left, second)))
        if operator in _COMPARISONS and isinstance(left, Logic):  # `a < b < c`, whose first half has become two already
            last = left.operands[-1]
            if isinstance(last, Binary) and last.operator in _COMPARISONS and self.is_chain(node, last):
                second = self.binary_of(replace(node, left=_middle(last)))
                return replace(left, operands=(*left.operands, second), span=node.span)
        if (count := self.counted(node)) is not None:
            return count
        if operator == "in":
            return self.membership(node)
        if operator in ("+", "-", "*", "/", "%"):
            return self.arithmetic(node)
        if (known := self.null(node)) is not None:
            return known
        if operator in ("==", "!=") and (held := self.held(node)) is not None:
            return held
        if (found := self.found_in(node)) is not None:
            return found
        left, right = self.now_beside(left, right), self.now_beside(right, left)
        one, other = self.beside(left, right, operator), self.beside(right, left, operator)
        node = replace(node, left=other, right=one)
        if (clock := self.clock(node)) is not None:
            return clock
        return node

    def with_fields(self, node: Binary) -> Binary:
        """Return a comparison in which the name of a field in quotes is the field."""
        for side, other, place in ((node.left, node.right, "left"), (node.right, node.left, "right")):
            name = side.value if isinstance(side, Literal) else None
            if isinstance(name, str) and name in self.fields and not is_text(self.type(other)):
                self.slip(side.span, f"`{name}` in quotes is a text; without them it is the field")
                field = Name(name=name, span=side.span)
                return replace(node, left=field) if place == "left" else replace(node, right=field)
        return node

    def found_in(self, node: Binary) -> Node | None:
        """Return `a.contains(b)` for `a.find(b) >= 0`, whose call has become that already."""
        call, position = node.left, node.right
        is_position = isinstance(position, Literal | Unary) and self.type(position) == INT
        if not (isinstance(call, Call) and call.function == "contains" and is_position):
            return None
        value = position.value if isinstance(position, Literal) else -1
        is_there = (node.operator in (">", ">=", "!=")) if value in (-1, 0, 1) else None
        if is_there is None or (node.operator == "==" and value != -1):
            return None
        return call if is_there else Unary(span=node.span, operator="!", operand=call)

    def now_beside(self, part: Node, value: Node) -> Node:
        """Return `now` for a `today` that a moment is compared with, and the other way about."""
        if isinstance(part, Name) and part.name == "now" and self.type(value) == DATE:
            self.slip(part.span, "a day is compared with `today`", ZONE)
            return Call(span=part.span, function="today", arguments=(Literal(span=part.span, value="UTC"),))
        if isinstance(part, Binary) and part.operator in ("+", "-"):
            return replace(part, left=self.now_beside(part.left, value))
        if isinstance(part, Call) and part.function == "today" and self.type(value) == TIMESTAMP:
            self.slip(part.span, "a moment is compared with `now`")
            return Name(name="now", span=part.span)
        return part

    def counted(self, node: Binary) -> Node | None:
        """Return how many of several conditions hold, at least or at most, where a count of ones stands for it."""
        for side, other, operator in (
            (node.left, node.right, node.operator),
            (node.right, node.left, _MIRROR.get(node.operator, node.operator)),
        ):
            conditions = _ones(side)
            if len(conditions) < 2 or operator not in ORDER or not isinstance(other, Literal):
                continue
            slips = [one for one in self.slips if one.message == COUNTED and one.span.start >= side.span.start]
            if type(other.value) is not int or not slips:
                continue
            least = other.value + (operator in (">", "<="))
            many = ListLiteral(span=side.span, items=conditions)
            call = Call(span=node.span, function="atLeast", arguments=(replace(other, value=least), many))
            if least >= 1:
                return call if operator in (">", ">=") else Unary(span=node.span, operator="!", operand=call)
        return None

    def is_chain(self, node: Binary, left: Binary) -> bool:
        return node.operator in ORDER or (left.operator in ORDER and self.type(node.right) != BOOL)

    def null(self, node: Binary) -> Node | None:
        """Return what is asked where one side is `null`, or `""` beside what is no text."""
        for side, other in ((node.left, node.right), (node.right, node.left)):
            is_nothing = isinstance(side, Literal) and side.value == NOTHING
            if isinstance(side, Literal) and side.value == "":
                is_nothing = self.type(other) in (INT, DOUBLE, DURATION, TIMESTAMP, DATE, BOOL)
            if is_nothing and node.operator in ("==", "!="):
                message = "there is no `null`: what is missing is unknown, and asked for with `has(…)`"
                self.slip(node.span, message)
                known = Has(span=node.span, operand=other)
                return Unary(span=node.span, operator="!", operand=known) if node.operator == "==" else known
        return None

    def held(self, node: Binary) -> Node | None:
        """Return `"A" in tags` where a set or list is compared with one text."""
        for many, one in ((node.left, node.right), (node.right, node.left)):
            type_ = self.type(many)
            if many is node.right and isinstance(type_, ListType) and type_.item == self.type(one) and path_of(one):
                self.slip(node.span, "whether a value is in a list is asked with `in`")
                looked = Binary(span=node.span, operator="in", left=one, right=many)
                return looked if node.operator == "==" else Unary(span=node.span, operator="!", operand=looked)
            if isinstance(type_, SetType | ListType) and path_of(many) is not None:
                values = EnumType(type_.values) if isinstance(type_, SetType) else STRING
                word = self.word(one, values) or one
                if isinstance(word, Literal) and isinstance(word.value, str):
                    self.slip(node.span, "whether a value is among others is asked with `in`")
                    found = Binary(span=node.span, operator="in", left=word, right=many)
                    return found if node.operator == "==" else Unary(span=node.span, operator="!", operand=found)
        return None

    def clock(self, node: Binary) -> Node | None:
        """Return what a part of the day is compared with: `now.hour >= 22`, `now > 22:00`."""
        for side, other, operator in (
            (node.left, node.right, node.operator),
            (node.right, node.left, _MIRROR.get(node.operator, node.operator)),
        ):
            is_hour = isinstance(side, Call) and side.function == "getHours" and len(side.arguments) == 1
            hour = other.value if isinstance(other, Literal) and isinstance(other.value, int) else None
            if (
                is_hour
                and isinstance(side, Call)
                and hour is not None
                and operator in ORDER
                and self.type(side.arguments[0]) == TIMESTAMP
            ):
                if operator in (">", "<="):
                    hour, operator = hour + 1, ">=" if operator == ">" else "<"
                return self.time_of_day(node, side.arguments[0], operator, hour * 3600)
            if isinstance(other, Clock):
                moment = side if self.type(side) == TIMESTAMP else None
                if moment is not None:
                    self.slip(other.span, "a time of day is compared with `timeOfDay`", ZONE)
                    return self.time_of_day(node, moment, operator, other.seconds)
                if self.type(side) == DURATION:
                    text = length_text_of(other.seconds)
                    self.slip(other.span, "a time of day is the duration since midnight")
                    length = Call(
                        span=other.span, function="duration", arguments=(Literal(span=other.span, value=text),)
                    )
                    return replace(node, left=side, right=length, operator=cast(BinaryOperator, operator))
        return None

    def time_of_day(self, node: Binary, moment: Node, operator: str, seconds: int) -> Node:
        span = node.span
        zone = Literal(span=span, value="UTC")
        shown = Call(span=span, function="timeOfDay", arguments=(moment, zone), method=True)
        length = Call(span=span, function="duration", arguments=(Literal(span=span, value=length_text_of(seconds)),))
        return replace(node, left=shown, right=length, operator=cast(BinaryOperator, operator))

    def arithmetic(self, node: Binary) -> Node:
        left, right = node.left, node.right
        if self.type(right) == DATE:
            left = self.now_beside(left, right)
        elif self.type(left) == DATE:
            right = self.now_beside(right, left)
        node = replace(node, left=left, right=right)
        types = self.type(left), self.type(right)
        for at, part in enumerate((left, right)):
            beside = types[1 - at]
            if isinstance(part, Amount):
                times = reckoned((left, right)[1 - at]) if part.unit in SECONDS and node.operator == "*" else None
                if times is not None:
                    return replace(part, number=part.number * times, span=node.span, said=self.said(node))
                timed = beside in (TIMESTAMP, DURATION, DATE)
                changed = self.amount(part, DURATION if timed else beside, None)
            elif isinstance(part, Moment) or (
                isinstance(part, Literal) and isinstance(part.value, str) and beside == TIMESTAMP
            ):
                changed = self.moment(part, TIMESTAMP)
            elif beside in (TIMESTAMP, DATE) and (number := reckoned(part)) is not None and node.operator in ("+", "-"):
                days = length_text(timedelta(days=number), 86_400)
                changed = self.duration(
                    part.span, days, "a length of time needs its unit: a number alone is no number of days"
                )
            elif types[at] == BOOL and node.operator == "+":
                self.slip(part.span, COUNTED)
                one, none = Literal(span=part.span, value=1), Literal(span=part.span, value=0)
                changed = Conditional(span=part.span, condition=part, then=one, otherwise=none)
            elif isinstance(part, Literal) and beside == DOUBLE and type(part.value) is int:
                self.slip(part.span, "doubles are reckoned with doubles", is_sure=True)
                changed = replace(part, value=float(part.value))
            else:
                continue
            node = replace(node, left=changed) if at == 0 else replace(node, right=changed)
        return node

    def membership(self, node: Binary) -> Node:
        left, right = node.left, node.right
        items: list[Node] = []
        type_, within = self.type(left), self.type(right)
        if isinstance(right, ListLiteral):
            if isinstance(type_, SetType):
                words = EnumType(type_.values)
                items = [self.word(item, words) or item for item in right.items]
                right = replace(right, items=tuple(items))
                self.slip(node.span, "whether a set holds one of several is asked with `exists`")
                member = Binary(span=node.span, operator="in", left=Name(name="member"), right=right)
                return Comprehension(span=node.span, kind="exists", operand=left, variable="member", predicate=member)
            for item in right.items:
                parts = item.operands if isinstance(item, Logic) else (item,)
                if isinstance(item, Logic):
                    self.slip(item.span, "the values of a list are separated by commas")
                items += [self.beside(left, part, "==") for part in parts]
            return replace(node, right=replace(right, items=tuple(items)))
        if isinstance(right, Call) and right.function == "range" and len(right.arguments) in (1, 2):
            self.slip(right.span, "a range is written as two comparisons")
            low, high = right.arguments if len(right.arguments) == 2 else (Literal(span=right.span, value=0), right)
            return between(left, low, high, high_in=False)
        if isinstance(right, Literal) and isinstance(right.value, str) and right.value != NOTHING:
            values = [part.strip() for part in re.split(r"[,;|]", right.value) if part.strip()]
            if is_text(type_):
                self.slip(right.span, "a list stands in square brackets, each text in quotes")
                items = [self.beside(left, Literal(span=right.span, value=value), "==") for value in values]
                return replace(node, right=ListLiteral(span=right.span, items=tuple(items)))
        if is_text(within) and is_text(type_) and path_of(right) is not None:
            self.slip(node.span, "a text is looked for in a text with `contains`")
            return Call(span=node.span, function="contains", arguments=(right, left), method=True)
        if isinstance(within, SetType) and (word := self.word(left, EnumType(within.values))) is not None:
            return replace(node, left=word)
        if is_text(type_) and (word := self.word(right, type_)) is not None:
            return replace(node, right=ListLiteral(span=right.span, items=(word,)))
        return node

    def logic(self, node: Logic) -> Node:
        """Join what was left of `x == "A" || "B"` into one `in`."""
        parts: list[Node] = []
        for operand in node.operands:
            part = self.of(operand)
            before = parts[-1] if parts else None
            if isinstance(before, Binary) and before.operator == "in" and isinstance(self.type(part), ListType):
                self.slip(part.span, f"`{self.said(part)}` alone is no condition: what is looked for is said again")
                part = Binary(span=part.span, operator="in", left=before.left, right=part)
            compared = self.repeated(before, part) if before is not None else None
            if compared is None and isinstance(part, Logic) and before is not None and node.operator == "||":
                first = self.repeated(before, part.operands[0])  # `x == "A" || "B" && y`
                compared = replace(part, operands=(first, *part.operands[1:])) if first is not None else None
            if compared is not None:
                parts[-1] = compared
            elif isinstance(part, Logic) and part.operator == node.operator:
                parts += part.operands
            else:
                parts.append(part)
        return parts[0] if len(parts) == 1 else self.overnight(replace(node, operands=tuple(parts)))

    def overnight(self, node: Logic) -> Logic:
        """Return a range of hours that goes past midnight, as from 22:00 to 06:00, with `||` between its ends.

        Raises Doubtful where a range has no value in it, as from 10 to 3.
        """
        if node.operator != "&&":
            return node
        parts: list[Node] = []
        for part in node.operands:
            before = parts[-1] if parts else None
            if before is None or not (ends := _ends(before, part)) or ends[0] <= ends[1]:
                parts.append(part)
                continue
            assert isinstance(before, Binary)
            if not self.goes_round(before.left):
                message = "nothing is above the higher end of a range and below the lower one"
                raise Doubtful(Slip(part.span, message, more="name the lower end first, or join the two with `||`"))
            end = Span(part.span.end - 1, part.span.end)
            self.slip(
                end, "this end of the range comes before the other one", "past the turn either end is enough: `||`"
            )
            parts[-1] = Logic(span=before.span.to(part.span), operator="||", operands=(before, part))
        if len(parts) == 1 and isinstance(parts[0], Logic):
            return parts[0]
        return replace(node, operands=tuple(parts))

    def goes_round(self, value: Node) -> bool:
        """Whether a value begins anew: the time of day, the hour, the day of the week, the month."""
        return (
            isinstance(value, Call)
            and (value.function == "timeOfDay" or value.function.startswith("get"))
            and value.function != "getFullYear"
            and self.type(value.arguments[0]) in (TIMESTAMP, DATE)
        )

    def repeated(self, before: Node | None, part: Node) -> Node | None:
        """Return `x in [a, b]` where a bare value follows `x == a`; None for anything else."""
        denied = isinstance(before, Unary) and before.operator == "!"
        inner = before.operand if isinstance(before, Unary) and denied else before
        if not isinstance(inner, Binary) or inner.operator not in ("==", "!=", "in"):
            return None
        if self.type(inner.left) in (BOOL, DYN):
            return None
        value = self.beside(inner.left, part, "==")
        if not isinstance(value, Literal | Call) or (isinstance(value, Literal) and isinstance(value.value, bool)):
            return None
        if isinstance(value, Call) and self.type(value) == BOOL:
            return None
        if inner.operator == "in":
            if not isinstance(inner.right, ListLiteral):
                return None
            items = (*inner.right.items, value)
        else:
            items = (inner.right, value)
        name = path_of(inner.left) or "x"
        self.slip(
            part.span, f"`{self.said(part)}` alone is no condition: several values of `{name}` are asked for with `in`"
        )
        span = before.span.to(part.span) if before is not None else part.span
        right = ListLiteral(span=inner.right.span.to(part.span), items=items)
        found = Binary(span=span, operator="in", left=inner.left, right=right)
        return Unary(span=span, operator="!", operand=found) if denied or inner.operator == "!=" else found

    def call(self, node: Call) -> Node:
        arguments = tuple(self.of(argument) for argument in node.arguments)
        node = replace(node, arguments=arguments)
        functions = self.environment.functions
        namespace = path_of(arguments[0]) if node.method and arguments else None
        is_ours = node.function in functions and (
            namespace is None or not _is_module(namespace) or self.is_known(namespace)
        )
        if is_ours:
            return self.constant(node)
        if node.function.lower() in ("rand", "random"):
            what = "nothing in a condition is random, so that decisions can be made again"
            raise Doubtful(Slip(node.span, what, more="the key `sample` of a policy sends a share to a person"))
        said = Said(
            node, self.type, namespace if namespace is not None and not self.is_known(namespace) else None, functions
        )
        made = ours(said)
        if made is None:
            return self.spelled(node)
        if isinstance(made.node, Name):
            path = made.node.name
            columns = sorted(name for name in self.environment.names if name.startswith(f"{path}."))
            if columns and not self.is_scalar(path):
                ways = " or ".join(f"`{name}`" for name in columns[:3])
                raise Doubtful(Slip(node.span, made.message, more=f"write {ways}"))
        self.slip(node.span, made.message, made.more)
        return made.node if made.is_done else self.of(made.node)

    def spelled(self, node: Call) -> Node:
        """Return a call of a function of ours that is spelled with other capitals or with `_`."""
        word = node.function.casefold().replace("_", "")
        named = [name for name in self.environment.functions if name.casefold() == word]
        if len(named) != 1:
            return node
        self.slip(node.span, f"`{node.function}` is written `{named[0]}`", is_sure=True)
        return self.constant(replace(node, function=named[0]))

    def constant(self, node: Call) -> Node:
        """Return `duration("7d")`, `timestamp("2026-11-30")`, and calls in the other form, as they are written here."""
        overloads = self.environment.functions[node.function]
        forms = {overload.form for overload in overloads}
        if node.arguments and forms == {"method"} and not node.method:
            self.slip(node.span, f"`{node.function}` stands behind its value: `x.{node.function}(…)`", is_sure=True)
            node = replace(node, method=True)
        elif forms == {"function"} and node.method:
            self.slip(node.span, f"`{node.function}` stands before its value: `{node.function}(x)`", is_sure=True)
            node = replace(node, method=False)
        match node:
            case Call(function="atLeast", arguments=(count, *conditions)) if conditions:
                if isinstance(count, ListLiteral) and len(conditions) == 1:
                    self.slip(node.span, "`atLeast` takes how many first: `atLeast(2, [a, b, c])`")
                    return replace(node, arguments=(conditions[0], count))
                if not isinstance(conditions[0], ListLiteral) and all(self.type(one) == BOOL for one in conditions):
                    self.slip(node.span, "`atLeast` takes its conditions as a list: `atLeast(2, [a, b, c])`")
                    many = ListLiteral(span=node.span, items=tuple(conditions))
                    return replace(node, arguments=(count, many))
            case Call(function="in", method=True, arguments=(value, Name(name=code))) if isinstance(
                self.type(value), MoneyType
            ):
                self.slip(node.span, f'the code of a currency stands in quotes: "{code.upper()}"')
                return self.money(value, code.upper(), node.span)
            case Call(function="duration", arguments=(Literal(value=int()) as literal,)):
                return self.length(literal)
            case Call(
                function="date",
                arguments=(Literal(value=int() as year), Literal(value=int() as month), Literal(value=int() as day)),
            ):
                self.slip(node.span, "a day is written as one text")
                return Moment(span=node.span, said=f"{year:04d}-{month:02d}-{day:02d}")
            case Call(function="round", arguments=(value, Literal(value=int() as places))) if (
                1 <= places <= 6 and self.type(value) == DOUBLE
            ):
                self.slip(node.span, "`round` takes one argument, and returns a whole number")
                tens = Literal(span=node.span, value=float(10**places))
                many_times = Binary(span=node.span, operator="*", left=value, right=tens)
                whole = replace(node, arguments=(many_times,))
                return Binary(span=node.span, operator="/", left=whole, right=tens)
            case Call(function="today", arguments=()):
                zone = Literal(span=node.span, value="UTC")
                self.slip(node.span, "`today` needs the zone whose days count", ZONE)
                return replace(node, arguments=(zone,), method=False)
            case Call(function="duration", arguments=(Literal(value=str() as text) as literal,)):
                meant = duration_meant(text)
                if meant is not None and _fails(node, self.environment, self.source):
                    self.slip(literal.span, f"`{text}` is not how a length of time is written", in_hours(meant))
                    return replace(node, arguments=(replace(literal, value=meant),))
            case Call(function="duration", arguments=(Amount(unit=unit) as amount,)):
                meant = duration_text(Quantity(amount.number, unit))
                if meant is not None:
                    return self.duration(amount.span, meant, "a length of time stands in quotes", unit)
            case Call(function="timestamp", arguments=(Literal(value=str()) | Moment() as literal,)):
                made = self.moment(literal, TIMESTAMP) if _fails(node, self.environment, self.source) else literal
                return made if isinstance(made, Call) else node
            case Call(function="contains", arguments=(receiver, part)) if isinstance(
                self.type(receiver), SetType | ListType
            ):
                type_ = self.type(receiver)
                self.slip(node.span, "whether a value is among others is asked with `in`")
                word = self.word(part, EnumType(type_.values) if isinstance(type_, SetType) else STRING) or part
                return Binary(span=node.span, operator="in", left=word, right=receiver)
            case Call(function=_, arguments=(receiver, *rest)) if rest and is_text(self.type(receiver)):
                words = [self.word(part, STRING) or part for part in rest]
                return replace(node, arguments=(receiver, *words))
        return node

    def settled(self, node: Node) -> Node:
        """Return a part in which nothing waits for a type any more: what stood beside none has its plain meaning."""
        match node:
            case Amount():
                length = duration_text(Quantity(node.number, node.unit))
                if length is not None and node.unit not in ("m", "k", "b"):
                    return self.duration(
                        node.span, length, f"`{node.said}` is not how a length of time is written", node.unit
                    )
                return self.amount(node, DYN, None)
            case Moment():
                return self.moment(node, TIMESTAMP)
            case Unary(operand=operand):
                return replace(node, operand=self.settled(operand))
            case Binary(left=left, right=right):
                return replace(node, left=self.settled(left), right=self.settled(right))
            case Logic(operands=operands):
                return replace(node, operands=tuple(self.settled(one) for one in operands))
            case Conditional(condition=condition, then=then, otherwise=otherwise):
                return replace(
                    node, condition=self.settled(condition), then=self.settled(then), otherwise=self.settled(otherwise)
                )
            case Call(arguments=arguments):
                return replace(node, arguments=tuple(self.settled(one) for one in arguments))
            case ListLiteral(items=items):
                return replace(node, items=tuple(self.settled(one) for one in items))
            case _:
                return node


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
}  # fmt: skip
_MODULES = frozenset({"math", "datetime", "date", "np", "re", "pd", "string", "str", "sets", "Math", "regex"})


def _ones(node: Node) -> tuple[Node, ...]:
    """Return the conditions that `(a ? 1 : 0) + (b ? 1 : 0)` counts; none for anything else."""
    match node:
        case Conditional(condition=condition, then=Literal(value=1), otherwise=Literal(value=0)):
            return (condition,)
        case Binary(operator="+", left=left, right=right):
            ones, others = _ones(left), _ones(right)
            return (*ones, *others) if ones and others else ()
        case _:
            return ()


def _middle(first: Binary) -> Node:
    """Return the value between the ends of `22:00 < now < 23:00`, whose first comparison may have been turned."""
    is_turned = isinstance(first.right, Call) and _length(first.right) is not None and _length(first.left) is None
    return first.left if is_turned else first.right


def _length(node: Node) -> float | None:
    """Return a number, or the seconds of a duration that is written out; None for anything else."""
    match node:
        case Literal(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case Call(function="duration", arguments=(Literal(value=str() as text),)):
            return parse_duration(text).total_seconds()
        case _:
            return None


def _ends(first: Node, second: Node) -> tuple[float, float] | None:
    """Return the ends of `x >= low && x <= high`; None for anything else."""
    match first, second:
        case (
            Binary(operator=">" | ">=", left=value, right=low),
            Binary(operator="<" | "<=", left=other, right=high),
        ) if value == other:
            ends = _length(low), _length(high)
            return (ends[0], ends[1]) if ends[0] is not None and ends[1] is not None else None
        case _:
            return None


def _is_module(name: str) -> bool:
    return name in _MODULES


def length_text_of(seconds: int) -> str:
    """Return seconds since midnight as a duration."""
    return length_text(timedelta(seconds=seconds))


def _fails(node: Call, environment: Environment, source: Source) -> bool:
    typed, _ = check(node, environment, source=source)
    return typed is None
