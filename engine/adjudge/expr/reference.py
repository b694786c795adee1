"""The judge: evaluates a condition by walking its tree, slowly and plainly. Every other back end must agree with it.

Strong Kleene logic: `&&`, `||`, `all` and `exists` decide where one operand decides; everything else is unknown when
a part of it is unknown or an operation fails. A list or map may be known while an item of it is unknown (None).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from adjudge.errors import EvaluationError
from adjudge.expr import work
from adjudge.expr.functions import FUNCTIONS, Overload, spelled_out
from adjudge.expr.nodes import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Has,
    Index,
    ListLiteral,
    Literal,
    Local,
    Logic,
    MapLiteral,
    Name,
    Node,
    Select,
    Unary,
)
from adjudge.frozen import frozen
from adjudge.source import Span
from adjudge.values.literals import INT_MAX, INT_MIN, TEXT_MAX, bounded_duration, int64, moved_day
from adjudge.values.nanoseconds import moved
from adjudge.values.types import DYN, EnumType, ListType, MapType, RecordType, SetType, Type

Scope = Mapping[str, object]
"""Comprehension variables; None where the item is unknown."""


@frozen
class Unknown:
    """No answer; `reason` in a policy author's words, `span` the part of the condition that had none."""

    reason: str
    span: Span


class OpenSet(tuple[object, ...]):
    """A set of which some members are not known: those that are, and a None for any number of others, even none.

    Made of every value of a checked tree whose type is a set and which holds a None.
    """

    __slots__ = ()


class _NoAnswer(Exception):
    def __init__(self, reason: str, node: Node) -> None:
        super().__init__(reason)
        self.unknown = Unknown(reason, node.span)


def evaluate(
    node: Node, values: Mapping[str, object], *, functions: Mapping[str, tuple[Overload, ...]] = FUNCTIONS
) -> object | Unknown:
    """Return the value of a condition, checked or as parsed, or Unknown; never raises.

    values: by full dotted name; None and absence are unknown, and so is what is no value of the language.
    """
    try:
        result = _Evaluation(values, functions).value(node, {})
    except _NoAnswer as no_answer:
        return no_answer.unknown
    except RecursionError:
        return Unknown("nested too deeply", node.span)
    return tuple(result) if isinstance(result, OpenSet) else result


class _Evaluation:
    def __init__(self, values: Mapping[str, object], functions: Mapping[str, tuple[Overload, ...]]) -> None:
        self.values = values
        self.functions = functions
        self.admitted: dict[str, object] = {}
        self.is_bounded = False

    def value(self, node: Node, scope: Scope) -> object:
        """Return what a node means, never None. Raises _NoAnswer, whose place is where the answer went missing."""
        try:
            match node:
                case Literal(value=value):
                    return value
                case Name() | Local() | Select():
                    return self.field(node, scope)
                case Has(operand=operand):
                    return self.has(operand, scope)
                case Index(operand=operand, key=key):
                    return _item(self.value(operand, scope), self.value(key, scope))
                case Unary(operator=sign, operand=operand):
                    return _UNARY[sign](self.value(operand, scope))
                case Binary(operator=sign, left=left, right=right):
                    return _BINARY[sign](self.value(left, scope), self.value(right, scope))
                case Logic():
                    return self.logic(node, scope)
                case Conditional(condition=condition, then=then, otherwise=otherwise):
                    chosen = then if _truth(self.value(condition, scope)) else otherwise
                    return self.value(chosen, scope)
                case Call():
                    return self.call(node, scope)
                case Comprehension() if not self.is_bounded:
                    return self.bounded(node, scope)
                case Comprehension(kind="all" | "exists", predicate=Node() as predicate):
                    return self.quantifier(node, predicate, scope)
                case Comprehension(kind="exists_one", predicate=Node() as predicate):
                    return self.exactly_one(node, predicate, scope)
                case Comprehension():
                    return self.selection(node, scope)
                case ListLiteral(items=items):
                    return tuple([self.part(item, scope) for item in items])
                case MapLiteral(entries=entries):
                    return _map([(self.value(key, scope), self.value(value, scope)) for key, value in entries])
        except EvaluationError as error:
            raise _NoAnswer(str(error), node) from None
        raise _NoAnswer("no part of a condition", node)

    def part(self, node: Node, scope: Scope) -> object:
        """Return what an item of a list means, None where it is unknown: the others are known all the same."""
        try:
            return self.value(node, scope)
        except _NoAnswer:
            return None

    def field(self, node: Node, scope: Scope) -> object:
        """Return the value of a name, or of a map's entry: the longest dotted name that has a value counts."""
        path = _path(node, scope)
        name = ".".join(path)
        if path and name in self.values:
            if name not in self.admitted:
                self.admitted[name] = _admit(self.values[name], node.type)
            value = self.admitted[name]
        elif path and not any(".".join(path[:length]) in self.values for length in range(1, len(path))):
            value = None
        elif isinstance(node, Select):
            container = self.value(node.operand, scope)
            if not isinstance(container, dict):
                raise EvaluationError(f"`.{node.field}` asks for a map")
            return _item(container, node.field)
        else:
            value = scope.get(node.name) if isinstance(node, Name | Local) else None
        if value is None:
            raise _NoAnswer(f"`{name}` is unknown" if path else "the item is unknown", node)
        return value

    def has(self, operand: Node, scope: Scope) -> bool:
        """Return whether a name, or an entry of a map or list, is known; unknown itself only below an expression."""
        path = _path(operand, scope)
        if isinstance(operand, Select | Index) and not (path and ".".join(path) in self.values):
            try:
                container = self.value(operand.operand, scope)
            except _NoAnswer:
                if _is_field(operand.operand, scope):
                    return False
                raise
            if isinstance(operand, Index):
                return _holds(container, self.value(operand.key, scope))
            if not isinstance(container, dict):
                raise EvaluationError(f"`.{operand.field}` asks for a map")
            return _holds(container, operand.field)
        try:
            self.value(operand, scope)
        except _NoAnswer:
            return False
        return True

    def logic(self, node: Logic, scope: Scope) -> bool:
        decides = node.operator == "||"
        doubt: _NoAnswer | None = None
        for operand in node.operands:
            try:
                result = self.value(operand, scope)
            except _NoAnswer as no_answer:
                doubt = doubt or no_answer
                continue
            if not isinstance(result, bool):
                doubt = doubt or _NoAnswer(f"`{node.operator}` joins true and false", operand)
            elif result is decides:
                return decides
        if doubt:
            raise doubt
        return not decides

    def call(self, node: Call, scope: Scope) -> object:
        node = spelled_out(node)
        name, arguments, method = node.function, node.arguments, node.method
        if method and (path := _path(arguments[0], scope)):
            qualified = ".".join((*path, name))
            if qualified in self.functions:
                name, arguments, method = qualified, arguments[1:], False
        known = [self.value(argument, scope) for argument in arguments]
        if name not in self.functions:
            raise EvaluationError(f"there is no function `{name}`")
        for overload in self.functions[name]:
            forms = ("method", "both") if method else ("function", "both")
            if overload.form in forms and _take(overload.parameters, known):
                break
        else:
            raise EvaluationError(f"`{name}` does not take such arguments")
        if not overload.partial and any(_is_partial(argument) for argument in known):
            raise EvaluationError("an item is unknown")
        try:
            result = _admit(overload.call(*known), overload.result)
        except EvaluationError:
            raise
        except Exception as error:
            raise EvaluationError(f"`{name}` failed with {type(error).__name__}") from error
        if result is None or not _fits(result, overload.result):
            raise EvaluationError(f"`{name}` gave no {overload.result}")
        return result

    def bounded(self, node: Comprehension, scope: Scope) -> object:
        """Return the answer of a macro that stands in no other, unless it is too much work, see `expr.work`."""

        def size(name: str) -> work.Size | None:
            return work.size_of(_admit(self.values[name], None)) if name in self.values else None

        if work.work_of(node, size) > work.WORK_MAX:
            raise EvaluationError("too much work")
        self.is_bounded = True
        try:
            return self.value(node, scope)
        finally:
            self.is_bounded = False

    def items(self, node: Comprehension, scope: Scope) -> tuple[tuple[object, ...], bool]:
        """Return what a comprehension runs over, and whether its None is any number of members."""
        container = self.value(node.operand, scope)
        if not isinstance(container, tuple | dict):
            raise EvaluationError(f"`{node.kind}` runs over a list or a map")
        return tuple(container), isinstance(container, OpenSet)

    def quantifier(self, node: Comprehension, predicate: Node, scope: Scope) -> bool:
        decides = node.kind == "exists"
        doubt: _NoAnswer | None = None
        items, is_open = self.items(node, scope)
        for item in items:
            try:
                result = _truth(self.value(predicate, {**scope, node.variable: item}))
            except (_NoAnswer, EvaluationError) as error:
                doubt = doubt or _no_answer(error, predicate)
            else:
                if result is decides and not (is_open and item is None):
                    return decides
                if result is decides:
                    doubt = doubt or _NoAnswer("a member is unknown", node.operand)
        if doubt:
            raise doubt
        return not decides

    def selection(self, node: Comprehension, scope: Scope) -> object:
        """Return the answer of `map` or `filter`, which need to know all they keep."""
        kept: list[object] = []
        items, is_open = self.items(node, scope)
        for item in items:
            inner = {**scope, node.variable: item}
            if node.predicate is not None and not _truth(self.value(node.predicate, inner)):
                continue
            if item is None and (is_open or node.kind == "filter"):
                raise _NoAnswer("an item is unknown", node.operand)
            kept.append(item if node.transform is None else self.value(node.transform, inner))
        return tuple(kept)

    def exactly_one(self, node: Comprehension, predicate: Node, scope: Scope) -> bool:
        """Return `exists_one`: two known items are enough to say no. An item that is known has to have an answer."""
        doubt: _NoAnswer | None = None
        hits = 0
        items, is_open = self.items(node, scope)
        for item in items:
            try:
                is_hit = _truth(self.value(predicate, {**scope, node.variable: item}))
            except (_NoAnswer, EvaluationError) as error:
                if item is not None:
                    raise
                doubt = doubt or _no_answer(error, predicate)
            else:
                if is_hit and is_open and item is None:
                    doubt = doubt or _NoAnswer("a member is unknown", node.operand)
                else:
                    hits += is_hit
        if doubt and hits < 2:
            raise doubt
        return hits == 1


def _no_answer(error: _NoAnswer | EvaluationError, node: Node) -> _NoAnswer:
    return error if isinstance(error, _NoAnswer) else _NoAnswer(str(error), node)


def _path(node: Node, scope: Scope) -> tuple[str, ...]:
    """Return the parts of a dotted name; none for an expression, or where a comprehension's variable begins it."""
    parts: list[str] = []
    while isinstance(node, Select):
        parts.append(node.field)
        node = node.operand
    if not isinstance(node, Name) or (node.name in scope and not node.absolute and node.type is None):
        return ()
    return (node.name, *reversed(parts))


def _is_field(node: Node, scope: Scope) -> bool:
    """Return whether a node is a name, or an entry within one; not if a comprehension's variable begins it."""
    while isinstance(node, Select | Index):
        node = node.operand
    return bool(_path(node, scope))


def _admit(value: object, type_: Type | None) -> object:
    """Return a value from outside as one of the language, or None where it is none."""
    match value:
        case bool() | float() | str():
            return value
        case int():
            return value if INT_MIN <= value <= INT_MAX else None
        case datetime():
            try:
                return None if value.tzinfo is None else value.astimezone(UTC)
            except OverflowError:
                return None
        case timedelta():
            try:
                return bounded_duration(value)
            except EvaluationError:
                return None
        case date():
            return value
        case list() | tuple():
            of = type_.item if isinstance(type_, ListType) else None
            items = [_admit(item, of) for item in value]
            is_open = isinstance(type_, SetType) and any(item is None for item in items)
            return OpenSet(items) if is_open else tuple(items)
        case Mapping():
            if not all(isinstance(key, bool | int | str) for key in value):
                return None
            if isinstance(type_, RecordType):
                return {key: _admit(value.get(key), of) for key, of in type_.fields}
            of = type_.value if isinstance(type_, MapType) else None
            return {key: _admit(item, of) for key, item in value.items()}
        case _:
            return None


def _kind(value: object) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "double"
        case str():
            return "string"
        case datetime():
            return "timestamp"
        case date():
            return "date"
        case timedelta():
            return "duration"
        case tuple():
            return "list"
        case _:
            return "map"


def _take(parameters: tuple[Type, ...], arguments: list[object]) -> bool:
    return len(parameters) == len(arguments) and all(map(_fits, arguments, parameters))


def _fits(value: object, type_: Type) -> bool:
    match type_:
        case SetType():
            # A set that is known throughout is a list like any other.
            return isinstance(value, OpenSet)
        case EnumType():
            return isinstance(value, str)
        case ListType(item=item):
            return isinstance(value, tuple) and all(part is None or _fits(part, item) for part in value)
        case MapType(key=key, value=of):
            return isinstance(value, dict) and all(
                _fits(name, key) and (part is None or _fits(part, of)) for name, part in value.items()
            )
        case _:
            return type_ is DYN or _kind(value) == type_.name


def _is_partial(value: object) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    return any(part is None or _is_partial(part) for part in parts)


def _truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise EvaluationError("a condition must be true or false")


def _map(entries: list[tuple[object, object]]) -> dict[object, object]:
    result: dict[object, object] = {}
    for key, value in entries:
        if not isinstance(key, bool | int | str):
            raise EvaluationError("a map's key must be a bool, an int or a string")
        if key in result:
            # 1 and true count as one key here; CEL would keep both.
            raise EvaluationError("the map has a key twice")
        result[key] = value
    return result


def _find(container: dict[object, object], key: object) -> tuple[bool, object]:
    """Return whether a map has the key, and its value; 1 finds 1.0 and the other way round, but never true."""
    if not isinstance(key, bool | int | float | str):
        raise EvaluationError("a map's key must be a bool, an int or a string")
    if key in container:
        stored = next(name for name in container if name == key)
        if isinstance(stored, bool) == isinstance(key, bool):
            return True, container[key]
    return False, None


def _position(items: tuple[object, ...], key: object) -> int | None:
    """Return which item of a list is meant, or None past its ends."""
    if isinstance(items, OpenSet):
        raise EvaluationError("a member is unknown")
    if isinstance(key, bool) or not isinstance(key, int | float) or key % 1 != 0:
        raise EvaluationError("a list's index must be an int")
    return int(key) if 0 <= key < len(items) else None


def _item(container: object, key: object) -> object:
    if isinstance(container, tuple):
        position = _position(container, key)
        if position is None:
            raise EvaluationError("the index is past the end of the list")
        value = container[position]
    elif isinstance(container, dict):
        found, value = _find(container, key)
        if not found:
            raise EvaluationError("the map has no such key")
    else:
        raise EvaluationError("only a list or a map has items")
    if value is None:
        raise EvaluationError("the item is unknown")
    return value


def _holds(container: object, key: object) -> bool:
    if isinstance(container, OpenSet):
        return False
    if isinstance(container, tuple):
        position = _position(container, key)
        return position is not None and container[position] is not None
    if isinstance(container, dict):
        return _find(container, key)[1] is not None
    raise EvaluationError("only a list or a map has items")


def _equal(left: object, right: object) -> bool | None:
    """Return whether two values are the same, or None where unknown items leave it open."""
    if left is None or right is None:
        return None
    if isinstance(left, tuple) and isinstance(right, tuple):
        if isinstance(left, OpenSet) or isinstance(right, OpenSet):
            return None
        return len(left) == len(right) and _all(list(map(_equal, left, right)))
    if isinstance(left, dict) and isinstance(right, dict):
        found = [_find(right, key) for key in left]
        if len(left) != len(right) or not all(is_found for is_found, _ in found):
            return False
        return _all([_equal(left[key], value) for key, (_, value) in zip(left, found, strict=True)])
    kinds = {_kind(left), _kind(right)}
    return (len(kinds) == 1 or kinds == {"int", "double"}) and left == right


def _all(results: list[bool | None]) -> bool | None:
    return False if False in results else None if None in results else True


def _decided(result: bool | None) -> bool:
    if result is None:
        raise EvaluationError("an item is unknown")
    return result


def _in(item: object, container: object) -> bool:
    if isinstance(container, dict):
        return _find(container, item)[0]
    if not isinstance(container, tuple):
        raise EvaluationError("`in` looks into a list or a map")
    differs = _all([None if (same := _equal(item, other)) is None else not same for other in container])
    return not _decided(differs)


def _ordering(sign: str, compare: Callable[[Any, Any], bool]) -> Callable[[object, object], bool]:
    def order(left: object, right: object) -> bool:
        kinds = {_kind(left), _kind(right)}
        if kinds & {"list", "map"} or (len(kinds) > 1 and kinds != {"int", "double"}):
            raise EvaluationError(f"`{sign}` compares two values of one type")
        return compare(left, right)

    return order


def _arithmetic(
    sign: str, table: Mapping[tuple[str, str], Callable[[Any, Any], object]]
) -> Callable[[object, object], object]:
    def operate(left: object, right: object) -> object:
        try:
            operation = table[_kind(left), _kind(right)]
        except KeyError:
            raise EvaluationError(f"`{sign}` does not take these two types") from None
        try:
            return operation(left, right)
        except OverflowError:
            raise EvaluationError("timestamp out of range") from None

    return operate


def _joined(left: Any, right: Any) -> object:
    if isinstance(left, OpenSet) or isinstance(right, OpenSet):
        raise EvaluationError("a member is unknown")
    if len(left) + len(right) > TEXT_MAX:
        raise EvaluationError("the result is too long")
    return left + right


def _divided(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return int64(quotient if (left < 0) == (right < 0) else -quotient)


def _remainder(left: int, right: int) -> int:
    return left - right * _divided(left, right)


def _ratio(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def _not(value: object) -> bool:
    if isinstance(value, bool):
        return not value
    raise EvaluationError("`!` takes true or false")


def _negative(value: object) -> object:
    match _kind(value), value:
        case "int", int(number):
            return int64(-number)
        case "double", float(fraction):
            return -fraction
    raise EvaluationError("`-` takes a number")


_UNARY: Mapping[str, Callable[[object], object]] = {"!": _not, "-": _negative}
_BINARY: Mapping[str, Callable[[object, object], object]] = {
    "==": lambda left, right: _decided(_equal(left, right)),
    "!=": lambda left, right: not _decided(_equal(left, right)),
    "<": _ordering("<", operator.lt),
    "<=": _ordering("<=", operator.le),
    ">": _ordering(">", operator.gt),
    ">=": _ordering(">=", operator.ge),
    "in": _in,
    "+": _arithmetic(
        "+",
        {
            ("int", "int"): lambda left, right: int64(left + right),
            ("double", "double"): operator.add,
            ("string", "string"): _joined,
            ("list", "list"): _joined,
            ("timestamp", "duration"): moved,
            ("duration", "timestamp"): lambda left, right: moved(right, left),
            ("date", "duration"): moved_day,
            ("duration", "date"): lambda left, right: moved_day(right, left),
            ("duration", "duration"): lambda left, right: bounded_duration(left + right),
        },
    ),
    "-": _arithmetic(
        "-",
        {
            ("int", "int"): lambda left, right: int64(left - right),
            ("double", "double"): operator.sub,
            ("timestamp", "duration"): lambda left, right: moved(left, -right),
            ("timestamp", "timestamp"): lambda left, right: bounded_duration(left - right),
            ("date", "duration"): lambda left, right: moved_day(left, -right),
            ("date", "date"): lambda left, right: bounded_duration(left - right),
            ("duration", "duration"): lambda left, right: bounded_duration(left - right),
        },
    ),
    "*": _arithmetic(
        "*",
        {("int", "int"): lambda left, right: int64(left * right), ("double", "double"): operator.mul},
    ),
    "/": _arithmetic("/", {("int", "int"): _divided, ("double", "double"): _ratio}),
    "%": _arithmetic("%", {("int", "int"): _remainder}),
}
