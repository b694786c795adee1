"""Whether an input lies in a region, by what is printed of it and the reference interpreter alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from adjudge.authoring.comparison.regions import Comparison, Region
from adjudge.expr.check import Environment, check
from adjudge.expr.parse import parse
from adjudge.expr.reference import Unknown, evaluate
from adjudge.policy.typed import SCORECARD
from adjudge.source import Source
from adjudge.values.types import BOOL, STRING, ListType
from policy.judge import truths


def lies_in(comparison: Comparison, region: Region, given: Mapping[str, object], now: datetime | None) -> bool:
    """Return whether a region's condition is as it says: true, or unknown."""
    if region.cause.partition(":")[0] == SCORECARD:
        return True
    policy = comparison.new if region.is_new else comparison.old
    typed = policy.typed
    names = {slot: field.type for slot, field in typed.slots.items()}
    names |= {name: node.type for name, node in typed.variables.items() if node.type is not None}
    names |= {f"lists.{name}": ListType(STRING) for name in typed.lists}
    source = Source("region", region.condition.removeprefix("unknown: "))
    tree, errors = check(parse(source.whole()), Environment(names, rates=typed.rates), source=source, expect=BOOL)
    assert tree is not None, errors
    answer = evaluate(tree, truths(policy, given, now)[0])
    return isinstance(answer, Unknown) if region.in_doubt else answer is True
