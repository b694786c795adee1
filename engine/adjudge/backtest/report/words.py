"""Numbers and shares in words, for texts and pages alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adjudge.backtest.doubt import MainDoubt
from adjudge.backtest.measures import Ratio
from adjudge.backtest.report.study import Study
from adjudge.backtest.run import Backtest
from adjudge.backtest.totals import CardTotals, PointsHits
from adjudge.model import OUTCOMES
from adjudge.policy.written_rows import Points, points_said

RULES_MAX = 40
PAIRS_MAX = 8
NAME_MAX = 48
"""So many characters of a row's condition stand in for its name."""


def percent(share: float | None) -> str:
    """Return `12.3%`, with more digits where it is small; `–` of nothing."""
    if share is None:
        return "–"
    if share >= 0.1 or share < 0.000_005:
        return f"{share:.1%}"
    return f"{share:.2%}" if share >= 0.0005 else f"{share:.3%}"


def ratio(one: Ratio, *, interval: bool = False) -> str:
    """Return `88 of 100, 88.0%`, with where the share lies that it is a sample of."""
    said = f"{one.hits:,} of {one.of:,}, {percent(one.share)}"
    if interval and one.interval is not None:
        low, high = one.interval
        said += f" (95% interval {percent(low)} to {percent(high)})"
    return said


def period(backtest: Backtest) -> str:
    """Return from when to when the rows are; empty where they have no time."""
    days = [cell.day for cell in backtest.cells if cell.day is not None]
    return f"{min(days)} to {max(days)}" if days else ""


def headline(one: MainDoubt) -> str:
    """Return what a reader must know before any number: what most of the reviews are for want of."""
    share, unknown = percent(one.reviews.share), percent(one.unknown.share)
    return f"{share} of the reviews come from `{one.name}`, which is unknown in {unknown} of the rows: {one.why}"


def remarks(study: Study, at: int) -> Iterator[str]:
    """Yield what a reader must know of one backtest."""
    backtest, measures = study.backtests[at], study.measures[at]
    unsettled = Ratio(measures.settled.of - measures.settled.hits, measures.settled.of)
    yield f"settled {ratio(measures.settled)}; {percent(unsettled.share)} depend on what is unknown"
    if measures.labelled.hits:
        yield f"labelled {ratio(measures.labelled)}"
        yield f"frauds caught {ratio(measures.caught, interval=True)}"
        if measures.caught_low.hits != measures.caught_high.hits:
            low, high = measures.caught_low.hits, measures.caught_high.hits
            yield f"  between {low:,} and {high:,}, whatever the unknown turns out to be"
        for outcome, one in measures.precisions.items():
            count = measures.outcomes[outcome]
            yield (
                f"of {outcome}, fraud: {ratio(one, interval=True)} that have a label;"
                f" {percent(Ratio(count.unlabelled, count.rows).share)} have none"
            )
        yield f"genuine ones turned away {ratio(measures.turned_away)}"
    else:
        yield "no labels: nothing can be said of what was caught"
    if backtest.dataset.sliced is not None:
        yield f"slice {backtest.dataset.sliced}"
    if backtest.dataset.assumed:
        said = ", ".join(f"{slot} = {value}" for slot, value in backtest.dataset.assumed.items())
        yield f"assumed on every row, for the data lacks it: {said}"
    if backtest.dataset.absent:
        yield f"not in the data, so unknown on every row: {', '.join(backtest.dataset.absent)}"
    yield from map(str, backtest.dataset.unreadable)
    yield from backtest.dataset.notes
    for name, reason in backtest.by_row:
        yield f"{name} was evaluated in Python, once for each combination of values: {reason}"


def pairs(backtest: Backtest) -> Sequence[str]:
    """Return the rules that are most often true together."""
    found = sorted(backtest.overlap.items(), key=lambda item: (-item[1], item[0]))[:PAIRS_MAX]
    return [f"{one} and {other}: {rows:,}" for (one, other), rows in found]


def segment_table(study: Study, at: int) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of the table by segment; shares are of the segment's rows, frauds of its frauds."""
    found = study.segments[at]
    has_labels, has_moved = study.measures[at].labelled.hits > 0, any(one.moved is not None for one in found)
    head = ["by " + str(study.by), "rows", *(outcome.value for outcome in OUTCOMES), "settled"]
    head += ["frauds caught", "turned away"] if has_labels else []
    head += ["moved"] if has_moved else []
    rows = []
    for one in found:
        measures = one.measures
        row = [one.title, f"{measures.rows:,}"]
        row += [percent(measures.share(outcome).share) for outcome in OUTCOMES]
        row.append(percent(measures.settled.share))
        if has_labels:
            row += [short(measures.caught), short(measures.turned_away)]
        if has_moved:
            row.append(percent(one.moved.share) if one.moved is not None else "–")
        rows.append(row)
    return head, rows


def points_table(card: CardTotals, every: int) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of the table of a scorecard: what is true most often comes first."""
    head = [f"{card.label} row", "points", "true", "share", "unknown", "decides"]
    rows = [
        [_row_name(row), _points(row.points), f"{row.true:,}", percent(Ratio(row.true, every).share),
         f"{row.unknown:,}", f"{row.moves:,}"]
        for row in sorted(card.rows, key=lambda row: -row.true)
    ]  # fmt: skip
    return head, rows


def _points(points: int | Points) -> str:
    return f"{points:+d}" if isinstance(points, int) else points_said(points)


def _row_name(row: PointsHits) -> str:
    """Return a row's own id; of one without, its place and what it asks."""
    if " " not in row.id:
        return row.id
    said = f"{row.id}: {row.condition if isinstance(row.points, int) else row.adds}"
    return said if len(said) <= NAME_MAX else said[: NAME_MAX - 1] + "…"


def totals_said(card: CardTotals) -> str:
    """Return how the totals of a scorecard lie in its bands."""
    bounds = [("reject", card.reject), ("review", card.review)]
    parts = []
    left = dict(card.totals)
    for name, bound in bounds:
        if bound is not None:
            reached = {total for total in left if total >= bound}
            parts.append(f"{sum(left.pop(total) for total in reached):,} reach {name} at {bound}")
    parts.append(f"{sum(left.values()):,} stay below")
    return ", ".join(parts) + (f"; of {card.open:,} the total is not certain" if card.open else "")


def short(one: Ratio) -> str:
    """Return `88 of 100`."""
    return f"{one.hits:,} of {one.of:,}" if one.of else "–"


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows as lines, the first cell of each at the left and the others at the right of their columns."""
    widths = [max(len(row[at]) for row in rows) + 2 for at in range(len(rows[0]))]
    for first, *others in rows:
        cells = (f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True))
        yield f"  {first:<{widths[0]}}" + "".join(cells)
