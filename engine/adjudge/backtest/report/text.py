"""A study for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.backtest.measures import Ratio
from adjudge.backtest.report.study import Moves, Study
from adjudge.backtest.report.summary import summary
from adjudge.backtest.report.words import (
    RULES_MAX,
    columns,
    headline,
    pairs,
    percent,
    period,
    points_table,
    remarks,
    segment_table,
    totals_said,
)
from adjudge.backtest.run import Backtest
from adjudge.model import OUTCOMES
from adjudge.policy.explaining.scorecard_moves import MOVED_BY, most
from adjudge.texts import lines_of


def text(study: Study) -> str:
    """Return what a study found; names and cells of others stay in their lines."""
    first = study.backtests[0]
    when = period(first)
    lines = [f"{first.rows:,} rows{f', {when}' if when else ''}, from {first.dataset.path}"]
    for at, title in enumerate(study.titles):
        doubt = study.doubts[at]
        lines += [
            "",
            title,
            *([f"  {headline(doubt)}"] if doubt is not None else []),
            *(f"  {one}" for one in summary(study, at)),
            "",
            *_outcomes(study, at),
            *(f"  {one}" for one in remarks(study, at)),
            *_segments(study, at),
            *_rules(study, at),
            *_cards(study, at),
        ]
    for moves in study.moves:
        lines += ["", *_moves(moves)]
    return lines_of(lines)


def _outcomes(study: Study, at: int) -> Iterator[str]:
    backtest, measures = study.backtests[at], study.measures[at]
    has_labels, has_cost = measures.labelled.hits > 0, any(one.costed for one in measures.outcomes.values())
    head = f"  {'':<8}{'rows':>13}{'share':>9}"
    head += f"{'fraud':>10}{'genuine':>10}{'no label':>12}" if has_labels else ""
    money = f"cost {backtest.dataset.currency or ''}".strip()
    yield head + (f"{money:>16}" if has_cost else "")
    for outcome in OUTCOMES:
        one = measures.outcomes[outcome]
        line = f"  {outcome:<8}{one.rows:>13,}{percent(Ratio(one.rows, measures.rows).share):>9}"
        line += f"{one.fraud:>10,}{one.genuine:>10,}{one.unlabelled:>12,}" if has_labels else ""
        yield line + (f"{one.cost:>16,.2f}" if has_cost else "")


def _segments(study: Study, at: int) -> Iterator[str]:
    if study.by is None:
        return
    head, rows = segment_table(study, at)
    yield from columns([head, *rows])


def _rules(study: Study, at: int) -> Iterator[str]:
    backtest = study.backtests[at]
    if not backtest.rules:
        return
    has_labels = study.measures[at].labelled.hits > 0
    width = min(48, max(len(rule.id) for rule in backtest.rules) + 2)
    yield f"  {'rule':<{width}}{'true':>12}{'share':>9}{'unknown':>12}" + (
        f"{'fraud':>9}{'genuine':>9}" if has_labels else ""
    )
    for rule in sorted(backtest.rules, key=lambda rule: -rule.true)[:RULES_MAX]:
        share = percent(Ratio(rule.true, backtest.rows).share)
        line = f"  {rule.id:<{width}}{rule.true:>12,}{share:>9}{rule.unknown:>12,}"
        yield line + (f"{rule.fraud:>9,}{rule.genuine:>9,}" if has_labels else "")
    if len(backtest.rules) > RULES_MAX:
        yield f"  and {len(backtest.rules) - RULES_MAX} rules that are true less often; --format json has them all"
    together = pairs(backtest)
    if together:
        yield f"  true together, of {backtest.overlap_rows:,} rows{_sampled(backtest)}:"
        yield from (f"    {one}" for one in together)


def _cards(study: Study, at: int) -> Iterator[str]:
    backtest = study.backtests[at]
    for card in backtest.cards:
        head, rows = points_table(card, backtest.rows)
        yield from columns([head, *rows])
        yield f"  {card.label}: {totals_said(card)}"


def _sampled(backtest: Backtest) -> str:
    return ", a sample" if backtest.overlap_rows < backtest.rows else ""


def _moves(moves: Moves) -> Iterator[str]:
    changed = sum(rows for (old, new), rows in moves.rows.items() if old is not new)
    yield f"{moves.before} → {moves.after}: {changed:,} of {sum(moves.rows.values()):,} rows move"
    yield f"  {'':<8}" + "".join(f"{f'→ {new}':>13}" for new in OUTCOMES)
    for old in OUTCOMES:
        cells = (moves.rows.get((old, new), 0) for new in OUTCOMES)
        yield f"  {old:<8}" + "".join(f"{f'{rows:,}' if rows else '·':>13}" for rows in cells)
    if causes := most(moves.rules, moves.scorecard):
        yield f"  {MOVED_BY}"
        yield from (f"    {rows:>9,}  {cause}" for cause, rows in causes[:RULES_MAX])
