"""What tuning promises: genuine ones are not traded for reviews, and what it proposes can still happen."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adjudge.errors import DataError
from adjudge.model import Outcome
from adjudge.policy import load_policy, parse_policy
from adjudge.policy.explaining.scorecard_moves import alone
from adjudge.source import Span

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pa = pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

import pyarrow.parquet as pq  # noqa: E402

from adjudge.backtest import search  # noqa: E402
from adjudge.backtest import tune as tune_module  # noqa: E402
from adjudge.backtest.dataset import open_dataset  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.goal import Goal, safe_limit  # noqa: E402
from adjudge.backtest.points_order import PointsOrder  # noqa: E402
from adjudge.backtest.run import Runner  # noqa: E402
from adjudge.backtest.tunable_bands import STEPS_MAX, TunableBand, totals_to_try  # noqa: E402
from adjudge.backtest.tunable_points import TunablePoints, points_to_try, tunable_points  # noqa: E402
from adjudge.backtest.tunable_thresholds import TunableThreshold, tunable_thresholds  # noqa: E402
from adjudge.backtest.tunables import tunables, with_numbers  # noqa: E402
from adjudge.backtest.tune import Tuned, rewritten, tune  # noqa: E402

POLICY = """policy_language: 1
policy: tuned
inputs:
  score: {type: double, range: [0, 1]}
  trust: {type: int, range: [0, 100]}
thresholds:
  score: {review: 0.6, reject: 0.9}
rules:
  - {id: between, when: score > 0.3 && score <= 0.5 && trust < 40, then: review}
"""
START = datetime(2026, 1, 1, tzinfo=UTC)


def rows_of(seed: int, count: int = 400) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    rows = []
    for at in range(count):
        fraud = draw.random() < 0.2
        rows.append(
            {
                "score": min(1.0, max(0.0, round(draw.gauss(0.7 if fraud else 0.45, 0.2), 3))),
                "trust": draw.randrange(101) if draw.random() < 0.95 else None,
                "at": START + timedelta(hours=at),
                "label": draw.choice((None, "fraud" if fraud else "genuine")),
            }
        )
    return rows


def tuned_on(folder: Path, rows: list[dict[str, Any]], goal: Goal) -> Tuned:
    schema = pa.schema([("score", pa.float64()), ("trust", pa.int64()), ("at", pa.timestamp("us", "UTC")),
                        ("label", pa.string())])  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "rows.parquet")
    policy = parse_policy(POLICY)
    with connect(threads=1) as connection:
        return tune(connection, policy, open_dataset(connection, folder / "rows.parquet", policy.typed), goal)


def turned_away(text: str, rows: list[dict[str, Any]]) -> Counter[bool]:
    """Count genuine rows, and those among them that the engine rejects."""
    policy = parse_policy(text)
    genuine = [row for row in rows if row["label"] == "genuine"]
    return Counter(str(policy.evaluate({n: row[n] for n in ("score", "trust")}).outcome) == "reject" for row in genuine)


@pytest.fixture(autouse=True)
def _short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_PRICES", (2.0, 0.2))
    monkeypatch.setattr(search, "_QUANTILES", 10)
    monkeypatch.setattr(search, "ROUNDS_MAX", 1)


GOALS = (Goal(max_review=0.02), Goal(max_review=0.05, max_miss=0.05), Goal(review_cost=1.0, miss_cost=30.0))


@pytest.mark.parametrize(("seed", "goal"), list(enumerate(GOALS)))
def test_no_more_genuine_ones_are_turned_away_and_every_rule_can_still_decide(
    tmp_path: Path, seed: int, goal: Goal
) -> None:
    rows = rows_of(seed)
    tuned = tuned_on(tmp_path, rows, goal)
    text = rewritten(parse_policy(POLICY), tuned.values)
    learned = [row for row in rows if row["at"].replace(tzinfo=None) <= tuned.split]
    later = [row for row in rows if row["at"].replace(tzinfo=None) > tuned.split]
    assert turned_away(text, learned)[True] <= turned_away(POLICY, learned)[True]
    for at, side in enumerate((learned, later)):  # what is told of each side is what the engine makes of it
        for told, policy in ((tuned.now[at], POLICY), (tuned.then[at], text)):
            counted = turned_away(policy, side)
            assert (told.turned_away.hits, told.turned_away.of) == (counted[True], counted.total())
    proposal = parse_policy(text)
    before, after = parse_policy(POLICY), proposal
    for rule in before.typed.rules:
        fired = [
            sum(rule.id in policy.evaluate({n: row[n] for n in ("score", "trust")}).matched for row in learned)
            for policy in (before, after)
        ]
        assert fired[1] or not fired[0] or rule.id == "between", f"{rule.id} could never fire with {tuned.values}"
    numbers = {
        (threshold.where, threshold.operator): threshold.value for threshold in tunable_thresholds(proposal.typed)
    }
    assert numbers["between", ">"] < numbers["between", "<="]
    assert numbers["threshold:score:review", ">="] < numbers["threshold:score:reject", ">="]
    for values, result in tuned.frontier:
        assert result.turned_away.hits <= tuned.now[0].turned_away.hits, values


def test_rejecting_is_no_way_to_fewer_reviews(tmp_path: Path) -> None:
    """Genuine rows in review: a share of reviews that only rejecting them would keep."""
    rows: list[dict[str, Any]] = [
        {"score": 0.7 + at % 10 / 100, "trust": 50, "at": START + timedelta(hours=at),
         "label": "fraud" if at % 25 == 0 else "genuine"}
        for at in range(300)
    ]  # fmt: skip
    tuned = tuned_on(tmp_path, rows, Goal(max_review=0.0, max_miss=0.0))
    assert tuned.then[0].turned_away.hits == 0 == tuned.now[0].turned_away.hits


CASES = """policy_language: 1
policy: cases
inputs:
  score: {type: double, range: [0, 1]}
  country: string
thresholds:
  score:
    by: country
    SG: {review: 0.5, reject: 0.99}
    else: {review: 0.6, reject: 0.995}
rules: []
"""


def test_each_case_has_an_order_of_its_own() -> None:
    thresholds = {one.where: one for one in tunable_thresholds(parse_policy(CASES).typed)}
    standing = {one: one.value for one in thresholds.values()}
    first, other = thresholds["threshold:score:SG:review"], thresholds["threshold:score:else:review"]
    assert search._keeps_order(first, 0.7, standing) and search._keeps_order(other, 0.4, standing)
    assert not search._keeps_order(first, 0.995, standing)


def outcomes(text: str, rows: list[dict[str, Any]]) -> Counter[str]:
    """Count for each rule the rows on which it is true, and which have its outcome."""
    policy = parse_policy(text)
    found: Counter[str] = Counter()
    for row in rows:
        verdict = policy.evaluate({n: row[n] for n in ("score", "trust")})
        found.update(
            rule.id for rule in policy.typed.rules if rule.id in verdict.matched and rule.outcome is verdict.outcome
        )
    return found


@pytest.mark.parametrize("seed", range(3))
def test_no_rule_is_left_without_a_row_on_which_it_decides(tmp_path: Path, seed: int) -> None:
    rows = rows_of(seed)
    tuned = tuned_on(tmp_path, rows, Goal(max_review=0.001))
    assert tuned.split is not None
    learned = [row for row in rows if row["at"].replace(tzinfo=None) <= tuned.split]
    before, after = (outcomes(text, learned) for text in (POLICY, rewritten(parse_policy(POLICY), tuned.values)))
    assert before and before.keys() <= after.keys(), tuned.values


def test_what_a_few_rows_can_promise() -> None:
    assert safe_limit(0.04, 10_000) == pytest.approx(0.04 - 0.00196, abs=1e-5)
    assert safe_limit(0.04, 10) == 0.02
    assert safe_limit(0.04, 0) == 0.04


def test_threshold_that_is_left_alone_says_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "limits.csv").write_text("amount >=,then\n50,review\n")
    (tmp_path / "p.yaml").write_text(
        "policy_language: 1\npolicy: p\ninputs: {amount: double, share: double}\n"
        "thresholds: {share: {review: 0.5}}\ntables: {limits: {file: limits.csv}}\n"
    )
    policy = load_policy(tmp_path / "p.yaml")
    pq.write_table(pa.table({"amount": [1.0], "share": [0.1]}), tmp_path / "data.parquet")
    dataset = open_dataset(connect(), tmp_path / "data.parquet", policy.typed)
    free, fixed = tune_module._free(policy, dataset, ())
    assert [threshold.slot for threshold in free] == ["share"]
    assert [(threshold.slot, why) for threshold, why in fixed] == [("amount", f"stands in {tmp_path / 'limits.csv'}")]


CARD = """policy_language: 1
policy: card
inputs:
  score: {type: double, range: [0, 1]}
  trust: {type: int, range: [0, 100]}
rules: [{id: sure, when: score >= 0.999, then: reject}]
scorecard:
  points:
    - {when: score > 0.5, add: 20}
    - {when: score > 0.7, add: 25}
    - {when: trust < 30, add: 15}
    - {when: trust > 80, add: -10}
  bands:
    review: {at: 20, ask: [selfie]}
    reject: 60
steps: {selfie: Please take a selfie.}
"""


def card_tuned(folder: Path, rows: list[dict[str, Any]], goal: Goal, only: tuple[str, ...] = ("scorecard",)) -> Tuned:
    schema = pa.schema([("score", pa.float64()), ("trust", pa.int64()), ("at", pa.timestamp("us", "UTC")),
                        ("label", pa.string())])  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "rows.parquet")
    policy = parse_policy(CARD)
    with connect(threads=1) as connection:
        dataset = open_dataset(connection, folder / "rows.parquet", policy.typed)
        return tune(connection, policy, dataset, goal, only=only)


@pytest.mark.parametrize("seed", range(3))
def test_bands_are_turned_and_told_as_the_engine_has_them(tmp_path: Path, seed: int) -> None:
    rows = rows_of(seed)
    tuned = card_tuned(tmp_path, rows, Goal(max_review=0.12))
    assert tuned.values and all(isinstance(one, TunableBand) for one in tuned.values)
    text = rewritten(parse_policy(CARD), tuned.values)
    policy = parse_policy(text)
    card = policy.typed.scorecards["scorecard"]
    assert {one.band: value for one, value in tuned.values.items()}.items() <= {
        Outcome.REVIEW: card.review, Outcome.REJECT: card.reject,
    }.items()  # fmt: skip
    assert "ask: [selfie]" in text
    later = [row for row in rows if row["at"].replace(tzinfo=None) > tuned.split]
    found = Counter(str(policy.evaluate({n: row[n] for n in ("score", "trust")}).outcome) for row in later)
    assert (tuned.then[1].review.hits, tuned.then[1].review.of) == (found["review"], len(later))
    assert tuned.then[0].review.share < tuned.now[0].review.share
    assert tuned.then[0].turned_away.hits <= tuned.now[0].turned_away.hits
    assert card.review < card.reject


def test_band_that_decides_is_not_tuned_to_where_no_total_is(tmp_path: Path) -> None:
    rows = [{**row, "trust": 50 if row["trust"] is None else row["trust"]} for row in rows_of(1)]  # nothing in doubt
    tuned = card_tuned(tmp_path, rows, Goal(max_review=0.0))
    policy = parse_policy(rewritten(parse_policy(CARD), tuned.values))
    learned = [row for row in rows if row["at"].replace(tzinfo=None) <= tuned.split]
    found = Counter(str(policy.evaluate({n: row[n] for n in ("score", "trust")}).outcome) for row in learned)
    assert found["review"] and found["reject"]


def test_rows_of_a_scorecard_and_excuses_that_no_row_has_do_not_count(tmp_path: Path) -> None:
    excuse = "excuse: [{when: trust > 95, from: review}, {when: trust > 80 && score < 0.1, from: review}]\n"
    policy = parse_policy(CARD + excuse)
    pq.write_table(pa.table({"score": [0.6, 0.95, 0.1], "trust": [10, 50, 99]}), tmp_path / "rows.parquet")
    with connect(threads=1) as connection:
        dataset = open_dataset(connection, tmp_path / "rows.parquet", policy.typed)
        found = Runner(connection, policy, dataset).deciding()
        emptied = Runner(connection, policy, replace(dataset, relation=f"(from {dataset.relation} limit 1)")).deciding()
    decides = {"scorecard row 1 decides"}
    assert found == {"scorecard row 1", "scorecard row 2", "scorecard row 3", "scorecard row 4",
                     "excuse:excuse-1", "scorecard:review"} | decides  # fmt: skip
    assert emptied == {"scorecard row 1", "scorecard row 3", "scorecard:review"} | decides


def test_bands_and_thresholds_are_turned_together(tmp_path: Path) -> None:
    tuned = card_tuned(tmp_path, rows_of(2), Goal(review_cost=1.0, miss_cost=30.0), ())
    text = rewritten(parse_policy(CARD), tuned.values)
    later = [row for row in rows_of(2) if row["at"].replace(tzinfo=None) > tuned.split]
    policy = parse_policy(text)
    found = Counter(str(policy.evaluate({n: row[n] for n in ("score", "trust")}).outcome) for row in later)
    assert tuned.then[1].review.hits == found["review"]


@pytest.mark.parametrize(
    ("operator", "fine", "senseless"),
    [(">=", (2, 100), (0, 1, 101)), (">", (1, 99), (0, 100)), ("<", (1, 99), (0, 100)), ("<=", (0, 98), (-1, 99, 100))],
)
def test_number_is_passed_by_some_row_and_not_by_nearly_all(
    operator: str, fine: tuple[int, ...], senseless: tuple[int, ...]
) -> None:
    rule = f"{{id: r, when: score {operator} 5, then: review}}"
    text = f"policy_language: 1\npolicy: p\ninputs: {{score: int}}\nrules: [{rule}]"
    (threshold,) = tunable_thresholds(parse_policy(text).typed)
    ends = (0, 1, 99, 100)
    assert all(search._divides(threshold, value, ends) for value in fine)
    assert not any(search._divides(threshold, value, ends) for value in senseless)
    assert not search._divides(threshold, 5, None)


@pytest.mark.parametrize("seed", range(3))
def test_search_goes_on_where_what_is_best_takes_a_rule_its_rows(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To review nothing takes each review its rows: what is proposed is the best that leaves it some."""
    monkeypatch.setattr(search, "TRIED_MAX", 1)
    rows = rows_of(seed)
    tuned = tuned_on(tmp_path, rows, Goal(max_review=0.0, max_turned_away=1.0))
    learned = [row for row in rows if row["at"].replace(tzinfo=None) <= tuned.split]
    before, after = (outcomes(text, learned) for text in (POLICY, rewritten(parse_policy(POLICY), tuned.values)))
    assert before.keys() <= after.keys()
    assert tuned.then[0].review.hits < tuned.now[0].review.hits / 2


def points_of(text: str) -> dict[str, int]:
    return {row.name: row.points for row in parse_policy(text).typed.rows}


@pytest.mark.parametrize("seed", range(2))
def test_points_are_turned_and_told_as_the_engine_has_them(tmp_path: Path, seed: int) -> None:
    rows = rows_of(seed)
    tuned = card_tuned(tmp_path, rows, Goal(max_review=0.12), ("points",))
    assert tuned.values and all(isinstance(one, TunablePoints) for one in tuned.values)
    text = rewritten(parse_policy(CARD), tuned.values)
    now, then = points_of(CARD), points_of(text)
    assert {one.row: value for one, value in tuned.values.items()} == {
        name: points for name, points in then.items() if points != now[name]}  # fmt: skip
    assert all(points * then[name] > 0 and then[name] % 5 == 0 for name, points in now.items()), then
    assert all(abs(then[name]) <= 3 * abs(points) for name, points in now.items()), then
    assert then["row 1"] < then["row 2"], "the higher score still weighs more"
    assert then["row 3"] > then["row 4"]
    policy = parse_policy(text)
    assert policy.typed.scorecards["scorecard"].review == 20 and "ask: [selfie]" in text
    for side, told in zip(halves(rows, tuned), tuned.then, strict=True):
        found = Counter(str(policy.evaluate({n: row[n] for n in ("score", "trust")}).outcome) for row in side)
        assert (told.review.hits, told.review.of) == (found["review"], len(side))
    assert tuned.then[0].review.share < tuned.now[0].review.share
    assert tuned.then[0].turned_away.hits <= tuned.now[0].turned_away.hits


def halves(rows: list[dict[str, Any]], tuned: Tuned) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows that were learned from, and those that judge."""
    assert tuned.split is not None
    learned = [row for row in rows if row["at"].replace(tzinfo=None) <= tuned.split]
    return learned, [row for row in rows if row["at"].replace(tzinfo=None) > tuned.split]


def deciding(text: str, rows: list[dict[str, Any]]) -> set[str]:
    """Return what decides on some row by the engine itself: rules, bands, rows that are true, and that count."""
    policy = parse_policy(text)
    found: set[str] = set()
    for row in rows:
        given = {n: row[n] for n in ("score", "trust")}
        verdict = policy.evaluate(given)
        found |= {rule.id for rule in policy.typed.rules
                  if rule.id in verdict.matched and rule.outcome is verdict.outcome}  # fmt: skip
        for name, card in policy.typed.scorecards.items():
            low, high = verdict.totals[name]
            if alone(policy, name).evaluate(given).outcome is verdict.outcome is not Outcome.PASS:
                found.add(f"{card.label}:{verdict.outcome}")
            for one, points in zip(policy.explain(given).rows, card.rows, strict=True):
                if one.truth:
                    found.add(one.id)
                if one.truth and low == high and card.outcome_of(low) is not card.outcome_of(low - points.points):
                    found.add(f"{one.id} decides")
    return found


@pytest.mark.parametrize(("seed", "goal"), list(enumerate(GOALS)))
def test_nothing_that_is_proposed_or_shown_leaves_a_rule_or_a_row_dead(
    tmp_path: Path, seed: int, goal: Goal, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(seed, 200)
    tuned = card_tuned(tmp_path, rows, goal, ())
    learned, _ = halves(rows, tuned)
    wanted = deciding(CARD, learned)
    assert wanted >= {"row 1", "row 1 decides", "scorecard:review"}
    policy = parse_policy(CARD)
    shown = [tuned.values, *(values for values, _ in tuned.frontier)]
    assert 1 < len(shown) <= 1 + search.FRONTIER_MAX
    for values in shown:
        moved = {one for one in values if values[one] != one.value}
        needed = {name for name in wanted if not name.endswith(" decides")}
        needed |= wanted & {f"{one.row} decides" for one in moved if isinstance(one, TunablePoints)}
        assert needed <= deciding(rewritten(policy, values), learned), {one.name: values[one] for one in moved}


def test_numbers_that_are_named_are_turned_and_kept(tmp_path: Path) -> None:
    rows = rows_of(1, 200)

    def turned(*only: str, kept: tuple[str, ...] = ()) -> set[str]:
        free, fixed = tune_module._free(parse_policy(CARD), opened, only, kept)
        assert {why for _, why in fixed} <= {"not asked for", "is to be kept"}
        return {f"{one.slot} {one.where}" for one in free}

    card_tuned(tmp_path, rows, Goal(max_review=0.1), ("scorecard row 3",))
    policy = parse_policy(CARD)
    with connect(threads=1) as connection:
        opened = open_dataset(connection, tmp_path / "rows.parquet", policy.typed)
        every = turned()
        points = {f"points scorecard row {at}" for at in (1, 2, 3, 4)}
        bands = {"scorecard scorecard:review", "scorecard scorecard:reject"}
        assert turned("points") == points and turned("scorecard") == bands and points | bands < every
        assert turned("scorecard row 3") == {"points scorecard row 3", "trust scorecard row 3"}
        assert turned(kept=("points",)) == every - points
        assert turned("points", kept=("scorecard row 1",)) == points - {"points scorecard row 1"}
        assert turned(kept=("trust", "scorecard:review")) == {one for one in every if not one.startswith("trust")} - {
            "scorecard scorecard:review"}  # fmt: skip
        for named in ("point", "scorecard row 9"):
            with pytest.raises(DataError, match=f"has no threshold of {named}"):
                turned(kept=(named,))


WINDOWS = """policy_language: 1
policy: windows
inputs: {score: {type: int, range: [0, 100], riskier: higher}, other: int}
scorecard:
  points:
    - {when: score >= 20 && score < 50, add: 10}
    - {when: score >= 50, add: 25}
    - {when: score >= 40 && score < 50, add: 5}
    - {when: other > 5, add: 5}
    - {when: other > 5 && score > 3, add: 7}
  bands: {review: 20}
"""


def test_points_of_one_field_keep_their_rank_and_add_up_with_the_risk() -> None:
    policy = parse_policy(WINDOWS)
    every = tunables(policy.typed)
    standing = {one: one.value for one in every}
    order = PointsOrder(policy, every)
    window, above, _, other, both = (one for one in every if isinstance(one, TunablePoints))
    assert order.keeps(window, 15, standing) and order.keeps(above, 16, standing)
    assert not order.keeps(above, 10, standing), "the same as the window's"
    assert not order.keeps(window, 5, standing), "the same as that of a row that adds less"
    assert not order.keeps(window, 21, standing), "with 5 more below 50 than 25 above"
    assert not order.keeps(above, 14, standing)
    assert order.keeps(other, 40, standing) and order.keeps(both, 1, standing), "they read no one field as others do"
    edge = next(one for one in every if isinstance(one, TunableThreshold) and one.where == "scorecard row 2")
    assert not order.keeps(edge, 51, standing), "a gap in which nothing adds up"
    assert not order.keeps(edge, 49, standing), "both add up below 50"


@pytest.mark.parametrize(
    ("points", "at", "tried"),
    [
        ((20, 25, 15, -10), 0, [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60]),
        ((20, 25, 15, -10), 3, [-30, -25, -20, -15, -10, -5]),
        ((10, 40), 0, [5, 10, 15, 20, 25, 30]),
        ((3, 7), 0, list(range(1, 10))),
        ((300, 500), 0, [50, 100, 150, 200, 250, 300]),
    ],
)
def test_points_are_tried_as_people_write_them(points: tuple[int, ...], at: int, tried: list[int]) -> None:
    rows = ", ".join(f"{{when: n > {number}, add: {one}}}" for number, one in enumerate(points))
    head = "policy_language: 1\npolicy: p\ninputs: {n: int}\n"
    policy = parse_policy(f"{head}scorecard: {{points: [{rows}], bands: {{review: 20, reject: 60}}}}\n")
    one = tunable_points(policy.typed)[at]
    assert points_to_try(one, policy.typed.scorecards["scorecard"]) == tried


def test_points_that_an_expression_says_are_left_alone() -> None:
    head = "policy_language: 1\npolicy: p\ninputs: {n: {type: int, range: [0, 3]}, flag: bool}\n"
    rows = "{when: flag && n > 1, add: 10 * n}, {when: flag, add: 0}, {when: flag, add: +5}"
    policy = parse_policy(f"{head}scorecard: {{points: [{rows}], bands: {{review: 20}}}}\n")
    assert [one.name for one in tunable_points(policy.typed)] == ["scorecard row 3 adds +5"]
    (threshold,) = tunable_thresholds(policy.typed)
    assert threshold.name == "n > 1 (scorecard row 1)", "once, however many steps the row has"
    moved = with_numbers(policy, {threshold: 2})
    assert moved.evaluate({"flag": True, "n": 2}).score == (5, 5)
    assert moved.evaluate({"flag": True, "n": 3}).score == (35, 35)
    assert rewritten(policy, {tunable_points(policy.typed)[0]: 15}).count("add: 15") == 1


@pytest.mark.parametrize(("low", "high", "step"), [(-10, 60, 2), (0, 20, 1), (0, 1000, 50), (5, 5, 1)])
def test_totals_are_tried_as_people_write_them(low: int, high: int, step: int) -> None:
    band = TunableBand(card="scorecard", label="scorecard", band=Outcome.REVIEW, value=7, span=Span(0, 1))
    tried = [total for total in totals_to_try(band, low, high) if total != 7]
    assert all(total % step == 0 and low < total <= high for total in tried)
    assert len(tried) <= STEPS_MAX + 1
