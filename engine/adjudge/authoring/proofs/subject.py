"""A policy under proof: its world, its verdict, and evaluations that are remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from adjudge.authoring.proofs.advice import advice
from adjudge.authoring.proofs.contributions import contributions
from adjudge.authoring.proofs.finding import ProofFinding, Witness
from adjudge.authoring.proofs.inquiry import Found, Inquiry, NotProved, ProofResult
from adjudge.authoring.proofs.shrink import shrunk
from adjudge.authoring.proofs.verdict import Verdicts, verdicts_of
from adjudge.authoring.proofs.world import Input, fields_of, world_of
from adjudge.expr.nodes import Node
from adjudge.expr.smt.logic import Prop, conj, neg
from adjudge.expr.smt.terms import Opaque, Term
from adjudge.expr.smt.translate import Translator
from adjudge.expr.smt.world import World
from adjudge.model import Outcome, Verdict
from adjudge.policy.policy import Policy
from adjudge.source import Span


@dataclass(slots=True)
class ProvedPolicy:
    """What is asked about.

    card: the policy with its scorecard only.
    clean: an input of which everything is known, and which passes; None where there is none.
    seen: inputs that were looked at, with their verdicts: they may answer other questions too.
    """

    policy: Policy
    world: World
    translator: Translator
    verdicts: Verdicts
    inquiry: Inquiry
    card: Policy
    clean: Input | None = None
    seen: list[tuple[Input, Verdict]] = field(default_factory=list)

    def verdict(self, found: Input) -> Verdict:
        """Return what the engine says."""
        return self.policy.evaluate(found.given, now=found.now)

    def look(self, found: Input) -> Verdict:
        """Return what the engine says, and keep the input: it may answer another question too."""
        verdict = self.verdict(found)
        self.seen.append((found, verdict))
        return verdict

    def ask(self, claim: Prop, holds: Callable[[Verdict], bool], *, assuming: tuple[Prop, ...] = ()) -> ProofResult:
        """Return whether some input makes a claim true; `holds` says it of an input's verdict."""
        for found, verdict in self.seen:
            if holds(verdict):
                return Found(found)

        def confirm(found: Input) -> bool:
            return holds(self.look(found))

        return self.inquiry.ask(claim, confirm, assuming=assuming)

    def witness(self, about: str, found: Input, holds: Callable[[Verdict], bool]) -> Witness:
        """Return a small input of which the same can be said."""
        small = shrunk(found, lambda smaller: holds(self.verdict(smaller)))
        return Witness(about=about, input=small, outcome=str(self.verdict(small).outcome))

    def outcome_without(self, at: int, found: Input) -> Outcome:
        """Return the outcome of an input as if one rule were not there."""
        others = contributions(self.policy, found)
        others.pop(self.policy.typed.rules[at].id, None)
        return max(*others.values(), self.card.evaluate(found.given, now=found.now).outcome, Outcome.PASS)

    def reads(self, node: Node) -> frozenset[str]:
        """Return the slots that a condition reads."""
        return self.policy.typed.reads.slots(node)

    def changed(self, slots: Mapping[str, Term], name: str) -> tuple[World, Verdicts]:
        """Return a world in which some slots are other terms and all the rest is as it was, and the verdict there.

        name: of the world, a new one.
        """
        world = replace(self.world, slots={**self.world.slots, **slots}, name=name)  # the constraints are shared
        touched = frozenset(slots)
        before = self.translator
        translator = Translator(world, before.variables, before.lists, before.functions)
        translator.shapes = before.shapes
        translator.made = {at: made for at, made in before.made.items() if not self.reads(made[0]) & touched}
        typed = self.policy.typed
        same = [at for at, rule in enumerate(typed.rules) if not self.reads(rule.condition) & touched]
        return world, verdicts_of(typed, translator, self.verdicts, same)


def not_proved(policy: Policy, question: str, about: str, what: str, answer: NotProved, span: Span) -> ProofFinding:
    """Return the finding that a question has no answer. about: the rule, field or row that it is about."""
    change = advice(policy, about) or "give it more time with --timeout, or simplify the condition"
    return ProofFinding(
        code="not-proved",
        severity="warning",
        message=f"not proved: {what} ({answer.why})",
        spans=(span,),
        name=f"{question}:{about}",
        hint=f"{change}; or accept it with `--allow {question}:{about}`",
    )


def subject_of(policy: Policy, *, timeout_s: float, total_s: float) -> ProvedPolicy:
    """Prepare a policy for questions. timeout_s: for each. total_s: for all together."""
    world, translator = world_of(policy)
    verdicts = verdicts_of(policy.typed, translator)
    inquiry = Inquiry((policy,), world, timeout_s, time.monotonic() + total_s)
    card = Policy(replace(policy.typed, rules=()), policy.functions)
    subject = ProvedPolicy(policy, world, translator, verdicts, inquiry, card)
    quiet = conj(*(truth.false for truth in verdicts.rules), *(truth.known for truth in verdicts.rows))
    known = conj(*(term.known for term in world.slots.values() if not isinstance(term, Opaque)))
    still = conj(*(truth.false for truth in verdicts.rows))
    for rows in (still, True):  # the fewer points it has, the more can be tried with it
        clean = subject.ask(conj(quiet, known, rows, neg(verdicts.card.review)), _is_clean)
        if isinstance(clean, Found):
            subject.clean = clean.input
            break
    return subject


def _is_clean(verdict: Verdict) -> bool:
    return verdict.settled and verdict.outcome is Outcome.PASS and not verdict.unresolved


def slots_of(policy: Policy, slot: str) -> tuple[str, ...]:
    """Return a field's slots: its own, and those of a map's keys."""
    _, declared = fields_of(policy.typed)[slot]
    return (slot, *(f"{slot}.{key}" for key in declared.vocabulary or () if f"{slot}.{key}" in policy.typed.slots))


def span_of(subject: ProvedPolicy, slot: str) -> Span:
    """Return where a field is first read, or else where the policy begins."""
    typed = subject.policy.typed
    return next((rule.span for rule in typed.rules if slot in subject.reads(rule.condition)), Span(0, 0))
