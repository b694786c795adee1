"""Logs for the tests of comparisons: decided by a real engine, with providers whose calls are counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from adjudge.audit.trail import AuditTrail
from adjudge.engine import Engine
from adjudge.errors import SignalFailed
from adjudge.model import Decision, Request
from adjudge.plugin import Context, Limits, Provider
from adjudge.policy import Policy
from adjudge.registry import Registry, parse_policy
from adjudge.testing import FakeClock, fake_provider, registry_of

SCORE: Mapping[str, object] = {"score": {"type": "double", "range": [0, 100]}}
CHEAP, DEAR = Decimal("0.01"), Decimal("0.10")
POLICY = """policy_language: 1
policy: shop
inputs:
  country: string
  email: {type: string, personal: true}
signals:
  cheap: {provider: acme.cheap}
  dear: {provider: acme.dear}
gather: thrifty
rules:
  - {id: bad-country, when: 'country == "KP"', then: reject}
  - {id: bad-mail, when: 'email.endsWith("@bad")', then: review}
  - {id: strong, when: cheap.score >= 50 && dear.score >= 90, then: reject}
"""


@dataclass
class Shop:
    """An engine's surroundings. answers: by MerchantBizId, of `cheap` and of `dear`; None is a failure."""

    answers: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def registry(self) -> Registry:
        """Return the two providers."""
        return registry_of([self.provider("acme.cheap", 0, CHEAP), self.provider("acme.dear", 1, DEAR)])

    def providers(self) -> Mapping[str, Provider]:
        """Return the two providers by name."""
        return self.registry().catalogue().providers

    def provider(self, name: str, at: int, price: Decimal) -> Provider:
        """Return a provider that answers as it was told."""

        def answer(context: Context) -> Mapping[str, object]:
            self.asked.append((context.request.merchant_biz_id, context.signal))
            score = self.answers[context.request.merchant_biz_id][at]
            if score is None:
                raise SignalFailed("no answer", status="error")
            return {"score": score}

        return fake_provider(name, SCORE, answer, price=price, limits=Limits(breaker_failures=None))

    def policy(self, text: str) -> Policy:
        """Return a policy that may name the providers."""
        return parse_policy(text, registry=self.registry())

    def decide(
        self, log: Path, requests: Iterable[tuple[Mapping[str, Any], float | None, float | None]], text: str = POLICY
    ) -> list[Decision]:
        """Decide requests with a log, twelve hours apart: inputs, and what `cheap` and `dear` would answer."""
        clock, registry = FakeClock(), self.registry()
        decisions = []
        policy = parse_policy(text, registry=registry)
        with capture_logs(), Engine([policy], registry=registry, trail=AuditTrail.open(log), clock=clock) as engine:
            for inputs, cheap, dear in requests:
                biz_id = f"{len(self.answers) + 1:032x}"
                self.answers[biz_id] = (cheap, dear)
                request = Request(merchant_biz_id=biz_id, scene_code="s", inputs=inputs)
                decisions.append(engine.decide_sync(request))
                clock.advance(12 * 3600)
        return decisions
