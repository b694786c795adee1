"""What can be said of tables without a solver: rows that never matter, rows that disagree, and keys that no row has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice, product
from math import prod
from typing import Any

from adjudge.authoring.proofs.boxes import PAIRS_MAX, Among, Box, both, box_of, pairs, sample, within
from adjudge.authoring.proofs.finding import ProofFinding, Witness
from adjudge.authoring.proofs.world import Input, put_all
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.policy import Policy
from adjudge.policy.slots import NOW
from adjudge.policy.typed import Rule
from adjudge.values.types import BOOL, EnumType

ROWS_ASKED_MAX = 200
"""A policy with more rows than this is proved without them; their questions are settled here, row against row."""
TOLD_MAX = 20
"""So many findings of a kind are told of one table."""
COMBINATIONS_MAX = 1_000_000
_SHOWN = 3
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@frozen
class _Table:
    name: str
    rules: Sequence[Rule]
    boxes: Sequence[Box]


def rows_of_tables(policy: Policy) -> int:
    """Return how many rules of a policy are rows."""
    return sum(rule.origin == "table" for rule in policy.typed.rules)


def table_findings(policy: Policy, *, alone: bool) -> Iterator[ProofFinding]:
    """Yield what is found in each table, each with an input that shows it.

    alone: nobody else asks whether a row can be true, and whether it matters.
    """
    complete = {rule.id.partition(":")[0] for rule in policy.typed.rules if rule.otherwise}
    for whole in _tables(policy):
        if alone:
            yield from _never_true(whole)
        true = [(rule, box) for rule, box in zip(whole.rules, whole.boxes, strict=True) if not _is_empty(box)]
        if not true:
            continue
        table = _Table(whole.name, [rule for rule, _ in true], [box for _, box in true])
        yield from _met(policy, table, alone=alone)
        if table.name not in complete:
            yield from _uncovered(policy, table)


def _tables(policy: Policy) -> Iterator[_Table]:
    rows: dict[str, list[tuple[Rule, Box]]] = {}
    for rule in policy.typed.rules:
        if rule.otherwise:
            continue
        box = box_of(rule, policy.typed) if rule.origin == "table" else None
        if box is not None:
            rows.setdefault(rule.id.partition(":")[0], []).append((rule, box))
    for name, found in rows.items():
        yield _Table(name, [rule for rule, _ in found], [box for _, box in found])


def _is_empty(box: Box) -> bool:
    return any(side.is_empty for side in box.values())


def _never_true(table: _Table) -> Iterator[ProofFinding]:
    for rule, box in zip(table.rules, table.boxes, strict=True):
        if _is_empty(box):
            yield ProofFinding(
                code="never-true",
                severity="warning",
                message=f"no input makes `{rule.id}` true",
                spans=(rule.span,),
                rules=(rule.id,),
                hint="its cells contradict each other",
            )


def _met(policy: Policy, table: _Table, *, alone: bool) -> Iterator[ProofFinding]:
    """Yield rows that another covers, and rows that meet another of another outcome."""
    shadowed: dict[int, int] = {}
    apart: list[tuple[int, int]] = []
    for number, (first, second) in enumerate(pairs(table.boxes)):
        if number >= PAIRS_MAX:
            yield ProofFinding(
                code="not-proved",
                severity="warning",
                message=f"not proved: whether all rows of `{table.name}` matter (they meet in too many pairs)",
                spans=(table.rules[0].span,),
                hint="give the rows a column that tells them apart",
            )
            return
        if alone:
            for one, other in ((second, first), (first, second)):
                if one not in shadowed and shadowed.get(other) != one and _covers(table, other, one):
                    shadowed[one] = other
                    break
        if table.rules[first].outcome != table.rules[second].outcome:
            apart.append((first, second))
    for one, other in islice(sorted(shadowed.items()), TOLD_MAX):
        yield _shadowed(policy, table, one, other)
    if len(shadowed) > TOLD_MAX:
        yield _more("shadowed", "warning", table, len(shadowed) - TOLD_MAX, "never matter")
    told = 0
    for first, second in apart:
        if first in shadowed or second in shadowed:
            continue
        finding = _overlap(policy, table, first, second)
        if finding is not None:
            told += 1
            if told <= TOLD_MAX:
                yield finding
    if told > TOLD_MAX:
        yield _more("overlap", "note", table, told - TOLD_MAX, "meet one of another outcome")


def _covers(table: _Table, other: int, one: int) -> bool:
    """Whether wherever a row is true, or in doubt, another of the same worth or worse is too, and asks all it asks."""
    a, b = table.rules[one], table.rules[other]
    if not set(a.ask) <= set(b.ask) or (a.outcome is Outcome.REJECT and b.confirm and not a.confirm):
        return False
    return b.outcome >= a.outcome and a.when_unknown == b.when_unknown and within(table.boxes[one], table.boxes[other])


def _more(code: str, severity: Any, table: _Table, count: int, what: str) -> ProofFinding:
    return ProofFinding(
        code=code,
        severity=severity,
        message=f"{count:,} more rows of `{table.name}` {what}",
        spans=(table.rules[0].span,),
        hint="mend those above first",
    )


def _shadowed(policy: Policy, table: _Table, one: int, other: int) -> ProofFinding:
    rule, by = table.rules[one], table.rules[other]
    return ProofFinding(
        code="shadowed",
        severity="warning",
        message=f"`{rule.id}` never matters: whenever it is true, `{by.id}` gives an outcome at least as severe",
        spans=(rule.span, by.span),
        rules=(rule.id, by.id),
        witnesses=_witness(policy, table.boxes[one], rule, by),
        hint="delete it, or make it more severe, or narrow what covers it; its reason code is still reported",
    )


def _overlap(policy: Policy, table: _Table, first: int, second: int) -> ProofFinding | None:
    box = both(table.boxes[first], table.boxes[second])
    if box is None:
        return None
    a, b = table.rules[first], table.rules[second]
    witnesses = _witness(policy, box, a, b)
    if not witnesses:
        return None
    worse, milder = (a, b) if a.outcome > b.outcome else (b, a)
    return ProofFinding(
        code="overlap",
        severity="note",
        message=f"`{milder.id}` meets `{worse.id}`: where both are true, it is {worse.outcome}, not {milder.outcome}",
        spans=(milder.span, worse.span),
        rules=(milder.id, worse.id),
        witnesses=witnesses,
        hint="if that is not meant, narrow one of the two rows",
    )


def _witness(policy: Policy, box: Box, *rules: Rule) -> tuple[Witness, ...]:
    """Return an input of which all these rules are true, as the engine says; none where it was not found."""
    found = sample(
        box, policy.typed, _NOW if any(NOW in policy.typed.reads.slots(r.condition) for r in rules) else None
    )
    if found is None:
        return ()
    values, now = found
    given = put_all({}, values, policy.typed)
    verdict = policy.evaluate(given, now=now)
    if not all(rule.id in verdict.matched for rule in rules):
        return ()
    return (Witness(about="with", input=Input(given=given, now=now), outcome=str(verdict.outcome)),)


def _uncovered(policy: Policy, table: _Table) -> Iterator[ProofFinding]:
    """Yield the combinations of a table's key columns that no row names, where all their values are known."""
    slots = policy.typed.slots
    keys: dict[str, tuple[Any, ...]] = {}
    for name in dict.fromkeys(name for box in table.boxes for name in box):
        declared = slots.get(name)
        if declared is not None and isinstance(declared.type, EnumType):
            keys[name] = declared.type.values
        elif declared is not None and declared.type == BOOL:
            keys[name] = (False, True)
    size = prod(map(len, keys.values()))
    if not keys or size > COMBINATIONS_MAX:
        return
    covered: set[tuple[Any, ...]] = set()
    for box in table.boxes:
        choices = [_chosen(box.get(name), words) for name, words in keys.items()]
        if prod(map(len, choices)) == size or len(covered) == size:
            return
        covered.update(product(*choices))
    missing = size - len(covered)
    if not missing:
        return
    shown = list(islice((one for one in product(*keys.values()) if one not in covered), _SHOWN))
    named = "; ".join(
        ", ".join(f"{name} {_said(value)}" for name, value in zip(keys, one, strict=True)) for one in shown
    )
    rest = f" and {missing - len(shown):,} more" if missing > len(shown) else ""
    given = put_all({}, dict(zip(keys, shown[0], strict=True)), policy.typed)
    witness = Witness(about="with", input=Input(given=given), outcome=str(policy.evaluate(given).outcome))
    what = "value" if len(keys) == 1 else "combination"
    yield ProofFinding(
        code="uncovered",
        severity="note",
        message=f"no row of `{table.name}` has {'this' if missing == 1 else 'these'} {what}{'s'[: missing > 1]}: "
        f"{named}{rest}",
        spans=(table.rules[0].span,),
        witnesses=(witness,),
        hint="such requests pass this table; add rows, or `else`, if that is not meant",
    )


def _chosen(side: object, words: tuple[Any, ...]) -> Sequence[Any]:
    if not isinstance(side, Among):
        return words
    return [word for word in words if (word in side.values) is not side.negated]


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
