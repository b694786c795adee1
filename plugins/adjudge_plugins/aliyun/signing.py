"""V3 request signatures, ACS3-HMAC-SHA256: what the client adds to a request and what the sandbox verifies.

Text to sign: method, path, sorted query, the signed headers, their names, and the SHA-256 of the exact body.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NoReturn
from urllib.parse import quote

ALGORITHM = "ACS3-HMAC-SHA256"
DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class Credentials:
    """An AccessKey, with a token where it is temporary.

    No repr, copy, pickle or `asdict` of it, or of what holds it, shows any part of it.
    """

    __slots__ = ("access_key_id", "access_key_secret", "security_token")

    def __init__(self, *, access_key_id: str, access_key_secret: str, security_token: str | None = None) -> None:
        self.access_key_id = access_key_id
        self.access_key_secret = access_key_secret
        self.security_token = security_token

    def __repr__(self) -> str:
        return "<Credentials>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not written down")

    def __deepcopy__(self, memo: object) -> Credentials:
        return self


SANDBOX_CREDENTIALS = Credentials(
    access_key_id="adjudge-sandbox",
    access_key_secret="adjudge-sandbox-secret",  # noqa: S106  # opens nothing but a sandbox
)


def percent_encode(text: str) -> str:
    """Encode by RFC 3986: everything but letters, digits and `-_.~`, as UTF-8, hex in upper case."""
    return quote(text, safe="-_.~")


def canonical_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Return the query as it is signed: sorted by name, encoded; an empty value keeps its `=`."""
    ordered = sorted(parameters)
    return "&".join(f"{percent_encode(name)}={percent_encode(value)}" for name, value in ordered)


def canonical_request(
    method: str,
    path: str,
    parameters: Iterable[tuple[str, str]],
    headers: Iterable[tuple[str, str]],
    signed_headers: Iterable[str],
    payload_hash: str,
) -> str:
    """Return the text whose hash is signed.

    parameters: decoded names and values of the query.
    headers: all of the request's, as sent; those in `signed_headers` (lower case) are taken.
    payload_hash: lower-case hex SHA-256 of the body's bytes.
    """
    values = defaultdict(list)
    for name, value in headers:
        values[name.lower()].append(value.strip())
    names = sorted(signed_headers)
    lines = "".join(f"{name}:{','.join(sorted(values[name]))}\n" for name in names)
    return "\n".join((method.upper(), path, canonical_query(parameters), lines, ";".join(names), payload_hash))


def signature(request: str, access_key_secret: str) -> str:
    """Return the signature of a canonical request, lower-case hex."""
    to_sign = f"{ALGORITHM}\n{hashlib.sha256(request.encode()).hexdigest()}"
    return hmac.new(access_key_secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()


def authorization(
    method: str,
    path: str,
    parameters: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    payload_hash: str,
    credentials: Credentials,
) -> str:
    """Return the Authorization header of a request, all of whose `headers` are signed."""
    names = sorted(name.lower() for name in headers)
    request = canonical_request(method, path, parameters, headers.items(), names, payload_hash)
    signed = signature(request, credentials.access_key_secret)
    return f"{ALGORITHM} Credential={credentials.access_key_id},SignedHeaders={';'.join(names)},Signature={signed}"


def sign(
    method: str,
    path: str,
    parameters: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    body: bytes,
    credentials: Credentials,
    *,
    action: str,
    version: str,
    at: datetime,
    nonce: str,
) -> dict[str, str]:
    """Return all headers to send: the given ones, which must hold `host`, with what V3 adds, and Authorization.

    at: aware, within 15 minutes of the server's time. nonce: new for every attempt.
    """
    payload_hash = hashlib.sha256(body).hexdigest()
    signed = {
        **headers,
        "x-acs-action": action,
        "x-acs-version": version,
        "x-acs-date": at.astimezone(UTC).strftime(DATE_FORMAT),
        "x-acs-signature-nonce": nonce,
        "x-acs-content-sha256": payload_hash,
    }
    if credentials.security_token is not None:
        signed["x-acs-security-token"] = credentials.security_token
    return {**signed, "Authorization": authorization(method, path, parameters, signed, payload_hash, credentials)}
