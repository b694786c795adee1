"""The billed calls of an engine: recorded before and after, and remembered until a decision holds their answers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from msgspec import structs

from adjudge.audit.calls import Billed, CallBody, OpenCalls
from adjudge.case import Case
from adjudge.errors import AuditBroken, AuditUnavailable, SignalFailed
from adjudge.events import Events
from adjudge.journal import Journal
from adjudge.model import Signal, SignalStatus
from adjudge.plugin import Provider
from adjudge.policy.catalogue import Catalogue

IN_DOUBT = "an earlier call may have been paid for, and its answer was lost"
SHOWN_MAX = 10

_events = Events("adjudge.calls")


@dataclass(slots=True)
class CallBook:
    """What one engine has paid for. calls: as its log has them, and since then. clock: aware UTC."""

    journal: Journal
    calls: OpenCalls
    catalogue: Callable[[], Catalogue]
    clock: Callable[[], datetime]

    def tell(self) -> None:
        """Tell the operator of calls that an earlier process left in doubt."""
        lost = [body for body in self.calls.undecided() if body.is_in_doubt]
        if lost:
            ids = list(dict.fromkeys(body.merchant_biz_id for body in lost))[:SHOWN_MAX]
            _events.warning("calls_in_doubt", count=len(lost), merchant_biz_ids=ids)

    def recall(self, case: Case, names: Sequence[str]) -> dict[str, Signal]:
        """Return what calls before a crash, or before a log that failed, are worth to a request.

        An answer that no decision holds yet is used, and so are doubts, unless the policy asks again.
        """
        if case.anew:
            return {}
        found: dict[str, Signal] = {}
        for name, body in self._open(case).items():
            declared = case.policy.typed.signals.get(name)
            if name not in names or declared is None or declared.provider != body.provider:
                continue
            if body.answer is not None:
                fields = self.journal.revealed(body.answer, body.personal)
                if fields is not None:
                    found[name] = structs.replace(body.answer, fields=fields)
            if name not in found and declared.on_in_doubt == "unknown":
                found[name] = Signal(
                    name=name,
                    status=SignalStatus.UNAVAILABLE,
                    reason=IN_DOUBT,
                    reason_code="IN_DOUBT",
                    provider=body.provider,
                    version=body.version,
                    is_final=True,
                )
        return found

    def of(self, case: Case) -> CaseBook:
        """Return the book of one decision in the making."""
        return CaseBook(self, case)

    def decided(self, case: Case) -> None:
        """Take note that a decision is recorded."""
        for mark in (case.mark, case.former):
            if mark is not None:
                self.calls.decided(case.request.merchant_biz_id, mark)

    def _open(self, case: Case) -> dict[str, CallBody]:
        biz_id = case.request.merchant_biz_id
        former = self.calls.of(biz_id, case.former) if case.former is not None else {}
        return former | self.calls.of(biz_id, case.mark)


@dataclass(slots=True)
class CaseBook:
    """Records the calls of one case."""

    book: CallBook
    case: Case
    _begun: dict[str, CallBody] = field(default_factory=dict)

    async def begin(self, signal: str, provider: Provider, price: Decimal, attempt: int) -> str:
        """Record that a call is about to be made. Raises SignalFailed where that cannot be recorded."""
        body = CallBody(
            call_id=secrets.token_hex(16),
            stage="begun",
            merchant_biz_id=self.case.request.merchant_biz_id,
            fingerprint=self.case.mark,
            policy_digest=self.case.policy.digest,
            signal=signal,
            provider=provider.name,
            version=provider.version,
            attempt=attempt,
            price=price,
            currency=provider.currency,
            at=self.book.clock(),
        )
        try:
            await self.book.journal.record_call(body, self.case.policy, self.book.catalogue)
        except (AuditUnavailable, AuditBroken) as error:
            said = "not asked: the audit log cannot be written"
            raise SignalFailed(said, kind="unavailable", reason_code="LOG_UNAVAILABLE", billed=False) from error
        self.book.calls.add(body)
        self._begun[body.call_id] = body
        return body.call_id

    async def end(self, call_id: str, signal: Signal, billed: bool | None) -> None:
        """Record how a call ended; where that fails it is remembered all the same, and stays in doubt in the log."""
        said: Billed = "unknown" if billed is None else "yes" if billed else "no"
        body = structs.replace(
            self._begun.pop(call_id),
            stage="ended",
            at=self.book.clock(),
            status=signal.status.value,
            billed=said,
            reason=signal.reason,
            reason_code=signal.reason_code,
            request_id=signal.request_id,
            latency_ms=signal.duration_ms,
            answer=signal if signal.status is SignalStatus.OK else None,
        )
        self.book.calls.add(body)
        try:
            await self.book.journal.record_call(body, self.case.policy, self.book.catalogue)
        except (AuditUnavailable, AuditBroken):
            _events.exception("call_not_recorded", call_id=call_id, provider=body.provider)
