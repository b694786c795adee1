"""Request documents as JSON, and decisions as JSON."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge.documents import decision_document, decode_request, read_json
from adjudge.errors import RequestError
from adjudge.model import Face, Request
from adjudge.system import plain_base64

DOCUMENT = {
    "merchant_biz_id": "0123456789abcdef0123456789abcdef",
    "scene_code": "onboard001",
    "policy": "face-onboarding",
    "inputs": {"country": "SG"},
    "signals": {"device": {"score": 12, "emulator": False}},
}
MP4 = b"\x00\x00\x00\x18ftypmp42"


def decode(folder: Path | None = None, **changes: Any) -> Request:
    return decode_request(json.dumps({**DOCUMENT, **changes}).encode(), folder=folder)


def test_decode_request_takes_every_part() -> None:
    request = decode(face={"url": "https://example.com/face.jpg"})
    assert (request.merchant_biz_id, request.scene_code) == (DOCUMENT["merchant_biz_id"], "onboard001")
    assert request.policy == "face-onboarding"
    assert request.inputs == {"country": "SG"}
    assert request.signals == {"device": {"score": 12, "emulator": False}}
    assert request.face is not None and request.face.url == "https://example.com/face.jpg"


def test_decode_request_takes_what_was_decoded_already() -> None:
    assert decode_request(DOCUMENT) == decode()


def test_decode_request_null_is_absence() -> None:
    request = decode(policy=None, face=None, inputs=None, signals={"device": None})
    assert (request.policy, request.face, request.inputs, request.signals) == (None, None, {}, {})


def test_decode_request_face_from_base64_finds_its_type() -> None:
    assert decode(face={"base64": base64.b64encode(MP4).decode()}).face.media_type == "video"  # type: ignore[union-attr]
    assert decode(face={"base64": "AAAA"}).face.media_type == "image"  # type: ignore[union-attr]
    assert decode(face={"base64": "AAAA", "type": "video"}).face.media_type == "video"  # type: ignore[union-attr]
    assert decode(face={"url": "http://x.example/a", "type": "video"}).face.media_type == "video"  # type: ignore[union-attr]


@pytest.mark.parametrize("changes", [{"merchant_biz_id": "short"}, {"scene_code": "-"}, {"inputs": []}, {"signals": 1}])
def test_decode_request_looks_at_its_face_last(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    """Decoding one may take a second: a request that is wrong in another way is refused before."""
    monkeypatch.setattr(Face, "from_base64", lambda *_, **__: pytest.fail("decoded the face"))
    with pytest.raises(RequestError) as caught:
        decode(face={"base64": "AAAA"}, **changes)
    assert caught.value.where == next(iter(changes))


def test_decode_request_file_is_read_from_the_folder_only_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "face.jpg").write_bytes(b"\xff\xd8picture")
    face = decode(tmp_path, face={"file": "face.jpg"}).face
    assert face is not None and face.data == b"\xff\xd8picture"
    assert decode(Path("/nowhere"), face={"file": str(tmp_path / "face.jpg")}).face == face
    with pytest.raises(RequestError, match=r"^face\.file: files are not read here$"):
        decode(face={"file": str(tmp_path / "face.jpg")})


@pytest.mark.parametrize(
    ("changes", "where", "message", "hint"),
    [
        ({"merchant_biz_id": None}, "merchant_biz_id", "is missing", None),
        ({"scene_code": None}, "scene_code", "is missing", None),
        ({"scene_code": True}, "scene_code", "must be a string, not true", None),
        ({"scene_code": "too long a code"}, "scene_code", "must be 1 to 10 letters", None),
        ({"polcy": 1}, "polcy", "unknown key", "did you mean `policy`?"),
        ({"policy": 1}, "policy", "must be a string, not a number", None),
        ({"inputs": "x"}, "inputs", "must be an object, not a string", None),
        ({"signals": []}, "signals", "must be an object, not a list", None),
        ({"signals": {"device": []}}, "signals.device", "must be an object, not a list", None),
        ({"face": "face.jpg"}, "face", "must be an object, not a string", None),
        ({"face": {}}, "face", "takes one of file, url and base64, and it has none of them", None),
        ({"face": {"type": "image"}}, "face", "takes one of file, url and base64, and it has none of them", None),
        ({"face": {"url": "https://x", "base64": "AA=="}}, "face", "not url and base64 together", None),
        ({"face": {"base64": {}}}, "face.base64", "must be a string, not an object", None),
        ({"face": {"base64": ""}}, "face", "the face is empty, 0 bytes", None),
        ({"face": {"base64": "data:image/jpeg;base64,AAAA"}}, "face.base64", "is not plain Base64", None),
        ({"face": {"url": "ftp://x"}}, "face.url", "must be an http or https URL", None),
        ({"face": {"url": "http://[x"}}, "face.url", "must be an http or https URL", None),
        ({"face": {"file": ""}}, "face.file", "is not a path", None),
        ({"face": {"file": "a\0b"}}, "face.file", "is not a path", None),
        ({"face": {"file": "absent.jpg"}}, "face.file", "cannot read", None),
        ({"face": {"url": "http://x/\ud800"}}, "face.url", "is not valid Unicode", None),
        ({"face": {"file": "\ud800"}}, "face.file", "is not valid Unicode", None),
        ({"face": {"url": "http://x", "type": "gif"}}, "face.type", "must be image or video, not `gif`", None),
        ({"face": {"url": "http://x", "typ": "image"}}, "face.typ", "unknown key", "did you mean `type`?"),
    ],
)
def test_decode_request_mistake_is_one_error_that_names_its_place(
    tmp_path: Path, changes: dict[str, Any], where: str, message: str, hint: str | None
) -> None:
    with pytest.raises(RequestError) as caught:
        decode(tmp_path, **changes)
    assert caught.value.where == where
    assert message in str(caught.value)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "line 1, column 1: is not JSON: expecting value"),
        (b'{"a": 1,\n "b": }', "line 2, column 7: is not JSON: expecting value"),
        (b'{"a": 1} x', "line 1, column 10: is not JSON: extra data"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": {"b": 1, "b": 2}}', "b: the key `b` appears twice in one object"),
        (b'{"a": "\xff"}', "byte 8 of the document is not UTF-8"),
        (b"[" * 200_000, "the document has more than 20,000 objects and lists"),
        (b"[" * 2000, "the document is nested more than 100 deep"),
    ],
)
def test_read_json_refuses_what_is_none(data: bytes, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_json(data)
    assert str(caught.value) == said


def test_document_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestError, match=r"the document is larger than 1 MiB$"):
        read_json(b'"' + b"a" * 2**20 + b'"')
    monkeypatch.setattr("adjudge.documents.DOCUMENT_MAX_BYTES", 10)
    with pytest.raises(RequestError, match="the document is larger than 10 bytes"):
        decode_request(b'{"123456789"')


@pytest.mark.parametrize("escaped", ["/", "\\/", "\\u002f"])
def test_face_of_megabytes_is_decoded(escaped: str) -> None:
    face = hashlib.sha512(b"face").digest() * 40_000
    text = base64.b64encode(face).decode().replace("/", escaped)
    document = json.dumps({**DOCUMENT, "face": {"base64": "%s"}}).replace("%s", text)
    assert decode_request(document.encode()).face == Face.from_bytes(face)
    assert decode_request(json.loads(document)).face == Face.from_bytes(face)


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("A" * 3 * 2**20 + "!", "face.base64", "is not plain Base64"),
        ("A" * 3 * 2**20 + "\\ud800", "face.base64", "has characters that are not ASCII"),
        ("\\u0041" * 3 * 2**20, "face.base64", "has more escapes than plain text needs"),
        ("A" * (64 * 2**20 // 3 * 4 + 8), "face", "the face is larger than 64 MiB"),
    ],
)
def test_face_of_megabytes_that_is_none_is_refused_before_it_is_decoded(
    text: str, where: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_base64, "_decode", lambda _: pytest.fail("decoded it"))
    document = json.dumps({**DOCUMENT, "face": {"base64": "%s"}}).replace("%s", text)
    with pytest.raises(RequestError) as caught:
        decode_request(document.encode())
    assert str(caught.value) == f"{where}: {said}"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_decode_request_never_raises_anything_else(data: bytes) -> None:
    with pytest.raises(RequestError):
        decode_request(data)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from([*DOCUMENT, "face"]), _JSON),
    st.dictionaries(st.sampled_from(["file", "url", "base64", "type"]), _JSON),
)
def test_decode_request_of_any_object_is_a_request_or_an_error(parts: dict[str, Any], face: dict[str, Any]) -> None:
    for document in ({**DOCUMENT, **parts}, {**DOCUMENT, "face": face}):
        try:
            assert isinstance(decode_request(document), Request)
        except RequestError:
            pass


def test_decision_document_is_json_and_holds_no_field_of_a_signal(tmp_path: Path) -> None:
    from adjudge.engine import Engine
    from adjudge.policy import parse_policy
    from adjudge.registry import Registry

    policy = parse_policy(
        "policy_language: 1\npolicy: face-onboarding\ninputs: {country: string}\n"
        "signals: {device: {fields: {score: double, emulator: bool}}}\n"
        "rules: [{id: emulator, when: device.emulator, then: review}]\n"
    )
    with Engine([policy], registry=Registry()) as engine:
        decision = engine.decide_sync(decode(signals={"device": {"score": 4321.5, "emulator": True}}))
    document = json.loads(json.dumps(decision_document(decision)))
    assert document["outcome"] == "review" and document["matched"] == ["emulator"]
    assert document["decided_at"].endswith("Z")
    assert "4321" not in json.dumps(document)
