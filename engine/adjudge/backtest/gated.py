"""What a backtest comes to, as gates look at it: the last policy, and what it is held against."""

from __future__ import annotations

from adjudge.backtest.measures import Measures
from adjudge.backtest.report.study import Study
from adjudge.model import Outcome
from adjudge.replay.gates import MEASURES, Values

KNOWN = tuple(name for name in MEASURES if name not in ("different", "not_replayable"))


def values_of(study: Study) -> Values:
    """Return every measure of the last policy; what came before is the first one, or else what was recorded."""
    now, backtest = study.measures[-1], study.backtests[-1]
    before = study.measures[0] if len(study.measures) > 1 else None
    found: dict[str, float | None] = {
        "rows": now.rows,
        **{f"{outcome}_share": now.share(outcome).share for outcome in Outcome},
        "unsettled_share": 1 - now.settled.hits / now.settled.of if now.settled.of else None,
        "frauds_missed": _missed(now),
        "frauds_missed_share": _missed(now) / now.caught.of if now.caught.of else None,
        "turned_away": now.turned_away.hits if now.turned_away.of else None,
        "turned_away_share": now.turned_away.share,
        "precision": now.precision.share,
        "labelled_share": now.labelled.share,
        "cost": _cost(now),
        "unreadable_cells": sum(one.count for one in backtest.dataset.unreadable),
    }
    if not now.caught.of:
        found["frauds_missed"] = None
    days = [cell.day for cell in backtest.cells if cell.day is not None]
    span = (max(days) - min(days)).days + 1 if days else None
    found["reviews_per_day"] = now.outcomes[Outcome.REVIEW].rows / span if span else None
    moves = study.moves[-1].rows if study.moves else None
    moved = sum(rows for (old, new), rows in moves.items() if old is not new) if moves is not None else None
    found["moved"] = moved
    found["moved_share"] = moved / sum(moves.values()) if moved is not None and moves else None
    for name in ("review_share", "reject_share"):
        found[f"{name}_change"] = _less(found[name], _earlier_share(study, before, Outcome(name.partition("_")[0])))
    found["frauds_missed_change"] = _less(found["frauds_missed"], float(_missed(before)) if before else None)
    found["cost_change"] = _less(found["cost"], _cost(before) if before else None)
    return found


def _missed(measures: Measures) -> int:
    return measures.caught.of - measures.caught.hits


def _cost(measures: Measures) -> float | None:
    counts = measures.outcomes.values()
    return sum(one.cost for one in counts) if any(one.costed for one in counts) else None


def _less(now: float | None, before: float | None) -> float | None:
    return now - before if now is not None and before is not None else None


def _earlier_share(study: Study, before: Measures | None, outcome: Outcome) -> float | None:
    """Return the share of an outcome before: of the first policy, or as recorded."""
    if before is not None:
        return before.share(outcome).share
    flow = study.moves[-1].rows if study.moves else {}
    total = sum(flow.values())
    return sum(rows for (old, _), rows in flow.items() if old is outcome) / total if total else None
