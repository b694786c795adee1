"""Bearer tokens (JWT, RFC 7519 and 8725): of one issuer, for this audience, signed by one of its keys, and for now."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from math import isfinite
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact

from adjudge.config.jwt import ALGORITHMS, Algorithm, JwtSettings
from adjudge.config.scopes import Scope
from adjudge.errors import JsonError
from adjudge.service.access.caller import Caller
from adjudge.service.access.key_set import KID_MAX, KeySet, PublicKey, read_key_set_file
from adjudge.service.access.key_url import KeysAtUrl
from adjudge.service.access.refusals import Unauthenticated
from adjudge.service.access.watched import Watched
from adjudge.system.given import is_number
from adjudge.values.json_reader import read_json

TYPES = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
SUBJECT_MAX = 200
SIGNED_MAX = 1000
"""Tokens whose signatures are known to be good, by digest."""
CALLER = "token:"
"""What the names of callers with a token begin with: no key has such a name."""
_UNREADABLE = (JoseError, JsonError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


class _Registry(JWSRegistry):
    """What a header may say, and how an algorithm is done. EdDSA is Ed25519 here, and nothing else."""

    max_header_length = 2048

    def get_alg(self, name: str):  # type: ignore[no-untyped-def]  # a model that joserfc keeps to itself
        return self.algorithms["Ed25519" if name == "EdDSA" else name]


_registry = _Registry(strict_check_header=False)


class Tokens:
    """Takes the tokens of one issuer."""

    def __init__(self, settings: JwtSettings, *, now: Callable[[], float] = time.time) -> None:
        """Read the keys, where they are in a file. now: seconds since 1970. Raises SetupError."""
        self._said, self._now = settings, now
        self._signed: OrderedDict[bytes, PublicKey] = OrderedDict()
        keys = settings.keys
        self._keys: KeysAtUrl | _KeysInFile = KeysAtUrl(keys) if isinstance(keys, str) else _KeysInFile(keys)

    @property
    def trouble(self) -> str:
        """What is wrong with the keys of the issuer now; empty where nothing is."""
        return self._keys.trouble

    async def caller_of(self, text: str) -> Caller:
        """Return whose token a text is. Raises Unauthenticated, and Overloaded where there are no keys now."""
        try:
            token = extract_compact(text.encode(), registry=_registry)
            header = token.headers()
            is_read = isinstance(header, dict)
        except _UNREADABLE:
            is_read = False
        if not is_read:
            raise Unauthenticated("token-malformed")
        algorithm, kid = self._checked(header)
        key = await self._keys.find(kid, algorithm)
        if key is None:
            raise Unauthenticated("token-key")
        if not self._is_signed(text, token, key):
            raise Unauthenticated("token-signature")
        try:
            claims = read_json(token.payload or b"")
        except JsonError:
            raise Unauthenticated("token-claims") from None
        if not isinstance(claims, dict):
            raise Unauthenticated("token-claims")
        return self._caller(claims)

    def _is_signed(self, text: str, token: CompactSignature, key: PublicKey) -> bool:
        """Whether a key signed a token: a fact that is kept, for a token comes with many requests."""
        digest = sha256(text.encode()).digest()
        if self._signed.get(digest) is key:
            return True
        try:
            is_good = validate_compact(token, key.key, registry=_registry)
        except _UNREADABLE:
            return False
        if is_good:
            self._signed[digest] = key
            if len(self._signed) > SIGNED_MAX:
                self._signed.popitem(last=False)
        return is_good

    def _checked(self, header: Mapping[str, object]) -> tuple[Algorithm, str | None]:
        """Return what verifies a token. Keys and places of keys that it brings along are not looked at."""
        algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
        if not isinstance(algorithm, str) or algorithm not in self._said.algorithms or algorithm not in ALGORITHMS:
            raise Unauthenticated("token-algorithm")
        if not (kid is None or (isinstance(kid, str) and 0 < len(kid) <= KID_MAX)):
            raise Unauthenticated("token-key")
        if "crit" in header or "b64" in header or not (isinstance(kind, str) and kind.lower() in TYPES):
            raise Unauthenticated("token-malformed")
        return algorithm, kid

    def _caller(self, claims: Mapping[str, object]) -> Caller:
        said, now = self._said, self._now()
        audience = claims.get("aud")
        if claims.get("iss") != said.issuer:
            raise Unauthenticated("token-issuer")
        if said.audience not in (audience if isinstance(audience, list) else [audience]):
            raise Unauthenticated("token-audience")
        expires, begins, issued = (_time(claims, name) for name in ("exp", "nbf", "iat"))
        if expires is None or expires <= now - said.clock_skew_s:
            raise Unauthenticated("token-expired")
        if expires > now + said.longest_s + said.clock_skew_s:
            raise Unauthenticated("token-too-long")
        if any(at is not None and at > now + said.clock_skew_s for at in (begins, issued)):
            raise Unauthenticated("token-early")
        subject = claims.get("sub")
        if not (isinstance(subject, str) and 0 < len(subject) <= SUBJECT_MAX and subject.isprintable()):
            raise Unauthenticated("token-claims")
        return Caller(f"{CALLER}{subject}", self._scopes(claims))

    def _scopes(self, claims: Mapping[str, object]) -> frozenset[Scope]:
        """Return what the roles of a token allow; those that the configuration does not name, nothing."""
        found: object = claims
        for step in self._said.role_claim:
            found = found.get(step) if isinstance(found, dict) else None
        roles = found.split() if isinstance(found, str) else found if isinstance(found, list) else []
        known = [self._said.roles[role] for role in roles if isinstance(role, str) and role in self._said.roles]
        return frozenset[Scope]().union(*known)


class _KeysInFile:
    """The keys of an issuer in a file that is watched."""

    def __init__(self, path: Path) -> None:
        self._file: Watched[KeySet] = Watched(path, read_key_set_file, KeySet())

    @property
    def trouble(self) -> str:
        return self._file.trouble

    async def find(self, kid: str | None, algorithm: Algorithm) -> PublicKey | None:
        return (await self._file.current()).find(kid, algorithm)


def _time(claims: Mapping[str, object], name: str) -> float | None:
    """Return a time of a token, None where it has none. Raises Unauthenticated for what is no time."""
    if name not in claims:
        return None
    said = claims[name]
    if not is_number(said) or not isfinite(said) or not 0 <= said < 1e11:
        raise Unauthenticated("token-claims")
    return float(said)
