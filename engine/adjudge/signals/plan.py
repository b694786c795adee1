"""What to ask next, and when another answer could change nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from decimal import Decimal

from adjudge.expr.nodes import Has, walk
from adjudge.frozen import frozen
from adjudge.model import Verdict
from adjudge.plugin import Provider
from adjudge.policy.slots import source_of
from adjudge.policy.typed import TypedPolicy

SETTLED = "the verdict is settled without it"
UNREAD = "no rule that is still open reads it"


@frozen
class Plan:
    """How the signals of a policy are asked for.

    asked: names of the signals that have a provider, cheapest first. free: those of them that cost nothing.
    always: those of them whose being known is itself asked about by `has()`: they can change what seems settled.
    """

    asked: tuple[str, ...]
    free: frozenset[str]
    always: frozenset[str]
    thrifty: bool
    explore: float

    def next(self, verdict: Verdict, pending: Collection[str]) -> tuple[str, ...]:
        """Return the signals to ask now, given the verdict on what is known; none when nothing could change it.

        What costs nothing is asked together, what is billed one at a time.
        """
        wanted = [name for name in self.asked if name in pending and name in self.always]
        if not wanted and not verdict.settled:
            wanted = [name for name in self.asked if name in pending and name in verdict.missing]
        return tuple(name for name in wanted if name in self.free) or tuple(wanted[:1])

    def is_eager(self, merchant_biz_id: str) -> bool:
        """Whether everything is asked at once: by the policy, or for the share of requests that explores.

        The share is chosen by a hash of the MerchantBizId, so that a replay chooses the same.
        """
        if not self.thrifty:
            return True
        drawn = int.from_bytes(hashlib.sha256(merchant_biz_id.encode()).digest()[:8], "big") / 2**64
        return drawn < self.explore


def plan(policy: TypedPolicy, providers: Mapping[str, Provider], prices: Mapping[str, Decimal] | None = None) -> Plan:
    """Lay out a policy's signals by price, then by typical latency. prices: by signal, in place of their providers'."""
    asked = [(signal, providers[signal.provider]) for signal in policy.signals.values() if signal.provider is not None]
    price = {signal.name: provider.price_for(signal.config) for signal, provider in asked} | dict(prices or {})
    asked.sort(key=lambda pair: (price[pair[0].name], pair[1].latency_s, pair[0].name))
    return Plan(
        asked=tuple(signal.name for signal, _ in asked),
        free=frozenset(signal.name for signal, _ in asked if not price[signal.name]),
        always=frozenset(_asked_about(policy)),
        thrifty=policy.gather == "thrifty",
        explore=policy.explore,
    )


def _asked_about(policy: TypedPolicy) -> set[str]:
    """Return the signals that stand inside a `has()` of any condition, through variables too."""
    return {
        source_of(slot)
        for part in walk(*policy.variables.values(), *policy.conditions)
        if isinstance(part, Has)
        for slot in policy.reads.slots(part.operand)
    }
