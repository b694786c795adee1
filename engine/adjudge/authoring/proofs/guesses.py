"""Guessing inputs that make a condition true, at the very edge of it: cheaper than asking a solver, and often right.

Nothing rests on a guess: each is evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, islice, product
from types import MappingProxyType
from typing import Any

from adjudge.errors import EvaluationError
from adjudge.expr.functions import start_of_day
from adjudge.expr.nodes import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Has,
    ListLiteral,
    Literal,
    Local,
    Logic,
    Name,
    Node,
    Select,
    Unary,
    names_in,
    walk,
)
from adjudge.expr.operators import FLIPPED, NEGATED
from adjudge.expr.reference import Unknown, evaluate
from adjudge.policy.slots import NOW
from adjudge.policy.typed import TypedPolicy
from adjudge.values.types import BOOL, INT, EnumType, ListType, SetType

GUESSES_MAX = 6
"""How many ways to make one condition true are tried."""

_CLOCK = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""The time of a guess that needs one."""

Guess = Mapping[str, object]
"""Values by slot; those of a set are members to add."""
_Known = dict[tuple[str, bool], tuple[Guess, ...]]
"""By variable, and whether it is to be true."""


def guesses(node: Node, typed: TypedPolicy, wanted: bool = True) -> Iterator[Guess]:
    """Yield values that may make a condition as wanted."""
    read = typed.reads.names(node)
    known: _Known = {}
    for name, variable in typed.variables.items():  # each reads only those before it
        if name in read and variable.type == BOOL:
            for side in (True, False):
                known[name, side] = tuple(_first(variable, typed, side, known))
    yield from _first(node, typed, wanted, known)


def _first(node: Node, typed: TypedPolicy, wanted: bool, known: _Known) -> Iterator[Guess]:
    return islice(_guesses(node, typed, wanted, known), GUESSES_MAX)


def _guesses(node: Node, typed: TypedPolicy, wanted: bool, known: _Known) -> Iterator[Guess]:
    match node:
        case Unary(operator="!", operand=operand):
            yield from _guesses(operand, typed, not wanted, known)
        case Logic(operator=operator, operands=operands) if (operator == "&&") is wanted:
            ways = [list(_first(operand, typed, wanted, known)) or [{}] for operand in operands]
            for parts in islice(product(*ways), GUESSES_MAX):
                yield _joined(parts, typed)
        case Logic(operands=operands):
            for operand in operands:
                yield from _first(operand, typed, wanted, known)
        case Call(function="atLeast", arguments=(Literal(value=int(count)), ListLiteral(items=items))):
            enough = count if wanted else len(items) - count + 1
            for chosen in islice(combinations(items, enough), GUESSES_MAX) if 0 < enough <= len(items) else ():
                yield _joined((next(_first(one, typed, wanted, known), {}) for one in chosen), typed)
        case Conditional(condition=condition, then=then, otherwise=otherwise):
            for branch, is_then in ((then, True), (otherwise, False)):
                of_branch = tuple(_first(branch, typed, wanted, known))
                for parts in product(_first(condition, typed, is_then, known), of_branch):
                    yield _joined(parts, typed)
        case Name(name=name) if name in typed.variables:
            yield from known.get((name, wanted), ())
        case Name(name=name):
            yield {name: wanted}
        case Call(function=("endsWith" | "startsWith" | "contains"), arguments=(Name(name=name), part)):
            text = _constant(part, typed)
            if isinstance(text, str):
                yield {name: text if wanted else ""}
        case Comprehension(kind="exists" | "all" as kind, operand=Name(name=name), predicate=Node()) if (
            name in typed.slots and isinstance(typed.slots[name].type, ListType)
        ):
            if wanted is (kind == "all"):
                yield {name: []}
            else:
                yield from _of_an_item(node, typed, wanted, known)
        case Comprehension(kind="exists", operand=operand, predicate=Node() as predicate) if wanted:
            values = _constant(operand, typed)
            for value in values[:2] if isinstance(values, tuple) else ():
                yield from _guesses(with_local(predicate, node.variable, value), typed, wanted, known)
        case Binary(operator="in", left=left, right=right):
            yield from _membership(left, right, typed, wanted)
        case Binary(operator=operator, left=left, right=right) if operator in NEGATED:
            yield from _comparison(operator, left, right, typed, wanted)


def with_local(node: Node, variable: str, value: object) -> Node:
    """Return a predicate with a constant in place of its variable, as far as comparisons and calls go."""

    def change(part: Node) -> Node | None:
        is_it = isinstance(part, Local) and part.name == variable and isinstance(value, bool | int | float | str)
        return Literal(value=value, type=part.type) if is_it else None  # type: ignore[arg-type]  # one of these four

    return _rewritten(node, change)


def _rewritten(node: Node, change: Callable[[Node], Node | None]) -> Node:
    """Return a condition with parts changed, as far as comparisons and calls go."""

    def inner(part: Node) -> Node:
        return _rewritten(part, change)

    changed = change(node)
    if changed is not None:
        return changed
    match node:
        case Binary(left=left, right=right):
            return replace(node, left=inner(left), right=inner(right))
        case Logic(operands=operands):
            return replace(node, operands=tuple(map(inner, operands)))
        case Call(arguments=arguments):
            return replace(node, arguments=tuple(map(inner, arguments)))
        case ListLiteral(items=items):
            return replace(node, items=tuple(map(inner, items)))
        case Unary(operand=operand) | Has(operand=operand):
            return replace(node, operand=inner(operand))
        case _:
            return node


def _of_an_item(node: Comprehension, typed: TypedPolicy, wanted: bool, known: _Known) -> Iterator[Guess]:
    """Yield lists of one item for which a predicate is as wanted: the item, or its fields, stand as slots meanwhile."""
    assert isinstance(node.operand, Name) and node.predicate is not None
    name, item = node.operand.name, f"{node.operand.name}[]"
    of = typed.slots[name].of
    assert of is not None
    inside = {item: of, **{f"{item}.{part}": declared for part, declared in of.parts.items()}}

    def change(part: Node) -> Node | None:
        match part:
            case Select(operand=Local(name=local), field=field) if local == node.variable and of.parts:
                return Name(name=f"{item}.{field}", type=part.type)
            case Local(name=local) if local == node.variable:
                return Name(name=item, type=part.type)
        return None

    predicate = _rewritten(node.predicate, change)
    for guess in _first(predicate, replace(typed, slots={**typed.slots, **inside}), wanted, known):
        parts = {part: guess[f"{item}.{part}"] for part in of.parts if f"{item}.{part}" in guess}
        rest = {slot: value for slot, value in guess.items() if slot not in inside}
        if parts or item in guess:
            yield {**rest, name: [parts if of.parts else guess[item]]}


def _joined(parts: Iterable[Guess], typed: TypedPolicy) -> Guess:
    joined: dict[str, object] = {}
    for part in parts:
        for slot, value in part.items():
            before = joined.get(slot)
            if isinstance(before, list) and isinstance(value, list):
                joined[slot] = [*before, *value]
            else:
                joined[slot] = value
    return joined


def _constant(node: Node, typed: TypedPolicy, given: Mapping[str, object] = MappingProxyType({})) -> Any:
    """Return the value of a part that reads no field but those given; None where it reads one, or has none."""
    lists = {**typed.constants, **given} if given else typed.constants
    if any(isinstance(part, Local) or (isinstance(part, Name) and part.name not in lists) for part in walk(node)):
        return None
    value = evaluate(node, lists)
    return None if isinstance(value, Unknown) else value


def _comparison(operator: str, left: Node, right: Node, typed: TypedPolicy, wanted: bool) -> Iterator[Guess]:
    operator = operator if wanted else NEGATED[operator]
    for one, other, sign in ((left, right, operator), (right, left, FLIPPED.get(operator, operator))):
        at_a_time = _holds_now(one, other, typed)
        found = _isolated(one, _constant(other, typed, at_a_time), sign, typed, at_a_time)
        if found is not None:
            yield from ({**at_a_time, **guess} for guess in _beside_bound(*found, typed))
            return


def _holds_now(one: Node, other: Node, typed: TypedPolicy) -> dict[str, object]:
    """Return the clock of a guess about another field; nothing where `now` is not read, or is what is to be found."""
    named = names_in(one, other)
    return {NOW: _CLOCK} if NOW in named and any(name in typed.slots and name != NOW for name in named) else {}


def _isolated(
    node: Node, value: Any, operator: str, typed: TypedPolicy, given: Mapping[str, object]
) -> tuple[Name, object, str] | None:
    """Return a comparison of a sum with a value as one of the only field in it; None where it is no such sum."""
    try:
        while value is not None:
            match node:
                case Name(name=name) if name in typed.slots and name not in given:
                    return node, value, operator
                case Call(function="date", arguments=(Name() as moment, Literal(value=str(zone)))):
                    if operator in ("<", ">"):
                        value, operator = value + timedelta(days=1 if operator == ">" else -1), f"{operator}="
                    node, value = moment, start_of_day(value, zone)
                case Binary(operator="+" | "-" as sign, left=left, right=right):
                    if (known := _constant(right, typed, given)) is not None:
                        node, value = left, value - known if sign == "+" else value + known
                    elif (known := _constant(left, typed, given)) is not None:
                        node, value = right, value - known if sign == "+" else known - value
                        operator = operator if sign == "+" else FLIPPED.get(operator, operator)
                    else:
                        return None
                case _:
                    return None
    except (EvaluationError, OverflowError, TypeError):  # a value past its type's ends
        pass
    return None


def _beside_bound(slot: Name, value: object, operator: str, typed: TypedPolicy) -> Iterator[Guess]:
    """Yield values of a field that are to a bound as they should be, next to it."""
    if isinstance(value, float) and math.isfinite(value) and typed.slots[slot.name].type == INT:
        value, operator = _for_int(value, operator)
    if operator in ("==", "<=", ">="):
        yield {slot.name: value}
    elif operator == "!=":
        yield from ({slot.name: other} for other in _others(slot, value))
    else:
        beside = _beside(value, 1 if operator == ">" else -1)
        if beside is not None:
            yield {slot.name: beside}


def _for_int(bound: float, operator: str) -> tuple[int, str]:
    """Return how an int is compared with a double."""
    if bound.is_integer():
        return int(bound), operator
    return (math.ceil(bound), ">=") if operator in (">", ">=") else (math.floor(bound), "<=")


def _others(slot: Name, value: object) -> list[object]:
    """Return values that differ from one."""
    if isinstance(slot.type, EnumType):
        return [word for word in slot.type.values if word != value]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, str):
        return [f"{value}x"]
    return [other for step in (1, -1) if (other := _beside(value, step)) is not None]


def _beside(value: object, step: int) -> object:
    """Return the next value above, or with -1 below."""
    match value:
        case bool() | str():
            return None
        case int():
            return value + step
        case float():
            return math.nextafter(value, math.inf * step)
        case timedelta() | datetime():
            return value + step * timedelta(microseconds=1)
        case date():
            return value + step * timedelta(days=1)
    return None


def _membership(left: Node, right: Node, typed: TypedPolicy, wanted: bool) -> Iterator[Guess]:
    if isinstance(right, Name) and isinstance(right.type, SetType):
        member = _constant(left, typed)
        if isinstance(member, str):
            yield {right.name: [member] if wanted else []}
    elif isinstance(left, Name) and left.name in typed.slots and isinstance(right, Name | ListLiteral | Literal):
        values = _constant(right, typed)
        if isinstance(values, tuple) and values:
            yield {left.name: values[0]} if wanted else {left.name: f"{values[0]}x"}
