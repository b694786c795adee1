"""A month put away: its records as files, a record that says so of each part of a chain, and only then no partition.

The records that say so are a chain of their own, which `verify` believes as far as it verifies. They say again what was
said in the month that goes. Whatever stops it, the month is whole in the database or in the files, and the next run
goes on. Policies and the newest named records stay.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, LiteralString

from adjudge.ledger.kit import ArchiveBody, Checkpoints, MalformedLine, decode, encode_body, parse
from adjudge.plugin import AuditBroken, AuditUnavailable
from adjudge_plugins.postgres.database import check_dsn, told
from adjudge_plugins.postgres.migrate import require_tables, version_of
from adjudge_plugins.postgres.writer import Wanted, Writer

if TYPE_CHECKING:
    import psycopg
    from psycopg.sql import Composed

    Connection = psycopg.Connection[tuple[Any, ...]]

_ROWS = 500
_LOCK_MS = 5000
"""Milliseconds to wait for who reads the month: behind a lock that waits, all workers wait."""


@dataclass(slots=True)
class _Part:
    """Records of one chain that follow each other."""

    writer: int
    first: int
    last: int = 0
    last_hash: str = ""
    size: int = 0
    policies: list[str] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)


async def archive(dsn: str, month: date, to: Path, *, by: str, points: Checkpoints) -> list[ArchiveBody]:
    """Put a month away that is over; return what went where. month: its first day. by: who asked.

    Blocks while it reads: nothing else runs on this loop. Raises AuditUnavailable and AuditBroken.
    """
    import psycopg

    table = f"records_{month:%Y_%m}"
    check_dsn(dsn)
    with told():
        connection = psycopg.connect(dsn, prepare_threshold=None)
    try:
        require_tables(version_of(connection))
        with told():
            there = connection.execute(b"select to_regclass(%s) is not null", (f"adjudge.{table}",)).fetchone()
        if there is None or not there[0]:
            raise AuditUnavailable(f"there is no partition adjudge.{table}: that month is archived, or never was there")
        named = _named(connection)
        parts = _write(connection, table, to, named)
        bodies = [_body(connection, part, to, by) for part in parts]
        with told():
            connection.rollback()
        writer = Writer(dsn, points)
        await writer.open()
        try:
            for body in (*_again(connection, table), *bodies):
                await writer.write(Wanted(kind="archive", members=encode_body(body)))
        finally:
            await writer.aclose()
            writer.close()
        with told():
            connection.rollback()
            connection.execute(b"set local lock_timeout = %d" % _LOCK_MS)
            # who reads goes on; an exclusive lock would hold up all workers while this copies
            connection.execute(_of("lock table {} in share mode", table))
            connection.execute(_of("create temp table kept on commit drop as table {}", table))
            stands = connection.execute(b"select count(*) from kept").fetchone()
            if stands != (sum(part.last - part.first + 1 for part in parts),):
                raise AuditUnavailable(f"adjudge.{table} was written to meanwhile: nothing was dropped; run it again")
            connection.execute(_of("drop table {}", table))
            stays = b"insert into adjudge.records select * from kept where kind = 'policy' or line = any(%s)"
            connection.execute(stays, ([*named],))
            connection.commit()
    finally:
        connection.close()
    return bodies


def _named(connection: Connection) -> frozenset[bytes]:
    """Return the newest named records, which say how things stand."""
    with told():
        return frozenset(bytes(line) for (line,) in connection.execute(b"select line from adjudge.named").fetchall())


def _write(connection: Connection, table: str, to: Path, named: frozenset[bytes]) -> list[_Part]:
    """Write the records of a month as files, one for each part of a chain, and sync them."""
    parts: list[_Part] = []
    try:
        with ExitStack() as stack:
            file: IO[bytes] | None = None
            for writer, line in stack.enter_context(closing(_lines(connection, table))):
                record = _checked(writer, line)
                part = parts[-1] if parts else None
                if part is None or part.writer != writer or record.seq != part.last + 1:
                    _finish(file, to, part)
                    parts.append(part := _Part(writer, record.seq))
                    (to / f"writer-{writer}").mkdir(parents=True, exist_ok=True, mode=0o700)
                    file = stack.enter_context((to / f"writer-{writer}" / ".part").open("wb"))
                elif record.prev != part.last_hash:
                    said = f"writer-{writer}: record {record.seq} does not follow the one before"
                    raise AuditBroken(f"{said}: nothing was moved")
                assert file is not None
                file.write(line)
                part.digest.update(line)
                part.last, part.last_hash, part.size = record.seq, record.hash, part.size + len(line)
                if record.kind == "policy" or line in named:
                    part.policies.append(record.hash)
            _finish(file, to, parts[-1] if parts else None)
    except OSError as error:
        raise AuditUnavailable(f"{error.filename or to}: {(error.strerror or str(error)).lower()}") from error
    return parts


def _finish(file: IO[bytes] | None, to: Path, part: _Part | None) -> None:
    """Sync a file, and give it its name; one that is there already must be the same."""
    if file is None or part is None:
        return
    file.flush()
    os.fsync(file.fileno())
    file.close()
    made, target = Path(file.name), to / f"writer-{part.writer}" / f"audit-{part.first:06}.jsonl"
    if target.exists():
        with target.open("rb") as there:
            if hashlib.file_digest(there, "sha256").digest() != part.digest.digest():
                raise AuditUnavailable(f"{target}: exists already and is another; name another folder")
    made.replace(target)


def _lines(connection: Connection, table: str) -> Generator[tuple[int, bytes], None, None]:
    with told(), connection.cursor("month") as cursor:
        cursor.execute(_of("select writer, line from {} order by writer, seq, recorded_at", table))
        while rows := cursor.fetchmany(_ROWS):
            yield from rows


def _checked(writer: int, line: bytes) -> Any:
    try:
        return parse(line)
    except MalformedLine as error:
        raise AuditBroken(f"writer-{writer}: {error}: nothing was moved") from None


def _body(connection: Connection, part: _Part, to: Path, by: str) -> ArchiveBody:
    folder = (to / f"writer-{part.writer}").resolve()
    return ArchiveBody(
        at=datetime.now(UTC),
        log=_log_of(connection, part.writer, folder),
        name=f"audit-{part.first:06}.jsonl",
        first=part.first,
        last=part.last,
        last_hash=part.last_hash,
        bytes=part.size,
        sha256=part.digest.hexdigest(),
        since=part.first,
        to=str(folder),
        by=by,
        policies=tuple(part.policies),
    )


def _log_of(connection: Connection, writer: int, folder: Path) -> str:
    """Return the hash of a chain's first record, wherever that is."""
    with told():
        first = b"select line from adjudge.records where writer = %s and seq = 1"
        row = connection.execute(first, (writer,)).fetchone()
        said = connection.execute(b"select line from adjudge.records where kind = 'archive'").fetchall()
    if row is not None:
        return str(_checked(writer, row[0]).hash)
    for (line,) in said:
        record = _checked(writer, line)
        body = decode(ArchiveBody, record.seq, record.body)
        if Path(body.to).name == folder.name:
            return body.log
    raise AuditBroken(f"writer-{writer}: its first record is neither here nor archived: nothing was moved")


def _again(connection: Connection, table: str) -> list[ArchiveBody]:
    """Return what records say that go with the month."""
    with told():
        rows = connection.execute(_of("select writer, line from {} where kind = 'archive'", table)).fetchall()
    records = [_checked(writer, line) for writer, line in rows]
    return [decode(ArchiveBody, record.seq, record.body) for record in records]


def _of(query: LiteralString, table: str) -> Composed:
    from psycopg.sql import SQL, Identifier

    return SQL(query).format(Identifier("adjudge", table))
