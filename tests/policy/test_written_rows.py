"""A row is told as it is written, however many steps it is for whoever decides."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.policy import parse_policy
from adjudge.policy.written_rows import conditions_written, points_said, rows_written, written_rows
from policy.scorecard_pairs import known, weighed_pairs

TEXT = """policy_language: 1
policy: weighed
inputs: {country: string, tries: {type: int, range: [0, 3]}, flag: bool}
lookup:
  weight: {by: country, values: {SG: -5, ID: 10, PH: 25}, else: 40}
  nothing: {by: country, values: {SG: 0}, else: 0}
scorecard:
  points:
    - {id: by-country, when: flag, add: 2 * weight}
    - {when: tries > 1, add: 10}
    - {add: tries}
    - {id: none, add: nothing}
  bands: {review: 40}
"""


def test_rows_are_put_together_again() -> None:
    policy = parse_policy(TEXT).typed
    found = written_rows(policy.scorecards["scorecard"])
    assert [(row.id, row.said, row.ends, len(row.steps)) for row in found] == [
        ("by-country", "2 * weight when flag", (-10, 80), 4),
        ("row 2", "+10 when tries > 1", (0, 10), 1),
        ("row 3", "tries", (0, 3), 3),
        ("none", "nothing", (0, 0), 1),
    ]
    assert [step for row in found for step in row.steps] == [*policy.rows], "no step is lost, and none stands twice"
    assert [row.row.place for row in found][::2] == ["`by-country` of the scorecard", "row 3 of the scorecard"]
    assert len(conditions_written(policy)) == 5


def test_two_rows_alike_are_two() -> None:
    text = TEXT.replace("{add: tries}", "{add: tries}\n    - {add: tries}")
    assert [row.id for row in rows_written(parse_policy(text).typed)] == [
        "by-country",
        "row 2",
        "row 3",
        "row 4",
        "none",
    ]


def test_an_explanation_has_each_row_once_with_what_it_adds() -> None:
    policy = parse_policy(TEXT)
    told = policy.explain({"country": "PH", "tries": 2, "flag": True})
    assert [(one.id, one.points, one.truth) for one in told.rows] == [
        ("by-country", 50, True), ("row 2", 10, True), ("row 3", 2, True), ("none", 0, False)]  # fmt: skip
    assert [*told.rows[0].lines()][:3] == [
        "by-country → +50 points  (policy.yaml:9)", "  2 * weight when flag is 50", "    flag is true"]  # fmt: skip
    doubt = policy.explain({"tries": 0, "flag": True}).rows[0]
    assert (doubt.points, doubt.truth, doubt.data()["points"]) == ((-10, 80), None, (-10, 80))
    assert next(doubt.lines()) == "by-country → -10 to +80 points  (policy.yaml:9)"
    assert "`country` is unknown" in str(doubt.why)
    personal = parse_policy(TEXT.replace("country: string", "country: {type: string, personal: true}"))
    assert "50" not in str(personal.explain({"country": "PH", "tries": 2, "flag": True}).rows[0].condition)


@settings(max_examples=100, deadline=None)
@given(weighed_pairs(), known())
def test_what_rows_add_is_the_total(pair: tuple[object, object], one: dict[str, object]) -> None:
    policy = pair[0]
    assert hasattr(policy, "explain")
    told = policy.explain(one)
    ends = [row.points if isinstance(row.points, tuple) else _of(row) for row in told.rows]
    total = tuple(sum(end[at] for end in ends) for at in (0, 1))
    assert total == told.verdict.score, [(row.id, row.points, row.truth) for row in told.rows]


def _of(row: object) -> tuple[int, int]:
    """Return what a row adds for certain or not, whose points are a number."""
    points, truth = row.points, row.truth  # type: ignore[attr-defined]
    return (points, points) if truth else (0, 0) if truth is False else (min(points, 0), max(points, 0))


@given(st.integers(-9, 9), st.integers(0, 9))
def test_points_are_said_with_their_signs(low: int, more: int) -> None:
    said = points_said((low, low + more))
    assert [int(part) for part in said.split(" to ")] == [*dict.fromkeys((low, low + more))]
    assert all(part[0] in "+-0" for part in said.split(" to "))
