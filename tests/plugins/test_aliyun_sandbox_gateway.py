"""The sandbox's gateway: what the vendor's own clients sent passes, and every misuse has its code."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sandbox_calls import BIZ, PARAMETERS, Caller, calling, connected, everything, raw_request, replaced, without

from adjudge_plugins.aliyun.sandbox import Sandbox
from adjudge_plugins.aliyun.sandbox.gateway import Gateway
from adjudge_plugins.aliyun.sandbox.incoming import Incoming, Refused
from adjudge_plugins.aliyun.sandbox.keys import SANDBOX_STS_CREDENTIALS, Account
from adjudge_plugins.aliyun.sandbox.legacy_signing import legacy_signature
from adjudge_plugins.aliyun.sandbox.scenario import read_scenario
from adjudge_plugins.aliyun.sandbox.switches import Switches
from adjudge_plugins.aliyun.signing import SANDBOX_CREDENTIALS, Credentials, authorization, canonical_query
from adjudge_plugins.aliyun.vocabulary import RETURN_CODES

LEGACY = Switches(legacy_signature="accept")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def call(sandbox: Sandbox) -> Iterator[Caller]:
    with calling(sandbox) as caller:
        yield caller


# what the vendor's SDK sent


def captures(shared: Path, *names: str) -> list[tuple[str, Incoming, Mapping[str, str], Mapping[str, Any]]]:
    """Return recorded requests of the vendor's SDK: name, request, query, and what was recorded with them."""
    found = []
    for name in names:
        document = json.loads((shared / "reference" / "wire" / f"{name}.json").read_text("utf-8"))
        for item in document["items"]:
            body = item["body"]
            data = base64.b64decode(body["base64"]) if "base64" in body else body["utf8"].encode()
            incoming = Incoming(
                method=item["method"],
                target=item["request_line"].split(" ")[1],
                headers=tuple((header["name"], header["value"]) for header in item["headers"]),
                body=data,
            )
            found.append((item["name"], incoming, item["query_params"], document["meta"]))
    return found


def gateway(meta: Mapping[str, Any], moment: str, token: str) -> Gateway:
    credentials = Credentials(
        access_key_id=meta["access_key_id"],
        access_key_secret=meta["access_key_secret"],
        security_token=token or None,
    )
    now = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return Gateway({credentials.access_key_id: Account(credentials=credentials)}, lambda: now)


def test_gateway_every_recorded_request_of_the_vendors_sdk_is_genuine(shared: Path) -> None:
    """Sync and async, with what the async one leaves unsigned and writes in another way."""
    names = ("requests-deepfake-detect-intl", "requests-deepfake-detect-intl-stream", "stream-upload-flow")
    verified = 0
    for name, incoming, _, meta in captures(shared, *names):
        if not incoming.header("x-acs-action"):  # the upload itself, which nobody signs
            continue
        checked = gateway(meta, incoming.header("x-acs-date"), incoming.header("x-acs-security-token"))
        assert checked.verify(incoming, Switches()) == incoming.header("x-acs-action"), name
        with pytest.raises(Refused, match="SignatureNonceUsed"):
            checked.verify(incoming, Switches())
        verified += 1

    assert verified == 16 + 8 + 16


def test_gateway_every_recorded_request_with_another_body_or_query_is_refused(shared: Path) -> None:
    for name, incoming, _, meta in captures(shared, "requests-deepfake-detect-intl"):
        for changed in (
            Incoming(method="POST", target=incoming.target, headers=incoming.headers, body=incoming.body + b"&a=b"),
            Incoming(method="POST", target=incoming.target + "&a=b", headers=incoming.headers, body=incoming.body),
            Incoming(method="PUT", target=incoming.target, headers=incoming.headers, body=incoming.body),
        ):
            checked = gateway(meta, incoming.header("x-acs-date"), incoming.header("x-acs-security-token"))
            with pytest.raises(Refused) as caught:
                checked.verify(changed, Switches())
            assert caught.value.code == "SignatureDoesNotMatch", name


def test_gateway_every_recorded_legacy_request_is_genuine_where_the_switch_says_so(shared: Path) -> None:
    recorded = captures(shared, "legacy-rpc-v1-signature")
    for name, incoming, query, meta in recorded:
        checked = gateway(meta, query["Timestamp"], query.get("SecurityToken", ""))
        with pytest.raises(Refused, match="IncompleteSignature: signatures of version 1"):
            checked.verify(incoming, Switches())
        assert checked.verify(incoming, LEGACY) == "DeepfakeDetectIntl", name
        with pytest.raises(Refused, match="SignatureNonceUsed"):
            checked.verify(incoming, LEGACY)
        changed = Incoming(method="POST", target=incoming.target + "&a=b", headers=incoming.headers, body=b"")
        with pytest.raises(Refused, match="SignatureDoesNotMatch"):
            gateway(meta, query["Timestamp"], query.get("SecurityToken", "")).verify(changed, LEGACY)

    assert len(recorded) == 6


# misuse


def test_gateway_query_encoded_another_way_is_the_same_query(call: Caller) -> None:
    raw = canonical_query(PARAMETERS.items()).replace("%20", "+").replace("%3A", ":").replace("%2F", "/")

    assert call.code(raw_query=raw) == "Success"
    assert call.code(raw_query=raw.replace("SceneCode", "Scene%43ode")) == "Success"


def test_gateway_hash_of_the_body_is_the_headers_own_word(sandbox: Sandbox, call: Caller) -> None:
    """A signature over the right hash does not mend a header that says another."""

    def spoil(headers: dict[str, str]) -> None:
        del headers["Authorization"]
        headers["x-acs-content-sha256"] = "0" * 64
        headers["Authorization"] = authorization(
            "POST", "/", PARAMETERS.items(), headers, hashlib.sha256(b"").hexdigest(), SANDBOX_CREDENTIALS
        )

    assert call(spoil=spoil)[1]["Message"] == "x-acs-content-sha256 is not the hash of the body"


def test_gateway_target_with_its_host_is_signed_by_its_path(sandbox: Sandbox) -> None:
    """As it comes through a forward proxy."""
    with connected(sandbox) as connection:
        request = raw_request(headers={"connection": "close"}, target=f"http://127.0.0.1:{sandbox.port}/")
        connection.sendall(request)

        assert everything(connection).startswith(b"HTTP/1.1 200 ")


def test_gateway_unsigned_content_type_is_overlooked(call: Caller) -> None:
    spoil = lambda headers: headers.update({"content-type": "application/octet-stream"})  # noqa: E731

    assert "Bucket" in call({}, operation="AuthorizeFileUpload", version="2019-12-19", method="GET", spoil=spoil)[1]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"operation": "DeepfakeDetect"}, "InvalidApi.NotFound"),
        ({"version": "2019-12-19"}, "InvalidApi.NotFound"),
        ({"spoil": without("x-acs-action")}, "InvalidApi.NotFound"),
        ({"spoil": without("Authorization")}, "IncompleteSignature"),
        ({"spoil": replaced("Authorization", ",SignedHeaders", ", SignedHeaders")}, "IncompleteSignature"),
        ({"spoil": replaced("Authorization", "HMAC-SHA256", "HMAC-SM3")}, "IncompleteSignature"),
        ({"spoil": replaced("Authorization", "x-acs-date;", "")}, "IncompleteSignature"),
        ({"spoil": lambda headers: headers.update({"x-acs-security-token": "t"})}, "IncompleteSignature"),
        ({"spoil": without("x-acs-signature-nonce")}, "IncompleteSignature"),
        ({"spoil": lambda headers: headers.update({"x-acs-signature-nonce": ""})}, "IncompleteSignature"),
        ({"spoil": replaced("Authorization", "adjudge-sandbox", "adjudge-other")}, "InvalidAccessKeyId.NotFound"),
        ({"spoil": replaced("x-acs-date", "T", " ")}, "InvalidTimeStamp.Format"),
        ({"at": datetime.now(UTC) - timedelta(hours=2)}, "InvalidTimeStamp.Expired"),
        ({"at": datetime.now(UTC) + timedelta(hours=2)}, "InvalidTimeStamp.Expired"),
        ({"body": b"FaceBase64=other"}, "SignatureDoesNotMatch"),
        ({"spoil": replaced("x-acs-signature-nonce", "nonce", "other")}, "SignatureDoesNotMatch"),
        ({"raw_query": canonical_query((PARAMETERS | {"SceneCode": "t"}).items())}, "SignatureDoesNotMatch"),
        ({"method": "GET"}, "UnsupportedHTTPMethod"),
        ({"method": "PUT"}, "UnsupportedHTTPMethod"),
    ],
)
def test_gateway_request_out_of_order_is_refused_and_is_no_call(
    sandbox: Sandbox, call: Caller, changes: dict[str, Any], code: str
) -> None:
    status, document = call(**changes)

    assert (status, document["Code"], document["HostId"]) == (RETURN_CODES[code], code, "sandbox")
    assert sandbox.stats()["refused"] == {code: 1}
    assert sandbox.stats()["calls"] == 0


def test_gateway_date_fifteen_minutes_off_is_the_last_to_be_taken(sandbox: Sandbox, call: Caller) -> None:
    now = datetime(2026, 1, 15, 8, 30, tzinfo=UTC)
    sandbox._gateway._clock = lambda: now
    late = [call.code(at=now + sign * timedelta(minutes=15)) for sign in (1, -1)]
    too_late = [call.code(at=now + sign * timedelta(minutes=15, seconds=1)) for sign in (1, -1)]

    assert (late, too_late) == (["Success"] * 2, ["InvalidTimeStamp.Expired"] * 2)


def test_gateway_nonce_is_good_once_and_only_a_genuine_request_uses_it_up(call: Caller) -> None:
    def forge(headers: dict[str, str]) -> None:
        headers["Authorization"] = headers["Authorization"][:-64] + "0" * 64

    assert call.code(nonce="n", spoil=forge) == "SignatureDoesNotMatch"
    assert call.code(nonce="n") == "Success"
    assert call.code(nonce="n") == "SignatureNonceUsed"


def test_gateway_nonces_are_forgotten_after_the_window(call: Caller, sandbox: Sandbox) -> None:
    now = datetime.now(UTC)
    sandbox._gateway._clock = lambda: now
    call(nonce="old", at=now)
    now += timedelta(minutes=31)
    call(nonce="new", at=now)

    assert list(sandbox._gateway._nonces) == ["new"]


# keys


def key(access_key_id: str, token: str | None = None) -> Credentials:
    return Credentials(access_key_id=access_key_id, access_key_secret=f"{access_key_id}-secret", security_token=token)


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        (SANDBOX_CREDENTIALS, "Success"),
        (SANDBOX_STS_CREDENTIALS, "Success"),
        (key("adjudge-sandbox-sts", "adjudge-sandbox-token"), "Success"),
        (key("adjudge-sandbox-sts"), "MissingSecurityToken"),
        (key("adjudge-sandbox-sts", "adjudge-sandbox-tokem"), "InvalidSecurityToken.Malformed"),
        (key("adjudge-sandbox-sts", "adjudge-sandbox-token-expired"), "InvalidSecurityToken.Expired"),
        (key("adjudge-sandbox", "adjudge-sandbox-token"), "InvalidSecurityToken.MismatchWithAccessKey"),
        (key("adjudge-sandbox-inactive"), "InvalidAccessKeyId.Inactive"),
        (key("adjudge-sandbox-denied"), "Forbidden.RAMUserAccessDenied"),
        (key("adjudge-sandbox-none"), "InvalidAccessKeyId.NotFound"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_gateway_each_key_has_its_answer(call: Caller, credentials: Credentials, code: str) -> None:
    status, document = call(credentials=credentials)

    assert document["Code"] == code
    assert status == (200 if code == "Success" else RETURN_CODES[code])


def test_gateway_temporary_key_with_a_wrong_secret_does_not_match(call: Caller) -> None:
    wrong = Credentials(
        access_key_id="adjudge-sandbox-sts", access_key_secret="x", security_token="adjudge-sandbox-token"
    )

    assert call.code(credentials=wrong) == "SignatureDoesNotMatch"


def test_gateway_own_key_is_the_only_one_and_its_token_is_checked_where_it_has_one() -> None:
    with Sandbox(credentials=key("LTAIown", "own-token")) as sandbox, calling(sandbox) as call:
        assert call.code(credentials=key("LTAIown", "own-token")) == "Success"
        assert call.code(credentials=key("LTAIown")) == "MissingSecurityToken"
        assert call.code() == "InvalidAccessKeyId.NotFound"
    with Sandbox(credentials=key("LTAIown")) as sandbox, calling(sandbox) as call:
        assert call.code(credentials=key("LTAIown", "any-token")) == "Success"


# the signature before V3


def legacy(secret: str = "adjudge-sandbox-secret", **changes: str | None) -> dict[str, str]:
    """Return the signed parameters of a legacy call; a change to None leaves one out."""
    parameters: dict[str, str | None] = {
        **PARAMETERS,
        "AccessKeyId": "adjudge-sandbox",
        "Action": "DeepfakeDetectIntl",
        "Format": "json",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": "legacy",
        "SignatureVersion": "1.0",
        "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Version": "2022-08-09",
    }
    given = {name: value for name, value in (parameters | changes).items() if value is not None}
    return {**given, "Signature": legacy_signature("POST", given.items(), secret)}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "Success"),
        ({"secret": "other"}, "SignatureDoesNotMatch"),
        ({"AccessKeyId": "other"}, "InvalidAccessKeyId.NotFound"),
        ({"AccessKeyId": "adjudge-sandbox-inactive"}, "InvalidAccessKeyId.Inactive"),
        ({"AccessKeyId": "adjudge-sandbox-sts", "secret": "adjudge-sandbox-sts-secret"}, "MissingSecurityToken"),
        ({"SecurityToken": "t"}, "InvalidSecurityToken.MismatchWithAccessKey"),
        ({"SignatureNonce": None}, "IncompleteSignature"),
        ({"SignatureMethod": "HMAC-SHA256"}, "IncompleteSignature"),
        ({"SignatureVersion": "2.0"}, "IncompleteSignature"),
        ({"Timestamp": "yesterday"}, "InvalidTimeStamp.Format"),
        ({"Timestamp": "2020-01-01T00:00:00Z"}, "InvalidTimeStamp.Expired"),
        ({"Version": "2019-03-07"}, "InvalidApi.NotFound"),
        ({"Action": "DeepfakeDetectIntlStream"}, "Success"),
    ],
)
def test_gateway_legacy_signature_is_checked_like_the_new_one(
    sandbox: Sandbox, call: Caller, changes: dict[str, Any], code: str
) -> None:
    sandbox.scenario = read_scenario({"switches": {"legacy_signature": "accept"}})

    answer = call.client.post(f"{sandbox.url}/", params=legacy(**changes)).json()

    assert answer["Code"] == code


def test_gateway_legacy_signature_covers_the_form(sandbox: Sandbox, call: Caller) -> None:
    sandbox.scenario = read_scenario({"switches": {"legacy_signature": "accept"}})
    parameters = legacy(FaceUrl=None, FaceBase64="/9j/4AA=")
    form = {"FaceBase64": parameters.pop("FaceBase64")}

    assert call.client.post(f"{sandbox.url}/", params=parameters, data=form).json()["Code"] == "Success"
    assert sandbox.stats()["by_merchant_biz_id"] == {BIZ: {"calls": 1, "billed": 1}}
