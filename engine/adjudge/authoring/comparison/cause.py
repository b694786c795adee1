"""A rule that makes a difference, in words: when it does, and what was changed about it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from adjudge.expr.nodes import Binary, Call, Literal, Logic, Name, Node, Unary, list_of, names_in, walk
from adjudge.expr.operators import FLIPPED, NEGATED
from adjudge.expr.printing import unparse
from adjudge.model import Outcome
from adjudge.policy.slots import source_of
from adjudge.policy.typed import Excuse, Rule, Scorecard, TypedPolicy


def twin_of(rule: Rule, other: TypedPolicy) -> Rule | None:
    """Return the rule of the other policy that has the same id."""
    return next((one for one in other.rules if one.id == rule.id), None)


def condition_of(rule: Rule, other: TypedPolicy, *, in_doubt: bool) -> str:
    """Return when a rule makes a difference: where it holds, and its twin, if that would make the same, does not.

    A twin that may be unknown there, and have that waived, is left out: it need not be false.
    """
    text = unparse(rule.condition)
    if in_doubt:
        return f"unknown: {text}"
    twin = twin_of(rule, other)
    if twin is None or twin.condition == rule.condition or twin.outcome < rule.outcome:
        return text
    if _least_doubt(twin, other) < rule.outcome and not _is_same_bound(twin.condition, rule.condition):
        return text
    own = _conjuncts(rule.condition)
    rest = [part for part in _conjuncts(twin.condition) if part not in own] or _conjuncts(twin.condition)
    return unparse(Logic(operator="&&", operands=(*own, _negated(rest))))


def reasons_of_change(
    rule: Rule, old: TypedPolicy, new: TypedPolicy, changed: Collection[str], *, in_doubt: bool
) -> Iterator[str]:
    """Yield what a rule reads, directly or not, that means something else now. changed: as `Change.rule` names it."""
    names = _names_read(rule.condition, {**old.variables, **new.variables})
    yield from (what for what in _parts_read(names) if what in changed)
    owners = dict.fromkeys(map(source_of, names))
    yield from (what for what in (f"signal {owner}" for owner in owners if in_doubt) if what in changed)
    if in_doubt and rule.when_unknown is None and "when_unknown" in changed:
        yield "when_unknown"


def excuses_of(rule: Rule | Scorecard, policy: TypedPolicy) -> Iterator[Excuse]:
    """Yield the excuses of a policy that are for a rule, or for a scorecard's band of review."""
    for excuse in policy.excuses:
        if rule.name in excuse.cards if isinstance(rule, Scorecard) else rule.id in excuse.covers:
            yield excuse


def excuses_changed(
    rule: Rule | Scorecard, old: TypedPolicy, new: TypedPolicy, changed: Collection[str]
) -> Iterator[str]:
    """Yield the excuses of a rule, or of a scorecard, that came, went, or mean something else now.

    None for one that is in one policy only: that alone makes the difference. changed: as `Change.rule` names it.
    """
    if not all(_has(policy, rule) for policy in (old, new)):
        return
    variables = {**old.variables, **new.variables}
    for excuse in {one.id: one for policy in (old, new) for one in excuses_of(rule, policy)}.values():
        reads = _parts_read(_names_read(excuse.condition, variables))
        is_for_both = all(excuse.id in {one.id for one in excuses_of(rule, policy)} for policy in (old, new))
        if f"excuse {excuse.id}" in changed or not is_for_both or any(what in changed for what in reads):
            yield f"excuse {excuse.id}"


def _has(policy: TypedPolicy, rule: Rule | Scorecard) -> bool:
    return rule.name in policy.scorecards if isinstance(rule, Scorecard) else twin_of(rule, policy) is not None


def _parts_read(names: Collection[str]) -> Iterator[str]:
    """Yield the parts of a policy that some names are of, as `Change.rule` names them."""
    yield from (f"variable {name}" for name in names)
    yield from (f"list {name}" for name in map(list_of, names) if name is not None)
    yield from (f"input {name}" for name in names)
    yield from (f"field {name}" for name in names)


def _names_read(node: Node, variables: Mapping[str, Node]) -> dict[str, None]:
    found = names_in(node)
    ahead = list(found)
    for name in ahead:  # which grows
        further = [other for other in names_in(variables[name]) if other not in found] if name in variables else []
        found |= dict.fromkeys(further)
        ahead += further
    return found


def _least_doubt(rule: Rule, policy: TypedPolicy) -> Outcome:
    """Return the least that doubt about a rule may be worth."""
    if rule.when_unknown is not None:
        return rule.when_unknown
    return min(policy.when_unknown, *map(policy.worth_of, policy.reads.slots(rule.condition)), policy.when_unknown)


def _is_same_bound(one: Node, other: Node) -> bool:
    """Return whether both compare one field with constants: where the one is known, the other is."""
    match one, other:
        case Binary(left=Name(name=a), right=low), Binary(left=Name(name=b), right=high):
            return a == b and all(isinstance(part, Literal | Call) for bound in (low, high) for part in walk(bound))
    return False


def _conjuncts(node: Node) -> tuple[Node, ...]:
    """Return the conditions that must all hold for a condition to hold."""
    if isinstance(node, Logic) and node.operator == "&&":
        return tuple(part for operand in node.operands for part in _conjuncts(operand))
    return (node,)


def _negated(conjuncts: Sequence[Node]) -> Node:
    """Return that some conditions do not all hold."""
    if len(conjuncts) > 1:
        return Unary(operator="!", operand=Logic(operator="&&", operands=tuple(conjuncts)))
    match conjuncts[0]:
        case Binary(operator=operator) as node if operator in FLIPPED:
            return replace(node, operator=NEGATED[operator])
        case Unary(operator="!", operand=operand):
            return operand
        case node:
            return Unary(operator="!", operand=node)
