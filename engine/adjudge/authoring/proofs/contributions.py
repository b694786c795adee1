"""What each rule alone makes of one input's outcome, by evaluation."""

from __future__ import annotations

from adjudge.authoring.proofs.world import Input
from adjudge.model import Outcome
from adjudge.policy.policy import Policy


def contributions(policy: Policy, found: Input) -> dict[str, Outcome]:
    """Return the outcomes of the rules that count: of those that are in doubt, what the doubt is worth."""
    typed = policy.typed
    verdict = policy.evaluate(found.given, now=found.now)
    excused = frozenset(verdict.excused)
    matched, unresolved = set(verdict.matched) - excused, set(verdict.unresolved) - excused
    values = policy.read(found.given, now=found.now).values if unresolved else {}
    outcomes = {}
    for rule in typed.rules:
        if rule.id in matched:
            outcomes[rule.id] = rule.outcome
        elif rule.id in unresolved:
            slots = typed.reads.slots(rule.condition)
            worths = (typed.worth_of(slot) for slot in slots if values.get(slot) is None)
            doubt = rule.when_unknown if rule.when_unknown is not None else max(worths, default=typed.when_unknown)
            outcomes[rule.id] = min(rule.outcome, doubt)
    return outcomes
