"""Turning a threshold, at every setting in one pass, against policies in which it was turned."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from adjudge.model import Outcome
from adjudge.policy import parse_policy

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

from adjudge.backtest.curves import curve, curves, histogram, settings_for  # noqa: E402
from adjudge.backtest.dataset import open_dataset  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.run import Runner  # noqa: E402
from adjudge.backtest.tunable_thresholds import tunable_thresholds, turned  # noqa: E402

POLICY = """policy_language: 1
policy: turned
inputs:
  n: {type: int, range: [0, 20]}
  x: {type: double, range: [0, 1]}
  y: double
  country: string
variables: {near: 0.25 > x, far: "x >= 0.75 && int(country) > 3"}
thresholds:
  x: {review: 0.5, reject: 0.9}
  y: {below: {reject: -1}}
rules:
  - {id: both, when: n >= 7 && (country == "SG" || y <= 0.5), then: review}
  - {id: odd, when: "n > 3 ? near : y < 0.125", then: reject, unless: country == "MY"}
  - {id: sum, when: int(country) > 3, then: review}
  - {id: far, when: far, then: reject, when_unknown: pass}
excuse: {when: n < 5, from: review}
scorecard:
  points: [{when: n > 12, add: 20}, {when: "!(y > 1.5)", add: 15}]
  bands: {review: 20, reject: 30}
"""


def write(path: Path) -> None:
    draw = random.Random(3)
    lines = ["n,x,y,country,label"]
    for _ in range(400):
        cells = [
            str(draw.randrange(21)), f"{draw.randrange(0, 41) / 40}", f"{draw.randrange(-16, 17) / 8}",
            draw.choice(("SG", "MY", "5")), draw.choice(("fraud", "genuine", "", "")),
        ]  # fmt: skip
        lines.append(",".join("" if draw.random() < 0.1 else cell for cell in cells))
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.no_cover  # as many policies as settings, at random
def test_a_curve_has_at_each_setting_what_the_turned_policy_does(tmp_path: Path) -> None:
    write(tmp_path / "data.csv")
    policy = parse_policy(POLICY)
    thresholds = tunable_thresholds(policy.typed)
    assert [threshold.name for threshold in thresholds] == [
        "x < 0.25 (variable near)", "x >= 0.75 (variable far)", "x >= 0.5 (threshold:x:review)",
        "x >= 0.9 (threshold:x:reject)", "y <= -1 (threshold:y:reject)",
        "n >= 7 (both)", "y <= 0.5 (both)", "n > 3 (odd)", "y < 0.125 (odd)", "n > 12 (scorecard row 1)",
        "y > 1.5 (scorecard row 2)",
    ]  # fmt: skip
    with connect(threads=1) as connection:
        dataset = open_dataset(connection, tmp_path / "data.csv", policy.typed)
        at_once = {}
        for threshold in thresholds:
            shape = histogram(connection, policy, dataset, threshold.slot)
            assert shape is not None
            assert sum(map(sum, shape.bins.values())) + shape.unknown == 400
            values = settings_for(threshold, shape, 8)
            assert threshold.value in values
            at_once[threshold] = values
            for setting in curve(connection, policy, dataset, threshold, values):
                result = Runner(connection, turned(policy, {threshold: setting.value}), dataset).backtest()
                expected: Counter[tuple[str | None, Outcome]] = Counter()
                for cell in result.cells:
                    expected[cell.label, cell.outcome] += cell.rows
                assert setting.counts == expected, f"{threshold.name} at {setting.value}"
        assert curves(connection, policy, dataset, at_once) == {
            threshold: curve(connection, policy, dataset, threshold, values) for threshold, values in at_once.items()
        }
