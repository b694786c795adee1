"""Rules that never fire, never matter, or cannot but fire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from adjudge.authoring.proofs.finding import Finding
from adjudge.authoring.proofs.inquiry import Found, NotProved, Proved
from adjudge.authoring.proofs.subject import Subject, not_proved
from adjudge.authoring.proofs.verdict import AtLeast, worst
from adjudge.authoring.proofs.world import Input, put, value_at
from adjudge.expr.smt.logic import Prop, conj, disj, neg
from adjudge.model import Outcome, Verdict
from adjudge.policy.typed import Rule


def dead_rules(subject: Subject) -> Iterator[Finding]:
    """Find rules that no input makes true, and rules that no input makes false."""
    for rule, truth in zip(subject.policy.typed.rules, subject.verdicts.rules, strict=True):
        fires = subject.ask(truth.true, partial(_is_true, rule.id))
        if isinstance(fires, Proved):
            yield Finding(
                code="never-true",
                severity="warning",
                message=f"no input makes `{rule.id}` true",
                spans=(rule.span, rule.condition.span),
                rules=(rule.id,),
                hint="its parts contradict each other, or the range of a field leaves nothing over",
            )
            continue
        if isinstance(fires, NotProved):
            yield not_proved("never-true", f"whether `{rule.id}` can be true", fires, rule.span)
        rests = subject.ask(truth.false, partial(_is_false, rule.id))
        if isinstance(rests, Proved):
            yield Finding(
                code="always-true",
                severity="warning",
                message=f"no input makes `{rule.id}` false: it is true wherever what it reads is known",
                spans=(rule.span, rule.condition.span),
                rules=(rule.id,),
                hint=f"every request would be {rule.outcome}; compare with the range of the field",
            )
        elif isinstance(rests, NotProved):
            yield not_proved("always-true", f"whether `{rule.id}` can be false", rests, rule.span)


def _is_true(rule: str, verdict: Verdict) -> bool:
    return rule in verdict.matched


def _is_false(rule: str, verdict: Verdict) -> bool:
    return rule not in verdict.matched and rule not in verdict.unresolved


def shadowed_rules(subject: Subject, dead: frozenset[str]) -> Iterator[Finding]:
    """Find rules without which every outcome would be the same, and what covers them. dead: rules that never fire."""
    verdicts = subject.verdicts
    others = _others([*verdicts.parts, verdicts.card])
    clean = _clean(subject)
    for at, rule in enumerate(subject.policy.typed.rules):
        if rule.id in dead or _decides_alone(subject, rule, clean):
            continue
        part, rest = verdicts.parts[at], others[at]
        matters = disj(conj(part.reject, neg(rest.reject)), conj(part.review, neg(rest.review)))
        answer = subject.inquiry.ask(matters, partial(_matters, subject, at))
        if isinstance(answer, Proved):
            yield _shadowed(rule, _covering(subject, at))
        elif isinstance(answer, NotProved):
            yield not_proved("shadowed", f"whether `{rule.id}` ever matters", answer, rule.span)


def _clean(subject: Subject) -> Input | None:
    """Return an input of which everything is known and which passes, if there is one."""
    verdicts = subject.verdicts
    quiet = conj(*(truth.false for truth in verdicts.rules), *(truth.known for truth in verdicts.rows))
    answer = subject.ask(conj(quiet, neg(verdicts.outcome.review)), _is_clean)
    return answer.input if isinstance(answer, Found) else None


def _is_clean(verdict: Verdict) -> bool:
    return verdict.settled and verdict.outcome is Outcome.PASS and not verdict.unresolved


def _decides_alone(subject: Subject, rule: Rule, clean: Input | None) -> bool:
    """Whether putting what makes a rule true into a clean input shows that it matters: nothing else is as severe.

    Most rules are settled so, without asking the solver.
    """
    firing = next((found for found, verdict in subject.seen if rule.id in verdict.matched), None)
    if firing is None or clean is None:
        return False
    given: Mapping[str, object] = clean.given
    for slot in sorted(subject.reads(rule.condition)):
        path = tuple(slot.split("."))
        given = put(given, path, value_at(firing.given, path))
    verdict = subject.look(Input(given=given, now=firing.now or clean.now))
    return (
        rule.id in verdict.matched
        and not verdict.unresolved
        and verdict.outcome is rule.outcome
        and (_others_outcome(subject, rule, verdict) < rule.outcome)
    )


def _others_outcome(subject: Subject, rule: Rule, verdict: Verdict) -> Outcome:
    """Return what a verdict without doubt would be without one of its rules."""
    matched = set(verdict.matched) - {rule.id}
    outcomes = [other.outcome for other in subject.policy.typed.rules if other.id in matched]
    card = subject.policy.typed.scorecard
    if card is not None and verdict.score is not None:
        outcomes.append(card.outcome_of(verdict.score[1]))
    return max(outcomes, default=Outcome.PASS)


def _matters(subject: Subject, at: int, found: Input) -> bool:
    """Whether the outcome of an input is another without a rule."""
    other = subject.without(at)
    return subject.verdict(found).outcome != other.evaluate(found.given, now=found.now).outcome


def _others(parts: list[AtLeast]) -> list[AtLeast]:
    """Return for each part the worst of all others, without pairing each with each."""
    before, after = [AtLeast(False, False)], [AtLeast(False, False)]
    for part in parts:
        before.append(worst([before[-1], part]))
    for part in reversed(parts):
        after.append(worst([after[-1], part]))
    after.reverse()
    return [worst([before[at], after[at + 1]]) for at in range(len(parts))]


def _alone_decides(subject: Subject, at: int) -> bool:
    """Whether an input that was found before shows that a rule matters: nothing else is as severe, or in doubt."""
    rule = subject.policy.typed.rules[at]
    outcomes = {other.id: other.outcome for other in subject.policy.typed.rules}
    return any(
        rule.id in verdict.matched
        and not verdict.unresolved
        and verdict.score is None
        and all(outcomes[other] < rule.outcome for other in verdict.matched if other != rule.id)
        for _, verdict in subject.seen
    )


def _covering(subject: Subject, at: int) -> list[Rule]:
    """Return rules which are as severe wherever one is: those that the proof needed."""
    verdicts = subject.verdicts
    part = verdicts.parts[at]
    rules = subject.policy.typed.rules
    level: list[tuple[Outcome, Prop]] = [(Outcome.REVIEW, part.review), (Outcome.REJECT, part.reject)]
    needed: dict[int, None] = {}
    for outcome, claim in level:
        absent = tuple(neg(other.of(outcome)) for n, other in enumerate(verdicts.parts) if n != at)
        answer = subject.inquiry.ask(claim, lambda _: False, assuming=(*absent, neg(verdicts.card.of(outcome))))
        if isinstance(answer, Proved):
            numbers = [n for n in range(len(rules)) if n != at]
            needed.update(dict.fromkeys(numbers[n] for n in answer.core if n < len(numbers)))
    return [rules[n] for n in needed]


def _shadowed(rule: Rule, covering: list[Rule]) -> Finding:
    names = ", ".join(f"`{other.id}`" for other in covering[:4]) or "the scorecard"
    more = f" and {len(covering) - 4} more" if len(covering) > 4 else ""
    return Finding(
        code="shadowed",
        severity="warning",
        message=f"`{rule.id}` never matters: wherever it speaks, {names}{more} says as much or more",
        spans=(rule.span, *(other.span for other in covering[:4])),
        rules=(rule.id, *(other.id for other in covering)),
        hint="delete it, or make it more severe, or narrow what covers it; its reason code is still told",
    )
