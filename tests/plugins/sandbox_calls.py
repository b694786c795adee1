"""Calls of a sandbox as a stranger's client makes them: signed, and spoiled on the way where a test wants it."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from adjudge_plugins.aliyun.sandbox import Sandbox
from adjudge_plugins.aliyun.signing import SANDBOX_CREDENTIALS, Credentials, canonical_query, sign

BIZ = "0123456789abcdef0123456789abcdef"
PARAMETERS: Mapping[str, str] = {
    "FaceUrl": "https://m.example/a b",
    "MerchantBizId": BIZ,
    "ProductCode": "FACE_DEEPFAKE",
    "SceneCode": "s",
}
MAINLAND: Mapping[str, str] = {"FaceUrl": "https://m.example/a b", "OuterOrderNo": BIZ}

_nonces = itertools.count()


def signed(
    parameters: Mapping[str, str],
    content: bytes = b"",
    *,
    host: str = "h",
    operation: str = "DeepfakeDetectIntl",
    version: str = "2022-08-09",
    method: str = "POST",
    credentials: Credentials = SANDBOX_CREDENTIALS,
    at: datetime | None = None,
    nonce: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the headers of a genuine request."""
    return sign(
        method,
        "/",
        parameters.items(),
        {"host": host, **(headers or {})},
        content,
        credentials,
        action=operation,
        version=version,
        at=at or datetime.now(UTC),
        nonce=nonce or f"nonce{next(_nonces)}",
    )


@dataclass(slots=True)
class Caller:
    """Calls one sandbox over one client."""

    sandbox: Sandbox
    client: httpx.Client
    answered: httpx.Response | None = field(default=None)

    def __call__(
        self,
        parameters: Mapping[str, str] = PARAMETERS,
        *,
        form: Mapping[str, str] | None = None,
        method: str = "POST",
        spoil: Callable[[dict[str, str]], object] = lambda headers: None,
        body: bytes | None = None,
        raw_query: str | None = None,
        url: str | None = None,
        **signing: Any,
    ) -> tuple[int, dict[str, Any]]:
        """Send a request and return the status and the document.

        form: in the body. spoil: changes the signed headers; body, raw_query: take the place of the signed ones.
        """
        content = canonical_query((form or {}).items()).encode()
        headers = signed(parameters, content, method=method, host=f"127.0.0.1:{self.sandbox.port}", **signing)
        spoil(headers)
        query = canonical_query(parameters.items()) if raw_query is None else raw_query
        response = self.client.request(
            method,
            f"{url or self.sandbox.url}/?{query}",
            headers=headers,
            content=content if body is None else body,
        )
        self.answered = response
        assert response.headers["content-type"] == "application/json;charset=utf-8"
        document = response.json()
        assert document["RequestId"] == document["RequestId"].upper()
        return response.status_code, document

    def code(self, parameters: Mapping[str, str] = PARAMETERS, **how: Any) -> str:
        """Send a request and return the code of its answer."""
        return str(self(parameters, **how)[1]["Code"])

    def outcome(self, parameters: Mapping[str, str] = PARAMETERS, **how: Any) -> dict[str, Any]:
        """Send a request and return the ResultObject of its answer."""
        found = self(parameters, **how)[1]["ResultObject"]
        assert isinstance(found, dict)
        return found


@contextmanager
def calling(sandbox: Sandbox) -> Iterator[Caller]:
    """Open a client of a sandbox."""
    with httpx.Client(trust_env=False, timeout=120) as client:
        yield Caller(sandbox, client)


def without(name: str) -> Callable[[dict[str, str]], object]:
    return lambda headers: headers.pop(name)


def replaced(name: str, old: str, new: str) -> Callable[[dict[str, str]], object]:
    return lambda headers: headers.update({name: headers[name].replace(old, new, 1)})


def raw_request(parameters: Mapping[str, str] = PARAMETERS, *, target: str = "/", **signing: Any) -> bytes:
    """Return the bytes of a genuine request without a body."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in signed(parameters, **signing).items())
    return f"POST {target}?{canonical_query(parameters.items())} HTTP/1.1\r\n{lines}\r\n".encode()


@contextmanager
def connected(sandbox: Sandbox) -> Iterator[socket.socket]:
    """Open a connection without a client on it; it never waits longer than two minutes."""
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=120) as connection:
        yield connection


def everything(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))
