"""Which column a slot is read from, and as what."""

from __future__ import annotations

from collections.abc import Mapping

from adjudge.backtest.columns import (
    MAP,
    TEXTS,
    as_it_stands,
    composed_map,
    composed_names,
    is_struct,
    struct_fields,
    understood,
    variable,
)
from adjudge.backtest.layout import column_of
from adjudge.errors import DataError
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.frozen import frozen
from adjudge.policy.slots import NOW
from adjudge.policy.typed import TypedPolicy
from adjudge.values.fields import Field
from adjudge.values.types import MapType, SetType


@frozen(kw_only=True)
class Finder:
    """Finds the column of each slot.

    mapping: columns by slot. found: types by column.
    at: the column of a decision's time, if there is one.
    """

    policy: TypedPolicy
    mapping: Mapping[str, str]
    found: Mapping[str, str]
    is_export: bool
    at: str | None = None

    def column(self, slot: str, declared: Field) -> str | None:
        """Return an expression, or None where the data has nothing of the kind. Raises DataError."""
        if slot == NOW:
            return self._now(declared)
        named = self.named(slot)
        part = self.policy.parts[slot]
        if part.key is not None:
            return self._entry(str(part.whole), part.key, named, declared)
        if part.novel:
            return self._novel(str(part.whole), named, declared)
        if named is not None and isinstance(declared.type, MapType) and is_struct(self.found[named]):
            return self._struct(named, declared)
        return self._understood(named, declared) if named is not None else None

    def named(self, slot: str) -> str | None:
        """Return the column that a slot is read from: as it is mapped, else by name."""
        if slot in self.mapping:
            return self.mapping[slot]
        own = column_of(slot, self.policy)
        names = (own,) if self.is_export else (slot, own)
        return next((name for name in names if name in self.found), None)

    def _now(self, declared: Field) -> str | None:
        named = self.mapping.get(NOW, self.at)
        if named is None:
            return None
        if self.found[named] == "DATE":
            return f"make_timestamptz(epoch_us({DUCKDB.column(named)}::timestamp))"
        return understood(DUCKDB.column(named), named, self.found[named], declared)

    def as_it_stands(self, slot: str, declared: Field) -> tuple[str, str] | None:
        """Return the column of a slot of single values unchecked, with a test, see `columns.as_it_stands`."""
        named = self.named(slot)
        return as_it_stands(DUCKDB.column(named), self.found[named], declared) if named is not None else None

    def _understood(self, named: str, declared: Field) -> str:
        return understood(DUCKDB.column(named), named, self.found[named], declared)

    def _struct(self, named: str, declared: Field) -> str:
        """Return a struct as a map: a field that is NULL is a key that is not there."""
        column, entries = DUCKDB.column(named), []
        assert isinstance(declared.type, MapType) and declared.of is not None
        for key, type_ in struct_fields(self.found[named]).items():
            if declared.type.keys is None or key in declared.type.keys:
                raw = f"{column}[{DUCKDB.text(key)}]"
                value = understood(raw, f"{named}.{key}", type_, declared.of)
                entries.append(f"{{'key': {DUCKDB.text(key)}, 'value': {value}, 'there': {raw} is not null}}")
        if not entries:
            known = ", ".join(declared.type.keys or ())
            said = f"the column `{named}` is {self.found[named]}, which has none of the keys {known}"
            raise DataError(said, "map another column, or declare its keys")
        v = variable(", ".join(entries))
        there = f"list_filter([{', '.join(entries)}], lambda {v}: {v}.there)"
        pairs = f"list_transform({there}, lambda {v}: {{'key': {v}.key, 'value': {v}.value}})"
        return f"case when {column} is not null then map_from_entries({pairs}) end"

    def _entry(self, owner: str, key: str, flat: str | None, declared: Field) -> str | None:
        """Return an entry of a map: from a column of its own, or from the map's."""
        whole = self.named(owner)
        alone = self._understood(flat, declared) if flat is not None else None
        if whole is None:
            return alone
        column, type_, text = DUCKDB.column(whole), self.found[whole], DUCKDB.text(key)
        if type_.startswith(MAP):
            column = composed_map(column, self.policy.slots[owner])
            entry, of = f"{column}[{text}]", type_[len(MAP) : -1]
            gone = f"not map_contains({column}, {text})"
        elif is_struct(type_):
            of = struct_fields(type_).get(key, "")
            entry = f"{column}[{text}]"
            gone = f"{entry} is null" if of else "true"
        else:
            return alone
        value = alone or (understood(entry, f"{whole}.{key}", of, declared) if of else "null")
        absent = None if self.policy.slots[owner].parts else self.policy.slots[owner].absent
        if absent is None:
            return value
        filled = f"case when {column} is null then null when {gone} then {DUCKDB.literal(absent)} end"
        return f"coalesce({value}, {filled})"

    def _novel(self, name: str, named: str | None, declared: Field) -> str | None:
        """Return what is outside a vocabulary, as `policy.slots.join_novel` does: None is unknown.

        What the data say is new comes first, then what the whole has; both are known, or neither is.
        """
        whole = self.named(name)
        keys = self._keys(whole, self.policy.slots[name]) if whole is not None else None
        if whole is None or keys is None:
            return None
        said = "[]::varchar[]"
        if named is not None:
            said = f"coalesce({understood(DUCKDB.column(named), named, self.found[named], declared)}, {said})"
        v = variable(f"{said} {keys}")
        vocabulary = f"{DUCKDB.literal(self.policy.slots[name].vocabulary or ())}::varchar[]"
        outside = f"list_filter({keys}, lambda {v}: not list_contains({vocabulary}, {v}))"
        if isinstance(self.policy.slots[name].type, SetType):
            outside = f"list_sort(list_distinct({outside}))"
        if named is not None and self.is_export:  # both are of the vocabulary that the log's policy had
            is_kept = f"not list_contains({vocabulary}, {v}) or not list_contains({keys}, {v})"
            said = f"list_filter({said}, lambda {v}: {is_kept})"
        first = f"list_filter({said}, lambda {v}, place: list_position({said}, {v}) = place)"
        joined = f"({first} || list_filter({outside}, lambda {v}: not list_contains({said}, {v})))"
        alone = f"case when list_count({joined}) = 0 and len({said}) = 1 then [null::varchar] end"
        one = f"case when len({said}) > list_count({said}) then {alone}"
        is_open = f"{keys} is null or len({keys}) > list_count({keys})"
        if named is not None and self.is_export:
            is_open += f" or {DUCKDB.column(named)} is null"
        return f"case when {is_open} then null else {one} else {joined} end end"

    def _keys(self, whole: str, declared: Field) -> str | None:
        """Return the members of a set or the keys of a map, in their order; None where a column is neither."""
        column, type_ = DUCKDB.column(whole), self.found[whole]
        if type_ in TEXTS:
            return composed_names(f"{column}::varchar[]", declared)
        if type_.startswith(MAP):
            return f"map_keys({composed_map(column, declared)})"
        if not is_struct(type_):
            return None
        there = [
            f"case when {column}[{DUCKDB.text(key)}] is not null then {DUCKDB.text(key)} end"
            for key in struct_fields(type_)
        ]
        v = variable(column)
        known = f"list_filter([{', '.join(there)}]::varchar[], lambda {v}: {v} is not null)"
        return f"case when {column} is not null then {known} end"
