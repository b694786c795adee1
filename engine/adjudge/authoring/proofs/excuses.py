"""Excuses that no input makes true, and excuses that no input makes false."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from adjudge.authoring.proofs.finding import ProofFinding
from adjudge.authoring.proofs.inquiry import NotProved, Proved
from adjudge.authoring.proofs.subject import ProvedPolicy, not_proved
from adjudge.authoring.proofs.world import Input
from adjudge.model import Outcome
from adjudge.policy.policy import Policy
from adjudge.policy.typed import Excuse, Rule


def excuse_findings(subject: ProvedPolicy) -> Iterator[ProofFinding]:
    """Find excuses that never take back anything, and those that take back whatever they are for."""
    for excuse, truth in zip(subject.policy.typed.excuses, subject.verdicts.excuses, strict=True):
        asked = _alone(subject.policy, excuse)
        applies = subject.inquiry.ask(truth.true, partial(_is_true, asked))
        if isinstance(applies, Proved):
            yield ProofFinding(
                code="never-true",
                severity="warning",
                message=f"no input makes the excuse `{excuse.id}` true: it takes back nothing",
                spans=(excuse.span, excuse.condition.span),
                hint="its parts contradict each other, or the range of a field leaves nothing over",
            )
            continue
        if isinstance(applies, NotProved):
            yield not_proved(
                subject.policy,
                "never-true",
                excuse.id,
                f"whether the excuse `{excuse.id}` can be true",
                applies,
                excuse.span,
            )
        rests = subject.inquiry.ask(truth.false, partial(_is_false, asked))
        if isinstance(rests, Proved):
            yield ProofFinding(
                code="always-true",
                severity="warning",
                message=f"no input makes the excuse `{excuse.id}` false: it is true wherever what it reads is known",
                spans=(excuse.span, excuse.condition.span),
                hint="it takes back every review that it is for; compare with the range of the field",
            )
        elif isinstance(rests, NotProved):
            yield not_proved(
                subject.policy,
                "always-true",
                excuse.id,
                f"whether the excuse `{excuse.id}` can be false",
                rests,
                excuse.span,
            )


def _alone(policy: Policy, excuse: Excuse) -> Policy:
    """Return a policy with an excuse's condition for its only rule."""
    rule = Rule(id=excuse.id, condition=excuse.condition, outcome=Outcome.REVIEW, reason="EXCUSE", span=excuse.span)
    return Policy(replace(policy.typed, rules=(rule,), scorecards={}, excuses=()), policy.functions)


def _is_true(asked: Policy, found: Input) -> bool:
    return bool(asked.evaluate(found.given, now=found.now).matched)


def _is_false(asked: Policy, found: Input) -> bool:
    verdict = asked.evaluate(found.given, now=found.now)
    return not verdict.matched and not verdict.unresolved
