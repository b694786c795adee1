"""The sandbox as a stranger's client sees it: a gateway that verifies, two operations, an object store."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from adjudge_plugins.aliyun.command import sandbox as command
from adjudge_plugins.aliyun.sandbox import MEDIA_MAX_BYTES, Sandbox
from adjudge_plugins.aliyun.scenario import Reaction, Scenario, ScenarioError, load_scenario, read_scenario
from adjudge_plugins.aliyun.signing import SANDBOX_CREDENTIALS, canonical_query, sign
from adjudge_plugins.aliyun.vocabulary import RETURN_CODES

BIZ = "0123456789abcdef0123456789abcdef"
PARAMETERS = {
    "FaceUrl": "https://m.example/a b",
    "MerchantBizId": BIZ,
    "ProductCode": "FACE_DEEPFAKE",
    "SceneCode": "s",
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def call(sandbox: Sandbox) -> Iterator[Callable[..., tuple[int, dict[str, Any]]]]:
    """Call as a client would; `spoil` changes the signed headers on their way."""
    numbers = iter(range(10_000))
    with httpx.Client(trust_env=False) as client:

        def run(
            parameters: dict[str, str],
            *,
            form: dict[str, str] | None = None,
            operation: str = "DeepfakeDetectIntl",
            version: str = "2022-08-09",
            method: str = "POST",
            at: datetime | None = None,
            nonce: str | None = None,
            spoil: Callable[[dict[str, str]], None] = lambda headers: None,
            body: bytes | None = None,
            raw_query: str | None = None,
        ) -> tuple[int, dict[str, Any]]:
            content = canonical_query((form or {}).items()).encode()
            headers = sign(
                method,
                "/",
                parameters.items(),
                {"host": f"127.0.0.1:{sandbox.port}"},
                content,
                SANDBOX_CREDENTIALS,
                action=operation,
                version=version,
                at=at or datetime.now(UTC),
                nonce=nonce or f"nonce{next(numbers)}",
            )
            spoil(headers)
            query = canonical_query(parameters.items()) if raw_query is None else raw_query
            response = client.request(
                method, f"{sandbox.url}/?{query}", headers=headers, content=content if body is None else body
            )
            assert response.headers["content-type"] == "application/json;charset=utf-8"
            document = response.json()
            assert document["RequestId"]
            return response.status_code, document

        yield run


Call = Callable[..., tuple[int, dict[str, Any]]]


def without(name: str) -> Callable[[dict[str, str]], None]:
    return lambda headers: headers.pop(name) and None


def replaced(name: str, old: str, new: str) -> Callable[[dict[str, str]], None]:
    return lambda headers: headers.update({name: headers[name].replace(old, new, 1)})


def test_sandbox_genuine_call_is_low_risk(call: Call) -> None:
    status, document = call(PARAMETERS)

    assert (status, document["Code"]) == (200, "Success")
    assert document["ResultObject"] | {"TransactionId": ""} == {
        "Result": "0",
        "RiskTag": "",
        "RiskScore": {},
        "TransactionId": "",
    }


def test_sandbox_query_encoded_another_way_is_the_same_query(call: Call) -> None:
    raw = canonical_query(PARAMETERS.items()).replace("%20", "+").replace("%3A", ":").replace("%2F", "/")

    assert call(PARAMETERS, raw_query=raw)[0] == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"operation": "DeepfakeDetect"}, "InvalidApi.NotFound"),
        ({"version": "2019-12-19"}, "InvalidApi.NotFound"),
        ({"spoil": without("Authorization")}, "IncompleteSignature"),
        ({"spoil": replaced("Authorization", ",SignedHeaders", ", SignedHeaders")}, "IncompleteSignature"),
        ({"spoil": replaced("Authorization", "HMAC-SHA256", "HMAC-SM3")}, "IncompleteSignature"),
        ({"spoil": replaced("Authorization", "x-acs-date;", "")}, "IncompleteSignature"),
        ({"spoil": lambda headers: headers.update({"x-acs-security-token": "t"})}, "IncompleteSignature"),
        ({"spoil": without("x-acs-signature-nonce")}, "IncompleteSignature"),
        ({"spoil": replaced("Authorization", "adjudge-sandbox", "adjudge-other")}, "InvalidAccessKeyId.NotFound"),
        ({"spoil": replaced("x-acs-date", "T", " ")}, "InvalidTimeStamp.Format"),
        ({"at": datetime.now(UTC) - timedelta(hours=2)}, "InvalidTimeStamp.Expired"),
        ({"at": datetime.now(UTC) + timedelta(hours=2)}, "InvalidTimeStamp.Expired"),
        ({"body": b"FaceBase64=other"}, "SignatureDoesNotMatch"),
        ({"spoil": replaced("x-acs-signature-nonce", "nonce", "other")}, "SignatureDoesNotMatch"),
        ({"raw_query": canonical_query((PARAMETERS | {"SceneCode": "t"}).items())}, "SignatureDoesNotMatch"),
        ({"method": "GET"}, "UnsupportedHTTPMethod"),
    ],
)
def test_sandbox_request_out_of_order_is_refused(
    sandbox: Sandbox, call: Call, changes: dict[str, Any], code: str
) -> None:
    status, document = call(PARAMETERS, **changes)

    assert (status, document["Code"]) == (RETURN_CODES[code].status, code)
    assert sandbox.stats()["billed"] == 0


def test_sandbox_nonce_is_good_once_and_only_a_genuine_request_uses_it_up(call: Call) -> None:
    forged = replaced("Authorization", "Signature=", "Signature=" + "0" * 64)
    cut = lambda headers: (forged(headers), headers.update({"Authorization": headers["Authorization"][:-64]}))[1]  # noqa: E731

    assert call(PARAMETERS, nonce="n", spoil=cut)[1]["Code"] == "SignatureDoesNotMatch"
    assert call(PARAMETERS, nonce="n")[1]["Code"] == "Success"
    assert call(PARAMETERS, nonce="n")[1]["Code"] == "SignatureNonceUsed"


def test_sandbox_nonces_are_forgotten_after_the_window(call: Call, sandbox: Sandbox) -> None:
    now = datetime.now(UTC)
    sandbox._gateway._clock = lambda: now
    call(PARAMETERS, nonce="old", at=now)
    now += timedelta(minutes=31)
    call(PARAMETERS, nonce="new", at=now)

    assert list(sandbox._gateway._nonces) == ["new"]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        (PARAMETERS | {"ProductCode": ""}, "MissingParameter"),
        (PARAMETERS | {"ProductCode": "FACE"}, "InvalidParameter"),
        (PARAMETERS | {"SceneCode": "eleven_char"}, "InvalidParameter"),
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
def test_sandbox_wrong_parameter_or_media_is_refused(call: Call, parameters: dict[str, str], code: str) -> None:
    given = {name: value for name, value in parameters.items() if value}
    long = given.pop("FaceBase64", None)

    assert call(given, form={"FaceBase64": long} if long else None)[1]["Code"] == code


def test_sandbox_too_large_an_image_is_refused(call: Call, sandbox: Sandbox) -> None:
    text = base64.b64encode(b"\xff\xd8".ljust(MEDIA_MAX_BYTES + 1, b"\0")).decode()
    parameters = {name: value for name, value in PARAMETERS.items() if name != "FaceUrl"}

    assert call(parameters, form={"FaceBase64": text})[1]["Code"] == "ToolargeImage"


def test_sandbox_stream_file_that_was_never_uploaded_cannot_be_fetched(call: Call) -> None:
    form = {name: value for name, value in PARAMETERS.items() if name != "FaceUrl"}
    form["FaceFile"] = "http://127.0.0.1/sandbox/none/face"

    assert call({}, form=form, operation="DeepfakeDetectIntlStream")[1]["Code"] == "DownloadTimeout"


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
    sandbox: Sandbox, call: Call, changes: dict[str, str | None], code: str
) -> None:
    grant = call({}, operation="AuthorizeFileUpload", version="2019-12-19", method="GET")[1]
    form = {
        "OSSAccessKeyId": grant["AccessKeyId"],
        "Signature": grant["Signature"],
        "key": grant["ObjectKey"],
        "policy": grant["EncodedPolicy"],
        "file": "\xff\xd8",
    } | changes
    parts = {name: (None, value) for name, value in form.items() if value is not None}

    response = httpx.post(sandbox.url, files=parts, trust_env=False)

    assert response.status_code >= 400
    assert f"<Code>{code}</Code>" in response.text


def test_sandbox_upload_permission_ends(sandbox: Sandbox, call: Call) -> None:
    grant = call({}, operation="AuthorizeFileUpload", version="2019-12-19", method="GET")[1]
    sandbox._uploads._clock = lambda: datetime.now(UTC) + timedelta(hours=2)
    form = {
        "OSSAccessKeyId": grant["AccessKeyId"],
        "Signature": grant["Signature"],
        "key": grant["ObjectKey"],
        "policy": grant["EncodedPolicy"],
        "file": "x",
    }

    response = httpx.post(sandbox.url, files={name: (None, value) for name, value in form.items()}, trust_env=False)

    assert "<Code>AccessDenied</Code>" in response.text


def test_sandbox_stats_count_calls_and_billed_calls(sandbox: Sandbox, call: Call) -> None:
    other = "f" * 32
    sandbox.scenario = read_scenario({"merchant_biz_id": {other: {"code": "NoFaceDetected"}}})
    call(PARAMETERS)
    call(PARAMETERS)
    call(PARAMETERS | {"MerchantBizId": other})
    call(PARAMETERS, spoil=replaced("Authorization", "adjudge-sandbox", "stranger"))

    stats = httpx.get(f"{sandbox.url}/_sandbox/stats", trust_env=False).json()

    assert stats == {
        "calls": 3,
        "billed": 2,
        "by_operation": {"DeepfakeDetectIntl": {"calls": 3, "billed": 2}},
        "by_merchant_biz_id": {BIZ: {"calls": 2, "billed": 2}, other: {"calls": 1, "billed": 0}},
    }


def test_sandbox_delayed_answer_does_not_hold_up_its_end() -> None:
    with Sandbox(scenario=Scenario(default=Reaction(result="low", delay_s=3600))) as sandbox:
        headers = sign(
            "POST",
            "/",
            PARAMETERS.items(),
            {"host": "h"},
            b"",
            SANDBOX_CREDENTIALS,
            action="DeepfakeDetectIntl",
            version="2022-08-09",
            at=datetime.now(UTC),
            nonce="n",
        )
        connection = socket.create_connection(("127.0.0.1", sandbox.port))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"POST /?{canonical_query(PARAMETERS.items())} HTTP/1.1\r\n{lines}\r\n".encode())
        while not sandbox.stats()["billed"]:
            time.sleep(0.005)
    with connection:
        connection.settimeout(10)
        connection.recv(10_000)


@pytest.mark.parametrize("headers", [{"content-length": "x"}, {"transfer-encoding": "chunked"}])
def test_sandbox_body_without_a_length_is_refused(sandbox: Sandbox, headers: dict[str, str]) -> None:
    with socket.create_connection(("127.0.0.1", sandbox.port)) as connection:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"POST / HTTP/1.1\r\nhost: h\r\n{lines}\r\n".encode())

        assert b" 411 " in connection.recv(1000)


# the scenario


def test_scenario_merchant_biz_id_goes_before_media_and_both_before_the_default() -> None:
    digest = "a" * 64
    scenario = read_scenario(
        {
            "default": {"result": "low"},
            "merchant_biz_id": {BIZ: {"result": "high"}},
            "media": {digest: {"result": "suspicious"}},
        }
    )

    assert scenario.reaction(BIZ, digest).result == "high"
    assert scenario.reaction("0" * 32, digest).result == "suspicious"
    assert scenario.reaction("0" * 32, "b" * 64).result == "low"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "s.yaml",
            "merchant_biz_id:\n  01234567890123456789012345678901: {result: high, tags: [SuspectRemake],"
            " score: {SuspectRemake: 0.9}, delay_s: 0.5}\n",
        ),
        (
            "s.json",
            '{"merchant_biz_id": {"01234567890123456789012345678901": {"result": "high",'
            ' "tags": ["SuspectRemake"], "score": {"SuspectRemake": 0.9}, "delay_s": 0.5}}}',
        ),
    ],
)
def test_load_scenario_yaml_and_json_are_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    assert load_scenario(tmp_path / name).reaction("01234567890123456789012345678901", "") == Reaction(
        result="high", tags=("SuspectRemake",), score={"SuspectRemake": 0.9}, delay_s=0.5
    )


def test_load_scenario_empty_file_is_low_risk_throughout(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("")

    assert load_scenario(tmp_path / "s.yaml") == Scenario()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("defualt: {result: low}", "unknown field `defualt`"),
        ("default: {result: medium}", "Invalid enum value 'medium'"),
        ("default: {code: NoFaceDetectd}", "there is no return code `NoFaceDetectd`, did you mean `NoFaceDetected`?"),
        (
            "default: {result: high, tags: [SuspectWatermark]}",
            "there is no tag `SuspectWatermark`, did you mean `SuspectWarterMark`?",
        ),
        ("default: {result: high, score: {SuspectRemake: 97}}", "<= 1.0"),
        ("default: {result: high, code: InternalError}", "give one of `result`, `code` and `fault`"),
        ("default: {tags: [SuspectRemake]}", "need a `result`"),
        ("default: {fault: explode}", "Invalid enum value 'explode'"),
        ("default: {result: low, delay_s: -1}", ">= 0"),
        ("merchant_biz_id: {short: {result: low}}", "matching regex"),
        (f"media: {{{'A' * 64}: {{result: low}}}}", "matching regex"),
        ("default: {result: low}\ndefault: {result: high}", "`default` stands here twice"),
        ("default: [", "is not YAML"),
        ("- a", "Expected `object`"),
    ],
)
def test_load_scenario_mistake_is_refused_with_the_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)

    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


# the command


def test_sandbox_command_prints_where_it_listens() -> None:
    code = "from adjudge_plugins.aliyun.command import sandbox; sandbox()"
    with subprocess.Popen([sys.executable, "-c", code, "--port", "0"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        try:
            assert line.startswith("listening on http://127.0.0.1:")
            stats = httpx.get(line.removeprefix("listening on ").strip() + "/_sandbox/stats", trust_env=False)
            assert json.loads(stats.text)["calls"] == 0
        finally:
            child.terminate()


def test_sandbox_command_wrong_scenario_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("x: 1")

    result = CliRunner().invoke(command, ["--scenario", str(tmp_path / "s.yaml")])

    assert result.exit_code == 2
    assert "unknown field `x`" in result.output


def test_sandbox_command_taken_port_is_a_usage_error(sandbox: Sandbox) -> None:
    result = CliRunner().invoke(command, ["--port", str(sandbox.port)])

    assert result.exit_code == 2
    assert f"cannot listen on 127.0.0.1:{sandbox.port}" in result.output
