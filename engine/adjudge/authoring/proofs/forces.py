"""Which fields can force an outcome alone, with everything else unknown."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from adjudge.authoring.proofs.finding import ProofFinding, Witness
from adjudge.authoring.proofs.guesses import guesses
from adjudge.authoring.proofs.inquiry import Found, NotProved
from adjudge.authoring.proofs.subject import ProvedPolicy, not_proved, slots_of, span_of
from adjudge.authoring.proofs.verdict import verdicts_of
from adjudge.authoring.proofs.world import Input, fields_of, put, put_all, value_at
from adjudge.expr.smt.logic import any_of
from adjudge.expr.smt.translate import Translator
from adjudge.expr.smt.world import known_where
from adjudge.frozen import frozen
from adjudge.model import Outcome, Verdict
from adjudge.policy.slots import NOW


@frozen(kw_only=True)
class Force:
    """A field whose value alone makes the outcome at least as severe as this, whatever else comes. witness: how."""

    field: str
    outcome: Outcome
    witness: Witness


def forces(subject: ProvedPolicy) -> tuple[tuple[Force, ...], tuple[ProofFinding, ...]]:
    """Return for each field the most severe outcome that it can force alone, and which such questions are open."""
    found: list[Force] = []
    open_: list[ProofFinding] = []
    typed = subject.policy.typed
    for slot in fields_of(typed):
        if typed.parts[slot].novel:
            continue  # it is known together with its field only
        news = typed.news_of(slot)
        kept = frozenset((*slots_of(subject.policy, slot), *((news,) if news is not None else ())))
        for outcome in (Outcome.REJECT, Outcome.REVIEW):
            witness = _alone(subject, kept, slot, outcome)
            if isinstance(witness, Witness):
                found.append(Force(field=slot, outcome=outcome, witness=witness))
                break
            if witness is not None:
                what = f"whether `{slot}` alone can force {outcome}"
                open_.append(not_proved(subject.policy, "force", slot, what, witness, span_of(subject, slot)))
    return tuple(found), tuple(open_)


def _alone(subject: ProvedPolicy, kept: frozenset[str], slot: str, outcome: Outcome) -> Witness | NotProved | None:
    """Return an input of one field that is enough for an outcome; None where there is none."""
    fields = fields_of(subject.policy.typed)
    holds = partial(_forced, outcome)

    def only(found: Input) -> Input:
        given: dict[str, object] = {}
        for path in (fields[one][0] for one in fields if one in kept):
            value = value_at(found.given, path)
            given = put(given, path, value) if value is not None else given
        return Input(given=given, now=found.now if slot == NOW else None)

    typed = subject.policy.typed
    rules = [rule for rule in typed.rules if rule.outcome >= outcome and subject.reads(rule.condition) & kept]
    for rule in rules:
        for guess in guesses(rule.condition, typed):
            one = Input(given=put_all({}, guess, typed), now=None)
            if holds(subject.verdict(only(one))):
                return subject.witness("alone", only(one), holds)
    slots = {slot: term if slot in kept else known_where(term, False) for slot, term in subject.world.slots.items()}
    before = subject.translator
    alone = Translator(
        replace(subject.world, slots=slots, name=f"only {slot} "), before.variables, before.lists, before.functions
    )
    if typed.excuses or any(subject.reads(row.condition) & kept for row in typed.rows):
        claim = verdicts_of(typed, alone).lower.of(outcome)
    else:
        claim = any_of(alone.truth(rule.condition).true for rule in rules)  # mostly False already, without a solver
    answer = subject.inquiry.ask(claim, lambda one: holds(subject.verdict(only(one))))
    if isinstance(answer, Found):
        return subject.witness("alone", only(answer.input), holds)
    return answer if isinstance(answer, NotProved) else None


def _forced(outcome: Outcome, verdict: Verdict) -> bool:
    return verdict.lower >= outcome
