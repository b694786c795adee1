"""Functions: those of strings, times and sizes as the solver has them; the rest as functions of which nothing is known
but that the same arguments give the same answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import z3

from adjudge.errors import EvaluationError
from adjudge.expr.clocks import DAY_S, clocks_of
from adjudge.expr.functions import MATCHED_MAX, bool_of_string, matches, zone
from adjudge.expr.nodes import Call
from adjudge.expr.smt.amounts import is_at_most
from adjudge.expr.smt.arithmetic import all_known, rounded, toward_zero
from adjudge.expr.smt.comparison import with_tail
from adjudge.expr.smt.lengths import length_in
from adjudge.expr.smt.logic import Prop, all_of, any_of, at_least, conj, disj, formula, neg, number_of
from adjudge.expr.smt.patterns import pattern_of
from adjudge.expr.smt.terms import (
    Codes,
    Entries,
    Items,
    Members,
    Number,
    Opaque,
    Term,
    Text,
    Truth,
    as_string,
    length_of,
)
from adjudge.expr.smt.world import EPOCH, LIMITS, World
from adjudge.values.literals import INT_MAX, INT_MIN
from adjudge.values.types import BOOL, DATE, DOUBLE, DURATION, INT, STRING, TIMESTAMP, Type, is_dynamic, is_text

_SECOND, _DAY = 10**6, 86_400 * 10**6
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startsWith": lambda text, part: text.startswith(part),
    "endsWith": lambda text, part: text.endswith(part),
    "matches": matches,
}
_SEQUENCE_TESTS: dict[str, Callable[[Any, Any], Any]] = {
    "contains": z3.Contains,
    "startsWith": lambda text, part: z3.PrefixOf(part, text),
    "endsWith": lambda text, part: z3.SuffixOf(part, text),
}
_OF_THE_DAY = {"getHours": (3600 * _SECOND, 24), "getMinutes": (60 * _SECOND, 60), "getSeconds": (_SECOND, 60)}
_OF_THE_DAY["getMilliseconds"] = (1000, 1000)
_CONVERSIONS = ("int", "double", "bool", "string", "timestamp", "duration")
_RANGES = {
    "getFullYear": (1, 9999), "getMonth": (0, 11), "getDayOfMonth": (0, 30), "getDate": (1, 31),
    "getDayOfYear": (0, 365), "getDayOfWeek": (0, 6), "getHours": (0, 23), "getMinutes": (0, 59),
    "getSeconds": (0, 59), "getMilliseconds": (0, 999), "timeOfDay": (0, _DAY - 1), "date": LIMITS[DATE],
}  # fmt: skip


def call(world: World, function: str, node: Call, arguments: Sequence[Term]) -> Term:
    """Return what a function gives."""
    known = all_of(argument.known for argument in arguments)
    first, *rest = arguments
    made: Term | None = None
    if function == "atLeast" and isinstance(first, Number) and isinstance(rest[0], Items):
        made = _at_least(world, first, rest[0])
    elif function in ("abs", "round", "min", "max") and all(isinstance(one, Number) for one in arguments):
        made = _number(function, [one for one in arguments if isinstance(one, Number)])
    elif function == "substring" and isinstance(first, Text):
        made = _substring(first, [one for one in rest if isinstance(one, Number)], world.codes)
    elif function == "size" and not rest:
        made = _size(world, first)
    elif function in _TEXT_TESTS and isinstance(first, Text) and isinstance(rest[0], Text):
        made = _text_test(world, function, first, rest[0])
    elif function in _CONVERSIONS:
        made = _converted(world, function, first, node.arguments[0].type)
    elif function in _RANGES and isinstance(first, Number) and node.arguments[0].type == TIMESTAMP:
        made = _part(world, function, first, rest)
    elif function == "date" and isinstance(first, Number):
        made = first
    elif function in _RANGES and isinstance(first, Number) and node.arguments[0].type == DATE:
        made = _local(world, function, Number(first.known, first.value * _DAY), 0, "")
    elif function in _OF_THE_DAY and isinstance(first, Number):
        made = _units(function, first)
    return made if made is not None else _any(world, function, node, arguments, known)


def _number(function: str, numbers: Sequence[Number]) -> Number:
    """Return `abs`, `round`, `min` or `max` of numbers of one type; odd where one of them is."""
    known = all_of(number.known for number in numbers)
    odd = any_of(number.odd for number in numbers)
    first, *rest = (number.value for number in numbers)
    is_double = numbers[0].is_double
    size = z3.If(first >= 0, first, -first)
    match function:
        case "abs":
            known, value = known if is_double else conj(known, first != INT_MIN), size
        case "round" if is_double:
            whole = z3.ToReal(z3.ToInt(size + z3.Q(1, 2)))
            value = z3.If(first >= 0, whole, -whole)
        case _:
            value = first
            for other in rest:
                value = z3.If(other < value if function == "min" else other > value, other, value)
    return Number(known, value, is_double=is_double, odd=odd)


def _substring(text: Text, places: Sequence[Number], codes: Codes) -> Text:
    string = as_string(text, codes)
    start, length = places[0].value, z3.Length(string)
    stop = places[1].value if len(places) > 1 else length
    inside = z3.And(start >= 0, start <= stop, stop <= length)
    known = conj(text.known, *(place.known for place in places), inside)
    return Text(known, z3.SubString(string, start, stop - start))


def _at_least(world: World, count: Number, conditions: Items) -> Truth:
    """Return whether so many conditions are true; of a list that goes on, as far as the rest allows."""
    held = [(there, item) for there, item in conditions.items if isinstance(item, Truth)]
    true = [conj(there, truth.true) for there, truth in held]
    open_ = [conj(there, neg(truth.false)) for there, truth in held]
    known = conj(count.known, conditions.known)
    if z3.is_int_value(count.value):
        least = count.value.as_long()
        answer = Truth(conj(known, at_least(least, true)), conj(known, neg(at_least(least, open_))))
    else:
        answer = Truth(conj(known, number_of(true) >= count.value), conj(known, number_of(open_) < count.value))
    return with_tail(world, answer, replace(conditions, known=known), "exists")


def _units(function: str, length: Number) -> Number:
    """Return a duration in whole units; in milliseconds only what is left of a second."""
    if function == "getMilliseconds":
        size = z3.If(length.value >= 0, length.value, -length.value)
        rest = (size % _SECOND) / 1000
        return Number(length.known, z3.If(length.value >= 0, rest, -rest))
    return Number(length.known, toward_zero(length.value, z3.IntVal(_OF_THE_DAY[function][0])))


def _size(world: World, argument: Term) -> Term:
    match argument:
        case Text(value=str(text)):
            return Number(argument.known, z3.IntVal(len(text)))
        case Text():
            return Number(argument.known, z3.Length(as_string(argument, world.codes)))
        case Members():
            count = z3.Sum([z3.IntVal(0), *(z3.If(formula(there), 1, 0) for there in argument.of.values())])
            return Number(conj(argument.known, neg(argument.open)), count)
        case Items():
            return Number(argument.known, length_of(argument))
        case Entries(is_closed=True):
            count = z3.Sum([z3.IntVal(0), *(z3.If(formula(there), 1, 0) for there, _ in argument.of.values())])
            return Number(argument.known, count)
    count = z3.Int(world.fresh("size"))
    world.constraints.append(count >= 0)
    return Number(argument.known, count)


def _is_short(text: Text, codes: Codes) -> Prop:
    """Return whether a text is not too long for patterns; an input that is, is left out, see docs/proofs.md."""
    is_input = not isinstance(text.value, str) and z3.is_const(text.value) and not z3.is_string_value(text.value)
    return True if is_input else is_at_most(length_in(text, codes), MATCHED_MAX)


def _text_test(world: World, function: str, text: Text, part: Text) -> Term:
    known = conj(text.known, part.known)
    codes = world.codes
    if text.vocabulary is not None and text.is_code and isinstance(part.value, str):
        try:
            words = [word for word in text.vocabulary if _TEXT_TESTS[function](word, part.value)]
        except EvaluationError:
            return Truth(False, False)
        found = any_of(text.value == codes.code(word) for word in words)
        return Truth(conj(known, found), conj(known, neg(found)))
    string = as_string(text, codes)
    if function in _SEQUENCE_TESTS:
        holds = _SEQUENCE_TESTS[function](string, as_string(part, codes))
        return Truth(conj(known, holds), conj(known, z3.Not(holds)))
    known = conj(known, _is_short(text, codes))
    if isinstance(part.value, str):
        try:
            matches("", part.value)
        except EvaluationError:
            return Truth(False, False)
        pattern = pattern_of(part.value)
        if pattern is not None:
            holds = z3.InRe(string, pattern)
            return Truth(conj(known, holds), conj(known, z3.Not(holds)))
        holds = z3.Function(f"matches {part.value!r}", z3.StringSort(), z3.BoolSort())(string)
        return Truth(conj(known, holds), conj(known, z3.Not(holds)))
    answer = z3.Function("matches?", z3.StringSort(), z3.StringSort(), z3.BoolSort())
    fine = z3.Function("pattern?", z3.StringSort(), z3.BoolSort())(as_string(part, codes))
    holds = answer(string, as_string(part, codes))
    return Truth(conj(known, fine, holds), conj(known, fine, z3.Not(holds)))


def _converted(world: World, function: str, argument: Term, of: Type | None) -> Term | None:
    """Return a conversion that the solver has; None for the others. of: the argument's type."""
    known = argument.known
    if function == "int":
        return _int(world, argument, of)
    match function, argument:
        case (("timestamp" | "duration"), Number()) if of in (TIMESTAMP, DURATION):
            return argument
        case "bool", Truth():
            return argument
        case "bool", Text(value=value) if not isinstance(value, str):
            string = as_string(argument, world.codes)
            words: dict[bool, list[str]] = {True: [], False: []}
            for word in ("1", "t", "true", "TRUE", "True", "0", "f", "false", "FALSE", "False"):
                words[bool_of_string(word)].append(word)
            return Truth(*(conj(known, z3.Or([string == word for word in words[said]])) for said in (True, False)))
        case "string", Text():
            return argument
        case "string", Truth():
            return Text(known, z3.If(formula(argument.true), z3.StringVal("true"), z3.StringVal("false")))
        case "double", Number(is_double=True):
            return argument
        case "double", Number():
            exact = z3.ToReal(argument.value)
            if z3.is_int_value(argument.value):
                return Number(known, z3.RealVal(float(argument.value.as_long())), is_double=True)
            near = rounded(world, exact, known, False)
            world.constraints.append(
                z3.Implies(z3.And(argument.value <= 2**53, argument.value >= -(2**53)), near.value == exact)
            )
            return near
    return None


def _int(world: World, argument: Term, of: Type | None) -> Term | None:
    known = argument.known
    match argument:
        case Number(is_double=True, value=value):
            size = z3.ToInt(z3.If(value >= 0, value, -value))
            inside = z3.And(value > -(2**63), value < 2**63)
            free = z3.Bool(world.fresh("odd"))  # infinity has no int; nor does what overflowed
            fits = conj(disj(neg(argument.odd), free), inside)
            return Number(conj(known, fits), z3.If(value >= 0, size, -size))
        case Number(value=value) if of == TIMESTAMP:
            return Number(known, value / _SECOND)
        case Number() if of == INT:
            return argument
    return None


def _part(world: World, function: str, moment: Number, rest: Sequence[Term]) -> Term | None:
    """Return a part of a timestamp: exact with a fixed offset, and in a zone as far as its offsets were looked up.

    Elsewhere the offset is one between the least and the greatest that the zone ever has, the same at the same time for
    all parts; and of the calendar, it is some number in its range.
    """
    if not rest:
        return _local(world, function, moment, 0, "")
    name = rest[0].value if isinstance(rest[0], Text) else None
    if not isinstance(name, str):
        return None
    try:
        there = zone(name)
    except EvaluationError:
        return unknown(function)
    fixed = there.utcoffset(None)
    low, high = LIMITS[TIMESTAMP]
    if fixed is not None:
        offset = fixed // timedelta(microseconds=1)
        local = Number(conj(moment.known, moment.value + offset >= low, moment.value + offset <= high), moment.value)
        return _local(world, function, local, offset, name)
    pieces = offsets(name)
    (first, offset_), *later = pieces
    shift: Any = z3.IntVal(offset_)
    for begins, offset_ in later:
        shift = z3.If(moment.value >= begins, offset_, shift)
    clocks = clocks_of(name)
    least, most = clocks.ends if clocks is not None else (1 - DAY_S, DAY_S - 1)
    some = z3.Function(f"offset of {name}", z3.IntSort(), z3.IntSort())(moment.value)
    world.constraints.append(z3.And(some >= least * _SECOND, some <= most * _SECOND))
    inside = z3.And(moment.value >= first, moment.value < LOOKED_UP[1])
    found = _local(world, function, moment, z3.If(inside, shift, some), name)
    return Number(conj(found.known, z3.Or(inside, _is_there(function, moment, name))), found.value)


def _local(world: World, function: str, moment: Number, offset: Any, where: str) -> Number:
    local = moment.value + offset
    if function == "timeOfDay":
        return Number(moment.known, local % _DAY)
    if function == "date":
        return Number(moment.known, local / _DAY)
    if function in _OF_THE_DAY:
        unit, count = _OF_THE_DAY[function]
        return Number(moment.known, (local / unit) % count)
    if function == "getDayOfWeek":
        return Number(moment.known, (local / _DAY + EPOCH.isoweekday()) % 7)
    return _somewhere(world, function, Number(moment.known, local), where if isinstance(offset, int) else "local")


LOOKED_UP = tuple((datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) for year in (2000, 2040))
"""Between these times a zone's offsets are looked up."""


@lru_cache(maxsize=64)
def offsets(name: str) -> tuple[tuple[int, int], ...]:
    """Return a zone's offsets from UTC between 2000 and 2040: from when each holds, and what it is; microseconds."""
    there = zone(name)

    def offset(at: int) -> int:
        shift = (EPOCH + timedelta(microseconds=at)).astimezone(there).utcoffset()
        return (shift or timedelta()) // timedelta(microseconds=1)

    begin, end = LOOKED_UP
    found = [(begin, offset(begin))]
    for day in range(begin, end, _DAY):
        after = offset(day + _DAY)
        if after != found[-1][1]:
            low, high = day, day + _DAY
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == found[-1][1] else (low, middle)
            found.append((high, after))
    return tuple(found)


def unknown(function: str) -> Number:
    """Return a part of a time that there is not."""
    return Number(False, z3.IntVal(_RANGES[function][0]))


def _somewhere(world: World, function: str, moment: Number, where: str) -> Number:
    value = z3.Function(f"{function} {where}", z3.IntSort(), z3.IntSort())(moment.value)
    low, high = _RANGES[function]
    world.constraints.append(z3.And(value >= low, value <= high))
    return Number(conj(moment.known, _is_there(function, moment, where) if where else True), value)


def _is_there(function: str, moment: Number, where: str) -> Prop:
    """Return that a zone shows a time at a moment: near the first and the last of all it may not."""
    at_the_ends = z3.Function(f"{function} {where}?", z3.IntSort(), z3.BoolSort())(moment.value)
    first, last = (limit + sign * _DAY for limit, sign in zip(LIMITS[TIMESTAMP], (1, -1), strict=True))
    return z3.Or(z3.And(moment.value >= first, moment.value <= last), at_the_ends)


def _any(world: World, function: str, node: Call, arguments: Sequence[Term], known: Prop) -> Term:
    """Return the answer of a function of which nothing is known, the same for the same arguments."""
    partly = [argument for argument in arguments if isinstance(argument, Members | Items | Entries | Opaque)]
    result = _sort(node.type)
    types = [argument.type for argument in node.arguments]
    if partly or result is None or any(map(is_dynamic, types)):
        return world.opaque(node.type, conj(known, *(all_known(a) for a in partly if isinstance(a, Items))))
    values = [_value(argument, world) for argument in arguments]
    values += [_which(argument, world) for argument in arguments if isinstance(argument, Number) and argument.is_double]
    sorts = [value.sort() for value in values]
    name = f"{function}({', '.join(map(str, types))})"
    known = conj(known, z3.Function(f"{name}?", *sorts, z3.BoolSort())(*values))
    value = z3.Function(name, *sorts, result)(*values)
    if node.type == BOOL:
        return Truth(conj(known, value), conj(known, z3.Not(value)))
    if node.type is not None and is_text(node.type):
        return Text(known, value)
    is_double = node.type == DOUBLE
    if is_double:
        return Number(known, value, is_double=True, odd=z3.Bool(world.fresh("odd")))
    low, high = LIMITS.get(node.type or INT, (INT_MIN, INT_MAX))
    world.constraints.append(z3.And(value >= low, value <= high))
    return Number(known, value)


def _which(double: Number, world: World) -> Any:
    """Return a number that tells doubles apart which the solver has as one: the two zeros, and what is odd."""
    value = double.value
    is_variable = z3.is_const(value) and value.decl().kind() == z3.Z3_OP_UNINTERPRETED
    which = z3.Int(f"which {value.decl().name()}" if is_variable else world.fresh("which"))
    return z3.If(formula(disj(double.odd, value == 0)), which, 0)


def _sort(type_: Type | None) -> Any:
    if type_ == BOOL:
        return z3.BoolSort()
    if type_ == DOUBLE:
        return z3.RealSort()
    if type_ in (INT, DURATION, TIMESTAMP, DATE):
        return z3.IntSort()
    return z3.StringSort() if (type_ is not None and is_text(type_)) or type_ == STRING else None


def _value(term: Term, world: World) -> Any:
    match term:
        case Truth():
            return formula(term.true)
        case Number():
            return term.value
        case Text():
            return as_string(term, world.codes)
    raise TypeError(f"{term!r} has no value")
