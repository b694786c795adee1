"""The vault's two SQLite files: opened to be written, or read without writing anything anywhere.

Both are in WAL mode, whose ordinary readers write too: they make `-shm` and `-wal` files, and fail where they may not.
So a reader takes of each file what fits:

- no `-wal`, or nothing in it: nobody writes, and the file is all there is. It is read as immutable until it is seen
  to change.
- a `-wal` and its `-shm`: somebody may be writing, and is read beside.
- a `-wal` alone, as a copy leaves it, or beside a `-shm` that cannot be used: both are put together in memory.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from struct import unpack, unpack_from
from urllib.parse import quote

from adjudge.audit.disk import sync_directory
from adjudge.system.files import FileState

_BUSY_S = 5.0
_TABLES = {
    "personal": """
create table if not exists {schema}.personal (
    commitment text primary key,
    subject text not null,
    name text not null,
    sealed blob not null
) strict, without rowid;
create index if not exists {schema}.personal_subject on personal (subject, name);
""",
    "keys": """
create table if not exists {schema}.keys (subject text primary key, key blob not null) strict, without rowid;
""",
}
_TRIES = 5
_WAL_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
_WAL_HEADER, _FRAME_HEADER = 32, 24

Stamp = tuple[FileState | None, ...]
"""What tells one state of a file and its `-wal` from another."""


def open_to_write(values: Path, keys: Path) -> sqlite3.Connection:
    """Open both files, made if needed, for their owner alone; the keys' is the schema `keys`.

    A commit to either is on the disk when it returns. Raises OSError and sqlite3.Error.
    """
    for path in (keys, values):
        # SQLite would make the file readable by everybody; its journals take over the file's permissions
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_mode & 0o077:  # a copy that was put back may have come with any
                with suppress(PermissionError):
                    os.fchmod(file, 0o600)
        finally:
            os.close(file)
    sync_directory(values.parent)
    database = _connected(_address(values, "mode=rw"))
    try:
        database.execute("attach ? as keys", (_address(keys, "mode=rw"),))
        # an erased value must not linger in free pages
        for schema, table in (("main", "personal"), ("keys", "keys")):
            for setting in ("secure_delete = on", "journal_mode = wal", "synchronous = full"):
                database.execute(f"pragma {schema}.{setting}").fetchall()
            database.executescript(_TABLES[table].format(schema=schema))
    except BaseException:
        database.close()
        raise
    return database


@dataclass(slots=True)
class Reader:
    """Both files as they were found. One that is not there, or holds nothing yet, is read as an empty one."""

    database: sqlite3.Connection
    _stamps: dict[Path, Stamp]

    @classmethod
    def open(cls, values: Path, keys: Path) -> Reader:
        """Open both. Raises OSError and sqlite3.Error."""
        reader = cls(_connected(":memory:"), {})
        try:
            reader._attach(values, "held", "personal")
            reader._attach(keys, "keys", "keys")
        except BaseException:
            reader.database.close()
            raise
        return reader

    @property
    def is_current(self) -> bool:
        """Whether the files are as they were; else open them again. Raises OSError."""
        return all(_stamp(path) == stamp for path, stamp in self._stamps.items())

    def _attach(self, path: Path, schema: str, table: str) -> None:
        for _ in range(_TRIES):
            stamp = self._stamps[path] = _stamp(path)
            file, wal = stamp
            if wal is None or not wal.size:
                address = _address(path, "immutable=1") if file is not None and file.size else ":memory:"
                self.database.execute(f"attach ? as {schema}", (address,))
                break
            if self._attached_beside_writer(path, schema):
                del self._stamps[path]  # SQLite itself sees to it that it reads what is there
                break
            data = _put_together(path)
            if _stamp(path) == stamp:
                self.database.execute(f"attach ':memory:' as {schema}")
                self.database.deserialize(data, name=schema)
                break
        else:
            raise sqlite3.OperationalError("it changes all the time, and cannot be read beside its writer")
        exists = f"select 1 from {schema}.sqlite_master where name = ?"  # noqa: S608  # one of our own two schemas
        if not self.database.execute(exists, (table,)).fetchone():
            self.database.execute(f"detach {schema}")
            self.database.execute(f"attach ':memory:' as {schema}")
            self.database.executescript(_TABLES[table].format(schema=schema))

    def _attached_beside_writer(self, path: Path, schema: str) -> bool:
        if not _beside(path, "-shm").exists():
            return False
        try:
            self.database.execute(f"attach ? as {schema}", (_address(path, "mode=ro"),))
        except sqlite3.OperationalError:
            return False
        try:
            self.database.execute(f"select 1 from {schema}.sqlite_master").fetchone()  # noqa: S608  # one of our own two schemas
        except sqlite3.OperationalError:
            self.database.execute(f"detach {schema}")
            return False
        return True


def _connected(address: str) -> sqlite3.Connection:
    return sqlite3.connect(address, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, uri=True)


def _address(path: Path, how: str) -> str:
    """Return a file as SQLite is told of it: in its own bytes, which need not be UTF-8."""
    return f"file:{quote(os.fsencode(path.absolute()))}?{how}"


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _stamp(path: Path) -> Stamp:
    return _state(path), _state(_beside(path, "-wal"))


def _state(path: Path) -> FileState | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return FileState.of(found)


def _put_together(path: Path) -> bytes:
    """Return a database with what is committed in its `-wal`. The form of both stands in sqlite.org/fileformat.html."""
    data, wal = bytearray(path.read_bytes()), _beside(path, "-wal").read_bytes()
    pages: dict[int, bytes] = {}
    for number, page, pages_then in _frames(wal):
        pages[number] = page
        if pages_then:  # the last frame of a transaction
            for at, one in pages.items():
                end = at * len(one)
                data.extend(bytes(max(0, end - len(data))))
                data[end - len(one) : end] = one
            pages.clear()
            del data[pages_then * len(page) :]
    if len(data) > 19:
        data[18:20] = b"\1\1"  # no longer in WAL mode, which a database in memory cannot be
    return bytes(data)


def _frames(wal: bytes) -> list[tuple[int, bytes, int]]:
    """Return the frames of a `-wal` that its checksums vouch for: page number, page, pages of the database if last."""
    if len(wal) < _WAL_HEADER:
        return []
    magic, _, size, _, salt, salt_too, *sums = unpack(">8I", wal[:_WAL_HEADER])
    order = _WAL_MAGIC.get(magic)
    if order is None or _checksum(order, wal[: _WAL_HEADER - 8], 0, 0) != tuple(sums):
        return []
    found, before = [], (sums[0], sums[1])
    for at in range(_WAL_HEADER, len(wal) - _FRAME_HEADER - size + 1, _FRAME_HEADER + size):
        number, pages_then, *salts, first, second = unpack_from(">6I", wal, at)
        page = wal[at + _FRAME_HEADER : at + _FRAME_HEADER + size]
        before = _checksum(order, page, *_checksum(order, wal[at : at + 8], *before))
        if salts != [salt, salt_too] or before != (first, second):
            break  # of an earlier round, or torn
        found.append((number, page, pages_then))
    return found


def _checksum(order: str, data: bytes, first: int, second: int) -> tuple[int, int]:
    words = iter(unpack(f"{order}{len(data) // 4}I", data))
    for word in words:
        first = (first + word + second) & 0xFFFFFFFF
        second = (second + next(words) + first) & 0xFFFFFFFF
    return first, second
