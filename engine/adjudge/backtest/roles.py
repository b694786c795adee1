"""What a row has besides fields: its id, its time, a label, what it cost, and what became of it then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adjudge.audit.annotations import LABELS
from adjudge.backtest.columns import MAP, NUMBERS, DataError, micros_of
from adjudge.backtest.duck import fetched
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.model import OUTCOMES

ROLES = ("id", "at", "label", "cost", "outcome")
SHOWN = 3
_WANTED = {
    "at": "a TIMESTAMP in UTC, or a DATE",
    "cost": "a number",
    "label": "`fraud` or `genuine`, or a bool",
    "outcome": "pass, review or reject",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Expressions by role, the column of the time, the currency of costs, and what a reader must know."""

    texts: Mapping[str, str]
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
                f"the column `{name}` is {found[name]}, and `{role}` must be {_WANTED[role]}", "map another column"
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
        elif role in ("label", "outcome"):
            words = LABELS if role == "label" else tuple(outcome.value for outcome in OUTCOMES)
            texts[role], strange, note = _word(connection, relation, role, column, words)
            if strange and role in mapping:
                said = f"no row of the column `{name}` is {_WANTED[role]}, but for example {strange}"
                raise DataError(said, "map another column")
            notes += note
        elif role == "cost" and type_.startswith(MAP):
            texts[role], currency, more = _money(connection, relation, column)
            notes += more
        elif role == "cost":
            texts[role] = f"case when isfinite({column}::double) then {column}::double end"
        else:
            texts[role] = f"{column}::varchar"
    return Roles(texts=texts, at=named.get("at"), currency=currency, notes=tuple(notes))


def _can_be(role: str, type_: str) -> bool:
    """Whether a column could be meant that happens to have the name of a role."""
    if role == "at":
        return type_.startswith(("TIMESTAMP", "DATE"))
    if role == "cost":
        return type_.startswith((MAP, "DECIMAL")) or type_ in NUMBERS
    if role in ("label", "outcome"):
        return type_.startswith(("VARCHAR", "ENUM")) or (role == "label" and type_ == "BOOLEAN")
    return True


def _word(
    connection: Any, relation: str, role: str, column: str, words: tuple[str, ...]
) -> tuple[str, str | None, list[str]]:
    """Return one of some words, however it is capitalised; what stands there where none does; and a note of others."""
    said = f"lower({column}::varchar)"
    if role == "label":
        said = f"case {said} when 'true' then 'fraud' when 'false' then 'genuine' else {said} end"
    known = ", ".join(map(DUCKDB.text, words))
    rows = fetched(
        connection,
        f"select {column}::varchar, count(*) from {relation} where {said} not in ({known}) and {column}::varchar <> ''"
        " group by 1 order by count(*) desc, 1",
    )
    notes, shown = [], None
    if rows:
        shown = ", ".join(f"`{word}`" for word, _ in rows[:SHOWN]) + (", …" if len(rows) > SHOWN else "")
        total = sum(count for _, count in rows)
        notes.append(f"rows whose {role} is not one of {', '.join(words)}: {total:,}, such as {shown}")
    if rows and fetched(connection, f"select 1 from {relation} where {said} in ({known}) limit 1"):
        shown = None
    return f"case when {said} in ({known}) then {said} end", shown, notes


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
