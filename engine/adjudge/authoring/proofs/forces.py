"""Which fields can force an outcome alone, with everything else unknown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from adjudge.authoring.proofs.finding import Witness
from adjudge.authoring.proofs.inquiry import Found
from adjudge.authoring.proofs.subject import Subject, slots_of
from adjudge.authoring.proofs.world import fields_of
from adjudge.expr.smt.world import known_where
from adjudge.model import Outcome, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Force:
    """A field whose value alone makes the outcome at least as severe as this, whatever else comes. witness: how."""

    field: str
    outcome: Outcome
    witness: Witness


def forces(subject: Subject) -> tuple[Force, ...]:
    """Return for each field the most severe outcome that it can force alone; fields that force nothing are left out."""
    found = []
    for slot in fields_of(subject.policy.typed):
        kept = set(slots_of(subject.policy, slot))
        others = {other: known_where(term, False) for other, term in subject.world.slots.items() if other not in kept}
        if not any(subject.reads(rule.condition) & kept for rule in subject.policy.typed.rules):
            continue
        world, alone = subject.changed(others, f"only {slot} ")
        for outcome in (Outcome.REJECT, Outcome.REVIEW):
            holds = partial(_forced, outcome)
            answer = subject.inquiry.ask(
                alone.lower.of(outcome), lambda _, one, holds=holds: holds(subject.verdict(one)), others=(world,)
            )
            if isinstance(answer, Found):
                witness = subject.witness("alone", answer.others[0], holds)
                found.append(Force(field=slot, outcome=outcome, witness=witness))
                break
    return tuple(found)


def _forced(outcome: Outcome, verdict: Verdict) -> bool:
    return verdict.lower >= outcome
