"""Entries of maps and items of lists in SQL, and whether they are there."""

from __future__ import annotations

from collections.abc import Sequence

from adjudge.expr.nodes import (
    Index,
    Literal,
    MapLiteral,
    Name,
    Node,
    Select,
)
from adjudge.expr.sql.translation import (
    Scope,
    Translation,
    same_kind,
)
from adjudge.expr.sql.value import (
    NotTranslatable,
    Sql,
    is_null,
    joined,
)
from adjudge.expr.written_maps import written_entries
from adjudge.values.types import (
    INT,
    STRING,
    MapType,
    RecordType,
    is_text,
)
from adjudge.values.types import ListType as List


def has(sql: Translation, operand: Node, scope: Scope) -> Sql:
    """Whether an entry, an item or a field is known to be there."""
    if isinstance(operand, Name) and operand.name in sql.columns:
        return is_null(Sql(sql.columns[operand.name]), known=True)
    if isinstance(operand, Name) and operand.name in sql.variables:
        return is_null(sql.value(operand, scope), known=True)
    if isinstance(operand, Select) and isinstance(operand.operand.type, RecordType):
        whole = sql.value(operand.operand, scope)
        there = is_null(sql.value(operand, scope), known=True)
        otherwise = "false" if _is_field(operand.operand) else "null"
        return Sql(f"case when {is_null(whole).text} then {otherwise} else {there.text} end")
    if isinstance(operand, Select) and isinstance(operand.operand, Name):
        return is_null(sql.value(operand, scope), known=True)
    if not isinstance(operand, Select | Index):
        raise NotTranslatable("such a part", operand.span)
    container = operand.operand
    key_node = operand.key if isinstance(operand, Index) else Literal(type=STRING, value=operand.field)
    key = sql.value(key_node, scope)
    if sql.written(container) is not None or not isinstance(container.type, MapType | List):
        raise NotTranslatable("`has` of such a part", operand.span)
    items = sql.short(sql.value(container, scope))
    if isinstance(container.type, MapType):
        there = is_null(Sql(sql.dialect.entry(str(items), key.text)), known=True)
    elif key_node.type != INT:
        raise NotTranslatable("`has` of such a part", operand.span)
    else:
        there = is_null(_within(sql, items, key), known=True)
    otherwise = "false" if _is_field(container) else "null"
    lost = f"case when {is_null(items).text} then {otherwise} when {is_null(key).text} then null"
    return Sql(f"{lost} else {there.text} end")


def entry(sql: Translation, entries: Node, key: Node, node: Node, scope: Scope) -> Sql:
    """Return an entry of a map."""
    written = sql.written(entries)
    if isinstance(written, MapLiteral):
        return _chosen(sql, written, key, scope)
    found = sql.dialect.entry(str(sql.value(entries, scope)), sql.value(key, scope).text)
    if entries.type is not None and node.type is not None and not sql.is_made(entries):
        found = sql.taken(found, node.type)
    return Sql(found)


def item_of(sql: Translation, node: Index, scope: Scope) -> Sql:
    """Return an item of a list or an entry of a map, by its index or key."""
    of, key = node.operand.type, node.key
    nested = written_entries(node, sql.variables)
    if nested is not None and len(nested.keys) > 1:
        return _nested(sql, nested.root, nested.keys, scope)
    if isinstance(of, MapType) and key.type is not None and (is_text(key.type) or sql.written(node.operand)):
        return entry(sql, node.operand, key, node, scope)
    if not isinstance(of, List) or key.type != INT:
        raise NotTranslatable("such an index", node.span)
    items = sql.short(sql.value(node.operand, scope))
    return _within(sql, items, sql.short(sql.value(key, scope)))


def _chosen(sql: Translation, written: MapLiteral, key: Node, scope: Scope) -> Sql:
    """Return an entry of a map that is written out, which is unknown where any part of it is."""
    keys = [sql.value(one, scope) for one, _ in written.entries]
    values = [sql.short(sql.value(one, scope)) for _, one in written.entries]
    if not keys or key.type is None or not same_kind(written.entries[0][0].type, key.type):
        raise NotTranslatable("such a part", written.span)
    arms = " ".join(f"when {one.text} then {two.text}" for one, two in zip(keys, values, strict=True))
    chosen = f"case {sql.value(key, scope)} {arms} end"
    lost = [
        *lost_parts([one for one, _ in written.entries], keys),
        *lost_parts([one for _, one in written.entries], values),
    ]
    lost += twice([one for one, _ in written.entries], keys)
    may_be_nan = any(one.may_be_nan for one in values)
    return Sql(f"case when {' or '.join(lost)} then null else {chosen} end" if lost else chosen, may_be_nan)


def _nested(sql: Translation, written: MapLiteral, keys: Sequence[Node], scope: Scope) -> Sql:
    """Return an entry of maps of constants inside each other, by a key of each."""
    first, *rest = keys
    if not rest:
        return _chosen(sql, written, first, scope)
    arms = []
    for key, inner in written.entries:
        assert isinstance(inner, MapLiteral)
        arms.append(f"when {sql.value(key, scope).text} then {_nested(sql, inner, rest, scope).text}")
    return Sql(f"case {sql.value(first, scope)} {' '.join(arms)} end")


def _within(sql: Translation, items: Sql, key: Sql) -> Sql:
    """Return a list's item, NULL past its ends."""
    found = sql.dialect.item(str(items), str(key))
    within = f"{key} >= 0 and {key} < {sql.dialect.length(items.text)}"
    return Sql(f"case when {within} then {found} end", items.may_be_nan)


def _is_field(node: Node) -> bool:
    """Whether a part is a name, or an entry within one."""
    while isinstance(node, Select | Index):
        node = node.operand
    return isinstance(node, Name)


def lost_parts(nodes: Sequence[Node], parts: Sequence[Sql]) -> list[str]:
    """Return tests that one of some parts is unknown; what is written out never is."""
    tests = (is_null(one).text for one, of in zip(parts, nodes, strict=True) if not isinstance(of, Literal))
    return list(dict.fromkeys(tests))


def twice(nodes: Sequence[Node], keys: Sequence[Sql]) -> list[str]:
    """Return tests that a key stands twice in a map; two that are written out were told apart before."""
    written = [node.value for node in nodes if isinstance(node, Literal)]
    if len(set(written)) < len(written):
        return ["true"]
    return [
        joined("=", keys[at], keys[other]).text
        for at in range(len(keys))
        for other in range(at)
        if not (isinstance(nodes[at], Literal) and isinstance(nodes[other], Literal))
    ]
