"""The billed calls of an engine: recorded before and after, and remembered until a decision holds their answers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from msgspec import structs

from adjudge.audit.calls import Billed, CallBody, OpenCalls
from adjudge.audit.trail import AuditTrail
from adjudge.errors import AuditBroken, AuditUnavailable, SignalFailed
from adjudge.events import Events
from adjudge.frozen import frozen
from adjudge.model import Signal, SignalStatus
from adjudge.plugin import Provider
from adjudge.policy.policy import Policy

IN_DOUBT = "an earlier call may have been paid for, and its answer was lost"
SHOWN_MAX = 10

_events = Events("adjudge.calls")


@frozen
class RequestKey:
    """What a request is known by: two requests with the same key are one.

    former: the fingerprint that version 0.1 gave it, which took two spellings of a value for two; None where that is
    the same.
    """

    merchant_biz_id: str
    fingerprint: str
    former: str | None = None

    def has(self, fingerprint: str) -> bool:
        """Whether a fingerprint, of this version or of one before it, is that of the request."""
        return fingerprint == self.fingerprint or fingerprint == self.former


@dataclass(slots=True)
class CallLedger:
    """What one engine has paid for. calls: as its log has them, and since then. clock: aware UTC."""

    trail: AuditTrail
    calls: OpenCalls
    clock: Callable[[], datetime]

    def tell(self) -> None:
        """Tell the operator of calls that an earlier process left in doubt."""
        lost = [body for body in self.calls.undecided() if body.is_in_doubt]
        if lost:
            ids = list(dict.fromkeys(body.merchant_biz_id for body in lost))[:SHOWN_MAX]
            _events.warning("calls_in_doubt", count=len(lost), merchant_biz_ids=ids)

    def recall(self, key: RequestKey, policy: Policy, names: Sequence[str]) -> dict[str, Signal]:
        """Return what calls before a crash, or before a log that failed, are worth to a request.

        An answer that no decision holds yet is used, and so are doubts, unless the policy asks again.
        """
        found: dict[str, Signal] = {}
        for name, body in self._open(key).items():
            declared = policy.typed.signals.get(name)
            if name not in names or declared is None or declared.provider != body.provider:
                continue
            if body.answer is not None:
                fields = self.trail.revealed(body.answer, body.personal)
                if fields is not None:
                    found[name] = structs.replace(body.answer, fields=fields)
            if name not in found and declared.when_billing_unknown == "unknown":
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

    def of(self, key: RequestKey, policy: Policy) -> RequestLedger:
        """Return the ledger of one request that is being decided."""
        return RequestLedger(self, key, policy)

    def decided(self, key: RequestKey) -> None:
        """Take note that a decision is recorded."""
        for fingerprint in (key.fingerprint, key.former):
            if fingerprint is not None:
                self.calls.decided(key.merchant_biz_id, fingerprint)

    def _open(self, key: RequestKey) -> dict[str, CallBody]:
        former = self.calls.of(key.merchant_biz_id, key.former) if key.former is not None else {}
        return former | self.calls.of(key.merchant_biz_id, key.fingerprint)


@dataclass(slots=True)
class RequestLedger:
    """Records the calls made for one request."""

    ledger: CallLedger
    key: RequestKey
    policy: Policy
    _begun: dict[str, CallBody] = field(default_factory=dict)

    async def begin(self, signal: str, provider: Provider, price: Decimal, attempt: int) -> str:
        """Record that a call is about to be made, and return its id once that is on disk.

        Raises SignalFailed where it cannot be recorded: then it must not be made.
        """
        body = CallBody(
            call_id=secrets.token_hex(16),
            stage="begun",
            merchant_biz_id=self.key.merchant_biz_id,
            fingerprint=self.key.fingerprint,
            policy_digest=self.policy.digest,
            signal=signal,
            provider=provider.name,
            version=provider.version,
            attempt=attempt,
            price=price,
            currency=provider.currency,
            at=self.ledger.clock(),
        )
        try:
            await self.ledger.trail.record_call(body, self.policy)
        except (AuditUnavailable, AuditBroken) as error:
            said = "not asked: the audit log cannot be written"
            raise SignalFailed(said, kind="unavailable", reason_code="LOG_UNAVAILABLE", billed=False) from error
        self.ledger.calls.add(body)
        self._begun[body.call_id] = body
        return body.call_id

    async def end(self, call_id: str, signal: Signal, billed: bool | None) -> None:
        """Record how a call ended. billed: None where nobody knows. Never raises: the answer is there already.

        Where it cannot be recorded it is remembered all the same, and stays in doubt in the log.
        """
        said: Billed = "unknown" if billed is None else "yes" if billed else "no"
        body = structs.replace(
            self._begun.pop(call_id),
            stage="ended",
            at=self.ledger.clock(),
            status=signal.status.value,
            billed=said,
            reason=signal.reason,
            reason_code=signal.reason_code,
            request_id=signal.request_id,
            latency_ms=signal.duration_ms,
            answer=signal if signal.status is SignalStatus.OK else None,
        )
        self.ledger.calls.add(body)
        try:
            await self.ledger.trail.record_call(body, self.policy)
        except (AuditUnavailable, AuditBroken):
            _events.exception("call_not_recorded", call_id=call_id, provider=body.provider)
