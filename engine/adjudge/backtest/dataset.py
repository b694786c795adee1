"""The rows of a backtest: an export of a log, or anybody's Parquet or CSV, each column understood as its slot is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from adjudge.backtest.columns import DataError, sql_type
from adjudge.backtest.duck import QueryFailed, fetched, first
from adjudge.backtest.finder import Finder, entries_of
from adjudge.backtest.roles import ROLES, find_roles
from adjudge.backtest.sources import Source, open_source
from adjudge.errors import did_you_mean
from adjudge.expr.sql.dialect import DUCKDB
from adjudge.expr.types import BOOL, DOUBLE, INT, is_text
from adjudge.policy.slots import NOVEL, NOW
from adjudge.policy.typed import TypedPolicy

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Rows for one policy.

    relation: what stands after `from`. columns: an SQL expression for each slot, NULL where unknown. types: of those.
    roles: expressions of those of `ROLES` that the data has. currency: of the cost, if known.
    absent: slots that the policy reads and the data has not. notes: what a reader must know.
    refused: conditions that turned out to be too much for the database, as `policy_sql` takes them.
    """

    path: Path
    relation: str
    columns: Mapping[str, str]
    types: Mapping[str, str]
    roles: Mapping[str, str] = field(default_factory=dict)
    currency: str | None = None
    absent: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)

    def day(self) -> str:
        """Return an expression of the day, in UTC, of a decision."""
        return f"cast({self.roles['at']} as date)" if "at" in self.roles else "cast(null as date)"

    def label(self) -> str:
        """Return an expression that is `fraud`, `genuine` or NULL."""
        return self.roles.get("label", "cast(null as varchar)")

    def cost(self) -> str:
        """Return an expression of what a decision's provider calls cost."""
        return self.roles.get("cost", "cast(null as double)")


def open_dataset(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    policy: TypedPolicy,
    *,
    mapping: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Dataset:
    """Open Parquet, CSV or an export. Raises DataError.

    mapping: columns by slot, by a name of `ROLES`, or by `@` and such a name where the policy has a slot of that name.
    What it leaves out goes by the slot's own name, or by its name in an export.
    name: of the policy whose decisions are wanted from an export; this policy's own unless given.
    """
    _tell_apart(policy)
    try:
        source = open_source(connection, path, name or policy.name)
        found = _described(connection, source)
        slots, roles = _split(mapping or {}, found, policy)
        finder = Finder(
            policy=policy,
            mapping=slots,
            found=found,
            is_export=source.is_export,
            ends=_ends(connection, source.files, found, policy),
            entries=entries_of(policy),
        )
        if source.csv is not None:
            source = source.typed(_csv_types(connection, source, finder))
            finder = replace(finder, found=_described(connection, source))
        has = find_roles(connection, source.relation, finder.found, roles, is_export=source.is_export)
    except QueryFailed as error:
        raise DataError(f"{path}: cannot be read: {error.said}", error.hint) from None
    finder = replace(finder, at=has.at)
    columns = {slot: finder.column(slot, declared) for slot, declared in policy.slots.items()}
    types = {slot: sql_type(declared.type) for slot, declared in policy.slots.items()}
    return Dataset(
        path=path,
        relation=source.relation,
        columns={slot: column or f"cast(null as {types[slot]})" for slot, column in columns.items()},
        types=types,
        roles=has.texts,
        currency=has.currency,
        absent=_missed([slot for slot, column in columns.items() if column is None], policy),
        notes=(*source.notes, *has.notes),
    )


def _described(connection: duckdb.DuckDBPyConnection, source: Source) -> dict[str, str]:
    return {row[0]: row[1] for row in fetched(connection, f"describe select * from {source.relation}")}


def _tell_apart(policy: TypedPolicy) -> None:
    """Refuse names that differ in case only, which DuckDB does not tell apart."""
    seen: dict[str, str] = {}
    for slot in policy.slots:
        other = seen.setdefault(slot.lower(), slot)
        if other != slot:
            raise DataError(f"`{other}` and `{slot}` differ in case only, and DuckDB takes them for one", "rename one")


def _split(
    mapping: Mapping[str, str], found: Mapping[str, str], policy: TypedPolicy
) -> tuple[dict[str, str], dict[str, str]]:
    """Return what of a mapping is meant for slots, and what for roles."""
    slots: dict[str, str] = {}
    roles: dict[str, str] = {}
    for name, column in mapping.items():
        if column not in found:
            raise DataError(f"there is no column `{column}`, to which `{name}` is mapped", did_you_mean(column, found))
        if name in policy.slots:
            slots[name] = column
        elif name.removeprefix("@") in ROLES:
            roles[name.removeprefix("@")] = column
        else:
            hint = did_you_mean(name, [*policy.slots, *ROLES])
            raise DataError(f"the policy reads no `{name}`, which a mapping names", hint)
    return slots, roles


def _csv_types(connection: duckdb.DuckDBPyConnection, source: Source, finder: Finder) -> dict[str, str]:
    """Return the types of columns that CSV cannot tell: texts that look like numbers, and columns without a value."""
    types: dict[str, str] = {}
    for slot, declared in finder.policy.slots.items():
        named = finder.named(slot) if slot != NOW else None
        if named is None or named not in finder.found:
            continue
        if is_text(declared.type):
            types[named] = "VARCHAR"
        elif declared.type in (INT, DOUBLE, BOOL) and finder.found[named] == "VARCHAR":
            (values,) = first(connection, f"select count({DUCKDB.column(named)}) from {source.relation}")
            types |= {} if values else {named: sql_type(declared.type)}
    return types


def _ends(
    connection: duckdb.DuckDBPyConnection, files: str | None, found: Mapping[str, str], policy: TypedPolicy
) -> Mapping[str, tuple[float, float]]:
    """Return the least and the greatest value of columns of numbers, which Parquet files tell without being read."""
    names = [name for name, type_ in found.items() if type_ in ("BIGINT", "DOUBLE")]
    if files is None or not names or all(declared.minimum is None for declared in policy.slots.values()):
        return {}
    wanted = ", ".join(f"min({column}), max({column})" for column in map(DUCKDB.column, names))
    ends = first(connection, f"select {wanted} from {files}")
    pairs = zip(names, ends[::2], ends[1::2], strict=True)
    return {name: (low, high) for name, low, high in pairs if low is not None}


def _missed(absent: Collection[str], policy: TypedPolicy) -> tuple[str, ...]:
    """Return what the policy reads of what the data has not; of a map and its entries, the map."""
    read = frozenset().union(*map(policy.reads.slots, policy.conditions))
    missed = [slot for slot in policy.slots if slot in absent and slot in read]
    owners = {slot: owner for slot, (owner, _) in entries_of(policy).items()}
    told = [slot for slot in missed if owners.get(slot) not in missed]
    return tuple(slot for slot in told if not slot.rpartition(".")[2].startswith(NOVEL) or len(told) == 1)
