"""Which column a field is likely to be read from, by name and type: a mapping for a person to read and mend."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adjudge.backtest.cells import install_cells, is_cell, read_cell
from adjudge.backtest.columns import DataError, sql_type, understood
from adjudge.backtest.dataset import read_slots
from adjudge.backtest.duck import fetched, first
from adjudge.backtest.finder import Finder
from adjudge.backtest.parquet_types import told_by_arrow
from adjudge.backtest.reading import read_columns
from adjudge.backtest.roles import ROLES, WORDS, word_of
from adjudge.backtest.sources import described, open_source
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.frozen import frozen
from adjudge.policy.slots import NOW
from adjudge.policy.typed import TypedPolicy
from adjudge.values.fields import Field
from adjudge.values.types import BOOL, DOUBLE, DURATION, STRING, TIMESTAMP, EnumType

if TYPE_CHECKING:
    import duckdb

SAMPLE = 10_000
"""So many rows are looked at."""
LIKELY, GUESSED = 0.6, 0.35
"""How well a name must fit, from 0 to 1."""
APART = 0.1
"""By how much the best name must fit better than the next."""
READABLE_MIN = 0.5
"""So great a share of the cells must be of the field's type, unless the column has the field's own name."""
SHOWN = 3

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_CALLED: Mapping[str, Sequence[str]] = {
    "at": ("at", "time", "timestamp", "date", "created", "decided", "when", "ts"),
    "id": ("id", "uuid", "key"),
    "label": ("label", "fraud", "truth", "target"),
    "cost": ("cost", "costs", "price", "fee"),
    "outcome": ("outcome", "decision", "result", "verdict"),
}
"""What roles are called elsewhere."""
_ROLE_FIELDS = {
    "id": Field(type=STRING),
    "at": Field(type=TIMESTAMP),
    "cost": Field(type=DOUBLE),
    "label": Field(type=EnumType(WORDS["label"])),
    "outcome": Field(type=EnumType(WORDS["outcome"])),
}


@frozen(kw_only=True)
class Guess:
    """A column for a field or a role.

    column: None where it is left open. is_sure: whether it stands in the mapping, or is only proposed. why: for people.
    """

    name: str
    column: str | None
    is_sure: bool
    why: str


@frozen(kw_only=True)
class Guesses:
    """What was guessed for what policies read. unused: columns that nothing is read from. rows: looked at."""

    found: tuple[Guess, ...]
    unused: tuple[str, ...]
    rows: int


@frozen
class _Fit:
    """A column that has a field's name, more or less. cells, readable: of the sample, not empty, and of its type."""

    name: str
    column: str
    score: float
    cells: int = 0
    readable: int = 0


def guess(connection: duckdb.DuckDBPyConnection, path: Path, policies: Sequence[TypedPolicy]) -> Guesses:
    """Guess a mapping of data for some policies. Raises DataError."""
    source = open_source(connection, path, policies[0].name)
    if source.csv:
        read_columns(connection, source.relation, source.csv, [])
    types = described(connection, source)
    found = {name: type_ for name, type_ in types.items() if not name.startswith("\x1f")}
    if source.parquet and not source.is_export:
        found = told_by_arrow(source.parquet, found)
    read: dict[str, Field] = {}
    for policy in policies:
        slots = read_slots(policy)
        read |= {slot: field for slot, field in policy.slots.items() if slot in slots and slot != NOW}
    roles = {f"@{role}" if role in read else role: field for role, field in _ROLE_FIELDS.items()}
    lists = [slot for slot, field in read.items() if source.csv and not is_cell(field.type)]
    names = {**roles, **{slot: field for slot, field in read.items() if slot not in lists}}
    if source.csv and any(field.type == DURATION for field in names.values()):
        install_cells(connection)
    named = _by_own_name(policies, found, source.is_export)
    fits = [
        _Fit(name, column, 1.0 if named.get(name) == column else _likeness(column, name))
        for name in names
        for column in found
    ]
    fits = [one for one in fits if one.score >= GUESSED]
    (rows_seen,) = first(connection, f"select count(*) from (select 1 from {source.relation} limit {SAMPLE})")
    fits = list(_sampled(connection, source.relation, found, names, fits, is_csv=bool(source.csv)))
    chosen = list(_chosen(names, fits))
    why = "a CSV holds no lists: put them into Parquet, or say what they are, such as `--assume {}=[]`"
    chosen += [Guess(name=slot, column=None, is_sure=False, why=why.format(slot)) for slot in lists]
    used = {one.column for one in chosen}
    return Guesses(found=tuple(chosen), unused=tuple(one for one in found if one not in used), rows=rows_seen)


def _by_own_name(policies: Sequence[TypedPolicy], found: Mapping[str, str], is_export: bool) -> dict[str, str]:
    """Return the columns that need no mapping, for they have the name of a field or of a role."""
    named = {role: role for role in ROLES if role in found}
    for policy in policies:
        finder = Finder(policy=policy, mapping={}, found=found, is_export=is_export)
        for slot in policy.slots:
            if slot != NOW and (column := finder.named(slot)) is not None:
                named[slot] = column
    return named


def _sampled(
    connection: Any,
    relation: str,
    found: Mapping[str, str],
    names: Mapping[str, Field],
    fits: Sequence[_Fit],
    *,
    is_csv: bool,
) -> Iterator[_Fit]:
    """Yield columns with how many of the first cells are of the field's type."""
    parts, asked = [], []
    for one in fits:
        cell, type_, field = DUCKDB.column(one.column), found[one.column], names[one.name]
        try:
            if (role := one.name.removeprefix("@")) in WORDS and field is _ROLE_FIELDS[role]:
                value = word_of(role, cell)
                cell = f"nullif({cell}::varchar, '')"
            elif is_csv:
                days = role == "at"
                value = understood(read_cell(cell, field.type, days=days), one.column, _read_as(field), field)
                cell = f"case when {cell} <> '' then {cell} end"
            elif role == "at" and type_ == "DATE":
                value = cell
            else:
                value = understood(cell, one.column, type_, field)
        except DataError:
            yield _Fit(one.name, one.column, one.score, 1, 0)
            continue
        parts += [f"count({cell})", f"count({value})"]
        asked.append(one)
    if not parts:
        return
    ((*counts,),) = fetched(connection, f"select {', '.join(parts)} from (select * from {relation} limit {SAMPLE})")
    for at, one in enumerate(asked):
        yield _Fit(one.name, one.column, one.score, counts[2 * at], counts[2 * at + 1])


def _read_as(field: Field) -> str:
    """Return the type, as DuckDB describes it, of a cell that was read."""
    return {TIMESTAMP: "TIMESTAMP WITH TIME ZONE", DURATION: "INTERVAL", BOOL: "BOOLEAN"}.get(field.type) or (
        sql_type(field.type)
    )


def _chosen(names: Mapping[str, Field], fits: Sequence[_Fit]) -> Iterator[Guess]:
    """Yield a guess for each name, in their order; each column is used once, by the name that it fits best."""
    good = [one for one in fits if _is_good(one)]
    taken: dict[str, _Fit] = {}
    used: set[str] = set()
    for one in sorted(good, key=lambda one: (-one.score, one.column, one.name)):
        if one.name not in taken and one.column not in used:
            taken[one.name] = one
            used.add(one.column)
    for name, field in names.items():
        others = [one for one in good if one.name == name]
        fit = taken.get(name)
        if fit is not None:
            near = [one.column for one in others if one is not fit and one.score > fit.score - APART]
            is_sure = fit.score == 1.0 or (fit.score >= LIKELY and not near)
            why = "the same name" if fit.score == 1.0 else "a name like it" if is_sure else "perhaps"
            yield Guess(name=name, column=fit.column, is_sure=is_sure, why=", ".join([why, *_doubts(fit, field, near)]))
            continue
        bad = [one for one in fits if one.name == name and one not in good]
        if name.removeprefix("@") in ROLES and name.removeprefix("@") not in WORDS and not bad:
            continue  # nobody misses an id or a cost that is not there
        why = " and ".join(map(_refused, bad[:SHOWN])) if bad else "no column has a name like it"
        yield Guess(name=name, column=None, is_sure=False, why=why)


def _is_good(fit: _Fit) -> bool:
    """Whether a column can be read as the field; one of its own name is read by a backtest, however few cells can."""
    return fit.cells == 0 or fit.readable >= (1 if fit.score == 1.0 else READABLE_MIN * fit.cells)


def _refused(fit: _Fit) -> str:
    if fit.readable == 0:
        return f"no cell of `{fit.column}` is one"
    return f"only {fit.readable:,} of {fit.cells:,} cells of `{fit.column}` can be read"


def _doubts(fit: _Fit, field: Field, near: Sequence[str]) -> Iterator[str]:
    if near:
        yield f"or {' or '.join(f'`{one}`' for one in near[:SHOWN])}"
    if fit.cells == 0:
        yield "all of the cells looked at are empty"
    elif fit.readable < fit.cells:
        yield f"{fit.cells - fit.readable:,} of {fit.cells:,} cells cannot be read"
    elif field.type != STRING:
        yield "every cell can be read"


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _likeness(column: str, name: str) -> float:
    """Return how well a column's name fits a field's, from 0 to 1; the end of the field's counts most."""
    said = _words(column)
    role = name.removeprefix("@")
    if role in ROLES:
        return (0.95 if len(said) == 1 else 0.7) if any(word in _CALLED[role] for word in said) else 0.0
    *owners, last = name.split(".")
    before, end = [word for owner in owners for word in _words(owner)], _words(last)
    if not said or not end:
        return 0.0
    if "".join(said) == "".join([*before, *end]):
        return 0.95
    joined = "".join(end)
    of_column = sum(max(_alike(word, other) for other in [*before, *end, joined]) for word in said) / len(said)
    of_end = sum(max(_alike(word, other) for word in [*said, "".join(said)]) for other in end) / len(end)
    of_end = max(of_end, max(_alike(word, joined) for word in said))
    of_owner = sum(max(_alike(word, other) for word in said) for other in before) / len(before) if before else of_end
    return 0.9 * (0.5 * of_column + 0.35 * of_end + 0.15 * of_owner)


def _alike(short: str, long: str) -> float:
    """Return how well a word fits as another, or as what people shorten it to, such as `df` of `deepfake`."""
    if short == long or short.rstrip("s") == long.rstrip("s"):
        return 1.0
    if len(short) >= 4 and (long.endswith(short) or short in long):
        return 0.9
    if len(short) >= 3 and long.startswith(short):
        return 0.85
    if len(long) >= 4 and long in short:
        return 0.8
    if len(short) >= 2 and short[0] == long[0] and _is_within(short, long):
        return 0.6
    return 0.0


def _is_within(letters: str, word: str) -> bool:
    rest = iter(word)
    return all(letter in rest for letter in letters)
