"""The billed calls of an engine: recorded before and after, and used again until a decision holds their answers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from msgspec import structs

from adjudge.errors import AuditBroken, AuditUnavailable, LostClaim, SignalFailed
from adjudge.events import Events
from adjudge.ledger.recording import Recording
from adjudge.model import Signal, SignalStatus
from adjudge.plugin import Billed, CallBody, Claim, Provider, Quota
from adjudge.policy.policy import Policy

IN_DOUBT = "an earlier call may have been paid for, and its answer was lost"
SHOWN_MAX = 10

_events = Events("adjudge.calls")


def tell_of_doubts(lost: Sequence[CallBody]) -> None:
    """Tell the operator of calls that an earlier process left in doubt."""
    if lost:
        ids = list(dict.fromkeys(body.merchant_biz_id for body in lost))[:SHOWN_MAX]
        _events.warning("calls_in_doubt", count=len(lost), merchant_biz_ids=ids)


@dataclass(slots=True)
class CallLedger:
    """What one engine pays for. clock: aware UTC.

    _unrecorded: answers that could not be recorded, and that this process knows nevertheless.
    """

    recording: Recording
    clock: Callable[[], datetime]
    _unrecorded: dict[str, dict[tuple[str, str], Signal]] = field(default_factory=dict)

    def recall(self, claim: Claim, policy: Policy, names: Sequence[str]) -> dict[str, Signal]:
        """Return what calls before a crash, or before a log that failed, are worth to a request.

        An answer that no decision holds yet is used, and so are doubts, unless the policy asks again.
        """
        found: dict[str, Signal] = {}
        unrecorded = self._unrecorded.get(claim.merchant_biz_id, {})
        for name, body in claim.calls.items():
            declared = policy.typed.signals.get(name)
            if name not in names or declared is None or declared.provider != body.provider:
                continue
            answer = body.answer or unrecorded.get((name, body.fingerprint))
            if answer is not None and (answer.status is SignalStatus.OK or answer.is_awaited(self.clock())):
                found[name] = answer
            elif declared.when_billing_unknown == "unknown":
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

    def of(self, claim: Claim, policy: Policy) -> RequestLedger:
        """Return the ledger of one request that is being decided."""
        return RequestLedger(self, claim, policy)

    def forget(self, merchant_biz_id: str) -> None:
        """Forget answers that were not recorded: a decision holds them, or their subject was erased."""
        self._unrecorded.pop(merchant_biz_id, None)

    def remember(self, claim: Claim, answer: Signal) -> None:
        """Take note of an answer that could not be recorded."""
        self._unrecorded.setdefault(claim.merchant_biz_id, {})[answer.name, claim.fingerprint] = answer


@dataclass(slots=True)
class RequestLedger:
    """Records the calls made for one request."""

    ledger: CallLedger
    claim: Claim
    policy: Policy
    _begun: dict[str, CallBody] = field(default_factory=dict)

    @property
    def shares_limits(self) -> bool:
        """Whether rates and budgets are kept for all who use the ledger."""
        return self.ledger.recording.shares_limits

    async def admit(self, quota: Quota) -> float:
        """Count a call that costs nothing, and return the seconds to wait before it is made.

        Raises QuotaReached, and SignalFailed as `begin` does.
        """
        with _told():
            return await self.ledger.recording.admit(quota, self.claim, None, self.policy)

    async def begin(
        self, signal: str, provider: Provider, price: Decimal, attempt: int, quota: Quota | None = None
    ) -> tuple[str, float]:
        """Record that a call is about to be made; return its id once that is on disk, and the seconds to wait.

        quota: of all who use the ledger, where that shares limits.
        Raises QuotaReached; SignalFailed where it cannot be recorded, or another holder has the id. Then it must not be
        made.
        """
        body = CallBody(
            call_id=secrets.token_hex(16),
            stage="begun",
            merchant_biz_id=self.claim.merchant_biz_id,
            fingerprint=self.claim.fingerprint,
            policy_digest=self.policy.digest,
            signal=signal,
            provider=provider.name,
            version=provider.version,
            attempt=attempt,
            price=price,
            currency=provider.currency,
            at=self.ledger.clock(),
        )
        wait_s = 0.0
        with _told():
            if quota is None:
                await self.ledger.recording.begin_call(self.claim, body, self.policy)
            else:
                wait_s = await self.ledger.recording.admit(quota, self.claim, body, self.policy)
        self._begun[body.call_id] = body
        return body.call_id, wait_s

    async def end(self, call_id: str, signal: Signal, billed: bool | None) -> None:
        """Record how a call ended. billed: None where nobody knows. Never raises: the answer is there already.

        Where it cannot be recorded it stays in doubt in the log, and is remembered if every erasure would reach it.
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
            answer=signal if signal.status in (SignalStatus.OK, SignalStatus.PENDING) else None,
        )
        try:
            await self.ledger.recording.end_call(self.claim, body, self.policy)
        except (AuditUnavailable, AuditBroken):
            if body.answer is not None and self.ledger.recording.may_remember(body.answer, self.policy):
                self.ledger.remember(self.claim, body.answer)
            _events.exception("call_not_recorded", call_id=call_id, provider=body.provider)


@contextmanager
def _told() -> Iterator[None]:
    """Say that a call is not made because of the ledger as the failure of its signal."""
    try:
        yield
    except (AuditUnavailable, AuditBroken, LostClaim) as error:
        said = "not asked: the audit log cannot be written"
        raise SignalFailed(said, kind="unavailable", reason_code="LOG_UNAVAILABLE", billed=False) from error
