"""Every shape of an expression under every operator, as terms: what the reference answers, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from random import Random

import pytest

from adjudge.errors import PolicyErrors
from adjudge.expr import work
from adjudge.expr.reference import Unknown, evaluate
from adjudge.policy import parse_policy
from depth import first_measured
from expr.shapes import HEAD, NOW, conditions, given, rules

z3 = pytest.importorskip("z3", reason="needs the extra `proofs`")

from expr.fixing import Fixing  # noqa: E402

PARTS = 16
MACRO = re.compile(r"\.(all|exists|exists_one|filter|map)\(")
ANY_ORDER = "keyed.map("
"""The keys of a map come in the order in which they were sent: where one stands, the terms leave open."""


@cache
def texts() -> tuple[str, ...]:
    """Return the conditions that load; some ask a vocabulary for what it does not hold."""
    every = tuple(conditions())
    try:
        parse_policy(rules(every))
    except PolicyErrors as errors:
        refused = {error.line - HEAD.count("\n") - 2 for error in errors.errors}
        return tuple(text for at, text in enumerate(every) if at not in refused)
    return every


def test_nearly_every_condition_loads() -> None:
    assert len(texts()) > 1200


@pytest.mark.parametrize("part", first_measured(range(PARTS)))
def test_terms_say_what_the_reference_says_and_nothing_else(part: int) -> None:
    hold(texts()[part::PARTS], part)


@pytest.mark.parametrize("bound", first_measured([10, 30, 60, 120, 250]))
def test_terms_give_up_at_the_same_work_as_the_reference(bound: int, monkeypatch: pytest.MonkeyPatch) -> None:
    macros = [text for text in texts() if MACRO.search(text)]  # those that load with the bound as it is
    monkeypatch.setattr(work, "WORK_MAX", bound)
    hold(macros[bound % 4 :: 4], bound)


def hold(asked: Sequence[str], seed: int) -> None:
    """Hold conditions' terms to the reference: each allows its answer, and no other where all items are told apart."""
    policy = parse_policy(rules(asked))
    nodes = [rule.condition for rule in policy.typed.rules]
    fixing = Fixing(policy, nodes)
    assert not fixing.world.unsaid
    random = Random(seed)
    for _ in range(2):
        values = dict(policy.read(given(random), now=NOW).values)
        everything = {**values, "lists.known": policy.typed.lists["known"]}
        long = any(isinstance(value, tuple) and len(value) > 3 for value in values.values())
        for text, node, answers in zip(asked, nodes, fixing.allowed(values), strict=True):
            expected = evaluate(node, everything)
            answer = None if isinstance(expected, Unknown) else expected
            assert answer in answers, (text, values, answer, answers)
            assert len(answers) == 1 or long or ANY_ORDER in text, (text, values, answers)


@pytest.mark.parametrize("part", first_measured(range(PARTS)))
def test_what_z3_finds_for_a_condition_the_reference_confirms(part: int) -> None:
    from adjudge.authoring.proofs.world import input_of, world_of

    asked = texts()[part :: PARTS * 4]
    policy = parse_policy(rules(asked))
    world, translator = world_of(policy)
    solver = z3.SimpleSolver()
    solver.set("rlimit", 100_000)
    truths = [translator.truth(rule.condition) for rule in policy.typed.rules]
    short = [term.length <= 3 for term in world.slots.values() if hasattr(term, "length")]
    solver.add(*(constraint for constraint in world.constraints if not isinstance(constraint, bool)), *short)
    for text, rule, truth in zip(asked, policy.typed.rules, truths, strict=True):
        for wanted, prop in ((True, truth.true), (False, truth.false)):
            if isinstance(prop, bool) or solver.check(prop) != z3.sat:
                continue
            found = input_of(solver.model(), world, policy)
            values = dict(policy.read(found.given, now=found.now).values)
            answer = evaluate(rule.condition, {**values, "lists.known": policy.typed.lists["known"]})
            assert answer is wanted or "x" in text or "keyed" in text, (text, found, wanted, answer)
