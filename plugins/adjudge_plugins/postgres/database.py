"""Connections to PostgreSQL. What goes wrong there is AuditUnavailable, and never an exception of the driver."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from adjudge.plugin import AuditUnavailable, PluginError, one_line
from adjudge_plugins.postgres.arrays import Array

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    Connection = AsyncConnection[tuple[Any, ...]]

IDLE_MAX = 8
"""So many connections are kept, beside the one that writes."""
_PORTS = re.compile("[0-9,]*")
DEADLINE_S = 10.0
"""Seconds that anybody waits for an answer of the database."""


async def connect(dsn: str) -> Connection:
    """Open a connection, which prepares no statements: a pooler may share it by transaction.

    Raises AuditUnavailable, and PluginError where the driver is missing.
    """
    try:
        from psycopg import AsyncConnection
    except ImportError:
        said = 'psycopg is not installed: pip install "adjudge[postgres]"'
        raise PluginError(said, plugin="postgres") from None
    check_dsn(dsn)
    with told():
        async with asyncio.timeout(DEADLINE_S):
            connection = await AsyncConnection.connect(dsn, autocommit=True, prepare_threshold=None)
    for kind, dumper in _dumpers().items():
        connection.adapters.register_dumper(kind, dumper)
    return connection


@cache
def _dumpers() -> dict[type[Array], Any]:
    """Return what sends each kind of array as it is."""
    from psycopg.adapt import Dumper
    from psycopg.pq import Format

    class AsItIs(Dumper):
        format = Format.BINARY

        def dump(self, obj: Array) -> Array:
            return obj

    return {kind: type(kind.__name__, (AsItIs,), {"oid": kind.array_oid}) for kind in Array.__subclasses__()}


def check_dsn(dsn: str) -> dict[str, Any]:
    """Return what a connection string says, by keyword of libpq.

    Raises AuditUnavailable, which says nothing of it: what libpq complains of may be a part of the password.
    """
    import psycopg

    try:
        said = psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.Error:
        said = None
    # a password with a `/` in it is read as a port, and what follows as the database
    is_split = said is not None and (
        "@" in str(said.get("dbname", "")) or not _PORTS.fullmatch(str(said.get("port", "")))
    )
    if said is None or is_split:
        way = "write it as postgresql://user@host/database, with %-escapes in a password"
        raise AuditUnavailable(f"the connection string of PostgreSQL cannot be read: {way}")
    return said


@contextmanager
def told() -> Iterator[None]:
    """Say what the database or the way to it does wrong as AuditUnavailable.

    The first line alone: what follows, such as a failing row, may hold values of a request.
    """
    import psycopg

    try:
        yield
    except TimeoutError:
        raise AuditUnavailable(f"PostgreSQL does not answer within {DEADLINE_S:g} s") from None
    except psycopg.errors.ReadOnlySqlTransaction:
        said = "PostgreSQL: this database can only be read, as a replica can; to write, name the primary"
        raise AuditUnavailable(said) from None
    except psycopg.errors.LockNotAvailable:
        raise AuditUnavailable("PostgreSQL: somebody reads or writes these records just now; run it again") from None
    except (psycopg.Error, ConnectionError) as error:
        first = str(error).strip().partition("\n")[0]
        raise AuditUnavailable(f"PostgreSQL: {one_line(first) or type(error).__name__}") from None


class Connections:
    """The connections of one ledger that read and claim; a broken one is put away."""

    def __init__(self, dsn: str) -> None:
        """Connect nothing yet."""
        self._dsn = dsn
        self._idle: list[Connection] = []
        self._in_use: set[Connection] = set()
        self._room = asyncio.Semaphore(IDLE_MAX)

    async def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement, which is a transaction of its own. Raises AuditUnavailable.

        It may run twice, where the first connection turns out to be dead.
        """
        import psycopg

        async with self._room:
            while self._idle:
                try:
                    return await self._asked(self._idle.pop(), query, parameters)
                except psycopg.OperationalError:  # of a connection that died while nobody used it: those beside it too
                    continue
                except TimeoutError:
                    break
            with told():
                return await self._asked(await connect(self._dsn), query, parameters)

    async def _asked(self, connection: Connection, query: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        self._in_use.add(connection)
        try:
            async with asyncio.timeout(DEADLINE_S):
                cursor = await connection.execute(query.encode(), parameters)
                rows = await cursor.fetchall() if cursor.description is not None else []
        except BaseException:
            await connection.close()
            raise
        finally:
            self._in_use.discard(connection)
        self._idle.append(connection)
        return rows

    def close(self) -> None:
        """Let all go at once."""
        for connection in (*self._idle, *self._in_use):
            connection.pgconn.finish()
        self._idle.clear()
