"""Asking a solver, and believing only what was proved or what an evaluation confirms."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import z3

from adjudge.authoring.proofs.tries import tries
from adjudge.authoring.proofs.world import Input, fields_of, input_of
from adjudge.expr.nodes import names_in
from adjudge.expr.smt.calls import LOOKED_UP
from adjudge.expr.smt.logic import Prop, conj, disj, formula, neg, reason
from adjudge.expr.smt.terms import Entries, Items, Members, Number, Term, Text, Truth, told_apart
from adjudge.expr.smt.world import World
from adjudge.frozen import frozen
from adjudge.policy.policy import Policy
from adjudge.policy.slots import NOW

MODELS_MAX = 6
"""How many models are looked at before a question is given up as not proved."""


@frozen
class Proved:
    """No input is so. core: of the assumptions, those that the proof needed."""

    core: tuple[int, ...] = ()


@frozen
class Found:
    """An input is so: evaluating it says it. others: the same input in the other worlds that were asked about."""

    input: Input
    others: tuple[Input, ...] = ()


@frozen
class NotProved:
    """Neither: the solver ran out of time, or what it found does not hold when it is evaluated."""

    why: str


ProofResult = Proved | Found | NotProved
Confirm = Callable[..., bool]
"""Takes an input of each world."""


@dataclass(slots=True)
class Inquiry:
    """Asks about policies that share a world.

    timeout_s: for each question. deadline: a moment of `time.monotonic`, after which nothing is asked any more.
    """

    policies: tuple[Policy, ...]
    world: World
    timeout_s: float = 2.0
    deadline: float | None = None
    solver: z3.Solver = field(default_factory=z3.SimpleSolver)
    told: int = 0
    read: Callable[[z3.ModelRef], Input] | None = None
    """How to make an input of a model, where that takes more than the world."""
    tried: tuple[Policy, ...] | None = None
    """Whose fields get other values where the solver can neither prove nor show: all of `policies`, unless given."""
    reads_clock: bool | None = None
    """Whether a condition reads the clock; None before anybody asked."""

    def ask(
        self,
        claim: Prop,
        confirm: Confirm,
        *,
        assuming: tuple[Prop, ...] = (),
        others: tuple[World, ...] = (),
    ) -> ProofResult:
        """Return whether some input makes a claim true. confirm: whether an input does, by evaluation.

        assuming: what must hold besides; a proof names those that it needed.
        others: worlds which differ in some fields, and of which the claim speaks too.
        """
        if claim is False:
            return Proved()
        looked: list[tuple[Input, ...]] = []
        answer = self.asked(claim, confirm, assuming, others, looked)
        if isinstance(answer, NotProved):
            for inputs in tries(
                self.policies if self.tried is None else self.tried,
                looked or [tuple(Input(given={}) for _ in (self.world, *others))],
            ):
                if self.left_s() <= 0:
                    break
                if confirm(*inputs):
                    return Found(inputs[0], inputs[1:])
        return answer

    def asked(
        self,
        claim: Prop,
        confirm: Confirm,
        assuming: tuple[Prop, ...],
        others: tuple[World, ...],
        looked: list[tuple[Input, ...]],
    ) -> ProofResult:
        """Ask the solver until an evaluation confirms what it finds. looked: what it found is added to it."""
        for tried in range(MODELS_MAX):
            answer = self.check(claim, assuming)
            if isinstance(answer, Proved) and tried:
                break  # setting aside a model may have set aside more than the one input
            if not isinstance(answer, z3.ModelRef):
                return answer
            if tried == 0 and self.likely() is not True:  # such an input is more likely to be what its terms say
                usual = self.check(conj(claim, self.likely()), assuming)
                answer = usual if isinstance(usual, z3.ModelRef) else answer
            found = self.read(answer) if self.read is not None else input_of(answer, self.world, *self.policies)
            inputs = (found, *(input_of(answer, world, *self.policies) for world in others))
            if confirm(*inputs):
                return Found(found, inputs[1:])
            looked.append(inputs)
            claim = conj(claim, z3.Not(z3.And(self.same(answer))))
        unsaid = "".join(
            f"; the solver does not take `{text}`: {why}" for text, why in [*self.world.unsaid.items()][:1]
        )
        return NotProved(f"what the solver found does not hold when it is evaluated{unsaid}")

    def likely(self) -> Prop:
        """Return what makes an input more likely to be what its terms say.

        The clock shows a time of these days, where the world has one that conditions read; and lists are short, so that
        no item stands for several.
        """
        moment = self.world.slots.get(NOW)
        if self.reads_clock is None:
            self.reads_clock = any(
                NOW in names_in(*p.typed.variables.values(), *p.typed.conditions) for p in self.policies
            )
        usual: Prop = True
        if self.reads_clock and isinstance(moment, Number):
            first, last = LOOKED_UP
            usual = disj(neg(moment.known), z3.And(moment.value >= first, moment.value < last))
        lists = [term for term in self.world.slots.values() if isinstance(term, Items) and term.whole is not None]
        return conj(usual, *(term.length <= term.whole.plan.items for term in lists if term.whole is not None))

    def never(self, claim: Prop, *assuming: Prop) -> Proved | None:
        """Return the proof that no input makes a claim true; None where some may."""
        answer = self.check(claim, assuming)
        return answer if isinstance(answer, Proved) else None

    def check(self, claim: Prop, assuming: tuple[Prop, ...]) -> z3.ModelRef | Proved | NotProved:
        """Ask the solver once."""
        left = self.left_s()
        if left <= 0:
            return NotProved("no time was left for it")
        self.tell()
        self.solver.set("timeout", int(1000 * left))
        self.solver.push()
        try:
            names = [z3.Bool(f"assumption {at}") for at in range(len(assuming))]
            self.solver.add(formula(claim), *(disj(z3.Not(n), a) for n, a in zip(names, assuming, strict=True)))
            answer = self.solver.check(*names)
            if answer == z3.sat:
                return self.solver.model()
            if answer == z3.unsat:
                core = {name.get_id() for name in self.solver.unsat_core()}
                return Proved(tuple(at for at, name in enumerate(names) if name.get_id() in core))
            return NotProved(f"the solver gave up: {self.solver.reason_unknown()}")
        except z3.Z3Exception as error:
            return NotProved(f"the solver failed: {reason(error)}")
        finally:
            self.solver.pop()

    def left_s(self) -> float:
        """Return the seconds that a question may take."""
        if self.deadline is None:
            return self.timeout_s
        return min(self.timeout_s, self.deadline - time.monotonic())

    def tell(self) -> None:
        """Tell the solver what holds of every input, as far as it was not told."""
        new = self.world.constraints[self.told :]
        self.told = len(self.world.constraints)
        self.solver.add(*(formula(constraint) for constraint in new))

    def same(self, model: z3.ModelRef) -> list[z3.BoolRef]:
        """Return that an input is the one of a model, as far as single values go."""
        props = [z3.BoolVal(True)]
        for policy in self.policies:
            for slot in fields_of(policy.typed):
                term = self.world.slots[slot]
                known = formula(term.known)
                props.append(known == model.eval(known, model_completion=True))
                props += [part == model.eval(part, model_completion=True) for part in _variables(term)]
        return props


def _variables(term: Term) -> list[z3.ExprRef]:
    match term:
        case Members():
            return [formula(there) for there in term.of.values()]
        case Truth():
            return [formula(term.true)]
        case Number() | Text() if not isinstance(term.value, str):
            return [term.value]
        case Entries(of=of, is_closed=True):
            return _parts(of.values())
        case Items(length=length):
            return [*([] if length is None else [length]), *_parts(told_apart(term))]
    return []


def _parts(parts: Iterable[tuple[Prop, Term]]) -> list[z3.ExprRef]:
    """Return the variables of what a value holds, each there or not."""
    return [one for there, term in parts for one in (formula(there), formula(term.known), *_variables(term))]
