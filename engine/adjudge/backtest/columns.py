"""What a column of anybody's data is to a slot of a policy.

What the engine would refuse in a live request is unknown here too: a number out of its range, a word outside its
vocabulary, a double that is none. A column of another type is an error, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime

from adjudge.backtest.seen import composed, read_text
from adjudge.errors import DataError as DataError
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.values.fields import Field
from adjudge.values.literals import DURATION_MAX
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    INT,
    TIMESTAMP,
    EnumType,
    ListType,
    MapType,
    RecordType,
    SetType,
    Type,
    is_text,
)

MAP = "MAP(VARCHAR, "
NOTHING = '"NULL"'
"""The type of a column that has no value at all."""
TEXTS = ("VARCHAR[]", f"{NOTHING}[]")
"""The types of a list of texts, which may be empty on every row."""
_MOMENTS = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
_DAYS = (date.min, date.max)
_TIMES = frozenset(
    ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_NS", "TIMESTAMPTZ_NS", "TIMESTAMP_MS", "TIMESTAMP_S")
)
_SMALL = frozenset(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"))
_LARGE = frozenset(("UBIGINT", "HUGEINT", "UHUGEINT"))
NUMBERS = _SMALL | _LARGE | {"DOUBLE", "FLOAT"}
_MICROS = {"DURATION_S": "{} * 1000000", "DURATION_MS": "{} * 1000", "DURATION_US": "{}", "DURATION_NS": "{} // 1000"}
"""Whole numbers of a unit as microseconds; finer digits are cut off, as they are everywhere."""
_NO_UNIT = "an integer has no unit: write an Arrow duration, or a string such as 36h in a CSV"
_NAME = re.compile(r'("(?:[^"]|"")*"|\S+) ')
_OWN = {BOOL: "BOOLEAN", INT: "BIGINT", DOUBLE: "DOUBLE", TIMESTAMP: "TIMESTAMP WITH TIME ZONE", DATE: "DATE"}
"""The type of a column that holds what a slot does, as DuckDB describes it."""
_NULLS = {BOOL: "BOOLEAN", INT: "BIGINT", DOUBLE: "DOUBLE", DURATION: "BIGINT", TIMESTAMP: "TIMESTAMPTZ", DATE: "DATE"}


def variable(column: str, depth: int = 0) -> str:
    """Name the variable of a lambda over an expression: as no column in it is called, which it would hide."""
    word = "item"
    while word in column.lower():
        word += "_"
    return f"{word}{depth}"


def sql_type(type_: Type) -> str:
    """Return the type of a slot's column in DuckDB."""
    match type_:
        case SetType():
            return "VARCHAR[]"
        case ListType(item=item):
            return f"{sql_type(item)}[]"
        case MapType(value=value):
            return f"MAP(VARCHAR, {sql_type(value)})"
        case RecordType(fields=fields):
            return f"STRUCT({', '.join(f'{DUCKDB.column(name)} {sql_type(of)}' for name, of in fields)})"
        case _:
            return _NULLS.get(type_, "VARCHAR")


def _is_ascii(declared: Field) -> bool:
    """Whether a vocabulary is written in one way only; no matter how the data are, they can be compared as they are."""
    return declared.vocabulary is not None and all(word.isascii() for word in declared.vocabulary)


def composed_names(names: str, declared: Field) -> str:
    """Return the members of a set, or the keys of a map, as a request's are read: however they were typed."""
    if _is_ascii(declared):
        return names
    item = variable(names)
    return f"list_transform({names}, lambda {item}: {composed(item)})"


def composed_map(column: str, declared: Field) -> str:
    """Return a map with its keys as a request's are read: one that stands there in two spellings is unknown."""
    if _is_ascii(declared):
        return column
    names = f"map_keys({column})"
    found, key, other = composed_names(names, declared), variable(column, 8), variable(column, 9)
    is_one = f"len(list_filter({found}, lambda {other}: {other} = {key})) = 1"
    value = f"case when {is_one} then map_values({column})[list_position({found}, {key})] end"
    entries = f"list_transform(list_distinct({found}), lambda {key}: {{'key': {key}, 'value': {value}}})"
    plain = f"regexp_full_match(coalesce(array_to_string({names}, ''), ''), '[ -~]*')"
    return f"(case when {plain} then {column} else map_from_entries({entries}) end)"


def as_it_stands(column: str, type_: str, declared: Field) -> tuple[str, str] | None:
    """Return a column's values unchecked, and a test of a value that `understood` would give back as it is.

    None where it takes more than another type to make a slot's values of them. The test is empty where all pass it.
    """
    wanted = declared.type
    if type_ == ("VARCHAR" if is_text(wanted) else _OWN.get(wanted)):
        bare = column
    elif isinstance(wanted, EnumType) and type_.startswith("ENUM("):
        bare = f"{column}::varchar"
    elif (wanted == INT and type_ in _SMALL) or (wanted == DOUBLE and type_ in _SMALL | {"FLOAT"}):
        bare = f"{column}::{sql_type(wanted).lower()}"
    else:
        return None
    if isinstance(wanted, EnumType):
        known = f"{bare} in ({', '.join(map(DUCKDB.literal, wanted.values))})"
        return bare, known if _is_ascii(declared) else f"{composed(bare)} = {bare} and {known}"
    if is_text(wanted):
        return bare, f"{read_text(bare)} = {bare}"
    if wanted == TIMESTAMP:
        return bare, _in_time(bare, type_, declared)
    return bare, _in_days(bare, declared) if wanted == DATE else _in_range(bare, declared)


def understood(column: str, name: str, type_: str, declared: Field, depth: int = 0) -> str:
    """Return a column's value as the engine would take it, NULL where it would not. Raises DataError.

    column: an expression. name: for messages. type_: as DuckDB describes it. depth: of lists and maps around it.
    """
    wanted = declared.type
    if type_ == NOTHING:
        return f"cast(null as {sql_type(wanted)})"
    plain, own = type_.partition("(")[0], as_it_stands(column, type_, declared)
    if own is not None and (not is_text(wanted) or (isinstance(wanted, EnumType) and _is_ascii(declared))):
        bare, fits = own
        return f"case when {fits} then {bare} end" if fits else bare
    match wanted:
        case SetType(values=values) if type_ in TEXTS:
            item, members = variable(column), composed_names(f"{column}::varchar[]", declared)
            known = f"list_filter({DUCKDB.literal(values)}, lambda {item}: list_contains({members}, {item}))"
            stray = f"case when len({column}) > list_count({column}) then [null::varchar] else [] end"
            return f"case when {column} is not null then {known} || {stray} end"
        case EnumType(values=values) if own is not None:
            word = composed(own[0])
            return f"case when {word} in ({', '.join(map(DUCKDB.literal, values))}) then {word} end"
        case ListType() if type_.endswith("[]") and declared.of is not None:
            item = variable(column, depth)
            inner = understood(item, f"{name}[]", type_[:-2], declared.of, depth + 1)
            return column if inner == item else f"list_transform({column}, lambda {item}: {inner})"
        case RecordType() if (held := _members(type_)) and held.keys() & declared.parts.keys():
            made = [
                f"{DUCKDB.text(key)}: {_member(column, name, key, held, part, depth)}"
                for key, part in declared.parts.items()
            ]
            return f"case when {column} is not null then {{{', '.join(made)}}} end"
        case MapType(keys=keys) if type_.startswith(MAP) and declared.of is not None:
            column = composed_map(column, declared)
            entry = variable(column, depth)
            inner = understood(f"{entry}.value", f"{name}.*", type_[len(MAP) : -1], declared.of, depth + 1)
            entries = f"map_entries({column})"
            if keys is not None:
                entries = f"list_filter({entries}, lambda {entry}: list_contains({DUCKDB.literal(keys)}, {entry}.key))"
            if inner != f"{entry}.value":
                entries = f"list_transform({entries}, lambda {entry}: {{'key': {entry}.key, 'value': {inner}}})"
            changed = keys is not None or inner != f"{entry}.value"
            return f"case when {column} is not null then map_from_entries({entries}) end" if changed else column
    if is_text(wanted) and own is not None:
        return read_text(own[0])
    if wanted == INT and type_ in _LARGE:
        return _ranged(f"try_cast({column} as bigint)", declared)
    if wanted == DOUBLE and type_ in _LARGE:  # an int past 64 bits is refused, as it is in a request
        return _ranged(f"try_cast({column} as bigint)::double", declared)
    if wanted == DOUBLE and plain == "DECIMAL":  # by way of its text, which is rounded once
        return _ranged(f"{column}::varchar::double", declared)
    if wanted == DURATION and type_ in _MICROS:
        return _ranged(f"try_cast({_MICROS[type_].format(f'{column}::hugeint')} as bigint)", declared)
    if wanted == DURATION and type_ == "BIGINT" and name.startswith(("inputs.", "signals.")):
        return _ranged(column, declared)  # an export's, in microseconds
    if wanted == DURATION and type_ == "INTERVAL":  # a month is no length of time
        lasting = f"case when extract(year from {column}) = 0 and extract(month from {column}) = 0 then {column} end"
        return _ranged(f"epoch_us({lasting})", declared)
    if wanted == TIMESTAMP and type_ in _TIMES:
        moment = f"make_timestamptz({micros_of(column, type_)})"
        return f"case when {_in_time(column, type_, declared)} then {moment} end"
    hint = "give it the right type where the data is made, or map another column; a list or a map needs Parquet"
    if wanted == TIMESTAMP and type_ == "VARCHAR":
        hint = "write it as a TIMESTAMP in UTC"
    if wanted == DATE and type_ in _TIMES:
        hint = "a time is another day in each zone: make it a DATE where the data is made"
    if wanted == DURATION:
        hint = _NO_UNIT if type_ in NUMBERS else hint
        raise DataError(f"the column `{name}` is {type_}, and the policy wants a length of time", hint)
    raise DataError(f"the column `{name}` is {type_}, and the policy wants {sql_type(wanted)}", hint)


def _members(type_: str) -> dict[str, str]:
    """Return the fields of a struct with their types; none of anything else."""
    return struct_fields(type_) if is_struct(type_) else {}


def is_struct(type_: str) -> bool:
    """Whether a type is a struct, and not a list of them."""
    return type_.startswith("STRUCT(") and type_.endswith(")")


def _member(column: str, name: str, key: str, held: Mapping[str, str], part: Field, depth: int) -> str:
    """Return a record's field as the engine would take it. held: types by name."""
    value = "null"
    if key in held:
        value = understood(DUCKDB.member(column, key), f"{name}.{key}", held[key], part, depth)
    return f"cast({value} as {sql_type(part.type)})" if value == "null" else value


def micros_of(column: str, type_: str) -> str:
    """Return the microseconds since 1970 of a column of times; finer digits are cut off."""
    return f"epoch_us({column}::timestamp_ns)" if type_ == "TIMESTAMPTZ_NS" else f"epoch_us({column})"


def struct_fields(struct: str) -> dict[str, str]:
    """Return the fields of `STRUCT(a DOUBLE, "b c" MAP(VARCHAR, BIGINT))`, with their types. Raises DataError."""
    found: dict[str, str] = {}
    for part in _parts(struct.removeprefix("STRUCT(").removesuffix(")")):
        name = _NAME.match(part)
        assert name is not None
        said = name.group(1)
        if said == '""':
            raise DataError("a struct has a field without a name, which DuckDB cannot read", "give it a name")
        found[said[1:-1].replace('""', '"') if said[0] == '"' else said] = part[name.end() :]
    return found


def _parts(text: str) -> list[str]:
    """Cut at the commas that are in no brackets and no quotes."""
    parts, depth, quoted = [""], 0, False
    for char in text:
        quoted ^= char == '"'
        depth += (char == "(") - (char == ")") if not quoted else 0
        if char == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip()]


def _ranged(column: str, declared: Field) -> str:
    within = _in_range(column, declared)
    return f"case when {within} then {column} end" if within else column


def _in_range(column: str, declared: Field) -> str:
    """Return a test of a value that is in a field's range; empty where each is."""
    low, high = declared.minimum, declared.maximum
    if declared.type == DURATION:
        low, high = -DURATION_MAX if low is None else low, DURATION_MAX if high is None else high
    bounds = [f"{column} >= {DUCKDB.literal(low)}"] if low is not None else []
    bounds += [f"{column} <= {DUCKDB.literal(high)}"] if high is not None else []
    if low is not None and high is not None:
        bounds = [f"{column} between {DUCKDB.literal(low)} and {DUCKDB.literal(high)}"]
    if declared.type == DOUBLE:
        # always asked: a Parquet file's greatest value leaves NaN out, and DuckDB then believes comparisons with it
        bounds.insert(0, f"isfinite({column})")
    return " and ".join(bounds)


def _in_time(column: str, type_: str, declared: Field) -> str:
    low, high = (own or end for own, end in zip((declared.minimum, declared.maximum), _MOMENTS, strict=True))
    return f"{micros_of(column, type_)} between {DUCKDB.literal(low)} and {DUCKDB.literal(high)}"


def _in_days(column: str, declared: Field) -> str:
    first, last = (own or end for own, end in zip((declared.minimum, declared.maximum), _DAYS, strict=True))
    return f"{column} between date '{first}' and date '{last}'"
