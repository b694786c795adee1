"""Looking through records for the decisions of a query: so many at a time, so that no page takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from adjudge.audit.file import segment_begun
from adjudge.audit.record import MalformedLine, Record, parse
from adjudge.errors import AuditBroken
from adjudge.ledger.tags import Tags
from adjudge.model import Outcome, SignalStatus
from adjudge.patterns import late
from adjudge.plugin import DecisionQuery, bad_cursor

LOOKED_MAX, LOOKED_MAX_BYTES = 20_000, 32 * 1024 * 1024
"""Records that are looked at for one page."""
TAKEN_MAX_BYTES = 4 * 1024 * 1024
"""Of the records of one page."""
SEARCHED_WITHIN_S = 60.0
CLOCK_S = 86_400.0
"""Seconds by which the times of decisions are less in order than their records, at most."""
_PLACE = late(r"[0-9]{1,18}")
_KIND = b'"kind":"decision"'
_HEAD = 200
"""Bytes within which a record says its kind: numbers and a hash stand before it."""

_P = TypeVar("_P")
TagsOf = Callable[[str], Tags]
"""Return the tags of a policy's rules, by its digest."""


class _Verdict(msgspec.Struct, gc=False):
    outcome: Outcome
    matched: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()


class _Then(msgspec.Struct, gc=False):
    then: Outcome


class _Answer(msgspec.Struct, gc=False):
    status: SignalStatus


class Glance(msgspec.Struct, gc=False):
    """What of a decision's record can be asked for; the rest is skipped."""

    merchant_biz_id: str
    policy: str
    policy_digest: str
    at: datetime
    verdict: _Verdict
    signals: dict[str, _Answer]
    sampled: _Then | None = None
    reviewed: _Then | None = None

    @property
    def outcome(self) -> Outcome:
        """What was to happen, as `DecisionBody.outcome`."""
        then = self.reviewed or self.sampled
        return self.verdict.outcome if then is None else then.then

    @property
    def unknown(self) -> list[str]:
        """The signals that were wanted and did not answer."""
        return [name for name, signal in self.signals.items() if signal.status not in _ANSWERED]


def place_in(after: str | None) -> int:
    """Return the place of a cursor that is a number; past all places without one. Raises RequestError."""
    if after is None:
        return 2**63 - 1
    if not _PLACE.fullmatch(after):
        raise bad_cursor()
    return int(after)


_ANSWERED = (SignalStatus.OK, SignalStatus.SKIPPED)
"""A signal that was skipped was not wanted: nothing hung on it any more."""
_glance = msgspec.json.Decoder(Glance).decode


def is_decision(line: bytes) -> bool:
    """Whether a line says to be the record of a decision."""
    return _KIND in line[:_HEAD]


def glance(line: bytes) -> Glance | None:
    """Return what a decision's record can be asked for; None of another. Raises AuditBroken where it cannot be read."""
    if not is_decision(line):
        return None
    try:
        return _glance(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise AuditBroken("the record of a decision cannot be read; `adjudge audit verify` says which") from None


def is_wanted(query: DecisionQuery, line: bytes, tags: TagsOf) -> bool:
    """Whether a record is of a decision that a query asks for. Raises AuditBroken where it cannot be read."""
    found = glance(line)
    if found is None:
        return False
    verdict = found.verdict
    return (
        query.merchant_biz_id in (None, found.merchant_biz_id)
        and query.outcome in (None, found.outcome)
        and query.policy in (None, found.policy)
        and (query.since is None or query.since <= found.at)
        and (query.until is None or found.at < query.until)
        and (query.rule is None or query.rule in verdict.matched)
        and (query.reason is None or query.reason in verdict.reasons)
        and (query.missing is None or query.missing in verdict.missing)
        and (query.waiver is None or query.waiver in verdict.waived)
        and (query.unknown is None or query.unknown in found.unknown)
        and (query.tag is None or _has_tag(query.tag, verdict.matched, found.policy_digest, tags))
    )


def _has_tag(tag: str, matched: tuple[str, ...], digest: str, tags: TagsOf) -> bool:
    """Whether one of the rules that matched has a tag; a policy is looked for only where there is one."""
    return bool(matched) and not tags(digest).get(tag, frozenset()).isdisjoint(matched)


def whole(line: bytes) -> Record:
    """Return the record of a line that was found. Raises AuditBroken where it is not what was written."""
    try:
        return parse(line)
    except MalformedLine as error:
        raise AuditBroken(f"a record is not what was written: {error}; `adjudge audit verify` says which") from None


class Gathering(Generic[_P]):
    """A page while it is gathered. found: wanted records, newest first. last: the place of the last one looked at."""

    def __init__(self, query: DecisionQuery, tags: TagsOf) -> None:
        """tags: as `TagsOf` gives them; it may raise what `is_full_with` then raises."""
        self.found: list[tuple[_P, bytes]] = []
        self.last: _P | None = None
        self._tags = tags
        self._query, self._looked, self._looked_bytes, self._taken_bytes = query, 0, 0, 0

    def is_full_with(self, place: _P, line: bytes) -> bool:
        """Look at the next record, and say whether that was enough for one page. Raises AuditBroken."""
        self.last = place
        self._looked += 1
        self._looked_bytes += len(line)
        if is_wanted(self._query, line, self._tags):
            self.found.append((place, line))
            self._taken_bytes += len(line)
        return (
            len(self.found) >= self._query.limit
            or self._taken_bytes >= TAKEN_MAX_BYTES
            or self._looked >= LOOKED_MAX
            or self._looked_bytes >= LOOKED_MAX_BYTES
        )

    def has_all_of(self, records: Iterable[tuple[_P, bytes]]) -> bool:
        """Look at records until that is enough for one page; return whether there are no more. Raises AuditBroken."""
        return not any(self.is_full_with(place, line) for place, line in records)


class SegmentsOf:
    """The segments that may hold decisions of a time. They are asked about from the newest on."""

    def __init__(self, since: datetime | None, until: datetime | None) -> None:
        self._since = since.timestamp() - CLOCK_S if since is not None else -inf
        self._until = until.timestamp() + CLOCK_S if until is not None else inf
        self._later = inf  # when the segment after this one was begun

    def has(self, file: Path) -> bool:
        """Whether a segment is one of them. Raises OSError."""
        if (self._since, self._until) == (-inf, inf):
            return True
        ended, begun = self._later, segment_begun(file, -inf)
        if begun > -inf:  # one of its records says so
            self._later = begun
        return begun <= self._until and ended > self._since
