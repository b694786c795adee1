"""The verifier's short way, by the shape of records seen before, lets nothing through that the long way would not."""

from __future__ import annotations

import hashlib
import random

import pytest

from adjudge.audit.record import FIRST_PREV, encode, encode_body
from adjudge.audit.signing import Mac
from adjudge.audit.verify import SUFFIX_LENGTH, _check, _Shapes

BODIES: list[dict[str, object]] = [
    {"id": "a", "inputs": {"n": 1.5, "tags": ["x", "y"], "deep": {"k": [1, 2], "l": None}}, "rules": [], "ok": True},
    {"id": 'b"\\ü', "inputs": {"n": -2e-7, "tags": [], "deep": {"k": [3], "l": 4}}, "rules": ["r1"], "ok": False},
    {"id": "", "inputs": {}, "rules": [["nested"], [{"a": 1}]], "ok": None},
    {"empty": {}},
    {"decision_id": "a" * 32, "merchant_biz_id": "b" * 32, "n": 1, "tags": ["x"]},
    {"decision_id": "a" * 32, "merchant_biz_id": "b" * 32, "supersedes": "c" * 32},
]


def line_of(body: dict[str, object]) -> bytes:
    return encode("decision", 1, FIRST_PREV, encode_body(body))[0]


def hashed(line: bytes) -> bytes:
    """Give a line that was changed the hash that it should carry, as a forger would."""
    start = line[:-SUFFIX_LENGTH]
    return b'%b,"hash":"%b"}\n' % (start, hashlib.sha256(start).hexdigest().encode())


def test_lines_of_a_known_shape_go_the_short_way() -> None:
    shapes = _Shapes()
    shapes.learn(line_of(BODIES[0]), b"decision")
    like = {**BODIES[0], "id": "other", "rules": ["r1", "r2"], "ok": None}
    assert shapes.kind_of(line_of(like), 1, FIRST_PREV) == b"decision"
    assert shapes.kind_of(line_of(like), 2, FIRST_PREV) is None
    assert shapes.kind_of(line_of({**like, "more": 1}), 1, FIRST_PREV) is None
    assert shapes.kind_of(line_of(BODIES[1]), 1, FIRST_PREV) is None, "what is not ASCII goes the long way"


def test_decisions_of_a_known_shape_say_which_they_are() -> None:
    shapes = _Shapes()
    for body in BODIES[-2:]:
        shapes.learn(line_of(body), b"decision")
        other = {**body, "decision_id": "d" * 32, "merchant_biz_id": "e"}
        assert shapes.kind_of(line_of(other), 1, FIRST_PREV) == b"decision"
        assert shapes.decision == (None if "supersedes" in body else (b"d" * 32, b"e", None))


@pytest.mark.parametrize("with_mac", [False, True])
def test_a_mac_is_no_member_of_a_shape(with_mac: bool) -> None:
    shapes, mac = _Shapes(), Mac(b"k" * 32) if with_mac else None
    members = encode_body(BODIES[0])
    shapes.learn(encode("decision", 1, FIRST_PREV, members, mac)[0], b"decision")
    assert shapes.kind_of(encode("decision", 7, FIRST_PREV, members, mac)[0], 7, FIRST_PREV) == b"decision"
    for value in (b"z" * 64, b"a" * 63, b"A" * 64):
        like = encode("decision", 7, FIRST_PREV, members + b',"mac":"%b"' % value)[0]
        assert shapes.kind_of(like, 7, FIRST_PREV) is None


@pytest.mark.parametrize("seed", range(4))
def test_a_forgers_line_never_goes_the_short_way(seed: int) -> None:
    draw = random.Random(seed)
    shapes = _Shapes()
    for body in BODIES:
        shapes.learn(line_of(body), b"decision")
    short = 0
    for _ in range(4000):
        line = bytearray(line_of(draw.choice(BODIES)))
        for _ in range(draw.choice((1, 1, 2, 3))):
            at = draw.randrange(len(line) - SUFFIX_LENGTH)
            piece = draw.choice((b'"', b",", b"{", b"}", b"[", b"]", b"\\", b":", b"1", b".", b"\0", b"\n", b" ", b"a"))
            change = draw.random()
            line[at : at + (change < 0.7)] = piece if change < 0.85 else b""
        forged = hashed(bytes(line))
        if shapes.kind_of(forged, 1, FIRST_PREV) is not None:
            short += 1
            assert _check(forged, 1, FIRST_PREV)[0] == "", forged
    assert short > 50, "few forgeries have the right shape: the test says nothing"
