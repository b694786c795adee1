"""The tables of the ledger: numbered files of SQL, applied in order, each once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from adjudge.plugin import AuditUnavailable
from adjudge_plugins.postgres.database import told

if TYPE_CHECKING:
    import psycopg

    from adjudge_plugins.postgres.database import Connection

MONTHS_AHEAD = 3
"""Months for which there are partitions ahead; records of a month without one stand in `records_of_no_month`."""
_LOCK = 4_061_989  # of migrations, so that two that run at once do not meet
_NAME = re.compile(r"(\d{4})_\w+\.sql")


def migrations() -> Sequence[tuple[int, str, str]]:
    """Return number, name and SQL of every migration, in order."""
    found = [(entry.name, entry.read_text("utf-8")) for entry in files(__package__).joinpath("migrations").iterdir()
             if _NAME.fullmatch(entry.name)]  # fmt: skip
    return [(int(name[:4]), name, text) for name, text in sorted(found)]


def require_tables(found: int) -> None:
    """Raise AuditUnavailable unless a database has the tables of this version. found: its newest migration, or 0."""
    wanted = migrations()[-1][0]
    if not found:
        raise AuditUnavailable("there are no tables of adjudge in this database: run `adjudge postgres migrate`")
    if found != wanted:
        way = "run `adjudge postgres migrate`" if found < wanted else "update adjudge on this machine"
        said = f"the tables in PostgreSQL are of version {found}, where this adjudge needs {wanted}: {way}"
        raise AuditUnavailable(said)


def version_of(connection: psycopg.Connection[tuple[Any, ...]]) -> int:
    """Return what `applied` does, of a connection that blocks."""
    with told():
        if not _one(connection.execute(b"select to_regclass('adjudge.migrations') is not null").fetchone()):
            return 0
        return int(_one(connection.execute(b"select coalesce(max(number), 0) from adjudge.migrations").fetchone()))


async def applied(connection: Connection) -> int:
    """Return the number of the newest migration that a database has; 0 for none. Raises AuditUnavailable."""
    with told():
        there = await connection.execute(b"select to_regclass('adjudge.migrations') is not null")
        if not _one(await there.fetchone()):
            return 0
        newest = await connection.execute(b"select coalesce(max(number), 0) from adjudge.migrations")
        return int(_one(await newest.fetchone()))


async def migrate(connection: Connection, today: date | None = None) -> list[str]:
    """Apply what is not applied yet, and make the partitions of this month and the next ones; return what was done.

    today: in UTC. Raises AuditUnavailable, and then nothing was done.
    """
    done: list[str] = []
    with told():
        async with connection.transaction():
            await connection.execute(b"select pg_advisory_xact_lock(%s)", (_LOCK,))
            await connection.execute(b"create schema if not exists adjudge")
            await connection.execute(
                b"create table if not exists adjudge.migrations (number int primary key, name text not null,"
                b" applied_at timestamptz not null default clock_timestamp())"
            )
            newest = await applied(connection)
            for number, name, text in migrations():
                if number > newest:
                    await connection.execute(text.encode())
                    await connection.execute(
                        b"insert into adjudge.migrations (number, name) values (%s, %s)", (number, name)
                    )
                    done.append(name)
            for begin, end in _months(today or datetime.now(UTC).date()):
                name = f"records_{begin:%Y_%m}"
                there = await connection.execute(b"select to_regclass(%s) is not null", (f"adjudge.{name}",))
                if not _one(await there.fetchone()):
                    await connection.execute(_PARTITION.format(name=name, begin=begin, end=end).encode())
                    done.append(name)
    return done


_PARTITION = """
create table adjudge.{name} (like adjudge.records including defaults including constraints);
with moved as (
    delete from adjudge.records_of_no_month where recorded_at >= '{begin} 00:00Z' and recorded_at < '{end} 00:00Z'
    returning *
) insert into adjudge.{name} select * from moved;
alter table adjudge.records attach partition adjudge.{name} for values from ('{begin} 00:00Z') to ('{end} 00:00Z');
"""


def _months(today: date) -> list[tuple[date, date]]:
    """Return the first days of this month and of those ahead, each with that of the month after."""
    at = [today.year * 12 + today.month - 1 + ahead for ahead in range(MONTHS_AHEAD + 2)]
    firsts = [date(month // 12, month % 12 + 1, 1) for month in at]
    return list(pairwise(firsts))


def _one(row: tuple[Any, ...] | None) -> Any:
    assert row is not None, "the statement has a row"
    return row[0]
