"""The rows of a backtest: an export of a log, or anybody's Parquet or CSV, each column understood as its slot is."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from adjudge.backtest.columns import MAP, NUMBERS, DataError, sql_type, understood
from adjudge.backtest.duck import fetched, first
from adjudge.backtest.layout import column_of
from adjudge.backtest.state import LABELS, STATE, read_state
from adjudge.errors import did_you_mean
from adjudge.expr.sql.dialect import DUCKDB
from adjudge.expr.types import DOUBLE, MapType
from adjudge.fields import Field
from adjudge.policy.slots import NOVEL, NOW, novel_name
from adjudge.policy.terms import slots_read
from adjudge.policy.typed import TypedPolicy

if TYPE_CHECKING:
    import duckdb

ROLES = ("id", "at", "label", "cost", "outcome")
"""What a row can have besides fields; `outcome` is what became of it then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Rows for one policy.

    relation: what stands after `from`. columns: an SQL expression for each slot, NULL where unknown. types: of those.
    roles: expressions of those of `ROLES` that the data has. currency: of the cost, if known.
    absent: slots that the data has not.
    """

    path: Path
    relation: str
    columns: Mapping[str, str]
    types: Mapping[str, str]
    roles: Mapping[str, str] = field(default_factory=dict)
    currency: str | None = None
    absent: tuple[str, ...] = ()

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
) -> Dataset:
    """Open Parquet, CSV or an export. Raises DataError.

    mapping: columns by slot, or by a name of `ROLES`; what it leaves out goes by the slot's own name, or by
    its name in an export.
    """
    import duckdb

    mapping = mapping or {}
    try:
        relation, files, is_export = _relation(connection, path, policy.name)
        found = {row[0]: row[1] for row in fetched(connection, f"describe select * from {relation}")}
    except duckdb.Error as error:
        raise DataError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    _check_mapping(mapping, found, policy)
    columns: dict[str, str] = {}
    absent = []
    finder = _Finder(policy, mapping, found, is_export, _ends(connection, files, found, policy))
    for slot, declared in policy.slots.items():
        column = finder.column(slot, declared)
        if column is None and slot != NOW:
            absent.append(slot)
        columns[slot] = column or f"cast(null as {sql_type(declared.type)})"
    roles = {}
    for role in ROLES:
        named = mapping.get(role) or ("decision_id" if is_export and role == "id" else role)
        if named not in found or (role not in mapping and not _can_be(role, found[named])):
            continue
        roles[role] = _role(role, named, found[named])
    currency = None
    if "cost" in roles and (name := mapping.get("cost", "cost")) and found[name].startswith(MAP):
        currency = _currency(connection, DUCKDB.column(name), relation)
        amount = f"coalesce({DUCKDB.column(name)}[{DUCKDB.text(currency)}]::double, 0)" if currency else "0e0"
        roles["cost"] = f"case when {DUCKDB.column(name)} is not null then {amount} end"
    types = {slot: sql_type(declared.type) for slot, declared in policy.slots.items()}
    return Dataset(
        path=path,
        relation=relation,
        columns=columns,
        types=types,
        roles=roles,
        currency=currency,
        absent=_missed(absent, policy),
    )


def _relation(connection: duckdb.DuckDBPyConnection, path: Path, policy: str) -> tuple[str, str | None, bool]:
    """Return what stands after `from`, the Parquet files behind it if there are any, and whether it is an export."""
    if path.is_dir():
        state = path / STATE
        if state.is_file():
            return *_export(connection, path, policy), True
        if not any(path.rglob("*.parquet")):
            raise DataError(f"{path}: holds no Parquet files, and is no export", "`adjudge audit export LOG` makes one")
        files = f"read_parquet({DUCKDB.text(f'{path}/**/*.parquet')}, union_by_name = true)"
        return files, files, False
    if path.suffix in (".csv", ".tsv", ".gz"):
        return f"read_csv({DUCKDB.text(str(path))}, sample_size = -1)", None, False
    if path.suffix != ".parquet":
        raise DataError(
            f"{path}: is no Parquet or CSV file", "name a .parquet or .csv file, a folder of them, or a log"
        )
    files = f"read_parquet({DUCKDB.text(str(path))})"
    return files, files, False


def _export(connection: duckdb.DuckDBPyConnection, path: Path, policy: str) -> tuple[str, str]:
    """Return an export's decisions of a policy, without those that later ones supersede, each with its newest label."""
    folders = sorted(read_state(path).folders, key=lambda name: (name.partition("~")[0], len(name), name))
    own = [name for name in folders if name.partition("~")[0] == policy]
    chosen = own[-1] if own else folders[0] if len(folders) == 1 else None
    if chosen is None:
        said = f"holds decisions of {', '.join(folders) or 'no policy'}, and none of {policy}"
        raise DataError(f"{path}: {said}", f"name one of its folders, such as {path}/{folders[0]}" if folders else None)
    files = DUCKDB.text(f"{path}/{chosen}/**/*.parquet")
    files = rows = f"read_parquet({files}, union_by_name = true, hive_partitioning = false)"
    later = f"select supersedes as decision_id from {files} where supersedes is not null"
    if fetched(connection, f"{later} limit 1"):
        rows = f"{rows} anti join ({later}) using (decision_id)"
    if any((path / LABELS).glob("*.parquet")):
        labels = DUCKDB.text(f"{path}/{LABELS}/*.parquet")
        newest = f"select decision_id, arg_max(label, seq) as label from read_parquet({labels}) group by decision_id"
        rows = f"{rows} left join ({newest}) using (decision_id)"
    return f"(select * from {rows})", files


def _check_mapping(mapping: Mapping[str, str], found: Mapping[str, str], policy: TypedPolicy) -> None:
    for slot, column in mapping.items():
        if slot not in policy.slots and slot not in ROLES:
            hint = did_you_mean(slot, [*policy.slots, *ROLES])
            raise DataError(f"the policy reads no `{slot}`, which a mapping names", hint)
        if column not in found:
            raise DataError(f"there is no column `{column}`, to which `{slot}` is mapped", did_you_mean(column, found))


def _ends(
    connection: duckdb.DuckDBPyConnection, files: str | None, found: Mapping[str, str], policy: TypedPolicy
) -> Mapping[str, tuple[float, float]]:
    """Return the least and the greatest value of columns of numbers, which Parquet files tell without being read."""
    names = [name for name, type_ in found.items() if type_ in ("BIGINT", "DOUBLE")]
    if files is None or not names or all(declared.minimum is None for declared in policy.slots.values()):
        return {}
    ends = first(
        connection, f"select {', '.join(f'min({c}), max({c})' for c in map(DUCKDB.column, names))} from {files}"
    )
    pairs = zip(names, ends[::2], ends[1::2], strict=True)
    return {name: (low, high) for name, low, high in pairs if low is not None}


@dataclass(frozen=True, slots=True)
class _Finder:
    """Finds the column of each slot. found: types by column. ends: the least and greatest value, where known."""

    policy: TypedPolicy
    mapping: Mapping[str, str]
    found: Mapping[str, str]
    is_export: bool
    ends: Mapping[str, tuple[float, float]]

    def column(self, slot: str, declared: Field) -> str | None:
        """Return an expression, or None where the data has nothing of the kind."""
        named = self._named(slot)
        if slot == NOW and named is not None and NOW not in self.mapping and not self.found[named].startswith("TIME"):
            return None  # a column that happens to be called `at`
        owner, _, last = slot.rpartition(".")
        if owner in self.policy.slots:
            return self._entry(owner, last, named, declared)
        if last.startswith(NOVEL):
            whole = f"{owner}.{last.removeprefix(NOVEL)}" if owner else last.removeprefix(NOVEL)
            if whole in self.policy.slots and novel_name(last.removeprefix(NOVEL), self.policy.slots[whole]) == last:
                return self._novel(whole, named)
        if named is not None and isinstance(declared.type, MapType) and self.found[named].startswith("STRUCT("):
            return self._struct(named, declared)
        return self._understood(named, declared) if named is not None else None

    def _struct(self, named: str, declared: Field) -> str:
        """Return a struct as a map: a field that is NULL is a key that is not there."""
        column, entries = DUCKDB.column(named), []
        assert isinstance(declared.type, MapType) and declared.of is not None
        for key, type_ in _fields_of(self.found[named]).items():
            if declared.type.keys is None or key in declared.type.keys:
                raw = f"{column}.{DUCKDB.column(key)}"
                value = understood(raw, f"{named}.{key}", type_, declared.of)
                entries.append(f"{{'key': {DUCKDB.text(key)}, 'value': {value}, 'there': {raw} is not null}}")
        if not entries:
            return f"case when {column} is not null then map([], [])::{sql_type(declared.type)} end"
        there = f"list_filter([{', '.join(entries)}], lambda e: e.there)"
        pairs = f"list_transform({there}, lambda e: {{'key': e.key, 'value': e.value}})"
        return f"case when {column} is not null then map_from_entries({pairs}) end"

    def _understood(self, named: str, declared: Field) -> str:
        """Return a column as a slot has it; without looking at each value's range where all are known to be in it."""
        column = DUCKDB.column(named)
        low, high = declared.minimum, declared.maximum
        if named in self.ends and isinstance(low, int | float) and isinstance(high, int | float):
            least, greatest = self.ends[named]
            if low <= least and greatest <= high and self.found[named] == sql_type(declared.type):
                # files do not tell of values that are no number
                return f"case when isfinite({column}) then {column} end" if declared.type == DOUBLE else column
        return understood(column, named, self.found[named], declared)

    def _named(self, slot: str) -> str | None:
        names = (self.mapping.get(slot), slot, column_of(slot, self.policy))
        return next((name for name in names if name in self.found), None)

    def _entry(self, owner: str, key: str, flat: str | None, declared: Field) -> str | None:
        """Return an entry of a map: from a column of its own, or from the map's."""
        whole = self._named(owner)
        alone = self._understood(flat, declared) if flat is not None else None
        if whole is None:
            return alone
        column, type_, text = DUCKDB.column(whole), self.found[whole], DUCKDB.text(key)
        if type_.startswith(MAP):
            entry, of = f"{column}[{text}]", type_[len(MAP) : -1]
            gone = f"not map_contains({column}, {text})"
        elif type_.startswith("STRUCT("):
            fields = _fields_of(type_)
            of = fields.get(key, "")
            entry, gone = f"{column}.{DUCKDB.column(key)}", f"{column}.{DUCKDB.column(key)} is null" if of else "true"
        else:
            return alone
        value = alone or (understood(entry, f"{whole}.{key}", of, declared) if of else "null")
        absent = self.policy.slots[owner].absent
        if absent is None:
            return value
        filled = f"case when {column} is null then null when {gone} then {DUCKDB.literal(absent)} end"
        return f"coalesce({value}, {filled})"

    def _novel(self, name: str, named: str | None) -> str | None:
        """Return what is outside a vocabulary: what a provider said is, or what the whole has."""
        whole = self._named(name)
        vocabulary = DUCKDB.literal(self.policy.slots[name].vocabulary or ())
        said = DUCKDB.column(named) if named is not None else None
        if whole is None or not self.found[whole].startswith(("VARCHAR[]", MAP)):
            return said
        items = DUCKDB.column(whole) if self.found[whole] == "VARCHAR[]" else f"map_keys({DUCKDB.column(whole)})"
        outside = f"list_filter({items}, lambda v: v is not null and not list_contains({vocabulary}, v))"
        if said is None:
            return f"case when {items} is not null then list_sort(list_distinct({outside})) end"
        if not self.is_export:
            return said
        # both are of the vocabulary that the log's policy had
        kept = f"list_filter({said}, lambda v: not list_contains({vocabulary}, v) or not list_contains({items}, v))"
        more = f"list_filter(list_distinct({outside}), lambda v: not list_contains({said}, v))"
        joined = f"{kept} || {more}"
        return f"case when {said} is null then null when {items} is null then {said} else {joined} end"


def _fields_of(struct: str) -> dict[str, str]:
    """Return the fields of `STRUCT(a DOUBLE, "b c" VARCHAR)`, with their types; only of plain types."""
    parts = re.findall(r'("(?:[^"]|"")*"|\w+) (\w+(?:\[\])?)', struct.removeprefix("STRUCT(").removesuffix(")"))
    return {name.strip('"').replace('""', '"'): type_ for name, type_ in parts}


def _can_be(role: str, type_: str) -> bool:
    """Whether a column could be meant that happens to have the name of a role."""
    if role == "at":
        return type_.startswith(("TIMESTAMP", "DATE"))
    if role == "cost":
        return type_.startswith((MAP, "DECIMAL")) or type_ in NUMBERS
    if role in ("label", "outcome"):
        return type_.startswith(("VARCHAR", "ENUM")) or (role == "label" and type_ == "BOOLEAN")
    return True


def _role(role: str, name: str, type_: str) -> str:
    column = DUCKDB.column(name)
    if role != "at" and not _can_be(role, type_):
        wanted = {"cost": "a number", "label": "`fraud` or `genuine`, or a bool", "outcome": "pass, review or reject"}
        raise DataError(f"the column `{name}` is {type_}, and a {role} is {wanted[role]}", "map another column")
    if role == "at" and not type_.startswith(("TIMESTAMP", "DATE")):
        raise DataError(f"the column `{name}`, the time of a decision, is {type_}", "write it as a TIMESTAMP in UTC")
    if role == "at":
        return f"make_timestamp(epoch_us({column}))" if type_ != "DATE" else f"{column}::timestamp"
    if role == "label":
        if type_ == "BOOLEAN":
            return f"case when {column} then 'fraud' when not {column} then 'genuine' end"
        return f"case when {column} in ('fraud', 'genuine') then {column}::varchar end"
    if role == "outcome":
        return f"case when {column} in ('pass', 'review', 'reject') then {column}::varchar end"
    return f"{column}::double" if role == "cost" and not type_.startswith("MAP") else f"{column}::varchar"


def _currency(connection: duckdb.DuckDBPyConnection, costs: str, relation: str) -> str | None:
    """Return the currency that most costs are in."""
    keys = f"select unnest(map_keys({costs})) as currency from {relation} where cardinality({costs}) > 0"
    found = fetched(connection, f"select currency from ({keys}) group by 1 order by count(*) desc, 1 limit 1")
    return str(found[0][0]) if found else None


def _missed(absent: Collection[str], policy: TypedPolicy) -> tuple[str, ...]:
    """Return what the policy reads of what the data has not; of a map and its entries, the map."""
    trees = [rule.condition for rule in policy.rules]
    trees += [row.condition for row in policy.scorecard.rows] if policy.scorecard is not None else []
    read = {slot for tree in trees for slot in slots_read(tree, policy.variables, policy.slots)}
    missed = [slot for slot in policy.slots if slot in absent and slot in read]
    return tuple(slot for slot in missed if slot.rpartition(".")[0] not in missed)
