"""A request and its face as a form: read strictly, held to the same bounds, and never sent by a page unasked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from adjudge.documents import multipart
from adjudge.documents.multipart import boundary_of, decode_form
from adjudge.errors import RequestError
from adjudge.service.admission import Admission
from client.serving import served
from engine.engines import CLEAN, MEDIA, device, engine, face, recorded

OURS = {"x-adjudge": "1"}
PATH = "/v1/decisions"


def document(n: int, **more: Any) -> bytes:
    return json.dumps({"merchant_biz_id": f"{n:032}", "scene_code": "onboard001", "inputs": CLEAN, **more}).encode()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log")


@pytest.fixture(scope="module")
def http(log: Path) -> Iterator[httpx.Client]:
    with (
        served(engine([face(), device()], at=log), over_tcp=True) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=60, headers=OURS) as client,
    ):
        yield client


def test_form_is_decided_as_its_document_is(http: httpx.Client, log: Path) -> None:
    """The same request in either form is the same request: the second answer is a duplicate."""
    import base64

    files = {"request": (None, document(1)), "face": ("../../etc/passwd\r\n", MEDIA, "text/html")}
    first = http.post(PATH, files=files).json()
    assert first["status"] == "fresh", first
    as_json = json.loads(document(1)) | {"face": {"base64": base64.b64encode(MEDIA).decode()}}
    assert http.post(PATH, json=as_json).json()["status"] == "duplicate"
    (made,) = [one for one in recorded(log) if one.merchant_biz_id == f"{1:032}"]
    assert made.face is not None and made.face.digest == hashlib.sha256(MEDIA).hexdigest()
    assert made.face.media_type == "image"
    long = b"\0\0\0\x20ftyp" + b"\r\n--" * 100_000
    assert (
        http.post(PATH, files={"face": ("x.jpg", long), "request": ("r.json", document(2))}).json()["status"] == "fresh"
    )
    (made,) = [one for one in recorded(log) if one.merchant_biz_id == f"{2:032}"]
    assert made.face is not None and (made.face.media_type, made.face.size) == ("video", len(long))
    assert http.post(PATH, files={"request": (None, document(3))}).json()["status"] == "fresh"


def test_form_that_a_page_could_send_unasked_is_refused() -> None:
    with served(engine(), over_tcp=True) as url:
        for headers in ({}, {"x-adjudge": "0"}, {"accept": "text/html", "origin": "http://evil.example"}):
            answer = httpx.post(url + PATH, files={"request": (None, document(1))}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (415, "media-type")
        answer = httpx.options(url + PATH, headers={"origin": "http://evil.example"})
        assert answer.status_code == 405 and "access-control-allow-headers" not in answer.headers


GOOD = b'--B\r\nContent-Disposition: form-data; name="request"\r\n\r\n%b\r\n--B--\r\n' % document(9)


def part(name: str, content: bytes = b"x", more: str = "") -> bytes:
    return f'--B\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (b"", "begin"),
        (b"--", "begin"),
        (b"--B--\r\n", "begin"),
        (b"preamble\r\n" + GOOD, "begin"),
        (GOOD[:-9], "no end"),
        (GOOD + b"epilogue", "follows its end"),
        (GOOD.replace(b"\r\n", b"\n"), "begin"),
        (b"--B\r\n\r\nx\r\n--B--", "no headers"),
        (b"--B\r\nContent-Disposition: form-data; name=request\r\n\r\nx\r\n--B--", "no name"),
        (b"--B\r\nContent-Type: x\r\n\r\nx\r\n--B--", "no name"),
        (b'--B\r\nContent-Disposition: form-data; name="request"; name="face"\r\n\r\nx\r\n--B--', "no name"),
        (b'--B\r\nContent-Disposition: attachment; name="request"\r\n\r\nx\r\n--B--', "no name"),
        (b'--B\r\nContent-Disposition: form-data;\r\n name="request"\r\n\r\nx\r\n--B--', "is none, or stands twice"),
        (b"--B\r\nA: b\r\na: c\r\n\r\nx\r\n--B--", "stands twice"),
        (b"--B\r\nA: \xff\r\n\r\nx\r\n--B--", "not UTF-8"),
        (b"--B\r\nA: " + b"x" * 5000 + b"\r\n\r\nx\r\n--B--", "too long"),
        (part("request", document(9), "\r\nContent-Transfer-Encoding: base64") + b"--B--", "is encoded"),
        (part("request", document(9)) + part("request", document(9)) + b"--B--", "request: is given twice"),
        (part("face") + b"--B--", "request: is missing"),
        (part("request", document(9)) + part("fcae") + b"--B--", "fcae: unknown part"),
        (part("a\x1b[2J") + b"--B--", "is none"),
        (part("request", b"{") + b"--B--", "line 1, column 2"),
        (part("request", document(9)) + part("face", b"") + b"--B--", "empty, 0 bytes"),
        (part("request", document(9, face={"url": "http://a.example/x"})) + part("face") + b"--B--", "in the document"),
        (part("request", document(9, face={"file": "/etc/passwd"})) + b"--B--", "files are not read here"),
        (part("face", b"--B--\r\n") + GOOD, "begins with the boundary"),
        (part("request", b"x\r\n--Bx") + b"--B--", "not alone on its line"),
    ],
)
def test_form_that_two_readers_could_read_differently_is_refused(form: bytes, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        decode_form(form, b"B")


def test_good_form_is_read_whatever_its_content() -> None:
    for content in (b"\r\n", b"-", b"--A", b"\r\n--A", b"\n--B\r\n", bytes(range(256)), b"\r\n\r\n\r\n--"):
        found = decode_form(part("face", content, '; filename="a;b=c"') + GOOD, b"B")
        assert found.face is not None and found.face.data == content
    assert decode_form(GOOD[:-2], b"B").face is None


@pytest.mark.parametrize(
    "said",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=a b",
        'multipart/form-data; boundary="a "',
        "multipart/form-data; boundary=" + "x" * 71,
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=a\r\nx: y",
        "multipart/mixed; boundary=a",
    ],
)
def test_boundary_that_is_none_is_refused(said: str) -> None:
    with pytest.raises(RequestError, match="must be `multipart/form-data; boundary=…`"):
        boundary_of(said)
    assert boundary_of('Multipart/Form-Data; Boundary="----WebKit(1) x"') == b"----WebKit(1) x"


def test_form_is_bounded_before_it_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjudge.service.reading.FORM_MAX_BYTES", 10_000)
    admission = Admission()
    with served(engine(), admission=admission, over_tcp=True) as url:
        for content in (b"x" * 11_000, iter([b"x" * 6000] * 2)):
            headers = {**OURS, "content-type": "multipart/form-data; boundary=B"}
            answer = httpx.post(url + PATH, content=content, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert (admission.held_bytes, admission.requests) == (0, 0)
    small = Admission(held_max_bytes=1500)
    with served(engine(), admission=small, over_tcp=True) as url:
        files = {"request": (None, document(1)), "face": ("x", b"x" * 600)}
        answer = httpx.post(url + PATH, files=files, headers=OURS)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded"), "the copy of a face counts too"
    assert (small.held_bytes, small.requests) == (0, 0)
    assert multipart.FORM_MAX_BYTES > 64 * 1024 * 1024
