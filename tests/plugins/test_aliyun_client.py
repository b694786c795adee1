"""The upload against the vendor's own hosts, which only a stand-in for the network can play."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from time import monotonic
from urllib.parse import parse_qs

import httpx
import pytest

from adjudge.model import Face
from adjudge.plugin import Answer, SignalFailed
from adjudge_plugins.aliyun.client import Client, Detection
from adjudge_plugins.aliyun.endpoint import read_endpoint
from adjudge_plugins.aliyun.signing import Credentials

DETECTION = Detection(operation="DeepfakeDetectIntl", merchant_biz_id="0" * 32, scene_code="s")
GRANT = {"AccessKeyId": "k", "EncodedPolicy": "p", "ObjectKey": "u/face.jpeg", "Signature": "s"}


def streamed(status: int, text: str) -> httpx.Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield text.encode()

    return httpx.Response(status, content=pieces())


def upload(face: Face, grant: dict[str, str], seen: list[httpx.Request], stored: int = 201) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        match len(seen):
            case 1:
                return streamed(200, json.dumps(grant))
            case 2:
                return streamed(stored, "<Error><Code>AccessDenied</Code></Error>")
        return streamed(200, json.dumps({"Code": "Success", "ResultObject": {"Result": "0"}}))

    async def run() -> Answer:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            client = Client(
                http=http,
                endpoint=read_endpoint({}),
                clock=lambda: datetime(2026, 1, 15, 8, 30, tzinfo=UTC),
            )
            key = Credentials(access_key_id="id", access_key_secret="secret")
            return await client.detect_uploaded(DETECTION, face, key, deadline=monotonic() + 120)

    return asyncio.run(run())


@pytest.mark.parametrize("stored", [200, 201, 204])
def test_detect_uploaded_goes_to_three_hosts_of_the_vendor(jpeg: bytes, stored: int) -> None:
    seen: list[httpx.Request] = []
    grant = GRANT | {"Bucket": "bucket", "Endpoint": "oss-ap-southeast-1.aliyuncs.com"}

    answer = upload(Face.from_bytes(jpeg), grant, seen, stored)

    assert answer["result"] == "low"
    assert [(request.method, str(request.url)) for request in seen] == [
        ("GET", "https://openplatform.aliyuncs.com/?Product=Cloudauth-intl&RegionId=ap-southeast-1"),
        ("POST", "https://bucket.oss-ap-southeast-1.aliyuncs.com/"),
        ("POST", "https://cloudauth-intl.ap-southeast-1.aliyuncs.com/"),
    ]
    assert seen[0].headers["x-acs-date"] == "2026-01-15T08:30:00Z"
    assert "authorization" not in seen[1].headers
    assert parse_qs(seen[2].content.decode())["FaceFile"] == [
        "http://bucket.oss-ap-southeast-1.aliyuncs.com/u/face.jpeg"
    ]


def test_detect_uploaded_form_has_the_stores_order(jpeg: bytes) -> None:
    seen: list[httpx.Request] = []
    upload(Face.from_bytes(jpeg), GRANT | {"Bucket": "b", "Endpoint": "oss.aliyuncs.com"}, seen)

    boundary = seen[1].headers["content-type"].partition("boundary=")[2].encode()
    parts = seen[1].content.split(b"--" + boundary)

    names = [part.split(b'name="')[1].split(b'"')[0].decode() for part in parts[1:-1]]
    assert names == ["OSSAccessKeyId", "Signature", "host", "key", "policy", "success_action_status", "file"]
    assert b'filename="u/face.jpeg"\r\nContent-Type: \r\n\r\n' + jpeg + b"\r\n" in parts[-2]
    assert parts[-1] == b"--\r\n"


@pytest.mark.parametrize(
    ("bucket", "host"),
    [
        ("evil", "example"),
        ("evil.example/x", "aliyuncs.com"),
        ("evil@x", "oss.aliyuncs.com"),
        ("http://127", "0.0.1:80"),
        ("bucket", "oss.aliyuncs.com:8443"),
        ("bucket", "oss.aliyuncs.com.evil.example"),
    ],
)
def test_detect_uploaded_permission_for_a_strange_host_sends_no_picture(jpeg: bytes, bucket: str, host: str) -> None:
    seen: list[httpx.Request] = []

    with pytest.raises(SignalFailed, match="not the vendor's"):
        upload(Face.from_bytes(jpeg), GRANT | {"Bucket": bucket, "Endpoint": host}, seen)

    assert len(seen) == 1


def test_detect_uploaded_refused_file_is_not_judged(jpeg: bytes) -> None:
    seen: list[httpx.Request] = []

    with pytest.raises(SignalFailed) as caught:
        upload(Face.from_bytes(jpeg), GRANT | {"Bucket": "b", "Endpoint": "oss.aliyuncs.com"}, seen, 403)

    assert (caught.value.reason_code, len(seen)) == ("UPLOAD_ACCESS_DENIED", 2)
