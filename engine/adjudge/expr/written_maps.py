"""Maps of constants that a condition looks into by one key or by several, as lookup tables become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adjudge.expr.nodes import Comprehension, Index, Local, MapLiteral, Name, Node, walk
from adjudge.frozen import frozen


@frozen
class WrittenEntry:
    """`{"SG": {"web": 1}}[country][channel]`: the outermost map, and the keys, outermost first."""

    root: MapLiteral
    keys: tuple[Node, ...]

    def entries(self) -> Iterator[tuple[tuple[Node, ...], Node]]:
        """Yield the constants that the keys may be, and the value that they lead to."""
        yield from _entries(self.root, len(self.keys), ())


def _entries(node: Node, depth: int, keys: tuple[Node, ...]) -> Iterator[tuple[tuple[Node, ...], Node]]:
    if not depth:
        yield keys, node
        return
    assert isinstance(node, MapLiteral)
    for key, value in node.entries:
        yield from _entries(value, depth - 1, (*keys, key))


def written_entries(node: Index, variables: Mapping[str, Node]) -> WrittenEntry | None:
    """Return what is looked up where that is in a map of constants, each key there once; None where it is not."""
    keys: list[Node] = []
    inner: Node = node
    while isinstance(inner, Index):
        keys.insert(0, inner.key)
        inner = inner.operand
    while isinstance(inner, Name) and inner.name in variables:
        inner = variables[inner.name]
    if not isinstance(inner, MapLiteral) or not inner.entries or not _is_nested(inner, len(keys)):
        return None
    if any(isinstance(part, Name | Local | Comprehension) for part in walk(inner)):
        return None
    return WrittenEntry(inner, tuple(keys))


def _is_nested(node: Node, depth: int) -> bool:
    """Whether maps stand inside each other so deep, with no key twice."""
    if not depth:
        return True
    if not isinstance(node, MapLiteral) or len({key for key, _ in node.entries}) < len(node.entries):
        return False
    return all(_is_nested(value, depth - 1) for _, value in node.entries)
