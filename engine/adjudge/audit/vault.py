"""Personal inputs, beside the audit log: the log holds a salted commitment, the vault the value and its salt.

Without salt and value a commitment says nothing about either, and with them anybody can check it: it is the SHA-256
of the salt's 16 bytes and the value's JSON text. Deleting both here therefore erases a value and leaves the chain
whole.

Both are sealed with AES-GCM under a key of their subject. The keys lie in a file of their own: without it, a copy of
the vault says nothing, and once a subject's key is gone, neither does any older copy of what it sealed. The files do
not commit together: a key is on the disk before anything that it seals. A crash in between leaves a key without a
value, which the subject's next value takes up.

What the vault lacks is unknown, whatever took it away: an erasure, a restored copy, a lost file. It is never an error.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal

import msgspec

from adjudge.audit.alike import is_held
from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.seals import canonical, new_key, seal, unsealed
from adjudge.audit.vault_files import Reader, open_to_write
from adjudge.audit.verify import LogPath, folder_of
from adjudge.errors import AuditUnavailable
from adjudge.plugin import KeptValues

VAULT, KEYS = "vault.sqlite", "vault-keys.sqlite"

Standing = Literal["held", "absent", "unreadable"]
"""Whether a value can be had; `unreadable`: it was changed, or sealed under another key than its subject's."""

Value = tuple[str, str, bytes]
"""A value to keep: its subject, its name, and its canonical JSON."""
Row = tuple[str, str, str, bytes]


class Vault:
    """The vault of one log; any number of threads may share it. Its files are made with the first value.

    Until then they are only read, and nothing is written anywhere.
    """

    def __init__(self, path: Path) -> None:
        """Use `Vault.open`."""
        self.path = path
        self._keys = path.with_name(KEYS)
        self._lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._reader: Reader | None = None
        self._is_closed = False

    @classmethod
    def open(cls, directory: Path | str) -> Vault:
        """Take the vault of a log's directory. Touches no file: a log without personal inputs has no vault."""
        return cls(Path(directory) / VAULT)

    @classmethod
    def of(cls, log: AnyLog) -> KeptValues:
        """Take the vault of a log, of which one file may be given; it is only read."""
        if not isinstance(log, LogPath):
            return log.values()
        folder = folder_of(log)
        return cls.open(folder if folder.is_dir() else folder.parent)

    def commit(self, subject: str, name: str, value: object) -> str:
        """Keep one value; as `commit_all`. Raises TypeError where it has no JSON form."""
        return self.commit_all([(subject, name, canonical(value))])[0]

    def commit_all(self, values: Sequence[Value]) -> list[str]:
        """Keep values, as (subject, name, canonical JSON), and return their commitments `sha256:<64 hex>` in order.

        subject: whose value it is, and what an erasure will name. The same value of the same subject and name keeps
        its commitment; two subjects never share one.
        All are on the disk when this returns; blocks for a sync where one is new, for two where a subject is.
        Raises AuditUnavailable, and then none is kept.
        """
        with self._writing() as database:
            keys, known = _keys_of(database, dict.fromkeys(subject for subject, _, _ in values))
            kept = {key: _known(database, keys[key[0]], *key) for key in dict.fromkeys(values) if key[0] in known}
            made = [_made(keys[key[0]], *key) for key in dict.fromkeys(values) if kept.get(key) is None]
            with _transaction(database):
                database.executemany("insert into personal values (?, ?, ?, ?)", [row for _, row in made])
            kept |= {key: row[0] for key, row in made}
            return [str(kept[key]) for key in values]

    def reveal(self, commitment: str) -> object:
        """Return the value of a commitment as its JSON reads, or None where the vault lacks it.

        Raises AuditUnavailable where the vault cannot be read.
        """
        text = self._text(commitment)
        return msgspec.json.decode(text) if isinstance(text, bytes) else None

    def standing(self, commitment: str) -> Standing:
        """Return whether the value of a commitment can be had. Raises AuditUnavailable."""
        text = self._text(commitment)
        return "held" if isinstance(text, bytes) else text

    def is_filed(self, commitment: str, subject: str, name: str) -> bool:
        """Whether a value stands where an erasure of its subject, or of its name, finds it. Raises AuditUnavailable."""
        wanted = "select 1 from personal where commitment = ? and subject = ? and name = ?"
        with self._reading() as database:
            return database.execute(wanted, (commitment, subject, name)).fetchone() is not None

    def names(self, subject: str) -> tuple[str, ...]:
        """Return the names of the values that the vault holds of a subject, one for each value, in order.

        Raises AuditUnavailable.
        """
        with self._reading() as database:
            rows = database.execute("select name from personal where subject = ? order by name", (subject,))
            return tuple(str(name) for (name,) in rows)

    def has_key(self, subject: str) -> bool:
        """Whether the vault holds a key of a subject, be there a value or not. Raises AuditUnavailable."""
        with self._reading() as database:
            return database.execute("select 1 from keys where subject = ?", (subject,)).fetchone() is not None

    def subjects(self, name: str, value: object) -> tuple[str, ...]:
        """Return the subjects of which the vault holds a value under a name; opens every value of that name.

        However it was written, as `is_held` says; an item of a list or a map is enough. Raises AuditUnavailable.
        """
        wanted = "select subject, commitment, sealed, key from personal join keys using (subject) where name = ?"
        found = set()
        with self._reading() as database:
            for subject, commitment, sealed, key in database.execute(wanted, (name,)):
                text = unsealed(key, commitment, sealed)
                if text is not None and is_held(msgspec.json.decode(text), value):
                    found.add(str(subject))
        return tuple(sorted(found))

    def erase(self, subject: str) -> int:
        """Delete all values of a subject, and the key that sealed them, for good; return how many values there were.

        What is in use elsewhere is waited for, five seconds. Raises AuditUnavailable; what was deleted up to then
        stays so, and erasing again does the rest.
        """
        if not self.path.exists() and not self._keys.exists():
            return 0
        with self._writing() as database:
            with _transaction(database):
                database.execute("delete from keys where subject = ?", (subject,))
            with _transaction(database):
                count = database.execute("delete from personal where subject = ?", (subject,)).rowcount
            for schema in ("main", "keys"):  # what the journals still hold of it
                (busy, _, _) = database.execute(f"pragma {schema}.wal_checkpoint(truncate)").fetchone()
                if busy:
                    message = (
                        f"{self.path}: erased, but another program reads the old pages of its journal; erase again"
                    )
                    raise AuditUnavailable(message)
            return count

    def close(self) -> None:
        """Let the files go. Using the vault afterwards raises AuditUnavailable."""
        with self._lock:
            self._is_closed = True
            if self._writer is not None:
                self._writer.close()
            if self._reader is not None:
                self._reader.database.close()
            self._writer = self._reader = None

    def __enter__(self) -> Vault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _text(self, commitment: str) -> bytes | Literal["absent", "unreadable"]:
        wanted = "select sealed, key from personal left join keys using (subject) where commitment = ?"
        with self._reading() as database:
            row = database.execute(wanted, (commitment,)).fetchone()
        if row is None:
            return "absent"
        sealed, key = row
        return (unsealed(key, commitment, sealed) if key is not None else None) or "unreadable"

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._told(), self._lock:
            self._check_open()
            if self._writer is not None:
                yield self._writer
                return
            if self._reader is not None and not self._reader.is_current:
                self._reader.database.close()
                self._reader = None
            self._reader = self._reader or Reader.open(self.path, self._keys)
            yield self._reader.database

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._told(), self._lock:
            self._check_open()
            if self._writer is None:
                if self.path.exists() and not self._keys.exists():
                    said = "is missing beside a vault; restore it, or put the vault away too"
                    raise AuditUnavailable(f"{self._keys}: {said}")
                self._writer = open_to_write(self.path, self._keys)
                if self._reader is not None:
                    self._reader.database.close()
                    self._reader = None
            yield self._writer

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise AuditUnavailable(f"{self.path}: {error}") from error

    def _check_open(self) -> None:
        if self._is_closed:
            raise AuditUnavailable(f"{self.path}: the vault is closed")


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("begin immediate")
    try:
        yield
        database.execute("commit")
    except BaseException:
        if database.in_transaction:
            database.execute("rollback")
        raise


def _keys_of(database: sqlite3.Connection, subjects: Iterable[str]) -> tuple[dict[str, bytes], set[str]]:
    """Return the keys of subjects, and who had one before; new ones are on the disk, before anything is sealed."""
    wanted = "select key from keys where subject = ?"
    found = {subject: database.execute(wanted, (subject,)).fetchone() for subject in subjects}
    keys = {subject: bytes(row[0]) for subject, row in found.items() if row is not None}
    known = set(keys)
    made = [(subject, new_key()) for subject in found if subject not in known]
    if made:
        with _transaction(database):
            database.executemany("insert into keys values (?, ?)", made)
    return keys | dict(made), known


def _known(database: sqlite3.Connection, key: bytes, subject: str, name: str, text: bytes) -> str | None:
    """Return the commitment that a value already has."""
    wanted = "select commitment, sealed from personal where subject = ? and name = ?"
    for commitment, sealed in database.execute(wanted, (subject, name)):
        if unsealed(key, commitment, sealed) == text:  # one that its key does not open is none of these
            return str(commitment)
    return None


def _made(key: bytes, subject: str, name: str, text: bytes) -> tuple[Value, Row]:
    """Return a value with the row that keeps it."""
    commitment, sealed = seal(key, text)
    return (subject, name, text), (commitment, subject, name, sealed)
