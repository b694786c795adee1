"""Request documents as JSON, and decisions as JSON."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge.documents import decision_document, decode_decision, decode_request, encode_request, read_json
from adjudge.errors import JsonError, RequestError
from adjudge.model import Decision, Face, Outcome, Request, Sampled, Signal, SignalStatus, Verdict
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
    monkeypatch.setattr("adjudge.documents.requests.DOCUMENT_MAX_BYTES", 10)
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


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
NAMES = st.lists(TEXTS, max_size=3).map(tuple)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=2, unique=True)
MONEY = st.decimals(0, 1000, places=4)
SCORES = st.tuples(st.integers(-9, 9), st.integers(-9, 9))


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    lower, outcome, upper = sorted(draw(st.lists(st.sampled_from(Outcome), min_size=3, max_size=3)))
    of_request, of_policy = draw(PAIRS), draw(PAIRS)
    names = draw(st.lists(st.text("abc", min_size=1, max_size=3), max_size=2, unique=True))
    signals = {
        name: Signal(
            name=name,
            status=draw(st.sampled_from(SignalStatus)),
            problems=tuple((f"{name}.{at}", said) for at, (_, said) in enumerate(draw(PAIRS))),
            reason=draw(st.none() | TEXTS),
            reason_code=draw(st.none() | TEXTS),
            capture_again=draw(st.none() | TEXTS),
            provider=draw(st.none() | TEXTS),
            version=draw(st.none() | TEXTS),
            request_id=draw(st.none() | TEXTS),
            duration_ms=draw(st.floats(0, 1e6)),
            price=draw(MONEY),
            currency=draw(st.none() | TEXTS),
            attempts=draw(st.integers(1, 5)),
            is_final=draw(st.booleans()),
        )
        for name in names
    }
    sampled = draw(st.none() | st.builds(Sampled, then=st.just(Outcome.REVIEW), reason=TEXTS, share=st.floats(0, 1)))
    return Decision(
        decision_id=draw(TEXTS),
        merchant_biz_id=draw(TEXTS),
        status=draw(st.sampled_from(("fresh", "duplicate", "supersedes"))),
        verdict=Verdict(
            outcome=outcome,
            lower=lower,
            upper=upper,
            matched=draw(NAMES),
            unresolved=draw(NAMES),
            reasons=draw(NAMES),
            missing=draw(NAMES),
            score=draw(st.none() | SCORES),
            waived=draw(NAMES),
            problems=tuple(of_policy),
            excused=draw(NAMES),
            ask=draw(NAMES),
            scores=draw(st.dictionaries(TEXTS, SCORES, max_size=2)),
        ),
        policy=draw(TEXTS),
        policy_digest=draw(TEXTS),
        fingerprint=draw(TEXTS),
        decided_at=draw(st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC))),
        signals=signals,
        supersedes=draw(st.none() | TEXTS),
        duration_ms=draw(st.floats(0, 1e6)),
        cost=draw(st.dictionaries(TEXTS, MONEY, max_size=2)),
        capture_again=draw(st.none() | TEXTS),
        capture_reason=draw(st.none() | TEXTS),
        notes=draw(NAMES),
        problems=tuple((f"input {name}", said) for name, said in of_request),
        sampled=sampled,
        final=draw(st.booleans()),
    )


@given(decisions())
def test_decision_is_the_same_after_its_document(decision: Decision) -> None:
    assert decode_decision(msgspec.json.encode(decision_document(decision))) == decision


def test_document_of_a_decision_has_every_part_of_it_but_what_signals_said() -> None:
    """A part that is new must be said, or the client's decisions lack it."""
    mapped = {"verdict", "name", "fields", "then"}
    for struct in (Decision, Verdict, Signal, Sampled):
        said = set(decision_document(next(iter(EXAMPLES)))) | SIGNAL_KEYS | {"instead_of", "share", "reason"}
        assert set(struct.__struct_fields__) - said - mapped == set(), struct.__name__


EXAMPLES = [
    Decision(
        decision_id="1",
        merchant_biz_id="2",
        status="fresh",
        verdict=Verdict(outcome=Outcome.PASS, lower=Outcome.PASS, upper=Outcome.PASS),
        policy="p",
        policy_digest="d",
        fingerprint="f",
        decided_at=datetime(2020, 1, 1, tzinfo=UTC),
        signals={"a": Signal(name="a", status=SignalStatus.OK, price=Decimal("0.10"))},
    )
]
SIGNAL_KEYS = set(decision_document(EXAMPLES[0])["signals"]["a"])  # type: ignore[index]  # a mapping of mappings


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", b"[" * 10_000, b'{"outcome": "pass"}'])
def test_what_is_no_decision_is_refused(text: bytes) -> None:
    with pytest.raises(JsonError, match="is no decision"):
        decode_decision(text)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), JSON_VALUES, max_size=4))
def test_request_is_the_same_after_its_document(values: dict[str, Any]) -> None:
    request = Request(
        merchant_biz_id="a" * 32,
        scene_code="s",
        policy="é",
        inputs=values,
        signals={"own": values},
        application_id="x-1",
        attempts=3,
        face=Face.from_bytes(b"\xff\xd8", media_type="video"),
    )
    read = decode_request(encode_request(request))
    assert (read.face, read.policy, read.application_id, read.attempts) == (request.face, "é", "x-1", 3)
    assert read.inputs == read.signals["own"] == small(values) if values else read.inputs == {}


def small(value: Any) -> Any:
    """Return a value with what no field takes as the reader keeps it."""
    match value:
        case int() if abs(value) >= 2**63 and value != -(2**63):
            return 10**400 if value > 0 else -(10**400)
        case dict():
            return {key: small(item) for key, item in value.items()}
        case list():
            return [small(item) for item in value]
    return value
