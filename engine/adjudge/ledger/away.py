"""Segments that were moved away, for an index that is made anew: each is read where it went, or it is lacked."""

from __future__ import annotations

from datetime import datetime
from math import inf
from pathlib import Path

from adjudge.audit.closed import describe
from adjudge.audit.file import segment_begun
from adjudge.audit.read import segment_number, whole
from adjudge.audit.shelf import is_url
from adjudge.audit.verify import Away
from adjudge.errors import AuditBroken
from adjudge.frozen import frozen


@frozen
class Lacked:
    """A segment that cannot be read. until: none of its records is younger, in seconds since 1970."""

    name: str
    to: str
    until: float

    @property
    def number(self) -> int:
        """The number in its name."""
        return segment_number(Path(self.name))


@frozen
class Sources:
    """What an index is made of. files: in order, where each is now. lacked: what else may count."""

    files: tuple[Path, ...]
    lacked: tuple[Lacked, ...]


def sources(directory: Path, since: float) -> Sources:
    """Return the segments of a log that may hold records from a time on, in seconds since 1970.

    Reads those that were moved to a folder, to see that they are what was moved.
    Raises OSError, AuditUnavailable and AuditBroken.
    """
    files: list[Path] = []
    lacked: list[Lacked] = []
    until = inf
    for piece in reversed(whole(directory).found):
        file = piece if isinstance(piece, Path) else None
        if isinstance(piece, Away):
            until = min(until, _moved(piece))
            if until <= since:
                break
            file = _copy(piece)
            if file is None:
                lacked.append(Lacked(piece.name, piece.to, until))
        if file is not None:
            files.insert(0, file)
            until = min(until, segment_begun(file, until))
            if until <= since:
                break
    return Sources(tuple(files), tuple(lacked))


def _moved(away: Away) -> float:
    """Return when a segment was moved: after all of its records."""
    try:
        at = datetime.fromisoformat(away.at)
    except ValueError:
        return inf
    return at.timestamp() if at.tzinfo is not None else inf


def _copy(away: Away) -> Path | None:
    """Return where a segment is that was moved; None where it is not to be read, or is not what was moved."""
    if is_url(away.to):
        return None
    file = Path(away.to) / away.name
    try:
        found = describe(file, away.log)
    except (OSError, AuditBroken):
        return None
    return file if (found.first, found.bytes, found.sha256) == (away.first, away.size, away.sha256) else None
