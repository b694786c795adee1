"""Engines with reviews, and what tests ask of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adjudge.audit.trail import KEY_FILE, AuditTrail
from adjudge.engine import Engine
from adjudge.model import Request
from adjudge.registry import Registry, parse_policy
from adjudge.reviews.settings import ReviewSettings

REGISTRY = Registry()
POLICY = parse_policy(
    """
{policy_language: 1, policy: onboarding, inputs: {score: int, mail: {type: string, personal: true}, expires: timestamp},
 signals: {device: {fields: {level: int}}},
 rules: [{id: high, when: score > 50, then: review}, {id: fraud, when: score > 90, then: reject, confirm: person},
         {id: over, when: 'expires < now', then: review},
         {id: risky, when: device.level > 5, then: review}]}
""",
    registry=REGISTRY,
)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        """Move it on."""
        self.now += timedelta(**by)


def engine(log: Path | None, clock: Callable[[], datetime] | None = None, **parts: Any) -> Engine:
    """Return an engine that is not open yet."""
    if log is not None and not (log / KEY_FILE).exists():
        log.mkdir(exist_ok=True)
        (log / KEY_FILE).write_bytes(b"k" * 32)
    trail = AuditTrail.open(log, durability="flush") if log is not None else None
    settings = parts.pop("reviews", ReviewSettings())
    given = {"clock": clock} if clock is not None else {}
    return Engine([POLICY], **{"registry": REGISTRY, "trail": trail, "reviews": settings, **given, **parts})


def request(n: int, score: int = 60, **parts: Any) -> Request:
    """Return a request of its own id."""
    inputs = {"score": score, "mail": f"m{n}@example.com", "expires": datetime(2026, 3, 2, tzinfo=UTC)}
    signals = {"device": {"level": 1}}
    return Request(**{"merchant_biz_id": f"{n:032d}", "scene_code": "a", "inputs": inputs, "signals": signals, **parts})
