"""The verifier's short way, by the shape of records seen before, lets nothing through that the long way would not."""

from __future__ import annotations

import hashlib
import random

import pytest

from adjudge.audit.record import FIRST_PREV, encode, encode_body
from adjudge.audit.signing import Mac
from adjudge.audit.verify import SUFFIX_LENGTH
from adjudge.audit.verify.lines import check_line
from adjudge.audit.verify.shapes import Shapes

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


def kind_of(shapes: Shapes, line: bytes, seq: int = 1) -> bytes:
    return shapes.find(line, seq, FIRST_PREV)[0]


def test_lines_of_a_known_shape_go_the_short_way() -> None:
    shapes = Shapes()
    shapes.learn(line_of(BODIES[0]), b"decision")
    like = {**BODIES[0], "id": "é", "rules": ["r1", "r2"], "ok": None}
    assert kind_of(shapes, line_of(like)) == b"decision"
    assert kind_of(shapes, line_of(like), 2) == b""
    assert kind_of(shapes, line_of({**like, "more": 1})) == b""
    assert kind_of(shapes, hashed(line_of(like).replace("é".encode(), b"\xe9"))) == b"", "what is not UTF-8"


def test_decisions_of_a_known_shape_say_which_they_are() -> None:
    shapes = Shapes()
    for body in BODIES[-2:]:
        shapes.learn(line_of(body), b"decision")
        other = {**body, "decision_id": "d" * 32, "merchant_biz_id": "e"}
        facts = () if "supersedes" in body else (b"d" * 32, b"e")
        assert shapes.find(line_of(other), 1, FIRST_PREV) == (b"decision", facts)


@pytest.mark.parametrize("with_mac", [False, True])
def test_a_mac_is_no_member_of_a_shape(with_mac: bool) -> None:
    shapes, mac = Shapes(), Mac(b"k" * 32) if with_mac else None
    members = encode_body(BODIES[0])
    shapes.learn(encode("decision", 1, FIRST_PREV, members, mac)[0], b"decision")
    assert kind_of(shapes, encode("decision", 7, FIRST_PREV, members, mac)[0], 7) == b"decision"
    for value in (b"z" * 64, b"a" * 63, b"A" * 64):
        like = encode("decision", 7, FIRST_PREV, members + b',"mac":"%b"' % value)[0]
        assert kind_of(shapes, like, 7) == b""


@pytest.mark.parametrize("seed", range(4))
def test_a_forgers_line_never_goes_the_short_way(seed: int) -> None:
    draw = random.Random(seed)
    shapes = Shapes()
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
        if kind_of(shapes, forged):
            short += 1
            assert check_line(forged, 1, FIRST_PREV) == b"decision", forged
    assert short > 50, "few forgeries have the right shape: the test says nothing"
