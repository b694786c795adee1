"""The durable records of an open log, for its further readers: found by their numbers, wherever their segments are.

Each is held against the one before, so nobody is handed what was changed on the disk.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from adjudge.audit.log import AuditLog
from adjudge.audit.read import first_hash, whole
from adjudge.audit.record import MAX_LINE, MalformedLine, Record, following, parse
from adjudge.audit.shelf import is_url
from adjudge.audit.verify import PREFIX, Away, Piece, WithArchive
from adjudge.errors import AuditBroken, AuditUnavailable, WrongPosition
from adjudge.plugin import LogRecord, Position

_PLACES = 64
"""So many positions are remembered with their places: one for each reader would do."""
_SCANNED = 64 * 1024
"""Bytes of a segment that are read from the beginning rather than halved once more."""
_HEAD = 256

Place = tuple[Path, int]
"""A segment, and where in it a record begins."""


class FileRecords:
    """The records of one log as a `RecordSource`; it goes on handing them out when the log is closed."""

    look_every_s = 0.0

    def __init__(self, log: AuditLog) -> None:
        """log: whose end is what is durable."""
        self._log = log
        self._name = ""
        self._places: OrderedDict[Position, Place] = OrderedDict()
        self._lock = threading.Lock()

    def ends(self, *, own: bool) -> Sequence[Position]:
        """Return the end of the log, once it has one."""
        seq, digest = self._log.durable
        return (Position(log=self._named(), seq=seq, hash=digest),) if seq else ()

    def read_from(self, after: Position, *, max_records: int, max_bytes: int) -> Sequence[LogRecord]:
        """Return records behind a position; see `RecordSource.read_from`."""
        last, _ = self._log.durable
        if after.log != self._named():
            said = f"it holds records of another log, {after.log[:12]}…, where this one is {self._name[:12]}…"
            raise WrongPosition(f"{said}: give each log a place of its own, or let the reader forget the other one")
        if after.seq > last:
            said = f"it holds record {after.seq}, and the log ends with record {last}"
            raise WrongPosition(f"{said}: the log was cut or restored from an older copy, or the position is made up")
        with self._lock:
            place = self._places.pop(after, None)
        try:
            try:
                return self._read(after, place or self._find(after), last, max_records, max_bytes)
            except FileNotFoundError:  # the segment was archived since
                return self._read(after, self._find(after), last, max_records, max_bytes)
        except OSError as error:
            raise AuditUnavailable(f"{error.filename or self._log.directory}: {error.strerror or error}") from error

    def may_feed(self, reader: str) -> bool:
        """Return True: the log has one writer."""
        return True

    def close(self) -> None:
        """Do nothing: no file is held open."""

    def _named(self) -> str:
        if not self._name:
            self._name = first_hash(self._log.directory)
        return self._name

    def _read(self, after: Position, place: Place, last: int, max_records: int, max_bytes: int) -> list[LogRecord]:
        found: list[LogRecord] = []
        seq, prev, size = after.seq, after.hash, 0
        while seq < last and len(found) < max_records and size < max_bytes:
            file, offset = place
            with file.open("rb", buffering=256 * 1024) as lines:
                lines.seek(offset)
                while seq < last and len(found) < max_records and size < max_bytes:
                    line = lines.readline(MAX_LINE + 1)
                    if not line:
                        break
                    record = following(line, seq + 1, prev)
                    if record is None:
                        _record(file, line, seq + 1)
                        raise AuditBroken(f"{file}: record {seq + 1} does not follow the record before it")
                    seq, prev = record.seq, record.hash
                    found.append(LogRecord(log=after.log, seq=seq, kind=record.kind, hash=prev, line=line))
                    size += len(line)
                    offset += len(line)
            place = (file, offset)
            if not line:
                place = self._find(Position(log=after.log, seq=seq, hash=prev))
                if place == (file, offset):
                    raise AuditUnavailable(f"{file}: ends before record {last}, which was written")
        with self._lock:
            self._places[Position(log=after.log, seq=seq, hash=prev)] = place
            while len(self._places) > _PLACES:
                self._places.popitem(last=False)
        return found

    def _find(self, after: Position) -> Place:
        """Return where the record behind a position begins. Raises WrongPosition, AuditUnavailable and OSError."""
        begun: Piece | None = None
        for piece in self._pieces():
            if _first(piece) > after.seq + 1:
                break
            begun = piece
        if begun is None:
            raise AuditUnavailable(f"{self._log.directory}: record {after.seq + 1} is not there")
        if isinstance(begun, Away):
            if after.seq < begun.last:
                why = "from where nothing is fetched for readers" if is_url(begun.to) else "and is not there"
                raise AuditUnavailable(
                    f"record {after.seq + 1} is in {begun.name}, which was archived to {begun.to}, {why};"
                    f" copy it back into {self._log.directory}, or let the reader begin behind it"
                )
            raise AuditUnavailable(f"{self._log.directory}: record {after.seq + 1} is not there")
        if _first(begun) == after.seq + 1:
            with begun.open("rb") as file:
                digest = _record(begun, file.readline(MAX_LINE + 1), after.seq + 1).prev
            offset = 0
        else:
            offset, line = _line_of(begun, after.seq)
            digest = _record(begun, line, after.seq).hash
            offset += len(line)
        if digest != after.hash:
            said = f"its record {after.seq} is not the one of the log"
            raise WrongPosition(f"{said}: one of the two was written anew since; `adjudge audit verify` reads the log")
        return begun, offset

    def _pieces(self) -> Sequence[Piece]:
        """Return the segments in order; those that were archived are read where they went."""
        found = whole(self._log.directory)
        folders = dict.fromkeys(Path(one.to) for one in found.away)
        there = tuple(folder for folder in folders if folder.is_dir())
        return (whole(WithArchive(self._log.directory, there)) if there else found).found


def _record(file: Path, line: bytes, seq: int) -> Record:
    """Take a record apart that belongs into a segment. Raises AuditBroken."""
    try:
        found = parse(line)
    except MalformedLine as error:
        raise AuditBroken(f"{file}: where record {seq} should be, {error}") from None
    if found.seq != seq:
        raise AuditBroken(f"{file}: record {found.seq} stands where record {seq} should be")
    return found


def _first(piece: Piece) -> int:
    if isinstance(piece, Away):
        return piece.first
    with piece.open("rb") as file:
        prefix = PREFIX.match(file.read(_HEAD))
    if prefix is None:
        raise AuditBroken(f"{piece}: does not begin with a record")
    return int(prefix[2])


def _line_of(file: Path, seq: int) -> tuple[int, bytes]:
    """Return where a record begins in a segment, and its line; what comes last before it where it is not there."""
    with file.open("rb") as lines:
        low, high = 0, os.fstat(lines.fileno()).st_size
        while high - low > _SCANNED:
            middle = (low + high) // 2
            lines.seek(middle)
            start = middle + len(lines.readline(MAX_LINE + 1))
            prefix = PREFIX.match(lines.read(_HEAD))
            if start < high and prefix is not None and int(prefix[2]) <= seq:
                low = start
            else:
                high = middle
        lines.seek(low)
        while line := lines.readline(MAX_LINE + 1):
            prefix = PREFIX.match(line)
            if prefix is None or int(prefix[2]) >= seq:
                break
            low += len(line)
    return low, line
