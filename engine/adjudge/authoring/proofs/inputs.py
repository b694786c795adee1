"""Inputs of one policy that make a condition true, false or unknown, or lead to an outcome or a band."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

from adjudge.authoring.proofs.inquiry import Found
from adjudge.authoring.proofs.subject import ProvedPolicy, subject_of
from adjudge.authoring.proofs.verdict import AtLeast, exactly
from adjudge.authoring.proofs.world import Input, fields_of, is_value
from adjudge.expr.nodes import Node
from adjudge.expr.smt.logic import Prop, conj, neg
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.policy import Policy
from adjudge.policy.slots import NOW

TruthValue = Literal["true", "false", "unknown"]
Confirm = Callable[[Input], bool]


@frozen
class InputSearch:
    """A search for inputs. base: what an input shall differ from as little as its purpose allows."""

    subject: ProvedPolicy
    base: Input

    @classmethod
    def of(cls, policy: Policy, given: Mapping[str, object], now: datetime | None, *, total_s: float) -> InputSearch:
        """Prepare a search. given, now: the base. total_s: for all inputs together."""
        return cls(subject_of(policy, timeout_s=2.0, total_s=total_s), Input(given=given, now=now))

    def where(self, condition: Node, truth: TruthValue, confirm: Confirm) -> Input | None:
        """Return an input that `confirm` confirms, and of which a condition is true, false or unknown."""
        term = self.subject.translator.truth(condition)
        claim = {"true": term.true, "false": term.false, "unknown": neg(term.known)}[truth]
        as_base = self.as_base(self.subject.reads(condition))
        return self.found(conj(claim, as_base), confirm) or self.found(claim, confirm)

    def outcome(self, outcome: Outcome, confirm: Confirm) -> Input | None:
        """Return an input with an outcome."""
        return self.reached(self.subject.verdicts.outcome, outcome, confirm)

    def band(self, scorecard: str, outcome: Outcome, confirm: Confirm) -> Input | None:
        """Return an input whose total lies in a band of a scorecard."""
        return self.reached(self.subject.verdicts.totals[scorecard], outcome, confirm)

    def reached(self, verdict: AtLeast, outcome: Outcome, confirm: Confirm) -> Input | None:
        """Return an input with an outcome of a part of the verdict; with as few unknown fields as may be."""
        claim, known = exactly(verdict, outcome), conj(*(term.known for term in self.subject.world.slots.values()))
        return self.found(conj(claim, known), confirm) or self.found(claim, confirm)

    def found(self, claim: Prop, confirm: Confirm) -> Input | None:
        """Return an input of which a claim is true, if one is found."""
        answer = self.subject.inquiry.ask(claim, confirm)
        return answer.input if isinstance(answer, Found) else None

    def as_base(self, but: frozenset[str]) -> Prop:
        """Return that what a condition does not read is as the base has it."""
        policy, world = self.subject.policy, self.subject.world
        values = policy.read(self.base.given, now=self.base.now).values
        fields = {slot: declared for slot, (_, declared) in fields_of(policy.typed).items()}
        wholes = {str(policy.typed.parts[slot].whole) for slot in but if slot != NOW}
        return conj(
            *(
                is_value(world.slots[slot], values.get(slot), declared, world)
                for slot, declared in fields.items()
                if slot not in but and str(policy.typed.parts[slot].whole) not in wholes
            )
        )
