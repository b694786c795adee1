"""Bands of a scorecard that no total reaches, and rows that no input makes true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

from adjudge.authoring.proofs.finding import ProofFinding
from adjudge.authoring.proofs.inquiry import NotProved, Proved
from adjudge.authoring.proofs.subject import ProvedPolicy, not_proved
from adjudge.authoring.proofs.verdict import exactly
from adjudge.authoring.proofs.world import Input
from adjudge.expr.smt.terms import Truth
from adjudge.model import Outcome, Verdict
from adjudge.policy.policy import Policy
from adjudge.policy.typed import Row, Scorecard
from adjudge.policy.written_rows import WrittenRow, points_said, rows_written


def scorecard_findings(subject: ProvedPolicy) -> Iterator[ProofFinding]:
    """Find bands that cannot be reached, and rows that never count."""
    typed = subject.policy.typed
    truths = iter(subject.verdicts.rows)
    for row in rows_written(typed):
        yield from _row(subject, row, list(islice(truths, len(row.steps))))
    for card in typed.scorecards.values():
        yield from _bands(subject, card)


def _row(subject: ProvedPolicy, row: WrittenRow, truths: Sequence[Truth]) -> Iterator[ProofFinding]:
    """Find a row that never counts, or points of it that are never given."""
    never: list[Row] = []
    for step, truth in zip(row.steps, truths, strict=True):
        if not step.points or any((one.points > 0) == (step.points > 0) for one in never):
            continue  # what lies beyond points that are never given is not, either
        card = replace(subject.policy.typed.scorecards[step.card], rows=(step,))
        alone = replace(subject.policy.typed, rules=(), scorecards={step.card: card})
        confirm = partial(_is_given, Policy(alone, subject.policy.functions), step)
        fires = subject.inquiry.ask(truth.true, confirm)
        if isinstance(fires, NotProved):
            what = f"whether {step.place} can be true"
            yield not_proved(subject.policy, "never-true", row.name, what, fires, step.span)
            return
        if isinstance(fires, Proved):
            never.append(step)
    if not never:
        return
    if row.formula is None or [way[0] for way in row.ways if way] == never:
        given = row.adds if row.formula is None else points_said(row.ends)
        message = f"no input makes this row true: its {given} points are never given"
    else:
        said = " and ".join(step.id.removeprefix(f"{row.id} at ") for step in never)
        message = f"no input gives some of this row's points: {said}"
    yield ProofFinding(code="never-true", severity="warning", message=message, spans=(row.row.span,))


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
