"""Reading a log that is not in files: all its chains as one stream, each of them checked as a log of files is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import structs

from adjudge.audit.record import FIRST_PREV, MalformedLine, Record, following, parse
from adjudge.audit.verify import Away, LogPath, away_of
from adjudge.errors import AuditBroken, AuditUnavailable, NothingRead
from adjudge.plugin import LogLook, LogSource

AnyLog = LogPath | LogSource
"""A log, wherever it is: a folder, with its archives or not, one of its files, or what a plugin reads by a URL."""


def named(source: LogSource, chain: str) -> str:
    """Return what to call one chain of a log."""
    return f"{source}#{chain}"


def read_elsewhere(source: LogSource) -> Iterator[Record]:
    """Read the records of all chains, as they were committed, in constant memory.

    In place of a part that was archived come its policies, which what stays needs.

    Raises AuditUnavailable; AuditBroken, after all records before it, at one that does not follow the one before it in
    its chain, and where a chain ends before its end.
    """
    ends: dict[str, tuple[int, str]] = {}
    with source.look() as look:
        chains, moved = look.chains(), moved_from(look)
        for order, (chain, line) in enumerate(look.merged(), 1):
            seq, prev = ends.get(chain, (0, FIRST_PREV.decode()))
            record = following(line, seq + 1, prev)
            if record is None:
                record = _parsed(source, chain, line)
                if is_kept(record, moved.get(chain, ())):
                    yield structs.replace(record, chain=chain, order=order)
                    continue
                seq, prev = _after(moved.get(chain, ()), seq, prev)
                record = _checked(source, chain, line, seq + 1, prev)
            yield structs.replace(record, chain=chain, order=order)
            ends[chain] = (record.seq, record.hash)
    for one in chains:
        seq, last = _after(moved.get(one.name, ()), *ends.get(one.name, (0, FIRST_PREV.decode())))
        if (seq, last) != (one.count, one.last_hash):
            said = f"the chain ends with record {seq}, where record {one.count} was its last"
            raise AuditBroken(f"{named(source, one.name)}: {said}: its end was cut off or changed")


def moved_from(look: LogLook) -> dict[str, list[Away]]:
    """Return what was moved from each chain, in order, as records say; the newest of several of one part counts."""
    found: dict[str, dict[int, Away]] = {}
    for line in look.archived():
        away = away_of(line, None, of_another=True)
        if away is not None:
            found.setdefault(Path(away.to).name, {})[away.first] = away
    return {chain: [parts[first] for first in sorted(parts)] for chain, parts in found.items()}


def is_kept(record: Record, moved: Sequence[Away]) -> bool:
    """Whether a record is of a part that was moved, and stayed for those after it."""
    return any(away.first <= record.seq <= away.last and record.hash in away.policies for away in moved)


def _after(moved: Sequence[Away], seq: int, prev: str) -> tuple[int, str]:
    """Return number and hash of the last record up to which a chain was moved, from one of its records on."""
    for away in moved:
        if away.first == seq + 1:
            seq, prev = away.last, away.last_hash.decode()
    return seq, prev


def newest_elsewhere(source: LogSource, newest: int) -> Iterator[Record]:
    """Read the newest records of all chains. Raises as `read_elsewhere`."""
    ends: dict[str, Record] = {}
    with source.look() as look:
        for order, (chain, line) in enumerate(look.merged(newest=newest), 1):
            before = ends.get(chain)
            if before is not None:
                record = _checked(source, chain, line, before.seq + 1, before.hash)
            else:
                record = _parsed(source, chain, line)
            ends[chain] = record
            yield structs.replace(record, chain=chain, order=order)


def write_files(source: LogSource, out: Path) -> dict[Path, int]:
    """Write each chain as a log of files in a folder of its own, byte for byte; return how many records each has.

    Each file is named by the number of its first record, so that those of parts that were archived stand beside them.
    Nothing of it is checked on the way: that is for who verifies the files. In constant memory.
    Raises AuditUnavailable, and then no file is left that is not whole; NothingRead where there is no record.
    """
    written: dict[Path, int] = {}
    with source.look() as look:
        moved = moved_from(look)
        folders = {chain.name: out / chain.name for chain in look.chains()}
        if not folders:
            raise NothingRead(f"{source}: holds no audit log")
        try:
            for name, folder in folders.items():
                folder.mkdir(parents=True, mode=0o700)
                written[folder] = 0
                for first, last in ranges(moved.get(name, ())):
                    written[folder] += _write(look.lines(name, first, last), folder / f"audit-{first:06}.jsonl")
        except FileExistsError as error:
            said = "exists already; name another folder: what is there may be evidence"
            raise AuditUnavailable(f"{error.filename}: {said}") from None
        except OSError as error:
            raise AuditUnavailable(f"{error.filename or out}: {(error.strerror or str(error)).lower()}") from error
    return written


def _write(lines: Iterator[bytes], file: Path) -> int:
    """Write lines to a file, unless there are none; return how many there are."""
    count, part = 0, file.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        for line in lines:
            opened.write(line)
            count += 1
    part.rename(file) if count else part.unlink()
    return count


def ranges(moved: Sequence[Away]) -> list[tuple[int, int | None]]:
    """Return the numbers of the first and the last record of each part of a chain that was not moved."""
    found, first = list[tuple[int, int | None]](), 1
    for away in moved:
        if away.first > first:
            found.append((first, away.first - 1))
        first = away.last + 1
    return [*found, (first, None)]


def _checked(source: LogSource, chain: str, line: bytes, seq: int, prev: str) -> Record:
    record = _parsed(source, chain, line)
    if record.seq != seq:
        raise AuditBroken(f"{named(source, chain)}: record {record.seq} is where record {seq} belongs")
    if record.prev != prev:
        said = f"the `prev` of record {seq} is not the hash of the record before"
        raise AuditBroken(f"{named(source, chain)}: {said}")
    return record


def _parsed(source: LogSource, chain: str, line: bytes) -> Record:
    try:
        return parse(line)
    except MalformedLine as error:
        raise AuditBroken(f"{named(source, chain)}: {error}") from None
