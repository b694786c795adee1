"""What terms allow where the fields are fixed: by putting the values in place, which is much faster than asking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import z3

from adjudge.authoring.proofs.world import fixed, world_of
from adjudge.expr.nodes import Node
from adjudge.expr.smt.logic import formula, neg
from adjudge.expr.smt.terms import NEAR_MAX, Truth
from adjudge.expr.smt.translate import Translator
from adjudge.expr.smt.world import World
from adjudge.policy import Policy

SECONDS = 20
Answer = bool | None


class Fixing:
    """The conditions of a policy as terms, and which answers they allow for an input."""

    def __init__(self, policy: Policy, nodes: Sequence[Node]) -> None:
        self.policy = policy
        self.world: World
        self.translator: Translator
        self.world, self.translator = world_of(policy)
        self.truths: list[Truth] = [self.translator.truth(node) for node in nodes]

    def allowed(self, values: Mapping[str, object]) -> Iterator[set[Answer]]:
        """Yield for each condition the answers that its term allows; an answer that z3 cannot exclude is allowed."""
        values_of = fixed(self.world, self.policy, values)
        pairs = [pair for prop in values_of for pair in _pairs(prop)]
        far = sorted(self.world.codes.far)
        pairs += [(self.world.codes.far[sign], z3.StringVal(chr(NEAR_MAX + 1 + 9 * at))) for at, sign in enumerate(far)]
        pairs = [(variable, z3.simplify(z3.substitute(value, *pairs))) for variable, value in pairs]
        solver = z3.SimpleSolver()
        solver.set("timeout", 1000 * SECONDS)
        holding = [*self.world.constraints, *values_of]
        for constraint, left in zip(holding, _filled(holding, pairs), strict=True):
            assert left is not False, f"the input is not in the world: {constraint}"
            if left is not True:
                solver.add(left)
        for truth in self.truths:
            props = (truth.true, truth.false, neg(truth.known))
            yield {
                answer
                for answer, prop in zip((True, False, None), _filled(props, pairs), strict=True)
                if prop is True or (prop is not False and solver.check(prop) != z3.unsat)
            }


def _filled(props: Sequence[Any], pairs: list[tuple[Any, Any]]) -> Iterator[Any]:
    """Yield propositions with values in place: put there at once, since making the pairs takes longer than that."""
    whole = z3.substitute(z3.And(*map(formula, props), True, True), *pairs)
    for left in map(z3.simplify, whole.children()[: len(props)]):
        yield True if z3.is_true(left) else False if z3.is_false(left) else left


def _pairs(prop: Any) -> Iterator[tuple[Any, Any]]:
    """Yield which variables a proposition gives a value."""
    if z3.is_and(prop):
        for part in prop.children():
            yield from _pairs(part)
    elif z3.is_not(prop):
        yield from ((variable, z3.BoolVal(False)) for variable, _ in _pairs(prop.arg(0)))
    elif z3.is_eq(prop):
        one, other = prop.children()
        if _is_variable(one):
            yield one, other
    elif _is_variable(prop):
        yield prop, z3.BoolVal(True)


def _is_variable(term: Any) -> bool:
    return bool(z3.is_const(term) and term.decl().kind() == z3.Z3_OP_UNINTERPRETED)
