"""What a band would do at other totals, and a row with other points, is what the engine makes of such a policy."""

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
from adjudge.backtest.point_curves import point_curves  # noqa: E402
from adjudge.backtest.tunable_bands import TunableBand, tunable_bands  # noqa: E402
from adjudge.backtest.tunable_points import TunablePoints, tunable_points  # noqa: E402
from adjudge.backtest.tunables import with_numbers  # noqa: E402

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


def read_in(folder: Path, card: str, when_unknown: str) -> tuple[Policy, list[dict[str, Any]]]:
    """Return a policy, and rows that are written into a folder."""
    rows = rows_of(len(card))
    types = {"score": pa.float64(), "past.trust": pa.int64(), "known": pa.bool_(), "label": pa.string()}
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(list(types.items()))), folder / "rows.parquet")
    read = parse_policy(INPUTS + card)
    return Policy(replace(read.typed, when_unknown=Outcome(when_unknown)), read.functions), rows


@pytest.mark.parametrize("card", [EXCUSED, SEVERAL], ids=["excused", "several"])
@pytest.mark.parametrize("when_unknown", ["pass", "review", "reject"])
def test_each_total_comes_to_what_the_engine_makes_of_it(tmp_path: Path, card: str, when_unknown: str) -> None:
    policy, rows = read_in(tmp_path, card, when_unknown)
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


@pytest.mark.parametrize("card", [EXCUSED, SEVERAL], ids=["excused", "several"])
@pytest.mark.parametrize("when_unknown", ["pass", "review", "reject"])
def test_points_come_to_what_the_engine_makes_of_them(tmp_path: Path, card: str, when_unknown: str) -> None:
    policy, rows = read_in(tmp_path, card, when_unknown)
    by_card: dict[str, list[TunablePoints]] = {}
    for one in tunable_points(policy.typed):
        by_card.setdefault(one.card, []).append(one)
    seen = set()
    with connect(threads=1) as connection:
        dataset = open_dataset(connection, tmp_path / "rows.parquet", policy.typed)
        for points in by_card.values():
            moved = with_numbers(policy, {points[0]: 2 * points[0].value})  # what stands need not be what is written
            for standing in (policy, moved):
                wanted = {one: [one.value // abs(one.value) * n for n in (1, 5, 15, 20, 40, 65)] for one in points}
                found = point_curves(connection, standing, dataset, wanted)
                for one, settings in found.items():
                    assert [setting.value for setting in settings] == sorted(wanted[one])
                    for setting in settings:
                        made = by_engine(with_numbers(standing, {one: setting.value}), rows)
                        assert setting.counts == made, (one.name, setting.value)
                        assert setting.weights == setting.counts
                        seen.add(tuple(sorted((str(key), count) for key, count in setting.counts.items())))
    assert len(seen) > len(by_card) * 5  # it does matter what they add
