"""What an attacker tries at every route of the table: nothing is a fault, nothing is let in, nothing is told on."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from structlog.testing import capture_logs

from adjudge.config.scopes import SCOPES
from adjudge.service.access.key_file import change_keys
from adjudge.service.access.keys import new_key
from adjudge.service.route import Route
from adjudge.service.routes import ROUTES
from adjudge.texts import is_hidden
from client.serving import served
from engine.engines import engine
from service.routes_walked import asked, bodies, sent, url

EACH = pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
WITH_BODY = pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.takes], ids=lambda route: f"{route.method} {route.path}"
)
KNOWN: dict[str, Any] = {"merchant_biz_id": "a" * 32, "scene_code": "onboard001", "decision_id": "b" * 32}


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        served(engine(at=tmp_path_factory.mktemp("log")), over_tcp=True) as address,
        httpx.Client(base_url=address, trust_env=False, timeout=120) as client,
    ):
        yield client


def problems_in(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the problems of an answer, in whatever lines it comes."""
    if not answer.headers.get("content-type", "").endswith("json"):
        return []
    lines = [json.loads(line) for line in answer.text.split("\n") if line]
    return [one for line in lines if isinstance(line, dict) and (one := line.get("problem") or line) and "code" in one]


def check_harmless(answer: httpx.Response) -> None:
    """Check that an answer is no fault, is short, and shows whatever it quotes."""
    assert answer.status_code < 500 or answer.json().get("code") in ("overloaded", "service-unavailable"), answer.text
    assert all(one["code"] != "fault" for one in problems_in(answer)), answer.text
    assert not [char for char in answer.text if is_hidden(char) and char != "\n"], "a terminal would obey it"
    assert "x-injected" not in answer.headers
    if answer.status_code >= 400:
        assert len(answer.content) < 20_000, "an answer that quotes what it was sent is a weapon"


BAD: dict[str, bytes] = {
    "nothing": b"",
    "a scalar": b"1",
    "null": b"null",
    "a list": b"[]",
    "a list in lists": b"[" * 100_000,
    "objects in objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "many keys": json.dumps({f"k{n}": n for n in range(60_000)}).encode(),
    "a long key": json.dumps({"k" * 500_000: 1}).encode(),
    "one key twice": b'{"merchant_biz_id": "x", "merchant_biz_id": "y"}',
    "one key twice, escaped": b'{"by": "x", "\\u0062y": "y"}',
    "half a character": b'{"by": "\\ud800", "\\udfff": 1}',
    "NUL": b'{"by": "\\u0000", "merchant_biz_id": "\\u0000"}',
    "no UTF-8": b'{"by": "\xff\xfe"}',
    "UTF-16": '{"by": "x"}'.encode("utf-16"),
    "a byte-order mark": b'\xef\xbb\xbf{"by": "x"}',
    "no number": b'{"attempts": NaN, "merchant_biz_id": -Infinity}',
    "a number of a megabyte": b'{"attempts": ' + b"9" * 900_000 + b"}",
    "a number past all": b'{"attempts": 1e999999, "limit": 1e400}',
    "a prototype": b'{"__proto__": {"a": 1}, "constructor": {"prototype": {}}}',
    "more than one": b'{"by": "x"}{"by": "y"}',
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "a form": b"merchant_biz_id=x&by=y",
}


@WITH_BODY
@pytest.mark.parametrize("name", BAD)
def test_body_that_is_none_is_refused(http: httpx.Client, route: Route, name: str) -> None:
    for media_type in route.takes or ():
        body, kind = sent(media_type, BAD[name])
        answer = http.request(route.method, url(route, KNOWN), content=body, headers={"content-type": kind})
        check_harmless(answer)
        is_nothing = name == "nothing" and (not route.is_body_required or media_type.endswith("ndjson"))
        assert answer.status_code >= 400 or is_nothing or problems_in(answer), f"{name} was taken: {answer.text}"


WRONG = [None, True, 1, -1.5, 1e308, "", " ", "x" * 100_000, [], [[]], {}, {"a": {"b": [None]}}]


@WITH_BODY
def test_member_of_a_wrong_type_is_no_fault(http: httpx.Client, route: Route) -> None:
    for media_type, document in bodies(route, KNOWN).items():
        for member in (*document, "unknown"):
            for value in WRONG:
                body, kind = sent(media_type, json.dumps({**document, member: value}).encode())
                check_harmless(
                    http.request(route.method, url(route, KNOWN), content=body, headers={"content-type": kind})
                )


INJECTED = "a\r\nX-Injected: 1\r\n\r\n\x1b[31m\x9b31m\x7f\u202e\u2028\u200b{event}"


@EACH
def test_text_that_steers_a_terminal_or_a_log_is_shown(http: httpx.Client, route: Route) -> None:
    with capture_logs() as events:
        for member in ("merchant_biz_id", "scene_code", "note", "source", "reason", "by", "policy", "label", INJECTED):
            for answer in asked(http, route, known={**KNOWN, member: INJECTED}, parts={"x": ""}):
                check_harmless(answer)
        for answer in asked(http, route, known={**KNOWN, "inputs": {INJECTED: 1, "country": INJECTED}}):
            check_harmless(answer)
        for parts, query in (
            (dict.fromkeys(re.findall(r"\{(\w+)", route.path), INJECTED), {}),
            ({}, {INJECTED: "1"}),
        ):
            for answer in asked(http, route, known=KNOWN, parts=parts, query=query):
                check_harmless(answer)
        for parameter in route.query:
            for answer in asked(http, route, known=KNOWN, query={parameter: INJECTED}):
                check_harmless(answer)
    quoted = json.dumps(events, default=str, ensure_ascii=True)
    assert "\n" not in quoted and "\x1b" not in quoted


PATHS = [
    "//v1/decisions", "/v1//decisions", "/v1/./decisions", "/v1/labels/../decisions", "/v1/decisions/", "/V1/DECISIONS",
    "/v1/decisions;a=b", "/v1/decisions%00", "/v1/decisions%0d%0aX-Injected:1", "/v1/decisions%2f..%2flabels",
    "/%2e%2e/", "/v1/decisions/..%2f..%2fhealthz", "/v1/decisions/%2e%2e", "/healthz/.", "/healthz%20",
    "/healthz\\", "/.env",
    "/v1", "/v1/subjects/", "/v1/subjects/%2e", "/openapi.json/", "/openapi.yaml", "/docs", "/metrics/..", "/a" * 5000,
    "/v1/decisions/" + "%e2%80%ae" * 20, "/v1/decisions/" + "0" * 10_000,
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:40])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "BREW"])
def test_path_leads_nowhere_else(http: httpx.Client, method: str, path: str) -> None:
    asking = HTTPConnection(http.base_url.host, http.base_url.port, timeout=120)  # which changes nothing in a path
    with closing(asking):
        asking.request(method, path, headers={"content-type": "application/json"})
        answer = asking.getresponse()
        check_harmless(httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read()))
    assert answer.status in (400, 404, 405)


KEY_SHAPES = [
    "CANARY-KEY",
    "adj_" + "CANARY" * 20,
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJDQU5BUlkifQ.Q0FOQVJZ",
    "CANARY CANARY",
]
FACE = b"\xff\xd8\xff\xe0 CANARY-FACE " + bytes(range(256)) * 4
MAIL = "canary-mail@example.com"
POLICY = """policy_language: 1
policy: onboarding
inputs: {country: string, email: {type: string, personal: true}}
rules: [{id: mail, when: 'email.endsWith("@bad.example")', then: reject}]
"""


def everything(http: httpx.Client, route: Route, secret: str) -> Iterator[httpx.Response]:
    """Ask a route in every way in which a secret or a face could be told on."""
    with_key = {"authorization": f"Bearer {secret}"}
    sensitive: dict[str, Any] = {
        **KNOWN,
        "face": {"base64": base64.b64encode(FACE).decode()},
        "inputs": {"country": "SG", "email": MAIL},
    }
    made: list[Callable[[Any], bytes]] = [
        lambda document: json.dumps(document).encode(),
        lambda document: json.dumps(document).encode()[:-2],
        lambda document: json.dumps({**document, "unknown": [secret, MAIL]}).encode(),
        lambda document: json.dumps({**document, "face": {"base64": [base64.b64encode(FACE).decode()]}}).encode(),
        lambda document: json.dumps({**document, "inputs": {"email": [MAIL], "country": {MAIL: 1}}}).encode(),
        lambda document: json.dumps({**document, "inputs": MAIL, "face": {"url": f"http://{secret}@x/\x1b"}}).encode(),
        lambda document: json.dumps({**document, "merchant_biz_id": secret, "by": [secret]}).encode(),
        lambda document: base64.b64encode(FACE),
        lambda document: FACE,
    ]
    for text in made:
        yield from asked(http, route, known=sensitive, text=text, headers=with_key)
    for shape in (*KEY_SHAPES, secret + "x", secret[:-1]):
        yield from asked(http, route, known=sensitive, headers={"authorization": f"Bearer {shape}"})
        yield from asked(http, route, known=sensitive, headers={"authorization": shape})
    yield from asked(http, route, known=sensitive, headers={**with_key, "x-api-key": secret, "cookie": f"key={secret}"})
    for name in ("x-request-id", "x-deadline-ms", "traceparent", "host", "content-encoding", "user-agent", "referer"):
        yield from asked(http, route, known=sensitive, headers={**with_key, name: f"{secret} {MAIL}"})
    for parameter in route.query:
        yield from asked(http, route, known=sensitive, headers=with_key, query={parameter: secret + MAIL})
    for part in re.findall(r"\{(\w+)", route.path):
        yield from asked(http, route, known=sensitive, headers=with_key, parts={part: secret + MAIL})
    yield http.request("BREW", url(route, {}), headers=with_key)


def test_secret_and_face_pass_through_every_route_and_stand_in_no_byte_written(tmp_path: Path) -> None:
    key, secret = new_key("flow", SCOPES)
    change_keys(tmp_path / "keys.yaml", lambda keys: {**keys, key.id: key})
    (tmp_path / "policy.yaml").write_text(POLICY, "utf-8")
    (tmp_path / "adjudge.yaml").write_text(
        "policies: [policy.yaml]\naudit: {directory: audit}\nservice: {keys: keys.yaml}\n", "utf-8"
    )
    command = [sys.executable, "-m", "adjudge", "serve", str(tmp_path / "adjudge.yaml"), "--port", "0"]
    with (tmp_path / "stderr").open("wb") as stderr:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, cwd=tmp_path)
        assert running.stdout is not None
        try:
            address = running.stdout.readline().decode().removeprefix("listening on ").strip()
            with httpx.Client(base_url=address, trust_env=False, timeout=120) as client:
                answers = [answer for route in ROUTES for answer in everything(client, route, secret)]
            running.terminate()
            assert running.wait(120) == 0
        finally:
            running.kill()
            rest = running.communicate()[0]
    said = b"".join(bytes(str(answer.headers), "utf-8") + answer.content for answer in answers) + rest
    written = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {answer.status_code for answer in answers} >= {200, 400, 401} and len(answers) > 100
    decided = {answer.request.headers["content-type"].partition(";")[0] for answer in answers
               if b'"outcome":"pass"' in answer.content and answer.request.method == "POST"}  # fmt: skip
    assert decided == {media_type for route in ROUTES if route.scope == "decide" for media_type in route.takes or ()}
    needles = [secret.encode(), secret[-40:].encode(), b"CANARY", MAIL.encode(), FACE, base64.b64encode(FACE)[8:60]]
    needles += [quote(MAIL).encode(), MAIL.partition("@")[0].encode(), FACE[20:60].hex().encode()]
    for needle in needles:
        assert needle not in said, f"{needle!r} was answered"
        assert [name for name, data in written.items() if needle in data] == [], f"{needle!r} was written"
    assert b"Traceback" not in written["stderr"]
