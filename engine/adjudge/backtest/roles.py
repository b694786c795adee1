"""What a row has besides fields: its id, its time, a label, what it cost, and what became of it then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adjudge.audit.annotations import LABELS
from adjudge.backtest.cells import FORMS
from adjudge.backtest.columns import MAP, NUMBERS, DataError, micros_of
from adjudge.backtest.duck import fetched, first
from adjudge.backtest.sources import RowSource
from adjudge.backtest.unreadable import Asked, Unreadable, look_over
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.frozen import frozen
from adjudge.model import OUTCOMES
from adjudge.values.types import DOUBLE, TIMESTAMP

ROLES = ("id", "at", "label", "cost", "outcome", "sampled_share")
WORDS = {"label": LABELS, "outcome": tuple(outcome.value for outcome in OUTCOMES)}
WANTED = {
    "at": "a TIMESTAMP in UTC, or a DATE",
    "cost": "a number",
    "label": "`fraud` or `genuine`, or a bool",
    "outcome": "pass, review or reject",
    "sampled_share": "a share, 0 to 1",
}


@frozen(kw_only=True)
class Roles:
    """Expressions by role, the columns that they read, the time's own, the currency of costs, and what to know."""

    texts: Mapping[str, str]
    named: Mapping[str, str]
    at: str | None = None
    currency: str | None = None
    notes: tuple[str, ...] = ()


def find_roles(
    connection: Any, relation: str, found: Mapping[str, str], mapping: Mapping[str, str], *, is_export: bool
) -> Roles:
    """Find what rows have. found: types by column. mapping: columns by role. Raises DataError."""
    named = {role: mapping.get(role) or ("decision_id" if is_export and role == "id" else role) for role in ROLES}
    named = {
        role: name for role, name in named.items() if name in found and (role in mapping or _can_be(role, found[name]))
    }
    for role, name in named.items():
        if not _can_be(role, found[name]):
            raise DataError(
                f"the column `{name}` is {found[name]}, and `{role}` must be {WANTED[role]}", "map another column"
            )
    texts: dict[str, str] = {}
    notes: list[str] = []
    currency = None
    for role, name in named.items():
        column, type_ = DUCKDB.column(name), found[name]
        if role == "at":
            texts[role] = f"{column}::timestamp" if type_ == "DATE" else f"make_timestamp({micros_of(column, type_)})"
        elif role == "label" and type_ == "BOOLEAN":
            texts[role] = f"case when {column} then 'fraud' when not {column} then 'genuine' end"
        elif role in WORDS:
            texts[role] = word_of(role, column)
        elif role == "cost" and type_.startswith(MAP):
            texts[role], currency, more = _money(connection, relation, column)
            notes += more
        elif role == "sampled_share":
            share = f"{column}::double"
            texts[role] = f"case when {share} > 0 and {share} <= 1 then {share} end"
        elif role == "cost":
            texts[role] = f"case when isfinite({column}::double) then {column}::double end"
        else:
            texts[role] = f"{column}::varchar"
    return Roles(texts=texts, named=named, at=named.get("at"), currency=currency, notes=tuple(notes))


def unreadable_roles(
    connection: Any, source: RowSource, has: Roles, mapped: Mapping[str, str]
) -> tuple[tuple[Unreadable, ...], Roles]:
    """Return the cells of roles that cannot be read, and the roles without those of which nothing can.

    mapped: columns by role, as they are called in the data. Raises DataError where one of them is of no use.
    """
    asked: dict[str, Asked] = {}
    for role, value in has.texts.items():
        column = mapped.get(role) or has.named[role].partition("\x1f")[0]
        cell = DUCKDB.column(column)
        if role in WORDS and value == word_of(role, cell):  # a bool needs no reading
            words = ", ".join(f"`{word}`" for word in WORDS[role])
            asked[role] = Asked(
                column=column,
                cell=f"nullif({cell}::varchar, '')",
                value=value,
                bare=cell,
                fits=f"{cell} in ({', '.join(map(DUCKDB.text, WORDS[role]))})",
                wanted=f"one of {words}",
            )
        elif role in ("at", "cost") and source.csv:
            wanted = FORMS[TIMESTAMP if role == "at" else DOUBLE]
            asked[role] = Asked(column=column, cell=cell, value=value, wanted=wanted)
    looked = look_over(connection, source.relation, source.csv, list(asked.values()))
    found = {one.column: one for one in looked.unreadable}
    kept = {role: looked.bare.get(text, text) for role, text in has.texts.items()}
    left, notes = [], []
    for role, one in asked.items():
        dirt = found.get(one.column)
        if dirt is None or dirt.wanted != one.wanted or dirt.count < dirt.cells:
            continue
        said = f"no cell of the column `{one.column}` is {one.wanted}, but for example {dirt.instead}"
        if role in mapped:
            raise DataError(said, "map another column")
        kept.pop(role)
        left.append(dirt)
        notes.append(f"the column `{one.column}` is left out: {said}")
    at = has.at if "at" in kept else None
    return tuple(one for one in found.values() if one not in left), replace(
        has, texts=kept, at=at, notes=(*has.notes, *notes)
    )


def with_sample(connection: Any, relation: str, has: Roles) -> Roles:
    """Return roles with a note of what was sampled; without `sampled_share` where nothing was, or none is labelled.

    A label from before the first row that was drawn, or after the last, is left out: nothing stands for passes of then.
    """
    rest = replace(has, texts={role: text for role, text in has.texts.items() if role != "sampled_share"})
    if not {"sampled_share", "outcome", "label"} <= has.texts.keys():
        return rest
    share, passed = has.texts["sampled_share"], f"{has.texts['outcome']} = 'pass'"
    at = has.texts.get("at", "null::timestamp")
    drawn, stand_for, others, begun, ended = first(
        connection,
        f"select count({share}), coalesce(sum(1 / ({share})), 0),"
        f" count_if({passed} and {share} is null and {has.texts['label']} is not null),"
        f" min({at}) filter (where {share} is not null), max({at}) filter (where {share} is not null) from {relation}",
    )
    if not drawn:
        return rest
    notes = [*has.notes]
    if begun is not None:
        within = f"{at} between timestamp '{begun}' and timestamp '{ended}'"
        (outside,) = first(
            connection, f"select count_if({has.texts['label']} is not null and not {within}) from {relation}"
        )
        if outside:
            has = replace(has, texts={**has.texts, "label": f"case when {within} then {has.texts['label']} end"})
            when = f"before {begun:%Y-%m-%d %H:%M} and after {ended:%Y-%m-%d %H:%M}"
            notes.append(f"{outside:,} labels of decisions {when} count for nothing: no pass was drawn then")
    said = f"passes were sampled: what labels say of {drawn:,} drawn rows counts for {round(stand_for):,}"
    note = f"{said}, and the labels of {others:,} that passed and were not drawn count for nothing"
    return replace(has, notes=(*notes, note))


def _can_be(role: str, type_: str) -> bool:
    """Whether a column could be meant that happens to have the name of a role."""
    if role == "at":
        return type_.startswith(("TIMESTAMP", "DATE"))
    if role == "cost":
        return type_.startswith((MAP, "DECIMAL")) or type_ in NUMBERS
    if role == "sampled_share":
        return type_.startswith("DECIMAL") or type_ in NUMBERS
    if role in ("label", "outcome"):
        return type_.startswith(("VARCHAR", "ENUM")) or (role == "label" and type_ == "BOOLEAN")
    return True


def word_of(role: str, column: str) -> str:
    """Return one of some words, however it is capitalised."""
    said = f"lower({column}::varchar)"
    if role == "label":
        said = f"case {said} when 'true' then 'fraud' when 'false' then 'genuine' else {said} end"
    known = ", ".join(map(DUCKDB.text, WORDS[role]))
    return f"case when {said} in ({known}) then {said} end"


def _money(connection: Any, relation: str, column: str) -> tuple[str, str | None, list[str]]:
    """Return an amount in the currency that most costs are in, and a note of the others."""
    keys = f"select unnest(map_keys({column})) as currency from {relation} where cardinality({column}) > 0"
    rows = fetched(connection, f"select currency, count(*) from ({keys}) group by 1 order by count(*) desc, 1")
    if not rows:
        return f"case when {column} is not null then 0e0 end", None, []
    currency = str(rows[0][0])
    others = ", ".join(f"{name} in {count:,} rows" for name, count in rows[1:])
    notes = [f"costs are in {currency}; left out: {others}"] if others else []
    return (
        f"case when {column} is not null then coalesce({column}[{DUCKDB.text(currency)}]::double, 0) end",
        currency,
        notes,
    )
