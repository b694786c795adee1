"""Looking through the records of all chains for the decisions of a query, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from adjudge.ledger.kit import Gathering, Tags, decision_of, glance, recorded_tags, whole
from adjudge.plugin import DecisionQuery, bad_cursor
from adjudge_plugins.postgres.database import Connections

Place = tuple[datetime, int, int]
"""Where a record stands: when the database took it, its writer, and its number there."""

_BATCH = 500
"""Records that are asked for at once."""
_APART = timedelta(days=1)
"""The clocks of workers and database are never so far apart, nor does a decision take so long: the times of a query are
those of decisions, and the records are found by those of the database."""
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
_SEARCH = (
    "select r.recorded_at, r.writer, r.seq, r.line from adjudge.records r where r.kind = 'decision'"
    " and (r.recorded_at, r.writer, r.seq) < (%s, %s, %s) and r.recorded_at >= %s and r.recorded_at < %s"
)
_OF_ONE = " and r.merchant_biz_id = %s"
_ORDER = " order by r.recorded_at desc, r.writer desc, r.seq desc limit %s"
POLICY = (
    "select r.line from adjudge.records r where r.kind = 'policy' and r.recorded_at <= %s"
    " and position(%s::bytea in r.line) > 0 order by r.recorded_at desc limit 1"
)
_CONFIRMED = "select decision_id, merchant_biz_id from adjudge.labels where confirms and decision_id = any(%s)"


class Looked:
    """What one page holds. lines: records, each with whether its newest label confirms it. next: where it ended."""

    def __init__(self, lines: Sequence[tuple[bytes, bool]], next: str | None) -> None:
        self.lines, self.next = lines, next


async def look(asked: Connections, query: DecisionQuery, after: str | None, known: dict[str, Tags]) -> Looked:
    """Look for the next page of a query. known: the tags of policies by digest, which is added to.

    Raises RequestError, AuditUnavailable and AuditBroken.
    """

    def tags(digest: str) -> Tags:
        return known[digest] if digest in known else recorded_tags(digest, None)

    gathering, place, is_over = Gathering[Place](query, tags), _place_in(after), False
    since = query.since - _APART if query.since is not None and query.since > _FIRST + _APART else _FIRST
    until = query.until + _APART if query.until is not None and query.until < _LAST - _APART else _LAST
    whose, of = ("", ()) if query.merchant_biz_id is None else (_OF_ONE, (query.merchant_biz_id,))
    while not is_over:
        rows = await asked.rows(_SEARCH + whose + _ORDER, (*place, since, until, *of, _BATCH))
        if query.tag is not None:
            await _learn(asked, [line for *_, line in rows], known)
        for recorded_at, writer, seq, line in rows:
            place = (recorded_at, writer, seq)
            if is_over := gathering.is_full_with(place, line):
                break
        if len(rows) < _BATCH:
            break
    bodies = [decision_of(whole(line)) for _, line in gathering.found]
    ids = [body.decision_id for body in bodies]
    confirmed = {*await asked.rows(_CONFIRMED, (ids,))} if ids else set()
    return Looked(
        [
            (line, (body.decision_id, body.merchant_biz_id) in confirmed)
            for body, (_, line) in zip(bodies, gathering.found, strict=True)
        ],
        _text_of(place) if is_over else None,
    )


async def _learn(asked: Connections, lines: Sequence[bytes], known: dict[str, Tags]) -> None:
    """Read the policies by which decisions were made, for the tags of their rules."""
    for one in filter(None, map(glance, lines)):
        if one.policy_digest not in known and one.verdict.matched:
            rows = await asked.rows(POLICY, (_LAST, f'"digest":"{one.policy_digest}"'.encode()))
            for (line,) in rows:
                known[one.policy_digest] = recorded_tags(one.policy_digest, line)


def _text_of(place: Place) -> str:
    recorded_at, writer, seq = place
    return f"{recorded_at.astimezone(UTC).isoformat()} {writer} {seq}"


def _place_in(after: str | None) -> Place:
    """Return the place that a page ended with; past all places without one. Raises RequestError."""
    if after is None:
        return _LAST, 0, 0
    try:
        recorded_at, writer, seq = after.split(" ")
        place = datetime.fromisoformat(recorded_at).astimezone(UTC), int(writer), int(seq)
        is_good = _text_of(place) == after and max(place[1:]) < 2**63
    except (ValueError, OverflowError):
        is_good = False
    if not is_good:
        raise bad_cursor()
    return place
