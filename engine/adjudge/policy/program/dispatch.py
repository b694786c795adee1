"""Policies of thousands of rows: the value of one field says which of them can be true at all.

The rows are put into groups by that field, each with a program of its own, which is compiled when it is first wanted. A
value that is unknown, or not exactly what its declaration takes, goes to the program of all rows. A rule that is left
out is false, whatever else is known, so that the verdict is the same to the letter.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from adjudge.expr.nodes import Binary, Literal, Logic, Name, Node
from adjudge.frozen import frozen
from adjudge.model import Verdict
from adjudge.policy.otherwise import asked_of, none_of
from adjudge.policy.program.index import members
from adjudge.policy.typed import Rule, TypedPolicy
from adjudge.values.fields import Field
from adjudge.values.types import DOUBLE, INT, EnumType, is_text

RULES_MIN = 1000
"""A policy of fewer rules is decided by one program."""
GROUP = 1024
"""About how many rows a group has."""
Program = Callable[..., Verdict]
Subset = Callable[[TypedPolicy], Program]


@frozen
class Grouping:
    """Rows in groups by a field. group_of: a value's group; None where the value is not plainly one of the field.

    texts: groups of texts that are looked up first. groups: the rules that can be true in each, by their number in the
    policy.
    """

    path: tuple[str, ...]
    texts: Mapping[str, int]
    group_of: Callable[[object], int | None]
    groups: Sequence[Sequence[int]]

    @property
    def size(self) -> int:
        """How many rules the largest group has."""
        return max(map(len, self.groups))


def dispatched(policy: TypedPolicy, compile_: Subset) -> Program:
    """Return a program that asks only the rules which a request's own value leaves open.

    compile_: makes the program of a policy's rules, or of a part of them.
    """
    grouping = _best(policy) if len(policy.rules) >= RULES_MIN else None
    if grouping is None:
        return compile_(policy)
    group_of, groups = grouping.group_of, grouping.groups
    owner, key = grouping.path if len(grouping.path) > 1 else ("", *grouping.path)
    everything = len(groups)
    programs: list[Program | None] = [None] * (everything + 1)

    def made(number: int) -> Program:
        part = _part(policy, groups[number]) if number < everything else None
        program = programs[number] = compile_(policy) if part is None else dispatched(part, compile_)
        return program

    get = grouping.texts.get

    def evaluate(given: Mapping[str, object], *, now: datetime | None = None) -> Verdict:
        part: Any = given if not owner else given.get(owner) if type(given) is dict else None
        value = part.get(key) if type(part) is dict else None
        number = get(value) if type(value) is str else None
        if number is None:
            number = group_of(value)
            if number is None:
                number = everything
        return (programs[number] or made(number))(given, now=now)

    return evaluate


def _part(policy: TypedPolicy, numbers: Sequence[int]) -> TypedPolicy:
    rules = tuple(policy.rules[number] for number in numbers)
    if any(rule.otherwise for rule in rules):
        rules = tuple(_of_these(policy, rule, rules) if rule.otherwise else rule for rule in rules)
    part = replace(policy, rules=rules)
    part.__dict__["reads"] = policy.reads  # which knows these conditions already
    return part


def _of_these(policy: TypedPolicy, rule: Rule, rules: Sequence[Rule]) -> Rule:
    """Return the `else` of a table over those of its rows that are left; it reads what it read."""
    before, here = ({id(other.condition) for other in some} for some in (policy.rules, rules))
    rows = asked_of(rule)
    if not all(id(node) in before for node in rows):
        return rule
    left = none_of([node for node in rows if id(node) in here])
    policy.reads.take(left, rule.condition)
    return replace(rule, condition=left)


def _best(policy: TypedPolicy) -> Grouping | None:
    """Return the grouping with the smallest groups, if they are at most half of all."""
    slots = [name for name in policy.slots if name in policy.parts and len(policy.parts[name].path) <= 2]
    found = [one for name in slots if (one := _grouping(policy, name)) is not None]
    best = min(found, key=lambda one: one.size, default=None)
    return best if best is not None and best.size <= len(policy.rules) // 2 else None


def _grouping(policy: TypedPolicy, slot: str) -> Grouping | None:
    part, declared = policy.parts[slot], policy.slots[slot]
    if part.key is not None or part.novel or declared.left_out is not None:
        return None
    if is_text(declared.type):
        return _by_text(policy, slot, part.path, declared)
    return _by_number(policy, slot, part.path, declared) if declared.type in (INT, DOUBLE) else None


def _conjuncts(rule: Rule) -> Sequence[Node]:
    node = rule.condition
    return node.operands if isinstance(node, Logic) and node.operator == "&&" else (node,)


def _by_text(policy: TypedPolicy, slot: str, path: tuple[str, ...], declared: Field) -> Grouping | None:
    rows: dict[object, list[int]] = {}
    always: list[int] = []
    for number, rule in enumerate(policy.rules):
        asked = [found for node in _conjuncts(rule) if (found := members(node, slot, policy.constants)) is not None]
        if not asked:
            always.append(number)
        for value in frozenset.intersection(*asked) if asked else ():
            rows.setdefault(value, []).append(number)
    if not rows:
        return None
    groups: list[list[int]] = [always]  # of every other value
    numbers: dict[object, int] = {}
    for value, of in rows.items():
        if len(groups) == 1 or len(groups[-1]) - len(always) + len(of) > GROUP:
            groups.append(list(always))
        groups[-1] = groups[-1] + of
        numbers[value] = len(groups) - 1
    if isinstance(declared.type, EnumType):
        texts = {word: numbers.get(word, 0) for word in declared.type.values}
    else:
        texts = {text: number for text, number in numbers.items() if isinstance(text, str) and _is_plain(text)}
    is_open = not isinstance(declared.type, EnumType)

    def group_of(value: object) -> int | None:
        return texts.get(value, 0) if is_open and type(value) is str and _is_plain(value) else None

    return Grouping(path, texts, group_of, [sorted(set(group)) for group in groups])


def _is_plain(text: str) -> bool:
    """Whether a text is taken as it is, without being composed or looked through."""
    return text.isascii() and text.isprintable()


def _by_number(policy: TypedPolicy, slot: str, path: tuple[str, ...], declared: Field) -> Grouping | None:
    bounds = [_interval(rule, slot) for rule in policy.rules]
    starts = sorted(low for low, high in bounds if low > -math.inf or high < math.inf)
    cuts = sorted(set(starts[:: max(1, GROUP // 2)]))
    if len(cuts) < 2:
        return None
    ends = [-math.inf, *cuts, math.inf]
    groups = [
        [number for number, (low, high) in enumerate(bounds) if low <= ends[at + 1] and high >= ends[at]]
        for at in range(len(cuts) + 1)
    ]
    plain = float if declared.type == DOUBLE else int
    lowest: Any = -math.inf if declared.minimum is None else declared.minimum
    highest: Any = math.inf if declared.maximum is None else declared.maximum

    def group_of(value: object) -> int | None:
        if type(value) is not plain or not lowest <= value <= highest:
            return None
        return bisect_right(cuts, value)

    return Grouping(path, {}, group_of, groups)


def _interval(rule: Rule, slot: str) -> tuple[float, float]:
    """Return between which numbers a rule can be true, ends included."""
    low, high = -math.inf, math.inf
    for sign, bound in _comparisons(_conjuncts(rule), slot):
        if sign in (">", ">=", "=="):
            low = max(low, bound)
        if sign in ("<", "<=", "=="):
            high = min(high, bound)
    return low, high


def _comparisons(nodes: Sequence[Node], slot: str) -> Iterator[tuple[str, float]]:
    for node in nodes:
        match node:
            case Binary(operator=sign, left=Name(name=name), right=Literal(value=int() | float() as bound)):
                if name == slot and not isinstance(bound, bool):
                    yield sign, bound
