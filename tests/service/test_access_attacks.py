"""Ways around the gate, over real connections: none leads in, and none brings a key into an answer or an event."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from adjudge.config.scopes import SCOPES
from adjudge.config.service import ServiceSettings
from adjudge.service.access.key_file import change_keys
from adjudge.service.access.keys import new_key
from adjudge.service.route import Route
from adjudge.service.routes import ROUTES
from client.serving import served
from engine.engines import engine

FIND = f"/v1/decisions?merchant_biz_id={'0' * 32}"
SCOPED = [route for route in ROUTES if route.scope is not None]


class At:
    """A service that asks for keys, and a key for everything."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key
        place = httpx.URL(url)
        self.place = (place.host, place.port or 0)

    def raw(self, head: bytes, body: bytes = b"") -> bytes:
        """Send bytes as they are, and return what comes until the connection is closed."""
        with socket.create_connection(self.place) as connection:
            connection.settimeout(60)
            connection.sendall(head.replace(b"KEY", self.key.encode()) + b"\r\n" + body)
            said = b""
            while piece := connection.recv(65536):
                said += piece
        return said


@pytest.fixture
def at(tmp_path: Path) -> Iterator[At]:
    key, text = new_key("flow", SCOPES)
    change_keys(tmp_path / "keys.yaml", lambda _: {key.id: key})
    with served(engine(), settings=ServiceSettings(keys=tmp_path / "keys.yaml"), over_tcp=True) as url:
        yield At(url, text)


def path_of(route: Route) -> str:
    path = route.path
    for parameter in route.parameters:
        path = path.replace(f"{{{parameter.name}}}", "0" * 32)
    return path


HEAD = b"GET " + FIND.encode() + b" HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"Authorization: Bearer KEY\r\n", b"200"),
        (b"AUTHORIZATION:bearer KEY  \r\n", b"200"),
        (b"", b"401"),
        (b"authorization: Bearer KEY\r\nauthorization: Bearer KEY\r\n", b"401"),
        (b"authorization: Bearer x\r\nAuthorization: Bearer KEY\r\n", b"401"),
        (b"authorization: Bearer KEY, Bearer KEY\r\n", b"401"),
        (b"authorization: Bearer\r\n KEY\r\n", b"4"),
        (b"authorization : Bearer KEY\r\n", b"400"),
        (b"authorization: Bearer KEY\0\r\n", b"400"),
        (b"authorization: Bearer \tKEY\r\n", b"401"),
        (b"authorization_: Bearer KEY\r\n", b"401"),
        (b"proxy-authorization: Bearer KEY\r\n", b"401"),
        (b"x-forwarded-authorization: Bearer KEY\r\n", b"401"),
        (b"cookie: authorization=Bearer KEY\r\n", b"401"),
        (b"x-forwarded-for: 127.0.0.1\r\nx-real-ip: 127.0.0.1\r\nforwarded: for=127.0.0.1\r\n", b"401"),
        (b"x-api-key: KEY\r\nx-user: flow\r\nx-scopes: admin\r\n", b"401"),
    ],
)
def test_key_is_read_from_one_header_in_one_way(at: At, lines: bytes, status: bytes) -> None:
    said = at.raw(HEAD + lines)
    if lines == b"authorization: Bearer\r\n KEY\r\n":  # a folded line is one with a space, or none at all
        assert said.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400", b"HTTP/1.1 401"))
    else:
        assert said.startswith(b"HTTP/1.1 " + status), said
    assert at.key.encode() not in said


@pytest.mark.parametrize("route", SCOPED, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_refuses_whoever_has_no_key_before_it_reads(at: At, route: Route) -> None:
    """The body that is said to come never does."""
    head = f"{route.method} {path_of(route)} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    said = at.raw(head.encode() + b"content-length: 1000000000\r\nexpect: 100-continue\r\n")
    assert said.startswith(b"HTTP/1.1 401 ") and b"connection: close" in said.lower()
    assert httpx.head(at.url + path_of(route)).status_code in (401, 405)


def test_no_other_spelling_of_a_path_leads_past_the_gate(at: At) -> None:
    for path in (
        *("//v1/decisions", "/V1/decisions", "/v1/decisions/", "/v1//decisions", "/v1/decisions%3f", "/v1/%64ecisions"),
        *(
            "/healthz/../v1/decisions",
            "/healthz/%2e%2e/v1/decisions",
            "/healthz;/v1/decisions",
            "/healthz/v1/decisions",
        ),
        *("/v1/decisions#", "/v1/decisions%00", "/./v1/decisions", "/openapi.json/../v1/decisions", "/metrics"),
    ):
        for method in ("GET", "POST", "HEAD", "DELETE"):
            said = at.raw(f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n".encode())
            assert said[9:12] in (b"400", b"401", b"404", b"405", b"429"), (method, path, said)


def test_headers_that_other_servers_obey_mean_nothing(at: At) -> None:
    headers = {"x-original-url": FIND, "x-rewrite-url": FIND, "x-http-method-override": "DELETE"}
    assert httpx.get(f"{at.url}/healthz", headers=headers).json() == {"status": "ok"}
    assert httpx.get(at.url + FIND, headers=headers).status_code == 401


def test_key_stands_in_no_answer_and_no_event_of_any_route(at: At, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret, said = at.key[25:60], []
    bodies: list[Any] = [None, {}, {"merchant_biz_id": at.key}, [at.key], at.key]
    with capture_logs() as events, httpx.Client(base_url=at.url, trust_env=False) as http:
        for route in ROUTES:
            for body in bodies:
                content = b"" if body is None else json.dumps(body).encode()
                headers = {"authorization": f"Bearer {at.key}", "content-type": "application/json"}
                answer = http.request(route.method, path_of(route), content=content, headers=headers)
                if not route.is_signed:  # which is for no key
                    assert answer.status_code not in (401, 403, 500), (route.path, answer.text)
                if body != {"merchant_biz_id": at.key}:  # which the answer may name as what it refuses
                    said.append(answer.text + str(answer.headers))
        for wrong in (at.key[:-1], at.key + "x", f" {at.key}", f"{at.key},{at.key}"):
            answer = http.get(FIND, headers={"authorization": f"Bearer {wrong}"})
            said.append(answer.text + str(answer.headers))
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert secret not in "".join([*said, *ours, str(events)])
