"""Keys that sign checkpoints: Ed25519, private ones in PEM form as `openssl genpkey -algorithm ed25519` writes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from adjudge.audit.disk import sync_directory
from adjudge.audit.verify import key_id
from adjudge.errors import AuditUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A private key. key_id: what checkpoints name it by; sign: returns the 64 bytes of a signature."""

    key_id: str
    public: bytes
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
    return Signer(key_id=key_id(public), public=public, sign=key.sign)


def signer_from_file(path: Path) -> Signer:
    """Read a private key that only its owner may read. Raises AuditUnavailable."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise AuditUnavailable(f"{path}: others may read this key; `chmod 600` it")
            return read_signer(file.read(), str(path))
    except OSError as error:
        raise AuditUnavailable(f"{path}: {(error.strerror or str(error)).lower()}") from error


def signer_from_environment(name: str) -> Signer:
    """Read a private key from a variable of the environment. Raises AuditUnavailable."""
    if not os.environ.get(name):
        raise AuditUnavailable(f"the environment holds no {name}, the key that signs the audit log")
    return read_signer(os.environ[name].encode(), f"${name}")


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
        raise AuditUnavailable(f"{error.filename}: is there already; a key is never overwritten") from None
    except OSError as error:
        raise AuditUnavailable(f"{path}: {(error.strerror or str(error)).lower()}") from error
    return read_signer(private, str(path))


def _write_new(path: Path, data: bytes, mode: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(file, "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(file)
