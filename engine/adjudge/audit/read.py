"""Reading the audit log: all of it as a stream, or its end.

Each record's own hash and its link to the one before are checked on the way; what does not fit raises AuditBroken.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from os import SEEK_END
from pathlib import Path

from adjudge.audit.record import FIRST_PREV, MAX_LINE, MalformedLine, Record, parse
from adjudge.audit.verify import SUFFIX, segments
from adjudge.errors import AuditBroken, AuditUnavailable, NothingRead

_BLOCK = 256 * 1024


class UnfinishedLine(AuditBroken):
    """The last line has no end, and all before it is good; a writer may cut it."""


def read(path: Path) -> Iterator[Record]:
    """Read a log's records in order, in constant memory: a directory's segments as one, or one file.

    Raises NothingRead where there is no log, AuditUnavailable where it cannot be read; AuditBroken, after all records
    before it, at a line that does not verify.
    """
    try:
        files = segments(path)
    except OSError as error:
        raise AuditUnavailable(f"{path}: {error.strerror}") from error
    if not files:
        raise NothingRead(f"{path}: holds no audit log")
    yield from _chained([(file, 0) for file in files], is_whole=True)


def tail(path: Path, *, max_records: float = inf, max_bytes: float = inf) -> Iterator[Record]:
    """Read the newest records of a log, newest last, without reading what comes before them.

    max_bytes: about so many, rounded up to a whole record. Both bounds hold where both are given. A log that has no
    records yet, or does not exist, has no tail. Raises as `read`.
    """
    starts: list[tuple[Path, int]] = []
    try:
        files = segments(path)
        for file in reversed(files):
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
    yield from _chained(starts, is_whole=starts[:1] == [(file, 0) for file in files[:1]])


def first_hash(path: Path) -> str:
    """Return the hash that a log's first record carries, by which checkpoints name the log; nothing is verified.

    Raises AuditUnavailable and AuditBroken.
    """
    file = next(iter(segments(path)), path)
    try:
        with file.open("rb") as opened:
            found = SUFFIX.search(opened.readline(MAX_LINE))
    except OSError as error:
        raise AuditUnavailable(f"{file}: {error.strerror}") from error
    if found is None:
        raise AuditBroken(f"{file}:1: is not an audit record")
    return found[1].decode()


def unfinished(path: Path) -> tuple[int, int]:
    """Return where the last newline of a file ends, and how many bytes stand after it. Raises OSError."""
    start, _, size = _tail_start(path, 0, inf)
    return start, size


def read_on(path: Path, file: Path, start: int) -> Iterator[tuple[Path, int, Record]]:
    """Read a log from one of its records on: yield each with its file, and where it begins there. Raises as `read`."""
    try:
        files = segments(path)
    except OSError as error:
        raise AuditUnavailable(f"{path}: {error.strerror}") from error
    later = [(each, 0) for each in files if segment_number(each) > segment_number(file)]
    yield from _placed([(file, start), *later], is_whole=False)


def segment_number(file: Path) -> int:
    """Return the number in a segment's name."""
    return int(file.stem.rpartition("-")[2])


def _chained(starts: list[tuple[Path, int]], *, is_whole: bool) -> Iterator[Record]:
    for _, _, record in _placed(starts, is_whole=is_whole):
        yield record


def _placed(starts: list[tuple[Path, int]], *, is_whole: bool) -> Iterator[tuple[Path, int, Record]]:
    seq, prev = (1, FIRST_PREV.decode()) if is_whole else (None, None)
    for path, offset in starts:
        try:
            with path.open("rb", buffering=_BLOCK) as file:
                file.seek(offset)
                while line := file.readline(MAX_LINE + 1):
                    if len(line) > MAX_LINE:
                        raise MalformedLine(f"the line is longer than {MAX_LINE // 2**20} MiB")
                    if not line.endswith(b"\n") and path == starts[-1][0]:
                        raise UnfinishedLine(f"{path}:{_line_number(path, offset)}: the line is not finished")
                    record = parse(line)
                    if seq not in (None, record.seq):
                        raise MalformedLine(f"record {record.seq} is where record {seq} belongs")
                    if prev not in (None, record.prev):
                        raise MalformedLine(f"the `prev` of record {record.seq} is not the hash of the record before")
                    yield path, offset, record
                    seq, prev = record.seq + 1, record.hash
                    offset += len(line)
        except MalformedLine as error:
            raise AuditBroken(f"{path}:{_line_number(path, offset)}: {error}") from None
        except OSError as error:
            raise AuditUnavailable(f"{path}: {error.strerror}") from error


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
