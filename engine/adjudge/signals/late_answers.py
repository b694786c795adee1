"""Takes answers that come later: finds who waits, has the provider read them, and has the request decided again."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any

from msgspec import structs

from adjudge.decision.prepared import PreparedRequest
from adjudge.decision.single_flight import SingleFlight
from adjudge.errors import AnsweredOtherwise, MerchantBizIdConflict, Overloaded, UnknownCall
from adjudge.model import Decision, Signal, SignalStatus
from adjudge.plugin import Busy, Claim, DecisionLedger, ExplainableLedger
from adjudge.signals.late import asked_by, read, restored, says_same, unread
from adjudge.signals.served import Served
from adjudge.signals.tickets import Ticket, opened

LATE_TRIES = 3
"""How often a late answer is taken, where its id is being decided for other reasons meanwhile."""


class LateAnswers:
    """The late answers of one engine."""

    def __init__(
        self,
        ledger: DecisionLedger,
        flights: SingleFlight,
        served: Callable[[], Served],
        decide: Callable[[PreparedRequest], Coroutine[Any, Any, Decision]],
        clock: Callable[[], datetime],
        lease_s: float,
    ) -> None:
        """served: what answers by now. decide: claims a request that is unread, and decides it.

        lease_s: seconds for which an id is claimed.
        """
        self._ledger, self._flights, self._served, self._decide = ledger, flights, served, decide
        self._clock, self._lease_s = clock, lease_s

    async def take(self, call: str, body: bytes, headers: Mapping[str, str]) -> tuple[Decision, bool]:
        """Return the decision that an answer leads to, and whether it is new; see `Engine.answer`."""
        ticket = opened(call, self._ledger.key)
        for _ in range(LATE_TRIES):
            earlier, before = await self._waiting(ticket)
            if earlier.reviewed is not None:
                raise AnsweredOtherwise("a person has decided the request, and that stands")
            served, now = self._served(), self._clock()
            policy = served.policies.get(earlier.policy)
            if policy is None:
                raise UnknownCall
            sources = served.sources.get(earlier.policy_digest) or served.sources[policy.digest]
            late = await read(sources.open().get(ticket.signal), before, call, body, headers, now)
            if before.status is not SignalStatus.PENDING:
                if says_same(before, late):
                    return structs.replace(earlier, status="duplicate"), False
                raise AnsweredOtherwise("the call has another answer already, which stands")
            if not before.is_awaited(now):
                raise AnsweredOtherwise("the time for the answer is over")
            prepared = unread(ticket, policy, late)
            decision = await self._flights.run(prepared.key, partial(self._decide, prepared), alone=True)
            found = asked_by(ticket, decision)
            if decision.status != "duplicate" and found is not None and says_same(found, late):
                return decision, True
        raise Overloaded("the MerchantBizId is being decided", retry_after_s=1.0)

    async def restored(self, prepared: PreparedRequest, claim: Claim) -> PreparedRequest:
        """Return a request as the log has it, once it is claimed. Raises UnknownCall where values of it were erased."""
        if claim.earlier is None or not isinstance(self._ledger, ExplainableLedger):
            raise UnknownCall  # the decision that asked is so old that it answers nothing any more
        evidence = await self._ledger.evidence(claim.earlier.decision_id)
        if evidence is None:
            raise UnknownCall
        return restored(prepared, evidence, claim.earlier)

    async def _waiting(self, ticket: Ticket) -> tuple[Decision, Signal]:
        """Return the newest decision of the request that made a call, and its signal. Raises UnknownCall.

        The answer may be there before the decision is.
        """
        while True:
            found = await self._ledger.find(merchant_biz_id=ticket.merchant_biz_id)
            if found is not None and (signal := asked_by(ticket, found)) is not None:
                return found, signal
            try:
                held = await self._ledger.claim(
                    ticket.merchant_biz_id, ticket.fingerprint, again=True, lease_s=self._lease_s
                )
            except MerchantBizIdConflict:
                raise UnknownCall from None
            if isinstance(held, Busy):
                await self._ledger.wait(held, monotonic() + self._lease_s)
                continue
            earlier = held.earlier if isinstance(held, Claim) else held
            if isinstance(held, Claim):
                await self._ledger.release(held)
            if earlier is None or (signal := asked_by(ticket, earlier)) is None:
                raise UnknownCall
            return earlier, signal
