"""Points that an expression says come to its value, or while that is unknown to all that it can be."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from adjudge.errors import PolicyErrors
from adjudge.policy import Policy, parse_policy
from expr.strategies import integers, one_of

COUNTRIES = ("SG", "ID", "KP")
HEAD = """policy_language: 1
policy: weighed
inputs: {country: string, kind: {type: enum, values: [web, app]}, flag: bool, tries: {type: int, range: [0, 3]}}
"""


@st.composite
def tables(draw: DrawFn) -> tuple[dict[str, int], int | None]:
    """Return the points of some countries, and of all others where they have some."""
    values = {country: draw(integers(-4, 6)) for country in COUNTRIES[: draw(integers(1, 3))]}
    return values, draw(st.none() | integers(-4, 6))


def policy_of(values: dict[str, int], otherwise: int | None, add: str, when: str) -> Policy:
    """Return a policy of one row of points."""
    said = ", ".join(f"{country}: {points}" for country, points in values.items())
    rest = f", else: {otherwise}" if otherwise is not None else ""
    guard = f"when: {when}, " if when else ""
    return parse_policy(
        f"{HEAD}lookup:\n  weight: {{by: country, values: {{{said}}}{rest}}}\n"
        f"scorecard:\n  points: [{{{guard}add: {add}}}]\n  bands: {{review: 3, reject: 5}}\n"
    )


ADDS = {"weight": (1, 0), "-weight": (-1, 0), "2 * weight - 3": (2, -3), "weight + 1": (1, 1)}


@settings(deadline=None)
@given(tables(), st.sampled_from(sorted(ADDS)), st.sampled_from(("", "flag")), st.data())
@example(({"SG": 2}, None), "weight", "", None)
def test_the_total_is_the_value_or_all_that_it_can_be(
    table: tuple[dict[str, int], int | None], add: str, when: str, data: st.DataObject | None
) -> None:
    values, otherwise = table
    times, more = ADDS[add]
    policy = policy_of(values, otherwise, add, when)
    country = one_of(data.draw, (*COUNTRIES, "PH", None)) if data else "PH"
    flag = one_of(data.draw, (True, False, None)) if data else None
    known = {key: value for key, value in (("country", country), ("flag", flag)) if value is not None}

    here = values.get(str(country), otherwise) if country is not None else None
    every = [*values.values()] if otherwise is None else [*values.values(), otherwise]
    possible = [times * one + more for one in ([here] if here is not None else every)]
    if here is None and otherwise is None:  # a key that no row covers has no points of its own
        possible.append(0)
    if when and flag is not True:
        possible = [0] if flag is False else [*possible, 0]
    assert policy.evaluate(known).score == (min(possible), max(possible))


@pytest.mark.parametrize(
    ("country", "kind", "total"),
    [("SG", "web", (1, 1)), ("SG", None, (-7, 4)), ("ID", "app", (-2, -2)), (None, "web", (-7, 4))],
)
def test_maps_in_maps_and_choices_are_listed(country: str | None, kind: str | None, total: tuple[int, int]) -> None:
    text = """scorecard:
  points: [{add: 'country == "SG" ? {"web": 1, "app": 4}[kind] : {"web": -7, "app": -2}[kind]'}]
  bands: {review: 3}
"""
    known = {key: value for key, value in (("country", country), ("kind", kind)) if value is not None}
    assert parse_policy(HEAD + text).evaluate(known).score == total


def test_a_field_of_few_numbers_is_points() -> None:
    policy = parse_policy(HEAD + "scorecard:\n  points: [{add: 10 * tries}]\n  bands: {review: 20}\n")
    assert policy.evaluate({"tries": 2}).score == (20, 20)
    assert policy.evaluate({}).score == (0, 30)
    assert [row.name for row in policy.typed.rows] == [f"row 1 at {at} or more" for at in (10, 20, 30)]


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        ("{add: size(country)}", "type-points", "lookup table"),
        ("{add: nothing}", "name-unknown", "`nothing`"),
        ("{add: 2000000 * tries}", "schema-range", "6,000,000"),
        ("{when: flag, add: 40 points}", "schema-type", "integer"),
        ("{add: 40}", "schema-missing", "`when`"),
        ("{add: flag}", "type-mismatch", "int"),
        ('{when: flag, add: "1,000"}', "schema-type", "1000"),
    ],
)
def test_other_points_are_refused_at_their_place(row: str, code: str, words: str) -> None:
    with pytest.raises(PolicyErrors) as raised:
        parse_policy(f"{HEAD}scorecard:\n  points: [{row}]\n  bands: {{review: 20}}\n")
    (error,) = raised.value.errors
    assert (error.code, error.line) == (code, 5)
    assert words in f"{error.message} {error.hint}"
