"""A ledger of a plugin, whose faults are said in our words: whatever it raises, the caller gets an AdjudgeError."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from adjudge.errors import AdjudgeError, AuditUnavailable, RequestError
from adjudge.events import Events
from adjudge.frozen import frozen
from adjudge.ledger.checking import check_ledger
from adjudge.ledger.claims import no_such_decision
from adjudge.ledger.named import check_named
from adjudge.model import Decision
from adjudge.plugin import (
    BY_NAME,
    Body,
    Busy,
    CallBody,
    Claim,
    DecisionLedger,
    DecisionPage,
    DecisionQuery,
    Evidence,
    ExplainableLedger,
    KeepsHistories,
    LedgerFigures,
    NamedBody,
    NamedRecord,
    Quota,
    Receipt,
    RecordSource,
    SearchableLedger,
    SharedLimits,
    ShowsFigures,
    Spent,
    no_search,
)
from adjudge.system.faults import is_cancelled, is_operators

_T = TypeVar("_T")
_events = Events("adjudge.ledger")


def guarded(ledger: DecisionLedger) -> GuardedLedger:
    """Return a ledger guarded; one that shares limits does so still."""
    return (GuardedSharedLedger if isinstance(ledger, SharedLimits) else GuardedLedger)(ledger)


@frozen
class GuardedLedger:
    """The ledger of one engine. An exception's text may hold personal data or a password: its type has to do."""

    ledger: DecisionLedger

    @property
    def key(self) -> bytes:
        """As of the ledger."""
        return self.ledger.key

    @property
    def durability(self) -> str:
        """As of the ledger."""
        return self.ledger.durability

    @property
    def notes(self) -> tuple[str, ...]:
        """As of the ledger."""
        return self.ledger.notes

    @property
    def lost(self) -> int:
        """As of the ledger."""
        return self.ledger.lost

    @property
    def is_immediate(self) -> bool:
        """As of the ledger."""
        return self.ledger.is_immediate

    async def open(self) -> None:
        """As of the ledger; checks that there is a key."""
        await self._done("be opened", lambda: self.ledger.open())
        if not isinstance(self.ledger.key, bytes) or not self.ledger.key:
            raise self._failed("be opened", TypeError("its key must be bytes"))

    async def aclose(self) -> None:
        """As of the ledger."""
        await self._done("be closed", lambda: self.ledger.aclose())

    def close(self) -> None:
        """As of the ledger."""
        try:
            self.ledger.close()
        except BaseException as error:
            raise self._failed("be closed", error) from None

    async def spent(self) -> Spent:
        """As of the ledger."""
        return await self._done("be read", lambda: self.ledger.spent())

    async def in_doubt(self) -> Sequence[CallBody]:
        """As of the ledger."""
        return await self._done("be read", lambda: self.ledger.in_doubt())

    async def claim(
        self, merchant_biz_id: str, fingerprint: str, *, again: bool, lease_s: float, former: str | None = None
    ) -> Claim | Decision | Busy:
        """As of the ledger; what it gives has to be of the id that was asked for."""
        found: object = await self._done(
            "be read",
            lambda: self.ledger.claim(merchant_biz_id, fingerprint, again=again, lease_s=lease_s, former=former),
        )
        if not isinstance(found, Claim | Decision | Busy) or found.merchant_biz_id != merchant_biz_id:
            raise self._failed("be read", TypeError("what it returned is no claim or decision of that id"))
        return found

    def presume(self, merchant_biz_id: str, fingerprint: str, *, former: str | None = None) -> Claim | None:
        """As of the ledger; one that does not presume has its ids claimed."""
        presume: Callable[..., object] | None = getattr(self.ledger, "presume", None)
        if presume is None:
            return None
        try:
            claim = presume(merchant_biz_id, fingerprint, former=former)
        except BaseException as error:
            raise self._failed("be read", error) from None
        is_presumed = isinstance(claim, Claim) and claim.merchant_biz_id == merchant_biz_id and not claim.token
        if claim is not None and not is_presumed:
            raise self._failed("be read", TypeError("what it returned is no presumed claim of that id"))
        return cast(Claim | None, claim)

    async def wait(self, busy: Busy, until: float) -> None:
        """As of the ledger."""
        await self._done("be read", lambda: self.ledger.wait(busy, until))

    async def release(self, claim: Claim) -> None:
        """As of the ledger; a claim that cannot be given back lapses."""
        try:
            await self._done("be written", lambda: self.ledger.release(claim))
        except AdjudgeError:
            pass  # told already

    async def begin_call(self, claim: Claim, call: CallBody) -> None:
        """As of the ledger."""
        await self._done("be written", lambda: self.ledger.begin_call(claim, call))

    async def end_call(self, claim: Claim, call: CallBody) -> None:
        """As of the ledger."""
        await self._done("be written", lambda: self.ledger.end_call(claim, call))

    async def conclude(self, claim: Claim, decision: Decision, record: Body) -> Receipt:
        """As of the ledger."""
        return await self._done("be written", lambda: self.ledger.conclude(claim, decision, record))

    async def find(self, *, decision_id: str | None = None, merchant_biz_id: str | None = None) -> Decision | None:
        """As of the ledger."""
        found: object = await self._done(
            "be read", lambda: self.ledger.find(decision_id=decision_id, merchant_biz_id=merchant_biz_id)
        )
        if found is not None and not isinstance(found, Decision):
            raise self._failed("be read", TypeError("what it returned is no decision"))
        return found

    async def search(self, query: DecisionQuery, after: str | None) -> DecisionPage:
        """As of the ledger. Raises RequestError where it cannot be searched."""
        ledger = self.ledger
        if not isinstance(ledger, SearchableLedger):
            raise no_search()
        found: object = await self._done("be read", lambda: ledger.search(query, after))
        if not isinstance(found, DecisionPage):
            raise self._failed("be read", TypeError("what it returned is no page of decisions"))
        return found

    async def evidence(self, decision_id: str) -> Evidence | None:
        """As of the ledger. Raises RequestError where it has none to give."""
        ledger = self.ledger
        if not isinstance(ledger, ExplainableLedger):
            raise RequestError("this ledger does not give what a decision was made of", where="explain")
        found: object = await self._done("be read", lambda: ledger.evidence(decision_id))
        if found is not None and not isinstance(found, Evidence):
            raise self._failed("be read", TypeError("what it returned is no evidence"))
        return found

    async def record(self, kind: str, body: Body) -> Receipt:
        """As of the ledger."""
        return await self._done("be written", lambda: self.ledger.record(kind, body))

    async def note(self, kind: str, record: NamedBody) -> NamedRecord:
        """As of the ledger; one that was written before there were named records keeps none."""
        check_named(kind, record)
        if kind in BY_NAME:
            self._with_histories()
        return await self._done("be written", lambda: self._naming().note(kind, record))

    async def newest(self, kind: str) -> Mapping[str, NamedRecord]:
        """As of the ledger; see `note`."""
        return await self._done("be read", lambda: self._naming().newest(kind))

    async def noted(self, kind: str) -> int:
        """As of the ledger; see `note`."""
        return await self._done("be read", lambda: self._naming().noted(kind))

    async def history(self, kind: str, name: str) -> Sequence[NamedRecord]:
        """As of the ledger; see `note`."""
        return await self._done("be read", lambda: self._with_histories().history(kind, name))

    async def check(self) -> None:
        """Raise what the ledger would raise now; see `check_ledger`."""
        await self._done("be read", lambda: check_ledger(self.ledger))

    @property
    def keeps_named(self) -> bool:
        """Whether the ledger keeps named records."""
        return hasattr(self.ledger, "note")

    def _naming(self) -> DecisionLedger:
        if not self.keeps_named:
            raise AuditUnavailable(
                f"the ledger `{type(self.ledger).__name__}` keeps no named records: update its plugin"
            )
        return self.ledger

    def _with_histories(self) -> KeepsHistories:
        if not isinstance(self.ledger, KeepsHistories):
            raise AuditUnavailable(f"the ledger `{type(self.ledger).__name__}` keeps no reviews: update its plugin")
        return self.ledger

    async def label(self, decision_id: str, merchant_biz_id: str, record: Body, *, confirms: bool) -> None:
        """As of the ledger. Raises RequestError where it has the decision under another MerchantBizId."""
        found = await self.find(decision_id=decision_id)
        if found is not None and found.merchant_biz_id != merchant_biz_id:
            raise no_such_decision(decision_id, merchant_biz_id)
        await self._done(
            "be written", lambda: self.ledger.label(decision_id, merchant_biz_id, record, confirms=confirms)
        )

    @asynccontextmanager
    async def sealed(self, subject: str, values: Mapping[str, object]) -> AsyncIterator[Mapping[str, str]]:
        """As of the ledger."""
        sealing: Any = None

        def begin() -> Awaitable[Mapping[str, str]]:
            nonlocal sealing
            sealing = self.ledger.sealed(subject, values)
            return cast(Awaitable[Mapping[str, str]], sealing.__aenter__())

        sealed = await self._done("be written", begin)
        try:
            yield sealed
        except BaseException as error:
            how = (type(error), error, error.__traceback__)
            await self._done("be written", lambda: sealing.__aexit__(*how))
            raise
        await self._done("be written", lambda: sealing.__aexit__(None, None, None))

    def figures(self) -> LedgerFigures | None:
        """As of the ledger; one that fails to say so shows nothing."""
        try:
            found: object = self.ledger.figures() if isinstance(self.ledger, ShowsFigures) else None
        except BaseException as error:
            if is_operators(error):
                raise
            return None
        return found if isinstance(found, LedgerFigures) else None

    def records(self) -> RecordSource | None:
        """As of the ledger; one that was written before there were readers hands out none."""
        records: Callable[[], RecordSource | None] = getattr(self.ledger, "records", lambda: None)
        try:
            return records()
        except BaseException as error:
            raise self._failed("be read", error) from None

    async def erase(self, merchant_biz_id: str, record: Callable[[tuple[str, ...]], Body]) -> int:
        """As of the ledger."""
        return await self._done("be written", lambda: self.ledger.erase(merchant_biz_id, record))

    async def _done(self, what: str, work: Callable[[], Awaitable[_T]]) -> _T:
        try:
            return await work()
        except AdjudgeError:
            raise
        except BaseException as error:
            if is_cancelled():
                raise
            raise self._failed(what, error) from None

    def _failed(self, what: str, error: BaseException) -> BaseException:
        """Tell of a fault, and return what to raise in its place."""
        if is_operators(error) or isinstance(error, AdjudgeError):
            return error
        name = type(self.ledger).__name__
        _events.exception("ledger_failed", ledger=name)
        return AuditUnavailable(f"the ledger `{name}` cannot {what}: {type(error).__name__}")


@frozen
class GuardedSharedLedger(GuardedLedger):
    """A guarded ledger that shares limits."""

    async def admit(self, quota: Quota, claim: Claim, call: CallBody | None) -> float:
        """As of the ledger; what it gives has to be a time that the quota allows."""
        assert isinstance(self.ledger, SharedLimits)
        wait_s: object = await self._done("be written", lambda: self.ledger.admit(quota, claim, call))  # type: ignore[attr-defined]
        if not isinstance(wait_s, int | float) or not 0 <= wait_s <= max(quota.within_s, 0.0) + 1:
            raise self._failed("be written", TypeError("the wait that it returned is none"))
        return float(wait_s)
