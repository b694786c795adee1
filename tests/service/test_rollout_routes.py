"""Rollouts over HTTP: the same as in the engine, for those who may, recorded under their names."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from adjudge.audit.kinds import bodies
from adjudge.audit.rollouts import RolloutBody
from adjudge.audit.trail import AuditTrail
from adjudge.client import Engine as Client
from adjudge.config.service import ServiceSettings
from adjudge.engine import Engine
from adjudge.errors import NotAllowed, RequestError
from adjudge.model import Request
from adjudge.registry import Registry, parse_policy
from adjudge.rollouts.settings import RolloutSettings
from adjudge.service.access.key_file import change_keys
from adjudge.service.access.keys import new_key
from client.serving import served

POLICY = "{policy_language: 1, policy: onboarding, inputs: {n: int}, rules: [{id: r, when: n > LIMIT, then: reject}]}"
CHAMPION, OTHER = (parse_policy(POLICY.replace("LIMIT", limit), registry=Registry()) for limit in ("70", "20"))


def engine(log: Path) -> Engine:
    trail = AuditTrail.open(log, durability="flush")
    return Engine([CHAMPION], registry=Registry(), trail=trail, rollouts=RolloutSettings(candidates={"other": OTHER}))


def test_client_does_with_rollouts_what_the_engine_does(tmp_path: Path) -> None:
    with served(engine(tmp_path)) as address, Client.open(address) as client:
        assert client.rollouts_sync() == ()
        started = client.rollout_sync(
            "start", "june", mode="canary", candidate="other", share=1.0, reason="try", by="kim"
        )
        decision = client.decide_sync(Request(merchant_biz_id="1" * 32, scene_code="a", inputs={"n": 50}))
        assert decision.arm is not None and (decision.arm.rollout, decision.arm.name) == ("june", "canary")
        assert decision == client.find_sync(decision_id=decision.decision_id)
        (june,) = client.rollouts_sync()
        assert june.arms["canary"].shares["reject"].count == 1
        assert (started.name, started.by, started.reason) == ("june", "kim", "try")
        for wrong in ({"action": "ramp", "name": "june", "share": 7.0}, {"action": "stop", "name": "june"}):
            with pytest.raises(RequestError):
                client.rollout_sync(**wrong)  # type: ignore[arg-type]
        assert client.rollout_sync("promote", "june", by="kim").status == "promoted"
    assert [body.action for _, body in bodies(tmp_path, RolloutBody)] == ["start", "promote"]


def test_rollouts_are_read_and_done_by_those_who_may(tmp_path: Path) -> None:
    keys, made = tmp_path / "keys.yaml", {}
    for scope in ("read", "approve"):
        key, made[scope] = new_key(f"{scope}-key", frozenset({scope}))  # type: ignore[arg-type]
        change_keys(keys, lambda known, key=key: {**known, key.id: key})  # type: ignore[misc]
    settings = ServiceSettings(keys=keys)
    start = {"action": "start", "name": "june", "mode": "shadow", "candidate": "other"}
    with served(engine(tmp_path / "log"), settings=settings, over_tcp=True) as address:
        with httpx.Client(base_url=address) as anybody:
            assert (
                anybody.get("/v1/rollouts").status_code == anybody.post("/v1/rollouts", json=start).status_code == 401
            )
        with Client(address, key=made["read"]) as reader, Client(address, key=made["approve"]) as approver:
            with pytest.raises(NotAllowed):
                reader.rollout_sync("start", "june", mode="shadow", candidate="other")
            with pytest.raises(NotAllowed):
                approver.rollouts_sync()
            with pytest.raises(NotAllowed):
                approver.rollout_sync("start", "june", mode="shadow", candidate="other", by="somebody else")
            assert approver.rollout_sync("start", "june", mode="shadow", candidate="other").by == "approve-key"
            assert [june.by for june in reader.rollouts_sync()] == ["approve-key"]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"[]", "array"),
        (b'{"action": "start"}', "name"),
        (b'{"action": "abort", "name": "june", "shares": 1}', "shares"),
        (b'{"action": "abort", "name": "june", "name": "july"}', "twice"),
        (b'{"action": "ramp", "name": "june", "share": "5%"}', "share"),
    ],
)
def test_document_that_asks_for_nothing_is_refused(tmp_path: Path, document: bytes, why: str) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            assert await one.rollouts() == ()

    asyncio.run(main())
    with served(engine(tmp_path)) as address:
        transport = httpx.HTTPTransport(uds=address)
        with httpx.Client(transport=transport, base_url="http://localhost") as asking:
            answer = asking.post("/v1/rollouts", content=document, headers={"content-type": "application/json"})
        assert answer.status_code == 400 and why in answer.text
