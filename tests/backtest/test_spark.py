"""Policies as Spark SQL against the judge, in a Spark on this machine. Opt-in, since Spark is half a gigabyte:

pip install pyspark          # and Java 17
python -m pytest tests/backtest/test_spark.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adjudge.model import OUTCOMES
from adjudge.policy import Policy, parse_policy
from adjudge.policy.slots import NOW as NOW_SLOT
from policy.random_policies import NOW, policies, requests

pyspark = pytest.importorskip("pyspark", reason="opt-in: pip install pyspark, with Java 17")
pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

import pyarrow.parquet as pq  # noqa: E402

from adjudge.backtest import query  # noqa: E402
from adjudge.backtest.export import export  # noqa: E402
from adjudge.backtest.query import policy_sql  # noqa: E402
from adjudge.expr.reference import Unknown, evaluate  # noqa: E402
from adjudge.expr.sql.dialects.spark import SPARK  # noqa: E402
from adjudge.expr.sql.translate import Translator  # noqa: E402
from adjudge.expr.sql.value import NotTranslatable  # noqa: E402
from backtest.backtest_logs import decide_all  # noqa: E402
from expr.conditions import EXACT, HEAD, LOOSE, WRITTEN, inputs  # noqa: E402
from expr.sql_tables import table  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of Spark's own


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.datetimeRebaseModeInRead", "CORRECTED")
        .config("spark.sql.shuffle.partitions", "1")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


def rows_of(spark: Any, policy: Policy, given_: list[dict[str, object]], folder: Path) -> list[dict[str, object]]:
    """Register `decisions`, and return the slots' values, unknown ones as None, in the same order."""
    types = {name: declared.type for name, declared in policy.typed.slots.items()}
    rows = [dict(policy.read(one, now=NOW).values) for one in given_]
    made = table(types, rows)
    made = made.append_column("place", [list(range(len(rows)))])
    pq.write_table(made, folder / "rows.parquet")
    spark.read.parquet(str(folder / "rows.parquet")).createOrReplaceTempView("decisions")
    return rows


def _drawn(count: int) -> list[dict[str, object]]:
    drawn: list[dict[str, object]] = []

    @settings(max_examples=count, phases=[Phase.generate], database=None, derandomize=True)
    @given(inputs())
    def draw(one: dict[str, object]) -> None:
        drawn.append(one)

    draw()
    assert len(drawn) > count // 2
    return drawn


def test_every_kind_of_condition_agrees(spark: Any, tmp_path: Path) -> None:
    texts = [*EXACT, *LOOSE, *WRITTEN]
    rule = "  - {{id: r{}, when: '{}', then: review}}\n"
    rules = "".join(rule.format(at, text.replace("'", "''")) for at, text in enumerate(texts))
    policy = parse_policy(HEAD + "rules:\n" + rules)
    given_ = _drawn(200)
    rows = rows_of(spark, policy, given_, tmp_path)
    lists = {f"lists.{name}": members for name, members in policy.typed.lists.items()}
    columns = {slot: SPARK.column(slot) for slot in policy.typed.slots}
    translated: dict[str, str] = {}
    for text, rule in zip(texts, policy.typed.rules, strict=True):
        try:
            translated[text] = Translator(columns, lists=lists, dialect=SPARK).condition(rule.condition)
        except NotTranslatable:
            continue
    assert len(translated) > 60
    trees = {text: rule.condition for text, rule in zip(texts, policy.typed.rules, strict=True)}
    for text, sql in translated.items():
        answers = [row[0] for row in spark.sql(f"select {sql} from decisions order by place").collect()]
        for answer, row in zip(answers, rows, strict=True):
            expected = evaluate(trees[text], {**row, **lists})
            assert answer == (None if isinstance(expected, Unknown) else expected), f"{text}\n{row}\n{sql}"


@settings(max_examples=40, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_row_has_the_verdict_that_the_engine_gives(
    spark: Any, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    policy = data.draw(policies())
    given_ = [data.draw(requests(policy)) for _ in range(12)]
    rows_of(spark, policy, given_, tmp_path_factory.mktemp("rows"))
    sql = policy_sql(policy, {slot: SPARK.column(slot) for slot in policy.typed.slots}, SPARK)
    if sql.fallbacks:
        return
    found = spark.sql(
        f"select {sql.outcome}, {sql.lower}, {sql.upper} from {query.rows_of('decisions', [sql], ['place'])}"
        " order by place"
    ).collect()
    for row, one in zip(found, given_, strict=True):
        verdict = policy.evaluate(one, now=NOW)
        said = tuple(OUTCOMES[severity] for severity in row)
        assert said == (verdict.outcome, verdict.lower, verdict.upper), f"{policy.typed.source.text}\n{one}"


def test_spark_reads_an_export(spark: Any, tmp_path: Path) -> None:
    policy = parse_policy(
        "policy_language: 1\npolicy: selfie\ninputs: {country: string}\n"
        "signals: {device: {fields: {score: int, tags: {type: set, values: [a, b]}}}}\n"
        "rules: [{id: high, when: device.score > 50, then: review}]\n"
    )
    decisions = decide_all(tmp_path / "log", policy, [
        {"country": "SG", "device": {"score": score, "tags": ["a", "new"]}} for score in (10, 70, None)
    ])  # fmt: skip
    export(tmp_path / "log", tmp_path / "out")
    spark.read.parquet(str(tmp_path / "out" / "selfie")).createOrReplaceTempView("decisions")
    columns = {slot: SPARK.column(f"signals.{slot}") for slot in ("device.score", "device.tags", "device.novel_tags")}
    sql = policy_sql(policy, {**columns, "country": "`inputs.country`", NOW_SLOT: "`at`"}, SPARK)
    rows = query.rows_of("decisions", [sql], ["outcome", "seq"])
    found = spark.sql(f"select outcome, {sql.outcome} from {rows} order by seq").collect()
    assert [row[0] for row in found] == [decision.outcome for decision in decisions] == ["pass", "review", "review"]
    assert [OUTCOMES[row[1]] for row in found] == ["pass", "review", "review"]
