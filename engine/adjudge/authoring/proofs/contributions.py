"""What each rule alone makes of one input's outcome, by evaluation."""

from __future__ import annotations

from collections.abc import Iterable

from adjudge.authoring.proofs.world import Input
from adjudge.model import Outcome
from adjudge.policy.policy import Policy
from adjudge.policy.typed import TypedPolicy


def contributions(policy: Policy, found: Input) -> dict[str, Outcome]:
    """Return the outcomes of the rules that are true or in doubt: in doubt, what the doubt is worth."""
    typed = policy.typed
    verdict = policy.evaluate(found.given, now=found.now)
    matched, unresolved = set(verdict.matched), set(verdict.unresolved)
    values = policy.read(found.given, now=found.now).values if unresolved else {}
    outcomes = {}
    for rule in typed.rules:
        if rule.id in matched:
            outcomes[rule.id] = rule.outcome
        elif rule.id in unresolved:
            slots = typed.reads.slots(rule.condition)
            lost = {slot.partition(".")[0] for slot in slots if values.get(slot) is None}
            outcomes[rule.id] = min(rule.outcome, rule.when_unknown or doubt(typed, lost))
    return outcomes


def doubt(typed: TypedPolicy, lost: Iterable[str]) -> Outcome:
    """Return what doubt is worth where some inputs and signals are unknown."""
    signals = [typed.signals.get(owner) for owner in lost]
    owns = [signal.when_unknown if signal is not None else None for signal in signals]
    return max((own or typed.when_unknown for own in owns), default=typed.when_unknown)
