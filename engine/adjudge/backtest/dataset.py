"""The rows of a backtest: an export of a log, or anybody's Parquet or CSV, each column understood as its slot is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from adjudge.backtest.answers import Answers
from adjudge.backtest.assumed import assumed_columns
from adjudge.backtest.cells import is_cell
from adjudge.backtest.columns import DataError, sql_type
from adjudge.backtest.duck import QueryFailed
from adjudge.backtest.finder import Finder
from adjudge.backtest.parquet_types import told_by_arrow
from adjudge.backtest.reading import Wanted, read_columns
from adjudge.backtest.roles import ROLES, find_roles, unreadable_roles, with_sample
from adjudge.backtest.sources import RowSource, described, open_source
from adjudge.backtest.unreadable import Asked, Unreadable, look_over, wanted_of
from adjudge.errors import did_you_mean
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.frozen import frozen
from adjudge.plugin import LogSource
from adjudge.policy.slices import Sliced
from adjudge.policy.slots import NOW
from adjudge.policy.typed import TypedPolicy
from adjudge.values.fields import Field
from adjudge.values.types import DOUBLE, TIMESTAMP

if TYPE_CHECKING:
    import duckdb

STRETCHES = 5
"""A sample of files is taken at so many places: each takes the time to read a part of a file."""


@frozen(kw_only=True)
class Dataset:
    """Rows for one policy.

    relation: what stands after `from`. columns: an SQL expression for each slot, NULL where unknown. types: of those.
    known: slots that are known on every row.
    roles: expressions of those of `ROLES` that the data has. named: the column that a slot is read from.
    currency: of the cost, if known.
    absent: slots that the policy reads and the data has not. assumed: what is assumed on every row, by slot.
    unreadable: cells that are unknown for what stands there.
    notes: what a reader must know.
    refused: conditions that turned out to be too much for the database, as `policy_sql` takes them.
    answers: what the engine answered where SQL has no form, which those who read the same data share.
    worked: steps of conditions that are columns of the relation already, see `settled`.
    sliced: which rows these are, where not all of the table are.
    """

    path: Path | LogSource
    relation: str
    columns: Mapping[str, str]
    types: Mapping[str, str]
    known: frozenset[str] = frozenset()
    roles: Mapping[str, str] = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)
    currency: str | None = None
    absent: tuple[str, ...] = ()
    assumed: Mapping[str, str] = field(default_factory=dict)
    unreadable: tuple[Unreadable, ...] = ()
    notes: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers, compare=False)
    worked: frozenset[str] = frozenset()
    sliced: Sliced | None = None

    def lacks(self, slot: str) -> bool:
        """Whether the data has nothing for a slot, which is then unknown on every row."""
        return self.columns[slot] == _nothing(self.types[slot])

    def sample(self, wanted: int, rows: int) -> str:
        """Return a relation of about so many rows of `rows`: of files, some stretches, whatever lies between unread."""
        if rows <= wanted:
            return self.relation
        if self.relation.startswith("("):  # to find a place in a selection, all before it is read
            return f"(select * from {self.relation} using sample {100 * wanted / rows} percent (system, 1))"
        size, between = wanted // STRETCHES, rows // STRETCHES
        places = (at * between + (between - size) // 2 for at in range(STRETCHES))
        parts = (f"(select * from {self.relation} limit {size} offset {place})" for place in places)
        return f"({' union all '.join(parts)})"

    def day(self) -> str:
        """Return an expression of the day, in UTC, of a decision."""
        return f"cast({self.roles['at']} as date)" if "at" in self.roles else "cast(null as date)"

    def label(self) -> str:
        """Return an expression that is `fraud`, `genuine` or NULL.

        Where passes were sampled, those that were not drawn count for no label: what is known of them is what somebody
        happened to find, and those that were drawn stand for them.
        """
        label = self.roles.get("label", "cast(null as varchar)")
        if not self.is_sampled:
            return label
        left_out = f"{self.roles['outcome']} = 'pass' and {self.roles['sampled_share']} is null"
        return f"case when {left_out} then null else {label} end"

    @property
    def is_sampled(self) -> bool:
        """Whether the data says which of the passes were drawn for a person to look at."""
        return "sampled_share" in self.roles

    def weight(self) -> str:
        """Return an expression of how many rows the label of one stands for: 1, or the reciprocal of the share."""
        return f"coalesce(1 / {self.roles['sampled_share']}, 1)" if self.is_sampled else "1"

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
    assumed: Mapping[str, str] | None = None,
    is_strict: bool = False,
    answers: Answers | None = None,
) -> Dataset:
    """Open Parquet, CSV or an export. Raises DataError.

    mapping: columns by slot, by a name of `ROLES`, or by `@` and such a name where the policy has a slot of that name.
    What it leaves out goes by the slot's own name, or by its name in an export.
    name: of the policy whose decisions are wanted from an export; this policy's own unless given.
    assumed: values by slot, as texts, of what the data lacks.
    is_strict: whether a cell that cannot be read is an error.
    answers: of the engine, where others read the same data; its own, from one process, unless given.
    """
    _tell_apart(policy)
    try:
        source = open_source(connection, path, name or policy.name)
        found = described(connection, source)
        if source.parquet and not source.is_export:
            found = told_by_arrow(source.parquet, found)
        slots, roles = _split(mapping or {}, found, policy)
        finder = Finder(
            policy=policy,
            mapping=slots,
            found=found,
            is_export=source.is_export,
        )
        notes, typed = source.notes, finder
        read_roles: Mapping[str, str] = roles
        if source.csv:
            read_slots, read_roles, more = _read_csv(connection, source, finder, roles)
            notes = (*notes, *more)
            typed = replace(finder, mapping={**finder.mapping, **read_slots}, found=described(connection, source))
        has = find_roles(connection, source.relation, typed.found, read_roles, is_export=source.is_export)
        dirt, has = unreadable_roles(connection, source, has, roles)
        typed = replace(typed, at=has.at)
        columns = {slot: _column(typed, slot, declared, assumed or {}) for slot, declared in policy.slots.items()}
        for slot in assumed or {}:
            if columns[slot] is not None:
                there = finder.named(slot) or finder.named(str(policy.parts[slot].whole)) or "at"
                raise DataError(
                    f"--assume {slot}: the data has it, in the column `{there}`", "assume what the data lacks only"
                )
        columns |= assumed_columns(policy, assumed or {})
        looked = look_over(connection, source.relation, source.csv, list(_asked(finder, typed, columns)))
        dirt += looked.unreadable
    except QueryFailed as error:
        raise DataError(f"{path}: cannot be read: {error.said}", error.hint) from None
    if is_strict and dirt:
        raise min(dirt, key=lambda one: (one.file, one.line)).refusal()
    types = {slot: sql_type(declared.type) for slot, declared in policy.slots.items()}
    has = with_sample(connection, source.relation, has)
    return Dataset(
        path=path,
        relation=source.relation,
        columns={
            slot: looked.bare.get(column, column) if column is not None else _nothing(types[slot])
            for slot, column in columns.items()
        },
        types=types,
        roles=has.texts,
        known=frozenset(slot for slot, column in columns.items() if column in looked.known),
        named={slot: named for slot in policy.slots if (named := finder.named(slot)) is not None},
        currency=has.currency,
        absent=_missed([slot for slot, column in columns.items() if column is None], policy),
        assumed=dict(assumed or {}),
        unreadable=dirt,
        notes=(*notes, *has.notes),
        answers=answers or Answers(),
    )


def _column(finder: Finder, slot: str, declared: Field, assumed: Mapping[str, str]) -> str | None:
    """Return a slot's column; None where there is none, or where it holds nothing of its kind and is assumed."""
    try:
        return finder.column(slot, declared)
    except DataError:
        if slot not in assumed:
            raise
        return None  # a list in a CSV, say: no cell of it can be read


def _nothing(type_: str) -> str:
    return f"cast(null as {type_})"


def _asked(finder: Finder, typed: Finder, columns: Mapping[str, str | None]) -> Iterator[Asked]:
    """Yield the columns of single values that the policy reads.

    finder: as the columns are called in the data. typed: as they hold values.
    """
    policy = finder.policy
    read = read_slots(policy)
    for slot, value in columns.items():
        part, declared, named = policy.parts[slot], policy.slots[slot], finder.named(slot)
        if slot == NOW or slot not in read or value is None or named is None or not is_cell(declared.type):
            continue
        if part.novel or (part.key is not None and finder.named(str(part.whole)) is not None):
            continue
        bare, fits = typed.as_it_stands(slot, declared) or (None, "")
        yield Asked(
            column=named,
            cell=DUCKDB.column(named),
            value=value,
            bare=bare,
            fits=fits,
            wanted=wanted_of(declared),
            is_personal=declared.personal,
        )


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


def _read_csv(
    connection: duckdb.DuckDBPyConnection, source: RowSource, finder: Finder, roles: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str], tuple[str, ...]]:
    """Read the cells of a CSV. Returns the columns of slots and of roles, and what a reader must know."""
    slots: dict[str, Wanted] = {}
    for slot, declared in finder.policy.slots.items():
        named = finder.named(slot) if slot != NOW else finder.mapping.get(NOW)
        if named is not None and named in finder.found and is_cell(declared.type):
            slots[slot] = Wanted(column=named, type=declared.type, days=slot == NOW)
    wanted: dict[str, Wanted] = {}
    for role, type_ in (("at", TIMESTAMP), ("cost", DOUBLE)):
        named = roles.get(role, role)
        if named in finder.found:
            wanted[role] = Wanted(column=named, type=type_, days=role == "at")
    notes = read_columns(connection, source.relation, source.csv, [*slots.values(), *wanted.values()])
    return (
        {slot: one.name for slot, one in slots.items()},
        {
            **roles,
            **{role: one.name for role, one in wanted.items()},
        },
        notes,
    )


def _missed(absent: Collection[str], policy: TypedPolicy) -> tuple[str, ...]:
    """Return what the policy reads of what the data has not; of a map and its entries, the map."""
    read = read_slots(policy)
    missed = [slot for slot in policy.slots if slot in absent and slot in read]
    parts = policy.parts
    told = [slot for slot in missed if parts[slot].key is None or str(parts[slot].whole) not in missed]
    return tuple(slot for slot in told if not parts[slot].novel or len(told) == 1)


def read_slots(policy: TypedPolicy) -> frozenset[str]:
    """Return the slots that a policy's conditions read."""
    return frozenset().union(*map(policy.reads.slots, policy.conditions))
