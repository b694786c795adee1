"""A backtest in the few sentences that a risk lead reads aloud."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.backtest.measures import Ratio
from adjudge.backtest.report.study import Study
from adjudge.backtest.report.words import percent, period
from adjudge.backtest.run import Backtest
from adjudge.model import Outcome


def summary(study: Study, at: int) -> list[str]:
    """Return what one policy comes to: reviews, frauds stopped, genuine people turned away, cost.

    Each with how many a day where the rows have a time, its interval of 95 per cent (Wilson's), and its change against
    the first policy; of the first policy, against what was recorded.
    """
    return list(_sentences(study, at))


def _sentences(study: Study, at: int) -> Iterator[str]:
    backtest, measures = study.backtests[at], study.measures[at]
    days = days_of(backtest)
    when = period(backtest)
    head = f"of {measures.rows:,} decisions{f' from {when}' if when else ''}"
    reviews = measures.outcomes[Outcome.REVIEW].rows
    said = f"{head}, {reviews:,} go to a person, {_share(Ratio(reviews, measures.rows))}{_a_day(reviews, days)}"
    yield said + _change(reviews, _before(study, at))
    first = study.measures[0] if at else None
    against = study.titles[0]
    if measures.labelled.hits:
        caught, away = measures.caught, measures.turned_away
        yield (
            f"of {caught.of:,} known frauds, {caught.hits:,} do not pass, {_share(caught)}"
            + _change(caught.hits, (first.caught.hits, against) if first is not None else None)
        )
        yield (
            f"of {away.of:,} people known to be genuine, {away.hits:,} are rejected, {_share(away)}"
            + _change(away.hits, (first.turned_away.hits, against) if first is not None else None)
        )
    else:
        yield "nobody has labelled these decisions, so nothing can be said of frauds and genuine people"
    cost = sum(one.cost for one in measures.outcomes.values())
    if any(one.costed for one in measures.outcomes.values()):
        currency = f" {backtest.dataset.currency}" if backtest.dataset.currency else ""
        daily = f", {cost / days:,.2f} a day" if days > 1 else ""
        yield f"what was asked of providers cost {cost:,.2f}{currency}{daily}"


def days_of(backtest: Backtest) -> int:
    """Return how many days the rows span, both ends included; 0 where they have no time."""
    days = [cell.day for cell in backtest.cells if cell.day is not None]
    return (max(days) - min(days)).days + 1 if days else 0


def _before(study: Study, at: int) -> tuple[int, str] | None:
    """Return the reviews of what a policy is held against, and its title."""
    if at:
        return study.measures[0].outcomes[Outcome.REVIEW].rows, study.titles[0]
    recorded = next((one for one in study.moves if one.before == "as recorded"), None)
    if recorded is None or sum(recorded.rows.values()) != study.measures[0].rows:
        return None
    reviews = sum(rows for (old, _), rows in recorded.rows.items() if old is Outcome.REVIEW)
    return reviews, "what was recorded"


def _share(one: Ratio) -> str:
    low, high = one.interval or (0.0, 1.0)
    return f"{percent(one.share)} (95% interval {percent(low)} to {percent(high)})" if one.of else "–"


def _a_day(rows: int, days: int) -> str:
    return f", {rows / days:,.0f} a day" if days > 1 else ""


def _change(now: int, before: tuple[int, str] | None) -> str:
    if before is None:
        return ""
    rows, against = before
    return f"; {now - rows:+,} against {against}" if now != rows else f"; as many as {against}"
