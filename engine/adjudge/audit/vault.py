"""Personal inputs, beside the audit log: the log holds a salted commitment, the vault the value and its salt.

Without salt and value a commitment says nothing about either, and with them anybody can check it: it is the SHA-256
of the salt's 16 bytes and the value's JSON text. Deleting both here therefore erases a value and leaves the chain
whole.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import threading
from pathlib import Path
from types import TracebackType

import msgspec

from adjudge.audit.disk import sync_directory
from adjudge.errors import AuditUnavailable

_SALT_BYTES = 16
_SHAPE = """
create table if not exists personal (
    commitment text primary key,
    subject text not null,
    name text not null,
    value blob not null,
    salt blob not null
) strict, without rowid;
create index if not exists personal_subject on personal (subject, name, value);
"""

_canonical = msgspec.json.Encoder(order="deterministic", decimal_format="string")


class Vault:
    """The vault of one log; any number of threads may share it. Its file is made with the first value."""

    def __init__(self, path: Path) -> None:
        """Use `Vault.open`."""
        self.path = path
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._is_closed = False

    @classmethod
    def open(cls, directory: Path | str) -> Vault:
        """Take the vault of a log's directory. Touches no file: a log without personal inputs has no vault."""
        return cls(Path(directory) / "vault.sqlite")

    def commit(self, subject: str, name: str, value: object) -> str:
        """Keep a value and return its commitment `sha256:<64 hex>`; both are on disk when this returns.

        subject: whose value it is, and what an erasure will name. The same value of the same subject and name keeps
        its commitment; two subjects never share one.
        Blocks for a sync where the value is new. Raises AuditUnavailable; TypeError where it has no JSON form.
        """
        text = _canonical.encode(value)
        try:
            with self._lock, self._connect() as database:
                row = database.execute(
                    "select commitment from personal where subject = ? and name = ? and value = ?",
                    (subject, name, text),
                ).fetchone()
                if row is not None:
                    return str(row[0])
                salt = secrets.token_bytes(_SALT_BYTES)
                commitment = "sha256:" + hashlib.sha256(salt + text).hexdigest()
                database.execute("insert into personal values (?, ?, ?, ?, ?)", (commitment, subject, name, text, salt))
                return commitment
        except (OSError, sqlite3.Error) as error:
            raise AuditUnavailable(f"{self.path}: {error}") from error

    def reveal(self, commitment: str) -> object:
        """Return the value of a commitment as its JSON reads, or None where the vault does not hold it (any more).

        Raises AuditUnavailable where the vault cannot be read, or holds something else under this commitment.
        """
        try:
            with self._lock:
                if self._database is None and not self.path.exists():
                    return None
                row = (
                    self._connect()
                    .execute("select value, salt from personal where commitment = ?", (commitment,))
                    .fetchone()
                )
        except (OSError, sqlite3.Error) as error:
            raise AuditUnavailable(f"{self.path}: {error}") from error
        if row is None:
            return None
        text, salt = row
        if "sha256:" + hashlib.sha256(salt + text).hexdigest() != commitment:
            raise AuditUnavailable(f"{self.path}: the value of {commitment} was changed")
        return msgspec.json.decode(text)

    def close(self) -> None:
        """Let the file go. Using the vault afterwards raises AuditUnavailable."""
        with self._lock:
            self._is_closed = True
            if self._database is not None:
                self._database.close()
                self._database = None

    def __enter__(self) -> Vault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self) -> sqlite3.Connection:
        if self._is_closed:
            raise AuditUnavailable(f"{self.path}: the vault is closed")
        if self._database is None:
            # SQLite would make the file readable by everybody; its journals take over the file's permissions
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            sync_directory(self.path.parent)
            database = sqlite3.connect(self.path, timeout=5, check_same_thread=False)
            try:
                # an erased value must not linger in free pages; a commit is on disk before the log names it
                database.executescript(
                    "pragma secure_delete = on; pragma journal_mode = wal; pragma synchronous = full"
                )
                database.executescript(_SHAPE)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database
