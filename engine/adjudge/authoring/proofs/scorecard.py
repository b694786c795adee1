"""Bands of a scorecard that no total reaches, and rows that no input makes true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from adjudge.authoring.proofs.finding import ProofFinding
from adjudge.authoring.proofs.inquiry import NotProved, Proved
from adjudge.authoring.proofs.subject import ProvedPolicy, not_proved
from adjudge.authoring.proofs.verdict import exactly
from adjudge.authoring.proofs.world import Input
from adjudge.model import Outcome, Verdict
from adjudge.policy.policy import Policy
from adjudge.policy.typed import Row, Scorecard


def scorecard_findings(subject: ProvedPolicy) -> Iterator[ProofFinding]:
    """Find bands that cannot be reached, and rows that never count."""
    typed = subject.policy.typed
    for row, truth in zip(typed.rows, subject.verdicts.rows, strict=True):
        card = replace(typed.scorecards[row.card], rows=(row,))
        alone = replace(typed, rules=(), scorecards={row.card: card})
        confirm = partial(_is_given, Policy(alone, subject.policy.functions), row)
        fires = subject.inquiry.ask(truth.true, confirm) if row.points else None
        if isinstance(fires, NotProved):
            yield not_proved(
                subject.policy, "never-true", row.name, f"whether {row.place} can be true", fires, row.span
            )
        if isinstance(fires, Proved):
            yield ProofFinding(
                code="never-true",
                severity="warning",
                message=f"no input makes this row true: its {row.points:+d} points are never given",
                spans=(row.span,),
            )
    for card in typed.scorecards.values():
        yield from _bands(subject, card)


def _bands(subject: ProvedPolicy, card: Scorecard) -> Iterator[ProofFinding]:
    for outcome, begins in ((Outcome.REVIEW, card.review), (Outcome.REJECT, card.reject)):
        if begins is None:
            continue
        claim = exactly(subject.verdicts.totals[card.name], outcome)
        answer = subject.ask(claim, partial(_is_reached, card, outcome))
        what = f"the band `{outcome}` of the {card.title}"
        if isinstance(answer, Proved):
            most = sum(row.points for row in card.rows if row.points > 0)
            yield ProofFinding(
                code="band-unreachable",
                severity="warning",
                message=f"{what} begins at {begins}, and no input has a total in it",
                spans=(card.rows[0].span,),
                hint=f"all points that are added come to {most}; rows that exclude each other come to less",
            )
        elif isinstance(answer, NotProved):
            yield not_proved(
                subject.policy,
                "band-unreachable",
                str(outcome),
                f"whether {what} can be reached",
                answer,
                card.rows[0].span,
            )


def _is_given(alone: Policy, row: Row, found: Input) -> bool:
    """Whether an input makes a row true, by a policy of that row only."""
    return alone.evaluate(found.given, now=found.now).totals[row.card] == (row.points, row.points)


def _is_reached(card: Scorecard, outcome: Outcome, verdict: Verdict) -> bool:
    return card.outcome_of(verdict.totals[card.name][0]) is outcome
