"""Entries of lists that end: the same answer live, in the log, in SQL and in proofs, by the decision's clock."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from adjudge.errors import PolicyErrors
from adjudge.expr.reference import Unknown, evaluate
from adjudge.policy import Policy, load_policy, parse_policy
from adjudge.policy.loading.load import read_policy

HEAD = "policy_language: 1\npolicy: p\ninputs: {name: string, tags: {type: list, of: string}}\n"
RULES = """rules:
  - {id: bad, when: name in lists.bad, then: reject}
  - {id: part, when: 'lists.bad.exists(b, name.contains(b))', then: review}
  - {id: many, when: 'tags.exists(t, t in lists.bad)', then: review}
"""
TABLE = """value,until,by,note
Ann,,eve,
"Smith, Bob",2026-12-01,eve,"agreed, twice"
Cyd,2027-01-01T08:00:00+08:00,,
Dee,2026-12-01,,
Dee,2027-06-01,,
Eli,2026-12-01,,
Eli,,,
"""
NAMES = ("Ann", "Smith, Bob", "Cyd", "Dee", "Eli", "Fay", None)
MOMENTS = {
    "2026-11-30T23:59:59Z": {"Ann", "Smith, Bob", "Cyd", "Dee", "Eli"},
    "2026-12-01T00:00:00Z": {"Ann", "Cyd", "Dee", "Eli"},
    "2026-12-31T23:59:59Z": {"Ann", "Cyd", "Dee", "Eli"},
    "2027-01-01T00:00:00Z": {"Ann", "Dee", "Eli"},
    "2027-06-01T00:00:00Z": {"Ann", "Eli"},
}


def policy(folder: Path, table: str = TABLE, rules: str = RULES) -> Policy:
    (folder / "bad.csv").write_text(table, "utf-8")
    (folder / "p.yaml").write_text(HEAD + "lists: {bad: {file: bad.csv}}\n" + rules, "utf-8")
    return load_policy(folder / "p.yaml")


@pytest.mark.parametrize("moment", MOMENTS)
def test_entry_counts_until_its_time(moment: str, tmp_path: Path) -> None:
    made, now = policy(tmp_path), datetime.fromisoformat(moment)
    for name in NAMES:
        given = {"name": name, "tags": [name]} if name else {"tags": []}
        verdict = made.evaluate(given, now=now)
        assert ("bad" in verdict.matched) == (name in MOMENTS[moment])
        assert ("bad" in verdict.unresolved) == (name is None)
        assert ("many" in verdict.matched) == (name in MOMENTS[moment])
        values = {**made.read(given, now=now).values, **made.typed.constants}
        for rule in made.typed.rules:
            answer = evaluate(rule.condition, values)
            assert (rule.id in verdict.matched) == (answer is True)
            assert (rule.id in verdict.unresolved) == isinstance(answer, Unknown)


def test_the_log_loads_it_again_from_the_texts(tmp_path: Path) -> None:
    made = policy(tmp_path)
    again = read_policy(made.typed.source.text, "p", texts=made.typed.texts)
    assert again.digest == made.typed.digest and again.lists == made.typed.lists and again.rules == made.typed.rules


def test_sql_has_the_live_answer(tmp_path: Path) -> None:
    pytest.importorskip("duckdb", reason="needs the extra `backtest`")
    from adjudge.backtest.dataset import open_dataset
    from adjudge.backtest.duck import connect
    from adjudge.backtest.run import Runner

    made = policy(tmp_path, rules=RULES.replace("  - {id: many", "#"))
    rows = [f'{moment},"{name or ""}"' for moment in MOMENTS for name in NAMES]
    (tmp_path / "rows.csv").write_text("at,name\n" + "\n".join(rows) + "\n", "utf-8")
    with connect(threads=1) as connection:
        runner = Runner(connection, made, open_dataset(connection, tmp_path / "rows.csv", made.typed))
        assert all(one.is_rare for one in runner.sql.fallbacks)
        found = [(row.matched, row.unresolved) for row in runner.rows()]
    expected = [
        made.evaluate({"name": name} if name else {}, now=datetime.fromisoformat(moment))
        for moment in MOMENTS
        for name in NAMES
    ]
    assert found == [(one.matched, one.unresolved) for one in expected]


def test_entry_is_a_mapping_where_a_list_is_written_out() -> None:
    made = parse_policy(
        HEAD + "lists: {bad: [Ann, {value: Bob, until: 2026-12-01, by: eve, note: agreed}]}\n"
        "rules: [{id: bad, when: name in lists.bad, then: reject}]\n"
    )
    for name, moment, outcome in (
        ("Ann", datetime(2030, 1, 1, tzinfo=UTC), "reject"),
        ("Bob", datetime(2026, 11, 30, tzinfo=UTC), "reject"),
        ("Bob", datetime(2026, 12, 1, tzinfo=UTC), "pass"),
    ):
        assert made.evaluate({"name": name}, now=moment).outcome == outcome
    (entry,) = made.typed.entries["bad"]
    assert (entry.value, entry.by, entry.note) == ("Bob", "eve", "agreed")


def test_a_list_without_ends_is_left_as_it_is(tmp_path: Path) -> None:
    made = policy(tmp_path, "value,until,by,note\nAnn,,eve,\nBob,,,\n")
    assert made.typed.lists == {"bad": ("Ann", "Bob")} and not made.typed.entries
    plain = parse_policy(HEAD + "lists: {bad: [Ann, Bob]}\n" + RULES)
    assert made.typed.conditions == plain.typed.conditions


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        ("value,until\nAnn,soon\n", 2, "`until` must be a date, or a time with its zone"),
        ("value,until\nAnn,2026-12-01,x\n", 2, "3 cells where the header has 2"),
        ("# c\nvalue,untill\nAnn,\n", 2, "there is no column `untill`"),
        ("value,by,by\nAnn,,\n", 1, "the column `by` stands twice"),
        ("value,until\nAnn,\n,2026-12-01\n", 3, "this entry has no value"),
        ('value,until\n"Ann,\n', 2, "this is no record of a table: unexpected end of data"),
        ("value,until\nAnn\u200b,\n", 2, "U+200B ZERO WIDTH SPACE is invisible"),
        ("value,until\nAnn\u00a0Lee,\n", 2, "U+00A0 NO-BREAK SPACE is not a plain space"),
    ],
)
def test_mistake_in_a_table_has_its_line(table: str, line: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyErrors) as caught:
        policy(tmp_path, table)
    error = caught.value.errors[0]
    assert (error.file, error.line, error.message) == ("bad.csv", line, message)


def test_other_questions_about_a_list_whose_entries_end_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyErrors) as caught:
        policy(tmp_path, rules="rules: [{id: r, when: size(lists.bad) > 3, then: review}]\n")
    assert [error.code for error in caught.value.errors] == ["list-entry"]
