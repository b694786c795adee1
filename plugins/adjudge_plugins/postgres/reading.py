"""The chains in PostgreSQL as a log to read, by its URL: `adjudge audit verify postgresql://auditor@db.internal/adjudge`.

Nothing is written, so a role that may only read is enough. `…#writer-3` is one chain alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from adjudge.plugin import LogChain, PluginError
from adjudge_plugins.postgres.database import DEADLINE_S, check_dsn, told
from adjudge_plugins.postgres.migrate import require_tables, version_of
from adjudge_plugins.postgres.values import Values

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

_ROWS = 500
"""So many lines are fetched at a time."""
_ONE = re.compile(r"#writer-([1-9][0-9]{0,17})$")
_CHAINS = b"""
with recursive there(writer) as (
    select min(writer) from adjudge.records
    union all
    select (select min(r.writer) from adjudge.records r where r.writer > there.writer) from there
        where there.writer is not null
), begun as (
    select writer, seq, hash from adjudge.writers where seq > 0
)
select coalesce(b.writer, t.writer), coalesce(b.seq, 0), coalesce(b.hash, repeat('0', 64))
    from begun b full join (select writer from there where writer is not null) t on t.writer = b.writer
    order by 1
"""
_LINES = """
select line from adjudge.records where writer = %s and seq >= %s and (%s::bigint is null or seq <= %s)
    order by seq, recorded_at
"""
_MERGED = """
select writer, seq, line from adjudge.records where %s::bigint is null or writer = %s order by recorded_at, writer, seq
"""
_NEWEST = b"""
select writer, seq, line from adjudge.records where %s::bigint is null or writer = %s
    order by recorded_at desc, writer desc, seq desc limit %s
"""
_ARCHIVED = "select line from adjudge.records where kind = 'archive' order by writer, seq"
_LOST = b"""
select a.writer, count(*) from adjudge.answers a
    where (%s::bigint is null or a.writer = %s)
    and not exists (select 1 from adjudge.records r
        where r.recorded_at = a.recorded_at and r.writer = a.writer and r.seq = a.seq)
    and not exists (select 1 from unnest(%s::bigint[], %s::bigint[], %s::bigint[]) as m(writer, first, last)
        where m.writer = a.writer and a.seq between m.first and m.last)
    group by a.writer order by a.writer
"""
_SIZE = b"""
select coalesce(sum(pg_table_size(inhrelid)), 0) from pg_inherits where inhparent = 'adjudge.records'::regclass
"""


class PostgresLog:
    """All chains of one database, or one of them."""

    def __init__(self, url: str) -> None:
        """url: as libpq takes it, with `#writer-3` behind it where one chain is meant. Raises AuditUnavailable."""
        try:
            import psycopg  # noqa: F401
        except ImportError:
            said = 'psycopg is not installed: pip install "adjudge[postgres]"'
            raise PluginError(said, plugin="postgres") from None
        one = _ONE.search(url)
        self._writer = int(one[1]) if one else None
        self._dsn = url[: one.start()] if one else url
        self._name = _shown(check_dsn(self._dsn)) + (one[0] if one else "")

    def __str__(self) -> str:
        return self._name

    @contextmanager
    def look(self) -> Iterator[Look]:
        """Look at the chains as they stand now, in one transaction that reads only. Raises AuditUnavailable."""
        with connected(self._dsn) as connection:
            yield Look(connection, self._writer)

    def values(self) -> Values:
        """Return the personal values beside the chains."""
        return Values(lambda: connected(self._dsn))


@contextmanager
def connected(dsn: str) -> Iterator[Connection]:
    """Connect for one transaction that only reads, of what stands now. Raises AuditUnavailable."""
    import psycopg

    with told():
        connection = psycopg.connect(dsn, prepare_threshold=None, **_patience(dsn))
    with closing(connection):
        with told():
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        require_tables(version_of(connection))
        yield connection


class Look:
    """The chains as they stood when they were first asked for."""

    def __init__(self, connection: Connection, writer: int | None) -> None:
        """writer: the only one that is meant."""
        self._connection, self._writer = connection, writer
        self._names = count(1)

    def chains(self) -> Sequence[LogChain]:
        """Return the chains by number: those that a writer began, and those of which there are records."""
        with told():
            rows = self._connection.execute(_CHAINS).fetchall()
        return [
            LogChain(name=f"writer-{writer}", count=seq, last_hash=last)
            for writer, seq, last in rows
            if self._writer in (None, writer)
        ]

    def lines(self, chain: str, first: int = 1, last: int | None = None) -> Iterator[bytes]:
        """Yield the lines of one chain by number."""
        writer = int(chain.removeprefix("writer-"))
        for (line,) in self._rows(_LINES, (writer, first, last, last)):
            yield line

    def merged(self, *, newest: int | None = None) -> Iterator[tuple[str, bytes]]:
        """Yield the lines of all chains as they were committed.

        A clock that was set back may have put a record before those that it follows; these are fetched first.
        """
        if newest is not None:
            yield from self._newest(newest)
            return
        due: dict[int, int] = {}  # the number that comes next, by writer
        early: dict[int, list[range]] = {}  # what was fetched before its turn
        for writer, seq, line in self._rows(_MERGED, (self._writer, self._writer)):
            name, next_ = f"writer-{writer}", due.get(writer, 1)
            if seq < next_ and any(seq in those for those in early.get(writer, ())):
                continue
            if seq > next_:
                early.setdefault(writer, []).append(range(next_, seq))
                for before in self.lines(name, next_, seq - 1):
                    yield name, before
            due[writer] = max(next_, seq + 1)
            yield name, line

    def archived(self) -> Iterator[bytes]:
        """Yield the lines of all records by which parts of chains were archived."""
        for (line,) in self._rows(_ARCHIVED, ()):
            yield line

    def lost(self, moved: Mapping[str, Sequence[tuple[int, int]]]) -> Mapping[str, int] | None:
        """Return by chain how many ids name a decision whose record is gone; None where the role may not look."""
        parts = [(int(name.removeprefix("writer-")), *part) for name, those in moved.items() for part in those
                 if name.removeprefix("writer-").isdecimal()]  # fmt: skip
        with told():
            may = self._connection.execute(b"select has_table_privilege('adjudge.answers', 'select')").fetchone()
            if may is None or not may[0]:
                return None
            asked = (self._writer, self._writer, *([part[at] for part in parts] for at in range(3)))
            rows = self._connection.execute(_LOST, asked).fetchall()
        return {f"writer-{writer}": count for writer, count in rows}

    def size(self) -> int:
        """Return about how many bytes there are, of all writers."""
        with told():
            row = self._connection.execute(_SIZE).fetchone()
        return int(row[0]) if row else 0

    def _newest(self, most: int) -> Iterator[tuple[str, bytes]]:
        with told():
            rows = self._connection.execute(_NEWEST, (self._writer, self._writer, most)).fetchall()
        ordered: dict[int, list[tuple[int, bytes]]] = {}
        for writer, seq, line in rows:
            ordered.setdefault(writer, []).append((seq, line))
        for those in ordered.values():
            those.sort(reverse=True)  # they are taken from the end
        for writer, _, _ in reversed(rows):
            yield f"writer-{writer}", ordered[writer].pop()[1]

    def _rows(self, query: str, parameters: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, fetched some at a time."""
        with told():
            cursor = self._connection.cursor(f"rows_{next(self._names)}")
            cursor.execute(query.encode(), parameters)
        try:
            while True:
                with told():
                    rows = cursor.fetchmany(_ROWS)
                if not rows:
                    return
                yield from rows
        finally:
            if not self._connection.closed:
                with told():
                    cursor.close()


def _patience(dsn: str) -> dict[str, Any]:
    """Return for how long to wait for a connection, where neither the URL nor the environment says it."""
    return {} if "connect_timeout" in check_dsn(dsn) else {"connect_timeout": round(DEADLINE_S)}


def _shown(said: Mapping[str, Any]) -> str:
    """Return a URL of what a connection string says, without password, options and files."""
    user = f"{quote(str(said['user']))}@" if "user" in said else ""
    hosts, ports = (str(said.get(name) or "").split(",") for name in ("host", "port"))
    ports = ports if len(ports) == len(hosts) else ports[:1] * len(hosts)
    places = [quote(host, safe="[]:") + (f":{port}" if port else "") for host, port in zip(hosts, ports, strict=True)]
    return f"postgresql://{user}{','.join(places)}/{quote(str(said.get('dbname') or ''))}"
