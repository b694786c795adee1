"""What the service lets in, and what it says of the rest: bounded before memory grows, and never a word of a face."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from adjudge.documents.problems import KINDS
from adjudge.errors import PluginError
from adjudge.service import reading
from adjudge.service.admission import Admission
from adjudge.service.app import make_app
from adjudge.service.openapi import openapi_document
from adjudge.service.routes import ROUTES, decisions
from adjudge.system import pools
from client.serving import served
from engine.engines import CLEAN, MEDIA, device, engine, face

JSON = {"content-type": "application/json"}
DOCUMENT: dict[str, Any] = {"merchant_biz_id": "0" * 32, "scene_code": "onboard001", "inputs": CLEAN}


@contextmanager
def asked(**parts: Any) -> Iterator[httpx.Client]:
    """Ask a served engine by hand."""
    admission = parts.pop("admission", None)
    with (
        served(engine(**parts), admission=admission, over_tcp=True) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with asked(at=tmp_path_factory.mktemp("log")) as client:
        yield client


def post(http: httpx.Client, document: Any = DOCUMENT, path: str = "/v1/decisions", **how: Any) -> httpx.Response:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return http.post(path, content=body, headers={**JSON, **how.pop("headers", {})}, **how)


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is a problem document, and return it."""
    said: dict[str, Any] = response.json()
    assert (response.status_code, said["status"], said["code"]) == (status, status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert said["type"] == f"/problems/{code}" and said["title"] == KINDS[code].title
    assert said["request_id"] == response.headers["x-request-id"]
    return said


def test_decision_is_made_found_labelled_and_erased(http: httpx.Client) -> None:
    made = post(http, {**DOCUMENT, "merchant_biz_id": "a" * 32})
    assert made.status_code == 200 and made.headers["content-type"] == "application/json"
    decision = made.json()
    assert decision["outcome"] == "pass" and decision["status"] == "fresh"
    assert http.get(f"/v1/decisions/{decision['decision_id']}").json()["merchant_biz_id"] == "a" * 32
    page = http.get("/v1/decisions", params={"merchant_biz_id": "a" * 32}).json()
    assert [one["decision_id"] for one in page["decisions"]] == [decision["decision_id"]] and page["next"] is None
    label = {"decision_id": decision["decision_id"], "merchant_biz_id": "a" * 32, "label": "fraud", "source": "x"}
    assert post(http, label, "/v1/labels").status_code == 204
    assert http.delete(f"/v1/subjects/{'a' * 32}").json() == {"erased": 3}
    assert post(http, {**DOCUMENT, "merchant_biz_id": "a" * 32}).json()["status"] == "duplicate"


def test_nothing_found_is_told_apart_from_no_such_path(http: httpx.Client) -> None:
    refused(http.get(f"/v1/decisions/{'0' * 32}"), 404, "no-decision")
    assert http.get("/v1/decisions", params={"merchant_biz_id": "e" * 32}).json()["decisions"] == []
    for path in ("/", "/v2/decisions", "/v1/decisions/a/b", "/v1/decisions/", "/v1/../etc", "/openapi"):
        refused(http.get(path), 404, "no-route")
    answer = http.put("/v1/labels")
    refused(answer, 405, "no-method")
    assert answer.headers["allow"] == "POST"


def test_policies_are_listed_without_their_texts(http: httpx.Client) -> None:
    listed = http.get("/v1/policies")
    (one,) = listed.json()["policies"]
    assert one["name"] == "onboarding" and "text" not in one and "policy_language" not in listed.text
    with_text = http.get("/v1/policies/onboarding").json()
    assert "policy_language: 1" in with_text.pop("text") and with_text == one
    refused(http.get("/v1/policies/another"), 404, "no-policy")
    refused(http.get("/v1/policies/%2e%2e"), 400, "request")
    refused(http.get("/v1/policies/a%0d%0ab"), 400, "request")
    refused(http.get("/v1/policies/"), 404, "no-route")
    for path in ("/v1/policies/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/v1/policies/a%2Fb"):
        refused(http.get(path), 400, "malformed-http")


@pytest.mark.parametrize(
    ("document", "where"),
    [
        (b"{", "line 1, column 2"),
        (b'{"merchant_biz_id": 1, "merchant_biz_id": 2}', "merchant_biz_id"),
        (b"[" * 200 + b"]" * 200, None),
        (b"\xff", None),
        (b"", "line 1, column 1"),
        ({**DOCUMENT, "inputs": {"contry": "SG"}}, "inputs.contry"),
        ({**DOCUMENT, "face": {"file": "/etc/passwd"}}, "face.file"),
        ({**DOCUMENT, "face": {"base64": "!"}}, "face.base64"),
        ({**DOCUMENT, "merchant_biz_id": "a\r\nb"}, "merchant_biz_id"),
    ],
)
def test_mistakes_are_told_with_their_place(http: httpx.Client, document: Any, where: str | None) -> None:
    said = refused(post(http, document), 400, "request")
    assert said.get("where") == where


@pytest.mark.parametrize(
    ("how", "where"),
    [
        ({"params": {"anew": "yes"}}, "anew"),
        ({"params": [("anew", "true"), ("anew", "false")]}, "anew"),
        ({"headers": {"x-deadline-ms": "0"}}, "X-Deadline-Ms"),
        ({"headers": {"x-deadline-ms": "1e3"}}, "X-Deadline-Ms"),
        ({"headers": {"x-deadline-ms": "²"}}, "X-Deadline-Ms"),
        ({"headers": {"x-deadline-ms": "9" * 20}}, "X-Deadline-Ms"),
    ],
)
def test_parameters_are_read_strictly(http: httpx.Client, how: dict[str, Any], where: str) -> None:
    if "headers" in how:
        how = {"headers": {name: value.encode() for name, value in how["headers"].items()}}
    assert refused(post(http, **how), 400, "request")["where"] == where


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/decisions"),
        ("GET", "/v1/decisions"),
        ("GET", f"/v1/decisions/{'0' * 32}"),
        ("POST", "/v1/labels"),
        ("DELETE", f"/v1/subjects/{'0' * 32}"),
    ],
)
def test_parameter_that_means_nothing_is_refused(http: httpx.Client, method: str, path: str) -> None:
    said = refused(http.request(method, f"{path}?anwe=true", content=b"{}", headers=JSON), 400, "request")
    assert (said["where"], bool(said["hint"])) == ("anwe", True)


@pytest.mark.parametrize(
    ("label", "where"),
    [
        ({"label": "fraud"}, "label"),
        ({**dict.fromkeys(("decision_id", "merchant_biz_id"), "0" * 32), "label": "x", "source": "y"}, "label"),
        ({"decision_id": 3}, "label"),
        ([], "label"),
        ({"decision": "x"}, "label"),
    ],
)
def test_labels_are_read_strictly(http: httpx.Client, label: Any, where: str) -> None:
    assert refused(post(http, label, "/v1/labels"), 400, "request")["where"] == where
    refused(http.request("DELETE", f"/v1/subjects/{'0' * 32}", content=b'{"why": 1}'), 400, "request")


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("outcome=PASS", "outcome"),
        ("outcome=pass&outcome=pass", "outcome"),
        ("since=2026-01-01", "since"),
        ("since=2026-01-01T00:00:00", "since"),
        ("since=2026-01-01T00:00:00+08:00", "since"),  # of which a query makes a blank
        ("until=9999-12-31T23:59:59-23:59", "until"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=%C2%B2", "limit"),
        ("limit=1e2", "limit"),
        ("rule=", "rule"),
        (f"reason={'x' * 600}", "reason"),
        ("merchant_biz_id=..%2F..", "merchant_biz_id"),
        ("cursor=", "cursor"),
        ("cursor=%0d%0aSet-Cookie:x", "cursor"),
        (f"cursor={'A' * 16}", "cursor"),
        (f"cursor={'A' * 9000}", "cursor"),
    ],
)
def test_searches_are_read_strictly(http: httpx.Client, query: str, where: str) -> None:
    assert refused(http.get(f"/v1/decisions?{query}"), 400, "request")["where"] == where


@pytest.mark.parametrize(
    "decision_id", ["%2e%2e", "..%2f..%2fetc%2fpasswd", "A" * 32, "0" * 31, "%00" * 32, "a%0d%0ab"]
)
def test_ids_in_paths_are_ids(http: httpx.Client, decision_id: str) -> None:
    for path in (f"/v1/decisions/{decision_id}", f"/v1/decisions/{decision_id}/explanation"):
        said = http.get(path).json()
        assert said["code"] in ("request", "malformed-http"), said
    refused(http.get(f"/v1/decisions/{'0' * 32}/explanation"), 404, "no-decision")
    refused(http.get(f"/v1/decisions/{'0' * 32}/explanation?locale=..%2Fx"), 400, "request")
    refused(http.get(f"/v1/decisions/{'0' * 32}/explanation?audience=all"), 400, "request")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_body_that_is_not_said_to_be_json_is_not_read(http: httpx.Client, kind: str) -> None:
    """A page of another site can have a browser send such, and no more."""
    for path in ("/v1/decisions", "/v1/labels"):
        refused(post(http, path=path, headers={"content-type": kind}), 415, "media-type")
    refused(post(http, headers={"content-encoding": "gzip"}), 415, "media-type")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8080", "127.0.0.1:x"])
def test_service_goes_by_no_other_name(http: httpx.Client, host: str) -> None:
    refused(post(http, headers={"host": host}), 421, "host")
    for good in ("localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80"):
        assert http.get("/v1/decisions", params={"merchant_biz_id": "0" * 32}, headers={"host": good}).is_success


@pytest.mark.parametrize("given", ["abc-1", "", "x" * 129, "a b", "é"])
def test_request_id_is_the_callers_where_it_is_one(http: httpx.Client, given: str) -> None:
    told = http.get("/v1/nothing", headers={"x-request-id": given.encode()}).headers["x-request-id"]
    assert (told == given) is (given == "abc-1")
    assert told.isascii() and told.isprintable()


def test_body_larger_than_is_taken_is_refused_before_it_is_read(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "DOCUMENT_MAX_BYTES", 1000)
    with socket.create_connection((http.base_url.host, http.base_url.port or 0)) as raw:
        raw.sendall(
            b"POST /v1/decisions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: 1000000000000\r\n\r\n"
        )
        assert raw.recv(65536).startswith(b"HTTP/1.1 413 ")
    refused(http.post("/v1/decisions", content=iter([b" " * 600] * 4), headers=JSON), 413, "body-too-large")


def test_body_that_comes_too_slowly_is_cut() -> None:
    with asked(admission=Admission(body_within_s=0.2)) as http:
        with socket.create_connection((http.base_url.host, http.base_url.port or 0)) as raw:
            raw.sendall(
                b"POST /v1/decisions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                b"content-length: 100\r\n\r\n{"
            )
            said = b""
            while piece := raw.recv(65536):  # until the connection is closed
                said += piece
        assert said.startswith(b"HTTP/1.1 408 ") and b"body-too-slow" in said
        assert b"connection: close" in said.lower(), "nobody waits for the rest"
        assert post(http).is_success, "others are served"


def test_requests_past_the_bound_are_told_to_come_again() -> None:
    begun, let_go = threading.Event(), threading.Event()

    async def wait(context: object) -> dict[str, Any]:
        begun.set()
        while not let_go.is_set():
            await asyncio.sleep(0.01)
        return {"score": 0.1}

    with asked(providers=[face(wait), device()], admission=Admission(requests_max=1)) as http:
        first = threading.Thread(target=lambda: post(http))
        first.start()
        assert begun.wait(60)
        answer = post(http, {**DOCUMENT, "merchant_biz_id": "1" * 32})
        assert refused(answer, 503, "overloaded")["retry_after_s"] == 1.0
        assert answer.headers["retry-after"] == "1"
        assert http.get("/healthz").json() == {"status": "ok"}, "a process under load lives"
        assert http.get("/readyz").json() == {"ready": True, "in_flight": 1, "reasons": [], "notes": {}}
        let_go.set()
        first.join(60)
        assert post(http).json()["status"] == "duplicate"


def test_bodies_take_no_more_memory_than_there_is() -> None:
    admission = Admission(held_max_bytes=300)
    with asked(admission=admission) as http:
        refused(post(http, {**DOCUMENT, "policy": "x" * 1000}), 503, "overloaded")
        refused(http.post("/v1/decisions", content=iter([b" " * 200] * 4), headers=JSON), 503, "overloaded")
        assert post(http, {**DOCUMENT, "inputs": {}}).is_success, "what was refused holds nothing"
    assert (admission.held_bytes, admission.requests) == (0, 0)


def test_long_document_is_read_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    read = reading.decode_request
    monkeypatch.setattr(
        reading, "decode_request", lambda body: names.append(threading.current_thread().name) or read(body)
    )
    document = {**DOCUMENT, "face": {"base64": base64.b64encode(MEDIA * 20_000).decode()}}
    with asked() as http:
        assert post(http, document).json()["status"] == "fresh"
        monkeypatch.setattr(reading, "READ_WITHIN_S", 0.0)
        monkeypatch.setattr(pools.Pool, "submit", lambda *_: asyncio.get_running_loop().create_future())
        refused(post(http, document), 503, "overloaded")
    assert names == ["adjudge-documents-1"]


class Broken(Exception):
    pass


@pytest.mark.parametrize("fault", [Broken("CANARY-SECRET"), PluginError("CANARY-SECRET", plugin="x")])
def test_fault_of_ours_is_told_to_the_operator_alone(fault: Exception) -> None:
    door = engine()

    async def fail(*said: object, **asked: object) -> None:
        raise fault

    door.search = fail  # type: ignore[method-assign, assignment]
    with capture_logs() as events, served(door, over_tcp=True) as url:
        answer = httpx.get(f"{url}/v1/decisions?merchant_biz_id={'0' * 32}", headers={"x-request-id": "r-1"})
        refused(answer, 500, "fault")
    assert "CANARY" not in answer.text
    (event,) = [one for one in events if one["event"] == "request_failed"]
    assert (event["error"], event["request_id"]) == (type(fault).__name__, "r-1")
    assert "CANARY" not in str(events)


def test_face_and_secrets_stand_in_no_answer_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    canary, face_sent = "CANARY", {"base64": base64.b64encode(MEDIA).decode()}
    inputs = {**CLEAN, "email": "CANARY@example.com"}
    with asked() as http, capture_logs() as events:
        answers = [
            post(http, {**DOCUMENT, "face": face_sent, "inputs": inputs}),
            post(http, {**DOCUMENT, "face": face_sent, "inputs": {**inputs, "country": "KP"}}),
            post(http, {**DOCUMENT, "face": face_sent, "inputs": {**inputs, "age": ["CANARY"]}}),
            post(http, {**DOCUMENT, "face": {"base64": "CANARY!"}}),
            post(http, json.dumps({**DOCUMENT, "face": face_sent, "inputs": inputs}).encode()[:-3]),
            post(http, {**DOCUMENT, "face": {"url": "http://user:CANARY@"}}),
        ]
        with socket.create_connection((http.base_url.host, http.base_url.port or 0)) as raw:
            raw.sendall(b"CANARY / HTTP/9\r\nx: CANARY\r\n\r\n")
            assert b"CANARY" not in raw.recv(65536)
    assert [answer.status_code for answer in answers] == [200, 409, 409, 400, 400, 400]
    ours = "".join(
        record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))
    )
    assert canary not in "".join(answer.text for answer in answers) + str(events) + ours


def test_engine_that_ends_is_told_as_a_service_that_ends() -> None:
    async def main() -> httpx.Response:
        transport = httpx.ASGITransport(app=make_app(engine()))  # which nobody opened
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.get("/v1/decisions", params={"merchant_biz_id": "0" * 32})

    refused(asyncio.run(main()), 503, "service-unavailable")


def test_document_of_the_service_is_served(http: httpx.Client) -> None:
    answer = http.get("/openapi.json", headers={"host": "docs.example"})
    assert answer.is_success and answer.json() == openapi_document(ROUTES)
