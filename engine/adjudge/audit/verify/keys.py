"""Keys as files have them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re


def mac_key_of(private: bytes) -> bytes:
    """Derive the key of macs from the 32 bytes of a private key: HKDF-SHA-256 (RFC 5869) without salt."""
    return hmac.digest(hmac.digest(bytes(32), private, "sha256"), b"adjudge audit mac\x01", "sha256")


def read_mac_key(text: str) -> bytes:
    """Return the key of macs from 64 hex digits, or from the private key that signs, in PEM. Raises ValueError."""
    found = re.search(r"-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----", text)
    if found is not None:
        data = base64.b64decode("".join(found[1].split()), validate=True)
        if len(data) == 48 and data[:16] == _PRIVATE:
            return mac_key_of(data[16:])
    elif re.fullmatch("[0-9a-fA-F]{64}", text.strip()):
        return bytes.fromhex(text.strip())
    raise ValueError("holds neither 64 hex digits nor an Ed25519 private key in PEM form")


def key_id(public: bytes) -> str:
    """Return the id of a public key of 32 bytes."""
    return hashlib.sha256(public).hexdigest()[:16]


def read_keys(text: str) -> list[bytes]:
    """Return the Ed25519 public keys in a PEM text. Raises ValueError where there is none, or another kind of key."""
    blocks = re.findall(r"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----", text)
    keys = [base64.b64decode("".join(block.split()), validate=True) for block in blocks]
    if not keys or any(len(key) != 44 or key[:12] != _PUBLIC for key in keys):
        raise ValueError("holds no Ed25519 public key in PEM form")
    return [key[12:] for key in keys]


_PUBLIC = bytes.fromhex("302a300506032b6570032100")
_PRIVATE = bytes.fromhex("302e020100300506032b657004220420")
