"""The committed records of all chains in a database, for readers of the log: one of the workers feeds each reader."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from adjudge.ledger.kit import MalformedLine, Record, parse
from adjudge.plugin import BEFORE_FIRST, AuditBroken, AuditUnavailable, LogRecord, Position, WrongPosition
from adjudge_plugins.postgres.database import DEADLINE_S, told

if TYPE_CHECKING:
    import psycopg

LEASE_S = 30.0
"""Seconds after which another worker may feed a reader: whoever did may have been paused or killed."""
_LOOK_S = 0.5

_ENDS = "select writer, seq, hash from adjudge.writers where seq > 0 and (%s::bigint is null or writer = %s)"
_FIRST = "select line from adjudge.records where writer = %s and (seq = 1 or kind = 'checkpoint') order by seq limit 1"
_END = "select seq, hash from adjudge.writers where writer = %s"
_BEHIND = """
select line from (
    select line, seq, sum(octet_length(line)) over (order by seq) - octet_length(line) as before from (
        select line, seq from adjudge.records where writer = %s and seq > %s order by seq limit %s
    ) as those
) as sized where before < %s order by seq
"""
_LEASE = """
insert into adjudge.feeders as f values (%s, %s, clock_timestamp() + make_interval(secs => %s))
    on conflict (reader) do update set holder = excluded.holder, until = excluded.until
        where f.holder = excluded.holder or f.until <= clock_timestamp()
    returning 1
"""


class _Sealed(msgspec.Struct):
    log: str


class PostgresRecords:
    """The chains of one database as a `RecordSource`; over one connection, which is made again where it breaks."""

    look_every_s = _LOOK_S

    def __init__(self, dsn: str, own: Callable[[], int]) -> None:
        """dsn: as libpq takes it. own: the number of the chain that this process writes."""
        self._dsn, self._own = dsn, own
        self._holder = secrets.token_hex(16)
        self._lock = threading.Lock()
        self._is_closed = False
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._names: dict[int, str] = {}  # of logs, by writer
        self._writers: dict[str, int] = {}
        self._leased: dict[str, float] = {}  # when a lease was had last, by reader

    def ends(self, *, own: bool) -> Sequence[Position]:
        """Return the end of each chain, or of this process's alone; see `RecordSource.ends`."""
        writer = self._own() if own else None
        found = []
        for number, seq, digest in self._rows(_ENDS, (writer, writer)):
            name = self._name(number)
            if name is not None:
                found.append(Position(log=name, seq=seq, hash=digest))
        return found

    def read_from(self, after: Position, *, max_records: int, max_bytes: int) -> Sequence[LogRecord]:
        """Return records of a chain behind a position; see `RecordSource.read_from`."""
        writer = self._writers.get(after.log)
        if writer is None:
            raise WrongPosition(f"it holds records of {after.log[:12]}…, and no chain of this database has that name")
        found: list[LogRecord] = []
        at = after
        for (line,) in self._rows(_BEHIND, (writer, after.seq, max_records, max_bytes)):
            record = _record(bytes(line), writer)
            if record.seq != at.seq + 1:
                said = f"record {at.seq + 1} of the chain of writer {writer} is not there: was its month let go?"
                raise AuditUnavailable(said)
            if record.prev != at.hash:
                if at is after:
                    raise _astray(after, writer)
                raise AuditBroken(f"record {record.seq} of writer {writer} does not follow the record before it")
            found.append(LogRecord(log=at.log, seq=record.seq, kind=record.kind, hash=record.hash, line=record.line))
            at = found[-1].position
        if not found:
            ((seq, digest),) = self._rows(_END, (writer,))
            if after.seq > seq:
                said = f"it holds record {after.seq} of writer {writer}, whose chain ends with record {seq}"
                raise WrongPosition(f"{said}: the database was restored from an older copy, or the position is made up")
            if after.seq < seq:
                said = f"record {after.seq + 1} of the chain of writer {writer} is not there: was its month let go?"
                raise AuditUnavailable(said)
            if after.hash != digest and after.hash != BEFORE_FIRST:
                raise _astray(after, writer)
        return found

    def may_feed(self, reader: str) -> bool:
        """Whether this process has the lease of a reader, which it renews."""
        now = monotonic()
        if now - self._leased.get(reader, float("-inf")) < LEASE_S / 3:
            return True
        self._leased.pop(reader, None)
        if not self._rows(_LEASE, (reader, self._holder, LEASE_S)):
            return False
        self._leased[reader] = now
        return True

    def close(self) -> None:
        """Give back the leases, and let the connection go."""
        try:
            if self._leased:
                self._rows("delete from adjudge.feeders where holder = %s", (self._holder,))
        except AuditUnavailable:
            pass  # they lapse
        finally:
            with self._lock:
                self._is_closed = True
                self._disconnect()

    def _name(self, writer: int) -> str | None:
        """Return the name of a chain: the hash of record 1, which checkpoints repeat; None where both are gone."""
        if writer not in self._names:
            rows = self._rows(_FIRST, (writer,))
            if not rows:
                return None
            record = _record(bytes(rows[0][0]), writer)
            name = record.hash if record.seq == 1 else record.decode(_Sealed).log
            self._names[writer] = name
            self._writers[name] = writer
        return self._names[writer]

    def _rows(self, query: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """Return the rows of a statement, which is a transaction of its own. Raises AuditUnavailable."""
        import psycopg

        with self._lock, told():
            if self._is_closed:  # by a reader that was left behind
                raise AuditUnavailable("the records in PostgreSQL are closed")
            try:
                if self._connection is None:
                    self._connection = psycopg.connect(
                        self._dsn,
                        autocommit=True,
                        prepare_threshold=None,
                        connect_timeout=round(DEADLINE_S),
                        tcp_user_timeout=round(DEADLINE_S * 1000),
                    )
                cursor = self._connection.execute(query.encode(), parameters)
                return cursor.fetchall() if cursor.description is not None else []
            except BaseException:
                self._disconnect()
                raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _record(line: bytes, writer: int) -> Record:
    try:
        return parse(line)
    except MalformedLine as error:
        raise AuditBroken(f"the chain of writer {writer}: {error}") from None


def _astray(after: Position, writer: int) -> WrongPosition:
    said = f"its record {after.seq} of writer {writer} is not the one of the chain"
    return WrongPosition(f"{said}: one of the two was written anew since")
