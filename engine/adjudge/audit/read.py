"""Reading the audit log: all of it as a stream, or its end.

Each record's own hash and its link to the one before are checked on the way; what does not fit raises AuditBroken.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from os import SEEK_END
from pathlib import Path

from adjudge.audit.record import FIRST_PREV, MAX_LINE, MalformedLine, Record, parse
from adjudge.audit.verify import segments
from adjudge.errors import AuditBroken, AuditUnavailable

_BLOCK = 256 * 1024


def read(path: Path) -> Iterator[Record]:
    """Read a log's records in order, in constant memory: a directory's segments as one, or one file.

    Raises AuditUnavailable where there is no log to read; AuditBroken, after all records before it, at a line that
    does not verify.
    """
    try:
        files = segments(path)
    except OSError as error:
        raise AuditUnavailable(f"{path}: {error.strerror}") from error
    if not files:
        raise AuditUnavailable(f"{path}: holds no audit log")
    yield from _chained([(file, 0) for file in files])


def tail(path: Path, *, max_records: float = inf, max_bytes: float = inf) -> Iterator[Record]:
    """Read the newest records of a log, newest last, without reading what comes before them.

    max_bytes: about so many, rounded up to a whole record. Both bounds hold where both are given. A log that has no
    records yet, or does not exist, has no tail. Raises as `read`.
    """
    starts: list[tuple[Path, int]] = []
    try:
        for file in reversed(segments(path)):
            start, records, size = _tail_start(file, max_records, max_bytes)
            starts.insert(0, (file, start))
            max_records -= records
            max_bytes -= size
            if start > 0 or max_records <= 0 or max_bytes <= 0:
                break
    except FileNotFoundError:
        return
    except OSError as error:
        raise AuditUnavailable(f"{path}: {error.strerror}") from error
    yield from _chained(starts)


def unfinished(path: Path) -> tuple[int, int]:
    """Return where the last newline of a file ends, and how many bytes stand after it. Raises OSError."""
    start, _, size = _tail_start(path, 0, inf)
    return start, size


def _chained(starts: list[tuple[Path, int]]) -> Iterator[Record]:
    before: Record | None = None
    for path, start in starts:
        offset = start
        try:
            with path.open("rb", buffering=_BLOCK) as file:
                file.seek(start)
                while line := file.readline(MAX_LINE + 1):
                    record = _parse_after(before, line)
                    yield record
                    before = record
                    offset += len(line)
        except MalformedLine as error:
            raise AuditBroken(f"{path}:{_line_number(path, offset)}: {error}") from None
        except OSError as error:
            raise AuditUnavailable(f"{path}: {error.strerror}") from error


def _parse_after(before: Record | None, line: bytes) -> Record:
    if len(line) > MAX_LINE:
        raise MalformedLine(f"the line is longer than {MAX_LINE // 2**20} MiB")
    record = parse(line)
    if before is None:
        if (record.seq == 1) != (record.prev == FIRST_PREV.decode()):
            raise MalformedLine(f"record {record.seq} carries the `prev` of another")
    elif record.seq != before.seq + 1:
        raise MalformedLine(f"record {record.seq} follows record {before.seq}")
    elif record.prev != before.hash:
        raise MalformedLine(f"the `prev` of record {record.seq} is not the hash of the record before")
    return record


def _tail_start(path: Path, max_records: float, max_bytes: float) -> tuple[int, int, int]:
    """Return where the tail of one file starts, and how many records and bytes it has."""
    with path.open("rb") as file:
        end = begin = file.seek(0, SEEK_END)
        newlines = 0
        while begin > 0:
            at = min(_BLOCK, begin)
            begin -= at
            file.seek(begin)
            block = file.read(at)
            while (at := block.rfind(b"\n", 0, at)) >= 0:
                start = begin + at + 1
                if newlines >= max_records or (start < end and end - start >= max_bytes):
                    return start, newlines, end - start
                newlines += 1
    return 0, newlines, end


def _line_number(path: Path, offset: int) -> int:
    with path.open("rb") as file:
        number = 1
        while offset > 0 and (block := file.read(min(_BLOCK, offset))):
            number += block.count(b"\n")
            offset -= len(block)
    return number
