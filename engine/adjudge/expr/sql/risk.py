"""When a macro may be more work than the engine allows, see `expr.work`: SQL has no such bound.

An upper bound of how large values are is cheap to say in SQL; whether the work is too much is then for the engine's own
evaluator, on those rows alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from adjudge.expr.nodes import Comprehension, ListLiteral, Name, Node, children, walk
from adjudge.expr.sql.dialects.dialect import Dialect
from adjudge.expr.sql.value import NotTranslatable
from adjudge.expr.work import CHARACTERS, WORK_MAX, harmless, size_of
from adjudge.values.types import STRING, EnumType, ListType, MapType, RecordType, Type

MOST = WORK_MAX // 100
"""Units that a macro may take in SQL: a database does it for thousands of rows at once, and keeps what is between."""


def risk_of(
    node: Node,
    variables: Mapping[str, Node],
    lists: Mapping[str, tuple[object, ...]],
    value: Callable[[Name], str],
    dialect: Dialect,
) -> str | None:
    """Return SQL that is true wherever a macro may be too much work; None where none can be.

    value: returns the SQL of a name, whole. Raises NotTranslatable.
    """
    found: dict[str, None] = {}
    seen: set[str] = set()

    def look(part: Node) -> None:
        if isinstance(part, Comprehension):
            part = _written_out(part, variables)
            found.update(dict.fromkeys(_risks(part, lists, value, dialect)))
            for inner in walk(part):  # a variable is worked out by itself, wherever it stands
                if isinstance(inner, Name):
                    look(inner)
        elif isinstance(part, Name) and part.name in variables and part.name not in seen:
            seen.add(part.name)
            look(variables[part.name])
        else:
            for child in children(part):
                look(child)

    look(node)
    return " or ".join(found) or None


def _written_out(node: Comprehension, variables: Mapping[str, Node]) -> Comprehension:
    """Return a macro over a variable that is a list with that list in its place: how long it is can be seen there."""
    operand = node.operand
    while isinstance(operand, Name) and operand.name in variables:
        operand = variables[operand.name]
    return replace(node, operand=operand) if isinstance(operand, ListLiteral) else node


def _risks(
    node: Comprehension, lists: Mapping[str, tuple[object, ...]], value: Callable[[Name], str], dialect: Dialect
) -> list[str]:
    names, small = harmless(node, lists, MOST)
    if small is None:
        return []
    if not small:
        raise NotTranslatable("a macro that is too much work", node.span)
    read = {part.name: part for part in walk(node) if isinstance(part, Name) and part.name in names}
    weights = [_weight(value(name), name.type, dialect, name) for name in read.values()]
    return [f"{weight} > {small}" for weight in weights if weight is not None]


def _weight(value: str, type_: Type | None, dialect: Dialect, node: Name, depth: int = 0) -> str | None:
    """Return an upper bound of a value's weight; None for a type that has a bound of its own."""
    if type_ == STRING:
        return f"1 + {dialect.part_of(f'length({value})', CHARACTERS)}"
    if isinstance(type_, MapType):
        keys = _weight(dialect.keys(value), ListType(STRING), dialect, node, depth)
        item, values = f"adjudge_weighed{depth}", dialect.values(value)
        inner = _weight(item, type_.value, dialect, node, depth + 1)
        each = max(1, _most(type_.value))
        total = (
            f"{each} * {dialect.length(values)}" if inner is None else dialect.total(dialect.each(values, item, inner))
        )
        return f"{keys} + coalesce({total}, 0)"
    if isinstance(type_, RecordType):
        own = 1 + sum(size_of(name).weight for name, _ in type_.fields)
        members = [(_weight(dialect.member(value, name), of, dialect, node, depth), of) for name, of in type_.fields]
        most = own + sum(_most(of) for weight, of in members if weight is None)
        return " + ".join([str(most), *(f"coalesce({weight}, 1)" for weight, _ in members if weight is not None)])
    if not isinstance(type_, ListType):
        return None
    item = f"adjudge_weighed{depth}"
    inner = _weight(item, type_.item, dialect, node, depth + 1)
    if inner is not None:
        return f"1 + {dialect.length(value)} + coalesce({dialect.total(dialect.each(value, item, inner))}, 0)"
    return f"1 + {_most(type_.item)} * {dialect.length(value)}"


def _most(type_: Type) -> int:
    """Return the weight of the heaviest value of a type that has a bound of its own."""
    return max(size_of(word).weight for word in type_.values) if isinstance(type_, EnumType) else 1
