"""The fingerprint tells two requests with one MerchantBizId apart, and nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from adjudge.case import take
from adjudge.model import Face, Request
from adjudge.policy import parse_policy
from adjudge.testing import MERCHANT_BIZ_ID

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
signals: {device: {fields: {score: int}}}
rules: [{id: r, when: ratio > 1.0, then: review}]
"""
POLICY = parse_policy(f"policy_language: 1\npolicy: one\n{INPUTS}")
OTHER = parse_policy(f"policy_language: 1\npolicy: other\n{INPUTS}")


def mark(inputs: Mapping[str, object] | None = None, *, key: bytes = KEY, **parts: Any) -> str:
    policy = parts.pop("of", POLICY)
    request = Request(**{"merchant_biz_id": MERCHANT_BIZ_ID, "scene_code": "s", "inputs": inputs or {}, **parts})
    return take(request, policy, key).mark


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
    ],
)
def test_fingerprint_of_the_same_value_in_another_python_type_is_the_same(
    one: Mapping[str, object], other: Mapping[str, object]
) -> None:
    assert mark(one) == mark(other)


def test_fingerprint_differs_with_scene_face_inputs_policy_and_key() -> None:
    face = Face.from_bytes(b"\xff\xd8\xff one")
    marks = [
        mark(),
        mark(scene_code="t"),
        mark(of=OTHER),
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
    ]
    assert len(set(marks)) == len(marks)


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
        {"age": "24h", "country": "SG", "ratio": 0.5, "sizes": {"a": 2, "b": 1}, "tags": ["a", "b"]},
    ]
    text = json.dumps(content, separators=(",", ":"))
    assert mark(inputs, face=face) == hmac.new(KEY, text.encode(), "sha256").hexdigest()
