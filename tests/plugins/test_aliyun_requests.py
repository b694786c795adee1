"""What our client sends, held against what the vendor's own SDK was seen to send: byte for byte where it is signed."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from adjudge.model import Face
from adjudge_plugins.aliyun.client import Client, Detection
from adjudge_plugins.aliyun.endpoint import Endpoint
from adjudge_plugins.aliyun.signing import Credentials, canonical_request

WIRE = Path(__file__).parents[3] / "shared" / "reference" / "wire"
FILES = ("requests-deepfake-detect-intl", "requests-deepfake-detect-intl-stream", "stream-upload-flow")


def captures() -> Iterator[Any]:
    if not WIRE.is_dir():
        yield pytest.param(None, marks=pytest.mark.skip("needs ../shared, the recorded requests, which are not here"))
        return
    for file in FILES:
        recorded = json.loads((WIRE / f"{file}.json").read_text())
        for item in recorded["items"]:
            if "x-acs-action" in headers_of(item) and is_ours_to_send(item):
                yield pytest.param({**recorded["meta"], **item}, id=item["name"])


def headers_of(item: Mapping[str, Any]) -> dict[str, str]:
    return {header["name"].lower(): header["value"] for header in item["headers"]}


def body_of(item: Mapping[str, Any]) -> bytes:
    body = item["body"]
    return base64.b64decode(body["base64"]) if "base64" in body else body["utf8"].encode()


def given_of(item: Mapping[str, Any]) -> dict[str, str]:
    query, body = item["raw_query"], body_of(item).decode()
    return dict(parse_qsl(query, keep_blank_values=True) + parse_qsl(body, keep_blank_values=True))


def is_ours_to_send(item: Mapping[str, Any]) -> bool:
    """Whether our client can be made to send this: always with an id, a kind, and exactly one face."""
    if headers_of(item)["x-acs-action"] == "AuthorizeFileUpload":
        return True
    given = given_of(item)
    faces = {"FaceUrl", "FaceBase64", "FaceFile"} & given.keys()
    return {"MerchantBizId", "FaceInputType"} <= given.keys() and len(faces) == 1


def signed_text(method: str, query: str, headers: list[tuple[str, str]], body_hash: str) -> tuple[str, str]:
    """Return the text whose hash is signed, and the signature that the request carries."""
    authorization = next(value for name, value in headers if name.lower() == "authorization")
    names = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    parameters = parse_qsl(query, keep_blank_values=True)
    text = canonical_request(method, "/", parameters, headers, names, body_hash)
    return text, authorization


@pytest.mark.parametrize("item", list(captures()))
def test_request_is_signed_over_the_same_bytes_as_the_sdks(item: Mapping[str, Any]) -> None:
    headers, body = headers_of(item), body_of(item)
    given = given_of(item)
    url = f"http://{headers['host']}"
    client = Client(
        http=httpx.AsyncClient(),
        endpoint=Endpoint(url=url, open_platform=url, region=given.get("RegionId", "ap-southeast-1"), is_loopback=True),
        clock=lambda: datetime.fromisoformat(headers["x-acs-date"]),
        nonce=lambda: headers["x-acs-signature-nonce"],
        user_agent=headers["user-agent"],
    )
    key = Credentials(
        access_key_id=item["access_key_id"],
        access_key_secret=item["access_key_secret"],
        security_token=headers.get("x-acs-security-token"),
    )

    ours = request_of(client, given, key, headers["x-acs-action"])

    sent = [(name.decode(), value.decode()) for name, value in ours.headers.raw]
    theirs = signed_text(item["method"], item["raw_query"], list(headers.items()), headers["x-acs-content-sha256"])
    assert ours.content == body
    assert signed_text(ours.method, ours.url.query.decode(), sent, dict(sent)["x-acs-content-sha256"]) == theirs, (
        "the canonical request, or the Authorization made of it"
    )


def request_of(client: Client, given: Mapping[str, str], key: Credentials, action: str) -> httpx.Request:
    if action == "AuthorizeFileUpload":
        return client.upload_request(key)
    detection = Detection(operation=action, merchant_biz_id=given["MerchantBizId"], scene_code=given["SceneCode"])
    kind: Any = given.get("FaceInputType", "IMAGE").lower()
    if "FaceFile" in given:
        return client.request(detection, Face(data=b"uploaded", media_type=kind), key, given["FaceFile"])
    if "FaceUrl" in given:
        return client.request(detection, Face.from_url(given["FaceUrl"], media_type=kind), key)
    return client.request(detection, Face(data=base64.b64decode(given["FaceBase64"]), media_type=kind), key)
