"""Points that an expression says, such as a lookup table's value: as rows of plain points that come to the same.

Points of 10, 25 or 40 are a row of 10 where they are 10 or more, one of 15 where they are 25 or more, and one of 15
where they are 40 or more; points below zero likewise, downwards. While the value is unknown, so are these rows, and the
total is an interval from the least value to the greatest.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field

from adjudge.expr.nodes import Binary, Conditional, Index, ListLiteral, Literal, Logic, MapLiteral, Name, Node, Unary
from adjudge.expr.printing import unparse
from adjudge.frozen import frozen
from adjudge.policy.loading.conditions import Conditions, free_names
from adjudge.policy.loading.document import POINTS_MAX
from adjudge.policy.loading.forms import RowForm
from adjudge.policy.typed import Formula, Row
from adjudge.values.fields import Field
from adjudge.values.types import BOOL, INT, EnumType

VALUES_MAX = 1000
"""How many different numbers an expression of points may come to."""
_ALWAYS = Literal(value=True, type=BOOL)
_COUNTED: Mapping[str, Callable[[int, int], int]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def rows_of(conditions: Conditions, card: str, form: RowForm, variables: Mapping[str, Node]) -> Iterator[Row]:
    """Yield the rows that one as written stands for; what is wrong is blamed."""
    reader = conditions.reader
    is_open = form.guard.when is None and form.guard.unless is None
    guard = _ALWAYS if is_open and form.adds is not None else conditions.guard(form.guard)
    if form.adds is None:
        yield Row(id=form.id, card=card, condition=guard, points=form.points, number=form.number, span=form.span)
        return
    tree = conditions.parsed(form.adds)
    node = conditions.typed(form.adds, tree, INT) if tree is not None else None
    if node is None or any(name not in conditions.slots and name not in variables for name in free_names(node)):
        return  # blamed, here or where it is declared
    found = _Values(variables, conditions.slots).of(node)
    values = sorted(found.values) if found is not None else []
    if found is None or len(values) > VALUES_MAX:
        hint = "take points from a lookup table, or write a row for each"
        many = f"more than {VALUES_MAX:,} different numbers" if values else "any number"
        reader.blame("type-points", f"`{unparse(node)}` can be {many}", form.adds.span, hint)
    elif abs(values[0]) > POINTS_MAX or abs(values[-1]) > POINTS_MAX:
        message = f"`add` must be between -{POINTS_MAX:,} and {POINTS_MAX:,}, and can be {max(values, key=abs):,}"
        reader.blame("schema-range", message, form.adds.span)
    else:
        yield from _steps(card, form, guard, node, values, found.is_total)


def _steps(card: str, form: RowForm, guard: Node, node: Node, values: Sequence[int], is_total: bool) -> Iterator[Row]:
    """Yield the rows whose points come to what an expression says. is_total: whether it always has a value."""
    formula = Formula(id=form.id, when=None if guard is _ALWAYS else guard, adds=node, values=tuple(values))
    upwards = [value for value in values if value > 0]
    downwards = [value for value in reversed(values) if value < 0]
    if not upwards and not downwards:
        yield Row(id=form.id, card=card, condition=guard, points=0, formula=formula, span=form.span)
    for sign, ends, words in ((">=", upwards, "or more"), ("<=", downwards, "or less")):
        before = 0
        for value in ends:
            bound = Literal(value=value, span=node.span, type=INT)
            is_past: Node = Binary(operator=sign, left=node, right=bound, span=node.span, type=BOOL)  # type: ignore[arg-type]
            if is_total and value == ends[0] and len(ends) == len(values):  # so it is past the first, whatever it is
                condition = guard
            elif guard is _ALWAYS:
                condition = is_past
            else:
                condition = Logic(operator="&&", operands=(guard, is_past), span=form.span, type=BOOL)
            yield Row(
                id=f"{form.id} at {value} {words}",
                card=card,
                condition=condition,
                points=value - before,
                formula=formula,
                span=form.span,
            )
            before = value


@frozen
class _Found:
    """What an expression can come to. is_total: it is never unknown while all that it reads is known."""

    values: frozenset[int]
    is_total: bool = True


@frozen
class _Values:
    """Finds all values of expressions. within: what names are known to be, inside the branch of a `?:`."""

    variables: Mapping[str, Node]
    slots: Mapping[str, Field]
    within: Mapping[str, frozenset[object]] = field(default_factory=dict)

    def of(self, node: Node) -> _Found | None:
        """Return the values of an expression; None where they cannot be listed."""
        match node:
            case Literal(value=int() as value):
                return _Found(frozenset([value]))
            case Name(name=name) if name in self.variables:
                return self.of(self.variables[name])
            case Name(name=name) if name in self.slots:
                return _of_field(self.slots[name])
            case Unary(operator="-", operand=operand):
                inner = self.of(operand)
                return _Found(frozenset(-value for value in inner.values), inner.is_total) if inner else None
            case Binary(operator="+" | "-" | "*" as sign, left=left, right=right):
                return _combined(_COUNTED[sign], self.of(left), self.of(right))
            case Conditional(condition=condition, then=then, otherwise=otherwise):
                there = _Values(self.variables, self.slots, {**self.within, **_among(condition)})
                return _either([there.of(then), self.of(otherwise)])
            case Index():
                return self._looked_up(node)
            case _:
                return None

    def _looked_up(self, node: Index) -> _Found | None:
        """Return the values of `{"SG": 40, "ID": 20}[country]`, and of maps in maps."""
        keys: list[Node] = []
        at: Node = node
        while isinstance(at, Index):
            keys.insert(0, at.key)
            at = at.operand
        return self._inside(at, keys) if isinstance(at, MapLiteral) else None

    def _inside(self, node: Node, keys: Sequence[Node]) -> _Found | None:
        if not keys:
            return self.of(node)
        if not isinstance(node, MapLiteral):
            return None
        there = frozenset(key.value for key, _ in node.entries if isinstance(key, Literal))
        is_total = self._is_among(keys[0], there)
        inner = _either([self._inside(value, keys[1:]) for _, value in node.entries])
        return _Found(inner.values, inner.is_total and is_total) if inner is not None else None

    def _is_among(self, key: Node, there: frozenset[object]) -> bool:
        if not isinstance(key, Name):
            return False
        declared = self.slots[key.name].type if key.name in self.slots else key.type
        words = declared.values if isinstance(declared, EnumType) else (True, False) if declared == BOOL else None
        possible = self.within.get(key.name, frozenset(words) if words is not None else None)
        return possible is not None and possible <= there


def _of_field(declared: Field) -> _Found | None:
    low, high = declared.minimum, declared.maximum
    if declared.type != INT or not isinstance(low, int) or not isinstance(high, int) or high - low > VALUES_MAX:
        return None
    return _Found(frozenset(range(low, high + 1)))


def _combined(count: Callable[[int, int], int], left: _Found | None, right: _Found | None) -> _Found | None:
    if left is None or right is None or len(left.values) * len(right.values) > VALUES_MAX**2:
        return None
    values = frozenset(count(one, other) for one in left.values for other in right.values)
    return _Found(values, left.is_total and right.is_total)


def _either(found: Sequence[_Found | None]) -> _Found | None:
    values: set[int] = set()
    is_total = bool(found)
    for one in found:
        if one is None:
            return None
        values |= one.values
        is_total = is_total and one.is_total
    return _Found(frozenset(values), is_total) if found else None


def _among(condition: Node) -> dict[str, frozenset[object]]:
    """Return what names can be where a condition of `name in [...]` holds."""
    parts = condition.operands if isinstance(condition, Logic) and condition.operator == "&&" else (condition,)
    return {
        part.left.name: frozenset(item.value for item in part.right.items if isinstance(item, Literal))
        for part in parts
        if isinstance(part, Binary) and part.operator == "in" and isinstance(part.left, Name)
        and isinstance(part.right, ListLiteral) and all(isinstance(item, Literal) for item in part.right.items)
    }  # fmt: skip
