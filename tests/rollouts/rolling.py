"""Engines that take part in rollouts, and what tests ask of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adjudge.audit.trail import KEY_FILE, AuditTrail
from adjudge.engine import Engine
from adjudge.model import Decision, Request
from adjudge.policy.policy import Policy
from adjudge.registry import Registry, parse_policy
from adjudge.rollouts.guard_rails import GuardRails
from adjudge.rollouts.settings import RolloutSettings

NEVER_S = 3600.0
"""Seconds between two looks of an engine that is told by the test when to look."""
REGISTRY = Registry()
_POLICY = """
{policy_language: 1, policy: onboarding, inputs: {score: int, note: string},
 signals: {device: {fields: {level: int}}},
 rules: [{id: high, when: score > LIMIT, then: OUTCOME}, {id: risky, when: device.level > 5, then: review}]}
"""


def version(limit: int, outcome: str = "reject", **changes: str) -> Policy:
    """Return a version of the policy. changes: texts in place of others."""
    text = _POLICY.replace("LIMIT", str(limit)).replace("OUTCOME", outcome)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return parse_policy(text, registry=REGISTRY)


CHAMPION, STRICTER, LAXER = version(70), version(20), version(90)


def engine(
    log: Path | None,
    policies: Sequence[Policy] = (CHAMPION,),
    *,
    candidates: dict[str, Policy] | None = None,
    rails: GuardRails | None = None,
    **parts: Any,
) -> Engine:
    """Return an engine that is not open yet; it looks at rollouts when `Ticking.tick` is called."""
    settings = RolloutSettings(
        candidates={"stricter": STRICTER, "laxer": LAXER} if candidates is None else candidates,
        rails=rails or GuardRails(limits={}),
        look_every_s=NEVER_S,
        tally_every_s=0.0,
    )
    if log is not None and not (log / KEY_FILE).exists():
        (log / KEY_FILE).write_bytes(b"k" * 32)  # the same ids are in each time
    trail = AuditTrail.open(log, durability="flush") if log is not None else None
    return Engine(policies, **{"registry": REGISTRY, "trail": trail, "rollouts": settings, **parts})


def request(n: int, score: int | None = None, **parts: Any) -> Request:
    """Return a request of its own id."""
    inputs = {"score": n % 100 if score is None else score}
    signals = {"device": {"level": 1}}
    return Request(**{"merchant_biz_id": f"{n:032d}", "scene_code": "a", "inputs": inputs, "signals": signals, **parts})


async def decided(engine: Engine, numbers: range, **parts: Any) -> list[Decision]:
    """Decide requests, one after another."""
    return [await engine.decide(request(n, **parts)) for n in numbers]


async def tick(engine: Engine) -> None:
    """Have an engine look at rollouts now."""
    assert engine._ticking is not None
    await engine._ticking.tick()


def arms(decisions: Sequence[Decision]) -> list[str | None]:
    """Return the arms of decisions."""
    return [one.arm.name if one.arm is not None else None for one in decisions]
