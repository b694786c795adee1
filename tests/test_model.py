"""The data of a decision: what can be made, and what is refused with its place."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adjudge import model
from adjudge.audit.media import jpeg_size
from adjudge.errors import RequestError
from adjudge.model import Face, MediaType, Outcome, Request

JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xc2\x00\x0b\x08\x01\x90\x02\x80\x03\x01\x11\x00"


def test_outcome_is_ordered_by_severity_not_by_letters() -> None:
    assert Outcome.PASS < Outcome.REVIEW < Outcome.REJECT
    assert max(Outcome.REJECT, Outcome.REVIEW) is Outcome.REJECT
    assert Outcome.REVIEW <= "review" and Outcome.REVIEW >= "pass" and not Outcome.PASS > "pass"
    assert [outcome.severity for outcome in Outcome] == [0, 1, 2]
    with pytest.raises(ValueError, match="maybe"):
        _ = Outcome.PASS < "maybe"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"merchant_biz_id": "a" * 31}, "merchant_biz_id: must be 32 letters or digits"),
        ({"merchant_biz_id": "a" * 33}, "merchant_biz_id: must be 32 letters or digits"),
        ({"merchant_biz_id": "é" * 32}, "merchant_biz_id: must be 32 letters or digits"),
        ({"merchant_biz_id": "a" * 31 + "\n"}, "merchant_biz_id: must be 32 letters or digits"),
        ({"merchant_biz_id": None}, "merchant_biz_id: must be 32 letters or digits"),
        ({"scene_code": ""}, "scene_code: must be 1 to 10 letters, digits or _"),
        ({"scene_code": "a" * 11}, "scene_code: must be 1 to 10 letters, digits or _"),
        ({"scene_code": 5}, "scene_code: must be 1 to 10 letters, digits or _"),
        ({"face": b"\xff\xd8"}, "face: must be a Face, such as Face.from_file(…)"),
        ({"inputs": [("a", 1)]}, "inputs: must be a mapping"),
        ({"signals": {"device": 5}}, "signals: must map each signal to a mapping of its fields"),
        ({"signals": None}, "signals: must map each signal to a mapping of its fields"),
    ],
)
def test_request_that_cannot_be_right_is_refused(parts: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as refused:
        Request(**{"merchant_biz_id": "a" * 32, "scene_code": "s", **parts})
    assert str(refused.value) == said
    assert refused.value.where == said.partition(":")[0]


def test_face_is_the_same_from_bytes_file_and_base64(tmp_path: Path) -> None:
    (tmp_path / "face.jpg").write_bytes(JPEG)
    faces = [
        Face.from_bytes(JPEG),
        Face.from_file(tmp_path / "face.jpg"),
        Face.from_base64(base64.b64encode(JPEG).decode()),
    ]
    assert faces == [faces[0]] * 3
    assert (faces[0].digest, faces[0].media_type) == (hashlib.sha256(JPEG).hexdigest(), "image")


def test_face_behind_a_url_is_known_by_its_text() -> None:
    url = "https://cdn.example/face.jpg"
    face = Face.from_url(url, media_type="video")
    assert (face.data, face.url, face.digest) == (None, url, hashlib.sha256(url.encode()).hexdigest())


@pytest.mark.parametrize(
    ("data", "expected"),
    [(JPEG, "image"), (b"\x00\x00\x00\x20ftypisom", "video"), (b"\x00\x00\x00\x08moov", "video"), (b"x", "image")],
)
def test_face_kind_is_found_from_the_first_bytes_unless_given(data: bytes, expected: MediaType) -> None:
    assert Face.from_bytes(data).media_type == expected
    assert Face.from_bytes(data, media_type="video").media_type == "video"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Face, "face: give one of data and url"),
        (lambda: Face(data=b"x", url="https://h"), "face: give one of data and url"),
        (lambda: Face.from_bytes(b""), "face: the face is empty, 0 bytes"),
        (lambda: Face.from_base64("data:image/jpeg;base64,AA=="), "face.base64: is not plain Base64"),
        (lambda: Face.from_base64("é"), "face.base64: is not plain Base64"),
        (lambda: Face.from_url("ftp://h/face.jpg"), "face.url: must be an http or https URL"),
        (lambda: Face.from_url("https://"), "face.url: must be an http or https URL"),
        (lambda: Face.from_url("https://h/\ud800"), "face.url: must be an http or https URL"),
        (lambda: Face.from_url("https://h/a\r\nb"), "face.url: must be an http or https URL"),
        (lambda: Face.from_url("https://h /a"), "face.url: must be an http or https URL"),
        (lambda: Face.from_url("https://h/a "), "face.url: must be an http or https URL"),
        (lambda: Face.from_url("https://h:99999/"), "face.url: must be an http or https URL"),
        (lambda: Face.from_base64(None), "face.base64: must be a string"),  # type: ignore[arg-type]
        (lambda: Face.from_file("a\0b"), "face.file: is not a path"),
        (lambda: Face.from_file("\ud800"), "face.file: is not a path"),
        (lambda: Face.from_file(None), "face.file: is not a path"),  # type: ignore[arg-type]
        (lambda: Face.from_file("gone.jpg"), "face.file: cannot read gone.jpg: No such file or directory"),
    ],
)
def test_face_that_is_none_is_refused(make: Callable[[], Face], said: str) -> None:
    with pytest.raises(RequestError) as refused:
        make()
    assert str(refused.value) == said


def test_face_larger_than_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(model, "MEDIA_MAX_BYTES", 2**20)
    (tmp_path / "face.jpg").write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(RequestError, match="larger than 1 MiB"):
        Face.from_bytes(b"x" * (2**20 + 1))
    with pytest.raises(RequestError, match="larger than 1 MiB"):
        Face.from_file(tmp_path / "face.jpg")
    assert Face.from_bytes(b"x" * 2**20).data == b"x" * 2**20


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (JPEG, (640, 400)),
        (JPEG[:15], None),
        (b"\xff\xd8\xff\xd0" + JPEG[2:], (640, 400)),
        (b"\xff\xd8\x00" + JPEG[2:], None),
        (b"\xff\xd8\xff\xc4\x00\x04ab" + JPEG[2:], (640, 400)),
        (b"\x89PNG", None),
        (b"\xff\xd8\xff", None),
    ],
)
def test_jpeg_size_is_read_from_the_frame_header(data: bytes, size: tuple[int, int] | None) -> None:
    assert jpeg_size(data) == size
