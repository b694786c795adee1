"""Lookup tables, read back from the trees that they became: what stands for which keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adjudge.expr.nodes import Conditional, Index, Literal, MapLiteral, Name, Node
from adjudge.expr.printing import unparse
from adjudge.frozen import frozen


@frozen(kw_only=True)
class Lookup:
    """A lookup table in words.

    by: the fields that choose. values: by keys, `SG` or `SG, shop`. otherwise: its `else`.
    """

    by: tuple[str, ...]
    values: Mapping[str, str]
    otherwise: str | None


def lookup_of(node: Node) -> Lookup | None:
    """Return the table that a variable is; None where it is another expression."""
    otherwise = None
    match node:
        case Conditional(then=then, otherwise=Literal() as default):
            node, otherwise = then, unparse(default)
    by: list[str] = []
    while isinstance(node, Index):
        if not isinstance(node.key, Name):
            return None
        by.insert(0, node.key.name)
        node = node.operand
    if not by or not isinstance(node, MapLiteral):
        return None
    cells = [*_cells(node, len(by))]
    told = {", ".join(key): unparse(value) for key, value in cells if value is not None}
    if len(told) < len(cells):  # some is no value, or two keys read alike
        return None
    rows = {key: value for key, value in told.items() if value != otherwise}  # which fills what no row has
    return Lookup(by=tuple(by), values=rows, otherwise=otherwise)


def _cells(node: Node, depth: int) -> Iterator[tuple[tuple[str, ...], Node | None]]:
    """Yield keys and values; None for what is none of a table."""
    if not depth:
        yield (), node
    elif not isinstance(node, MapLiteral):
        yield (), None
    else:
        for key, inner in node.entries:
            said = key.value if isinstance(key, Literal) and isinstance(key.value, str) else unparse(key)
            yield from (((said, *more), value) for more, value in _cells(inner, depth - 1))
