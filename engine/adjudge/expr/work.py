"""How much work a condition may be: one rule, reckoned from sizes before anything is done, for every back end.

A *unit* of work is one operation on one value, with 4 characters for a text. What is reckoned is the most that a macro
could do: every operand is evaluated, every item is as large as the largest, no loop ends early. So the answer hangs on
the condition and on what it reads alone, never on the order of rules or operands, or on what was evaluated before.

- A macro that stands in no other has no answer where its work, all that is inside it included, is past WORK_MAX.
  A variable that it reads counts as its value; the work of making that is the variable's own.
- Outside macros there are no loops, and each operation is bounded by what it makes and touches: `TEXT_MAX` for
  texts and lists that `+` makes, `MATCHED_MAX` for a text that a pattern is looked for in.

The work of a part is that of its operands and, for the part itself:

| part | units |
|---|---|
| a literal, a name, `m.key`, `!`, `-`, `has`, `&&`, `||`, `?:` | 1 |
| `+`, a comparison, a list or map that is written out, a call of a function | 1 and the weights of the operands |
| `m[key]`, `l[i]` | 1 and the weight of what is looked for |
| `in` a policy's list, a list of literals, or a map | 2 and the weight of what is looked for |
| `in` another list or set | 1 and the weights of both |
| `text.matches(pattern)` | the same, and 128 for each unit of the text's weight |
| … and the pattern is no literal | 20,000 more |
| a macro | 1, and for each item 1 and the work of what stands in it |

The *weight* of a value is 1, of a text 1 and 1 for each full 4 characters, of a list, set or map 1 and the weights of
its items, keys and values; of an unknown 1. What `+`, a list written out, or a function gives weighs as much as its
operands together (of a function 16 more), and holds as many items; what `split` gives holds one for each character,
what `map` and `filter` give as many as they run over. An item or entry weighs as much as the heaviest, and so does what
`?:` chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import reduce
from typing import Any

from adjudge.expr.nodes import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Index,
    ListLiteral,
    Literal,
    Local,
    MapLiteral,
    Name,
    Node,
    Select,
    children,
    list_of,
    walk,
)
from adjudge.frozen import frozen
from adjudge.values.types import EnumType, ListType, MapType, SetType, Type, is_text

WORK_MAX = 10_000_000
"""Units that one outermost macro may take; some tenths of a second."""
CHARACTERS = 4
"""Of a text, for one unit."""
MATCH_WORK = 128
"""Units for each unit of a text's weight that a pattern is looked for in."""
PATTERN_WORK = 20_000
"""Units for a pattern that is no literal, and so is compiled while deciding."""

_PLAIN = {bool, int, float, date, datetime, timedelta, type(None)}


Units = Any
"""An int, or what a back end reckons with instead: it adds and multiplies like one."""


@frozen
class Size:
    """How large a value is, or at most is.

    weight: in units, with all that it holds. count: of its items. item: the largest of them, a map's keys and values
    together; None where it holds nothing.
    """

    weight: Units
    count: Units = 0
    item: Size | None = None
    is_map: bool = False


ONE = Size(1)
Sizes = Callable[[str], Size | None]
"""The size of what a full dotted name stands for; None where it is no name."""
Larger = Callable[[Units, Units], Units]


def work_of(node: Node, sizes: Sizes, larger: Larger = max) -> Units:
    """Return the units that a part of a condition takes at most, checked or as parsed."""
    return _Reckoner(sizes, larger).measure(node, {})[0]


def size_of(value: object) -> Size:
    """Return the size of a value; None, an unknown, counts one."""
    return _size(value, {})


def _size(value: object, made: dict[int, Size]) -> Size:
    """Return the size of a value. made: of lists and maps within it, by identity: a shared one is sized once."""
    if isinstance(value, str):
        return Size(1 + len(value) // CHARACTERS)
    if id(value) in made:
        return made[id(value)]
    if isinstance(value, dict):
        parts = [_size(part, made) for part in (*value, *value.values())]
        made[id(value)] = Size(1 + sum(part.weight for part in parts), len(value), largest(parts), is_map=True)
        return made[id(value)]
    if not isinstance(value, tuple | list) or not value:
        return ONE
    kinds = set(map(type, value))
    if kinds <= _PLAIN:
        return Size(1 + len(value), len(value), ONE)
    if kinds == {str}:
        weights = [1 + len(text) // CHARACTERS for text in value]
        return Size(1 + sum(weights), len(value), Size(max(weights)))
    parts = [_size(part, made) for part in value]
    made[id(value)] = Size(1 + sum(part.weight for part in parts), len(value), largest(parts))
    return made[id(value)]


def allowance(node: Node, constants: Mapping[str, object]) -> tuple[bool, tuple[str, ...], Callable[..., bool]]:
    """Return whether a checked macro is within WORK_MAX, the names that this hangs on, and how to ask about them.

    constants: values of names that never change. The third takes the names' values in order; without names, the first
    is the answer.
    """
    names, small = harmless(node, constants, WORK_MAX)
    if small is None or not names:
        return small is None, (), bool
    fixed = {part.name: size_of(constants[part.name]) for part in walk(node)
             if isinstance(part, Name) and part.name in constants}  # fmt: skip

    def is_allowed(*values: object) -> bool:
        sizes = dict(zip(names, map(size_of, values), strict=True))
        if all(size.weight <= small for size in sizes.values()):
            return True
        return bool(work_of(node, {**fixed, **sizes}.get) <= WORK_MAX)

    return False, names, is_allowed


def harmless(node: Node, constants: Mapping[str, object], most_work: int) -> tuple[tuple[str, ...], int | None]:
    """Return the names that the work of a checked macro hangs on, and a weight of each up to which it is within bounds.

    constants: values of names that never change. most_work: the bound, in units.
    The weight is None where the work is always within the bound.
    """
    read = {part.name: part.type for part in walk(node) if isinstance(part, Name)}
    fixed = {name: size_of(constants[name]) for name in read if name in constants}
    names = tuple(name for name in read if name not in fixed)
    most = {name: _most(read[name]) for name in names}
    if None not in most.values() and work_of(node, {**fixed, **most}.get) <= most_work:
        return (), None
    small = most_work if names else 0
    while small and work_of(node, {**fixed, **{n: most[n] or _up_to(small, read[n]) for n in names}}.get) > most_work:
        small //= 2
    return names, small


def _most(type_: Type | None) -> Size | None:
    """Return what no value of a type is larger than; None where a type has no bound."""
    match type_:
        case EnumType(values=values):
            return largest(map(size_of, values)) or ONE
        case SetType(values=values):
            return size_of((*values, None))
        case MapType(keys=keys, value=value) if keys is not None and (of := _most(value)) is not None:
            weight = size_of(keys).weight + len(keys) * of.weight
            return Size(weight, len(keys), largest([*map(size_of, keys), of]), is_map=True)
        case ListType() | MapType() | None:
            return None
        case _:
            return None if is_text(type_) else ONE


def _up_to(weight: int, type_: Type | None) -> Size:
    """Return a size that a value of a type does not pass where its weight is no more than this."""
    match type_:
        case ListType(item=item):
            return Size(weight, weight, _most(item) or _up_to(weight, item))
        case MapType(value=value):
            return Size(weight, weight, largest([Size(weight), _most(value) or _up_to(weight, value)]), is_map=True)
        case _:
            return Size(weight)


def largest(sizes: Iterable[Size | None], larger: Larger = max) -> Size | None:
    """Return a size that is at least each of some."""

    def join(one: Size | None, other: Size | None) -> Size | None:
        if one is None or other is None or one is other:
            return one or other
        item = join(one.item, other.item)
        weight, count = larger(one.weight, other.weight), larger(one.count, other.count)
        return Size(weight, count, item, one.is_map or other.is_map)

    return reduce(join, sizes, None)


@frozen
class _Reckoner:
    """Reckons by the table above. larger: returns the larger one of two counts of units."""

    sizes: Sizes
    larger: Larger

    def measure(self, node: Node, scope: Mapping[str, Size]) -> tuple[Units, Size]:
        """Return the work of a node, and the size of its value. scope: of the variables of macros around it."""
        match node:
            case Literal(value=value):
                return 1, size_of(value)
            case Local(name=name):
                return 1, scope[name]
            case Name(name=name) if name in scope and node.type is None and not node.absolute:
                return 1, scope[name]
            case Name(name=name):
                return 1, self.sizes(name) or ONE
            case Select() if (path := _path(node, scope)) and (named := self.sizes(path)) is not None:
                return 1, named
            case Comprehension():
                return self.macro(node, scope)
        parts = [self.measure(child, scope) for child in children(node)]
        work = 1 + sum(one for one, _ in parts)
        given = [size for _, size in parts]
        weight = sum(size.weight for size in given)
        count = sum(size.count for size in given)
        match node:
            case Binary(operator="in", right=right):
                is_looked_up = given[1].is_map or _is_constant(right, scope)
                return work + (1 + given[0].weight if is_looked_up else weight), ONE
            case Binary(operator="+"):
                return work + weight, Size(weight, count, self.largest(size.item for size in given))
            case Binary():
                return work + weight, ONE
            case ListLiteral():
                return work + weight, Size(1 + weight, len(given), self.largest(given))
            case MapLiteral():
                return work + weight, Size(1 + weight, len(given) // 2, self.largest(given), is_map=True)
            case Call(function="split"):
                whole = given[0].weight
                return work + weight, Size(1 + 5 * whole, CHARACTERS * whole, Size(whole))
            case Call(function=function, arguments=arguments):
                if function == "matches":
                    work += MATCH_WORK * given[0].weight + PATTERN_WORK * (not isinstance(arguments[-1], Literal))
                return work + weight, Size(16 + weight, count, self.largest(size.item for size in given))
            case Conditional():
                return work, self.largest(given[1:]) or ONE
            case Select():
                return work, given[0].item or ONE
            case Index():
                return work + given[1].weight, given[0].item or ONE
            case _:
                return work, ONE

    def macro(self, node: Comprehension, scope: Mapping[str, Size]) -> tuple[Units, Size]:
        """Return the work of a macro, with all that it does for each item, and the size of what it gives."""
        work, over = self.measure(node.operand, scope)
        item = over.item or ONE
        inner = {**scope, node.variable: item}
        each = 1
        if node.predicate is not None:
            each += self.measure(node.predicate, inner)[0]
        if node.transform is not None:
            making, item = self.measure(node.transform, inner)
            each += making
        work += 1 + over.count * each
        if node.kind not in ("map", "filter"):
            return work, ONE
        return work, Size(1 + over.count * item.weight, over.count, item)

    def largest(self, sizes: Iterable[Size | None]) -> Size | None:
        """Return a size that is at least each of some."""
        return largest(sizes, self.larger)


def _path(node: Node, scope: Mapping[str, Size]) -> str:
    """Return a dotted name as parsed; empty for an expression, or where a macro's variable begins it."""
    parts: list[str] = []
    while isinstance(node, Select):
        parts.append(node.field)
        node = node.operand
    if not isinstance(node, Name) or (node.name in scope and not node.absolute and node.type is None):
        return ""
    return ".".join((node.name, *reversed(parts)))


def _is_constant(node: Node, scope: Mapping[str, Size]) -> bool:
    """Whether a list is a policy's, or one of literals: a value is found in it without looking at each."""
    if isinstance(node, ListLiteral):
        return all(isinstance(item, Literal) for item in node.items)
    return list_of(_path(node, scope)) is not None
