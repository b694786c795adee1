"""What the ledgers of one process share: claims, calls, and a bounded front of decisions, kept as bytes.

Bytes cost the garbage collector nothing, and hold no personal value: those stand as commitments, as in the log.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic

from msgspec import structs

from adjudge.audit.bodies import DecisionBody, restore_decision
from adjudge.audit.calls import OpenCalls
from adjudge.audit.record import Record, parse
from adjudge.errors import AuditUnavailable
from adjudge.ledger.age import Ages
from adjudge.ledger.claims import Claims, conflict
from adjudge.ledger.front import Front
from adjudge.ledger.named import Named, check_named, in_order, named_record, require_next
from adjudge.ledger.restoring import all_commitments_of, commitments_of, decision_of, with_values
from adjudge.ledger.searching import SEARCHED_WITHIN_S, Gathering, place_in
from adjudge.ledger.tags import KnownTags
from adjudge.model import Decision
from adjudge.plugin import (
    BY_NAME,
    Body,
    Busy,
    CallBody,
    Claim,
    DecisionPage,
    DecisionQuery,
    Evidence,
    LedgerFigures,
    NamedBody,
    NamedRecord,
    Receipt,
    Spent,
)
from adjudge.system.given import check_seconds
from adjudge.system.pools import NoThread, Pool

ANSWER_FOR_S = 48 * 3600.0
"""Seconds for which a decision answers its MerchantBizId, unless configured."""
FRONT_BYTES = 32 * 1024 * 1024
"""Bytes of records that are kept in memory, unless configured."""


class LocalLedger(ABC):
    """A ledger that no other process shares."""

    def __init__(
        self,
        *,
        answer_for_s: float = ANSWER_FOR_S,
        front_bytes: int = FRONT_BYTES,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        timer: Callable[[], float] = monotonic,
        newest: int = 0,
    ) -> None:
        """Make a ledger.

        answer_for_s: seconds for which a decision answers its MerchantBizId. front_bytes: of records kept in memory.
        clock: aware UTC. timer: seconds that only grow; a clock that jumps ends no answer's time, and no lease.
        newest: the number of the last record that was there before.
        """
        check_seconds("answer_for_s", answer_for_s, or_zero=True)
        self._ages = Ages(timedelta(seconds=answer_for_s), clock, timer, newest)
        self._claims = Claims(timer)
        self._calls = OpenCalls()
        self._front = Front(front_bytes)
        self._named = Named()
        self._tags = KnownTags(self._policy_of)
        self._noting = asyncio.Lock()

    def figures(self) -> LedgerFigures:
        """Return how often decisions were in memory."""
        return LedgerFigures(lookups={"memory": (self._front.hits, self._front.misses)})

    async def spent(self) -> Spent:
        """Return what was or may have been paid for."""
        return self._calls.spent

    async def in_doubt(self) -> Sequence[CallBody]:
        """Return calls that may have been paid for without an answer, and that no decision holds."""
        return [body for body in self._calls.undecided() if body.is_in_doubt]

    async def claim(
        self, merchant_biz_id: str, fingerprint: str, *, again: bool, lease_s: float, former: str | None = None
    ) -> Claim | Decision | Busy:
        """Return the decision of an id, or a claim to make one; see `DecisionLedger.claim`."""
        newest = self._newest(merchant_biz_id, that_answers=True)
        if newest is not None:
            if newest.fingerprint not in (fingerprint, former):
                raise conflict(merchant_biz_id)
            if not again:
                return await self._restored(newest)
        token = self._claims.take(merchant_biz_id, fingerprint, former, lease_s)
        if isinstance(token, Busy):
            return token
        claim = Claim(merchant_biz_id=merchant_biz_id, fingerprint=fingerprint, former=former, token=token)
        if newest is None and not self._calls.has(merchant_biz_id):
            return claim
        try:
            earlier = await self._restored(newest) if newest is not None else None
            return Claim(
                merchant_biz_id=merchant_biz_id,
                fingerprint=fingerprint,
                former=former,
                token=token,
                earlier=earlier,
                calls=await self._open_calls(claim),
            )
        except BaseException:
            self._claims.release(claim)
            raise

    async def wait(self, busy: Busy, until: float) -> None:
        """Wait until an id may be free, or until a time of `time.monotonic()`."""
        await self._claims.wait(busy, until)

    async def release(self, claim: Claim) -> None:
        """Give up a claim that comes to no decision."""
        self._claims.release(claim)

    async def begin_call(self, claim: Claim, call: CallBody) -> None:
        """Record that a call is about to be made; see `DecisionLedger.begin_call`."""
        self._claims.check(claim)
        await self.record("call", call)
        self._calls.add(call)
        try:
            self._claims.check(claim)
        except BaseException:  # who claimed it meanwhile has not seen this call: it is not to be made
            await self.end_call(claim, structs.replace(call, stage="ended", billed="no", reason="not made"))
            raise

    async def end_call(self, claim: Claim, call: CallBody) -> None:
        """Record how a call ended; it is remembered also where that fails."""
        self._calls.add(call)
        await self.record("call", call)

    async def conclude(self, claim: Claim, decision: Decision, record: Body) -> Receipt:
        """Write the record of a decision, and give the claim back; see `DecisionLedger.conclude`."""
        self._claims.begin_writing(claim)
        try:
            receipt = await self.record("decision", record)
            if self._calls.has(claim.merchant_biz_id):
                for fingerprint in (claim.fingerprint, claim.former):
                    if fingerprint is not None:
                        self._calls.decided(claim.merchant_biz_id, fingerprint)
            self._ages.note(receipt.seq)
            self._front.put(claim.merchant_biz_id, receipt.line)
        finally:
            self._claims.release(claim)
        return receipt

    async def note(self, kind: str, record: NamedBody) -> NamedRecord:
        """Write a named record, if its number is the next one; see `DecisionLedger.note`."""
        check_named(kind, record)
        async with self._noting:
            if kind in BY_NAME:
                require_next(kind, record, next(reversed(await self.history(kind, record.name)), None))
            else:
                self._named.require_next(kind, record)
            receipt = await self.record(kind, record)
            noted = NamedRecord(kind=kind, name=record.name, number=record.number, line=receipt.line)
            if kind in BY_NAME:
                self._took(noted)
                return noted
            return self._named.add(noted)

    async def history(self, kind: str, name: str) -> Sequence[NamedRecord]:
        """Return all records of a name; see `KeepsHistories`."""
        pool = Pool("adjudge-history", 1)
        try:
            found = await pool.run(lambda: self._by_name(kind, name), deadline_s=SEARCHED_WITHIN_S)
        except (OSError, NoThread) as error:  # TimeoutError is an OSError
            raise AuditUnavailable(f"the records cannot be searched: {error}") from error
        finally:
            pool.close()
        named = (named_record(record) for record in found)
        return in_order(one for one in named if one is not None and one.name == name)

    async def newest(self, kind: str) -> Mapping[str, NamedRecord]:
        """Return the newest record of each name."""
        return self._named.newest(kind)

    async def noted(self, kind: str) -> int:
        """Return how many records of a kind there are."""
        return self._named.count(kind)

    async def label(self, decision_id: str, merchant_biz_id: str, record: Body, *, confirms: bool) -> None:
        """Write a record of what was found out about a decision."""
        await self.record("label", record)

    async def find(self, *, decision_id: str | None = None, merchant_biz_id: str | None = None) -> Decision | None:
        """Return a decision by its id, or the newest of a MerchantBizId, however old."""
        if decision_id is not None:
            body = self._decision(decision_id)
        else:
            body = self._newest(merchant_biz_id) if merchant_biz_id is not None else None
        return await self._restored(body) if body is not None else None

    async def search(self, query: DecisionQuery, after: str | None) -> DecisionPage:
        """Return decisions, newest first; see `SearchableLedger`."""
        lines, gathering = self._newest_first(query, place_in(after)), Gathering[int](query, self._tags)

        def work() -> tuple[bool, list[DecisionBody | None]]:
            is_over = gathering.has_all_of(lines)
            return is_over, [self._checked(place, line) for place, line in gathering.found]

        pool = Pool("adjudge-search", 1)
        try:
            is_over, bodies = await pool.run(work, deadline_s=SEARCHED_WITHIN_S)
        except (OSError, NoThread) as error:  # TimeoutError is an OSError
            raise AuditUnavailable(f"the records cannot be searched: {error}") from error
        finally:
            pool.close()
        decisions = [await self._restored(body) for body in bodies if body is not None]
        return DecisionPage(decisions=tuple(decisions), next=None if is_over else str(gathering.last))

    async def evidence(self, decision_id: str) -> Evidence | None:
        """Return what there is of a decision; see `ExplainableLedger`."""
        pool = Pool("adjudge-evidence", 1)
        try:
            found = await pool.run(lambda: self._lines_of(decision_id), deadline_s=SEARCHED_WITHIN_S)
        except (OSError, NoThread) as error:  # TimeoutError is an OSError
            raise AuditUnavailable(f"the records cannot be searched: {error}") from error
        finally:
            pool.close()
        if found is None:
            return None
        body = decision_of(parse(found[0]))
        named = all_commitments_of(body)
        return Evidence(
            decision=found[0],
            policy=found[1],
            values=await self._revealed(body.merchant_biz_id, named) if named else {},
            is_confirmed=not body.final and self._is_confirmed(body),
        )

    @abstractmethod
    def _by_name(self, kind: str, name: str) -> Sequence[Record]:
        """Return the records of a name of one of BY_NAME, and perhaps others; in a thread."""

    def _took(self, record: NamedRecord) -> None:  # noqa: B027  # most ledgers find it where it was written
        """Take note of a named record of BY_NAME that was written."""

    @abstractmethod
    def _lines_of(self, decision_id: str) -> tuple[bytes, bytes | None] | None:
        """Return the record of a decision and that of its policy, if it is kept; in a thread."""

    @abstractmethod
    def _policy_of(self, digest: str) -> bytes | None:
        """Return the record of a policy, if it is kept; in a thread."""

    @abstractmethod
    def _newest_first(self, query: DecisionQuery, before: int) -> Iterator[tuple[int, bytes]]:
        """Return records that may be wanted, newest first, each with its place; they are gone through in a thread."""

    @abstractmethod
    def _checked(self, place: int, line: bytes) -> DecisionBody | None:
        """Return the decision of a record that was found, once it is checked; None where it is gone."""

    @abstractmethod
    async def record(self, kind: str, body: Body) -> Receipt:
        """Write a record; see `DecisionLedger.record`."""

    @abstractmethod
    def _stored(self, merchant_biz_id: str) -> Record | None:
        """Return the record of the newest decision of an id that the front does not have."""

    @abstractmethod
    def _decision(self, decision_id: str) -> DecisionBody | None:
        """Return a decision by its own id."""

    @abstractmethod
    def _is_confirmed(self, body: DecisionBody) -> bool:
        """Whether the newest label of a decision that a person had to confirm confirms it."""

    @abstractmethod
    async def _revealed(self, merchant_biz_id: str, commitments: Sequence[str]) -> dict[str, object]:
        """Return the personal values behind commitments; those that are gone are left out."""

    def _newest(self, merchant_biz_id: str, *, that_answers: bool = False) -> DecisionBody | None:
        """Return the newest decision of an id; None where it is too old and `that_answers` is wanted."""
        line = self._front.get(merchant_biz_id)
        record = parse(line) if line is not None else self._stored(merchant_biz_id)
        if record is None:
            return None
        body = decision_of(record)
        if that_answers and not self._ages.answers(record.seq, body.at):
            return None
        if line is None:
            self._front.put(merchant_biz_id, record.line)
        return body

    async def _restored(self, body: DecisionBody) -> Decision:
        values: dict[str, object] = {}
        if named := commitments_of(body):
            values = await self._revealed(body.merchant_biz_id, named)
        decision = restore_decision(body, values.get)
        if not decision.final and self._is_confirmed(body):
            return structs.replace(decision, final=True)
        return decision

    async def _open_calls(self, claim: Claim) -> dict[str, CallBody]:
        """Return the calls of a request that no decision holds, as they were answered."""
        calls: dict[str, CallBody] = {}
        if claim.former is not None:
            calls |= self._calls.of(claim.merchant_biz_id, claim.former)
        calls |= self._calls.of(claim.merchant_biz_id, claim.fingerprint)
        for name, call in calls.items():
            if named := commitments_of(call):
                values = await self._revealed(claim.merchant_biz_id, named)
                calls[name] = with_values(call, values.get)
        return calls
