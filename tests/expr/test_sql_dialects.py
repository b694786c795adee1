"""A dialect is all that it has to say, and whoever translates asks it, not its name."""

from __future__ import annotations

import pytest

from adjudge.backtest.query import policy_sql
from adjudge.expr.sql.dialects.dialect import Dialect
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.expr.sql.dialects.spark import SPARK
from adjudge.policy import Policy, parse_policy
from expr.conditions import EXACT, HEAD, LOOSE, WRITTEN


@pytest.fixture(scope="module")
def policy() -> Policy:
    rule = "  - {{id: r{}, when: '{}', then: review}}\n"
    rules = [rule.format(at, text.replace("'", "''")) for at, text in enumerate([*EXACT, *LOOSE, *WRITTEN])]
    return parse_policy(HEAD + "rules:\n" + "".join(rules))


def twin(dialect: Dialect) -> Dialect:
    """Return another dialect, of another class and name, with the same words."""
    words = {name: value for name, value in vars(type(dialect)).items() if name != "__doc__"}
    made = type("Twin", (Dialect,), {**words, "name": "twin"})()
    assert isinstance(made, Dialect)
    return made


@pytest.mark.parametrize("dialect", [DUCKDB, SPARK], ids=lambda dialect: dialect.name)
def test_another_dialect_with_the_same_words_makes_the_same_sql(policy: Policy, dialect: Dialect) -> None:
    columns = {slot: dialect.column(slot) for slot in policy.typed.slots}
    assert policy_sql(policy, columns, twin(dialect)).conditions == policy_sql(policy, columns, dialect).conditions


@pytest.mark.parametrize("dialect", [DUCKDB, SPARK], ids=lambda dialect: dialect.name)
def test_each_says_all_of_its_own_facts_and_words(dialect: Dialect) -> None:
    facts = {"name", "divides_doubles_by_zero", "has_engine_beside"}
    own = vars(type(dialect))
    assert own.keys() >= {*facts, *Dialect.__abstractmethods__}, "each says every fact and word itself"
    assert facts == {name for name in Dialect.__annotations__ if not name.startswith("_")}


def test_one_that_lacks_a_word_cannot_be_made() -> None:
    words = {name: value for name, value in vars(type(SPARK)).items() if name != "entry"}
    with pytest.raises(TypeError, match="entry"):
        type("Short", (Dialect,), words)()


def test_the_sum_of_a_list_in_each() -> None:
    assert DUCKDB.total("l") == "list_sum(l)"
    assert SPARK.total("l") == "aggregate(l, 0L, (sum, each) -> sum + each)"
