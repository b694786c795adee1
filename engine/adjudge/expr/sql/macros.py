"""Macros in SQL: written out for each item where a list is written out, as lambdas elsewhere."""

from __future__ import annotations

from adjudge.expr.nodes import (
    Call,
    Comprehension,
    ListLiteral,
    MapLiteral,
    children,
)
from adjudge.expr.sql.entries import lost_parts, twice
from adjudge.expr.sql.translation import (
    UNROLLED_MAX,
    Scope,
    Translation,
)
from adjudge.expr.sql.value import (
    Binds,
    NotTranslatable,
    Sql,
    is_null,
    joined,
    negated,
    strict,
)
from adjudge.values.types import ListType as List
from adjudge.values.types import (
    MapType,
    SetType,
)


def unrolls(sql: Translation, node: Comprehension) -> bool:
    """Whether a macro can be written out for each item."""
    written = sql.written(node.operand)
    is_filtered = node.kind == "map" and node.predicate is not None
    return written is not None and 0 < len(children(written)) <= UNROLLED_MAX and not is_filtered


def unrolled(sql: Translation, node: Comprehension, scope: Scope) -> Sql:
    """Return a macro over a list or map that is written out; of `filter`, how many items it keeps."""
    written = sql.written(node.operand)
    assert written is not None
    parts = [sql.short(sql.value(part, scope)) for part in children(written)]
    items, lost = parts, []
    if isinstance(written, MapLiteral):  # which is unknown where a part of it is
        items = parts[::2]
        lost = [*lost_parts(children(written), parts), *twice([key for key, _ in written.entries], items)]
    inner = [{**scope, node.variable: item} for item in items]
    asked = [sql.value(node.predicate, one) for one in inner] if node.predicate is not None else []
    if node.kind in ("all", "exists"):
        answer = joined("or" if node.kind == "exists" else "and", *asked)
    elif node.kind == "map":
        assert node.transform is not None
        made = [sql.value(node.transform, one) for one in inner]
        lost += lost_parts([node.transform] * len(made), made)
        listed = sql.dialect.list_of(", ".join(one.text for one in made))
        answer = Sql(listed, any(one.may_be_nan for one in made))
    elif node.kind == "filter":  # an item that is kept must be known
        pairs = zip(items, asked, strict=True)
        each = [
            f"case when {one.beside(Binds.AND)} and {item} is not null then 1 when {negated(one).text} then 0 end"
            for item, one in pairs
        ]
        answer = Sql(" + ".join(each), binds=Binds.SUM)
    else:
        hits, open_ = _counted(asked)
        pairs = zip(items, asked, strict=True)
        lost += [f"({joined('and', is_null(item, known=True), is_null(one)).text})" for item, one in pairs]
        answer = Sql(f"case when {hits} > 1 then false when {open_} > {hits} then null else {hits} = 1 end")
    if not lost:
        return answer
    return Sql(f"case when {' or '.join(lost)} then null else {answer.text} end", answer.may_be_nan)


def at_least(sql: Translation, node: Call, scope: Scope) -> Sql:
    """Return whether so many conditions are true: of those written out, or of a list."""
    wanted, conditions = sql.value(node.arguments[0], scope), sql.written(node.arguments[1])
    if isinstance(conditions, ListLiteral):
        asked = [sql.short(sql.value(item, scope)) for item in conditions.items]
        hits, open_ = _counted(asked) if asked else ("0", "0")
        nulls = frozenset[str]() if strict(wanted, *asked) == frozenset() else None
        text = f"case when {hits} >= {wanted} then true when {open_} < {wanted} then false end"
        return Sql(text, nulls=nulls)
    items, dialect = str(sql.short(sql.value(node.arguments[1], scope))), sql.dialect
    with sql.variable() as variable:
        hits = dialect.length(dialect.only(items, variable, variable))
        misses = dialect.length(dialect.only(items, variable, f"not {variable}"))
    least = f"{dialect.length(items)} - {misses} < {wanted}"
    return Sql(f"case when {hits} >= {wanted} then true when {least} then false end")


def comprehension(sql: Translation, node: Comprehension, scope: Scope) -> Sql:
    """Return a macro over a list, a set or the keys of a map that are in a column."""
    operand, dialect = node.operand, sql.dialect
    over = sql.short(sql.value(operand, scope))
    items, is_map = str(over), isinstance(operand.type, MapType)
    if is_map:
        items = dialect.keys(items)
    elif not isinstance(operand.type, List | SetType):
        raise NotTranslatable("a macro over such a part", node.span)
    with sql.variable() as variable:
        inner = {**scope, node.variable: Sql(variable, over.may_be_nan and not is_map)}
        predicate = str(sql.value(node.predicate, inner)) if node.predicate is not None else "true"
        made = sql.value(node.transform, inner) if node.transform is not None else None
    is_set = isinstance(operand.type, SetType)
    if node.kind in ("all", "exists"):
        decides = "true" if node.kind == "exists" else "false"
        if is_set:  # an unknown member may be none at all, and decides nothing
            predicate = f"case when {variable} is null and {predicate} = {decides} then null else {predicate} end"
        answers = dialect.each(items, variable, predicate)
        doubt = f"{dialect.length(answers)} > {dialect.known(answers)}"
        decided = f"case when {items} is null then null when {dialect.holds(answers, decides)} then {decides}"
        return Sql(f"{decided} when {doubt} then null else {'false' if decides == 'true' else 'true'} end")
    if node.kind == "filter" or is_set:  # what is kept must be known
        asked = f"case when {variable} is null and coalesce({predicate}, true) then null else {predicate} end"
    else:
        asked = predicate
    answers = dialect.each(items, variable, asked)
    is_known = f"{dialect.length(answers)} = {dialect.known(answers)}"
    kept = dialect.only(items, variable, predicate) if node.predicate is not None else items
    if made is not None:
        transform = f"case when {variable} is null then null else {made.text} end" if is_set else made.text
        found = dialect.each(kept, variable, transform)
        is_made = f"{dialect.length(found)} = {dialect.known(found)}"
        all_known = f"{is_known} and {is_made}" if node.predicate is not None else is_made
        return Sql(f"case when {all_known} then {found} end", made.may_be_nan)
    if node.kind == "exists_one":
        lost = dialect.only(items, variable, f"{variable} is not null and ({asked}) is null")
        hits = dialect.length(dialect.only(answers, variable, variable))
        doubt = f"{dialect.length(answers)} > {dialect.known(answers)}"
        lost = f"case when {dialect.length(lost)} > 0 then null"
        return Sql(f"{lost} when {hits} > 1 then false when {doubt} then null else {hits} = 1 end")
    return Sql(f"case when {is_known} then {kept} end", over.may_be_nan)


def _counted(asked: list[Sql]) -> tuple[str, str]:
    """Return how many of some truths are true, and how many are not false; one at least."""
    hits = " + ".join(f"case when {one.text} then 1 else 0 end" for one in asked)
    open_ = " + ".join(f"case when {negated(one).text} then 0 else 1 end" for one in asked)
    return f"({hits})", f"({open_})"
