"""What calls mean: those of ours in another form, and those of other languages."""

from __future__ import annotations

from dataclasses import dataclass, replace

from adjudge.expr.check import Environment, check
from adjudge.expr.foreign.functions.said import ZONE, Said
from adjudge.expr.foreign.functions.table import ours
from adjudge.expr.foreign.meaning.beside import in_hours, path_of
from adjudge.expr.foreign.meaning.comparisons import Comparisons
from adjudge.expr.foreign.slips import Amount, Doubtful, Moment, Slip
from adjudge.expr.nodes import (
    Binary,
    Call,
    ListLiteral,
    Literal,
    Name,
    Node,
)
from adjudge.source import Source
from adjudge.values.meant import (
    Quantity,
    duration_meant,
    duration_text,
)
from adjudge.values.types import (
    BOOL,
    DOUBLE,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    MoneyType,
    SetType,
    is_text,
)

_MODULES = frozenset({"math", "datetime", "date", "np", "re", "pd", "string", "str", "sets", "Math", "regex"})


@dataclass(slots=True)
class Calls(Comparisons):
    """Gives calls their meaning."""

    def call(self, node: Call) -> Node:
        """Return a call as it is written here, its arguments first."""
        arguments = tuple(self.of(argument) for argument in node.arguments)
        node = replace(node, arguments=arguments)
        functions = self.environment.functions
        namespace = path_of(arguments[0]) if node.method and arguments else None
        is_ours = node.function in functions and (
            namespace is None or namespace not in _MODULES or self.is_known(namespace)
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
            case Call(function="int", arguments=(condition,)) if self.type(condition) == BOOL:
                self.slip(node.span, "what is true or false is a condition itself, without `int`")
                return condition
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


def _fails(node: Call, environment: Environment, source: Source) -> bool:
    typed, _ = check(node, environment, source=source)
    return typed is None
