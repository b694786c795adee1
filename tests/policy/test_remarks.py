"""What a policy says beside its rules: periods, messages, tags, reasons, calibrations, built-in lists."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from importlib import resources

import pytest

from adjudge.errors import PolicyErrors
from adjudge.model import Outcome
from adjudge.policy import Policy, parse_policy
from adjudge.policy.explaining.messages import in_locale
from adjudge.policy.loading.builtin_lists import BUILTIN
from adjudge.policy.loading.load import read_policy

HEAD = """policy_language: 1
policy: remarks
inputs: {country: string, share: {type: double, range: [0, 1]}, email: {type: string, personal: true}}
"""


def rule(text: str) -> Policy:
    return parse_policy(f'{HEAD}rules:\n  - {{id: r, when: country == "SG", then: reject, {text}}}\n')


# When a rule is in force


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        (datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), Outcome.PASS),
        (datetime(2026, 3, 1, tzinfo=UTC), Outcome.REJECT),
        (datetime(2026, 3, 1, 7, 59, tzinfo=timezone(timedelta(hours=8))), Outcome.PASS),
        (datetime(2026, 4, 1, 7, 59, 59, 999999, tzinfo=timezone(timedelta(hours=8))), Outcome.REJECT),
        (datetime(2026, 4, 1, tzinfo=UTC), Outcome.PASS),
        (None, Outcome.REVIEW),
    ],
)
def test_rule_is_in_force_from_its_first_moment_to_before_its_last(now: datetime | None, outcome: Outcome) -> None:
    policy = rule('from: 2026-03-01, until: "2026-04-01T08:00:00+08:00"')
    assert policy.evaluate({"country": "SG"}, now=now).outcome is outcome
    (typed,) = policy.typed.rules
    assert (typed.starts, typed.ends) == (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))


def test_period_of_one_end_is_open_at_the_other() -> None:
    always = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
    assert [rule("from: 2026-03-01").evaluate({"country": "SG"}, now=now).outcome for now in always] == [
        "pass",
        "reject",
    ]
    assert [rule("until: 2026-03-01").evaluate({"country": "SG"}, now=now).outcome for now in always] == [
        "reject",
        "pass",
    ]


def test_period_joins_a_condition_of_several_parts_and_an_exception() -> None:
    guard = "when: share > 0.5 || share < 0.1, unless: country == 'SG'"
    policy = parse_policy(f"{HEAD}rules:\n  - {{id: r, {guard}, then: review, from: 2026-03-01}}\n")
    now = datetime(2026, 3, 2, tzinfo=UTC)
    assert policy.evaluate({"share": 0.7, "country": "DE"}, now=now).outcome is Outcome.REVIEW
    assert policy.evaluate({"share": 0.7, "country": "SG"}, now=now).outcome is Outcome.PASS
    assert policy.evaluate({"share": 0.7, "country": "DE"}, now=now - timedelta(days=2)).outcome is Outcome.PASS


# Texts


def test_message_has_the_values_of_its_fields() -> None:
    policy = rule('message: "{country} at {share}, {{country}} of {email}"')
    given = {"country": "SG", "share": 0.5, "email": "a@b"}
    assert policy.explain(given).rules[0].message == "SG at 0.5, {country} of •••"
    assert policy.explain(given, personal=True).rules[0].message == "SG at 0.5, {country} of a@b"
    assert policy.explain({"country": "SG"}).rules[0].message == "SG at unknown, {country} of •••"
    assert "“SG at 0.5, {country} of •••”" in policy.explain(given).render()


@pytest.mark.parametrize(
    ("texts", "locale", "text"),
    [
        ({"en": "E", "pt-BR": "B", "pt": "P"}, "pt-BR", "B"),
        ({"en": "E", "pt-BR": "B", "pt": "P"}, "pt-PT", "P"),
        ({"en": "E", "pt-BR": "B"}, "pt-PT", "E"),
        ({"": "A"}, "de", "A"),
        ({"zh": "Z", "de": "D"}, "fr", "Z"),
        ({}, "en", None),
    ],
)
def test_text_is_that_of_the_nearest_locale(texts: dict[str, str], locale: str, text: str | None) -> None:
    assert in_locale(texts, locale) == text


def test_reasons_are_told_the_heaviest_first() -> None:
    text = HEAD + (
        "rules:\n  - {id: a, when: share > 0.1, then: review}\n  - {id: b, when: share > 0.2, then: review}\n"
        "  - {id: c, when: share > 0.3, then: review}\n"
        "reasons:\n  A: {weight: -1, text: {en: low, de: wenig}}\n  C: {weight: 2, text: 'share {share}'}\n"
    )
    policy = parse_policy(text)
    explanation = policy.explain({"share": 0.5}, locale="de")
    assert [(told.code, told.text) for told in explanation.reasons] == [("C", "share 0.5"), ("B", None), ("A", "wenig")]
    assert policy.evaluate({"share": 0.5}).reasons == ("A", "B", "C")


def test_tags_and_description_are_kept() -> None:
    (typed,) = rule("tags: [aml, wave/march, aml], description: ' why '").typed.rules
    assert typed.tags == ("aml", "wave/march")
    assert typed.description == "why"


# Calibration


def test_calibration_is_a_day_or_more() -> None:
    text = HEAD + "calibration:\n  share: {on: 2026-08-01, valid_for: 180d, source: pilot}\n  country: 2026-07-01\n"
    found = read_policy(text).calibration
    assert (found["share"].on, found["share"].valid_for, found["share"].source) == (
        date(2026, 8, 1), timedelta(days=180), "pilot",
    )  # fmt: skip
    assert (found["country"].on, found["country"].valid_for) == (date(2026, 7, 1), None)


@pytest.mark.parametrize("said", ["0d", "2026-02-30", "-5h"])
def test_calibration_that_is_none_is_refused(said: str) -> None:
    form = f"{{on: 2026-08-01, valid_for: {said}}}" if "-0" not in said else said
    with pytest.raises(PolicyErrors) as caught:
        read_policy(f"{HEAD}calibration: {{share: {form}}}\n")
    assert [error.code for error in caught.value.errors] == ["schema-value"]


# Built-in lists


def test_countries_are_those_of_the_time_zone_database() -> None:
    table = resources.files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text("utf-8")
    assert BUILTIN["countries"] == tuple(line[:2] for line in table.splitlines() if not line.startswith("#"))


def test_built_in_lists_hold_each_other() -> None:
    lists = {name: set(codes) for name, codes in BUILTIN.items()}
    assert all(len(codes) == len(lists[name]) for name, codes in BUILTIN.items())
    assert lists["euro_area"] < lists["eu"] < lists["eea"] < lists["countries"]
    assert lists["asean"] | lists["gcc"] < lists["countries"]
    assert lists["currencies_without_minor_unit"] | lists["currencies_of_1000_minor_units"] < lists["currencies"]
    assert not lists["currencies_without_minor_unit"] & lists["currencies_of_1000_minor_units"]


def test_built_in_list_is_recorded_and_replayed_as_it_was() -> None:
    text = HEAD + "lists: {ours: {builtin: gcc}}\nrules: [{id: r, when: country in lists.ours, then: review}]\n"
    typed = read_policy(text)
    assert typed.texts == {"builtin:gcc": "AE\nBH\nKW\nOM\nQA\nSA"}
    older = read_policy(text, texts={"builtin:gcc": "AE"})
    assert older.lists == {"ours": ("AE",)}
    assert older.digest != typed.digest
