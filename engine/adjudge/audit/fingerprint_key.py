"""The secret behind fingerprints: beside the log, made at first use, or where the configuration says.

Checkpoints hold a digest of it, so that another key is refused when a log is opened: with that, every retry would be a
conflict.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from adjudge.audit.signing import secret_from_environment, secret_from_file
from adjudge.audit.verify import opened
from adjudge.errors import AuditUnavailable

FILE = "fingerprint.key"
_BYTES = 32
"""Bytes of a key that is made; one that is given has as many or more."""


def digest_of(key: bytes) -> str:
    """Return what tells a key from others, and tells nothing of it: 16 hex digits."""
    return hashlib.sha256(b"adjudge fingerprints " + key).hexdigest()[:16]


def key_beside(directory: Path, *, has_records: bool) -> bytes:
    """Return the key in a log's folder, which is made for a log without records. Raises AuditUnavailable."""
    path = directory / FILE
    if has_records and not path.exists():
        raise AuditUnavailable(
            f"{path}: is missing beside a log with records; restore it from a copy. Without it every repeated"
            " MerchantBizId would look like another request"
        )
    try:
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            with opened(path) as existing:
                key = existing.read(_BYTES + 1)
            if len(key) != _BYTES:
                raise AuditUnavailable(f"{path}: is not a key of {_BYTES} bytes; restore it from a copy") from None
            return key
        key = secrets.token_bytes(_BYTES)
        with os.fdopen(file, "wb") as made:
            made.write(key)
            made.flush()
            os.fsync(made.fileno())
    except OSError as error:
        raise AuditUnavailable(f"{path}: {(error.strerror or str(error)).lower()}") from error
    return key


def key_from(file: Path | None, variable: str | None) -> bytes | None:
    """Return the key in a file that only its owner may read, or in a variable of the environment; None without either.

    A file of 32 bytes is the key as it is; of anything else the blanks around it do not count.
    Raises AuditUnavailable.
    """
    if file is not None:
        where, said = str(file), secret_from_file(file)
    elif variable is not None:
        where, said = f"${variable}", secret_from_environment(variable)
    else:
        return None
    key = said if len(said) == _BYTES else said.strip()
    if len(key) < _BYTES:
        way = "`openssl rand -hex 32` makes one"
        raise AuditUnavailable(f"{where}: has {len(key)} bytes, where a key has {_BYTES} at the least; {way}")
    return key
