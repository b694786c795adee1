"""What the columns of Parquet files are, where DuckDB does not tell: Arrow's own types stand beside Parquet's.

Parquet has no lengths of time. Arrow writes whole numbers and keeps the unit in the file's metadata, which DuckDB does
not read; it would take seconds and nanoseconds for the same. Decimals of more than 38 digits it rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adjudge.backtest.columns import DataError, struct_fields
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.texts import split_lines


def told_by_arrow(paths: Sequence[Path], found: Mapping[str, str]) -> dict[str, str]:
    """Return the types of columns, as DuckDB describes them but for what it cannot know. Raises DataError."""
    import pyarrow as pa
    from pyarrow import parquet

    hidden: dict[str, tuple[Any, Path]] = {}
    plain: dict[str, tuple[Any, Path]] = {}
    for path in paths:
        try:
            with path.open("rb") as file:
                schema = parquet.read_schema(file)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: cannot be read: {split_lines(str(error))[0]}") from None
        for field in schema:
            (hidden if _is_hidden(field.type) else plain).setdefault(field.name, (field.type, path))
            for other, where in (one[field.name] for one in (hidden, plain) if field.name in one):
                if other != field.type and field.name in hidden:
                    said = f"the column `{field.name}` is {other} in {where} and {field.type} in {path}"
                    raise DataError(said, "give it one type in all files")
    return {name: _joined(type_, hidden[name][0]) if name in hidden else type_ for name, type_ in found.items()}


def _is_hidden(type_: Any) -> bool:
    """Whether a type holds something that DuckDB does not know."""
    import pyarrow as pa

    if pa.types.is_duration(type_) or pa.types.is_decimal256(type_):
        return True
    return any(_is_hidden(type_.field(at).type) for at in range(type_.num_fields))


def _joined(type_: str, arrow: Any) -> str:
    """Put what Arrow knows into a type as DuckDB describes it."""
    import pyarrow as pa

    if not _is_hidden(arrow):
        return type_
    if pa.types.is_duration(arrow):
        return f"DURATION_{arrow.unit.upper()}"
    if pa.types.is_decimal256(arrow):
        return f"DECIMAL256({arrow.precision}, {arrow.scale})"
    if pa.types.is_map(arrow):
        key, _, value = type_.removeprefix("MAP(").removesuffix(")").partition(", ")
        return f"MAP({key}, {_joined(value, arrow.item_type)})"
    if pa.types.is_struct(arrow):
        fields = struct_fields(type_)
        inner = (_joined(fields[name], arrow.field(name).type) for name in fields)
        return f"STRUCT({', '.join(f'{DUCKDB.column(name)} {of}' for name, of in zip(fields, inner, strict=True))})"
    return f"{_joined(type_.removesuffix('[]'), arrow.value_type)}[]"
