"""Rules that two policies share: with thousands of them, only what differs is asked about, and what may hide it.

An outcome is the most severe one that some rule makes of an input. So where a rule is the same in both policies, it can
hide a difference between them, and never makes one: whatever is proved without it holds with it. A difference that is
found without it may be hidden; then the rules that hide it are asked about too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from adjudge.authoring.proofs.contributions import contributions
from adjudge.authoring.proofs.world import Input
from adjudge.expr.nodes import Node
from adjudge.model import Outcome
from adjudge.policy.policy import Policy
from adjudge.policy.typed import Rule, TypedPolicy

SHARED_MIN = 200
"""Of fewer rules that both have, all are asked about at once."""
ADDED_MAX = 20
"""So many rules that hide one input are added at a time."""


def shared_rules(old: TypedPolicy, new: TypedPolicy, means_same: Callable[[Node], bool]) -> tuple[Rule, ...]:
    """Return the old policy's rules of which the new one has the same, under any id; none where they are few.

    means_same: whether a condition of the old policy means the same in the new one.
    """
    if old.when_unknown != new.when_unknown or min(len(old.rules), len(new.rules)) < SHARED_MIN:
        return ()
    if any(signal.when_unknown != new.signals[name].when_unknown
           for name, signal in old.signals.items() if name in new.signals):  # fmt: skip
        return ()
    there = Counter(_says(rule) for rule in _never_excused(new))
    found = []
    for rule in _never_excused(old):
        if there[_says(rule)] and means_same(rule.condition):
            there[_says(rule)] -= 1
            found.append(rule)
    return tuple(found) if len(found) >= SHARED_MIN else ()


def without(policy: TypedPolicy, shared: Iterable[Rule]) -> TypedPolicy:
    """Return a policy without its rules that are shared."""
    left = Counter(map(_says, shared))
    gone = set()
    for rule in _never_excused(policy):
        if left[_says(rule)]:
            left[_says(rule)] -= 1
            gone.add(rule.id)
    return replace(policy, rules=tuple(rule for rule in policy.rules if rule.id not in gone)) if gone else policy


def _never_excused(policy: TypedPolicy) -> Iterator[Rule]:
    excused = {name for excuse in policy.excuses for name in excuse.covers}
    return (rule for rule in policy.rules if rule.id not in excused)


def _says(rule: Rule) -> tuple[object, ...]:
    return rule.condition, rule.outcome, rule.when_unknown


def hiding(common: Policy, found: Iterable[Input], level: Outcome) -> list[Rule]:
    """Return some of the shared rules that make at least an outcome of inputs. common: the policy of them alone."""
    hidden: set[str] = set()
    for one in found:
        made = contributions(common, one)
        names = [name for name, outcome in made.items() if outcome >= level and name not in hidden]
        hidden.update(names[:ADDED_MAX])
    return [rule for rule in common.typed.rules if rule.id in hidden]
