"""How a personal value is kept: a salted commitment for the log, and the value sealed for whoever keeps it.

A commitment is the SHA-256 of the salt's 16 bytes and the value's JSON text. Value and salt are sealed with AES-GCM
under a key of their subject, with the commitment as what they are bound to.
"""

from __future__ import annotations

import hashlib
import secrets

import msgspec

_SALT_BYTES = 16
_NONCE_BYTES = 12
_KEY_BYTES = 32

canonical = msgspec.json.Encoder(order="deterministic", decimal_format="string").encode
"""Return a value's JSON text, the same for all that are equal. Raises TypeError where it has none."""


def new_key() -> bytes:
    """Return a new key of a subject."""
    return secrets.token_bytes(_KEY_BYTES)


def seal(key: bytes, text: bytes) -> tuple[str, bytes]:
    """Return the commitment of a value, `sha256:<64 hex>`, and the value sealed. text: its canonical JSON."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
    commitment = _committed(salt, text)
    return commitment, nonce + AESGCM(key).encrypt(nonce, salt + text, commitment.encode())


def unsealed(key: bytes, commitment: str, sealed: bytes) -> bytes | None:
    """Return a value's text; None where it was changed, or sealed under another key."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        data = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], commitment.encode())
    except (InvalidTag, ValueError):  # ValueError: of a length that nothing sealed has
        return None
    salt, text = data[:_SALT_BYTES], data[_SALT_BYTES:]
    return text if _committed(salt, text) == commitment else None


def _committed(salt: bytes, text: bytes) -> str:
    return "sha256:" + hashlib.sha256(salt + text).hexdigest()
