"""`http.json` against a real server: what is sent, what is understood, what is refused."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
from msgspec import structs

from adjudge.model import Face, Request
from adjudge.plugin import Answer, ProviderConfigError, SignalFailed, Unusable, Uses
from adjudge.system import cloud_metadata
from adjudge.testing import decide_once
from adjudge.values.declared import parse_fields
from adjudge_plugins import http_json
from adjudge_plugins.http_json import HTTP_JSON
from adjudge_plugins.json_path import JsonPath

Ask = Callable[..., Answer]
RequestOf = Callable[..., Request]
FIELDS = parse_fields({"score": "double", "emulator": "bool", "os": "string"})


@pytest.fixture
def fetch(endpoint: Any, ask: Ask, request_of: RequestOf) -> Callable[..., Answer]:
    def run(request: Request | None = None, *, seconds: float = 120.0, **config: Any) -> Answer:
        config = {"url": f"{endpoint.url}/device", **config}
        HTTP_JSON.check(config, FIELDS)
        return ask(HTTP_JSON, config, request or request_of(), seconds=seconds, fields=FIELDS)

    return run


def test_fetch_answer_is_taken_by_name_and_nothing_else_is(endpoint: Any, fetch: Callable[..., Answer]) -> None:
    endpoint.body = b'{"score": 71.5, "emulator": true, "os": null, "owner": "not asked for"}'

    assert fetch() == {"score": 71.5, "emulator": True, "os": None}


def test_fetch_paths_lead_to_fields_and_the_others_keep_their_name(endpoint: Any, fetch: Callable[..., Answer]) -> None:
    endpoint.body = b'{"result": {"risk": [{"v": 7}]}, "emulator": false, "score": 99}'

    assert fetch(paths={"score": "result.risk[0].v", "os": "result.os"}) == {
        "score": 7,
        "emulator": False,
        "os": None,
    }


@pytest.mark.parametrize("body", [b"[]", b"7", b'"text"', b"null"])
def test_fetch_answer_that_is_no_object_leaves_fields_unknown(
    endpoint: Any, fetch: Callable[..., Answer], body: bytes
) -> None:
    endpoint.body = body

    assert set(fetch().values()) == {None}


def test_fetch_path_that_fails_on_this_answer_leaves_its_field_alone_unknown(
    endpoint: Any, fetch: Callable[..., Answer]
) -> None:
    endpoint.body = b'{"score": "text", "emulator": true}'

    said = "is not known: its path `abs(score)` met a value of another type"
    assert fetch(paths={"score": "abs(score)"}) == {"score": Unusable(said), "emulator": True, "os": None}


def test_fetch_sends_ids_and_inputs_unless_told_otherwise(
    endpoint: Any, fetch: Callable[..., Answer], request_of: RequestOf
) -> None:
    request = request_of(inputs={"country": "SG", "tags": ["a"], "since": datetime(2026, 1, 2, tzinfo=UTC)})

    fetch(request)

    [seen] = endpoint.seen
    assert (seen.method, seen.target, seen.headers["content-type"]) == ("POST", "/device", "application/json")
    assert json.loads(seen.body) == {
        "merchant_biz_id": request.merchant_biz_id,
        "scene_code": "onboard001",
        "inputs": {"country": "SG", "tags": ["a"], "since": "2026-01-02T00:00:00Z"},
    }


def test_fetch_body_is_what_its_paths_find(endpoint: Any, fetch: Callable[..., Answer], request_of: RequestOf) -> None:
    request = request_of(inputs={"email": "a@example.com"})

    fetch(request, body={"mail": "inputs.email", "face": "face_digest", "none": "inputs.phone", "n": "`7`"})

    assert request.face is not None
    assert json.loads(endpoint.seen[0].body) == {"mail": "a@example.com", "face": request.face.digest, "n": 7}


def test_fetch_get_sends_its_body_as_query(endpoint: Any, fetch: Callable[..., Answer], request_of: RequestOf) -> None:
    request = request_of(inputs={"email": "a+b@example.com", "new": True})

    fetch(request, method="GET")
    fetch(request, method="GET", url=f"{endpoint.url}/d?v=1", body={"mail": "inputs.email", "new": "inputs.new"})
    fetch(request, method="GET", body={})

    queries = [parse_qs(urlsplit(seen.target).query) for seen in endpoint.seen]
    assert queries == [
        {"merchant_biz_id": [request.merchant_biz_id], "scene_code": ["onboard001"]},
        {"v": ["1"], "mail": ["a+b@example.com"], "new": ["true"]},
        {},
    ]
    assert {(seen.method, seen.body) for seen in endpoint.seen} == {("GET", b"")}


def test_fetch_get_of_more_than_a_value_is_refused(
    endpoint: Any, fetch: Callable[..., Answer], request_of: RequestOf
) -> None:
    with pytest.raises(SignalFailed, match="`all` is not a single value"):
        fetch(request_of(inputs={"a": 1}), method="GET", body={"all": "inputs"})

    assert not endpoint.seen


def test_fetch_url_takes_parts_of_the_request_escaped_so_that_each_is_one_part(
    endpoint: Any, fetch: Callable[..., Answer], request_of: RequestOf
) -> None:
    strange = "a/../b?c=d&e#f%2Fg h\x00\n:é\\;+@"
    template = endpoint.url + "/v1/{inputs.account}/x{inputs.n}?id={merchant_biz_id}&q={inputs.account}&f={face_digest}"
    request = request_of(inputs={"account": strange, "n": 7, "new": True})
    fetch(request, url=template)
    fetch(request, url=template, method="GET", body={"new": "inputs.new"})

    for seen in endpoint.seen:
        target = urlsplit(seen.target)
        assert [unquote(part) for part in target.path.split("/")] == ["", "v1", strange, "x7"]
        query = parse_qs(target.query)
        assert request.face is not None
        assert query["q"] == [strange] and query["f"] == [request.face.digest]
        assert query["id"] == [request.merchant_biz_id]
    assert parse_qs(urlsplit(endpoint.seen[1].target).query)["new"] == ["true"]


@pytest.mark.parametrize("value", ["", ".", "..", "..."])
def test_fetch_value_that_would_be_another_path_is_not_asked(
    endpoint: Any, fetch: Callable[..., Answer], request_of: RequestOf, value: str
) -> None:
    with pytest.raises(SignalFailed, match=r"not asked: `inputs\.a` is empty, or nothing but dots") as caught:
        fetch(request_of(inputs={"a": value}), url=f"{endpoint.url}/a/{{inputs.a}}")

    assert caught.value.billed is False and not endpoint.seen


@pytest.mark.parametrize(
    "config", [{"url": "/{inputs.a}"}, {"url": "/x?a={inputs.a}"}, {"method": "GET", "body": {"a": "inputs.a"}}]
)
def test_fetch_value_too_long_for_a_url_is_not_asked(
    endpoint: Any, fetch: Callable[..., Answer], request_of: RequestOf, config: dict[str, Any]
) -> None:
    """An applicant's long text costs nothing: as a call in doubt it would count as paid for."""
    with pytest.raises(SignalFailed, match="not asked: its URL would be too long") as caught:
        fetch(request_of(inputs={"a": "é" * 20_000}), **{**config, "url": endpoint.url + config.get("url", "")})

    assert (caught.value.reason_code, caught.value.billed) == ("BAD_INPUT", False) and not endpoint.seen


@pytest.mark.parametrize("where", ["/{inputs.a}", "/x?a={inputs.a}"])
def test_fetch_unknown_part_of_the_url_is_not_asked(
    endpoint: Any, fetch: Callable[..., Answer], request_of: RequestOf, where: str
) -> None:
    for inputs in ({}, {"a": None}):
        with pytest.raises(SignalFailed, match=r"not asked: `inputs\.a` is unknown") as caught:
            fetch(request_of(inputs=inputs), url=endpoint.url + where)

        assert (caught.value.reason_code, caught.value.billed) == ("INPUT_UNKNOWN", False)
    for several in ([1], {"b": 1}, "\ud800"):
        with pytest.raises(SignalFailed) as caught:
            fetch(request_of(inputs={"a": several}), url=endpoint.url + where)
        assert caught.value.billed is False
    assert not endpoint.seen


def test_fetch_face_goes_where_the_policy_says_so_and_nowhere_else(
    endpoint: Any, fetch: Callable[..., Answer], request_of: RequestOf, jpeg: bytes
) -> None:
    request = request_of(inputs={"a": 1})
    digest = request.face.digest if request.face else ""

    for body in ({"all": "@"}, {"all": "*"}, {"all": "values(@)"}, {"all": "to_string(@)"}, {"all": "[inputs, @]"}):
        fetch(request, body=body)
    fetch(request)
    fetch(request, method="GET", url=f"{endpoint.url}/{{merchant_biz_id}}")

    picture = base64.b64encode(jpeg)
    for seen in endpoint.seen:
        said = seen.body + seen.target.encode()
        assert digest.encode() not in said and picture[:40] not in said

    fetch(request, body={"picture": "face_base64", "digest": "face_digest"})
    assert json.loads(endpoint.seen[-1].body) == {"picture": picture.decode(), "digest": digest}


def test_fetch_large_face_is_encoded_in_a_thread(
    endpoint: Any, fetch: Callable[..., Answer], request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    encode = http_json.b64encode
    monkeypatch.setattr(
        http_json, "b64encode", lambda data: threads.append(threading.current_thread().name) or encode(data)
    )
    data = b"\xff\xd8" + bytes(range(256)) * 4000

    fetch(request_of(face=Face(data=data)), body={"picture": "face_base64"})

    assert base64.b64decode(json.loads(endpoint.seen[0].body)["picture"]) == data
    assert all(name.startswith("adjudge-http-json") for name in threads) and threads


@pytest.mark.parametrize("paths", [{}, {"score": "score"}, {"score": "[score, score][]"}])
def test_fetch_value_with_more_items_than_a_field_takes_is_unknown_alone(
    endpoint: Any, fetch: Callable[..., Answer], paths: dict[str, str]
) -> None:
    endpoint.body = json.dumps({"score": ["x"] * 30_000, "emulator": True}).encode()

    answer = fetch(paths=paths)

    assert isinstance(answer["score"], Unusable) and answer["emulator"] is True


@pytest.mark.parametrize("face", [None, Face(url="https://example.com/face.jpg")])
def test_fetch_face_that_is_not_at_hand_is_not_asked(endpoint: Any, ask: Ask, request_of: RequestOf, face: Any) -> None:
    request = structs.replace(request_of(), face=face)

    with pytest.raises(SignalFailed, match="not asked: the") as caught:
        ask(HTTP_JSON, {"url": endpoint.url, "body": {"p": "face_base64"}}, request, fields=FIELDS)

    assert caught.value.billed is False and not endpoint.seen


def test_provider_names_what_it_uses_of_the_operators() -> None:
    config = {"url": "https://Risk.Internal:8443/{inputs.a}", "headers": {"a": "x ${ONE}${TWO}"}, "price": 0.000063}

    assert HTTP_JSON.uses(config) == Uses(
        environment=frozenset({"ONE", "TWO"}), hosts=frozenset({"risk.internal:8443"})
    )
    assert HTTP_JSON.uses({"url": "http://[::1]:80/"}).hosts == {"[::1]:80"}
    assert HTTP_JSON.price_of(config) == Decimal("0.000063")
    assert HTTP_JSON.price_of({"url": "https://h"}) is None
    assert HTTP_JSON.account(config) != HTTP_JSON.account({**config, "url": "https://risk.internal:8443/other"})


def test_fetch_input_without_a_form_in_json_is_refused(
    endpoint: Any, fetch: Callable[..., Answer], request_of: RequestOf
) -> None:
    with pytest.raises(SignalFailed, match="no form in JSON"):
        fetch(request_of(inputs={"a": object()}))

    assert not endpoint.seen


def test_fetch_duration_has_a_form_in_json(endpoint: Any, fetch: Callable[..., Answer], request_of: RequestOf) -> None:
    fetch(request_of(inputs={"age": timedelta(hours=1)}), body={"age": "inputs.age"})

    assert json.loads(endpoint.seen[0].body) == {"age": "PT3600S"}


@pytest.mark.parametrize(
    ("status", "body", "headers", "reason_code", "kind"),
    [
        (404, b"{}", {}, "HTTP_404", "error"),
        (500, b"{}", {}, "HTTP_500", "unavailable"),
        (429, b"{}", {}, "HTTP_429", "unavailable"),
        (302, b"{}", {"location": "/elsewhere"}, "HTTP_302", "error"),
        (200, b"<html>", {}, "BAD_ANSWER", "error"),
        (200, b"", {}, "BAD_ANSWER", "error"),
        (200, b"[" * 100_000, {}, "BAD_ANSWER", "error"),
        (200, b'{"score": NaN}', {}, "BAD_ANSWER", "error"),
        (200, b'{"score": 95, "emulator": false, "score": 5}', {}, "BAD_ANSWER", "error"),
        (200, b'{"score": 5, "other": [{"a": 1, "a": 1}]}', {}, "BAD_ANSWER", "error"),
        (200, b"{}", {"content-length": "9" * 5000}, "CONNECTION_FAILED", "unavailable"),
        (200, b'"' + b"x" * 1024 * 1024, {}, "ANSWER_TOO_LARGE", "error"),
        (200, b"{}", {"content-encoding": "gzip"}, "BAD_ANSWER", "error"),
        (200, None, {}, "CONNECTION_FAILED", "unavailable"),
    ],
)
def test_fetch_other_answers_are_failed_signals(
    endpoint: Any,
    fetch: Callable[..., Answer],
    status: int,
    body: bytes | None,
    headers: dict[str, str],
    reason_code: str,
    kind: str,
) -> None:
    endpoint.status, endpoint.body, endpoint.headers = status, body, headers

    with pytest.raises(SignalFailed) as caught:
        fetch()

    assert (caught.value.reason_code, caught.value.kind) == (reason_code, kind)
    assert len(endpoint.seen) == 1


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 5000, "1" + "0" * 400])
def test_fetch_number_past_a_double_is_unknown_alone_and_named(endpoint: Any, number: str) -> None:
    endpoint.body = f'{{"result": {{"score": {number}, "n": {number}}}, "emulator": true}}'.encode()
    policy = f"""
policy_language: 1
policy: p
signals:
  device:
    provider: http.json
    with: {{url: "{endpoint.url}", paths: {{score: result.score, n: "max([result.n, `5`])"}}}}
    fields: {{score: double, n: int, emulator: bool}}
rules:
  - {{id: emulator, when: device.emulator, then: reject}}
thresholds: {{device.score: {{review: 70}}}}
"""
    decision = decide_once(policy, providers=[HTTP_JSON])

    assert decision.outcome == "reject" and decision.signals["device"].fields["emulator"] is True
    assert any(note.startswith("device.score ") for note in decision.notes)
    assert decision.signals["device"].fields["score"] is None


@pytest.mark.parametrize("path", ["sum([n, `0.5`])", "avg([n])", "max([n, `5`])", "abs(n)", "floor(n)"])
def test_fetch_integer_of_too_many_digits_makes_no_number(
    endpoint: Any, fetch: Callable[..., Answer], path: str
) -> None:
    """It is read as one that is past every number, and what is reckoned from it is not to look like a smaller one."""
    endpoint.body = f'{{"n": {"9" * 500}}}'.encode()
    policy = f"""
policy_language: 1
policy: p
signals: {{d: {{provider: http.json, with: {{url: "{endpoint.url}", paths: {{x: "{path}"}}}}, fields: {{x: double}}}}}}
thresholds: {{d.x: {{review: 70}}}}
"""
    signal = decide_once(policy, providers=[HTTP_JSON]).signals["d"]
    assert signal.fields == {"x": None} and signal.problems


def test_fetch_what_takes_long_is_read_in_a_thread_and_each_path_has_work_of_its_own(
    endpoint: Any, fetch: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[bool] = set()
    find = JsonPath.find

    def seen(self: JsonPath, *arguments: Any) -> object:
        threads.add(threading.current_thread() is threading.main_thread())
        return find(self, *arguments)

    monkeypatch.setattr(JsonPath, "find", seen)
    items = ",".join('{"a": 1}' for _ in range(1500))
    endpoint.body = f'{{"items": [{items}]}}'.encode()
    paths = {"score": "length(items[?a == `1`])", "emulator": "contains(to_string(items), 'x')"}

    assert fetch(paths=paths, body={}) == {"score": 1500, "emulator": False, "os": None}
    assert threads == {True, False}, "it began here, and went on elsewhere"
    endpoint.body += b" " * 20_000
    threads.clear()
    paths["score"] = "length(map(&to_string([@,@,@,@]), items[].[@,@,@,@][]))"
    answer = fetch(paths=paths, body={})
    assert isinstance(answer["score"], Unusable) and answer["emulator"] is False
    assert threads == {False}


ABSENT = """
policy_language: 1
policy: p
signals:
  device:
    provider: http.json
    with:
      url: "{url}"
      paths: {{vpn: result.flags.vpn, worst: "max(result.hits[*].score)", first: "abs(result.first)"}}
    fields:
      rooted: {{type: bool, absent: false}}
      vpn: {{type: bool, absent: false, within: result.flags}}
      worst: {{type: double, absent: 0, within: result}}
      first: {{type: double, absent: 7}}
rules: [{{id: r, when: device.rooted || device.vpn || device.worst + device.first > 9.0, then: review}}]
"""


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (
            b'{"result": {"flags": {}, "hits": [], "first": 1}}',
            {"rooted": False, "vpn": False, "worst": 0.0, "first": 1.0},
        ),
        (
            b'{"result": {"flags": {"vpn": null}, "hits": [{"score": 4}], "first": -1}}',
            {"rooted": False, "vpn": False, "worst": 4.0, "first": 1.0},
        ),
        (
            b'{"result": {"flags": {"vpn": true}, "hits": []}, "rooted": true}',
            {"rooted": True, "vpn": True, "worst": 0.0, "first": None},
        ),
        (
            b'{"result": {"flags": [], "hits": "none", "first": "x"}, "rooted": 1}',
            {"rooted": 1, "vpn": None, "worst": None, "first": None},
        ),
        (b'{"error": "quota"}', {"rooted": False, "vpn": None, "worst": None, "first": None}),
        (b"[]", {"rooted": None, "vpn": None, "worst": None, "first": None}),
        (b"null", {"rooted": None, "vpn": None, "worst": None, "first": None}),
    ],
)
def test_fetch_field_left_out_of_its_object_is_its_absent_and_no_other_is(
    endpoint: Any, body: bytes, fields: dict[str, object]
) -> None:
    endpoint.body = body

    signal = decide_once(ABSENT.format(url=endpoint.url), providers=[HTTP_JSON]).signals["device"]

    assert {name: signal.fields.get(name) for name in fields} == fields


def test_check_within_that_is_no_path_is_refused() -> None:
    declared = parse_fields({"a": {"type": "bool", "absent": False, "within": "result..flags"}})

    with pytest.raises(ProviderConfigError, match=r"the `within` of `a`"):
        HTTP_JSON.check({"url": "https://h"}, declared)


def test_fetch_slow_answer_is_a_timeout(endpoint: Any, fetch: Callable[..., Answer]) -> None:
    endpoint.delay_s = 60

    with pytest.raises(SignalFailed) as caught:
        fetch(seconds=0.2)

    assert caught.value.kind == "timeout"


def test_fetch_name_that_does_not_resolve_is_unavailable(ask: Ask, request_of: RequestOf) -> None:
    with pytest.raises(SignalFailed) as caught:
        ask(HTTP_JSON, {"url": "http://nowhere.invalid/"}, request_of(), fields=FIELDS)

    assert caught.value.kind == "unavailable"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_fetch_name_that_leads_to_where_a_cloud_hands_out_keys_is_sent_nothing(
    endpoint: Any, ask: Ask, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setattr(cloud_metadata, "ADDRESSES", frozenset({"127.0.0.1"}))
    url = endpoint.url.replace("127.0.0.1", "localhost").replace("http:", f"{scheme}:")
    with pytest.raises(SignalFailed) as caught:
        ask(HTTP_JSON, {"url": url}, request_of(), fields=FIELDS)
    assert (caught.value.kind, caught.value.reason_code, caught.value.billed) == ("misconfigured", "NOT_ALLOWED", False)
    assert endpoint.seen == []
    if scheme == "http":
        ask(HTTP_JSON, {"url": endpoint.url}, request_of(), fields=FIELDS)
        assert len(endpoint.seen) == 1, "an address itself is allowed, or refused, before it is asked"


def test_fetch_plain_http_answer_to_https_is_unavailable(endpoint: Any, ask: Ask, request_of: RequestOf) -> None:
    with pytest.raises(SignalFailed) as caught:
        ask(HTTP_JSON, {"url": endpoint.url.replace("http:", "https:")}, request_of(), fields=FIELDS)

    assert (caught.value.kind, caught.value.reason) == ("unavailable", "TLS failed")


def test_headers_take_secrets_from_the_environment(
    endpoint: Any, fetch: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVICE_TOKEN", "t0ken")

    fetch(
        headers={"Authorization": "Bearer ${DEVICE_TOKEN}", "x-team": "risk", "Content-Type": "application/risk+json"}
    )

    headers = endpoint.seen[0].headers
    assert (headers["authorization"], headers["x-team"]) == ("Bearer t0ken", "risk")
    assert headers["content-type"] == "application/risk+json"


@pytest.mark.parametrize("value", [None, "", "two\nlines", "é"])
def test_headers_secret_that_is_missing_or_damaged_is_a_failed_signal(
    endpoint: Any, fetch: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv("DEVICE_TOKEN", value)

    with pytest.raises(SignalFailed, match="DEVICE_TOKEN") as caught:
        fetch(headers={"authorization": "${DEVICE_TOKEN}"})

    assert not value or value not in str(caught.value)
    assert not endpoint.seen


def test_secrets_stand_in_no_repr_log_or_traceback(
    endpoint: Any,
    fetch: Callable[..., Answer],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("DEVICE_TOKEN", "canary")
    config = {"url": endpoint.url, "headers": {"authorization": "${DEVICE_TOKEN}"}}

    async def shown() -> str:
        client = HTTP_JSON.open(config)
        await client.aclose()
        return repr(client)

    endpoint.body = None
    with pytest.raises(SignalFailed) as caught:
        fetch(headers=config["headers"])

    said = asyncio.run(shown()) + "".join(traceback.format_exception(caught.value)) + caplog.text
    assert endpoint.seen[0].headers["authorization"] == "canary"
    assert "canary" not in said


def test_what_an_applicant_said_stands_in_no_log_of_the_client(
    endpoint: Any, fetch: Callable[..., Answer], request_of: RequestOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    fetch(request_of(inputs={"email": "canary"}), url=f"{endpoint.url}/{{inputs.email}}?q={{inputs.email}}")
    assert endpoint.seen[0].target == "/canary?q=canary"
    assert "canary" not in caplog.text
    httpx.get(endpoint.url + "/others", trust_env=False)
    assert "/others" in caplog.text, "what others ask is theirs to log"


@pytest.mark.parametrize(
    ("config", "path", "hint"),
    [
        ({}, (), "write `url: https://risk.internal/device`"),
        ({"url": 7}, ("url",), None),
        ({"url": "ftp://h"}, ("url",), None),
        ({"url": "https://"}, ("url",), None),
        ({"url": "https://h:99999"}, ("url",), None),
        ({"url": "https://h/a b"}, ("url",), None),
        ({"url": "https://user:secret@h"}, ("url",), "send it in `headers`, as `${NAME}`"),
        ({"url": "https://h", "metod": "GET"}, ("metod",), "did you mean `method`?"),
        ({"url": "https://h", "method": "PUT"}, ("method",), "one of POST, GET"),
        ({"url": "https://h", "headers": []}, ("headers",), None),
        ({"url": "https://h", "headers": {"a b": "x"}}, ("headers", "a b"), None),
        ({"url": "https://h", "headers": {"a": "x\ny"}}, ("headers", "a"), None),
        ({"url": "https://h", "headers": {"a": 7}}, ("headers", "a"), None),
        ({"url": "https://h", "headers": {"a": " x"}}, ("headers", "a"), None),
        ({"url": "https://h", "headers": {"a": "x\r\nhost: evil"}}, ("headers", "a"), None),
        ({"url": "https://h", "headers": {"a\r\nhost": "x"}}, ("headers", "a\r\nhost"), None),
        ({"url": "https://h", "headers": {"x-a": "1", "X-A": "2"}}, ("headers", "X-A"), None),
        ({"url": "https://h", "headers": {"content-type": "text/plain"}}, ("headers", "content-type"), None),
        (
            {"url": "https://h", "method": "GET", "headers": {"content-type": "application/json"}},
            ("headers", "content-type"),
            None,
        ),
        *(
            (
                {"url": "https://h", "headers": {name: "x"}},
                ("headers", name),
                "delete it; it says how the request is sent",
            )
            for name in ("Host", "content-length", "Transfer-Encoding", "connection", "TE", "Upgrade", "Expect")
        ),
        ({"url": "https://{inputs.host}/"}, ("url",), None),
        ({"url": "{inputs.url}"}, ("url",), None),
        ({"url": "https://h:{inputs.port}/"}, ("url",), None),
        ({"url": "https://h/{inputs}"}, ("url",), "inputs.<name>, merchant_biz_id, scene_code, face_digest"),
        ({"url": "https://h/{face_base64}"}, ("url",), None),
        ({"url": "https://h/{inputs.a"}, ("url",), "write `{inputs.account_id}`"),
        ({"url": "https://h/inputs.a}"}, ("url",), "write `{inputs.account_id}`"),
        ({"url": "https://h\\@evil/"}, ("url",), None),
        ({"url": "https://h\t/"}, ("url",), None),
        ({"url": "https://risk.internal[::1]"}, ("url",), None),
        ({"url": "https://[::1].evil.example"}, ("url",), None),
        ({"url": "https://[::1]:80[::2]/"}, ("url",), None),
        ({"url": "https://[::g]"}, ("url",), None),
        ({"url": "https://1127.0.0.1"}, ("url",), None),
        ({"url": "https://a..b"}, ("url",), None),
        ({"url": "https://ｈ.example/"}, ("url",), None),
        ({"url": "file:///etc/passwd"}, ("url",), None),
        ({"url": "unix:/run/docker.sock"}, ("url",), None),
        ({"url": "https://h", "body": {"face": "[face_base64]"}}, ("body", "face"), "write `face: face_base64`"),
        (
            {"url": "https://h", "method": "GET", "body": {"face": "face_base64"}},
            ("body", "face"),
            "write `method: POST`",
        ),
        ({"url": "https://h", "price": 0}, ("price",), "such as 0.05"),
        ({"url": "https://h", "price": True}, ("price",), None),
        ({"url": "https://h", "price": "0.05"}, ("price",), None),
        ({"url": "https://h", "price": float("nan")}, ("price",), None),
        ({"url": "https://h", "headers": {"a": "${lower-case}"}}, ("headers", "a"), None),
        ({"url": "https://h", "paths": {"scoer": "x"}}, ("paths", "scoer"), "did you mean `score`?"),
        ({"url": "https://h", "paths": {"score": "a..b"}}, ("paths", "score"), None),
        ({"url": "https://h", "paths": {"score": "nothing(a)]"}}, ("paths", "score"), None),
        ({"url": "https://h", "paths": {"score": ["a"]}}, ("paths", "score"), None),
        ({"url": "https://h", "body": {"mail": "inputs."}}, ("body", "mail"), None),
    ],
)
def test_check_wrong_configuration_is_refused_at_its_key(
    config: dict[str, Any], path: tuple[str, ...], hint: str | None
) -> None:
    with pytest.raises(ProviderConfigError) as caught:
        HTTP_JSON.check(config, FIELDS)

    assert caught.value.path == path
    if hint:
        assert caught.value.hint == hint
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("a..b", "`a..b` is not JMESPath: look at character 3"),
        ("a.", "`a.` is not JMESPath: look at character 2"),
        ("a[?", "`a[?` is not JMESPath: look at character 3"),
        ("a #", "`a #` is not JMESPath"),
    ],
)
def test_check_wrong_path_says_where_in_it_to_look(expression: str, said: str) -> None:
    with pytest.raises(ProviderConfigError) as caught:
        HTTP_JSON.check({"url": "https://h", "paths": {"score": expression}}, FIELDS)

    assert caught.value.message.startswith(said)
