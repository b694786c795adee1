"""Old segments put away: copied, looked at again, recorded as moved, and only then deleted here.

Whatever stops it, a segment is whole in one of the two places, and the next run goes on. What stays in the place of a
segment is a signpost, as `verify/segments.py` says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from adjudge.audit.annotations import check_by
from adjudge.audit.bodies import PolicyBody
from adjudge.audit.closed import ArchiveBody, SegmentBody, blocks, describe, description, lines_of_kinds
from adjudge.audit.disk import sync_directory
from adjudge.audit.kinds import decode
from adjudge.audit.log import AuditLog
from adjudge.audit.read import first_hash, last_records, whole
from adjudge.audit.record import parse
from adjudge.audit.shelf import Shelf, is_url, shelf_of
from adjudge.audit.verify import ARCHIVED, Away, carried, segments
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.plugin import NAMED, NamedBody
from adjudge.system.files import replace_file

_LOOKED_AT = 20

Told = Callable[[ArchiveBody], None]


def archive(log: AuditLog, to: str | Path, *, before: date, by: str, tell: Told = lambda body: None) -> int:
    """Move the closed segments whose last record is older than a day, the oldest first; return how many.

    log: open, and proven where it has a key. to: a folder, made if needed, or a URL; see `audit/shelf.py`.
    before: a day of UTC. by: who asked. tell: is told of each segment when it is moved.
    In constant memory; blocks for as long as the disks need.
    Raises AuditUnavailable, AuditBroken, MissingExtra; ValueError where `by` names nobody. What was moved up to then
    stays moved.
    """
    check_by(by)
    if not is_url(str(to)) and Path(to).resolve() == log.directory.resolve():
        raise AuditUnavailable(f"{to}: is the log's own folder; name another one to move segments to")
    whole(log.directory)
    count = 0
    try:
        shelf = shelf_of(to)
        for file in segments(log.directory)[:-1]:
            if ended(file).date() >= before:
                break
            tell(_move(log, file, shelf, by))
            count += 1
    except OSError as error:
        raise AuditUnavailable(f"{error.filename or to}: {error.strerror or error}") from error
    return count


def ended(file: Path) -> datetime:
    """Return when the last record of a segment was written that says when; aware UTC."""
    for record in reversed(last_records(file, _LOOKED_AT)):
        try:
            at = msgspec.json.decode(record.body, type=_At).at
        except msgspec.DecodeError:
            continue
        if at is not None and at.tzinfo is not None:
            return at.astimezone(UTC)
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


class _At(msgspec.Struct):
    at: datetime | None = None


def _move(log: AuditLog, file: Path, to: Shelf, by: str) -> ArchiveBody:
    later = [one for one in segments(log.directory) if one.name > file.name or len(one.name) > len(file.name)]
    found = description(file.name, later) or describe(file, first_hash(log.directory))
    signpost = file.with_suffix(ARCHIVED)
    kept_lines = _copy(file, to, found)
    away = whole(log.directory).away
    body = _said(signpost, found, to, away)
    if body is None:
        kept = [line for digest, line in kept_lines.items() if not _is_carried(away, file, digest, line)]
        facts = msgspec.structs.asdict(found) | {"at": datetime.now(UTC), "to": str(to), "by": by}
        hashes = tuple(parse(line).hash for line in kept)
        body = ArchiveBody(**facts, since=_since(away, found.first), policies=hashes)
        _post(log, signpost, body, kept)
    for one in away:  # of which the record goes with this segment
        if found.first <= one.seq <= found.last and not body.since <= one.first < found.first and one.signpost:
            again = msgspec.structs.replace(_body(one.signpost), at=datetime.now(UTC), since=_since(away, one.first))
            _post(log, one.signpost, again, list(carried(one)))
    for post in sorted(log.directory.glob(f"audit-*{ARCHIVED}")):  # so that what was moved can be read by itself
        if post == signpost or not to.has(post.name):
            to.post(post.name, post.read_bytes())
    to.settle()
    sync_directory(log.directory)
    file.unlink()
    sync_directory(log.directory)
    return body


def _post(log: AuditLog, signpost: Path, body: ArchiveBody, kept: list[bytes]) -> None:
    """Record that a segment is moved, and then set up its signpost."""
    receipt = log.write_settled("archive", body)
    replace_file(signpost, b"".join([receipt.line, *kept]))


def _since(away: Sequence[Away], first: int) -> int:
    """Return the number of the first record that is away without one that is here before `first`."""
    for one in reversed(away):
        if one.last + 1 == first:
            first = one.first
    return first


def _body(signpost: Path) -> ArchiveBody:
    with signpost.open("rb") as file:
        return decode(ArchiveBody, 0, parse(file.readline()).body)


def _said(signpost: Path, found: SegmentBody, to: Shelf, away: Sequence[Away]) -> ArchiveBody | None:
    """Return what an earlier run has recorded that was stopped before it deleted the segment; None where none has.

    What a segment was recorded as before it was restored does not count once that record is away itself.
    """
    if not signpost.exists():
        return None
    with signpost.open("rb") as file:
        record = parse(file.readline())
    body = decode(ArchiveBody, record.seq, record.body)
    is_here = not any(one.first <= record.seq <= one.last for one in away)
    is_so = (body.sha256, body.to, body.since) == (found.sha256, str(to), _since(away, found.first))
    return body if is_here and is_so else None


def _is_carried(away: Sequence[Away], file: Path, digest: str, line: bytes) -> bool:
    """Whether the signpost of an earlier segment has the same policy already."""
    if parse(line).kind != "policy":
        return False
    body = _policy(line)
    earlier = (one for gone in away if gone.name < file.name for one in carried(gone) if digest.encode() in one)
    return any(_policy(one).is_same(body) for one in earlier if parse(one).kind == "policy")


def _policy(line: bytes) -> PolicyBody:
    record = parse(line)
    return decode(PolicyBody, record.seq, record.body)


def _copy(file: Path, to: Shelf, found: SegmentBody) -> dict[str, bytes]:
    """Copy a segment, and return the lines of it that are kept, once the copy has been read from where it lies.

    Raises OSError, AuditBroken, AuditUnavailable; then there is no copy.
    """
    if to.has(file.name):
        kept = _read(to.blocks(file.name), found)
        if kept is None:
            raise AuditUnavailable(f"{to.at(file.name)}: exists already, and is not {file}; name another place")
        return kept
    with to.put(file) as copy:
        kept = _read(copy(), found)
        if kept is None:
            if _read(blocks(file), found) is None:
                raise AuditBroken(f"{file}: is not what it was when it was closed; `adjudge audit verify` says where")
            raise AuditUnavailable(f"{to.at(file.name)}: the copy is not what was written; nothing was moved")
    return kept


def _read(copy: Iterator[bytes], found: SegmentBody) -> dict[str, bytes] | None:
    """Return the last line of each policy and of each named record in a segment; None where its bytes are others."""
    digest, size = hashlib.sha256(), 0

    def hashed() -> Iterator[bytes]:
        nonlocal size
        for block in copy:
            digest.update(block)
            size += len(block)
            yield block

    kept = {by: line for line in lines_of_kinds(("policy", *NAMED), hashed()) if (by := _known_by(line))}
    return kept if (size, digest.hexdigest()) == (found.bytes, found.sha256) else None


def _known_by(line: bytes) -> str:
    """Return a policy's digest, or the kind and name of a named record; empty of a record that has none."""
    record = parse(line)
    if record.kind == "policy":
        return _policy(line).digest
    try:
        return f"{record.kind} {msgspec.json.decode(record.body, type=NamedBody).name}"
    except msgspec.DecodeError:
        return ""
