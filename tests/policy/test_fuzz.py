"""Whatever stands in a document, reading it ends: in a policy, or in errors that can be shown."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.errors import PolicyErrors
from adjudge.policy.loading.load import read_policy
from adjudge.policy.text.yaml import NODES_MAX, TEXT_MAX
from depth import examples

VALID = """\
policy_language: 1
policy: example
description: >-
  Selfie step
  of onboarding
inputs:
  country: string
  account_age: {type: duration, range: [0s, 900000h]}
  match: {type: double, range: [0, 1], riskier: lower}
  tags: {type: set, values: [A, B]}
signals:
  device:
    fields: {score: {type: map, keys: [X, Y], of: double, absent: 0}, robot: bool}
    when_unknown: pass
lists:
  sanctioned: [KP, "IR", 'SY']
variables:
  risky: device.score.X >= 70.0 || device.robot
explore: 2%
thresholds:
  match: {below: {review: 0.8, reject: 0.5}}
  tags: {A: reject}
rules:
  - id: one
    when: |
      country in lists.sanctioned &&
        !risky
    unless: "account_age > duration(\\"24h\\")"
    then: reject
scorecard:
  points:
    - {when: risky, add: 40}
  bands: {review: 40}
"""
PIECES = [line + "\n" for line in VALID.splitlines()] + [
    *(": ", "- ", " #", "\n", "\n  ", "  ", "'", '"', "{", "}", "[", "]", ",", "|", ">", ">2-", "!", "&a ", "*a", "%"),
    *("!!str ", "<<: ", "? ", "---\n", "...\n", "%YAML 1.1\n", "\t", "\r\n", "\r", "\0", "\ufeff", "\ud800", "\u2028"),
    *("null", "~", "012", "1_000", "12:30", ".nan", "1e999", "-", "9" * 30, '"\\x0"', '"\\UFFFFFFFF"', "€", "😀", "\\"),
    *("true", "pass", "device", "risky", "lists.sanctioned", "policy_language", "policy_language: 2\n", "below: {}"),
]


def assert_read(text: str) -> None:
    try:
        read_policy(text)
    except PolicyErrors as errors:
        assert_shown(errors, text)


def assert_shown(errors: PolicyErrors, text: str) -> None:
    assert errors.errors
    assert errors.render().encode()
    for error in errors.errors:
        assert 0 <= error.span.start <= error.span.end <= len(text) + 1
        lines = text.count("\n") + 1
        assert 1 <= error.line <= lines
        assert error.hint is None or error.hint


def test_fuzz_starts_from_a_valid_policy() -> None:
    assert len(read_policy(VALID).rules) == 4


@given(st.text(max_size=200))
def test_reading_any_text_ends(text: str) -> None:
    assert_read(text)


@given(st.text(alphabet="abc019.:-_ \n\"'[]{},|>#!&*?%@`\\~<=", max_size=60))
def test_reading_any_yaml_signs_ends(text: str) -> None:
    assert_read(text)


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_reading_any_pieces_of_policies_ends(pieces: list[str]) -> None:
    assert_read("".join(pieces))


@settings(max_examples=examples(100))
@given(
    st.lists(
        st.tuples(st.integers(0, len(VALID)), st.integers(0, 12), st.sampled_from(PIECES) | st.text(max_size=5)),
        min_size=1,
        max_size=4,
    )
)
def test_reading_a_valid_policy_with_some_damage_ends(edits: list[tuple[int, int, str]]) -> None:
    text = VALID
    for at, deleted, inserted in edits:
        text = text[:at] + inserted + text[at + deleted :]
    assert_read(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet=string.printable, max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


SECTIONS = ["inputs", "signals", "lists", "variables", "thresholds", "rules", "scorecard", "explore"]


@given(st.sampled_from(SECTIONS), JSON)
def test_reading_any_value_in_a_section_ends(section: str, value: object) -> None:
    assert_read(f"policy_language: 1\npolicy: example\n{section}: {json.dumps(value)}\n")


@given(st.lists(st.sampled_from(["id", "when", "unless", "then", "reason"]), unique=True, max_size=5), JSON)
def test_reading_any_value_in_a_rule_ends(keys: list[str], value: object) -> None:
    rule = dict.fromkeys(keys, value)
    assert_read(f"policy_language: 1\npolicy: example\nrules: [{json.dumps(rule)}]\n")


BOMBS = {
    "brackets": "a: " + "[" * 200_000,
    "braces": "{a: " * 100_000,
    "dashes": "- " * 200_000,
    "indents": "".join(f"{' ' * at}a:\n" for at in range(500)),
    "billion-laughs": "a: &a [x, x]\n" + "".join(f"{chr(98 + at)}: &b [*a, *a]\n" for at in range(20)),
    "long-number": "a: " + "9" * 900_000,
    "long-exponent": "a: 1e" + "9" * 900_000,
    "long-float": "a: 0." + "1" * 900_000 + "x",
    "long-underscores": "a: 1" + "_0" * 400_000 + "x",
    "long-line": "policy: " + "x" * 900_000,
    "long-key": "? " + "x" * 900_000 + "\n: 1",
    "long-condition": "policy_language: 1\npolicy: a\nvariables:\n  a: " + "(" * 900_000,
    "long-tag": "a: !" + "x" * 900_000,
    "long-anchor": "a: &" + "x" * 900_000,
    "many-items": "[" + "a," * (NODES_MAX + 1) + "]",
    "many-keys": "".join(f"k{at}: 1\n" for at in range(4_000)),
    "many-twins": "a: 1\n" * 4_000,
    "many-documents": "--- a\n" * 100_000,
    "many-blank-lines": "a: |\n" + "\n" * 900_000 + "  x",
    "many-folds": "a: b" + "\n  c" * 200_000,
    "many-comments": "#\n" * 400_000,
    "question-marks": "? " * 200_000,
    "colons": "a" + ": a" * 200_000,
    "too-long": "x" * (TEXT_MAX + 1),
    "many-wrong-rules": "policy_language: 1\npolicy: a\nrules: [" + "{id: a, whn: b}," * 1_000 + "]",
    "many-unknown-names": "policy_language: 1\npolicy: a\ninputs:\n"
    + "".join(f"  input_{at}: int\n" for at in range(3000))
    + "variables:\n"
    + "".join(f"  variable_{at}: inputt_{at} > 1\n" for at in range(30)),
    "long-chain": "policy_language: 1\npolicy: a\nvariables:\n"
    + "".join(f"  v{at}: v{at + 1}\n" for at in range(2000))
    + "  v2000: 1\n",
}


@pytest.mark.no_cover  # much work over the same few lines
@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_reading_a_bomb_ends_soon(text: str) -> None:
    assert_read(text)
