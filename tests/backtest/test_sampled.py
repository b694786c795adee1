"""Where passes were sampled, labels of what was drawn stand for what was not: measures say what is true of all rows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from adjudge import Engine, Registry
from adjudge.audit.trail import AuditTrail
from adjudge.model import Outcome
from adjudge.policy import Policy, parse_policy

pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pa = pytest.importorskip("pyarrow", reason="needs the extra `backtest`")
pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra `backtest`")

from adjudge.backtest.dataset import open_dataset  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.export import export  # noqa: E402
from adjudge.backtest.goal import Goal  # noqa: E402
from adjudge.backtest.measures import Measures, Ratio, measure  # noqa: E402
from adjudge.backtest.run import Runner  # noqa: E402
from adjudge.backtest.tune import tune  # noqa: E402
from backtest.backtest_logs import decide_all  # noqa: E402

POLICY = """policy_language: 1
policy: shop
inputs: {score: {type: double, range: [0, 1], riskier: higher}}
thresholds: {score: {review: REVIEW}}
"""
SHARE = 0.05


def policy(review: float) -> Policy:
    return parse_policy(POLICY.replace("REVIEW", str(review)))


def written(
    path: Path,
    *,
    sampled: bool,
    found_otherwise: float = 0.0,
    rows: int = 40_000,
    drawn_in: tuple[float, float] = (0, 1),
) -> float:
    """Write decisions of a policy that reviews from 0.8, and return the true share of frauds that it caught.

    Fraud grows with the score, and what passed has a label if it was drawn, or, rarely, was found otherwise: those are
    frauds only. drawn_in: the part of the time in which passes were drawn.
    """
    random, columns = Random(7), {"score": [], "label": [], "outcome": [], "sampled_share": [], "at": []}
    caught = frauds = 0
    for at in range(rows):
        score = random.random()
        is_fraud = random.random() < score**4 / 2
        is_review = score >= 0.8
        drawn = not is_review and random.random() < SHARE and drawn_in[0] <= at / rows <= drawn_in[1]
        is_told = is_review or drawn or (is_fraud and random.random() < found_otherwise)
        frauds, caught = frauds + is_fraud, caught + (is_fraud and is_review)
        columns["score"].append(score)
        columns["label"].append(("fraud" if is_fraud else "genuine") if is_told else None)
        columns["outcome"].append("review" if is_review else "pass")
        columns["sampled_share"].append(SHARE if drawn else None)
        columns["at"].append(1_780_000_000_000_000 + at * 1_000_000)
    table = pa.table({**columns, "at": pa.array(columns["at"], pa.timestamp("us", "UTC"))})
    pq.write_table(table if sampled else table.drop_columns(["sampled_share"]), path)
    return caught / frauds


def measured(path: Path, one: Policy) -> Measures:
    with connect(threads=1) as connection:
        return measure(Runner(connection, one, open_dataset(connection, path, one.typed)).backtest().cells)


@pytest.mark.parametrize("found_otherwise", [0.0, 0.3])
def test_share_of_frauds_caught_is_that_of_all_rows(tmp_path: Path, found_otherwise: float) -> None:
    true = written(tmp_path / "sampled.parquet", sampled=True, found_otherwise=found_otherwise)
    found = measured(tmp_path / "sampled.parquet", policy(0.8)).caught
    assert found.share is not None and found.interval is not None
    assert abs(found.share - true) < 0.05
    assert found.interval[0] < true < found.interval[1]
    written(tmp_path / "plain.parquet", sampled=False, found_otherwise=found_otherwise)
    plain = measured(tmp_path / "plain.parquet", policy(0.8)).caught
    assert plain.share is not None and plain.share > true + 0.1  # labels that only reviews have flatter


@pytest.mark.parametrize("drawn_in", [(0.6, 1), (0, 0.4), (0.3, 0.7)])
def test_labels_of_a_time_without_a_sample_count_for_nothing(tmp_path: Path, drawn_in: tuple[float, float]) -> None:
    true = written(tmp_path / "part.parquet", sampled=True, drawn_in=drawn_in)
    found = measured(tmp_path / "part.parquet", policy(0.8)).caught
    assert found.share is not None and found.interval is not None
    assert found.interval[0] < true < found.interval[1]
    with connect(threads=1) as connection:
        told, _ = open_dataset(connection, tmp_path / "part.parquet", policy(0.8).typed).notes
    assert "labels of decisions before 2026-" in told


def test_interval_is_as_wide_as_the_drawn_rows_make_it(tmp_path: Path) -> None:
    written(tmp_path / "sampled.parquet", sampled=True)
    found = measured(tmp_path / "sampled.parquet", policy(0.8)).caught
    as_if_each_were_one = Ratio(found.hits, found.of).interval
    assert found.interval is not None and as_if_each_were_one is not None and found.worth is not None
    assert found.worth < found.of
    assert found.interval[1] - found.interval[0] > as_if_each_were_one[1] - as_if_each_were_one[0]


def test_counts_of_rows_and_of_labels_stay_what_they_are(tmp_path: Path) -> None:
    written(tmp_path / "sampled.parquet", sampled=True, rows=2000)
    found = measured(tmp_path / "sampled.parquet", policy(0.8))
    assert sum(one.rows for one in found.outcomes.values()) == found.rows == found.settled.of == 2000
    assert found.labelled.hits == sum(one.fraud + one.genuine for one in found.outcomes.values())
    assert all(one.unlabelled >= 0 for one in found.outcomes.values())


def test_share_of_nothing_drawn_changes_nothing(tmp_path: Path) -> None:
    """An export has the column although no policy has a sample."""
    columns = {"score": [0.1, 0.9], "label": ["fraud", "fraud"], "outcome": ["pass", "review"]}
    shares = pa.array([None, None], pa.float64())
    pq.write_table(pa.table({**columns, "sampled_share": shares}), tmp_path / "none.parquet")
    found = measured(tmp_path / "none.parquet", policy(0.8)).caught
    assert (found.hits, found.of, found.worth) == (1, 2, None)


def test_reader_is_told_what_counts(tmp_path: Path) -> None:
    written(tmp_path / "sampled.parquet", sampled=True, found_otherwise=0.5, rows=2000)
    with connect(threads=1) as connection:
        *_, note = open_dataset(connection, tmp_path / "sampled.parquet", policy(0.8).typed).notes
    assert note.startswith("passes were sampled: what labels say of ")
    assert note.endswith("that passed and were not drawn count for nothing")


def test_tuning_judges_by_what_is_true_of_all_rows(tmp_path: Path) -> None:
    written(tmp_path / "sampled.parquet", sampled=True)
    with connect(threads=1) as connection:
        one = policy(0.8)
        dataset = open_dataset(connection, tmp_path / "sampled.parquet", one.typed)
        tuned = tune(connection, one, dataset, Goal(max_miss=0.3))
    now, then = tuned.now[0].miss.share, tuned.then[0].miss.share
    assert now is not None and then is not None
    assert abs(now - 0.8**5) < 0.06 and then <= 0.3  # what passes below 0.8, and not the 2% that labels alone would say


def test_export_of_a_log_with_a_sample_is_weighed(tmp_path: Path) -> None:
    sampled = parse_policy(POLICY.replace("REVIEW", "0.8") + "sample: {share: 50%}\n")
    decisions = decide_all(tmp_path / "log", sampled, [{"score": at / 200} for at in range(200)])
    drawn = [one for one in decisions if one.sampled is not None]
    assert drawn and all(one.outcome is Outcome.REVIEW for one in drawn)

    async def label() -> None:
        trail = AuditTrail.open(tmp_path / "log", durability="flush")
        async with Engine([sampled], registry=Registry(), trail=trail) as engine:
            for one, said in zip(drawn, ("fraud", "genuine"), strict=False):
                await engine.label(one.decision_id, one.merchant_biz_id, said, source="QA")

    asyncio.run(label())
    export(tmp_path / "log", tmp_path / "out")
    with connect(threads=1) as connection:
        dataset = open_dataset(connection, tmp_path / "out", sampled.typed)
        assert "sampled_share" in dataset.roles
        result = Runner(connection, sampled, dataset).backtest()
    found = measure(result.cells)
    assert found.outcomes[Outcome.PASS].rows == sum(one.verdict.outcome is Outcome.PASS for one in decisions)
    assert (found.caught.hits, found.caught.of) == (0, 2)  # one that was drawn at 50% stands for two
