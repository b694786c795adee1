"""The public keys of an issuer (JWKS, RFC 7517): those that can verify what is taken here, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key
from joserfc.util import base64_to_int

from adjudge.config.jwt import ALGORITHMS, Algorithm
from adjudge.errors import JsonError, SetupError
from adjudge.frozen import frozen
from adjudge.values.json_reader import read_json

SET_MAX_BYTES = 256 * 1024
KEYS_MAX = 100
KID_MAX = 256
RSA_BITS = (2048, 8192)
"""Fewer can be broken, and more take long to reckon with."""
_SECRET = frozenset({"d", "k", "p", "q", "dp", "dq", "qi", "oth"})


@frozen
class PublicKey:
    """A key that verifies tokens. kid: its name in the set, if any. algorithm: what it is for, if it says so."""

    key: Key
    kid: str | None
    algorithm: str | None

    def fits(self, algorithm: Algorithm) -> bool:
        """Whether tokens of an algorithm are verified with it."""
        kind, curve = ALGORITHMS[algorithm]
        if self.algorithm not in (None, algorithm) and {self.algorithm, algorithm} != {"EdDSA", "Ed25519"}:
            return False
        return self.key.key_type == kind and (curve is None or getattr(self.key, "curve_name", None) == curve)


@frozen
class KeySet:
    """The keys of an issuer that are of use."""

    keys: tuple[PublicKey, ...] = ()

    def find(self, kid: str | None, algorithm: Algorithm) -> PublicKey | None:
        """Return the one key for a token; None where there is none, or more than one."""
        found = [one for one in self.keys if one.fits(algorithm) and kid in (None, one.kid)]
        return found[0] if len(found) == 1 else None


def read_key_set_file(path: Path) -> KeySet:
    """Read a set of keys from a file. Raises SetupError."""
    try:
        with path.open("rb") as file:
            data = file.read(SET_MAX_BYTES + 1)
    except OSError as error:
        raise SetupError(f"cannot read `{path}`: {(error.strerror or str(error)).lower()}") from None
    return read_key_set(data)


def read_key_set(data: bytes) -> KeySet:
    """Read a set of keys, leaving out those that are of no use here. Raises SetupError where none is left."""
    try:
        said = read_json(data, max_bytes=SET_MAX_BYTES)
    except JsonError as error:
        raise SetupError(f"a set of keys {error.message}") from None
    listed = said.get("keys") if isinstance(said, dict) else None
    if not isinstance(listed, list) or len(listed) > KEYS_MAX:
        raise SetupError(f"a set of keys must be an object with `keys`, a list of at most {KEYS_MAX}")
    keys = tuple(_of_use(listed))
    if not keys:
        raise SetupError("a set of keys must hold a public key: RSA of 2048 to 8192 bits, EC or Ed25519")
    return KeySet(keys)


def _of_use(listed: list[object]) -> Iterator[PublicKey]:
    for one in listed:
        if not isinstance(one, dict) or not _is_to_verify(one):
            continue
        kid, algorithm = one.get("kid"), one.get("alg")
        if not (kid is None or (isinstance(kid, str) and 0 < len(kid) <= KID_MAX)):
            continue
        if not (algorithm is None or (isinstance(algorithm, str) and algorithm in ALGORITHMS)):
            continue
        key = _imported({name: one[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in one})
        if key is not None:
            yield PublicKey(key, kid, algorithm)


def _is_to_verify(one: Mapping[str, Any]) -> bool:
    """Whether a key is public, and for signatures. One whose secret is published is everybody's."""
    operations = one.get("key_ops", ["verify"])
    return (
        not _SECRET & one.keys()
        and one.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
    )


def _imported(one: dict[str, Any]) -> Key | None:
    """Return a key of a size and kind that is taken; None for any other."""
    if any(not isinstance(part, str) or len(part) > RSA_BITS[1] // 4 for part in one.values()):
        return None
    try:
        if one["kty"] == "RSA" and not RSA_BITS[0] <= base64_to_int(one["n"]).bit_length() <= RSA_BITS[1]:
            return None
        return import_key(one)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
        return None
