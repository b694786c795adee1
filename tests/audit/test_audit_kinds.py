"""The one reader of records."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from adjudge.audit.activation import ActivationBody, messages_of
from adjudge.audit.annotations import ErasureBody, erasure_body
from adjudge.audit.checkpoints import CheckpointBody
from adjudge.audit.kinds import KINDS, Block, bodies, body_of, decode, records
from adjudge.audit.log import AuditLog
from adjudge.audit.record import FIRST_PREV, encode, parse
from adjudge.errors import AuditBroken, NothingRead
from adjudge.plugin import CallBody

ENGINE = Path(__file__).parents[2] / "engine" / "adjudge"
BELOW = {"read.py", "record.py", "file.py", "log.py", "checkpoints.py", "kinds.py"}
"""The modules of `audit` that know records by their lines; `kinds.py` stands on them, and everybody else on it."""


def logged(directory: Path) -> Path:
    with AuditLog.open(directory) as log:
        log.write_blocking("erasure", erasure_body("s", ("email",), by="kim"))
        log.write_blocking("of_tomorrow", {"a": 1})
        log.write_blocking("erasure", erasure_body("t", ("email",), by="kim"))
    return directory / "audit-000001.jsonl"


def test_bodies_are_those_asked_for_and_later_kinds_are_passed_over(tmp_path: Path) -> None:
    logged(tmp_path)
    assert [(record.seq, body.merchant_biz_id) for record, body in bodies(tmp_path, ErasureBody)] == [
        (1, "s"),
        (3, "t"),
    ]
    assert list(bodies(tmp_path, CallBody, CheckpointBody)) == []
    assert [record.seq for record, _ in bodies(tmp_path, *KINDS.values())] == [1, 3]
    assert [body_of(tmp_path, record) is None for record in records(tmp_path)] == [False, True, False]
    assert [record.seq for record in records(tmp_path, newest=2)] == [2, 3]
    assert list(records(tmp_path, newest=0)) == []


def test_unfinished_line_ends_the_reading_and_a_broken_one_is_an_error(tmp_path: Path) -> None:
    file = logged(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    assert [record.seq for record in records(tmp_path)] == [1, 2]
    assert [record.seq for record in records(file, newest=9)] == [1, 2]
    file.write_bytes(whole.replace(b'"s"', b'"x"'))
    with pytest.raises(AuditBroken, match=r"audit-000001\.jsonl:1: "):
        list(records(tmp_path))


@pytest.mark.parametrize("held", [None, b"", b'{"schema":1'])
def test_reading_nothing_is_an_error(tmp_path: Path, held: bytes | None) -> None:
    if held is not None:
        (tmp_path / "audit-000001.jsonl").write_bytes(held)
    for newest in (None, 3):
        with pytest.raises(NothingRead, match=f"{tmp_path}: holds "):
            list(records(tmp_path, newest=newest))


def test_everybody_reads_logs_through_the_one_reader() -> None:
    """No other module decodes records, or deals with lines that are not finished."""
    wrong = []
    for path in ENGINE.rglob("*.py"):
        if path.parent.name == "audit" and path.parent.parent == ENGINE and path.name in BELOW:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = {one.name for one in node.names} if isinstance(node, ast.ImportFrom) else set()
            if isinstance(node, ast.ImportFrom) and node.module == "adjudge.audit.read":
                wrong += [f"{path}:{node.lineno} imports {name}" for name in {"read", "UnfinishedLine"} & names]
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "record.decode":
                wrong.append(f"{path}:{node.lineno} decodes a record by itself")
    assert wrong == []


HELD = b',"merchant_biz_id":"s","names":["email"],"at":"2026-01-02T03:04:05Z"'


def test_a_block_holds_what_its_records_hold(tmp_path: Path) -> None:
    logged(tmp_path)
    found = [record for record in records(tmp_path) if record.kind == "erasure"]
    block = Block.of(found)
    assert block.decode(ErasureBody) == [decode(ErasureBody, one.seq, one.body) for one in found]
    assert Block.of([]).decode(ErasureBody) == []


@pytest.mark.parametrize(
    "members",
    [
        HELD.replace(b'"s"', b"7"),
        HELD.replace(b"Z", b""),
        HELD[:-1],
        HELD + b"}{" + HELD[1:],
        HELD + b',"x":{"y":1',
        HELD + b',"x":"',
        b",",
        b"",
    ],
)
def test_a_block_with_a_record_that_is_not_valid_says_which(members: bytes) -> None:
    """And in the same words as one alone; whether it has the right hash says nothing of what is in it."""
    lines = [encode("erasure", seq, FIRST_PREV, one)[0] for seq, one in enumerate((HELD, members, HELD), 7)]
    with pytest.raises(AuditBroken) as alone:
        decode(ErasureBody, 8, parse(lines[1]).body)
    with pytest.raises(AuditBroken) as told:
        Block.of([parse(line) for line in lines]).decode(ErasureBody)
    assert str(told.value) == str(alone.value)
    assert str(told.value).startswith("record 8 is not a valid erasure: ")


def test_activation_says_more_where_anything_but_its_time_and_author_differs() -> None:
    at, later = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    body = ActivationBody("policies", 1, at=at, by="engine", accepted=False, reason="changed", messages=("wrong",))
    assert body.says_more_than(None)
    assert not body.says_more_than(replace(body, at=later, by="kim"))
    for other in (replace(body, accepted=True), replace(body, messages=()), replace(body, after={"a": "b"})):
        assert body.says_more_than(other)
    said = messages_of(["x" * 2000, *map(str, range(25))])
    assert len(said) == 21 and len(said[0]) == 1000 and said[-1] == "and 6 more"
