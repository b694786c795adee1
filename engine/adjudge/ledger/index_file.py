"""The index's SQLite file: where records stand, which calls are open, what each day cost, and up to where it knows.

It is derived from the log: it can be deleted at any time, and nothing in it is evidence. It is in WAL mode, so what a
power cut takes of it are its newest commits, never an old one. A copy is not gone on with, for it may have been taken
while the file and its journal were written to; and a sum over all places says whether one is lacking.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from hashlib import blake2b
from operator import xor
from pathlib import Path
from struct import Struct
from typing import Any

import msgspec

from adjudge.frozen import frozen
from adjudge.ledger import heaps
from adjudge.plugin import DaySpend

FILE = "index.sqlite"
VERSION = 4
_NEW = ".new"
_OFFSET_BITS = 40
_number = Struct(">q").unpack
_TABLES = f"""
create table meta (name text primary key, value) without rowid;
create table places (key integer, place integer, primary key (key, place)) without rowid;
{heaps.TABLE}
create table calls (call_id text primary key, place integer) without rowid;
create table spent (provider text, day text, calls integer, spent text, primary key (provider, day)) without rowid;
pragma user_version = {VERSION};
"""


_SOME = "select key, place from places where {} order by key, place limit 5000"
_FIND = "select place from places where key = ? order by place desc"
# One statement for all, with the interpreter's lock let go for as long as it takes: one for each row would take turns
# with whoever decides, twice a row. In the order of the tree, so that those that share a page of it are written once.
_ADD = "insert or ignore into places select cast(key as integer), value from json_each(?) order by 1"


_SUM = 2**62 - 1


class StaleIndex(Exception):
    """The file is of another log, of another version, a copy, or not whole."""


def place_of(segment: int, start: int) -> int:
    """Return where a record begins, as one number: its segment's, and the byte in it. Later ones are larger."""
    return segment << _OFFSET_BITS | start


def segment_of(place: int) -> tuple[int, int]:
    """Return the number of a place's segment, and the byte in it."""
    return place >> _OFFSET_BITS, place & (1 << _OFFSET_BITS) - 1


@frozen
class Position:
    """The last record that is in the index. hash: lower-case hex."""

    place: int
    hash: str


@dataclass(slots=True)
class Changes:
    """What records add to the index. Its numbers lie in a plain dict, which the garbage collector leaves alone.

    log: the hash of the log's first record, where that is new. places: the newest of each key. earlier: further ones of
    the same keys. calls: by id, None where nobody waits for its answer any more. size: bytes of the records.
    """

    log: str | None = None
    places: dict[int, int] = field(default_factory=dict)
    earlier: list[tuple[int, int]] = field(default_factory=list)
    calls: dict[str, int | None] = field(default_factory=dict)
    spent: dict[tuple[str, date], DaySpend] = field(default_factory=dict)
    position: Position | None = None
    records: int = 0
    size: int = 0

    def add(self, keys: Iterable[int], place: int) -> None:
        """Add the keys of a place, which is later than those before."""
        places = self.places
        for key in keys:
            if key in places and places[key] != place:
                self.earlier.append((key, places[key]))
            places[key] = place

    def of(self, key: int) -> Iterator[int]:
        """Yield the places of a key, newest first."""
        if (newest := self.places.get(key)) is not None:
            yield newest
            yield from (place for one, place in reversed(self.earlier) if one == key)


def key_of(text: bytes) -> int:
    """Return the number by which a text is found. Two texts may share one: what is found is held against the log."""
    key: int = _number(blake2b(text, digest_size=8).digest())[0]
    return key


class IndexFile:
    """An open index: one connection that writes, from any thread, and one that reads beside it.

    first_segment: the number of the oldest segment that is in it.
    """

    def __init__(self, path: Path | None, log: str, *, is_safe: bool = True) -> None:
        """Open an index, made if needed. path: None for one in memory. log: the hash of the log's first record.

        is_safe: False for one that is of no use if the process ends before it is closed.
        Raises StaleIndex, OSError and sqlite3.Error.
        """
        self.path = path
        self._pragmas = ("journal_mode = wal", "synchronous = normal")
        if not is_safe:
            self._pragmas = ("journal_mode = off", "synchronous = off")
        is_new = path is None or not path.exists()
        if path is not None and is_new:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._writer = self._connect()
        self._reader = self._writer
        # No connection is used without its lock, nor closed: SQLite crashes where one thread closes what another reads.
        self._writing = threading.RLock()
        self._reading = self._writing
        self._is_writing = path is None  # one in memory has one connection for both
        try:
            if is_new:
                self._make(log)
            else:
                self._check(log)
            if path is not None and is_safe:
                self._reader, self._reading = self._connect(), threading.RLock()
            self._has_heaps = bool(self._rows("select 1 from heaps limit 1"))
            self._sum, self.first_segment = self._number("sum"), self._number("first")
        except BaseException:
            self.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        where = str(self.path) if self.path is not None else ":memory:"
        found = sqlite3.connect(where, timeout=1.0, isolation_level=None, check_same_thread=False)
        if self.path is not None:
            try:
                for pragma in self._pragmas:
                    found.execute(f"pragma {pragma}")
            except BaseException:
                found.close()
                raise
        return found

    def _make(self, log: str) -> None:
        self._writer.executescript(_TABLES)
        self._writer.execute("insert into meta values ('log', ?), ('file', ?)", (log, self._identity()))

    def _check(self, log: str) -> None:
        """Raise StaleIndex where the file is not this log's. One that has lost its end SQLite itself refuses."""
        ((version,),) = self._rows("pragma user_version")
        if version != VERSION:
            raise StaleIndex(f"it is of version {version}")
        if self._meta("log") != log:
            raise StaleIndex("it is of another log")
        if self._meta("file") != self._identity():
            raise StaleIndex("it is a copy, which may lack what came while it was made")

    def _identity(self) -> str:
        """Return what a copy of the file does not share with it."""
        return str(self.path.stat().st_ino) if self.path is not None else ""

    def _meta(self, name: str) -> object:
        return next((value for (value,) in self._rows("select value from meta where name = ?", name)), None)

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._writing:
            return self._writer.execute(query, values).fetchall()

    def _number(self, name: str) -> int:
        found = self._meta(name)
        return found if isinstance(found, int) else 0

    @property
    def position(self) -> Position | None:
        """Up to where the log is in the index; None in one that is new."""
        place, digest = self._meta("place"), self._meta("hash")
        return Position(place, digest) if isinstance(place, int) and isinstance(digest, str) else None

    @property
    def lacked(self) -> frozenset[str]:
        """The names of later segments that are not in the index, because they were away as it was made."""
        found = self._meta("lacked")
        return frozenset(found.split()) if isinstance(found, str) else frozenset()

    def begin_at(self, segment: int, lacked: Iterable[str] = ()) -> None:
        """Take note of the oldest segment that is in the index, and of later ones that are not."""
        rows = ("first", segment), ("lacked", " ".join(lacked))
        with self._writing:
            self._writer.executemany("insert or replace into meta values (?, ?)", rows)
        self.first_segment = segment

    def places(self, key: int) -> Sequence[int]:
        """Return where records of a key may stand, newest first. Raises sqlite3.Error.

        Between two writes all questions share a transaction: to begin one costs more than to ask. During a write each
        has its own, or the journal could not be begun anew.
        """
        with self._reading:
            if not (self._is_writing or self._reader.in_transaction):
                self._reader.execute("begin")
            found = [place for (place,) in self._reader.execute(_FIND, (key,)).fetchall()]
            if not self._has_heaps:
                return found
            rows = self._reader.execute(heaps.OF_A_HEAP, heaps.rows_of(key)).fetchall()
        older = {place for (data,) in rows for place in heaps.places_in(data, key)}
        return sorted(older.union(found), reverse=True)

    def all_keys(self) -> Iterator[Sequence[int]]:
        """Yield all keys, a few thousand at a time, while nobody writes.

        Raises sqlite3.Error, and StaleIndex in the end where the file lacks places, or has others than were written.
        """
        found, few = 0, self._rows(_SOME.format("true"))
        while few:
            keys, places = zip(*few, strict=True)
            found += sum(map(xor, keys, places))
            yield keys
            few = self._rows(_SOME.format("(key, place) > (?, ?)"), *few[-1])
        rows = self._rows(heaps.SOME, -1)
        while rows:
            found += sum(heaps.sum_of(data) for _, data in rows)
            yield [key for _, data in rows for key in heaps.keys_in(data)]
            rows = self._rows(heaps.SOME, rows[-1][0])
        if found & _SUM != self._sum:
            raise StaleIndex("it lacks places, or has others than were written")

    def open_calls(self) -> list[int]:
        """Return where the newest records of open calls stand."""
        return [place for (place,) in self._rows("select place from calls order by place")]

    def spent(self) -> dict[tuple[str, date], DaySpend]:
        """Return what each day cost, by provider and day."""
        rows = self._rows("select provider, day, calls, spent from spent")
        return {
            (provider, date.fromisoformat(day)): DaySpend(calls, Decimal(spent)) for provider, day, calls, spent in rows
        }

    def write(self, changes: Changes) -> None:
        """Add to the index, all or nothing. Raises sqlite3.Error."""
        with self._reading:
            self._is_writing = True
            if self._reader.in_transaction:
                self._reader.execute("commit")
        try:
            found = self._sum + sum(map(xor, changes.places, changes.places.values()))
            found = (found + sum(key ^ place for key, place in changes.earlier)) & _SUM
            with self._writing, _transaction(self._writer) as database:
                _put(database, changes, found)
            self._sum = found
        finally:
            self._is_writing = self.path is None

    def pack(self, gathered: heaps.Heaps) -> None:
        """Add what has gathered in heaps. Raises sqlite3.Error."""
        found = self._sum

        def summed() -> Iterator[tuple[int, bytes]]:
            nonlocal found
            for row in gathered.take():
                found += heaps.sum_of(row[1])
                yield row

        with self._writing, _transaction(self._writer) as database:
            database.executemany(heaps.ADD, summed())
            database.execute("insert or replace into meta values ('sum', ?)", (found & _SUM,))
        self._sum, self._has_heaps = found & _SUM, True

    def close(self) -> None:
        """Let the file go."""
        with self._writing, self._reading:
            for each in (self._reader, self._writer):
                each.close()

    @staticmethod
    def remove(path: Path) -> None:
        """Delete an index and its journals. Raises OSError."""
        for suffix in ("", "-wal", "-shm", _NEW):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def made(path: Path | None, log: str) -> Iterator[IndexFile]:
    """Make an index anew: it takes its place once it is whole and on disk, in place of the one that is there.

    Nothing of it is safe before: it is written in half of the time. Raises OSError and sqlite3.Error.
    """
    if path is None:
        file = IndexFile(None, log)
        try:
            yield file
        except BaseException:
            file.close()
            raise
        return
    IndexFile.remove(path)
    new = path.with_name(path.name + _NEW)
    file = IndexFile(new, log, is_safe=False)
    try:
        yield file
    finally:
        file.close()
    with new.open("rb+") as written:
        os.fsync(written.fileno())
    new.rename(path)


def _put(database: sqlite3.Connection, changes: Changes, total: int) -> None:
    if changes.places:
        database.execute(_ADD, (msgspec.json.encode(changes.places).decode(),))
    database.executemany("insert or ignore into places values (?, ?)", changes.earlier)
    closed = [(call_id,) for call_id, place in changes.calls.items() if place is None]
    opened = [(call_id, place) for call_id, place in changes.calls.items() if place is not None]
    database.executemany("delete from calls where call_id = ?", closed)
    database.executemany("insert or replace into calls values (?, ?)", opened)
    database.executemany("insert or replace into spent values (?, ?, ?, ?)", _rows(changes.spent))
    said: dict[str, object] = {"sum": total} | ({"log": changes.log} if changes.log is not None else {})
    if changes.position is not None:
        said |= {"place": changes.position.place, "hash": changes.position.hash}
    database.executemany("insert or replace into meta values (?, ?)", said.items())


def _rows(spent: Mapping[tuple[str, date], DaySpend]) -> Iterable[tuple[str, str, int, str]]:
    return [(provider, day.isoformat(), one.calls, str(one.spent)) for (provider, day), one in spent.items()]


def is_spoilt(error: Exception) -> bool:
    """Whether a file of SQLite is none, or damaged."""
    return getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    database.execute("begin immediate")
    try:
        yield database
        database.execute("commit")
    except BaseException:
        if database.in_transaction:
            database.execute("rollback")
        raise
