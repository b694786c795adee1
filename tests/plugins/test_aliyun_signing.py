"""V3 signatures against the vendor's published example and captures of its own SDK."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from adjudge_plugins.aliyun.signing import (
    Credentials,
    authorization,
    canonical_query,
    canonical_request,
    sign,
    signature,
)

PUBLISHED_KEY = Credentials(access_key_id="YourAccessKeyId", access_key_secret="YourAccessKeySecret")
VECTORS = range(16)


def test_sign_published_example_gives_the_published_signature() -> None:
    headers = sign(
        "POST",
        "/",
        [
            ("RegionId", "cn-shanghai"),
            ("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"),
        ],
        {"host": "ecs.cn-shanghai.aliyuncs.com"},
        b"",
        PUBLISHED_KEY,
        action="RunInstances",
        version="2014-05-26",
        at=datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC),
        nonce="3156853299f313e23d1673dc12e1703d",
    )

    assert headers["Authorization"] == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


@pytest.mark.parametrize("number", VECTORS)
def test_signing_vector_gives_every_recorded_text(shared: Path, number: int) -> None:
    vectors = json.loads((shared / "reference/wire/signature-vectors.json").read_text())["vectors"]
    assert len(vectors) == len(VECTORS)
    given, expected = vectors[number]["inputs"], vectors[number]["outputs"]
    body = given["body_ascii"].encode()
    parameters = list(given["query_params"].items())
    headers = given["headers_to_sign"]
    credentials = Credentials(
        access_key_id=given["access_key_id"],
        access_key_secret=given["access_key_secret"],
        security_token=given["security_token"],
    )

    request = canonical_request(
        given["method"], given["path"], parameters, headers.items(), headers, hashlib.sha256(body).hexdigest()
    )

    assert canonical_query(parameters) == expected["canonical_query_string"]
    assert request == expected["canonical_request"]
    assert signature(request, credentials.access_key_secret) == expected["signature"]
    signed = authorization(
        given["method"], given["path"], parameters, headers, hashlib.sha256(body).hexdigest(), credentials
    )
    assert signed == expected["authorization"]


@pytest.mark.parametrize("number", VECTORS)
def test_signing_vector_raw_query_decodes_to_the_signed_one(shared: Path, number: int) -> None:
    vector = json.loads((shared / "reference/wire/signature-vectors.json").read_text())["vectors"][number]
    decoded = parse_qsl(vector["inputs"]["raw_query_on_wire"], keep_blank_values=True)

    assert canonical_query(decoded) == vector["outputs"]["canonical_query_string"]


def test_sign_temporary_key_sends_and_signs_its_token() -> None:
    credentials = Credentials(access_key_id="id", access_key_secret="secret", security_token="token")

    headers = sign(
        "POST",
        "/",
        [],
        {"host": "h"},
        b"",
        credentials,
        action="A",
        version="V",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        nonce="n",
    )

    assert headers["x-acs-security-token"] == "token"
    assert "x-acs-security-token" in headers["Authorization"]


def test_canonical_request_repeated_header_is_sorted_and_joined() -> None:
    request = canonical_request(
        "post", "/", [("b", ""), ("a", "é *~")], [("X-A", " 2 "), ("x-a", "1")], ["x-a"], "hash"
    )

    assert request == "POST\n/\na=%C3%A9%20%2A~&b=\nx-a:1,2\n\nx-a\nhash"


def test_credentials_repr_and_str_show_nothing() -> None:
    credentials = Credentials(access_key_id="LTAIcanary", access_key_secret="canary", security_token="canary")

    assert "canary" not in f"{credentials!r} {credentials}"
