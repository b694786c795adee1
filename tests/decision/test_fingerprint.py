"""The fingerprint tells two requests with one MerchantBizId apart, and nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge.decision.fingerprint import fingerprint
from adjudge.decision.prepared import prepare
from adjudge.model import Face, Request
from adjudge.policy import parse_policy
from adjudge.testing import MERCHANT_BIZ_ID
from adjudge.values.declared import parse_field
from adjudge.values.fields import Field
from adjudge.values.reading import read
from adjudge.values.recorded import VALUE_MAX_BYTES, as_it_came, canonical, recordable
from adjudge.values.types import DOUBLE, DURATION, STRING, TIMESTAMP, EnumType, ListType, MapType, SetType

KEY = b"k" * 32
INPUTS = """
inputs:
  country: string
  age: duration
  opened: timestamp
  ratio: double
  tags: {type: set, values: [a, b, c]}
  names: {type: list, of: string}
  sizes: {type: map, of: int}
  ratios: {type: map, of: double}
  times: {type: list, of: timestamp}
signals: {device: {fields: {score: int}}}
rules: [{id: r, when: ratio > 1.0, then: review}]
"""
POLICY = parse_policy(f"policy_language: 1\npolicy: one\n{INPUTS}")
OTHER = parse_policy(f"policy_language: 1\npolicy: other\n{INPUTS}")


def mark(inputs: Mapping[str, object] | None = None, *, key: bytes = KEY, **parts: Any) -> str:
    policy = parts.pop("of", POLICY)
    request = Request(**{"merchant_biz_id": MERCHANT_BIZ_ID, "scene_code": "s", "inputs": inputs or {}, **parts})
    return prepare(request, policy, key).key.fingerprint


def test_fingerprint_order_of_inputs_and_of_a_maps_keys_does_not_matter() -> None:
    one = mark({"country": "SG", "ratio": 0.5, "sizes": {"x": 1, "y": 2}})
    assert mark({"sizes": {"y": 2, "x": 1}, "ratio": 0.5, "country": "SG"}) == one
    assert len(one) == 64 and set(one) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"tags": {"a", "b", "c"}}, {"tags": frozenset(("c", "a", "b"))}),
        ({"names": ["a", "b"]}, {"names": ("a", "b")}),
        ({"age": timedelta(hours=1)}, {"age": "3600s"}),
        ({"opened": datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=8)))}, {"opened": "2026-01-01T00:00:00Z"}),
        ({"opened": datetime(2026, 1, 1, tzinfo=UTC)}, {"opened": "2026-01-01T00:00:00Z"}),
        ({"opened": "2026-01-01T08:00:00+08:00"}, {"opened": "2025-12-31T19:00:00.000-05:00"}),
        ({"age": "1h30m"}, {"age": "5400000ms"}),
        ({"age": "-0s"}, {"age": "0"}),
        ({"tags": ["c", "a", "b", "a"]}, {"tags": ["a", "b", "c"]}),
        ({"tags": [5, "a", "new"]}, {"tags": ["new", "a", 5]}),
        ({"ratio": 1}, {"ratio": 1.0}),
        ({"ratio": -0.0}, {"ratio": 0}),
        ({"ratios": {"x": 1, "y": -0.0}}, {"ratios": {"y": 0.0, "x": 1.0}}),
        ({"times": ["2026-01-01T08:00:00+08:00"]}, {"times": ["2026-01-01T00:00:00Z"]}),
        ({"country": "é"}, {"country": "e\u0301"}),
        ({"names": ["é", "a"]}, {"names": ["e\u0301", "a"]}),
        ({"tags": ["é", "e\u0301"]}, {"tags": ["e\u0301"]}),
        ({"ratios": {"é": 1}}, {"ratios": {"e\u0301": 1.0}}),
        ({"ratios": {"é": 1, "e\u0301": 2}}, {"ratios": {"e\u0301": 2.0, "é": 1.0}}),
    ],
)
def test_fingerprint_of_the_same_value_written_in_another_way_is_the_same(
    one: Mapping[str, object], other: Mapping[str, object]
) -> None:
    assert mark(one) == mark(other)


def _fields() -> list[Field]:
    forms: list[object] = ["bool", "string", "int", "double", "duration", "timestamp"]
    forms += [{"type": "set", "values": ["a", "é"]}, {"type": "enum", "values": ["a", "é"]}]
    forms += [{"type": "list", "of": form} for form in forms] + [{"type": "map", "of": form} for form in forms]
    return [parse_field(form) for form in forms]


TIMES = st.sampled_from(
    [
        "0",
        "-0s",
        "1h",
        "60m",
        "3600s",
        "1.5ms",
        "1500us",
        "100ns",
        "99999999999h",
        "soon",
        "2026-01-01T00:00:00Z",
        "2026-01-01T08:00:00+08:00",
        "2026-01-01T00:00:00.000Z",
        "0001-01-01T00:00:00+01:00",
        "2026-02-30T00:00:00Z",
    ]
)
LEAVES = st.none() | st.booleans() | st.sampled_from([-1, 0, 1, 2**53 + 1]) | st.floats(allow_nan=False)
LEAVES |= st.sampled_from(["a", "b", "c", "é", "e\u0301"]) | TIMES
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["", "a", "é", "e\u0301"]), inner),
)


@given(st.sampled_from(_fields()), VALUES, VALUES)
def test_fingerprint_is_that_of_the_recorded_value(field: Field, one: object, other: object) -> None:
    """Recorded alike is fingerprinted alike, and only that; and what is recorded reads as what came."""
    said = []
    for value in (one, other):
        refused: list[tuple[str, str]] = []
        written = recordable(field, value, refused, "x")
        recorded = canonical(field, written)
        assert canonical(field, recorded) == recorded
        before, after = read(field, written), read(field, recorded)
        assert (repr(after.value), after.novel) == (repr(before.value).replace("-0.0", "0.0"), before.novel)
        request = Request(merchant_biz_id=MERCHANT_BIZ_ID, scene_code="s")
        said.append((json.dumps(recorded, sort_keys=True), fingerprint(request, {"x": recorded}, "p", KEY)))
    assert (said[0][0] == said[1][0]) == (said[0][1] == said[1][1])


@given(st.sampled_from(_fields()), VALUES | st.dictionaries(st.text(max_size=3) | st.booleans(), LEAVES))
def test_value_taken_as_it_came_is_the_recorded_one(field: Field, value: object) -> None:
    found = as_it_came(field, value)
    if found is not None:
        refused: list[tuple[str, str]] = []
        assert repr(found) == repr(canonical(field, recordable(field, value, refused, "x")))
        assert not refused
        assert found is not value or not isinstance(value, list | dict), "what its caller may change is copied"


def test_values_that_are_often_right_are_taken_as_they_came() -> None:
    """These pay for no closer look; what is large or has other spellings does."""
    numbers, texts = parse_field({"type": "map", "of": "double"}), parse_field({"type": "map", "of": "string"})
    for form, value in [("string", "SG"), ("double", 0.5), ("double", -1.5), ("bool", False), ("int", 0)]:
        assert as_it_came(parse_field(form), value) is value
    assert as_it_came(numbers, {"a": 0.5, "b": 1.0}) == {"a": 0.5, "b": 1.0}
    for number in (-0.0, 0, float("inf"), float("nan"), True + 1):
        assert as_it_came(parse_field("double"), number) is None
    assert as_it_came(parse_field("int"), 2**63) is None
    assert as_it_came(parse_field("duration"), "60m") is None
    assert as_it_came(parse_field("string"), "e\u0301") is None
    large = {"\0" * 999 + chr(at): "\0" * 999 for at in range(64, 64 + 25)}
    assert len(json.dumps(large)) > VALUE_MAX_BYTES and as_it_came(texts, large) is None


@given(st.sampled_from(_fields()), VALUES, st.randoms())
def test_fingerprint_of_any_spelling_is_the_same(field: Field, value: object, draw: Random) -> None:
    def spelt(field: Field, value: object) -> object:
        """Return a value in another spelling that means the same."""
        form = draw.choice(("NFC", "NFD"))
        match value:
            case str() if field.type is STRING or isinstance(field.type, EnumType):
                return normalize(form, value)
            case list() if isinstance(field.type, SetType):
                members = [*value, *(one for one in value if isinstance(one, str) and draw.random() < 0.3)]
                members = [normalize(form, one) if isinstance(one, str) else one for one in members]
                return draw.sample(members, len(members))
            case list() if isinstance(field.type, ListType) and field.of is not None:
                return [spelt(field.of, item) for item in value]
            case dict() if isinstance(field.type, MapType) and field.of is not None:
                respelt = len({normalize("NFC", key) for key in value}) == len(value)
                entries = [
                    (normalize(form, key) if respelt else key, spelt(field.of, item)) for key, item in value.items()
                ]
                return dict(draw.sample(entries, len(entries)))
            case float() if field.type is DOUBLE and value.is_integer() and abs(value) < 2**53:
                return int(value)
            case str() if field.type is DURATION and isinstance(understood := read(field, value).value, timedelta):
                return f"{understood // timedelta(microseconds=1)}us"
            case str() if field.type is TIMESTAMP and isinstance(understood := read(field, value).value, datetime):
                return (
                    understood.astimezone(timezone(timedelta(hours=draw.randint(-3, 3))))
                    if understood.year > 1
                    else value
                )
            case _:
                return value

    one, other = (canonical(field, recordable(field, said, [], "x")) for said in (value, spelt(field, value)))
    assert json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def test_fingerprint_differs_with_scene_face_inputs_policy_and_key() -> None:
    face = Face.from_bytes(b"\xff\xd8\xff one")
    marks = [
        mark(),
        mark(scene_code="t"),
        mark(policy="one"),
        mark(policy="other", of=OTHER),
        mark(key=b"q" * 32),
        mark(face=face),
        mark(face=Face.from_bytes(b"\xff\xd8\xff two")),
        mark(face=Face.from_bytes(b"\xff\xd8\xff one", media_type="video")),
        mark(face=Face.from_url("https://example.com/a.jpg")),
        mark({"country": "SG"}),
        mark({"country": "US"}),
        mark({"names": ["SG"]}),
        mark({"names": ["S", "G"]}),
        mark({"names": ["G", "S"]}),
        mark({"sizes": {"a": 1}}),
        mark({"sizes": {"a": 2}}),
        mark({"ratio": 0.5}),
        mark({"ratio": "0.5"}),
        mark({"ratio": True}),
        mark({"country": "é"}),
        mark({"opened": "2026-01-01T00:00:00Z"}),
        mark({"opened": "2026-01-01T00:00:00.000001Z"}),
        mark({"opened": "soon"}),
        mark({"tags": ["a"]}),
        mark({"tags": ["a", "new"]}),
    ]
    assert len(set(marks)) == len(marks)


def test_fingerprint_holds_the_policy_that_the_caller_named_and_not_the_one_that_its_scene_chose() -> None:
    assert mark() == mark(of=OTHER)
    request = Request(merchant_biz_id=MERCHANT_BIZ_ID, scene_code="s", inputs={"age": "1h30m"})
    key = prepare(request, POLICY, KEY).key
    assert key.former == fingerprint(request, {"age": "1h30m"}, "one", KEY), "as version 0.1 took it"


def test_fingerprint_does_not_hang_on_the_id_or_on_what_the_caller_knows_by_now() -> None:
    assert mark() == mark(merchant_biz_id="f" * 32) == mark(signals={"device": {"score": 5}})


def test_fingerprint_is_the_same_in_every_process_and_version() -> None:
    """A change here makes every retry across an upgrade a conflict."""
    inputs = {"country": "SG", "age": "24h", "tags": {"b", "a"}, "ratio": 0.5, "sizes": {"b": 1, "a": 2}}
    face = Face.from_bytes(b"\xff\xd8\xff")
    content = [
        "one",
        "s",
        ["image", hashlib.sha256(b"\xff\xd8\xff").hexdigest()],
        {"age": "86400s", "country": "SG", "ratio": 0.5, "sizes": {"a": 2, "b": 1}, "tags": ["a", "b"]},
    ]
    named = json.dumps(content, separators=(",", ":"))
    assert mark(inputs, face=face, policy="one") == hmac.new(KEY, named.encode(), "sha256").hexdigest()
    unnamed = json.dumps([None, *content[1:]], separators=(",", ":"))
    assert mark(inputs, face=face) == hmac.new(KEY, unnamed.encode(), "sha256").hexdigest()
