"""An issuer of tokens, for tests: honest ones, and those that an attacker would make."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

ISSUER, AUDIENCE = "https://id.example", "adjudge"
EC = ECKey.generate_key("P-256", {"kid": "ec"})
EC_384 = ECKey.generate_key("P-384", {"kid": "ec-384"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
HONEST = (EC, EC_384, RSA, ED)


def key_set(*keys: Any) -> dict[str, Any]:
    return {"keys": [key if isinstance(key, dict) else key.as_dict(private=False) for key in keys or HONEST]}


def claims(**other: Any) -> dict[str, Any]:
    """Return honest claims, but for some; None leaves one out."""
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "maria",
        "exp": int(time.time()) + 600,
        "roles": ["analyst"],
        **other,
    }
    return {name: value for name, value in said.items() if value is not None}


def b64(data: bytes | Mapping[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(key: Any = EC, alg: str = "ES256", said: Any = None, **header: Any) -> str:
    """Return a token that a key signed."""
    payload = said if isinstance(said, bytes) else json.dumps(claims() if said is None else said).encode()
    protected = {"alg": alg, "kid": key.kid, **header}
    protected = {name: value for name, value in protected.items() if value is not None}
    start = f"{b64(protected)}.{b64(payload)}"
    model = jws.JWSRegistry.algorithms["Ed25519" if alg == "EdDSA" else alg]
    return f"{start}.{b64(model.sign(start.encode(), key))}"


def signed_with_text(secret: bytes, alg: str = "HS256", **header: Any) -> str:
    """Return a token whose signature is an HMAC with something that is no secret."""
    start = f"{b64({'alg': alg, **header})}.{b64(claims())}"
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
    return f"{start}.{b64(hmac.new(secret, start.encode(), digest).digest())}"
