"""Every shape of an expression under every operator, as terms: what the reference answers, and nothing else."""

from __future__ import annotations

import re
from functools import cache
from random import Random

import pytest

from adjudge.errors import PolicyErrors
from adjudge.expr.reference import Unknown, evaluate
from adjudge.policy import parse_policy
from expr.shapes import HEAD, NOW, conditions, given, rules

z3 = pytest.importorskip("z3", reason="needs the extra `proofs`")

from expr.fixing import Fixing  # noqa: E402

PARTS = 16
MACRO = re.compile(r"\.(all|exists|exists_one|filter|map)\(")
"""Where the terms may leave open whether the engine gives up on the work."""
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


@pytest.mark.parametrize("part", range(PARTS))
def test_terms_say_what_the_reference_says_and_nothing_else(part: int) -> None:
    # A macro over a sum may be too much work or not, and z3 takes minutes and gigabytes to tell: only sound there.
    asked = [text for text in texts()[part::PARTS] if not (MACRO.search(text) and " + " in text)]
    policy = parse_policy(rules(asked))
    nodes = [rule.condition for rule in policy.typed.rules]
    fixing = Fixing(policy, nodes)
    assert not fixing.world.unsaid
    random = Random(part)
    for _ in range(2):
        values = dict(policy.read(given(random), now=NOW).values)
        everything = {**values, "lists.known": policy.typed.lists["known"]}
        long = any(isinstance(value, tuple) and len(value) > 3 for value in values.values())
        for text, node, answers in zip(asked, nodes, fixing.allowed(values), strict=True):
            expected = evaluate(node, everything)
            answer = None if isinstance(expected, Unknown) else expected
            assert answer in answers, (text, values, answer, answers)
            in_doubt = answers == {answer, None} and MACRO.search(text)  # it may be more work than is allowed
            assert len(answers) == 1 or long or ANY_ORDER in text or in_doubt, (text, values, answers)


@pytest.mark.parametrize("part", range(PARTS))
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
