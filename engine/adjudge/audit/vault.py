"""Personal inputs, beside the audit log: the log holds a salted commitment, the vault the value and its salt.

Without salt and value a commitment says nothing about either, and with them anybody can check it: it is the SHA-256
of the salt's 16 bytes and the value's JSON text. Deleting both here therefore erases a value and leaves the chain
whole.

Both are sealed with AES-GCM under a key of their subject. The keys lie in a file of their own: without it, a copy of
the vault says nothing, and once a subject's key is gone, neither does any older copy of what it sealed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType

import msgspec

from adjudge.audit.disk import sync_directory
from adjudge.errors import AuditUnavailable, EvaluationError
from adjudge.expr.values import parse_duration, parse_timestamp

VAULT, KEYS = "vault.sqlite", "vault-keys.sqlite"
_SALT_BYTES = 16
_NONCE_BYTES = 12
_SHAPE = """
create table if not exists personal (
    commitment text primary key,
    subject text not null,
    name text not null,
    sealed blob not null
) strict, without rowid;
create index if not exists personal_subject on personal (subject, name);
create table if not exists keys.keys (subject text primary key, key blob not null) strict, without rowid;
"""

_canonical = msgspec.json.Encoder(order="deterministic", decimal_format="string")


def _is_held(held: object, asked: object) -> bool:
    """Whether a value is another one, or has it inside."""
    if isinstance(held, list | dict):
        items = held.values() if isinstance(held, dict) else held
        return held == asked or any(_is_held(item, asked) for item in items)
    if isinstance(held, bool) or isinstance(asked, bool):
        return held is asked
    if isinstance(held, str) and isinstance(asked, str) and held != asked:
        return any(_is_same(held, asked, read) for read in (parse_timestamp, parse_duration))
    return held == asked


def _is_same(held: str, asked: str, read: Callable[[str], object]) -> bool:
    try:
        return read(held) == read(asked)
    except (EvaluationError, OverflowError):
        return False


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
        return cls(Path(directory) / VAULT)

    def commit(self, subject: str, name: str, value: object) -> str:
        """Keep a value and return its commitment `sha256:<64 hex>`; both are on disk when this returns.

        subject: whose value it is, and what an erasure will name. The same value of the same subject and name keeps
        its commitment; two subjects never share one.
        Blocks for a sync where the value is new. Raises AuditUnavailable; TypeError where it has no JSON form.
        """
        text = _canonical.encode(value)
        try:
            with self._lock, self._connect() as database:
                row = database.execute("select key from keys where subject = ?", (subject,)).fetchone()
                key = secrets.token_bytes(32) if row is None else bytes(row[0])
                if row is None:
                    database.execute("insert into keys values (?, ?)", (subject, key))
                known = "select commitment, sealed from personal where subject = ? and name = ?"
                for commitment, sealed in database.execute(known, (subject, name)):
                    if _opened(key, commitment, sealed)[1] == text:
                        return str(commitment)
                salt = secrets.token_bytes(_SALT_BYTES)
                commitment = _committed(salt, text)
                row = (commitment, subject, name, _sealed(key, commitment, salt + text))
                database.execute("insert into personal values (?, ?, ?, ?)", row)
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
                    .execute(
                        "select sealed, key from personal join keys using (subject) where commitment = ?", (commitment,)
                    )
                    .fetchone()
                )
        except (OSError, sqlite3.Error) as error:
            raise AuditUnavailable(f"{self.path}: {error}") from error
        if row is None:
            return None
        salt, text = _opened(row[1], commitment, row[0])
        if _committed(salt, text) != commitment:
            raise AuditUnavailable(f"{self.path}: the value of {commitment} was changed")
        return msgspec.json.decode(text)

    def names(self, subject: str) -> tuple[str, ...]:
        """Return the names of the values that the vault holds of a subject, one for each value, in order.

        Raises AuditUnavailable.
        """
        with self._reading() as database:
            rows = database.execute("select name from personal where subject = ? order by name", (subject,))
            return tuple(str(name) for (name,) in rows)

    def subjects(self, name: str, value: object) -> tuple[str, ...]:
        """Return the subjects of which the vault holds a value under a name; opens every value of that name.

        However it was written: 5 is 5.0, a time is the same in any zone, and an item of a list or a map is enough.
        Raises AuditUnavailable.
        """
        with self._reading() as database:
            rows = database.execute(
                "select subject, commitment, sealed, key from personal join keys using (subject) where name = ?",
                (name,),
            )
            found = ((subject, _opened(row[2], row[0], row[1])[1]) for subject, *row in rows)
            return tuple(sorted({subject for subject, text in found if _is_held(msgspec.json.decode(text), value)}))

    def erase(self, subject: str) -> int:
        """Delete all values of a subject, and the key that sealed them, for good; return how many values there were.

        What is in use elsewhere is waited for, five seconds. Raises AuditUnavailable; what was deleted up to then
        stays so, and erasing again does the rest.
        """
        with self._reading() as database:
            with database:
                database.execute("delete from keys where subject = ?", (subject,))
                count = database.execute("delete from personal where subject = ?", (subject,)).rowcount
            for schema in ("main", "keys"):  # what the journals still hold of it
                (busy, _, _) = database.execute(f"pragma {schema}.wal_checkpoint(truncate)").fetchone()
                if busy:
                    message = (
                        f"{self.path}: erased, but another program reads the old pages of its journal; erase again"
                    )
                    raise AuditUnavailable(message)
            return count

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                if self._database is None and not self.path.exists():
                    with closing(sqlite3.connect(":memory:")) as empty:
                        empty.executescript("attach ':memory:' as keys;" + _SHAPE)
                        yield empty
                else:
                    yield self._connect()
        except (OSError, sqlite3.Error) as error:
            raise AuditUnavailable(f"{self.path}: {error}") from error

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
            keys = self.path.with_name(KEYS)
            if self.path.exists() and not keys.exists():
                raise AuditUnavailable(f"{keys}: is missing beside a vault; restore it, or put the vault away too")
            for path in (keys, self.path):
                # SQLite would make the file readable by everybody; its journals take over the file's permissions
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            sync_directory(self.path.parent)
            database = sqlite3.connect(self.path, timeout=5, check_same_thread=False)
            try:
                database.execute("attach ? as keys", (str(keys),))
                # an erased value must not linger in free pages; a commit is on disk before the log names it
                for schema in ("main", "keys"):
                    for setting in ("secure_delete = on", "journal_mode = wal", "synchronous = full"):
                        database.execute(f"pragma {schema}.{setting}").fetchall()
                database.executescript(_SHAPE)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database


def _committed(salt: bytes, text: bytes) -> str:
    return "sha256:" + hashlib.sha256(salt + text).hexdigest()


def _sealed(key: bytes, commitment: str, data: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, commitment.encode())


def _opened(key: bytes, commitment: str, sealed: bytes) -> tuple[bytes, bytes]:
    """Return salt and text. Raises AuditUnavailable where either was changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        data = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], commitment.encode())
    except InvalidTag:
        raise AuditUnavailable(f"the vault's value of {commitment} was changed") from None
    return data[:_SALT_BYTES], data[_SALT_BYTES:]
