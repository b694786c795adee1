"""Keys: those that sign checkpoints, Ed25519 in PEM form as openssl writes it, and those that prove every record."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from pathlib import Path

from adjudge.audit.disk import sync_directory
from adjudge.audit.verify import key_id, mac_key_of, opened, read_mac_key
from adjudge.errors import AuditUnavailable
from adjudge.frozen import frozen

_KEY_MAX = 64 * 1024


class Mac:
    """A key of 32 bytes that proves records: only who has it can make the `mac` that each of them carries."""

    __slots__ = ("_hmac",)

    def __init__(self, key: bytes) -> None:
        self._hmac = hmac.new(key, digestmod=hashlib.sha256)

    def of(self, data: bytes) -> bytes:
        """Return the mac of a record's bytes, in lower-case hex."""
        mac = self._hmac.copy()
        mac.update(data)
        return mac.hexdigest().encode()


@frozen(kw_only=True)
class Signer:
    """A private key. key_id: what checkpoints name it by; sign: returns the 64 bytes of a signature.

    mac_key: derived from it, for records.
    """

    key_id: str
    public: bytes
    mac_key: bytes
    sign: Callable[[bytes], bytes]


def read_signer(text: bytes, where: str) -> Signer:
    """Take a private key in PEM form. Raises AuditUnavailable, which says nothing of the key but where it came from."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError):
        raise AuditUnavailable(f"{where}: holds no private key in PEM form that opens without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise AuditUnavailable(f"{where}: holds another kind of key; `adjudge audit keygen` makes an Ed25519 key")
    public = key.public_key().public_bytes_raw()
    return Signer(key_id=key_id(public), public=public, mac_key=mac_key_of(key.private_bytes_raw()), sign=key.sign)


def signer_from_file(path: Path) -> Signer:
    """Read a private key that only its owner may read. Raises AuditUnavailable."""
    return read_signer(secret_from_file(path), str(path))


def signer_from_environment(name: str) -> Signer:
    """Read a private key from a variable of the environment. Raises AuditUnavailable."""
    return read_signer(secret_from_environment(name), f"${name}")


def mac_key_from_file(path: Path) -> bytes:
    """Read a key of macs, 64 hex digits, that only its owner may read. Raises AuditUnavailable."""
    return _mac_key(secret_from_file(path), str(path))


def mac_key_from_environment(name: str) -> bytes:
    """Read a key of macs, 64 hex digits, from a variable of the environment. Raises AuditUnavailable."""
    return _mac_key(secret_from_environment(name), f"${name}")


def _mac_key(text: bytes, where: str) -> bytes:
    try:
        return read_mac_key(text.decode())
    except ValueError:
        raise AuditUnavailable(f"{where}: holds no key of 64 hex digits; `openssl rand -hex 32` makes one") from None


def secret_from_file(path: Path) -> bytes:
    """Read a secret that only its owner may read; or, where that is somebody else, as of a volume, also its group.

    Raises AuditUnavailable.
    """
    try:
        with opened(path) as file:
            found = os.fstat(file.fileno())
            if found.st_mode & (0o077 if found.st_uid == os.geteuid() else 0o037):
                raise AuditUnavailable(f"{path}: others may read this key; `chmod 600` it")
            return file.read(_KEY_MAX)
    except OSError as error:
        raise AuditUnavailable(f"{path}: {(error.strerror or str(error)).lower()}") from error


def secret_from_environment(name: str) -> bytes:
    """Read a secret from a variable of the environment. Raises AuditUnavailable."""
    if not os.environ.get(name):
        raise AuditUnavailable(f"the environment variable {name}, a key of the audit log, is not set")
    return os.environb[name.encode()]


def generate(path: Path) -> Signer:
    """Make a key: the private one in a new file, the public one beside it in `….pub`. Raises AuditUnavailable."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        _write_new(path, private, 0o600)
        _write_new(path.with_name(f"{path.name}.pub"), public, 0o644)
        sync_directory(path.parent)
    except FileExistsError as error:
        raise AuditUnavailable(f"{error.filename}: already exists; a key is never overwritten") from None
    except OSError as error:
        raise AuditUnavailable(f"{path}: {(error.strerror or str(error)).lower()}") from error
    return read_signer(private, str(path))


def _write_new(path: Path, data: bytes, mode: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(file, "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(file)
