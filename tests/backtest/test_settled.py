"""A settled dataset answers as the one that it is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from adjudge.policy import parse_policy

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

from adjudge.backtest import settled as module  # noqa: E402
from adjudge.backtest.curves import Bins, curve, curves, histogram  # noqa: E402
from adjudge.backtest.dataset import open_dataset  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.run import Runner  # noqa: E402
from adjudge.backtest.settled import chosen, settled  # noqa: E402
from adjudge.backtest.tunable_thresholds import tunable_thresholds  # noqa: E402

POLICY = parse_policy("""policy_language: 1
policy: p
inputs:
  share: {type: double, range: [0, 1]}
  count: {type: int, range: [0, 9]}
  country: {type: enum, values: [SG, ID]}
  name: string
variables:
  limit: '{"SG": 0.8, "ID": 0.6}[country]'
thresholds:
  share: {review: 0.5, reject: 0.9}
rules:
  - {id: over, when: share > limit, unless: count > 3, then: review}
  - {id: number, when: int(name) > 3, then: reject}
""")


def rows(folder: Path) -> Path:
    lines = ["at,label,share,count,country,name"]
    for at in range(300):
        share = "" if at % 11 == 0 else f"{at % 130 / 100}"
        label = ("fraud", "genuine", "")[at % 3]
        lines.append(
            f"2026-01-{1 + at % 28:02} 10:00:00,{label},{share},{at % 12},{('SG', 'ID', 'XX')[at % 3]},{at % 7}"
        )
    (folder / "rows.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "rows.csv"


def test_a_settled_dataset_answers_as_before(tmp_path: Path) -> None:
    with connect(threads=1) as connection:
        plain = open_dataset(connection, rows(tmp_path), POLICY.typed)
        made = settled(connection, POLICY, plain)
        assert made.relation != plain.relation and made.worked
        one, other = (Runner(connection, POLICY, data).backtest() for data in (plain, made))
        assert one.cells == other.cells and one.rules == other.rules
        for threshold in tunable_thresholds(POLICY.typed):
            values = [0.1, 0.5, 0.7, 0.95]
            assert curve(connection, POLICY, plain, threshold, values) == curve(
                connection, POLICY, made, threshold, values
            )
        assert histogram(connection, POLICY, plain, "share") == histogram(connection, POLICY, made, "share")


def test_chosen_rows_answer_as_those_rows_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(threads=1) as connection:
        made = settled(connection, POLICY, open_dataset(connection, rows(tmp_path), POLICY.typed))
        where, tried = f"{made.roles['label']} is not null", [0.1, 0.5, 0.6, 0.7, 0.9, 0.95]
        wanted = dict.fromkeys((one for one in tunable_thresholds(POLICY.typed) if one.slot == "share"), tried)
        bins = Bins(made, wanted)
        expected = curves(connection, POLICY, made, wanted, where)
        some = chosen(connection, made, where, bins.steps)
        assert some.worked > made.worked and curves(connection, POLICY, some, wanted, bins=bins) == expected
        monkeypatch.setattr(module, "CELLS_MAX", 299)
        others = chosen(connection, made, where, bins.steps)
        assert others.worked == made.worked and curves(connection, POLICY, others, wanted, bins=bins) == expected


def test_what_is_too_much_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CELLS_MAX", 299)
    with connect(threads=1) as connection:
        plain = open_dataset(connection, rows(tmp_path), POLICY.typed)
        assert settled(connection, POLICY, plain) is plain
