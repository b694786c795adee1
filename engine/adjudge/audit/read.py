"""Reading the audit log: all of it as a stream, or its end.

Each record's own hash and its link to the one before are checked on the way; what does not fit raises AuditBroken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from os import SEEK_END
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from adjudge.audit.record import FIRST_PREV, MAX_LINE, MalformedLine, Record, following, parse
from adjudge.audit.verify import (
    SCHEMA,
    SUFFIX,
    Away,
    LogPath,
    Piece,
    Pieces,
    carried,
    folder_of,
    missing,
    pieces,
    segments,
    unsaid,
)
from adjudge.errors import AuditBroken, AuditUnavailable, NothingRead

_BLOCK = 256 * 1024


class UnfinishedLine(AuditBroken):
    """The last line has no end, and all before it is good; a writer may cut it."""


def read(path: LogPath) -> Iterator[Record]:
    """Read a log's records in order, in constant memory: a directory's segments as one, or one file.

    In place of a segment that was archived come the records of it that what stays needs, its policies.
    Raises NothingRead where there is no log, AuditUnavailable where it cannot be read; AuditBroken where a file of it
    is missing or out of place, and, after all records before it, at a line that does not verify.
    """
    found = whole(path)
    if not found.found:
        raise NothingRead(f"{path}: holds no audit log")
    yield from _chained([(piece, 0) for piece in found.found], is_moved=found.is_moved, is_whole=True)


def tail(path: LogPath, *, max_records: float = inf, max_bytes: float = inf) -> Iterator[Record]:
    """Read the newest records of a log, newest last, without reading what comes before them.

    max_bytes: about so many, rounded up to a whole record. Both bounds hold where both are given. A log that has no
    records yet, or does not exist, has no tail. Raises as `read`.
    """
    starts: list[tuple[Piece, int]] = []
    try:
        found = whole(path) if folder_of(path).exists() else Pieces(())
        for piece in reversed(found.found):
            if isinstance(piece, Away):
                starts.insert(0, (piece, 0))
                continue
            start, records, size = _tail_start(piece, max_records, max_bytes)
            starts.insert(0, (piece, start))
            max_records -= records
            max_bytes -= size
            if start > 0 or max_records <= 0 or max_bytes <= 0:
                break
    except FileNotFoundError:
        return
    except OSError as error:
        raise AuditUnavailable(f"{path}: {error.strerror}") from error
    is_whole = bool(starts) and starts[0] == (found.found[0], 0)
    yield from _chained(starts, is_moved=found.is_moved, is_whole=is_whole)


def whole(path: LogPath) -> Pieces:
    """Return what a log consists of. Raises AuditBroken where a file is missing or out of place; AuditUnavailable."""
    try:
        found = pieces(path)
    except OSError as error:
        raise AuditUnavailable(f"{path}: {error.strerror}") from error
    if found.fault is not None:
        fault = found.fault
        raise AuditBroken(f"{fault.file}{':1' if fault.line else ''}: {fault.message}")
    return found


def first_hash(path: LogPath) -> str:
    """Return the hash that a log's first record carries, by which checkpoints name the log; nothing is verified.

    Raises AuditUnavailable and AuditBroken.
    """
    first = next(iter(whole(path).found), folder_of(path))
    if isinstance(first, Away):
        return first.log
    try:
        with first.open("rb") as opened:
            found = SUFFIX.search(opened.readline(MAX_LINE))
    except OSError as error:
        raise AuditUnavailable(f"{first}: {error.strerror}") from error
    if found is None:
        raise AuditBroken(f"{first}:1: is not an audit record")
    return found[1].decode()


def last_records(file: Path, count: int) -> list[Record]:
    """Return the last records of one file, without reading what comes before. Raises OSError, AuditBroken."""
    start, _, _ = _tail_start(file, count, inf)
    with file.open("rb") as opened:
        opened.seek(start)
        try:
            return [parse(line) for line in opened]
        except MalformedLine as error:
            raise AuditBroken(f"{file}: {error}") from None


def unfinished(path: Path) -> tuple[int, int]:
    """Return where the last newline of a file ends, and how many bytes stand after it. Raises OSError."""
    start, _, size = _tail_start(path, 0, inf)
    return start, size


def read_on(path: Path, file: Path, start: int) -> Iterator[tuple[Path, int, Record]]:
    """Read a log from one of its records on: yield each with its file, and where it begins there. Raises as `read`."""
    later = [(each, 0) for each in whole(path).found if segment_number(Path(each.name)) > segment_number(file)]
    yield from _placed([(file, start), *later], is_whole=False, is_moved=True)


def lines_on(
    path: Path, file: Path, start: int, elsewhere: Mapping[str, Path] = MappingProxyType({})
) -> Iterator[tuple[Path, int, bytes]]:
    """Read a log's lines from one on: yield each with its file, and where it begins there.

    That each says to follow the one before is checked. Whether its bytes have the hash that it says is for who parses
    it: that is most of the work of `read_on`. elsewhere: where segments are that were moved away, by name.
    Raises as `read`.
    """
    found = [elsewhere.get(each.name, each) for each in whole(path).found]
    later = [each for each in found if segment_number(Path(each.name)) > segment_number(file)]
    if any(isinstance(each, Away) for each in later):
        placed = _placed([(file, start), *((each, 0) for each in later)], is_whole=False, is_moved=True)
        yield from ((each, at, record.line) for each, at, record in placed)
        return
    seq, said = 0, b""
    for piece in [file, *later]:
        each, offset = Path(piece.name if isinstance(piece, Away) else piece), start if piece == file else 0
        try:
            with each.open("rb", buffering=_BLOCK) as opened:
                opened.seek(offset)
                while line := opened.readline(MAX_LINE + 1):
                    if not (seq and line.startswith(b'{"schema":%d,"seq":%d,"prev":"%b","' % (SCHEMA, seq, said))):
                        record = parse(line)
                        if seq and (record.seq, record.prev.encode()) != (seq, said):
                            raise MalformedLine(f"record {record.seq} is not the one that follows record {seq - 1}")
                        seq = record.seq
                    if line[-3:] != b'"}\n':
                        parse(line)  # which says what is wrong
                    yield each, offset, line
                    seq, said = seq + 1, line[-67:-3]
                    offset += len(line)
        except MalformedLine as error:
            raise AuditBroken(f"{each}:{_line_number(each, offset)}: {error}") from None
        except OSError as error:
            raise AuditUnavailable(f"{each}: {error.strerror}") from error


def lines_back(
    path: LogPath, end: tuple[int, int], *, is_wanted: Callable[[Path], bool] = lambda file: True
) -> Iterator[tuple[Path, int, bytes]]:
    """Read a log's lines backwards: yield each with its file, and where it begins there. Nothing is verified.

    end: the number of a segment, and the byte in it before which lines end. is_wanted: asked of each segment, from the
    newest on. Those that were moved away are left out.
    Raises AuditUnavailable and AuditBroken.
    """
    for file in reversed(segments(folder_of(path))):
        number = segment_number(file)
        try:
            if number > end[0] or not is_wanted(file):
                continue
            with file.open("rb", buffering=0) as opened:
                size = opened.seek(0, SEEK_END)
                for start, line in _back(opened, min(size, end[1]) if number == end[0] else size):
                    yield file, start, line
        except FileNotFoundError:
            continue  # it was moved away just now
        except OSError as error:
            raise AuditUnavailable(f"{file}: {error.strerror or error}") from error


def lines_within(file: Path, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Read the lines between two bytes of a segment backwards, each with where it begins. Nothing is verified.

    Raises AuditBroken and OSError.
    """
    if begin >= end:
        return
    with file.open("rb", buffering=0) as opened:
        for start, line in _back(opened, end):
            if start < begin:
                return
            yield start, line


def _back(file: BinaryIO, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file that end before a byte, the last one first, each with where it begins."""
    begin, rest = end, b""
    while begin > 0:
        size = min(_BLOCK, begin)
        begin -= size
        file.seek(begin)
        block = file.read(size) + rest
        stop = block.rfind(b"\n") + 1 if not rest else len(block)  # what has no end is being written
        while stop > 0 and ((start := block.rfind(b"\n", 0, stop - 1) + 1) or not begin):
            yield begin + start, block[start:stop]
            stop = start
        rest = block[:stop]
        if len(rest) > MAX_LINE + _BLOCK:
            raise AuditBroken(f"a line is longer than {MAX_LINE // 2**20} MiB")


def segment_number(file: Path) -> int:
    """Return the number in a segment's name."""
    return int(file.stem.rpartition("-")[2])


def _chained(starts: Sequence[tuple[Piece, int]], *, is_whole: bool, is_moved: bool) -> Iterator[Record]:
    for _, _, record in _placed(starts, is_whole=is_whole, is_moved=is_moved):
        yield record


def _placed(
    starts: Sequence[tuple[Piece, int]], *, is_whole: bool, is_moved: bool
) -> Iterator[tuple[Path, int, Record]]:
    seq, prev = (1, FIRST_PREV.decode()) if is_whole else (None, None)
    away: list[Away] = []
    said: dict[int, bytes] = {}
    for path, offset in starts:
        if isinstance(path, Away):
            if is_whole:
                yield from ((path.signpost or Path(path.name), 0, parse(line)) for line in carried(path))
            away.append(path)
            seq, prev = path.last + 1, path.last_hash.decode() or None
            continue
        try:
            with path.open("rb", buffering=_BLOCK) as file:
                file.seek(offset)
                while line := file.readline(MAX_LINE + 1):
                    if len(line) > MAX_LINE:
                        raise MalformedLine(f"the line is longer than {MAX_LINE // 2**20} MiB")
                    record = following(line, seq, prev) if seq is not None and prev is not None else None
                    if record is None:
                        if not line.endswith(b"\n") and path == starts[-1][0]:
                            raise UnfinishedLine(f"{path}:{_line_number(path, offset)}: the line is not finished")
                        record = parse(line)
                        if seq not in (None, record.seq):
                            raise MalformedLine(f"record {record.seq} is where record {seq} belongs")
                        if prev not in (None, record.prev):
                            why = f"the `prev` of record {record.seq} is not the hash of the record before"
                            raise MalformedLine(why)
                    if away and record.kind == "archive":
                        said[record.seq] = record.hash.encode()
                    yield path, offset, record
                    seq, prev = record.seq + 1, record.hash
                    offset += len(line)
        except MalformedLine as error:
            raise AuditBroken(f"{path}:{_line_number(path, offset)}: {error}") from None
        except OSError as error:
            raise AuditUnavailable(f"{path}: {error.strerror}") from error
    if seq is not None and (lost := unsaid(away, said, seq - 1, is_moved=is_moved)):
        raise AuditBroken(f"{starts[-1][0]}: {missing(lost.first, lost.last)}")


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
