"""What another policy makes of recorded decisions: the one what-if of `replay --policy` and `compare --log`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from adjudge.audit.bodies import DecisionBody
from adjudge.model import Outcome, SignalStatus, Verdict
from adjudge.plugin import Provider
from adjudge.policy.explaining.scorecard_moves import ScorecardMove, ScorecardMoves, by_totals
from adjudge.policy.policy import Policy
from adjudge.signals.plan import Plan, plan


@dataclass(slots=True)
class Side:
    """One policy on the traffic.

    calls: of providers, by signal. cost: by currency. untold: calls whose answer the log does not hold, so that what
    they would have said is unknown.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    unsettled: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    cost: dict[str, Decimal] = field(default_factory=dict)
    untold: Counter[str] = field(default_factory=Counter)

    @property
    def unsettled_share(self) -> float:
        """The share of decisions that a missing signal could change, 0 to 1."""
        total = self.outcomes.total()
        return self.unsettled / total if total else 0.0

    def share(self, outcome: Outcome) -> float:
        """Return the share of decisions with an outcome, 0 to 1."""
        total = self.outcomes.total()
        return self.outcomes[outcome] / total if total else 0.0


class WhatIf:
    """A policy on recorded decisions: what it would decide, what it would ask and pay for, and why that differs."""

    def __init__(self, policy: Policy, providers: Mapping[str, Provider] | None = None) -> None:
        """Plan. providers: for the prices of calls, by name; where one is missing, no call is counted."""
        self.policy = policy
        self.side = Side()
        used = {signal.provider for signal in policy.typed.signals.values() if signal.provider is not None}
        self._providers = {name: provider for name, provider in (providers or {}).items() if name in used}
        self._plan: Plan | None = plan(policy.typed, self._providers) if used <= self._providers.keys() else None
        self._moves: dict[int, ScorecardMoves] = {}

    @property
    def counts_calls(self) -> bool:
        """Whether what the policy would ask can be told."""
        return self._plan is not None

    def verdict(self, given: Mapping[str, object], at: datetime) -> Verdict:
        """Return what the policy decides on what was given, at a time."""
        return self.policy.evaluate(self.policy.as_taken(given), now=at)

    def buy(self, body: DecisionBody, given: Mapping[str, object]) -> None:
        """Count the calls that the policy would make for a decision, as its plan does, with the answers of the log."""
        if self._plan is None:
            return
        if self._plan.is_eager(body.merchant_biz_id):
            asked = list(self._plan.asked)
        else:
            given = self.policy.as_taken(given)
            known = {name: value for name, value in given.items() if name not in self._plan.asked}
            asked = []
            pending = set(self._plan.asked)
            while following := self._plan.next(self.policy.evaluate(known, now=body.judged_at), pending):
                asked += following
                pending -= set(following)
                known |= {name: given[name] for name in following if name in given}
        for name in asked:
            self.side.calls[name] += 1
            signal = body.signals.get(name)
            if signal is None or signal.status is SignalStatus.SKIPPED:
                self.side.untold[name] += 1
            declared = self.policy.typed.signals[name]
            provider = self._providers[str(declared.provider)]
            if price := provider.price_for(declared.config):
                self.side.cost[provider.currency] = self.side.cost.get(provider.currency, Decimal(0)) + price

    def scorecard_moves(
        self, old: Policy | None, before: Verdict, after: Verdict, given: Mapping[str, object], at: datetime
    ) -> tuple[ScorecardMove, ...]:
        """Return how scorecards moved a decision from another policy's verdict to this one's.

        old: the other policy; None where it is not to be had.
        """
        if before.outcome is after.outcome:
            return ()
        if old is None:
            return by_totals(before, after)
        taken = old.as_taken(given)
        if old.evaluate(taken, now=at).totals != before.totals:  # what was known then is not known now
            return by_totals(before, after)
        moves = self._moves.setdefault(id(old), ScorecardMoves(old, self.policy))  # which keeps it
        return moves.of(taken, self.policy.as_taken(given), now=at)


def rules_moved(old: Verdict, new: Verdict) -> tuple[str, ...]:
    """Return what came into a verdict (`+rule`) and what left it (`-rule`), in doubt (`rule?`), excused, or neither."""
    before, after = _speaking(old), _speaking(new)
    came = (f"+{rule}" for rule in after if rule not in before)
    return (*came, *(f"-{rule}" for rule in before if rule not in after))


def _speaking(verdict: Verdict) -> list[str]:
    """Return the rules that are true or in doubt, each with what becomes of it."""
    counting = [rule for rule in verdict.matched if rule not in verdict.excused]
    doubted = [f"{rule}?" for rule in verdict.unresolved if rule not in verdict.excused]
    return [*counting, *doubted, *(f"{rule} excused" for rule in verdict.excused)]
