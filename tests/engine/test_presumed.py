"""An engine whose ledger lets ids be presumed new: the answers are those of one that claims each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import structlog

from adjudge.engine import Engine
from adjudge.errors import AuditUnavailable, LostClaim, MerchantBizIdConflict
from adjudge.ledger.guarded import guarded
from adjudge.ledger.memory import MemoryLedger
from adjudge.model import Decision, Request
from adjudge.plugin import Body, Busy, Claim, Receipt
from adjudge.registry import parse_policy
from adjudge.testing import fake_provider, registry_of

SUPPLIED = """
{policy_language: 1, policy: plain, inputs: {country: string},
 signals: {device: {fields: {score: int}}}, rules: [{id: risky, when: device.score > 70, then: review}]}
"""
PERSONAL = SUPPLIED.replace("country: string", "country: {type: string, personal: true}")
ASKING = """
{policy_language: 1, policy: asking, inputs: {country: string},
 signals: {face: {provider: acme.face}}, rules: [{id: forged, when: face.score > 0.9, then: review}]}
"""


class Presumptuous(MemoryLedger):
    """Counts who claims, and who presumes."""

    def __init__(self) -> None:
        super().__init__(clock=lambda: datetime.now(UTC))
        self.claimed = self.presumed = 0
        self.is_immediate = False  # type: ignore[misc]

    async def claim(
        self, merchant_biz_id: str, fingerprint: str, *, again: bool, lease_s: float, former: str | None = None
    ) -> Claim | Decision | Busy:
        self.claimed += 1
        return await super().claim(merchant_biz_id, fingerprint, again=again, lease_s=lease_s, former=former)

    def presume(self, merchant_biz_id: str, fingerprint: str, *, former: str | None = None) -> Claim | None:
        self.presumed += 1
        return Claim(merchant_biz_id=merchant_biz_id, fingerprint=fingerprint, former=former, token=0)

    async def conclude(self, claim: Claim, decision: Decision, record: Body) -> Receipt:
        if not claim.token:
            try:
                found = await super().claim(
                    claim.merchant_biz_id, claim.fingerprint, again=False, lease_s=60, former=claim.former
                )
            except MerchantBizIdConflict:
                found = None
            if not isinstance(found, Claim):
                raise LostClaim("it is not free")
            claim = found
        return await super().conclude(claim, decision, record)


def request(country: str = "SG", number: int = 1, **signals: object) -> Request:
    return Request(
        merchant_biz_id=f"{number:032d}", scene_code="test", inputs={"country": country}, signals={"device": signals}
    )


def deciding(policy: str, work: Callable[[Engine, Presumptuous], object]) -> None:
    async def main() -> None:
        ledger = Presumptuous()
        registry = registry_of([fake_provider("acme.face", {"score": "double"}, {"score": 0.1})])
        async with Engine([parse_policy(policy, registry=registry)], registry=registry, ledger=ledger) as engine:
            await work(engine, ledger)  # type: ignore[misc]

    asyncio.run(main())


def test_new_ids_are_presumed_and_retries_and_conflicts_are_found() -> None:
    async def work(engine: Engine, ledger: Presumptuous) -> None:
        await engine.decide(request(number=9, score=1))  # the first one records its policy
        before = ledger.claimed
        with structlog.testing.capture_logs() as told:
            first = await engine.decide(request(score=80))
            assert (first.status, ledger.claimed) == ("fresh", before)
            again = await engine.decide(request(score=80))
            assert (again.status, again.decision_id) == ("duplicate", first.decision_id)
            with pytest.raises(MerchantBizIdConflict):
                await engine.decide(request("FR", score=80))
            assert ledger.claimed == before + 2
            anew = await engine.decide(request(score=80), anew=True)
            assert (anew.status, anew.supersedes) == ("supersedes", first.decision_id)
            lacking = await engine.decide(request(number=2))
            completed = await engine.decide(request(number=2, score=80))
            assert (completed.status, completed.supersedes) == ("supersedes", lacking.decision_id)
        assert not [one for one in told if one["event"] == "claim_lost"], "that an id is not new is no fault"

    deciding(SUPPLIED, work)


@pytest.mark.parametrize("policy", [PERSONAL, ASKING])
def test_who_asks_or_has_personal_values_claims_first(policy: str) -> None:
    async def work(engine: Engine, ledger: Presumptuous) -> None:
        for number in range(3):
            asked = request(number=number, score=1)
            await engine.decide(asked if policy is PERSONAL else Request(**_plain(asked)))
        assert (ledger.presumed, ledger.claimed) == (0, 3)

    deciding(policy, work)


def _plain(asked: Request) -> dict[str, object]:
    return {"merchant_biz_id": asked.merchant_biz_id, "scene_code": "test", "inputs": asked.inputs}


def test_presumption_that_a_ledger_makes_up_is_its_fault() -> None:
    class Wrong(MemoryLedger):
        said: object = None

        def presume(self, merchant_biz_id: str, fingerprint: str, *, former: str | None = None) -> object:
            if self.said is None:
                raise ValueError("secret")
            return self.said

    ledger, claim = Wrong(), Claim(merchant_biz_id="A" * 32, fingerprint="1" * 64, token=0)
    for said in (None, "yes", claim, Claim(merchant_biz_id="B" * 32, fingerprint="1" * 64, token=1)):
        ledger.said = said
        with pytest.raises(AuditUnavailable, match="Error"):
            guarded(ledger).presume("B" * 32, "1" * 64)  # type: ignore[arg-type]
    ledger.said = claim
    assert guarded(ledger).presume("A" * 32, "1" * 64) is claim  # type: ignore[arg-type]
    assert guarded(MemoryLedger()).presume("A" * 32, "1" * 64) is None
