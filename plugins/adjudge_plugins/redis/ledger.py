"""The ledger in PostgreSQL with Redis in front: fewer reads of records, and no stampede where a rate leaves no room.

PostgreSQL says each time which decision stands, and whether it is confirmed; only its record may come from Redis. That
a rate leaves no room was said by PostgreSQL a moment ago. So nothing is right here because Redis says so.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from adjudge.plugin import Body, Busy, CallBody, Claim, Decision, LedgerFigures, Quota, QuotaReached, Receipt
from adjudge_plugins.postgres.believing import body_of
from adjudge_plugins.postgres.ledger import PostgresLedger
from adjudge_plugins.redis.cache import Cache

RECORD_S = 24 * 3600.0
"""Seconds for which a record is kept, or for as long as decisions answer."""
REACHED_S = 1.0
"""Seconds for which a rate that leaves no room is not asked about again."""
_PUTS_MAX = 64
"""So many records are on their way to Redis at most; more are not kept."""
_ANSWERS = (
    " from adjudge.answers a join adjudge.records r using (recorded_at, writer, seq)"
    " left join adjudge.labels l on (l.decision_id, l.merchant_biz_id) = (a.decision_id, a.merchant_biz_id)"
)
_ALONE = (
    " and not exists (select from adjudge.records o where o.merchant_biz_id = a.merchant_biz_id and o.kind = 'decision'"
    " and o.decision_id <> a.decision_id)"
)
"""Of an id that has several decisions, PostgreSQL itself is asked which is the newest."""
_STANDS = (
    "select a.decision_id, a.fingerprint = %s or a.fingerprint is not distinct from %s, coalesce(l.confirms, false)"  # noqa: S608  # all of it is written here
    f"{_ANSWERS} where a.merchant_biz_id = %s and a.recorded_at > clock_timestamp() - make_interval(secs => %s){_ALONE}"
)
_NEWEST = f"select a.decision_id, true, coalesce(l.confirms, false){_ANSWERS} where a.merchant_biz_id = %s{_ALONE}"
_IS_THERE = (
    "select r.decision_id, true, coalesce(l.confirms, false) from adjudge.records r"
    " left join adjudge.labels l on (l.decision_id, l.merchant_biz_id) = (r.decision_id, r.merchant_biz_id)"
    " where r.decision_id = %s and r.kind = 'decision'"
)


class FrontedLedger(PostgresLedger):
    """Keeps decisions in a database that other processes share, and copies of their records in Redis."""

    def __init__(self, dsn: str, key: bytes, *, cache: Cache, answer_for_s: float, **more: Any) -> None:
        """cache: shared by all who use the database, and closed with this. The rest is as of PostgresLedger."""
        super().__init__(dsn, key, answer_for_s=answer_for_s, **more)
        self._cache = cache
        self._record_s = min(answer_for_s, RECORD_S)
        self._putting: set[asyncio.Task[None]] = set()

    async def aclose(self) -> None:
        """Close; what is on its way to Redis is left behind."""
        left = [*self._putting]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)  # they hold connections
        await self._cache.aclose()
        await super().aclose()

    def figures(self) -> LedgerFigures:
        """Return how often copies were in Redis."""
        return LedgerFigures(lookups={"redis": (self._cache.hits, self._cache.misses)})

    async def claim(
        self, merchant_biz_id: str, fingerprint: str, *, again: bool, lease_s: float, former: str | None = None
    ) -> Claim | Decision | Busy:
        """Return the decision of an id, or a claim to make one; see `DecisionLedger.claim`."""
        if not again and (line := await self._cache.get(_answer(merchant_biz_id))) is not None:
            asked = (fingerprint, former, merchant_biz_id, self._answer_for_s)
            found = await self._standing(line, await self._asked.rows(_STANDS, asked), of=merchant_biz_id)
            if found is not None:
                self._know(merchant_biz_id)
                return found
        return await super().claim(merchant_biz_id, fingerprint, again=again, lease_s=lease_s, former=former)

    async def find(self, *, decision_id: str | None = None, merchant_biz_id: str | None = None) -> Decision | None:
        """Return a decision by its id, or the newest of a MerchantBizId, however old."""
        of = decision_id or merchant_biz_id or ""
        name, query = (_record(of), _IS_THERE) if decision_id else (_answer(of), _NEWEST)
        if (line := await self._cache.get(name)) is not None:
            found = await self._standing(line, await self._asked.rows(query, (of,)), of=of)
            if found is not None:
                return found
        return await super().find(decision_id=decision_id, merchant_biz_id=merchant_biz_id)

    async def conclude(self, claim: Claim, decision: Decision, record: Body) -> Receipt:
        """Write the record of a decision, and give the claim back; see `DecisionLedger.conclude`."""
        receipt = await super().conclude(claim, decision, record)
        self._keep(claim.merchant_biz_id, decision.decision_id, receipt.line)
        return receipt

    async def admit(self, quota: Quota, claim: Claim, call: CallBody | None) -> float:
        """Count a call for all workers; a rate that left no room a moment ago leaves none to who may wait no longer."""
        name = _rate(quota)
        kept = await self._cache.get(name) if quota.rate is not None else None
        if kept is not None and msgspec.json.decode(kept, type=float) >= quota.within_s:
            raise QuotaReached("rate")
        try:
            return await super().admit(quota, claim, call)
        except QuotaReached as reached:  # of a budget, a call that cost nothing gives its place back at any time
            if reached.bound == "rate" and quota.within_s > 0:
                await self._cache.put(name, msgspec.json.encode(quota.within_s), min(REACHED_S, quota.within_s))
            raise

    async def _standing(self, line: bytes, rows: list[tuple[Any, ...]], *, of: str) -> Decision | None:
        """Return the decision of a copied record, if the database says that it stands and that its record is there."""
        body = body_of(line, of)
        for decision_id, is_same, is_confirmed in rows:
            if is_same and decision_id == body.decision_id:
                return await super()._restored(line, is_confirmed, of=of)
        return None

    async def _restored(self, line: bytes, is_confirmed: bool, *, of: str | None) -> Decision:
        decision = await super()._restored(line, is_confirmed, of=of)
        self._keep(decision.merchant_biz_id, decision.decision_id, line)
        return decision

    def _keep(self, merchant_biz_id: str, decision_id: str, line: bytes) -> None:
        """Copy a record to Redis; nobody waits for that."""
        if len(self._putting) >= _PUTS_MAX:
            return
        task = asyncio.get_running_loop().create_task(self._put(merchant_biz_id, decision_id, line))
        self._putting.add(task)
        task.add_done_callback(self._putting.discard)

    async def _put(self, merchant_biz_id: str, decision_id: str, line: bytes) -> None:
        await self._cache.put(_answer(merchant_biz_id), line, self._record_s)
        await self._cache.put(_record(decision_id), line, self._record_s)


def _answer(merchant_biz_id: str) -> str:
    return f"answer {merchant_biz_id}"


def _record(decision_id: str) -> str:
    return f"record {decision_id}"


def _rate(quota: Quota) -> str:
    """Return the name of an account's rate."""
    return f"rate {(quota.provider, quota.account, quota.rate)!r}"
