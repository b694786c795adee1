"""DuckDB, as backtests use it."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from adjudge.backtest.columns import DataError
from adjudge.backtest.seen import MACROS
from adjudge.errors import MissingExtra
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.texts import split_lines

if TYPE_CHECKING:
    import duckdb

MEMORY = "1GB"
_SETTINGS = {
    "autoinstall_known_extensions": "false",  # nothing is fetched from anywhere
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",  # no variable of ours passes for a table
    "default_collation": "",  # texts are compared by their code points
    "integer_division": "false",
    "ieee_floating_point_ops": "true",
}
"""What answers or reach depend on, whatever the defaults of a version are."""
_ENDLESS = ("partial_aggregate_pushdown", "aggregate_reuse")
"""Passes of the optimizer that follow columns through selects within selects again and again: minutes for a verdict."""
_TICK_S = 0.2
BATCH = 4096
"""So many rows are fetched at a time, where each is looked at."""

_T = TypeVar("_T")
Progress = Callable[[float], None]
"""Told how much is done, from 0 to 1, a few times a second."""


def connect(*, memory: str = MEMORY, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Return a database in memory that reads times as UTC. Raises MissingExtra, and DataError for the memory."""
    try:
        import duckdb
        import numpy  # noqa: F401  # DuckDB asks for it where a function of ours answers
        import pyarrow  # noqa: F401  # looked for, so that a missing extra is told here
    except ImportError as error:
        raise MissingExtra("backtest", error.name or "duckdb") from None
    connection = duckdb.connect(config=dict(_SETTINGS))
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set Calendar = 'gregorian'")
    try:
        connection.execute(f"set memory_limit = {DUCKDB.text(memory)}")
    except duckdb.Error as error:
        raise DataError(
            f"{memory} is not an amount of memory: {split_lines(str(error))[0]}", "write 2GB or 500MB"
        ) from None
    known = {name for (name,) in connection.execute("select name from duckdb_optimizers()").fetchall()}
    connection.execute(f"set disabled_optimizers = {DUCKDB.text(','.join(one for one in _ENDLESS if one in known))}")
    for macro in MACROS:
        connection.execute(macro)
    connection.execute("set preserve_insertion_order = false")
    spill = Path(tempfile.gettempdir()) / f"adjudge-duckdb-{os.getpid()}"  # made when needed, removed at the end
    connection.execute(f"set temp_directory = {DUCKDB.text(str(spill))}")
    if threads is not None:
        connection.execute(f"set threads = {threads}")
    return connection


@contextmanager
def in_order(connection: Any) -> Iterator[None]:
    """Keep rows as they come in a table that is made within, so that a sample of it is the same each time."""
    connection.execute("set preserve_insertion_order = true")
    try:
        yield
    finally:
        connection.execute("set preserve_insertion_order = false")


class QueryFailed(DataError):
    """The database gives up on a query. said: the first line of what it says."""

    def __init__(self, error: duckdb.Error) -> None:
        self.said = str(error).partition("\n")[0]
        hint = "give it more, --memory 4GB" if "Out of Memory" in self.said else None
        super().__init__(f"the database gives up: {self.said}", hint)


def executed(connection: Any, query: str) -> Any:
    """Run a query, and return where its rows are fetched from. Ctrl-C ends it at once.

    Raises QueryFailed, and nothing of DuckDB's own.
    """
    return _watched(connection, lambda: connection.execute(query))


def fetched(connection: Any, query: str, progress: Progress | None = None) -> list[tuple[Any, ...]]:
    """Return the rows of a query. Ctrl-C ends it at once. Raises QueryFailed, and nothing of DuckDB's own."""
    return _watched(connection, lambda: connection.execute(query).fetchall(), progress)


def as_arrow(connection: Any, query: str) -> Any:
    """Return the rows of a query as an Arrow table. Ctrl-C ends it at once. Raises QueryFailed."""
    return _watched(connection, lambda: connection.sql(query).to_arrow_table())


def in_batches(connection: Any, query: str) -> Iterator[list[tuple[Any, ...]]]:
    """Return the rows of a query in its order, thousands at a time; it is begun before this returns.

    Ctrl-C ends it at once. Raises QueryFailed, and nothing of DuckDB's own.
    """
    connection.execute("set preserve_insertion_order = true")
    cursor = executed(connection, query)
    return iter(lambda: _watched(connection, lambda: cursor.fetchmany(BATCH)), [])


def _watched(connection: Any, work: Callable[[], _T], progress: Progress | None = None) -> _T:
    """Have the database work in a thread of its own, and return what came of it.

    In the main thread DuckDB would answer Ctrl-C itself: it forgets the KeyboardInterrupt, and raises a RuntimeError.
    """
    import duckdb

    result: list[_T] = []
    failure: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            result.append(work())
        except duckdb.Error as error:
            failure.append(QueryFailed(error))
        except BaseException as error:
            failure.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="adjudge-backtest", daemon=True)
    try:
        thread.start()
        while not done.wait(_TICK_S):
            if progress is not None:
                progress(min(1.0, max(0.0, connection.query_progress() / 100)))
    except BaseException:
        connection.interrupt()
        if thread.ident is not None:  # it began: nothing else may use the connection before it has ended
            done.wait()
        raise
    if failure:
        raise failure[0]
    return result[0]


def first(connection: Any, query: str) -> tuple[Any, ...]:
    """Return the first row of a query that always has one."""
    return fetched(connection, query)[0]


def is_made(connection: Any, table: str) -> bool:
    """Whether a database has a table."""
    return bool(fetched(connection, f"select 1 from duckdb_tables() where table_name = '{table}'"))
