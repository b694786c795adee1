"""Which files make up a log, in which order, and which of them were moved away.

A segment that was archived leaves `audit-000001.archived` in its place: the line of the `archive` record that says
where it went, and after it lines of the segment that what stays may need, the policies. That file is a signpost and
proves nothing: the record has to stand in the log too.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .lines import (
    FIRST_PREV,
    HASH,
    MAX_LINE,
    PREFIX,
    SUFFIX,
    SUFFIX_LENGTH,
    Lines,
    check_line,
    members_of,
    opened,
    read_lines,
)
from .problem import Problem, Wrong

NAME = re.compile(r"audit-([0-9]{6,})\.jsonl")
ARCHIVED = ".archived"
ARCHIVE = b"archive"
_HEAD = 256
"""Bytes in which the frame of a record begins."""

_HEX = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class WithArchive:
    """A log's folder, and the folders to which segments of it were moved, to be read as one."""

    folder: Path
    archives: tuple[Path, ...]

    def __str__(self) -> str:
        return str(self.folder)


LogPath = Path | WithArchive
"""Where a log is: its folder, or one of its files, or its folder and its archives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """A segment that was moved elsewhere, as a record of its log says.

    name: of its file. first, last: numbers of its records. last_hash: of the last; empty where lost.
    log: the hash of record 1. size: its bytes; sha256: of them, in hex. to: where it went.
    seq, hash, at: of the record that says so.
    since: the number of the first record of which that record says that it is away, with all up to these.
    policies: hashes of the lines that were kept here. signpost: the file that has them; None where it is lost.
    """

    name: str
    first: int
    last: int
    last_hash: bytes
    log: str
    size: int
    sha256: str
    to: str
    at: str
    seq: int
    hash: bytes
    since: int
    policies: frozenset[str]
    signpost: Path | None


Piece = Path | Away


@dataclass(frozen=True, slots=True)
class Pieces:
    """A log in order, as far as a fault: files that are missing, swapped, doubled or cut.

    is_moved: the newest file is itself a copy in an archive, so the log goes on elsewhere.
    """

    found: tuple[Piece, ...]
    fault: Problem | None = None
    is_moved: bool = False

    @property
    def away(self) -> tuple[Away, ...]:
        """What is elsewhere."""
        return tuple(piece for piece in self.found if isinstance(piece, Away))


@dataclass(frozen=True, slots=True)
class Chain:
    """One of several logs that together are a ledger, and are in no files.

    name: what to call it. parts: in order. said: hashes of `archive` records about this log that stand in another one.
    """

    name: str
    parts: tuple[Lines | Away, ...]
    said: frozenset[bytes] = frozenset()


def folder_of(log: LogPath) -> Path:
    """Return the folder, or the file, that a log is."""
    return log.folder if isinstance(log, WithArchive) else log


def segments(path: Path) -> list[Path]:
    """Return the files of a log in order; a path that is a file stands for itself. Raises OSError.

    Empty ones are left out: a writer that dies as it begins one leaves it so, and goes on in the one before.
    """
    if not path.is_dir():
        opened(path).close()
        return [path]
    numbered = sorted((int(match[1]), file) for file in path.iterdir() if (match := NAME.fullmatch(file.name)))
    filled = []
    for _, file in numbered:
        try:
            found = file.stat()
        except FileNotFoundError:
            raise OSError(errno.EINVAL, f"{file.name} is a link to nothing", str(path)) from None
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, f"{file.name} is not a regular file", str(path))
        filled += [file] if found.st_size else []
    return filled or [file for _, file in numbered[:1]]


def pieces(log: LogPath) -> Pieces:
    """Return what a log consists of; of each file only the ends are read. Raises OSError.

    What is wrong inside a file is for who reads it.
    """
    folder = folder_of(log)
    here = segments(folder)
    if not folder.is_dir():
        return Pieces(tuple(here))
    files = {file.name: file for file in here}
    doubtful: dict[str, Problem] = {}
    for archive in log.archives if isinstance(log, WithArchive) else ():
        for file in segments(archive) if archive.is_dir() else ():
            if file.name in files and not _are_alike(file, files[file.name]):
                said = f"differs from {files[file.name]}: one of them was changed, or is of another log"
                doubtful[file.name] = _problem(file, "doubled", said)
            files.setdefault(file.name, file)
    moved = {away.name: away for signpost in folder.glob(f"audit-*{ARCHIVED}") if (away := _away(signpost))}
    order = sorted({*files, *moved}, key=_number)
    known: list[Piece] = [files.get(name) or moved[name] for name in order]
    is_moved = bool(here) and here[-1].name in moved
    for name, away in moved.items():
        if name in files and not _is_of(files[name], away):
            said = f"is not the segment that record {away.seq} says was archived: it was changed, or is of another log"
            doubtful.setdefault(name, _problem(files[name], "edited", said))
    return _joined(known, doubtful, is_moved=is_moved)


def carried(away: Away) -> Iterator[bytes]:
    """Yield the lines of a segment that were kept when it was moved. Raises OSError."""
    for _, number, line in read_lines([away.signpost]) if away.signpost is not None else ():
        if number > 1 and line[HASH].decode("latin-1") in away.policies:
            yield line


def missing(first: int, last: int) -> str:
    """Return the words for records that are not there, without a record that says why."""
    said = f"records {first} to {last} are missing, and no record says that they were archived"
    return f"{said}; restore them from a copy"


def unsaid(away: Sequence[Away], said: Mapping[int, bytes], last: int, *, is_moved: bool) -> Away | None:
    """Return the first segment of which the log does not say that it was moved.

    A record that says so may have been moved as well; then another, about a later one, says it of all since then.
    said: hashes of the `archive` records that were read, by number. last: the number of the last record that was read.
    is_moved: what was read was moved itself, so the log's later part may say it.
    """
    sure = [one for one in away if said.get(one.seq) == one.hash or (is_moved and one.seq > last)]
    for one in away:
        if one not in sure and not any(other.since <= one.first < other.first for other in sure):
            return one
    return None


def away_of(line: bytes, signpost: Path | None, *, of_another: bool = False) -> Away | None:
    """Return what an `archive` record says was moved; None where the line is no such record.

    of_another: it stands in another chain than what was moved, so their numbers say nothing of each other.
    """
    prefix = PREFIX.match(line)
    try:
        if prefix is None or prefix[4] != ARCHIVE or check_line(line, int(prefix[2]), prefix[3]) != ARCHIVE:
            return None
        said = members_of(line)
    except Wrong:
        return None
    name: Any = said.get("name")
    numbers: list[Any] = [said.get(one) for one in ("first", "last", "bytes", "since")]
    hashes: list[Any] = [said.get(one) for one in ("last_hash", "log", "sha256")]
    policies = said.get("policies", [])
    if not (
        isinstance(name, str)
        and NAME.fullmatch(name)
        and all(type(one) is int for one in numbers)
        and 1 <= numbers[3] <= numbers[0] <= numbers[1]
        and (of_another or numbers[1] < int(prefix[2]))
        and all(isinstance(one, str) and _HEX.fullmatch(one) for one in hashes)
        and isinstance(policies, list)
    ):
        return None
    return Away(
        name=name,
        first=numbers[0],
        last=numbers[1],
        last_hash=hashes[0].encode(),
        log=hashes[1],
        size=numbers[2],
        sha256=hashes[2],
        to=str(said.get("to")),
        at=str(said.get("at")),
        seq=int(prefix[2]),
        hash=line[HASH],
        since=numbers[3],
        policies=frozenset(map(str, policies)),
        signpost=signpost,
    )


def _away(signpost: Path) -> Away | None:
    with opened(signpost) as file:
        found = away_of(file.readline(MAX_LINE + 1), signpost)
    return found if found is not None and found.name == f"{signpost.stem}.jsonl" else None


def _joined(known: Sequence[Piece], doubtful: Mapping[str, Problem], *, is_moved: bool) -> Pieces:
    """Hold the end of each piece against the beginning of the next."""
    ends = {piece: _ends(piece) for piece in known}
    found: list[Piece] = []
    before: Piece | None = None
    last_hash: bytes | None = FIRST_PREV
    for piece in known:
        if fault := doubtful.get(piece.name):
            return Pieces(tuple(found), fault, is_moved)
        first, prev, end = ends[piece]
        fits = last_hash is None or prev in (None, last_hash)
        if isinstance(piece, Away) and last_hash is not None:
            fits = piece.first == (1 if before is None else (_last_seq(before) or 0) + 1)
        if not fits and first is not None:
            lost = _recovered(known, before, piece, first)
            if lost:
                found += lost
            elif fault := _fault(before, piece, {one: ends[one][0] for one in known}):
                return Pieces(tuple(found), fault, is_moved)
        found.append(piece)
        before, last_hash = piece, end
    if isinstance(before, Away) and not is_moved:
        said = f"the log ends with records that were archived, and what came after record {before.last} is missing"
        fault = Problem(file=before.name, line=0, seq=before.last + 1, what="missing", message=said)
        return Pieces(tuple(found), fault, is_moved)
    return Pieces(tuple(found), None, is_moved)


def _recovered(known: Sequence[Piece], before: Piece | None, piece: Piece, first: int) -> list[Away]:
    """Return what was archived between two pieces and has lost its signposts, from the records themselves.

    A segment's own record may be away too; then a newer one says that all since then is away.
    """
    begin = 1 if before is None else (_last_seq(before) or 0) + 1
    claims = [
        away
        for file in known
        if isinstance(file, Path) and first > begin
        for _, _, line in read_lines([file])
        if b'"kind":"archive",' in line[:_HEAD] and (away := away_of(line, None))
    ]
    found: list[Away] = []
    while begin < first:
        is_edge = bool(found) or not isinstance(before, Path)  # a file may have lost its own end
        wide = [one for one in claims if one.since <= begin <= one.last and (is_edge or one.since == begin)]
        own = [one for one in claims if one.first == begin and one.last < first]
        fitting = sorted((one for one in wide if one.last < first), key=lambda one: one.last)
        if own or fitting:
            found.append(own[-1] if own else replace(fitting[-1], first=begin))
        elif wide and isinstance(piece, Away):  # of the last of them nothing is known but where it ends
            name = f"audit-{_number(piece.name) - 1:06}.jsonl"
            part = replace(wide[-1], name=name, first=begin, last=first - 1, last_hash=b"", size=0, sha256="")
            found.append(replace(part, policies=frozenset()))
        else:
            return []
        begin = found[-1].last + 1
    return found


def _fault(before: Piece | None, piece: Piece, firsts: Mapping[Piece, int | None]) -> Problem | None:
    """Say why a piece does not follow the one before it; None where a record in them is to blame."""
    first, last = firsts[piece], 0 if before is None else _last_seq(before)
    if first is None or last is None:
        return None
    for one, begin in firsts.items():
        if one is piece:
            break
        if begin == first:
            return _problem(piece, "doubled", f"begins with record {first}, as {one.name} does: one is a copy", first)
    if first != last + 1 and any(begin == last + 1 for begin in firsts.values()):
        said = f"begins with record {first}, where record {last + 1} belongs, with which another file begins"
        return _problem(piece, "swapped", f"{said}: files were renamed or swapped", first)
    number = _number(piece.name)
    if first <= last + 1 or (before is None and number == 1):
        return None
    if isinstance(before, Path) and _number(before.name) + 1 == number:
        said = f"its end is missing, records {last + 1} to {first - 1}; restore it from a copy"
        return _problem(before, "torn", said, last + 1)
    said = (
        f"records {last + 1} to {first - 1}, before this file, are missing, and no record says that they were archived"
    )
    return _problem(piece, "missing", f"{said}; restore them from a copy", first)


def _problem(piece: Piece, what: str, message: str, seq: int = 0) -> Problem:
    file = str(piece) if isinstance(piece, Path) else piece.name
    return Problem(file=file, line=1 if seq and what != "torn" else 0, seq=seq, what=what, message=message)


def _number(name: str) -> int:
    match = NAME.fullmatch(name)
    return int(match[1]) if match else 0


def _ends(piece: Piece) -> tuple[int | None, bytes | None, bytes | None]:
    """Return the number and the `prev` of a piece's first record, and the hash of its last; None where unclear."""
    if isinstance(piece, Away):
        return piece.first, None, piece.last_hash
    with opened(piece) as file:
        handle = file.fileno()  # its buffer would take in far more than is looked at
        prefix = PREFIX.match(os.pread(handle, _HEAD, 0))
        end = os.pread(handle, SUFFIX_LENGTH, max(0, os.fstat(handle).st_size - SUFFIX_LENGTH))
        suffix = SUFFIX.fullmatch(end)
    return (
        int(prefix[2]) if prefix else None,
        prefix[3] if prefix else None,
        suffix[1] if suffix else None,
    )


def _last_seq(piece: Piece) -> int | None:
    """Return the number of a piece's last record; None where that is not to be read."""
    if isinstance(piece, Away):
        return piece.last
    with opened(piece) as file:
        size = file.seek(0, os.SEEK_END)
        reach = 64 * 1024
        while True:
            file.seek(max(0, size - reach))
            data = file.read(reach)
            at = data.rfind(b"\n", 0, len(data) - 1) + 1
            if at or reach >= min(size, MAX_LINE):
                prefix = PREFIX.match(data, at)
                return int(prefix[2]) if prefix and data.endswith(b"\n") else None
            reach *= 4


def _is_of(file: Path, away: Away) -> bool:
    """Whether a file has the ends and the size of a segment that was moved."""
    first, _, last = _ends(file)
    return (file.stat().st_size, first, last) == (away.size, away.first, away.last_hash)


def _are_alike(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and _ends(one) == _ends(other)
