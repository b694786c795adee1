"""Mistakes around texts, reasons, steps and lines with `%`: each is told once, at its place, with what loads."""

from __future__ import annotations

import pytest

from adjudge.errors import PolicyError, PolicyErrors
from adjudge.policy.loading.load import read_policy

HEAD = "policy_language: 1\npolicy: p\ninputs: {country: string, n: {type: int, range: [0, 10]}}\n"
RULE = "rules:\n  - {id: a, when: n > 3, then: review, ask: [doc], reason: A}\n"
REST = "reasons:\n  A: {text: x}\nsteps:\n  doc: y\n"
TEXTS = [
    ("{country} is not served", "{country} is not served"),
    ("not served in {country} now", "not served in {country} now"),
    ("sorry: not served", "sorry: not served"),
    ("{country} is not served: sorry", "{country} is not served: sorry"),
    ("it's {country}: no", "it's {country}: no"),
    ("{country}", "{country}"),
    ("{country} {n}", "{country} {n}"),
    ("n of {country} is {n}", "n of {country} is {n}"),
]
PLACES = [
    HEAD + "rules:\n  - {id: a, when: n > 3, then: review, message: TEXT}\n",
    HEAD + "rules:\n  - {id: a, message: TEXT, when: n > 3, then: review}\n",
    HEAD + "rules:\n  - {id: a, when: n > 3, message: {en: TEXT, zh-Hans: 'no'}, then: review}\n",
    HEAD + "rules:\n  - id: a\n    when: n > 3\n    message: TEXT\n    then: review\n",
    HEAD + "rules:\n  - id: a\n    when: n > 3\n    message:\n      en: TEXT\n    then: review\n",
    HEAD + "rules:\n  - id: a\n    when: n > 3\n    then: review\n    message: TEXT  # as the law asks\n",
    HEAD + RULE + REST.replace("{text: x}", "{text: TEXT}"),
    HEAD + RULE + REST.replace("{text: x}", "{text: {en: TEXT}}"),
    HEAD + RULE + REST.replace("{text: x}", "\n    text: TEXT"),
    HEAD + RULE + REST.replace("doc: y", "doc: {en: TEXT, zh: z}"),
]
DIRECTIVES = [
    "%YAML 1.2\n---\n",
    "%YAML 1.2\n",
    "%YAML 2.0\n---\n",
    "%TAG ! !x\n%YAML 1.1\n---\n",
    "# ours\n\n%YAML 1.2\n",
    "%OTHER words\n---\n",
    "% a note\n",
]
ONCE = [
    HEAD + RULE + REST.replace("doc: y", "doc:"),
    HEAD + RULE + REST.replace("  doc: y", "  - doc"),
    HEAD + RULE + REST.replace("\n  doc: y", ""),
    HEAD + RULE.replace("[doc]", "[the doc]") + REST.replace("doc: y", "the doc: y"),
    HEAD + RULE.replace("reason: A", "reason: a b") + REST,
    HEAD + RULE.replace("reason: A", "reason: [A]") + REST,
    HEAD + RULE.replace("reason: A", "reason: {A: x}") + REST,
    HEAD + RULE.replace("reason: A", "reason: 5") + REST,
    HEAD + "thresholds:\n  n: {review: 5, reason: A}\n" + "reasons:\n  A: {text: x}\n",
    HEAD + "thresholds:\n  n: {review: {at: 5, reason: A}}\n" + "reasons:\n  A: {text: x}\n",
    "{policy_language: 1, policy: p}\n" + RULE + REST,
]


def errors_of(text: str) -> tuple[PolicyError, ...]:
    try:
        read_policy(text, "p.yaml")
    except PolicyErrors as errors:
        return errors.errors
    return ()


def repaired(text: str, errors: tuple[PolicyError, ...]) -> str:
    edits = {edit for error in errors for edit in error.fix}
    for edit in sorted(edits, key=lambda one: -one.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("said", "meant"), TEXTS)
def test_text_without_quotes_is_told_with_those_to_type(place: str, said: str, meant: str) -> None:
    text = place.replace("TEXT", said)
    line = next(line for line in place.splitlines() if "TEXT" in line)
    if "{" not in line and said[0] != "{" and ": " not in said:
        assert errors_of(text) == ()
        return
    (error,) = errors_of(text)
    assert error.span.start == place.index("TEXT")
    quotes = '"' if "'" in meant else "'"
    assert error.hint == f"write {quotes}{meant}{quotes}"
    assert repaired(text, (error,)) == place.replace("TEXT", f"{quotes}{meant}{quotes}")
    assert errors_of(repaired(text, (error,))) == ()


@pytest.mark.parametrize("lines", DIRECTIVES)
def test_directives_are_told_once_and_the_rest_is_read(lines: str) -> None:
    whole = lines + HEAD + RULE + REST
    (error,) = errors_of(whole)
    assert error.code == "yaml-directive" and error.span.start == lines.index("%")
    assert errors_of(repaired(whole, (error,))) == ()
    assert [one.code for one in errors_of(whole.replace("n > 3", "m > 3"))] == ["yaml-directive", "name-unknown"]


def test_line_with_a_percent_sign_amid_a_document_is_told_once() -> None:
    (error,) = errors_of(HEAD + "%YAML 1.2\n" + RULE + REST)
    assert (error.code, error.span.start) == ("yaml-directive", len(HEAD))
    assert errors_of(repaired(HEAD + "%YAML 1.2\n" + RULE + REST, (error,))) == ()


@pytest.mark.parametrize("text", ONCE)
def test_what_follows_from_a_mistake_is_not_told(text: str) -> None:
    assert len(errors_of(text)) == 1


def test_unknown_step_is_told_wherever_it_is_asked_for() -> None:
    text = (
        HEAD
        + RULE.replace("[doc]", "[nope]")
        + RULE.replace("rules:\n", "").replace("id: a", "id: b").replace("doc", "nope")
        + REST
    )
    assert [error.message for error in errors_of(text)] == ["there is no step `nope`"] * 2


def test_missing_comma_stays_one() -> None:
    (error,) = errors_of(HEAD + RULE.replace("reason: A", "message: hello reason: A") + REST)
    assert error.message == "a comma is missing before the next key"
