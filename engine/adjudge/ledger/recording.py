"""From decisions and calls to what a ledger records: policies before what they decide, personal values sealed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec import structs

from adjudge.audit.bodies import Recorder, ShadowBody, policy_body
from adjudge.ledger.local import LocalLedger
from adjudge.model import Decision, Request, Signal
from adjudge.plugin import CallBody, Claim, DecisionLedger, Presuming, Quota, SharedLimits
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.policy import Policy


class Recording:
    """What one engine writes into its ledger."""

    def __init__(self, ledger: DecisionLedger, catalogue: Callable[[], Catalogue]) -> None:
        """catalogue: what plugins lend to the policies; the record of a policy names its providers by it."""
        self._ledger, self._catalogue = ledger, catalogue
        self.shares_limits = isinstance(ledger, SharedLimits)
        self._presuming = ledger if isinstance(ledger, Presuming) else None
        self._recorders: dict[str, Recorder] = {}
        self._lost = 0
        self._first_use = asyncio.Lock()

    def is_immediate(self, policy: Policy) -> bool:
        """Whether recording a decision of a policy never waits for a disk or another task."""
        recorder = self._recorders.get(policy.digest)
        return self._ledger.is_immediate and recorder is not None and not recorder.is_personal

    def presumed(self, merchant_biz_id: str, fingerprint: str, former: str | None, policy: Policy) -> Claim | None:
        """Return a claim of an id that is presumed to be new; None where it is to be claimed first.

        Personal values are kept before their record is written, so nothing is presumed of who has some.
        """
        recorder = self._recorders.get(policy.digest)
        if self._presuming is None or recorder is None or recorder.is_personal:
            return None
        return self._presuming.presume(merchant_biz_id, fingerprint, former=former)

    async def conclude(
        self,
        claim: Claim,
        decision: Decision,
        request: Request,
        inputs: Mapping[str, object],
        policy: Policy,
        shadows: tuple[ShadowBody, ...] = (),
    ) -> None:
        """Write a decision, its policy before it where that is new, and return once both are as durable as promised.

        inputs: of the request, in the form that the log has for them. shadows: what other policies would have come to.
        Raises LostClaim, AuditUnavailable and AuditBroken.
        """
        recorder = self._recorders.get(policy.digest)
        if recorder is None or self._ledger.lost != self._lost:
            recorder = await self._recorder(policy, decision.decided_at)
        if recorder.is_personal and (personal := recorder.personal(inputs, decision.signals.values())):
            async with self._ledger.sealed(decision.merchant_biz_id, personal) as sealed:
                await self._ledger.conclude(claim, decision, recorder.body(decision, request, inputs, sealed, shadows))
        else:
            await self._ledger.conclude(claim, decision, recorder.body(decision, request, inputs, {}, shadows))

    async def begin_call(self, claim: Claim, call: CallBody, policy: Policy) -> None:
        """Write that a call is about to be made. Raises LostClaim, AuditUnavailable and AuditBroken."""
        await self._recorder(policy, call.at)
        await self._ledger.begin_call(claim, call)

    async def admit(self, quota: Quota, claim: Claim, call: CallBody | None, policy: Policy) -> float:
        """Count a call for all who use the ledger, and write it where it is given; see `SharedLimits.admit`."""
        assert isinstance(self._ledger, SharedLimits), "asked only where limits are shared"
        if call is not None:
            await self._recorder(policy, call.at)
        return await self._ledger.admit(quota, claim, call)

    async def end_call(self, claim: Claim, call: CallBody, policy: Policy) -> None:
        """Write how a call ended. Raises AuditUnavailable and AuditBroken."""
        recorder = await self._recorder(policy, call.at)
        if call.answer is not None and (personal := recorder.personal({}, [call.answer])):
            async with self._ledger.sealed(call.merchant_biz_id, personal) as sealed:
                answer = recorder.signal(call.answer, sealed)
                await self._ledger.end_call(claim, structs.replace(call, answer=answer, personal=tuple(sealed)))
        else:
            await self._ledger.end_call(claim, call)

    def may_remember(self, answer: Signal, policy: Policy) -> bool:
        """Whether an answer that could not be recorded may be kept in memory for the next attempt.

        Not a personal one where others share the ledger: their erasures would not reach it.
        """
        recorder = self._recorders.get(policy.digest)
        return isinstance(self._ledger, LocalLedger) or (recorder is not None and not recorder.personal({}, [answer]))

    async def introduce(self, policy: Policy, at: datetime) -> None:
        """Write a policy, unless it is in the log of this process already. Raises AuditUnavailable and AuditBroken."""
        await self._recorder(policy, at)

    async def _recorder(self, policy: Policy, at: datetime) -> Recorder:
        """Return what turns a policy's decisions into records; the policy's own is written before."""
        if (
            self._ledger.lost != self._lost
        ):  # among the records that a failing disk lost may have been those of policies
            self._lost = self._ledger.lost
            self._recorders.clear()
        return self._recorders.get(policy.digest) or await self._introduce(policy, at)

    async def _introduce(self, policy: Policy, at: datetime) -> Recorder:
        """Record a policy that is used for the first time. at: when, aware UTC."""
        from importlib.metadata import version  # brings much along

        async with self._first_use:
            if policy.digest not in self._recorders:
                body = policy_body(policy, self._catalogue().providers, version("adjudge"), at)
                await self._ledger.record("policy", body)
                self._recorders[policy.digest] = Recorder(policy, self._ledger.durability)
        return self._recorders[policy.digest]
