"""The ledger of one process with an audit log: the log is what counts, and an index finds what stands in it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from adjudge.audit.annotations import LabelBody
from adjudge.audit.bodies import DecisionBody
from adjudge.audit.kinds import decode
from adjudge.audit.record import Record
from adjudge.audit.trail import AuditTrail
from adjudge.errors import AuditUnavailable
from adjudge.ledger.checking import require_writable
from adjudge.ledger.claims import no_such_decision
from adjudge.ledger.facets import Facets
from adjudge.ledger.index import Index
from adjudge.ledger.index_lines import decision_text, label_text
from adjudge.ledger.local import LocalLedger
from adjudge.ledger.named import Named
from adjudge.ledger.restoring import decision_of
from adjudge.ledger.searching import whole
from adjudge.ledger.tags import is_policy
from adjudge.model import Decision
from adjudge.plugin import Body, CallBody, Claim, DecisionQuery, LedgerFigures, Receipt, RecordSource
from adjudge.system.pools import NoThread, Pool

FOUND_WITHIN_S = 600.0
"""Seconds for which a decision is looked for in segments that the index does not have."""


class FileLedger(LocalLedger):
    """Keeps decisions in the audit log of one process."""

    notes: tuple[str, ...] = ()

    def __init__(self, trail: AuditTrail, **parts: Any) -> None:
        """Take an open trail, and let its index catch up. parts: as of LocalLedger.

        Raises AuditUnavailable where the log cannot be read.
        """
        super().__init__(**parts, newest=trail.log.seq)
        self._trail = trail
        self._index = Index(trail.log, since=lambda: self._ages.since)
        self._calls = self._index.calls
        self._named = Named(self._index.named())
        trail.log.on_lines = self._index.note
        index = self._index
        self._facets = Facets(trail.log.directory, lambda: index.noted, lambda: index.losses)

    async def open(self) -> None:
        """Do nothing: trail and index were opened with the ledger, which tells early what is wrong."""

    async def check(self) -> None:
        """Raise AuditUnavailable where the log could not be written and still cannot, or the index is made anew.

        Raises AuditBroken.
        """
        self._trail.log.check()
        if self._trail.log.is_failing:
            await require_writable(self._trail.log.directory)
        self._index.check()

    @property
    def key(self) -> bytes:
        """The secret behind fingerprints."""
        return self._trail.key

    @property
    def durability(self) -> str:
        """What the log promises of a record."""
        return self._trail.log.durability

    @property
    def lost(self) -> int:
        """How many records the disk has lost."""
        return self._trail.log.gap

    @property
    def is_immediate(self) -> bool:
        """Whether the log writes at once."""
        return self._trail.log.durability == "flush"

    def record(self, kind: str, body: Body) -> Coroutine[Any, Any, Receipt]:
        """Write a record into the log."""
        return self._trail.log.write(kind, body)

    async def begin_call(self, claim: Claim, call: CallBody) -> None:
        """Record that a call is about to be made, unless nobody can tell what the day cost up to now."""
        self._index.require_whole()
        await super().begin_call(claim, call)

    def figures(self) -> LedgerFigures:
        """Return how often decisions were in memory, and how far the index is behind."""
        return replace(super().figures(), index_lag_records=self._index.lag_records)

    def records(self) -> RecordSource:
        """Hand out the records of the log."""
        from adjudge.audit.cursor import FileRecords  # only where there are readers

        return FileRecords(self._trail.log)

    def sealed(self, subject: str, values: Mapping[str, object]) -> AbstractAsyncContextManager[Mapping[str, str]]:
        """Keep personal values in the vault, and give their commitments."""
        return self._trail.sealing.sealed(subject, values)

    async def erase(self, merchant_biz_id: str, record: Callable[[tuple[str, ...]], Body]) -> int:
        """Record that a subject is erased, and erase it from the vault; return how many values there were.

        The record comes first: where the process dies in between, erasing again does the rest.
        """
        async with self._trail.sealing.erasing(merchant_biz_id) as names:
            if names:
                await self.record("erasure", record(names))
        return len(names)

    async def aclose(self) -> None:
        """Close the log, the vault and the index."""
        try:
            await self._trail.aclose()
        finally:
            self._facets.close()
            self._index.close()

    def close(self) -> None:
        """Close where there is no event loop any more."""
        try:
            self._trail.close()
        finally:
            self._facets.close()
            self._index.close()

    async def find(self, *, decision_id: str | None = None, merchant_biz_id: str | None = None) -> Decision | None:
        """Return a decision by its id, or the newest of a MerchantBizId, however old.

        What the index lacks is read, and so is what was moved to a folder.
        """
        missing = None
        try:
            found = await super().find(decision_id=decision_id, merchant_biz_id=merchant_biz_id)
        except AuditUnavailable as error:
            missing, found = error, None
        if found is not None:
            return found
        member, text = ("decision_id", decision_id) if decision_id is not None else ("merchant_biz_id", merchant_biz_id)
        pool = Pool("adjudge-find", 1)
        try:
            record = await pool.run(lambda: self._index.older(member, str(text)), deadline_s=FOUND_WITHIN_S)
        except (OSError, NoThread) as error:  # TimeoutError is an OSError
            raise AuditUnavailable(f"what is older than the index cannot be read: {error}") from error
        finally:
            pool.close()
        body = decision_of(record) if record is not None else None
        if body is not None and text in (body.decision_id, body.merchant_biz_id):
            return await self._restored(body)
        if missing is not None:
            raise missing
        return None

    async def label(self, decision_id: str, merchant_biz_id: str, record: Body, *, confirms: bool) -> None:
        """Write a record of what was found out about a decision.

        Raises RequestError where the log has no such decision. Where nobody can tell, the label is taken: it comes
        weeks later, and the segment of its decision may be elsewhere by then.
        """
        try:
            body = self._decision(decision_id)
            # `async` tells of a decision before it stands in the log.
            is_known = body is not None or (self.durability != "async" and self._index.is_whole)
        except (AuditUnavailable, OSError):
            body, is_known = None, False
        if is_known and (body is None or body.merchant_biz_id != merchant_biz_id):
            raise no_such_decision(decision_id, merchant_biz_id)
        await super().label(decision_id, merchant_biz_id, record, confirms=confirms)

    def _by_name(self, kind: str, name: str) -> Sequence[Record]:
        return self._index.by_name(kind, name)

    def _lines_of(self, decision_id: str) -> tuple[bytes, bytes | None] | None:
        found = (one for one in self._index.records(decision_text(decision_id)) if one.kind == "decision")
        record = next((one for one in found if decision_of(one).decision_id == decision_id), None)
        record = record or self._index.older("decision_id", decision_id)
        if record is None or decision_of(record).decision_id != decision_id:
            return None
        return record.line, self._index.policy(decision_of(record).policy_digest, before=record.seq)

    def _policy_of(self, digest: str) -> bytes | None:
        try:
            noted = self._facets.policy(digest)
        except OSError:  # it was moved away just now
            noted = None
        return noted if noted is not None and is_policy(digest, noted) else self._index.policy(digest, before=2**63)

    def _newest_first(self, query: DecisionQuery, before: int) -> Iterator[tuple[int, bytes]]:
        if query.merchant_biz_id is None:
            return self._facets.lines(query, before, self._tags)
        return self._index.lines(before, query.merchant_biz_id, since=query.since, until=query.until)

    def _checked(self, place: int, line: bytes) -> DecisionBody | None:
        whole(line)
        record = self._index.at(place)  # which looks at its keys
        return decision_of(record) if record is not None else None

    def _stored(self, merchant_biz_id: str) -> Record | None:
        for record in self._index.records(merchant_biz_id):
            if record.kind == "decision" and decision_of(record).merchant_biz_id == merchant_biz_id:
                return record
            self._index.require_checked()
        return None

    def _decision(self, decision_id: str) -> DecisionBody | None:
        for record in self._index.records(decision_text(decision_id)):
            if record.kind == "decision" and (body := decision_of(record)).decision_id == decision_id:
                return body
        return None

    def _is_confirmed(self, body: DecisionBody) -> bool:
        for record in self._index.records(label_text(body.decision_id), after=decision_text(body.decision_id)):
            if record.kind == "label":
                label = decode(LabelBody, record.seq, record.body)
                if (label.decision_id, label.merchant_biz_id) == (body.decision_id, body.merchant_biz_id):
                    return label.confirms  # the newest counts
            self._index.require_checked()
        return False

    async def _revealed(self, merchant_biz_id: str, commitments: Sequence[str]) -> dict[str, object]:
        return await self._trail.sealing.reveal(commitments)
