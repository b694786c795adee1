"""CSV files as rows of text: one dialect, nothing guessed.

Fields are separated by commas, by tabs in a .tsv, and quoted by `"` where they must be, which is doubled inside.
Records end with a line, however lines end; blank lines are none. The text is UTF-8, with or without a byte order mark.
The first record names the columns, and every record has as many fields. All else is an error with its line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from adjudge.backtest.columns import DataError
from adjudge.backtest.duck import executed, in_order
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.texts import split_lines

PACKED = (".gz", ".bz2", ".zst")
CELL_MAX = 16 << 20
"""Bytes of the longest record; a longer one is a quote that nothing closes."""
_BLOCK = 4 << 20
"""Bytes that are read at once: with fewer, a database is handed rows more often than it likes."""
_UNNAMED = ""


def is_delimited(path: Path) -> bool:
    """Whether a file is CSV by its name: `.csv`, `.tsv`, and packed ones."""
    return _suffix(path) in (".csv", ".tsv", ".gz")


def _suffix(path: Path) -> str:
    own = path.suffix.lower()
    inner = path.with_suffix("").suffix.lower()
    return inner if own in PACKED and inner in (".csv", ".tsv") else own


def _delimiter(path: Path) -> str:
    return "\t" if _suffix(path) == ".tsv" else ","


def columns_of(paths: Sequence[Path]) -> list[str]:
    """Return all columns that one of some files has. Raises DataError."""
    names = list(dict.fromkeys(name for path in paths for name in header(path) if name != _UNNAMED))
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(name.lower(), name)
        if other != name:
            raise DataError(f"{paths[0]}: the columns `{other}` and `{name}` differ in case only", "rename one")
    return names


def load(
    connection: Any, paths: Sequence[Path], table: str, values: Mapping[str, tuple[str, str]] | None = None
) -> list[str]:
    """Read files into a table of texts, NULL for an empty cell, and return its columns: all that one of the files has.

    Beside them the table has `RECORD`, the number of a row within its file, and `FILE`, that of its file in `paths`.
    values: what else it has, by name: a type, and an expression over the texts. Raises DataError.
    """
    names, values = columns_of(paths), values or {}
    texts = "".join(f", {DUCKDB.column(name)} varchar" for name in names)
    texts += "".join(f", {DUCKDB.column(name)} {type_}" for name, (type_, _) in values.items())
    executed(connection, f"create temp table {table} ({FILE} integer, {RECORD} bigint{texts})")
    more = "".join(f", {expression}" for _, expression in values.values())
    for at, path in enumerate(paths):
        own = header(path)
        places = {name: f"c{own.index(name)}" if name in own else "cast(null as varchar)" for name in names}
        rows = ", ".join([f"f as {FILE}", f"r as {RECORD}", *(f"{c} as {DUCKDB.column(n)}" for n, c in places.items())])
        _insert(connection, path, own, at, f"insert into {table} select *{more} from (select {rows} from {_READ})")
    return names


_READ = "adjudge_csv"
"""What a file's records are called while they are read: `f`, `r`, and `c0`, `c1`, … as the file has them."""
FILE, RECORD = '"\x1ffile"', '"\x1frecord"'
"""Columns that no header can name: it is a text without control characters."""


def _insert(connection: Any, path: Path, names: Sequence[str], number: int, query: str) -> None:
    """Run a query that inserts the records of a file. names: of its columns. number: that of the file."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    check(path, only_quoted=True)  # the fast reader takes `"a"b` for a field; without quotes it is exact
    kept = [at for at, name in enumerate(names) if name != _UNNAMED]
    schema = pa.schema([("f", pa.int32()), ("r", pa.int64()), *((f"c{at}", pa.string()) for at in kept)])

    def batches(reader: Any) -> Iterator[Any]:
        done = 0
        for batch in reader:
            rows = batch.num_rows
            marks = [pa.repeat(pa.scalar(number, pa.int32()), rows), pa.array(np.arange(done + 1, done + rows + 1))]
            yield pa.RecordBatch.from_arrays([*marks, *(batch.column(at) for at in kept)], schema=schema)
            done += rows

    def insert(block: int) -> None:
        with _opened(path) as stream:
            reader = arrow_csv.open_csv(
                stream,
                read_options=arrow_csv.ReadOptions(block_size=block, encoding="utf8", use_threads=False),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=_delimiter(path), quote_char='"', double_quote=True, escape_char=False,
                    newlines_in_values=True, ignore_empty_lines=True,
                ),
                convert_options=arrow_csv.ConvertOptions(
                    check_utf8=True, column_types=dict.fromkeys(names, pa.string()), null_values=[""],
                    strings_can_be_null=True, quoted_strings_can_be_null=True, auto_dict_encode=False,
                ),
            )  # fmt: skip
            connection.register(_READ, pa.RecordBatchReader.from_batches(schema, batches(reader)))
            with in_order(connection):
                executed(connection, query)

    try:
        try:
            insert(min(_BLOCK, CELL_MAX))
        except (pa.ArrowException, DataError):  # a record may be longer; of a block that fails no row is kept
            insert(CELL_MAX)
    except (pa.ArrowException, OSError, DataError) as error:
        if check(path) > 1:  # nothing but a header without a line's end is no CSV to the fast reader
            raise DataError(f"{path}: cannot be read: {split_lines(str(error))[0]}") from None
    finally:
        connection.unregister(_READ)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file's content, unpacked."""
    import pyarrow as pa

    packed = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}.get(path.suffix.lower())
    with path.open("rb") as file, pa.input_stream(file, compression=packed) as stream:
        yield stream


def header(path: Path) -> list[str]:
    """Return the names in a file's first record; `""` for one without a name. Raises DataError."""
    with _records(path) as records:
        _, names = next(records, (1, []))
    if not any(names):
        raise DataError(f"{path}: the first line names no columns", "a CSV begins with the names of its columns")
    if len(names) == 1:
        for other, said in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars"), (",", "commas")):
            if other in names[0]:
                wanted = "tabs" if _delimiter(path) == "\t" else "commas"
                raise DataError(f"{path}: the columns are separated by {said}", f"write it with {wanted}")
    for at, name in enumerate(names):
        if name != _UNNAMED and name in names[:at]:
            raise DataError(f"{path}: the column `{name}` appears twice", "rename one")
        if any(char < " " for char in name):
            raise DataError(f"{path}: the column `{name}` has a line's end or another control character in its name")
    return names


def check(path: Path, *, only_quoted: bool = False) -> int:
    """Read a file strictly, and return how many records it has. Raises DataError with the line of one that is none.

    only_quoted: whether records without a quote are passed over, which takes a fifth of the time.
    """
    wanted, count = None, 0
    with _records(path, only_quoted=only_quoted) as records:
        for line, record in records:
            wanted, count = wanted or len(record), count + 1
            if len(record) != wanted and not only_quoted:
                found = f"{len(record)} fields where {wanted} are named"
                raise DataError(f"{path}:{line}: the record has {found}", "quote a field that holds a comma")
    return count


def line_of(path: Path, record: int) -> int:
    """Return the line where a record begins; the one after the header is number 1."""
    with _records(path) as records:
        for at, (line, _) in enumerate(records):
            if at == record:
                return line
    return 0


@contextmanager
def _records(path: Path, *, only_quoted: bool = False) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """Yield a file's records, each with the line where it begins. Raises DataError.

    only_quoted: whether those without a quote are left out.
    """
    import pyarrow as pa

    before = csv.field_size_limit(CELL_MAX)
    try:
        with _opened(path) as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
            yield _split(path, text, "" if not only_quoted else '"')
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read: {split_lines(str(error))[0]}") from None
    finally:
        csv.field_size_limit(before)


def _split(path: Path, text: IO[str], needle: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that begin on a line with some text in it, each with that line's number."""
    first = 0  # the line where the record begins that is being read; 0 between records

    def lines() -> Iterator[str]:
        nonlocal first
        for number, line in enumerate(text, 1):
            if first or needle in line:
                first = first or number
                yield line

    try:
        for record in csv.reader(lines(), delimiter=_delimiter(path), quotechar='"', doublequote=True, strict=True):
            line, first = first, 0
            if record:
                yield line, record
    except csv.Error as error:
        hint = 'a quote inside a field is doubled, and the field quoted: "a ""b"" c"'
        raise DataError(f"{path}:{first}: the record is not CSV: {error}", hint) from None
    except UnicodeDecodeError:
        raise DataError(f"{path}:{_first_foreign(path)}: the line is not UTF-8", "save the file as UTF-8") from None


def _first_foreign(path: Path) -> int:
    """Return the first line that is not UTF-8."""
    with _opened(path) as stream:
        raw = io.TextIOWrapper(stream, encoding="latin-1", newline="")
        for number, line in enumerate(raw, 1):
            try:
                line.encode("latin-1").decode()
            except UnicodeDecodeError:
                return number
    return 0
