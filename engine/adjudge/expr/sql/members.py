"""Whether a value is in a list, a set or a map, in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from adjudge.expr import gaps
from adjudge.expr.nodes import (
    Binary,
    ListLiteral,
    MapLiteral,
    Name,
    Node,
)
from adjudge.expr.sql.entries import lost_parts, twice
from adjudge.expr.sql.operations import ordered
from adjudge.expr.sql.translation import (
    LENGTH_MAX,
    LISTED_MAX,
    Scope,
    Translation,
    are_scalars,
    same_kind,
)
from adjudge.expr.sql.value import (
    Binds,
    NotTranslatable,
    Sql,
    is_null,
    joined,
)
from adjudge.values.types import ListType as List
from adjudge.values.types import (
    MapType,
    SetType,
    is_text,
)


def contained(sql: Translation, node: Binary, scope: Scope) -> Sql:
    """Return the SQL of `in`."""
    item, container = sql.value(node.left, scope), node.right
    if node.left.type is None or not are_scalars(node.left.type):
        raise NotTranslatable(gaps.IN_VALUE.said, node.span)
    if isinstance(container, Name) and container.name in sql.lists:
        return _listed(sql, item, container, scope)
    written = sql.written(container)
    if isinstance(written, ListLiteral):
        return _in_written(sql, node, item, written.items, scope)
    if isinstance(written, MapLiteral):
        keys = [key for key, _ in written.entries]
        parts = [sql.value(part, scope) for part in keys]
        values = [value for _, value in written.entries]
        lost = [*lost_parts(values, [sql.value(value, scope) for value in values]), *twice(keys, parts)]
        found = _in_written(sql, node, item, keys, scope)
        return Sql(f"case when {' or '.join(lost)} then null else {found.text} end") if lost else found
    if isinstance(container.type, MapType):
        if node.left.type is None or not is_text(node.left.type):
            raise NotTranslatable("`in` such a part", node.span)
        entries = sql.short(sql.value(container, scope))
        unknown = joined("or", is_null(item), is_null(entries)).text
        return Sql(f"case when {unknown} then null else {sql.dialect.has_key(entries.text, item.text)} end")
    if not isinstance(container.type, List | SetType):
        raise NotTranslatable("`in` such a part", node.span)
    if not isinstance(container.type, SetType) and not same_kind(container.type.item, node.left.type):
        raise NotTranslatable("`in` a list of another type", node.span)
    many = sql.short(sql.value(container, scope))
    if item.may_be_nan or many.may_be_nan:
        raise NotTranslatable(gaps.IN_VALUE.said, node.span)
    items_, dialect = str(many), sql.dialect
    doubt = f"when {dialect.length(items_)} > {dialect.known(items_)} then null"
    unknown = f"case when {item} is null or {items_} is null then null"
    return Sql(f"{unknown} when {dialect.holds(items_, item.text)} then true {doubt} else false end")


def _listed(sql: Translation, item: Sql, container: Name, scope: Scope) -> Sql:
    """Whether a value is in a list of the policy."""
    values = sql.lists[container.name]
    if sql.tables is not None and not scope and len(values) > LISTED_MAX:
        return Sql(sql.dialect.in_table(str(item), sql.tables(container.name)), nulls=item.nulls)
    if len(values) * 2 > LENGTH_MAX:
        raise NotTranslatable(f"more than {LENGTH_MAX:,} characters of SQL", container.span)
    return _among(sql, item, [sql.literal(value, container) for value in values])


def _in_written(sql: Translation, node: Binary, item: Sql, items: Sequence[Node], scope: Scope) -> Sql:
    """Whether a value is in a list that is written out."""
    if any(not same_kind(part.type, node.left.type) for part in items):
        raise NotTranslatable("`in` a list of another type", node.span)
    parts = [sql.value(part, scope) for part in items]
    if parts and (item.may_be_nan or any(part.may_be_nan for part in parts)):
        item = sql.short(item)
        return joined("or", *(ordered("==", item, part) for part in parts))
    return _among(sql, item, parts)


def _among(sql: Translation, item: Sql, values: list[Sql]) -> Sql:
    if not values:
        return Sql(f"case when {item} is null then null else false end", nulls=item.nulls)
    nulls = None if any(value.nulls is None or value.nulls for value in values) else item.nulls
    return Sql(f"{item} in ({', '.join(value.text for value in values)})", binds=Binds.COMPARISON, nulls=nulls)
