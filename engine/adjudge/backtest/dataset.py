"""The rows of a backtest: an export of a log, or anybody's Parquet or CSV, each column understood as its slot is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from adjudge.backtest.columns import DataError, sql_type, understood
from adjudge.backtest.layout import LAYOUT, column_of
from adjudge.errors import did_you_mean
from adjudge.expr.sql.dialect import DUCKDB
from adjudge.policy.slots import NOVEL, NOW, novel_name
from adjudge.policy.typed import TypedPolicy

if TYPE_CHECKING:
    import duckdb

STATE = "adjudge-export.json"
ROLES = ("id", "at", "label", "cost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Rows for one policy.

    relation: what stands after `from`. columns: an SQL expression for each slot, NULL where unknown. types: of those.
    roles: expressions of `id`, `at`, `label` and `cost`, where the data has them. absent: slots that it has not.
    """

    path: Path
    relation: str
    columns: Mapping[str, str]
    types: Mapping[str, str]
    roles: Mapping[str, str] = field(default_factory=dict)
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

    mapping: columns by slot, or by `id`, `at`, `label`, `cost`; what it leaves out goes by the slot's own name, or by
    its name in an export.
    """
    import duckdb

    mapping = mapping or {}
    relation, is_export = _relation(path, policy.name)
    try:
        found = {row[0]: row[1] for row in connection.execute(f"describe select * from {relation}").fetchall()}
    except duckdb.Error as error:
        raise DataError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    _check_mapping(mapping, found, policy)
    columns: dict[str, str] = {}
    absent = []
    for slot, declared in policy.slots.items():
        named = mapping.get(slot) or next((name for name in (slot, column_of(slot, policy)) if name in found), None)
        if named is None:
            derived = _derived(slot, policy, found, mapping)
            if derived is None and slot != NOW:
                absent.append(slot)
            columns[slot] = derived or f"cast(null as {sql_type(declared.type)})"
            continue
        column = DUCKDB.column(named)
        columns[slot] = column if is_export else understood(column, named, found[named], declared)
    roles = {}
    for role in ROLES:
        named = mapping.get(role) or (role if role in found else None)
        if named is not None:
            roles[role] = _role(role, named, found[named])
    types = {slot: sql_type(declared.type) for slot, declared in policy.slots.items()}
    return Dataset(
        path=path,
        relation=relation,
        columns=columns,
        types=types,
        roles=roles,
        absent=tuple(_shortened(absent, policy)),
    )


def _relation(path: Path, policy: str) -> tuple[str, bool]:
    """Return what stands after `from`, and whether it is an export."""
    if path.is_dir():
        state = path / STATE
        if state.is_file():
            return _export(path, json.loads(state.read_text()), policy), True
        if not any(path.rglob("*.parquet")):
            raise DataError(f"{path}: holds no Parquet files, and is no export", "`adjudge audit export LOG` makes one")
        return f"read_parquet({DUCKDB.text(f'{path}/**/*.parquet')}, union_by_name = true)", False
    if path.suffix in (".csv", ".tsv", ".gz"):
        return f"read_csv({DUCKDB.text(str(path))}, sample_size = -1)", False
    if path.suffix != ".parquet":
        raise DataError(
            f"{path}: is no Parquet or CSV file", "name a .parquet or .csv file, a folder of them, or a log"
        )
    return f"read_parquet({DUCKDB.text(str(path))})", False


def _export(path: Path, state: Mapping[str, object], policy: str) -> str:
    if state.get("layout") != LAYOUT:
        raise DataError(f"{path}: is an export in layout {state.get('layout')}; this version reads {LAYOUT}")
    names = sorted(folder.name for folder in path.iterdir() if folder.is_dir() and folder.name != "labels")
    chosen = policy if policy in names else names[0] if len(names) == 1 else None
    if chosen is None:
        said = f"holds decisions of {', '.join(names) or 'no policy'}, and none of {policy}"
        raise DataError(f"{path}: {said}", f"name one of its folders, such as {path}/{names[0]}" if names else None)
    files = DUCKDB.text(f"{path}/{chosen}/**/*.parquet")
    rows = f"read_parquet({files}, union_by_name = true, hive_partitioning = true)"
    if not any((path / "labels").glob("*.parquet")):
        return rows
    labels = DUCKDB.text(f"{path}/labels/*.parquet")
    newest = f"select decision_id, arg_max(label, seq) as label from read_parquet({labels}) group by decision_id"
    return f"(select * from {rows} left join ({newest}) using (decision_id))"


def _check_mapping(mapping: Mapping[str, str], found: Mapping[str, str], policy: TypedPolicy) -> None:
    for slot, column in mapping.items():
        if slot not in policy.slots and slot not in ROLES:
            hint = did_you_mean(slot, [*policy.slots, *ROLES])
            raise DataError(f"the policy reads no `{slot}`, which a mapping names", hint)
        if column not in found:
            raise DataError(f"there is no column `{column}`, to which `{slot}` is mapped", did_you_mean(column, found))


def _derived(slot: str, policy: TypedPolicy, found: Mapping[str, str], mapping: Mapping[str, str]) -> str | None:
    """Return an entry of a map, or what is outside a vocabulary, from the column that holds the whole."""
    owner, _, last = slot.rpartition(".")
    prefix = f"{owner}." if owner else ""
    if owner in policy.slots:
        whole = mapping.get(owner) or next((name for name in (owner, column_of(owner, policy)) if name in found), None)
        declared = policy.slots[owner]
        if whole is None or not found[whole].startswith(("MAP(VARCHAR", "STRUCT")) or declared.of is None:
            return None
        column, key = DUCKDB.column(whole), DUCKDB.text(last)
        entry = f"{column}[{key}]" if found[whole].startswith("MAP") else f"{column}.{DUCKDB.column(last)}"
        if found[whole].startswith("STRUCT") and f'"{last}"' not in found[whole] and f"{last} " not in found[whole]:
            entry = "null"
        of = found[whole].rpartition(", ")[2].rstrip(")") if found[whole].startswith("MAP") else "DOUBLE"
        value = understood(entry, f"{whole}.{last}", of, declared.of) if entry != "null" else "null"
        if declared.absent is None:
            return value
        gone = f"not map_contains({column}, {key})" if found[whole].startswith("MAP") else f"{entry} is null"
        return (
            f"case when {column} is null then null when {gone} then {DUCKDB.literal(declared.absent)} else {value} end"
        )
    if last.startswith(NOVEL):
        name = prefix + last.removeprefix(NOVEL)
        whole = mapping.get(name) or next((one for one in (name, column_of(name, policy)) if one in found), None)
        if (
            whole is None
            or name not in policy.slots
            or novel_name(last.removeprefix(NOVEL), policy.slots[name]) != last
        ):
            return None
        vocabulary = DUCKDB.literal(policy.slots[name].vocabulary or ())
        column = DUCKDB.column(whole)
        items = column if found[whole].endswith("[]") else f"map_keys({column})"
        return f"list_distinct(list_filter({items}, lambda v: not list_contains({vocabulary}, v)))"
    return None


def _role(role: str, name: str, type_: str) -> str:
    column = DUCKDB.column(name)
    if role == "at" and not type_.startswith(("TIMESTAMP", "DATE")):
        raise DataError(f"the column `{name}`, the time of a decision, is {type_}", "write it as a TIMESTAMP in UTC")
    if role == "at":
        return f"make_timestamp(epoch_us({column}))" if type_ != "DATE" else f"{column}::timestamp"
    if role == "label":
        if type_ == "BOOLEAN":
            return f"case when {column} then 'fraud' when not {column} then 'genuine' end"
        return f"case when {column} in ('fraud', 'genuine') then {column}::varchar end"
    return f"{column}::double" if role == "cost" and not type_.startswith("MAP") else f"{column}::varchar"


def _shortened(absent: list[str], policy: TypedPolicy) -> list[str]:
    """Leave out the entries of a map that is absent itself, and lists of novelties."""
    return [
        slot
        for slot in absent
        if slot.rpartition(".")[0] not in absent and not slot.rpartition(".")[2].startswith(NOVEL)
    ]
