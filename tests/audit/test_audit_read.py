"""Reading the log: as a stream, from its end, and whatever bytes stand in it."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from unittest.mock import patch

import pytest
from audit_logs import SEGMENT, write_log
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from adjudge.audit.log import AuditLog
from adjudge.audit.read import read, tail
from adjudge.audit.verify import verify
from adjudge.errors import AuditBroken, AuditUnavailable


def _split(directory: Path, lines: list[bytes], *borders: int) -> None:
    for number, (start, end) in enumerate(zip((0, *borders), (*borders, None), strict=True), 1):
        (directory / f"audit-{number:06}.jsonl").write_bytes(b"".join(lines[start:end]))


def test_read_gives_every_record_in_order(tmp_path: Path) -> None:
    lines = write_log(tmp_path, 30)
    assert [record.line for record in read(tmp_path)] == lines
    assert [record.line for record in read(tmp_path / SEGMENT)] == lines


def test_read_takes_constant_memory(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path, durability="flush") as log:
        for _ in range(200):
            log.write_blocking("decision", {"padding": "x" * 100_000})
    tracemalloc.start()
    assert sum(1 for _ in read(tmp_path)) == 200
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_read_what_is_no_log_is_unavailable(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(AuditUnavailable, match=str(path)):
            list(read(path))


def test_read_line_longer_than_the_limit_is_broken(tmp_path: Path) -> None:
    lines = write_log(tmp_path, 2)
    (tmp_path / SEGMENT).write_bytes(b"".join([*lines, b"x" * (17 * 2**20), b"\n"]))
    with pytest.raises(AuditBroken, match=rf"{SEGMENT}:3: the line is longer than 16 MiB"):
        list(read(tmp_path))


def test_read_good_records_come_before_the_error(tmp_path: Path) -> None:
    lines = write_log(tmp_path, 3)
    (tmp_path / SEGMENT).write_bytes(b"".join(lines)[:-1])
    records = read(tmp_path)
    assert [next(records).seq, next(records).seq] == [1, 2]
    with pytest.raises(AuditBroken, match=rf"{SEGMENT}:3: the line is not finished"):
        next(records)


def test_read_error_in_a_later_segment_names_its_own_line(tmp_path: Path) -> None:
    lines = write_log(tmp_path, 6)
    _split(tmp_path, [*lines[:4], lines[4].replace(b"pass", b"fail"), lines[5]], 3)
    with pytest.raises(AuditBroken, match=r"audit-000002.jsonl:2: "):
        list(read(tmp_path))


@pytest.mark.parametrize("borders", [(), (4,), (4, 8), (8, 8)])
def test_tail_by_records_is_the_end_of_the_log(tmp_path: Path, borders: tuple[int, ...]) -> None:
    lines = write_log(tmp_path, 10)
    _split(tmp_path, lines, *borders)
    for count in range(12):
        assert [record.line for record in tail(tmp_path, max_records=count)] == lines[max(0, 10 - count) :]
    assert [record.line for record in tail(tmp_path)] == lines


@pytest.mark.parametrize("borders", [(), (4,), (4, 8)])
def test_tail_by_bytes_rounds_up_to_a_whole_record(tmp_path: Path, borders: tuple[int, ...]) -> None:
    lines = write_log(tmp_path, 10)
    _split(tmp_path, lines, *borders)
    for count in range(1, 10):
        size = sum(map(len, lines[-count:]))
        assert [record.line for record in tail(tmp_path, max_bytes=size)] == lines[-count:]
        assert [record.line for record in tail(tmp_path, max_bytes=size - 1)] == lines[-count:]
        assert [record.line for record in tail(tmp_path, max_bytes=size + 1)] == lines[-count - 1 :]
    assert [record.line for record in tail(tmp_path, max_bytes=10**9)] == lines
    assert [record.line for record in tail(tmp_path, max_bytes=10**9, max_records=3)] == lines[-3:]


def test_tail_of_records_longer_than_a_block_is_found(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path, durability="flush") as log:
        for n in range(5):
            log.write_blocking("decision", {"n": n, "padding": "x" * 700_000})
    assert [record.decode()["n"] for record in tail(tmp_path, max_records=2)] == [3, 4]
    assert [record.decode()["n"] for record in tail(tmp_path, max_bytes=1_000_000)] == [3, 4]


def test_tail_of_no_log_is_empty(tmp_path: Path) -> None:
    assert list(tail(tmp_path)) == []
    assert list(tail(tmp_path / "absent")) == []
    write_log(tmp_path, 0)
    assert list(tail(tmp_path, max_bytes=100)) == []


def test_tail_does_not_read_what_comes_before(tmp_path: Path) -> None:
    lines = write_log(tmp_path, 10)
    (tmp_path / SEGMENT).write_bytes(b"".join([b"\xff no log at all\n", *lines[1:]]))
    assert [record.seq for record in tail(tmp_path, max_records=9)] == list(range(2, 11))
    with pytest.raises(AuditBroken, match=rf"{SEGMENT}:1: "):
        list(tail(tmp_path, max_records=10))


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return write_log(tmp_path_factory.mktemp("lines"), 6)


MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "insert", "delete", "copy", "cut", "swap"]),
        st.integers(0, 2**16),
        st.integers(0, 2**16),
        st.binary(min_size=1, max_size=8) | st.sampled_from([b"\n", b"\n\n", b'"', b"}\n{", b'"seq":']),
    ),
    min_size=1,
    max_size=3,
)


def _mutate(data: bytes, mutations: list[tuple[str, int, int, bytes]]) -> bytes:
    for kind, first, second, new in mutations:
        start, end = sorted((first % (len(data) + 1), second % (len(data) + 1)))
        match kind:
            case "flip":
                data = data[:start] + bytes([data[start] ^ new[0]]) + data[start + 1 :] if start < len(data) else data
            case "insert":
                data = data[:start] + new + data[start:]
            case "delete":
                data = data[:start] + data[end:]
            case "copy":
                data = data[:end] + data[start:end] + data[end:]
            case "cut":
                data = data[:start]
            case "swap":
                parts = data.splitlines(keepends=True)
                if parts:
                    at, other = first % len(parts), second % len(parts)
                    parts[at], parts[other] = parts[other], parts[at]
                data = b"".join(parts)
    return data


@settings(max_examples=200, deadline=None)
@given(mutations=MUTATIONS)
def test_mutated_log_is_broken_or_what_is_left_of_the_true_one(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], mutations: list[tuple[str, int, int, bytes]]
) -> None:
    mutated = _mutate(b"".join(lines), mutations)
    is_cut_at_a_record = any(mutated == b"".join(lines[:count]) for count in range(7))
    directory = tmp_path_factory.mktemp("mutated")
    path = directory / SEGMENT
    path.write_bytes(mutated)
    with patch("adjudge.audit.verify.lines.time.sleep"):
        assert verify(directory).is_good == (is_cut_at_a_record and mutated != b"")
    try:
        found = [record.line for record in read(directory)]
    except AuditBroken as error:
        assert not is_cut_at_a_record
        assert str(error).startswith(f"{path}:")  # noqa: PT017  # either is right, depending on the mutation
    else:
        assert is_cut_at_a_record
        assert b"".join(found) == mutated
    try:
        with capture_logs(), AuditLog.open(directory) as log:
            log.write_blocking("decision", {"n": 7})
    except AuditBroken:
        assert path.read_bytes() == mutated
    else:
        *kept, _ = [record.line for record in read(directory)]
        assert mutated.startswith(b"".join(kept))


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes_are_read_or_broken_and_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    directory = tmp_path_factory.mktemp("bytes")
    (directory / SEGMENT).write_bytes(data)
    for records in (read(directory), tail(directory, max_records=2), tail(directory, max_bytes=50)):
        try:
            list(records)
        except AuditBroken:
            pass
    with patch("adjudge.audit.verify.lines.time.sleep"):
        assert not verify(directory).is_good
