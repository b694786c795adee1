"""The SQLite file in which blocks of decisions are kept. It is derived from the log, and can be deleted at any time.

Each part has a digest in the head of its block, and each head its own: what a disk lost or changed is not believed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import msgspec

from adjudge.ledger.facet_block import Head, SpoiltBlock, digest_of

FILE = "facets.sqlite"
VERSION = 1
_TABLES = f"""
create table meta (name text primary key, value) without rowid;
create table heads (segment integer, begin integer, end integer, digest text, head blob, primary key (segment, begin));
create table parts (segment integer, begin integer, name text, data blob, primary key (segment, begin, name));
pragma user_version = {VERSION};
"""
_SPOILT = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_decoder = msgspec.json.Decoder(Head)


class StaleFacets(Exception):
    """The file is of another log, or of another version."""


class FacetFile:
    """An open file of blocks, for one thread at a time. Every call may raise sqlite3.Error."""

    def __init__(self, path: Path, log: str) -> None:
        """Open a file, made if needed. log: the hash of the log's first record. Raises StaleFacets and OSError."""
        self.path = path
        is_new = not path.exists()
        if is_new:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._database = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
        try:
            for pragma in ("journal_mode = wal", "synchronous = normal"):
                self._database.execute(f"pragma {pragma}")
            if is_new:
                self._database.executescript(_TABLES)
                self._database.execute("insert into meta values ('log', ?)", (log,))
            ((version,),) = self._database.execute("pragma user_version").fetchall()
            if version != VERSION:
                raise StaleFacets(f"it is of version {version}")
            if self._database.execute("select value from meta where name = 'log'").fetchall() != [(log,)]:
                raise StaleFacets("it is of another log")
        except BaseException:
            self._database.close()
            raise

    def stretches(self) -> list[tuple[int, int, int]]:
        """Return the segment, the begin and the end of each block, in order."""
        return self._database.execute("select segment, begin, end from heads order by segment, begin").fetchall()

    def head(self, segment: int, begin: int) -> Head:
        """Return the head of a block. Raises SpoiltBlock."""
        query = "select digest, head from heads where segment = ? and begin = ?"
        for digest, data in self._database.execute(query, (segment, begin)).fetchall():
            if not isinstance(data, bytes) or digest_of(data) != digest:
                break
            try:
                head = _decoder.decode(data)
            except msgspec.MsgspecError as error:
                raise SpoiltBlock(str(error)) from None
            if (head.segment, head.begin) == (segment, begin):
                return head
        raise SpoiltBlock("its head is not what was written")

    def part(self, head: Head, name: str) -> bytes:
        """Return a part of a block. Raises SpoiltBlock."""
        query = "select data from parts where segment = ? and begin = ? and name = ?"
        for (data,) in self._database.execute(query, (head.segment, head.begin, name)).fetchall():
            if isinstance(data, bytes) and digest_of(data) == head.parts.get(name):
                return data
        raise SpoiltBlock(f"its part {name} is not what was written")

    def add(self, head: Head, parts: Mapping[str, bytes]) -> None:
        """Keep a block, all or nothing."""
        data = msgspec.json.encode(head)
        self._database.execute("begin immediate")
        try:
            self._delete(head.segment, head.begin)
            self._database.execute(
                "insert into heads values (?, ?, ?, ?, ?)", (head.segment, head.begin, head.end, digest_of(data), data)
            )
            self._database.executemany(
                "insert into parts values (?, ?, ?, ?)",
                ((head.segment, head.begin, name, one) for name, one in parts.items()),
            )
            self._database.execute("commit")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("rollback")
            raise

    def drop(self, segment: int, begin: int) -> None:
        """Delete a block."""
        self._delete(segment, begin)

    def _delete(self, segment: int, begin: int) -> None:
        for table in ("heads", "parts"):
            self._database.execute(f"delete from {table} where segment = ? and begin = ?", (segment, begin))  # noqa: S608

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    @staticmethod
    def is_spoilt(error: Exception) -> bool:
        """Whether a file is of no use: damaged, or without what it should have."""
        return isinstance(error, StaleFacets) or getattr(error, "sqlite_errorcode", None) in _SPOILT

    @staticmethod
    def remove(path: Path) -> None:
        """Delete a file and its journals. Raises OSError."""
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
