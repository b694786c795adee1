"""The sandbox as a stranger's client sees it: three operations, an object store, a quota, and what it all costs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import trustme
from click.testing import CliRunner
from sandbox_calls import BIZ, MAINLAND, PARAMETERS, Caller, calling, connected, everything, raw_request, signed

from adjudge_plugins.aliyun.command import sandbox as command
from adjudge_plugins.aliyun.sandbox import Sandbox
from adjudge_plugins.aliyun.sandbox.media import MEDIA_MAX_BYTES
from adjudge_plugins.aliyun.sandbox.scenario import Reaction, Scenario, read_scenario
from adjudge_plugins.aliyun.signing import canonical_query
from adjudge_plugins.aliyun.vocabulary import RETURN_CODES

FORM = {name: value for name, value in PARAMETERS.items() if name != "FaceUrl"}
STREAM: dict[str, Any] = {"operation": "DeepfakeDetectIntlStream"}
MAINLAND_CALL: dict[str, Any] = {"operation": "DeepfakeDetect", "version": "2019-03-07"}
UPLOAD: dict[str, Any] = {"operation": "AuthorizeFileUpload", "version": "2019-12-19", "method": "GET"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def call(sandbox: Sandbox) -> Iterator[Caller]:
    with calling(sandbox) as caller:
        yield caller


def test_sandbox_genuine_call_is_low_risk(call: Caller) -> None:
    status, document = call()

    assert (status, document["Code"], document["Message"]) == (200, "Success", "success")
    assert document["ResultObject"] | {"TransactionId": ""} == {
        "Result": "0",
        "RiskTag": "",
        "RiskScore": {},
        "TransactionId": "",
    }


def test_sandbox_answer_has_the_scenarios_result_tags_and_scores(sandbox: Sandbox, call: Caller) -> None:
    sandbox.scenario = Scenario(
        default=Reaction(
            result="high",
            tags=("SuspectRemake", "SuspectPSFace"),
            novel_tags=("SuspectHologram", "SuspectRemake"),
            score={"SuspectRemake": 0.93, "SuspectTemple": 0.0126},
        )
    )

    outcome = call.outcome()

    assert outcome["Result"] == "1"
    assert outcome["RiskTag"] == "SuspectRemake,SuspectPSFace,SuspectHologram"
    assert outcome["RiskScore"] == {"SuspectRemake": "0.9300", "SuspectTemple": "0.0126"}


def test_sandbox_mainland_twin_has_its_own_id_and_its_own_code_of_success(sandbox: Sandbox, call: Caller) -> None:
    sandbox.scenario = read_scenario({"merchant_biz_id": {BIZ: {"result": "suspicious"}}})

    status, document = call(MAINLAND, **MAINLAND_CALL)

    assert (status, document["Code"], document["ResultObject"]["Result"]) == (200, "200", "2")
    assert sandbox.stats()["by_operation"] == {"DeepfakeDetect": {"calls": 1, "billed": 1}}
    assert sandbox.stats()["by_merchant_biz_id"] == {BIZ: {"calls": 1, "billed": 1}}


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        (PARAMETERS | {"ProductCode": ""}, "MissingParameter"),
        (PARAMETERS | {"ProductCode": "FACE"}, "InvalidParameter"),
        (PARAMETERS | {"SceneCode": ""}, "MissingParameter"),
        (PARAMETERS | {"SceneCode": "eleven_char"}, "InvalidParameter"),
        (PARAMETERS | {"SceneCode": "naïve"}, "InvalidParameter"),
        (PARAMETERS | {"MerchantBizId": ""}, "MissingParameter"),
        (PARAMETERS | {"MerchantBizId": "short"}, "InvalidParameter"),
        (PARAMETERS | {"FaceInputType": "AUDIO"}, "InvalidParameter"),
        (PARAMETERS | {"FaceUrl": ""}, "MissingParameter"),
        (PARAMETERS | {"FaceUrl": "file:///etc/passwd"}, "InvalidParameter"),
        (PARAMETERS | {"FaceBase64": "/9j/"}, "DataDuplication"),
        (PARAMETERS | {"FaceUrl": "", "FaceBase64": "data:image/jpeg;base64,/9j/"}, "InvalidParameter"),
        (PARAMETERS | {"FaceUrl": "", "FaceBase64": "/9j/", "FaceInputType": "VIDEO"}, "InvalidParameter"),
        (PARAMETERS | {"FaceUrl": "", "FaceBase64": "iVBORw0KGgo="}, "UnqualifiedPhoto"),
        (PARAMETERS | {"FaceUrl": "", "FaceFile": "http://127.0.0.1/none"}, "MissingParameter"),
    ],
)
def test_sandbox_wrong_parameter_or_media_is_refused_and_not_billed(
    sandbox: Sandbox, call: Caller, parameters: dict[str, str], code: str
) -> None:
    given = {name: value for name, value in parameters.items() if value}
    long = given.pop("FaceBase64", None)

    status, document = call(given, form={"FaceBase64": long} if long else None)

    assert (status, document["Code"]) == (RETURN_CODES[code], code)
    assert sandbox.stats()["by_end"] == {code: 1}
    assert sandbox.stats()["billed"] == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"OuterOrderNo": ""}, "MissingParameter"),
        ({"OuterOrderNo": BIZ + "0"}, "InvalidParameter"),
        ({"FaceUrl": ""}, "MissingParameter"),
    ],
)
def test_sandbox_mainland_parameters_are_its_own(call: Caller, changes: dict[str, str], code: str) -> None:
    given = {name: value for name, value in (MAINLAND | changes).items() if value}

    assert call.code(given, **MAINLAND_CALL) == code


def test_sandbox_too_large_an_image_is_refused(call: Caller) -> None:
    text = base64.b64encode(b"\xff\xd8".ljust(MEDIA_MAX_BYTES + 1, b"\0")).decode()

    assert call.code(FORM, form={"FaceBase64": text}) == "ToolargeImage"


@pytest.mark.parametrize("signs", ["+/=", "+/", "+", "none"])
def test_sandbox_base64_is_the_same_picture_however_it_was_escaped(sandbox: Sandbox, call: Caller, signs: str) -> None:
    """The short way of decoding a long form gives the same bytes as the general one."""
    picture = b"\xff\xd8" + bytes(range(256)) * 40
    digest = hashlib.sha256(picture).hexdigest()
    sandbox.scenario = read_scenario({"media": {digest: {"result": "high"}}})
    escaped = base64.b64encode(picture).decode()
    for sign in signs if signs != "none" else ():
        escaped = escaped.replace(sign, f"%{ord(sign):02X}" if len(signs) > 1 else f"%{ord(sign):02x}")
    body = f"FaceBase64={escaped}".encode()
    headers = signed(FORM, body, host=f"127.0.0.1:{sandbox.port}")

    answer = call.client.post(f"{sandbox.url}/?{canonical_query(FORM.items())}", headers=headers, content=body).json()

    if signs == "none":
        assert answer["Code"] == "InvalidParameter", "an unescaped plus is a space"
    else:
        assert answer["ResultObject"]["Result"] == "1"


# the object store


def test_sandbox_stream_file_that_was_never_uploaded_cannot_be_fetched(call: Caller) -> None:
    form = FORM | {"FaceFile": "http://127.0.0.1/sandbox/none/face"}

    assert call.code({}, form=form, **STREAM) == "DownloadTimeout"


def upload(call: Caller, changes: dict[str, str | None] | None = None) -> tuple[httpx.Response, str]:
    """Ask for permission and upload a file with it; `changes` are made to the form. Returns the object's key too."""
    grant = call({}, **UPLOAD)[1]
    form: dict[str, str | None] = {
        "OSSAccessKeyId": grant["AccessKeyId"],
        "Signature": grant["Signature"],
        "key": grant["ObjectKey"],
        "policy": grant["EncodedPolicy"],
        "file": "\xff\xd8",
    }
    parts = {name: (None, value) for name, value in (form | (changes or {})).items() if value is not None}
    return call.client.post(call.sandbox.url, files=parts), grant["ObjectKey"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"OSSAccessKeyId": "other"}, "InvalidAccessKeyId"),
        ({"Signature": "other"}, "SignatureDoesNotMatch"),
        ({"policy": "e30="}, "SignatureDoesNotMatch"),
        ({"key": "another"}, "AccessDenied"),
        ({"key": None}, "MalformedPOSTRequest"),
        ({"file": None}, "MalformedPOSTRequest"),
    ],
)
def test_sandbox_upload_without_permission_is_refused(
    sandbox: Sandbox, call: Caller, changes: dict[str, str | None], code: str
) -> None:
    response, _ = upload(call, changes)

    assert response.status_code >= 400
    assert response.headers["content-type"] == "application/xml"
    assert f"<Code>{code}</Code>" in response.text
    assert sandbox.stats()["uploads"] == {"authorized": 1, f"refused {code}": 1}


def test_sandbox_upload_permission_ends(sandbox: Sandbox, call: Caller) -> None:
    sandbox._uploads._clock = lambda: datetime.now(UTC) - timedelta(hours=2)
    grant = call({}, **UPLOAD)[1]
    sandbox._uploads._clock = lambda: datetime.now(UTC)
    form = {
        "OSSAccessKeyId": grant["AccessKeyId"],
        "Signature": grant["Signature"],
        "key": grant["ObjectKey"],
        "policy": grant["EncodedPolicy"],
        "file": "x",
    }

    response = call.client.post(sandbox.url, files={name: (None, value) for name, value in form.items()})

    assert "<Code>AccessDenied</Code>" in response.text


@pytest.mark.parametrize(
    "place", ["http://{host}/", "https://{host}/", "http://http://{host}/", "http://bucket.example/"]
)
def test_sandbox_uploaded_file_is_found_by_its_key_whatever_stands_before_it(
    sandbox: Sandbox, call: Caller, place: str
) -> None:
    _, key = upload(call, {"file": "\x7f"})
    form = FORM | {"FaceFile": place.format(host=f"127.0.0.1:{sandbox.port}") + key}

    assert call.code({}, form=form, **STREAM) == "UnqualifiedPhoto", "the file's own bytes were not looked at"


def test_sandbox_newest_uploads_are_kept_within_bounds(
    sandbox: Sandbox, call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adjudge_plugins.aliyun.sandbox.upload_store._KEPT_MAX_BYTES", 10)
    keys = [upload(call, {"file": "four"})[1] for _ in range(3)]

    assert [sandbox._uploads.find(f"http://x/{key}") is not None for key in keys] == [False, True, True]


# what it counts, and the quota


def test_sandbox_stats_count_calls_and_billed_calls(sandbox: Sandbox, call: Caller) -> None:
    other = "f" * 32
    sandbox.scenario = read_scenario({"merchant_biz_id": {other: {"code": "NoFaceDetected"}}})
    call()
    call()
    call(PARAMETERS | {"MerchantBizId": other})
    call(spoil=lambda headers: headers.pop("Authorization"))
    call({name: value for name, value in PARAMETERS.items() if name != "SceneCode"}, form={"SceneCode": "s"})

    stats = httpx.get(f"{sandbox.url}/_sandbox/stats", trust_env=False).json()

    assert stats == {
        "calls": 4,
        "billed": 3,
        "by_operation": {"DeepfakeDetectIntl": {"calls": 4, "billed": 3}},
        "by_merchant_biz_id": {BIZ: {"calls": 3, "billed": 3}, other: {"calls": 1, "billed": 0}},
        "by_end": {"Success": 3, "NoFaceDetected": 1},
        "refused": {"IncompleteSignature": 1},
        "uploads": {},
        "misplaced": {"DeepfakeDetectIntl SceneCode": 1},
        "in_flight": 0,
        "most_in_flight": 1,
    }


def test_sandbox_stats_keep_the_newest_ids(sandbox: Sandbox, call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjudge_plugins.aliyun.sandbox.stats.IDS_KEPT", 2)
    for number in range(3):
        call(PARAMETERS | {"MerchantBizId": f"{number:032}"})

    assert list(sandbox.stats()["by_merchant_biz_id"]) == [f"{number:032}" for number in (1, 2)]
    assert sandbox.stats()["calls"] == 3


def test_sandbox_quota_is_of_one_operation_in_one_second_of_the_clock() -> None:
    now = datetime(2026, 1, 15, 8, 30, 0, 250_000, UTC)
    scenario = read_scenario({"throttle": {"per_second": 2}, "switches": {"retry_after": "on"}})
    with Sandbox(scenario=scenario, clock=lambda: now) as sandbox, calling(sandbox) as call:
        assert [call.code(at=now) for _ in range(3)] == ["Success", "Success", "Throttling.Api"]
        assert call.answered is not None
        assert call.answered.status_code == 403
        assert call.answered.headers["x-acs-retry-after"] == "750"
        assert call.code({}, form=PARAMETERS, at=now, **STREAM) == "Success", "another operation has its own quota"
        assert call.code(PARAMETERS | {"SceneCode": "-"}, at=now) == "Throttling.Api", "the quota is looked at first"
        now += timedelta(milliseconds=750)
        assert call.code(at=now) == "Success"
        assert sandbox.stats()["billed"] == 4
        assert sandbox.stats()["by_end"] == {"Success": 4, "Throttling.Api": 2}


def test_sandbox_order_is_followed_call_by_call_and_begins_anew_with_a_new_scenario(
    sandbox: Sandbox, call: Caller
) -> None:
    scenario = read_scenario(
        {"order": [{"code": "InternalError"}, {"result": "high"}], "merchant_biz_id": {BIZ: {"result": "suspicious"}}}
    )
    sandbox.scenario = scenario
    ends = [call() for _ in range(3)]
    sandbox.scenario = scenario

    assert [status for status, _ in ends] == [500, 200, 200]
    assert [document["ResultObject"]["Result"] for _, document in ends[1:]] == ["1", "2"]
    assert call.code() == "InternalError"


def test_sandbox_call_with_a_wrong_parameter_takes_no_turn_of_the_order(sandbox: Sandbox, call: Caller) -> None:
    sandbox.scenario = read_scenario({"order": [{"code": "InternalError"}]})

    assert call.code(PARAMETERS | {"SceneCode": "-"}) == "InvalidParameter"
    assert call.code() == "InternalError"


# time


def test_sandbox_five_hundred_slow_calls_wait_side_by_side() -> None:
    """None is answered before the last one is there: one after the other, the second would never come to its turn."""

    async def at_once(sandbox: Sandbox) -> None:
        requests = [raw_request(PARAMETERS | {"MerchantBizId": f"{number:032}"}) for number in range(500)]

        async def one(request: bytes) -> asyncio.StreamWriter:
            _, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
            writer.write(request)
            return writer

        writers = await asyncio.gather(*(one(request) for request in requests))
        while sandbox.stats()["in_flight"] < 500:
            await asyncio.sleep(0.01)
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers))

    with Sandbox(scenario=Scenario(latency_s=3600)) as sandbox:
        asyncio.run(at_once(sandbox))
        stats = sandbox.stats()

    assert (stats["billed"], stats["most_in_flight"]) == (500, 500)


def test_sandbox_delayed_answer_does_not_hold_up_its_end() -> None:
    with Sandbox(scenario=Scenario(default=Reaction(result="low", delay_s=3600))) as sandbox:
        connection = socket.create_connection(("127.0.0.1", sandbox.port), timeout=120)
        connection.sendall(raw_request())
        while not sandbox.stats()["in_flight"]:
            time.sleep(0.005)
        assert sandbox.stats()["billed"] == 1, "the work is billed at once"
    with connection:
        assert connection.recv(10_000) == b""


def test_sandbox_answer_waits_for_the_latency_and_a_refusal_by_the_gateway_does_not(
    sandbox: Sandbox, call: Caller
) -> None:
    sandbox.scenario = Scenario(latency_s=0.3)
    started = time.monotonic()
    call()
    assert time.monotonic() - started >= 0.3

    sandbox.scenario = Scenario(latency_s=3600)
    call(spoil=lambda headers: headers.pop("Authorization"))


# the connection


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", 411),
        ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", 411),
        ("POST / HTTP/1.1\r\ncontent-length: 999999999\r\n\r\n", 413),
        (f"POST / HTTP/1.1\r\ncontent-length: {'9' * 5000}\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        ("POST http://[::1 HTTP/1.1\r\n\r\n", 400),
        (f"GET /{'x' * 70_000} HTTP/1.1\r\n\r\n", 431),
        ("nonsense\r\n\r\n", 400),
        ("POST / HTTP/2\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nspace : x\r\n\r\n", 400),
    ],
)
def test_sandbox_request_that_is_no_request_ends_the_connection(sandbox: Sandbox, request_: str, status: int) -> None:
    with connected(sandbox) as connection:
        connection.sendall(request_.encode())

        assert everything(connection).startswith(f"HTTP/1.1 {status} ".encode())


def test_sandbox_connection_goes_on_until_the_client_closes_it(sandbox: Sandbox) -> None:
    stats = b"GET /_sandbox/stats HTTP/1.1\r\n"
    with connected(sandbox) as connection:
        connection.sendall(stats + b"\r\n" + stats + b"connection: close\r\n\r\n")

        assert everything(connection).count(b"HTTP/1.1 200 ") == 2
    with connected(sandbox) as connection:
        connection.sendall(stats.replace(b"1.1", b"1.0") + b"\r\n")

        assert everything(connection).count(b"HTTP/1.1 200 ") == 1


def test_sandbox_large_body_is_waited_for_as_curl_expects(sandbox: Sandbox) -> None:
    with connected(sandbox) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 1\r\nconnection: close\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"x")

        assert everything(connection).startswith(b"HTTP/1.1 404 ")


def test_sandbox_second_port_speaks_tls_and_takes_the_uploads() -> None:
    authority = trustme.CA()
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(served)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    scenario = read_scenario({"switches": {"plain_http": "refuse"}})
    with Sandbox(tls=served, scenario=scenario) as sandbox, httpx.Client(verify=trusted, trust_env=False) as client:
        call = Caller(sandbox, client)
        assert call.code() == "InvalidProtocol.NeedSsl"
        assert call.code(url=sandbox.tls_url) == "Success"
        grant = call({}, url=sandbox.tls_url, **UPLOAD)[1]
        assert f"https://{grant['Bucket']}.{grant['Endpoint']}" == sandbox.tls_url


# the command


def test_sandbox_command_prints_where_it_listens() -> None:
    code = "from adjudge_plugins.aliyun.command import sandbox; sandbox()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "--port", "0", "--switch", "errors=body", "--switch", "scene_code=strict"],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        try:
            assert line.startswith("listening on http://127.0.0.1:")
            url = line.removeprefix("listening on ").strip()
            stats = httpx.get(url + "/_sandbox/stats", trust_env=False)
            assert json.loads(stats.text)["calls"] == 0
            headers = signed(PARAMETERS, host=url.removeprefix("http://"))
            answer = httpx.post(f"{url}/?{canonical_query(PARAMETERS.items())}", headers=headers, trust_env=False)
            assert (answer.status_code, answer.json()["Code"]) == (200, "InvalidParameter")
        finally:
            child.terminate()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenario", "s.yaml"], "s.yaml:1:1: unknown key `x`"),
        (["--switch", "error=body"], "there is no switch `error`, did you mean `errors`?"),
        (["--switch", "errors=boddy"], "`errors` cannot be `boddy`, did you mean `body`?"),
        (["--switch", "errors"], "`errors` is not a switch, write `name=value`"),
    ],
)
def test_sandbox_command_mistake_is_a_usage_error(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text("x: 1")

    result = CliRunner().invoke(command, arguments)

    assert result.exit_code == 2
    assert said in result.output


def test_sandbox_command_taken_port_is_a_usage_error(sandbox: Sandbox) -> None:
    result = CliRunner().invoke(command, ["--port", str(sandbox.port)])

    assert result.exit_code == 2
    assert f"cannot listen on 127.0.0.1:{sandbox.port}" in result.output
