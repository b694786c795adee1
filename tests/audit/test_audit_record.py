"""One record's line: its exact bytes, what it takes, what it refuses."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import msgspec
import pytest

from adjudge.audit.log import AuditLog
from adjudge.audit.record import FIRST_PREV, Body, MalformedLine, encode, encode_body, following, parse
from adjudge.audit.signing import Mac

GOLDEN = (
    b'{"schema":1,"seq":1,"prev":"0000000000000000000000000000000000000000000000000000000000000000",'
    b'"kind":"policy","text":"policy: x\\n","digest":"ab"'
    b',"hash":"34d5de97750f0b161a8424f71f170b10972a1f3acd4d61b7f8d8e4329ccaee00"}\n'
    b'{"schema":1,"seq":2,"prev":"34d5de97750f0b161a8424f71f170b10972a1f3acd4d61b7f8d8e4329ccaee00",'
    b'"kind":"decision","decision_id":"d-1","decided_at":"2026-01-02T03:04:05.000006Z","cost":{"USD":"0.10"}'
    b',"score":[1,null,0.5],"city":"Z\xc3\xbcrich"'
    b',"hash":"8e8feb9fcf9bd28ec70a9919a121ffecd1b57722b42d18786e583216eeb7312c"}\n'
)


class Decided(msgspec.Struct):
    decision_id: str
    decided_at: datetime
    cost: dict[str, Decimal]
    score: tuple[int, None, float]
    city: str


DECIDED = Decided(
    decision_id="d-1",
    decided_at=datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
    cost={"USD": Decimal("0.10")},
    score=(1, None, 0.5),
    city="Zürich",
)


def test_log_two_records_have_the_golden_bytes(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path) as log:
        log.write_blocking("policy", {"text": "policy: x\n", "digest": "ab"})
        log.write_blocking("decision", DECIDED)
    assert (tmp_path / "audit-000001.jsonl").read_bytes() == GOLDEN


def test_line_hash_is_sha256_of_all_but_the_last_76_bytes() -> None:
    for line in GOLDEN.splitlines(keepends=True):
        assert json.loads(line)["hash"] == hashlib.sha256(line[:-76]).hexdigest()
        assert line[-76:].startswith(b',"hash":"')


def test_record_parsed_gives_its_parts_back() -> None:
    first, second = (parse(line) for line in GOLDEN.splitlines(keepends=True))
    assert (first.seq, first.kind, first.prev, first.hash) == (1, "policy", "0" * 64, second.prev)
    assert first.decode() == {"text": "policy: x\n", "digest": "ab"}
    assert second.decode(Decided) == DECIDED


def test_record_without_members_is_an_empty_object() -> None:
    line, _ = encode("reload", 1, FIRST_PREV, encode_body({}))
    assert json.loads(line).keys() == {"schema", "seq", "prev", "kind", "hash"}
    assert parse(line).decode() == {}


def test_body_any_mapping_is_taken() -> None:
    assert encode_body(MappingProxyType({"a": MappingProxyType({"b": 1})})) == b',"a":{"b":1}'


class Tagged(msgspec.Struct, tag_field="kind", tag="decision"):
    a: int = 1


class Renamed(msgspec.Struct, rename={"digest": "hash"}):
    digest: str = ""


@pytest.mark.parametrize("body", [{"seq": 1}, {"a": 1, "hash": "x"}, {"schema": 2}, {"prev": 1}, Tagged(), Renamed()])
def test_body_with_a_name_of_the_chain_is_refused(body: Body) -> None:
    with pytest.raises(ValueError, match="name of the chain's own"):
        encode_body(body)


class Listed(msgspec.Struct, array_like=True):
    a: int = 1


@dataclass
class Unknowable:
    value: object


def test_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(TypeError):
        encode_body(Listed())
    with pytest.raises(TypeError):
        encode_body({"a": Unknowable(object())})


@pytest.mark.parametrize("kind", ["", "Decision", "a-b", 'x","seq":1', "a" * 65])
def test_write_a_kind_that_is_no_word_is_refused(tmp_path: Path, kind: str) -> None:
    with AuditLog.open(tmp_path) as log, pytest.raises(ValueError, match="is not a kind"):
        log.write_blocking(kind, {"a": 1})


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"{}\n",
        GOLDEN.splitlines()[0],
        GOLDEN.splitlines(keepends=True)[0].replace(b'"schema":1', b'"schema":2'),
        GOLDEN.splitlines(keepends=True)[0].replace(b'"digest":"ab"', b'"digest":"ac"'),
        GOLDEN.splitlines(keepends=True)[0].replace(b'"seq":1', b'"seq":01'),
        b'{"schema":1,"seq":1,"prev":"' + b"0" * 64 + b'","kind":"x","hash":"' + b"0" * 64 + b'"}\n',
    ],
)
def test_parse_a_line_that_is_no_record_says_so(line: bytes) -> None:
    with pytest.raises(MalformedLine):
        parse(line)


@pytest.mark.parametrize("seed", range(4))
def test_the_next_record_is_what_parse_makes_of_it_or_nothing(seed: int) -> None:
    """Lines whose hash is right, with anything in them that a forger may put there."""
    draw = random.Random(seed)
    first, second = GOLDEN.splitlines(keepends=True)
    with_mac = encode("call", 2, first[-67:-3], b',"a":1', Mac(bytes(32)))[0]
    assert following(first, 1, FIRST_PREV.decode()) == parse(first)
    assert following(with_mac, 2, first[-67:-3].decode()) == parse(with_mac)
    assert following(second, 2, first[-67:-3].decode()) == parse(second)
    assert following(second, 3, first[-67:-3].decode()) is following(second, 2, FIRST_PREV.decode()) is None
    taken = 0
    for _ in range(3000):
        line = bytearray(draw.choice((second, with_mac)))
        for _ in range(draw.choice((0, 1, 1, 2))):
            at = draw.randrange(len(line))
            piece = draw.choice((b'"', b",", b"{", b"}", b"\n", b"0", b"x", b"", b',"mac":"', b',"hash":"'))
            line[at : at + draw.choice((0, 1))] = piece
        forged = bytes(line)
        if draw.random() < 0.7:
            forged = forged[:-76] + b',"hash":"%b"}\n' % hashlib.sha256(forged[:-76]).hexdigest().encode()
        found = following(forged, 2, first[-67:-3].decode())
        try:
            expected = parse(forged)
        except MalformedLine:
            assert found is None, forged
        else:
            is_next = (expected.seq, expected.prev) == (2, first[-67:-3].decode())
            assert found == (expected if is_next else None), forged
            taken += is_next
    assert taken > 300, "few forgeries are records: the test says nothing"
