"""Rules that never fire, never matter, or cannot but fire."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from adjudge.authoring.proofs.finding import ProofFinding
from adjudge.authoring.proofs.guesses import guesses
from adjudge.authoring.proofs.inquiry import NotProved, Proved
from adjudge.authoring.proofs.subject import ProvedPolicy, not_proved
from adjudge.authoring.proofs.verdict import AtLeast, worst
from adjudge.authoring.proofs.world import Input, put_all, value_at
from adjudge.expr.smt.logic import Prop, conj, disj, neg
from adjudge.model import Outcome, Verdict
from adjudge.policy.slots import NOW
from adjudge.policy.typed import Rule

COVERING_MAX = 8
"""Of so many rules that cover one it is tried to leave out each."""


def dead_rules(subject: ProvedPolicy) -> Iterator[ProofFinding]:
    """Find rules that no input makes true, and rules that no input makes false."""
    for rule, truth in zip(subject.policy.typed.rules, subject.verdicts.rules, strict=True):
        if rule.only_doubts:
            continue
        _plant(subject, rule)
        fires = subject.ask(truth.true, partial(_is_true, rule.id))
        if isinstance(fires, Proved):
            yield ProofFinding(
                code="never-true",
                severity="warning",
                message=f"no input makes `{rule.id}` true",
                spans=(rule.span, rule.condition.span),
                rules=(rule.id,),
                hint="its parts contradict each other, or the range of a field leaves nothing over",
            )
            continue
        if isinstance(fires, NotProved):
            yield not_proved(
                subject.policy, "never-true", rule.id, f"whether `{rule.id}` can be true", fires, rule.span
            )
        rests = subject.ask(truth.false, partial(_is_false, rule.id))
        if isinstance(rests, Proved):
            yield ProofFinding(
                code="always-true",
                severity="warning",
                message=f"no input makes `{rule.id}` false: it is true wherever what it reads is known",
                spans=(rule.span, rule.condition.span),
                rules=(rule.id,),
                hint=f"every request would be {rule.outcome}; compare with the range of the field",
            )
        elif isinstance(rests, NotProved):
            yield not_proved(
                subject.policy, "always-true", rule.id, f"whether `{rule.id}` can be false", rests, rule.span
            )


def _plant(subject: ProvedPolicy, rule: Rule) -> None:
    """Look at inputs that may show a rule true, and nothing else: guesses, put into one that passes."""
    if subject.clean is None:
        return
    for guess in guesses(rule.condition, subject.policy.typed):
        given = put_all(subject.clean.given, guess, subject.policy.typed)
        moment = guess.get(NOW, subject.clean.now)
        subject.look(Input(given=given, now=moment if isinstance(moment, datetime) else None))


def _is_true(rule: str, verdict: Verdict) -> bool:
    return rule in verdict.matched


def _is_false(rule: str, verdict: Verdict) -> bool:
    return rule not in verdict.matched and rule not in verdict.unresolved


def shadowed_rules(subject: ProvedPolicy, dead: frozenset[str]) -> Iterator[ProofFinding]:
    """Find rules without which every decision would be the same, and what covers them. dead: rules that never fire.

    A decision is the same where its outcome is, what it asks for, and whether a person has to confirm it.
    """
    verdicts = subject.verdicts
    others = _others([*verdicts.parts, verdicts.card])
    for at, rule in enumerate(subject.policy.typed.rules):
        if rule.id in dead or _decides_alone(subject, rule) or _decides_transplanted(subject, rule):
            continue
        part, rest = verdicts.parts[at], others[at]
        matters = disj(conj(part.reject, neg(rest.reject)), conj(part.review, neg(rest.review)))
        answer = subject.inquiry.ask(matters, partial(_matters, subject, at))
        if isinstance(answer, Proved) and (_asks_more(subject, at, rest) or _is_confirmed_otherwise(subject, at)):
            continue
        if isinstance(answer, Proved):
            yield _shadowed(rule, _covering(subject, at), _cards(subject))
        elif isinstance(answer, NotProved):
            yield not_proved(
                subject.policy, "shadowed", rule.id, f"whether `{rule.id}` ever matters", answer, rule.span
            )


def _asks_more(subject: ProvedPolicy, at: int, rest: AtLeast) -> bool:
    """Whether a rule may ask for a step that no other rule asks for in its place. rest: what the others make.

    It asks for nothing where its outcome is not the one that was decided.
    """
    rules = subject.policy.typed.rules
    return not all(
        _speaks_beside(subject, at, [n for n, other in enumerate(rules) if n != at and step in other.ask], rest)
        for step in rules[at].ask
    )


def _is_confirmed_otherwise(subject: ProvedPolicy, at: int) -> bool:
    """Whether without a rule a person may have to confirm a reject that is final with it, or the reverse."""
    typed = subject.policy.typed
    rule = typed.rules[at]
    if rule.outcome is not Outcome.REJECT or not typed.confirms:
        return False
    alike = [n for n, other in enumerate(typed.rules) if n != at and (rule.confirm or not other.confirm)]
    return not _speaks_beside(subject, at, [n for n in alike if typed.rules[n].outcome is Outcome.REJECT], None)


def _speaks_beside(subject: ProvedPolicy, at: int, peers: list[int], rest: AtLeast | None) -> bool:
    """Whether it is proved that wherever a rule decides, for certain or in doubt, one of some others does too.

    rest: what all others make; a rule whose review they make a reject does not decide. None where only rejects count.
    """
    verdicts = subject.verdicts

    def certain(n: int) -> Prop:
        return conj(verdicts.rules[n].true, verdicts.excusing[n].false)

    outcome = subject.policy.typed.rules[at].outcome
    for level in (Outcome.REVIEW, Outcome.REJECT):
        if level is Outcome.REVIEW and rest is None:
            continue
        louder = rest.reject if rest is not None and level is Outcome.REVIEW else False
        in_doubt = conj(verdicts.parts[at].of(level), neg(certain(at)))
        claims = [(in_doubt, [verdicts.parts[n].of(level) for n in peers])]
        if level is outcome:
            claims.append((certain(at), [certain(n) for n in peers]))
        for claim, others in claims:
            if subject.inquiry.never(conj(claim, neg(louder), *map(neg, others))) is None:
                return False
    return True


def _decides_alone(subject: ProvedPolicy, rule: Rule) -> bool:
    """Whether an input that was looked at shows that a rule matters: nothing is in doubt, and all else is softer."""
    return any(
        rule.id in verdict.matched
        and not verdict.excused
        and verdict.settled
        and not verdict.unresolved
        and verdict.outcome is rule.outcome
        and _others_outcome(subject, rule, verdict) < rule.outcome
        for _, verdict in subject.seen
    )


def _decides_transplanted(subject: ProvedPolicy, rule: Rule) -> bool:
    """Whether it shows once what a rule reads is taken from an input that made it true into one that passes."""
    firing = next((found for found, verdict in subject.seen if rule.id in verdict.matched), None)
    if firing is None or subject.clean is None:
        return False
    typed = subject.policy.typed
    values = {slot: value_at(firing.given, typed.path_of(slot)) for slot in sorted(subject.reads(rule.condition))}
    known = {slot: value for slot, value in values.items() if value is not None}
    subject.look(Input(given=put_all(subject.clean.given, known, typed), now=firing.now or subject.clean.now))
    return _decides_alone(subject, rule)


def _others_outcome(subject: ProvedPolicy, rule: Rule, verdict: Verdict) -> Outcome:
    """Return what a verdict without doubt would be without one of its rules."""
    matched = set(verdict.matched) - {rule.id}
    outcomes = [other.outcome for other in subject.policy.typed.rules if other.id in matched]
    cards = subject.policy.typed.scorecards
    outcomes += [cards[name].outcome_of(high) for name, (_, high) in verdict.totals.items()]
    return max(outcomes, default=Outcome.PASS)


def _matters(subject: ProvedPolicy, at: int, found: Input) -> bool:
    """Whether the outcome of an input is another without a rule."""
    return subject.look(found).outcome != subject.outcome_without(at, found)


def _others(parts: list[AtLeast]) -> list[AtLeast]:
    """Return for each part the worst of all others, without pairing each with each."""
    before, after = [AtLeast(False, False)], [AtLeast(False, False)]
    for part in parts:
        before.append(worst([before[-1], part]))
    for part in reversed(parts):
        after.append(worst([after[-1], part]))
    after.reverse()
    return [worst([before[at], after[at + 1]]) for at in range(len(parts))]


def _covering(subject: ProvedPolicy, at: int) -> list[Rule | None]:
    """Return rules which are as severe wherever one is: those that the proof needed; None is the scorecards.

    Looked for first among the rules that read the same fields, which are few.
    """
    rules = subject.policy.typed.rules
    read = subject.reads(rules[at].condition)
    near = [n for n, rule in enumerate(rules) if n != at and subject.reads(rule.condition) & read]
    everything = [n for n in range(len(rules)) if n != at]
    needed = _needed(subject, at, near)
    needed = needed if needed is not None else _needed(subject, at, everything)
    return [rules[n] if n is not None else None for n in needed or ()]


def _needed(subject: ProvedPolicy, at: int, among: list[int]) -> list[int | None] | None:
    """Return those of some rules that a proof needs to cover one; None where they do not."""
    needed: list[int | None] = []
    for outcome in (Outcome.REJECT, Outcome.REVIEW):
        proof = _cover(subject, at, outcome, needed)  # what covers the one may do for the other
        if proof is None:
            proof = _cover(subject, at, outcome, [*among, None])
        if proof is None:
            return None
        needed = list(dict.fromkeys([*needed, *proof]))
    return _fewest(subject, at, needed) if len(needed) <= COVERING_MAX else needed


def _fewest(subject: ProvedPolicy, at: int, needed: list[int | None]) -> list[int | None]:
    """Leave out each that the proof does without: what a solver names is not the least that it needs."""
    for one in needed:
        others = [other for other in needed if other != one]
        if all(_cover(subject, at, outcome, others) is not None for outcome in (Outcome.REJECT, Outcome.REVIEW)):
            needed = others
    return needed


def _cover(subject: ProvedPolicy, at: int, outcome: Outcome, among: list[int | None]) -> list[int | None] | None:
    """Return those of some rules that make an outcome wherever one rule does; None where they do not."""
    verdicts = subject.verdicts
    parts = [verdicts.parts[n] if n is not None else verdicts.card for n in among]
    proof = subject.inquiry.never(verdicts.parts[at].of(outcome), *(neg(part.of(outcome)) for part in parts))
    return [among[n] for n in proof.core] if proof is not None else None


def _cards(subject: ProvedPolicy) -> str:
    cards = list(subject.policy.typed.scorecards.values())
    return f"the {cards[0].title}" if len(cards) == 1 else "the scorecards"


def _shadowed(rule: Rule, covering: list[Rule | None], cards: str) -> ProofFinding:
    """Return the finding. cards: what the scorecards are called together."""
    named = [f"`{other.id}`" if other is not None else cards for other in covering[:4]]
    names = " and ".join(filter(None, (", ".join(named[:-1]), *named[-1:]))) or "the rest"
    others = [other for other in covering if other is not None]
    more = f", with {len(covering) - 4} more," if len(covering) > 4 else ""
    give = "gives" if len(covering) == 1 else "give"
    return ProofFinding(
        code="shadowed",
        severity="warning",
        message=f"`{rule.id}` never matters: whenever it is true, {names}{more} {give} an outcome at least as severe",
        spans=(rule.span, *(other.span for other in others[:4])),
        rules=(rule.id, *(other.id for other in others)),
        hint="delete it, or make it more severe, or narrow what covers it; its reason code is still reported",
    )
