"""What a band would do at other totals is what the engine does with a policy that has them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adjudge.model import Outcome
from adjudge.policy import parse_policy
from adjudge.policy.policy import Policy

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pa = pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

import pyarrow.parquet as pq  # noqa: E402

from adjudge.backtest.band_curves import band_curves  # noqa: E402
from adjudge.backtest.dataset import open_dataset  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.tunable_bands import TunableBand, tunable_bands, with_numbers  # noqa: E402

INPUTS = """policy_language: 1
policy: cards
inputs:
  score: {type: double, range: [0, 1]}
  known: bool
signals:
  past: {when_unknown: reject, fields: {trust: {type: int, range: [0, 100]}}}
rules:
  - {id: sure, when: score >= 0.95, then: reject}
  - {id: odd, when: past.trust == 7, then: review}
"""
EXCUSED = """scorecard:
  points:
    - {when: score > 0.5, add: 20}
    - {when: score > 0.7, add: 25}
    - {when: past.trust < 30, add: 15}
    - {when: past.trust > 80, add: -10}
  bands: {review: 20, reject: 60}
excuse: {when: known, from: review}
"""
SEVERAL = """scorecards:
  face:
    points: [{when: score > 0.5, add: 20}, {when: score > 0.7, add: 25}, {when: known, add: -5}]
    bands: {review: 20, reject: 40}
  history:
    points: [{when: past.trust < 30, add: 15}, {when: past.trust > 80, add: -10}]
    bands: {review: 15}
    when_unknown: pass
"""


def rows_of(seed: int, count: int = 300) -> list[dict[str, Any]]:
    draw = random.Random(seed)

    def known(value: Any) -> Any:
        return value if draw.random() < 0.8 else None

    return [
        {
            "score": known(round(draw.random(), 2)),
            "past.trust": known(draw.randrange(101)),
            "known": known(draw.random() < 0.3),
            "label": draw.choice((None, "fraud", "genuine")),
        }
        for _ in range(count)
    ]


def by_engine(policy: Policy, rows: list[dict[str, Any]]) -> Mapping[tuple[str | None, Outcome], int]:
    def outcome(row: dict[str, Any]) -> Outcome:
        inputs = {"score": row["score"], "known": row["known"]}
        return policy.evaluate(inputs | {"past": {"trust": row["past.trust"]}}).outcome

    return Counter((row["label"], outcome(row)) for row in rows)


@pytest.mark.parametrize("card", [EXCUSED, SEVERAL], ids=["excused", "several"])
@pytest.mark.parametrize("when_unknown", ["pass", "review", "reject"])
def test_each_total_comes_to_what_the_engine_makes_of_it(tmp_path: Path, card: str, when_unknown: str) -> None:
    rows = rows_of(len(card))
    types = {"score": pa.float64(), "past.trust": pa.int64(), "known": pa.bool_(), "label": pa.string()}
    schema = pa.schema(list(types.items()))
    pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "rows.parquet")
    read = parse_policy(INPUTS + card)
    policy = Policy(replace(read.typed, when_unknown=Outcome(when_unknown)), read.functions)
    by_card: dict[str, list[TunableBand]] = {}
    for band in tunable_bands(policy.typed):
        by_card.setdefault(band.card, []).append(band)
    totals = [-20, -10, -5, 0, 1, 15, 20, 30, 45, 60, 61]
    seen = set()
    with connect(threads=1) as connection:
        dataset = open_dataset(connection, tmp_path / "rows.parquet", policy.typed)
        for bands in by_card.values():
            found = band_curves(connection, policy, dataset, dict.fromkeys(bands, totals))
            for band, settings in found.items():
                assert [one.value for one in settings] == totals
                for one in settings:
                    made = by_engine(with_numbers(policy, {band: one.value}), rows)
                    assert one.counts == made, (band.name, one.value)
                    assert one.weights == one.counts
                    seen.add(tuple(sorted((str(key), count) for key, count in one.counts.items())))
    assert len(seen) > len(by_card) * 5  # it does matter where they begin
