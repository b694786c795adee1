"""Which files a path stands for, and how DuckDB is told of them: by their names, never as patterns."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from adjudge.backtest.columns import DataError
from adjudge.backtest.delimited import is_delimited
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.frozen import frozen

_PATTERN = re.compile(r"[*?[]")


@frozen(kw_only=True)
class Files:
    """The files of a folder, and of the folders in it. others: what is neither, but for hidden files and marks."""

    parquet: Sequence[Path]
    csv: Sequence[Path]
    others: Sequence[Path]


def files_of(folder: Path) -> Files:
    """Find files, in the order of their names; each once, however many links lead to it. Raises DataError."""
    found: dict[tuple[int, int], Path] = {}
    seen: set[tuple[int, int]] = set()
    for name, folders, files in os.walk(folder, followlinks=True, onerror=_unreadable):
        here = Path(name).stat()
        folders[:] = [] if (here.st_dev, here.st_ino) in seen else sorted(one for one in folders if one[0] not in "._")
        seen.add((here.st_dev, here.st_ino))
        for path in (Path(name, file) for file in sorted(files) if file[0] != "."):
            try:
                status = path.stat()
            except OSError as error:
                raise DataError(f"{path}: cannot be read: {error.strerror}") from None
            found.setdefault((status.st_dev, status.st_ino), path)
    every = found.values()
    parquet = [path for path in every if is_parquet(path)]
    csv = [path for path in every if is_delimited(path)]
    others = [path for path in every if not is_parquet(path) and not is_delimited(path) and path.name[0] != "_"]
    return Files(parquet=parquet, csv=csv, others=others)


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet by its name."""
    return path.suffix.lower() == ".parquet"


def _unreadable(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be read: {error.strerror}")


def parquet(paths: Iterable[Path]) -> str:
    """Return what stands after `from` for Parquet files; nothing in their names or folders has a meaning."""
    names = ", ".join(DUCKDB.text(_as_it_is(path)) for path in paths)
    return (
        f"read_parquet([{names}], union_by_name = true, hive_partitioning = false, hive_types_autocast = false,"
        " filename = false, file_row_number = false, binary_as_string = false)"
    )


def _as_it_is(path: Path) -> str:
    text = str(path.absolute())
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError(f"{path}: the name is not UTF-8, and DuckDB takes no other", "rename it") from None
    if "\\" in text and _PATTERN.search(text):
        raise DataError(f"{path}: the name has a backslash beside one of `*?[`, which DuckDB cannot read", "rename it")
    return _PATTERN.sub(lambda found: f"[{found.group()}]", text)
