"""Tables of many rows in backtests: the rows of one outcome are one rule there, which the engine's own program answers.

A column for each of 10,000 rules is more than a database can plan. What such a rule is, true, false or unknown, is what
its rows are together, so that every verdict stays the same; what a report counts is the table's rows of an outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from adjudge.expr.nodes import Logic, Node, Unary
from adjudge.model import Outcome
from adjudge.policy.asked import answering
from adjudge.policy.policy import Policy
from adjudge.policy.typed import Rule
from adjudge.values.types import BOOL

ROWS_MAX = 500
"""A table of more rows is counted as a whole."""


def collapsed(policy: Policy) -> Policy:
    """Return a policy with the same verdicts, in which each large table has one rule for an outcome.

    Rows with another `when_unknown`, or whose doubt may be worth something else, have a rule of their own kind.
    """
    typed = policy.typed
    sizes: dict[str, int] = {}
    for rule in typed.rules:
        if rule.origin == "table":
            name = rule.id.partition(":")[0]
            sizes[name] = sizes.get(name, 0) + 1
    large = {name for name, size in sizes.items() if size > ROWS_MAX}
    if not large:
        return policy
    rules: list[Rule] = []
    groups: dict[tuple[str, Outcome, Outcome | None, frozenset[str], tuple[str, ...], bool], list[Rule]] = {}
    for rule in typed.rules:
        name = rule.id.partition(":")[0]
        if rule.origin != "table" or name not in large:
            rules.append(rule)
            continue
        reads = typed.reads.slots(rule.condition)
        worths: frozenset[str] = (
            frozenset() if all(typed.worth_of(slot) == typed.when_unknown for slot in reads) else reads
        )
        excused = tuple(excuse.id for excuse in typed.excuses if rule.id in excuse.covers)
        groups.setdefault((name, rule.outcome, rule.when_unknown, worths, excused, rule.otherwise), []).append(rule)
    covers = {excuse.id: set(excuse.covers) for excuse in typed.excuses}
    names: dict[str, int] = {}
    for (name, outcome, _, _, excused, is_else), rows in groups.items():
        rule_id = rows[0].id if is_else else f"{name}:{outcome}"
        names[rule_id] = names.get(rule_id, 0) + 1
        rule_id += f":{names[rule_id]}" if names[rule_id] > 1 else ""
        conditions = tuple(row.condition for row in rows)
        together = Logic(operator="||", operands=conditions, span=rows[0].span, type=BOOL)
        condition: Node = together if len(conditions) > 1 else conditions[0]
        rules.append(replace(rows[0], id=rule_id, condition=condition, starts=None, ends=None, description=""))
        for one in excused:
            covers[one].add(rule_id)
    excuses = tuple(replace(excuse, covers=frozenset(covers[excuse.id])) for excuse in typed.excuses)
    return Policy(replace(typed, rules=tuple(rules), excuses=excuses), policy.functions)


def is_together(node: Node) -> bool:
    """Whether a condition is that of many rows, or that none of them is true."""
    node = node.operand if isinstance(node, Unary) else node
    return isinstance(node, Logic) and node.operator == "||" and len(node.operands) > ROWS_MAX


def asked_together(policy: Policy, node: Node) -> Callable[[Mapping[str, object]], object]:
    """Return a condition of many rows as a function of slots: the program finds the few rows that can be true."""
    is_none = isinstance(node, Unary)
    together = node.operand if isinstance(node, Unary) else node
    assert isinstance(together, Logic)
    typed = policy.typed
    parts = [typed.parts[slot] for slot in typed.reads.slots(node)]
    if any(part.key is not None or part.novel for part in parts):  # what such a slot is hangs on its field as a whole
        return answering(policy, node)
    like = next(rule for rule in typed.rules if rule.condition is node)
    rules = tuple(
        replace(like, id=f"row-{at}", condition=one, otherwise=False) for at, one in enumerate(together.operands)
    )
    rows = Policy(replace(typed, rules=rules, scorecards={}, excuses=()), policy.functions)

    def answer(slots: Mapping[str, object]) -> bool | None:
        given: dict[str, Any] = {}
        now: Any = None
        for slot, value in slots.items():
            if slot == "now":
                now = value
                continue
            *owners, last = typed.path_of(slot)
            part = given
            for owner in owners:
                part = part.setdefault(owner, {})
            part[last] = value
        verdict = rows.evaluate(rows.as_taken(given), now=now)
        return not is_none if verdict.matched else None if verdict.unresolved else is_none

    return answer
