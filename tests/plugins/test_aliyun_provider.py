"""`aliyun.deepfake` asked over a real connection: the sandbox where it answers, a loopback server where it does not."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from adjudge.model import Face, Request
from adjudge.plugin import Answer, Context, ProviderConfigError, SignalFailed
from adjudge.values.reading import read
from adjudge_plugins.aliyun.endpoint import OPEN_PLATFORM, read_endpoint
from adjudge_plugins.aliyun.meaning import MEANINGS
from adjudge_plugins.aliyun.provider import DEEPFAKE, FIELDS
from adjudge_plugins.aliyun.sandbox import Sandbox
from adjudge_plugins.aliyun.sandbox.scenario import Scenario, read_scenario
from adjudge_plugins.aliyun.signing import SANDBOX_CREDENTIALS, Credentials
from adjudge_plugins.aliyun.vocabulary import RETURN_CODES

Ask = Callable[..., Answer]
RequestOf = Callable[..., Request]
DETECT, STREAM, MAINLAND = "DeepfakeDetectIntl", "DeepfakeDetectIntlStream", "DeepfakeDetect"
BIG = 1_000_001
FORGED = {
    "result": "high",
    "tags": ["SuspectRemake"],
    "novel_tags": ["SuspectHologram"],
    "score": {"SuspectRemake": 0.97},
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def failing(ask: Ask, request_of: RequestOf) -> Callable[..., SignalFailed]:
    def run(config: dict[str, Any], **facts: Any) -> SignalFailed:
        with pytest.raises(SignalFailed) as caught:
            ask(DEEPFAKE, config, facts.pop("request", None) or request_of(), **facts)
        return caught.value

    return run


def test_fetch_forged_face_gives_every_field(sandbox: Sandbox, ask: Ask, request_of: RequestOf) -> None:
    request = request_of()
    sandbox.scenario = read_scenario({"merchant_biz_id": {request.merchant_biz_id: FORGED}})

    answer = ask(DEEPFAKE, {"endpoint": sandbox.url}, request)

    assert answer["result"] == "high"
    assert answer["novel_tags"] == ["SuspectHologram"]
    assert answer["score"] == {"SuspectHologram": None, "SuspectRemake": 0.97}
    assert read(FIELDS["tags"], answer["tags"]).value == ("SuspectRemake",)
    assert set(answer) == set(FIELDS)


@pytest.mark.parametrize(
    ("config", "operation", "uploads"),
    [
        ({}, DETECT, False),
        ({"upload": "base64"}, DETECT, False),
        ({"operation": DETECT}, DETECT, False),
        ({"operation": MAINLAND}, MAINLAND, False),
        ({"operation": STREAM}, STREAM, False),
        ({"operation": STREAM, "upload": "base64"}, STREAM, False),
        ({"operation": STREAM, "upload": "stream"}, STREAM, True),
        ({"upload": "stream"}, STREAM, True),
    ],
)
@pytest.mark.parametrize("form", ["image", "url"])
def test_fetch_each_configuration_reaches_its_operation(
    sandbox: Sandbox,
    ask: Ask,
    request_of: RequestOf,
    jpeg: bytes,
    config: dict[str, str],
    operation: str,
    uploads: bool,
    form: str,
) -> None:
    face = Face.from_bytes(jpeg) if form == "image" else Face.from_url("https://media.example/a b/é~*(1)+.jpg?q=%20&r=")
    sandbox.scenario = read_scenario({"media": {face.digest: FORGED}})
    if form == "url" and "operation" not in config:
        operation = DETECT

    answer = ask(DEEPFAKE, {"endpoint": sandbox.url, **config}, request_of(face))

    assert answer["result"] == "high", "the sandbox saw other media than were sent"
    assert sandbox.stats()["by_operation"] == {operation: {"calls": 1, "billed": 1}}


@pytest.mark.parametrize("size", [1024, 16384, BIG])
def test_fetch_uploaded_image_arrives_byte_for_byte(
    sandbox: Sandbox, ask: Ask, request_of: RequestOf, size: int
) -> None:
    face = Face.from_bytes((b"\xff\xd8" + b"\r\n--\x00" * size)[:size])
    sandbox.scenario = read_scenario({"media": {face.digest: FORGED}})
    config = {"endpoint": sandbox.url, "upload": "stream", "preflight": "off"}

    assert ask(DEEPFAKE, config, request_of(face))["result"] == "high"


def test_fetch_large_image_is_uploaded_unless_the_operation_forbids(
    sandbox: Sandbox, ask: Ask, request_of: RequestOf, jpeg: bytes
) -> None:
    request = request_of(Face.from_bytes(jpeg.ljust(BIG, b"\0")))

    ask(DEEPFAKE, {"endpoint": sandbox.url, "preflight": "off"}, request)
    ask(DEEPFAKE, {"endpoint": sandbox.url, "preflight": "off", "operation": DETECT}, request)

    assert {name: count["calls"] for name, count in sandbox.stats()["by_operation"].items()} == {STREAM: 1, DETECT: 1}


def test_fetch_video_from_memory_is_uploaded(sandbox: Sandbox, ask: Ask, request_of: RequestOf, mp4: bytes) -> None:
    config = {"endpoint": sandbox.url, "preflight": "off"}
    assert ask(DEEPFAKE, config, request_of(Face.from_bytes(mp4)))["result"] == "low"
    assert list(sandbox.stats()["by_operation"]) == [STREAM]


@pytest.mark.parametrize("config", [{"operation": DETECT}, {"upload": "base64"}])
def test_fetch_video_without_a_way_is_refused_before_any_call(
    sandbox: Sandbox,
    failing: Callable[..., SignalFailed],
    request_of: RequestOf,
    mp4: bytes,
    config: dict[str, str],
) -> None:
    config = {"endpoint": sandbox.url, "preflight": "off", **config}
    failed = failing(config, request=request_of(Face.from_bytes(mp4)))

    assert failed.reason_code == "MEDIA_NOT_SUPPORTED"
    assert sandbox.stats()["calls"] == 0


def test_fetch_without_a_face_is_refused(sandbox: Sandbox, failing: Callable[..., SignalFailed]) -> None:
    request = Request(merchant_biz_id="0" * 32, scene_code="s")

    assert failing({"endpoint": sandbox.url}, request=request).reason_code == "NO_FACE"


@pytest.mark.parametrize("code", RETURN_CODES)
def test_fetch_every_return_code_is_a_failed_signal(
    sandbox: Sandbox, failing: Callable[..., SignalFailed], code: str
) -> None:
    sandbox.scenario = read_scenario({"default": {"code": code}})

    failed = failing({"endpoint": sandbox.url})
    known = MEANINGS[code]

    assert (failed.kind, failed.billed, failed.capture_again) == (known.kind, known.billed, known.capture_again)
    assert failed.reason.startswith(f"answered {code}")
    assert failed.request_id
    assert sandbox.stats()["billed"] == 0


def test_fetch_parameters_stand_where_each_operation_wants_them(
    endpoint: Any, failing: Callable[..., SignalFailed], request_of: RequestOf, jpeg: bytes
) -> None:
    failing({"endpoint": endpoint.url, "scene_code": "other"})
    failing({"endpoint": endpoint.url, "operation": STREAM})
    failing({"endpoint": endpoint.url}, request=request_of(Face.from_url("https://m.example/f.jpg")))

    common = {
        "FaceInputType": ["IMAGE"],
        "MerchantBizId": [request_of().merchant_biz_id],
        "ProductCode": ["FACE_DEEPFAKE"],
    }
    picture = {"FaceBase64": [base64.b64encode(jpeg).decode()]}
    query = [parse_qs(urlsplit(seen.target).query) for seen in endpoint.seen]
    form = [parse_qs(seen.body.decode()) for seen in endpoint.seen]
    assert (query[0], form[0]) == (common | {"SceneCode": ["other"]}, picture)
    assert (query[1], form[1]) == ({}, common | picture | {"SceneCode": ["onboard001"]})
    assert (query[2], form[2]) == (
        common | {"SceneCode": ["onboard001"], "FaceUrl": ["https://m.example/f.jpg"]},
        {},
    )
    assert {seen.headers["content-type"] for seen in endpoint.seen} == {"application/x-www-form-urlencoded"}
    assert [seen.headers["x-acs-action"] for seen in endpoint.seen] == [DETECT, STREAM, DETECT]


@pytest.mark.parametrize(
    ("status", "body", "headers", "reason_code", "kind"),
    [
        (200, b"<html>", {}, "BAD_ANSWER", "unavailable"),
        (503, b"", {}, "BAD_ANSWER", "unavailable"),
        (302, b"{}", {"location": "http://127.0.0.1:9/"}, "HTTP_302", "error"),
        (200, b"{" + b" " * 1024 * 1024, {}, "ANSWER_TOO_LARGE", "error"),
        (200, b"\x1f\x8b", {"content-encoding": "gzip"}, "BAD_ANSWER", "error"),
        (200, None, {}, "CONNECTION_FAILED", "unavailable"),
        (200, b"{}", {"content-length": "90"}, "CONNECTION_FAILED", "unavailable"),
    ],
)
def test_fetch_broken_answer_is_a_failed_signal(
    endpoint: Any,
    failing: Callable[..., SignalFailed],
    status: int,
    body: bytes | None,
    headers: dict[str, str],
    reason_code: str,
    kind: str,
) -> None:
    endpoint.status, endpoint.body, endpoint.headers = status, body, headers

    failed = failing({"endpoint": endpoint.url})

    assert (failed.reason_code, failed.kind) == (reason_code, kind)
    assert len(endpoint.seen) == 1


def test_fetch_answer_of_exactly_the_bound_is_read(endpoint: Any, ask: Ask, request_of: RequestOf) -> None:
    body = b'{"Code":"200","ResultObject":{"Result":"0"}}'
    endpoint.body = body.ljust(1024 * 1024)

    assert ask(DEEPFAKE, {"endpoint": endpoint.url}, request_of())["result"] == "low"


def test_fetch_slow_answer_is_a_timeout(endpoint: Any, failing: Callable[..., SignalFailed]) -> None:
    endpoint.delay_s = 60

    assert failing({"endpoint": endpoint.url}, seconds=0.2).kind == "timeout"


def test_fetch_closed_connection_and_refused_connection_are_unavailable(
    sandbox: Sandbox, failing: Callable[..., SignalFailed]
) -> None:
    sandbox.scenario = read_scenario({"default": {"fault": "close"}})
    closed = failing({"endpoint": sandbox.url})
    with Sandbox() as gone:
        address = gone.url
    refused = failing({"endpoint": address})

    assert (closed.kind, refused.kind) == ("unavailable", "unavailable")
    assert refused.reason == "the connection was refused"


def test_fetch_clock_twenty_minutes_off_says_so(failing: Callable[..., SignalFailed]) -> None:
    with Sandbox(clock=lambda: datetime.now(UTC) + timedelta(minutes=20)) as sandbox:
        failed = failing({"endpoint": sandbox.url})

    assert (failed.reason_code, "clock" in failed.reason) == ("INVALID_TIME_STAMP_EXPIRED", True)


def test_fetch_many_at_once_share_one_client(sandbox: Sandbox, request_of: RequestOf) -> None:
    async def all_of_them() -> list[Answer]:
        client = DEEPFAKE.open({"endpoint": sandbox.url})
        contexts = [
            Context(
                request=request_of(merchant_biz_id=f"{number:032}"),
                signal="s",
                deadline=time.monotonic() + 120,
                now=datetime.now(UTC),
            )
            for number in range(60)
        ]
        try:
            return list(await asyncio.gather(*(client.fetch(context) for context in contexts)))
        finally:
            await client.aclose()

    sandbox.scenario = Scenario(merchant_biz_id={f"{7:032}": read_scenario({"default": FORGED}).default})

    results = [answer["result"] for answer in asyncio.run(all_of_them())]

    assert [at for at, result in enumerate(results) if result == "high"] == [7]


def test_fetch_upload_that_leads_elsewhere_sends_no_picture(
    endpoint: Any, failing: Callable[..., SignalFailed]
) -> None:
    grant = (
        b'{"AccessKeyId":"k","Bucket":"evil","EncodedPolicy":"p","Endpoint":"example","ObjectKey":"o","Signature":"s"}'
    )
    endpoint.body = grant

    failed = failing({"endpoint": endpoint.url, "upload": "stream"})

    assert failed.reason == "the upload leads to a host that is not the vendor's"
    assert len(endpoint.seen) == 1


@pytest.mark.parametrize("key", ['k"ey', "k\r\ney", ""])
def test_fetch_upload_key_that_breaks_the_form_is_refused(
    endpoint: Any, failing: Callable[..., SignalFailed], key: str
) -> None:
    endpoint.body = json.dumps(
        {
            "AccessKeyId": "k",
            "Bucket": "http://127",
            "EncodedPolicy": "p",
            "Endpoint": f"0.0.1:{urlsplit(endpoint.url).port}",
        }
        | {"ObjectKey": key, "Signature": "s"}
    ).encode()

    assert failing({"endpoint": endpoint.url, "upload": "stream"}).reason_code == "BAD_ANSWER"
    assert len(endpoint.seen) == 1


def test_fetch_upload_that_is_refused_names_the_stores_code(
    sandbox: Sandbox, failing: Callable[..., SignalFailed], monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = sandbox._uploads.grant
    monkeypatch.setattr(sandbox._uploads, "grant", lambda port: {**grant(port), "Signature": "forged"})

    assert failing({"endpoint": sandbox.url, "upload": "stream"}).reason_code == "UPLOAD_SIGNATURE_DOES_NOT_MATCH"
    assert sandbox.stats()["calls"] == 0


# keys


def test_open_takes_keys_and_token_from_the_environment(
    ask: Ask, request_of: RequestOf, failing: Callable[..., SignalFailed], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Credentials(access_key_id="LTAIown", access_key_secret="own-secret")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", own.access_key_id)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", own.access_key_secret)
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "token+/==")
    with Sandbox(credentials=own) as sandbox:
        assert ask(DEEPFAKE, {"endpoint": sandbox.url}, request_of())["result"] == "low"
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "wrong")
        assert failing({"endpoint": sandbox.url}).reason_code == "SIGNATURE_DOES_NOT_MATCH"
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAIother")
        assert failing({"endpoint": sandbox.url}).reason_code == "INVALID_ACCESS_KEY_ID_NOT_FOUND"


def test_open_endpoint_of_the_environment_goes_before_the_policys(
    sandbox: Sandbox, ask: Ask, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADJUDGE_ALIYUN_ENDPOINT", sandbox.url)

    assert ask(DEEPFAKE, {"network": "vpc"}, request_of())["result"] == "low"


@pytest.mark.parametrize("address", ["http://risk.example", "https://host/path", "ftp://127.0.0.1"])
def test_open_wrong_endpoint_of_the_environment_is_a_failed_signal(
    failing: Callable[..., SignalFailed], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("ADJUDGE_ALIYUN_ENDPOINT", address)

    assert failing({}).reason_code == "ENDPOINT_WRONG"


def test_open_without_keys_never_calls_the_vendor(
    failing: Callable[..., SignalFailed], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert failing({}).kind == "misconfigured"
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAIonly")
    assert failing({}).reason_code == "CREDENTIALS_MISSING"


@pytest.mark.parametrize("damage", ["can\nary", "canaryé", "can\x7fary"])
def test_open_damaged_key_is_refused_without_being_shown(
    sandbox: Sandbox, failing: Callable[..., SignalFailed], monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", damage)

    failed = failing({"endpoint": sandbox.url})

    assert failed.reason_code == "CREDENTIALS_DAMAGED"
    assert "ary" not in str(failed)


def test_secrets_and_pictures_stand_in_no_repr_log_or_traceback(
    endpoint: Any,
    request_of: RequestOf,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAIcanary")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "canary-secret")
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "canary-token")
    endpoint.status, endpoint.body = 400, b'{"Code":"SignatureDoesNotMatch","Message":"canary-token"}'
    face = Face.from_bytes(b"\xff\xd8canary-picture")
    said = []

    async def run() -> None:
        client = DEEPFAKE.open({"endpoint": endpoint.url})
        context = Context(request=request_of(face), signal="s", deadline=time.monotonic() + 120, now=datetime.now(UTC))
        for body in (endpoint.body, None):
            endpoint.body = body
            try:
                await client.fetch(context)
            except SignalFailed as failed:
                said.append("".join(traceback.format_exception(failed)))
        said.append(f"{client!r} {client}")
        await client.aclose()

    asyncio.run(run())

    assert len(said) == 3
    assert "canary" not in "".join(said) + caplog.text
    picture = base64.b64encode(b"canary-picture").decode()[4:12]
    assert picture not in caplog.text


# configuration


@pytest.mark.parametrize(
    ("config", "path", "hint"),
    [
        ({"scene_cod": "s"}, ("scene_cod",), "did you mean `scene_code`?"),
        ({"scene_code": "eleven_chars"}, ("scene_code",), None),
        ({"scene_code": 7}, ("scene_code",), None),
        ({"operation": "DeepfakeDetectIntlstream"}, ("operation",), "did you mean `DeepfakeDetectIntlStream`?"),
        ({"upload": "form"}, ("upload",), "one of auto, base64, stream"),
        ({"operation": DETECT, "upload": "stream"}, ("upload",), f"write `operation: {STREAM}`"),
        ({"operation": MAINLAND, "upload": "stream"}, ("upload",), f"write `operation: {STREAM}`"),
        ({"operation": MAINLAND, "network": "vpc"}, ("network",), "name the host under `endpoint:`"),
        ({"operation": MAINLAND, "scene_code": "s"}, ("scene_code",), "delete it"),
        ({"preflight": "stirct"}, ("preflight",), "did you mean `strict`?"),
        ({"prepare": "yes"}, ("prepare",), None),
        ({"credentials": {"fil": "x"}}, ("credentials", "fil"), "did you mean `file`?"),
        ({"credentials": {"file": "x", "plugin": "y"}}, ("credentials", "plugin"), None),
        ({"credentials": {"access_key_secret": "x"}}, ("credentials", "access_key_secret"), None),
        ({"network": "vcp"}, ("network",), "did you mean `vpc`?"),
        ({"region": "ap/../x"}, ("region",), "such as ap-southeast-1"),
        ({"endpoint": "http://10.0.0.1"}, ("endpoint",), "write https, or 127.0.0.1"),
        ({"endpoint": "https://user:pw@host"}, ("endpoint",), None),
        ({"endpoint": "https://host?x=1"}, ("endpoint",), None),
        ({"endpoint": "https://host:99999"}, ("endpoint",), None),
        ({"endpoint": "https://"}, ("endpoint",), None),
    ],
)
def test_check_wrong_configuration_is_refused_at_its_key(
    config: dict[str, Any], path: tuple[str, ...], hint: str | None
) -> None:
    with pytest.raises(ProviderConfigError) as caught:
        DEEPFAKE.check(config, FIELDS)

    assert caught.value.path == path
    if hint:
        assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("config", "url", "platform"),
    [
        ({}, "https://cloudauth-intl.ap-southeast-1.aliyuncs.com", OPEN_PLATFORM),
        ({"network": "vpc"}, "https://cloudauth-intl-vpc.ap-southeast-1.aliyuncs.com", OPEN_PLATFORM),
        ({"region": "cn-hongkong"}, "https://cloudauth-intl.cn-hongkong.aliyuncs.com", OPEN_PLATFORM),
        ({"endpoint": "gateway.example:8443"}, "https://gateway.example:8443", OPEN_PLATFORM),
        ({"endpoint": "http://127.0.0.1:81/"}, "http://127.0.0.1:81", "http://127.0.0.1:81"),
        ({"endpoint": "http://[::1]:81"}, "http://[::1]:81", "http://[::1]:81"),
        ({"endpoint": "http://localhost:81"}, "http://localhost:81", "http://localhost:81"),
        ({"operation": MAINLAND}, "https://cloudauth.aliyuncs.com", OPEN_PLATFORM),
        ({"operation": MAINLAND, "region": "cn-beijing"}, "https://cloudauth.cn-beijing.aliyuncs.com", OPEN_PLATFORM),
    ],
)
def test_read_endpoint_names_both_hosts(config: dict[str, str], url: str, platform: str) -> None:
    DEEPFAKE.check(config, FIELDS)
    endpoint = read_endpoint(config)

    assert (endpoint.url, endpoint.open_platform) == (url, platform)


def test_provider_declares_its_price_and_what_it_reads() -> None:
    assert (str(DEEPFAKE.price), DEEPFAKE.currency, DEEPFAKE.latency_s) == ("0.4", "USD", 1.0)
    assert DEEPFAKE.billed
    assert DEEPFAKE.reads == {"face"}


def test_sandbox_credentials_are_the_documented_ones() -> None:
    assert SANDBOX_CREDENTIALS.access_key_id == "adjudge-sandbox"
    assert SANDBOX_CREDENTIALS.access_key_secret == "adjudge-sandbox-secret"
