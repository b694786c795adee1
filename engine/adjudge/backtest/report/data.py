"""A study for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from adjudge.backtest.dataset import Dataset
from adjudge.backtest.doubt import MainDoubt
from adjudge.backtest.measures import Ratio
from adjudge.backtest.report.study import Moves, Study
from adjudge.backtest.run import VerdictCount
from adjudge.backtest.segments import Segment
from adjudge.backtest.totals import CardTotals
from adjudge.backtest.unreadable import Unreadable
from adjudge.model import OUTCOMES


def data(study: Study) -> dict[str, Any]:
    """Return what a study found, as JSON has it. Shares are 0 to 1, or null of nothing."""
    first = study.backtests[0]
    return {
        "data": str(first.dataset.path),
        "rows": first.rows,
        **slice_data(first.dataset),
        "by": study.by,
        "policies": [_policy(study, at) for at in range(len(study.titles))],
        "moves": [_moves(moves) for moves in study.moves],
        "thresholds": [
            {
                "field": threshold.slot,
                "operator": threshold.operator,
                "value": threshold.value,
                "where": threshold.where,
                "settings": [
                    {
                        "value": one.value,
                        "outcomes": [
                            {"label": label, "outcome": outcome.value, "rows": rows}
                            for (label, outcome), rows in sorted(one.counts.items(), key=str)
                        ],
                    }
                    for one in settings
                ],
            }
            for plotted in study.plotted
            for threshold, settings in plotted.curves.items()
        ],
    }


def slice_data(dataset: Dataset) -> dict[str, Any]:
    """Return which rows were looked at; null of all."""
    return {"slice": asdict(dataset.sliced) if dataset.sliced is not None else None}


def _policy(study: Study, at: int) -> dict[str, Any]:
    backtest, measures = study.backtests[at], study.measures[at]
    typed = backtest.policy.typed
    names = ("settled", "labelled", "caught", "caught_low", "caught_high", "precision", "turned_away")
    return {
        "title": study.titles[at],
        "policy": typed.name,
        "digest": typed.digest,
        "currency": backtest.dataset.currency,
        "absent": list(backtest.dataset.absent),
        "assumed": dict(backtest.dataset.assumed),
        "main_doubt": _doubt(study.doubts[at]),
        "unreadable": [_unreadable(one) for one in backtest.dataset.unreadable],
        "notes": list(backtest.dataset.notes),
        "by_row": [{"condition": name, "reason": reason} for name, reason in backtest.by_row],
        "outcomes": {
            outcome.value: {
                "rows": one.rows,
                "share": Ratio(one.rows, measures.rows).share,
                "fraud": one.fraud,
                "genuine": one.genuine,
                "unlabelled": one.unlabelled,
                "cost": one.cost if one.costed else None,
                "costed": one.costed,
            }
            for outcome, one in measures.outcomes.items()
        },
        "measures": {name: getattr(measures, name).document() for name in names},
        "precisions": {outcome.value: one.document() for outcome, one in measures.precisions.items()},
        "rules": [
            {
                "id": rule.id,
                "outcome": rule.outcome.value,
                "true": rule.true,
                "unknown": rule.unknown,
                "fraud": rule.fraud,
                "genuine": rule.genuine,
                "precision": Ratio(rule.fraud, rule.fraud + rule.genuine).document(),
                "recall": Ratio(rule.fraud, measures.caught.of).document(),
            }
            for rule in backtest.rules
        ],
        "scorecards": [_card(card) for card in backtest.cards],
        "overlap": {
            "rows": backtest.overlap_rows,
            "pairs": [{"rules": list(pair), "rows": rows} for pair, rows in sorted(backtest.overlap.items())],
        },
        **({"segments": [segment_data(one) for one in study.segments[at]]} if study.by is not None else {}),
        "cells": [_cell(cell) for cell in backtest.cells],
    }


def _card(card: CardTotals) -> dict[str, Any]:
    return {
        "name": card.name,
        "bands": {"review": card.review, "reject": card.reject},
        "totals": [{"from": low, "to": high, "rows": rows} for low, high, rows in card.bars()],
        "open": card.open,
        "rows": [asdict(row) for row in card.rows],
    }


def _doubt(one: MainDoubt | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"name": one.name, "reviews": one.reviews.document(), "unknown": one.unknown.document(), "why": one.why}


def _unreadable(one: Unreadable) -> dict[str, Any]:
    examples = [{"cell": text, "rows": rows} for text, rows in one.examples]
    return {**asdict(one), "examples": examples, "file": one.file or None, "line": one.line or None}


def segment_data(one: Segment) -> dict[str, Any]:
    """Return what is told of a segment."""
    measures = one.measures
    names = ("settled", "labelled", "caught", "turned_away")
    return {
        "value": one.value,
        "others": one.others,
        "rows": measures.rows,
        "outcomes": {outcome.value: count.rows for outcome, count in measures.outcomes.items()},
        "measures": {name: getattr(measures, name).document() for name in names},
        "moved": one.moved.document() if one.moved is not None else None,
    }


def _cell(cell: VerdictCount) -> Mapping[str, Any]:
    return {
        "day": cell.day.isoformat() if cell.day is not None else None,
        "label": cell.label,
        "outcome": cell.outcome.value,
        "lower": cell.lower.value,
        "upper": cell.upper.value,
        "rows": cell.rows,
        "cost": cell.cost if cell.costed else None,
    }


def _moves(moves: Moves) -> dict[str, Any]:
    matrix = {old.value: {new.value: moves.rows.get((old, new), 0) for new in OUTCOMES} for old in OUTCOMES}
    causes = {"rules": dict(moves.rules), "scorecard": dict(moves.scorecard)}
    return {"before": moves.before, "after": moves.after, "matrix": matrix, **causes}
