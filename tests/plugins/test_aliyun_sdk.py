"""The vendor's own Python SDK, unmodified, against the sandbox: sync and async, every operation, key and code.

Only its addresses are set: `endpoint` and `protocol` in its Config, and the open platform's on the client, which the
Config has a field for but does not pass on.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from adjudge_plugins.aliyun.sandbox import Sandbox
from adjudge_plugins.aliyun.sandbox.answers import BUSINESS_CODES
from adjudge_plugins.aliyun.sandbox.keys import SANDBOX_STS_CREDENTIALS
from adjudge_plugins.aliyun.sandbox.scenario import Reaction, Scenario, read_scenario
from adjudge_plugins.aliyun.sandbox.switches import Switches
from adjudge_plugins.aliyun.signing import SANDBOX_CREDENTIALS, Credentials
from adjudge_plugins.aliyun.vocabulary import RETURN_CODES

WHY = (
    "the vendor's SDK is not installed: pip install alibabacloud_cloudauth_intl20220809 alibabacloud_cloudauth20190307"
)
intl = pytest.importorskip("alibabacloud_cloudauth_intl20220809.client", reason=WHY)
intl_models = pytest.importorskip("alibabacloud_cloudauth_intl20220809.models", reason=WHY)
mainland = pytest.importorskip("alibabacloud_cloudauth20190307.client", reason=WHY)
mainland_models = pytest.importorskip("alibabacloud_cloudauth20190307.models", reason=WHY)
sdk_config = pytest.importorskip("alibabacloud_tea_openapi.utils_models", reason=WHY).Config
sdk_errors = pytest.importorskip("alibabacloud_tea_openapi.exceptions", reason=WHY)
core = pytest.importorskip("darabonba.core", reason=WHY).DaraCore
unretryable = pytest.importorskip("darabonba.exceptions", reason=WHY).UnretryableException
sdk_options = pytest.importorskip("darabonba.runtime", reason=WHY).RuntimeOptions

BIZ = "0123456789abcdef0123456789abcdef"
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 9
"""2308 bytes: the SDK never ends an upload of exactly 1024 (async) or 16384 (sync)."""
COMMON = {"merchant_biz_id": BIZ, "product_code": "FACE_DEEPFAKE", "scene_code": "onboard001"}
FORGED = {"result": "high", "tags": ["SuspectRemake"], "score": {"SuspectRemake": 0.93}}
AWKWARD_URL = "https://m.example/a b+c%2Bd?x=(1)*&y='~\u00e9"

Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing of the machine's own configuration reach the SDK."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "DEBUG", "ALIBABA_CLOUD_USER_AGENT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _no_sessions_left() -> Iterator[None]:
    """Close what the sync SDK keeps open for as long as the process lives."""
    yield
    for session in core._sessions.values():
        session.close()
    core._sessions.clear()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def client_of(sandbox: Sandbox, credentials: Credentials = SANDBOX_CREDENTIALS, **config: Any) -> Any:
    """Return the SDK's client with a sandbox for its endpoint."""
    return _client(intl.Client, sandbox, credentials, "ap-southeast-1", config)


def _client(kind: Any, sandbox: Sandbox, credentials: Credentials, region: str, config: dict[str, Any]) -> Any:
    client = kind(
        sdk_config(
            access_key_id=credentials.access_key_id,
            access_key_secret=credentials.access_key_secret,
            security_token=credentials.security_token,
            region_id=region,
            endpoint=f"127.0.0.1:{sandbox.port}",
            protocol="http",
            **config,
        )
    )
    client._open_platform_endpoint = f"127.0.0.1:{sandbox.port}"
    return client


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Call:
    """Call an operation of a client by its name, in one of the SDK's two ways."""

    def sync(client: Any, operation: str, *arguments: Any) -> Any:
        return getattr(client, operation)(*arguments)

    def asynchronous(client: Any, operation: str, *arguments: Any) -> Any:
        return asyncio.run(getattr(client, f"{operation}_async")(*arguments))

    return sync if request.param == "sync" else asynchronous


def url_request(**changes: Any) -> Any:
    return intl_models.DeepfakeDetectIntlRequest(**({"face_url": "https://m.example/f.jpg"} | COMMON | changes))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# the operations


def test_sdk_face_url_however_it_is_written(sandbox: Sandbox, run: Call) -> None:
    """The two of them encode a query in two ways, and neither in the way that is signed."""
    sandbox.scenario = read_scenario({"media": {digest(AWKWARD_URL.encode()): FORGED}})

    answer = run(client_of(sandbox), "deepfake_detect_intl", url_request(face_url=AWKWARD_URL))

    assert answer.status_code == 200
    assert answer.body.code == "Success"
    assert answer.body.request_id
    assert answer.body.result_object.result == "1"
    assert answer.body.result_object.risk_tag == "SuspectRemake"
    assert answer.body.result_object.risk_score == {"SuspectRemake": "0.9300"}
    assert answer.body.result_object.transaction_id.startswith("sandbox")
    assert sandbox.stats()["by_operation"] == {"DeepfakeDetectIntl": {"calls": 1, "billed": 1}}
    assert sandbox.stats()["misplaced"] == {}


def test_sdk_face_base64(sandbox: Sandbox, run: Call) -> None:
    sandbox.scenario = read_scenario({"media": {digest(JPEG): FORGED}})
    request = url_request(face_url=None, face_base_64=base64.b64encode(JPEG).decode(), face_input_type="IMAGE")

    assert run(client_of(sandbox), "deepfake_detect_intl", request).body.result_object.result == "1"
    assert sandbox.stats()["misplaced"] == {}


@pytest.mark.parametrize(
    ("given", "media"),
    [
        ({"face_url": AWKWARD_URL}, AWKWARD_URL.encode()),
        ({"face_base_64": base64.b64encode(JPEG).decode()}, JPEG),
        ({"face_file": "https://m.example/clip.mp4", "face_input_type": "VIDEO"}, b"https://m.example/clip.mp4"),
    ],
)
def test_sdk_stream_without_a_file(sandbox: Sandbox, run: Call, given: dict[str, str], media: bytes) -> None:
    sandbox.scenario = read_scenario({"media": {digest(media): FORGED}, "switches": {"face_file": "any"}})
    request = intl_models.DeepfakeDetectIntlStreamRequest(**COMMON, **given)

    assert run(client_of(sandbox), "deepfake_detect_intl_stream", request).body.result_object.result == "1"
    assert list(sandbox.stats()["by_operation"]) == ["DeepfakeDetectIntlStream"]
    assert sandbox.stats()["misplaced"] == {}


# aiohttp's advice to whoever gives it more than a megabyte as bytes, which is the async SDK
@pytest.mark.filterwarnings("ignore:Sending a large body directly with raw bytes:ResourceWarning")
@pytest.mark.parametrize("size", [1023, 1025, 2308, 16_383, 16_385, 3_000_000])
def test_sdk_stream_with_a_file_goes_through_the_upload(sandbox: Sandbox, run: Call, size: int) -> None:
    picture = (JPEG * (size // len(JPEG) + 1))[:size]
    sandbox.scenario = read_scenario({"media": {digest(picture): FORGED}})

    assert advance(run, client_of(sandbox), picture).body.result_object.result == "1", "other bytes arrived"
    assert sandbox.stats()["uploads"] == {"authorized": 1, "stored": 1}
    assert sandbox.stats()["by_operation"] == {"DeepfakeDetectIntlStream": {"calls": 1, "billed": 1}}


def advance(run: Call, client: Any, picture: bytes, options: Any = None) -> Any:
    """Make the three-step call with a file."""
    request = intl_models.DeepfakeDetectIntlStreamAdvanceRequest(face_file_object=io.BytesIO(picture), **COMMON)
    return run(client, "deepfake_detect_intl_stream_advance", request, options or sdk_options())


def test_sdk_stream_uploads_over_tls_with_a_certificate_of_ones_own(tmp_path: Path, run: Call) -> None:
    """As the SDK uploads to the vendor: over TLS, and verified."""
    authority = trustme.CA()
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(served)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    scenario = read_scenario({"media": {digest(JPEG): FORGED}})
    with Sandbox(tls=served, scenario=scenario) as sandbox:
        answer = advance(run, client_of(sandbox), JPEG, sdk_options(ca=str(tmp_path / "ca.pem")))
        assert sandbox.stats()["uploads"] == {"authorized": 1, "stored": 1}
    # on a port of its own: the sync SDK keeps its sessions by host and port, whatever it was told to verify
    with Sandbox(tls=served) as sandbox:
        with pytest.raises(unretryable):
            advance(run, client_of(sandbox), JPEG)
        assert sandbox.stats()["uploads"] == {"authorized": 1}

    assert answer.body.result_object.result == "1"


def test_sdk_upload_that_is_refused_is_an_error_with_the_stores_code(
    sandbox: Sandbox, run: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = sandbox._uploads.grant
    monkeypatch.setattr(sandbox._uploads, "grant", lambda port: {**grant(port), "Signature": "forged"})

    with pytest.raises(sdk_errors.ClientException) as caught:
        advance(run, client_of(sandbox), JPEG)

    assert caught.value.code == "SignatureDoesNotMatch"
    assert caught.value.data["httpCode"] == 403
    assert sandbox.stats()["calls"] == 0


@pytest.mark.parametrize(
    "given", [{"face_url": AWKWARD_URL, "face_input_type": "VIDEO"}, {"face_base_64": base64.b64encode(JPEG).decode()}]
)
def test_sdk_of_the_mainland(sandbox: Sandbox, run: Call, given: dict[str, str]) -> None:
    sandbox.scenario = read_scenario({"merchant_biz_id": {BIZ: FORGED}})
    client = _client(mainland.Client, sandbox, SANDBOX_CREDENTIALS, "cn-shanghai", {})

    answer = run(client, "deepfake_detect", mainland_models.DeepfakeDetectRequest(outer_order_no=BIZ, **given))

    assert (answer.body.code, answer.body.result_object.result) == ("200", "1")
    assert answer.body.result_object.risk_score == {"SuspectRemake": "0.9300"}
    assert sandbox.stats()["by_operation"] == {"DeepfakeDetect": {"calls": 1, "billed": 1}}
    assert sandbox.stats()["misplaced"] == {}


def test_sdk_of_the_mainland_is_refused_by_its_own_rules(sandbox: Sandbox, run: Call) -> None:
    client = _client(mainland.Client, sandbox, SANDBOX_CREDENTIALS, "cn-shanghai", {})

    with pytest.raises(sdk_errors.ClientException) as caught:
        run(client, "deepfake_detect", mainland_models.DeepfakeDetectRequest(face_url=AWKWARD_URL))

    assert caught.value.code == "MissingParameter"


# keys


def test_sdk_temporary_key_with_its_token(sandbox: Sandbox, run: Call) -> None:
    client = client_of(sandbox, SANDBOX_STS_CREDENTIALS)

    assert run(client, "deepfake_detect_intl", url_request()).body.code == "Success"
    assert advance(run, client, JPEG).body.code == "Success"
    assert sandbox.stats()["refused"] == {}


@pytest.mark.parametrize(
    ("key", "token", "code"),
    [
        ("adjudge-sandbox-sts", "other", "InvalidSecurityToken.Malformed"),
        ("adjudge-sandbox-sts", None, "MissingSecurityToken"),
        ("adjudge-sandbox", "other", "InvalidSecurityToken.MismatchWithAccessKey"),
        ("adjudge-sandbox-inactive", None, "InvalidAccessKeyId.Inactive"),
        ("adjudge-sandbox-denied", None, "Forbidden.RAMUserAccessDenied"),
        ("LTAIother", None, "InvalidAccessKeyId.NotFound"),
    ],
)
def test_sdk_key_that_is_refused(sandbox: Sandbox, run: Call, key: str, token: str | None, code: str) -> None:
    credentials = Credentials(access_key_id=key, access_key_secret=f"{key}-secret", security_token=token)

    with pytest.raises(sdk_errors.ClientException) as caught:
        run(client_of(sandbox, credentials), "deepfake_detect_intl", url_request())

    assert (caught.value.code, caught.value.status_code) == (code, RETURN_CODES[code])


def test_sdk_wrong_secret_does_not_match_in_any_step(sandbox: Sandbox, run: Call) -> None:
    client = client_of(sandbox, Credentials(access_key_id="adjudge-sandbox", access_key_secret="wrong"))
    for call in (lambda: run(client, "deepfake_detect_intl", url_request()), lambda: advance(run, client, JPEG)):
        with pytest.raises(sdk_errors.ClientException) as caught:
            call()
        assert caught.value.code == "SignatureDoesNotMatch"

    assert sandbox.stats()["refused"] == {"SignatureDoesNotMatch": 2}


def test_sdk_legacy_signature_is_taken_where_the_switch_says_so(run: Call) -> None:
    scenario = Scenario(switches=Switches(legacy_signature="accept"))
    with Sandbox(scenario=scenario) as sandbox:
        for credentials in (SANDBOX_CREDENTIALS, SANDBOX_STS_CREDENTIALS):
            client = client_of(sandbox, credentials, signature_algorithm="v2")
            assert run(client, "deepfake_detect_intl", url_request(face_url=AWKWARD_URL)).body.code == "Success"
        sandbox.scenario = Scenario()
        with pytest.raises(sdk_errors.ClientException) as caught:
            run(client, "deepfake_detect_intl", url_request())

    assert caught.value.code == "IncompleteSignature"


# every error


@pytest.mark.parametrize("code", RETURN_CODES)
def test_sdk_every_code_is_raised(sandbox: Sandbox, run: Call, code: str) -> None:
    sandbox.scenario = Scenario(default=Reaction(code=code))
    status = RETURN_CODES[code]

    with pytest.raises(sdk_errors.ServerException if status >= 500 else sdk_errors.ClientException) as caught:
        run(client_of(sandbox), "deepfake_detect_intl", url_request())

    assert (caught.value.code, caught.value.status_code) == (code, status)
    assert caught.value.request_id
    assert caught.value.data["HostId"] == "sandbox"
    assert sandbox.stats()["billed"] == 0


@pytest.mark.parametrize("errors", ["body", "body_number"])
def test_sdk_raises_nothing_for_a_code_inside_a_200(sandbox: Sandbox, run: Call, errors: Any) -> None:
    for code in BUSINESS_CODES:
        sandbox.scenario = Scenario(default=Reaction(code=code), switches=Switches(errors=errors))
        body = run(client_of(sandbox), "deepfake_detect_intl", url_request()).body

        assert body.code == (code if errors == "body" else str(RETURN_CODES[code]))
        assert body.result_object is None


def test_sdk_throttled_call_tells_when_to_come_again(run: Call) -> None:
    scenario = read_scenario({"order": [{"code": "Throttling.Api"}], "switches": {"retry_after": "on"}})
    with Sandbox(scenario=scenario) as sandbox, pytest.raises(sdk_errors.ThrottlingException) as caught:
        run(client_of(sandbox), "deepfake_detect_intl", url_request())

    assert caught.value.code == "Throttling.Api"
    assert 1 <= caught.value.retry_after <= 1000


def test_sdk_quota_is_passed_by_a_client_that_waits_as_it_is_told(run: Call) -> None:
    """The SDK's own retries, each with a new date, nonce and signature."""
    retry = pytest.importorskip("darabonba.policy.retry")
    options = retry.RetryOptions(
        {
            "retryable": True,
            "retryCondition": [{"maxAttempts": 3, "exception": ["ThrottlingException"], "errorCode": []}],
        }
    )
    scenario = read_scenario({"throttle": {"per_second": 1}, "switches": {"retry_after": "on"}})
    with Sandbox(scenario=scenario) as sandbox:
        client = client_of(sandbox, retry_options=options)
        bodies = [run(client, "deepfake_detect_intl", url_request()).body for _ in range(3)]
        stats = sandbox.stats()

    assert [body.code for body in bodies] == ["Success"] * 3
    assert stats["by_end"]["Success"] == 3
    assert stats["by_end"]["Throttling.Api"] >= 1


@pytest.mark.parametrize("fault", ["close", "lose", "reset", "truncate", "html", "html_200", "garbage"])
def test_sdk_fault_is_an_error_without_a_code(sandbox: Sandbox, run: Call, fault: str) -> None:
    sandbox.scenario = Scenario(default=Reaction(fault=fault))

    with pytest.raises(unretryable) as caught:
        run(client_of(sandbox), "deepfake_detect_intl", url_request())

    assert getattr(caught.value, "code", None) is None


def test_sdk_black_hole_ends_in_its_timeout(sandbox: Sandbox, run: Call) -> None:
    sandbox.scenario = Scenario(default=Reaction(fault="black_hole"))

    with pytest.raises(unretryable):
        run(client_of(sandbox), "deepfake_detect_intl_with_options", url_request(), sdk_options(read_timeout=200))


def test_sdk_wrong_type_is_read_all_the_same(sandbox: Sandbox, run: Call) -> None:
    sandbox.scenario = Scenario(default=Reaction(fault="wrong_type"))

    assert run(client_of(sandbox), "deepfake_detect_intl", url_request()).body.code == "Success"
