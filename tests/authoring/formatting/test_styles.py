"""Whatever style a document is written in: what is found in it, what its comments speak of and its numbers stay."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from styles import styled

from adjudge.authoring.formatting.comments import Path, Subjects, comments
from adjudge.authoring.formatting.run import FormatFault, formatted
from adjudge.authoring.lint.run import lint
from adjudge.policy.loading.load import read_policy
from adjudge.policy.text.yaml import read_yaml
from adjudge.source import Source
from depth import examples
from policy.random_policies import policies

TODAY = date(2026, 1, 1)
FINDS = """policy_language: 1
policy: shop
when_unknown: pass
inputs:
  country: string
  idle: {type: string}
  n: double
signals:
  device:
    when_unknown: pass
    fields: {score: {type: double, range: [0, 100]}, emulator: bool}
  unread: {fields: {x: bool}}
thresholds:
  device.score: {review: 70.50, reject: 9.0e1}
rules:
  - id: device
    when: has(device.score) && device.score > 80.0 && n < 0.000063
    then: review
    reason: DEVICE_SCORE
  - {id: small, when: "n > 1e-3 && n < 0.10 || n == -5.10", then: review, when_unknown: pass}
  - id: far
    when: |
      has(device.emulator)
        && device.emulator
    then: reject
scorecard:
  points:
    - {when: device.emulator, add: 40}
    - {when: 'country == "KP"', add: 0}
  bands: {review: 40}
"""


def findings(text: str) -> Counter[tuple[str, str]]:
    return Counter((one.code, one.message) for one in lint(read_policy(text), today=TODAY))


def subjects(text: str) -> list[tuple[str, list[Path]]]:
    root, _ = read_yaml(Source("", text))
    assert root is not None
    found = Subjects(Source("", text), root)
    about = ((one.text, [entry.path for entry in found.of(one)]) for one in comments(text, root))
    return sorted(about, key=lambda pair: pair[0])


def numbers(text: str) -> Counter[str]:
    return Counter(re.findall(r"(?<![\w.])[0-9][\w.+-]*", re.sub(r"#.*", "", text)))


def formed(text: str) -> str:
    """The house form of a text; where a comment allows something of several entries, it is refused in words."""
    try:
        return formatted(text)
    except FormatFault as fault:
        is_refused = "would allow something else" in str(fault)
    assert is_refused, text
    return str(reject())


@settings(max_examples=examples(15), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_house_form_of_any_style_finds_says_and_shows_the_same(data: st.DataObject) -> None:
    plain = data.draw(st.just(FINDS) | policies().map(lambda policy: policy.typed.source.text))
    text = data.draw(styled(plain))
    before = findings(text)
    result = formed(text)
    assert formatted(result) == result
    assert findings(result) == before
    assert numbers(result) == numbers(text)
    assert [one for one, _ in subjects(result)] == [one for one, _ in subjects(text)]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_comments_stay_with_what_they_speak_of(data: st.DataObject) -> None:
    text = data.draw(styled(FINDS))
    result = formed(text)
    apart = [
        (comment, was, now)
        for (comment, was), (_, now) in zip(subjects(text), subjects(result), strict=True)
        # Of several in one line it may stay with one; what is said of an item's first key is said of the item; what is
        # indented more deeply than what follows may turn out to end the block above.
        if len(was) == 1 and now not in (was, [was[0][:-1]], [])
    ]
    assert not apart


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (  # what is commented out stays where it would stand
            "inputs:\n  n: int\n  # m: string\nrules:\n  - {id: a, when: n > 5, then: review}\n  # - {id: old}\n",
            None,
        ),
        (
            "rules:\n- {id: a, when: b, then: review}\n# - {id: old}\n",
            "rules:\n  - {id: a, when: b, then: review}\n  # - {id: old}\n",
        ),
        ("rules:\n  - { # one\n      id: a, when: b }\n", "rules:\n  # one\n  - id: a\n    when: b\n"),
        ("inputs: { # known\n  b: bool\n} # end\n", "# known\n# end\ninputs:\n  b: bool\n"),
        ("inputs: {a: int,\n  b: bool} # of b\n", "inputs:\n  a: int\n  b: bool # of b\n"),
        ("variables:\n  a: x>.5||x<6.3e-05||y==0x1F\n", "variables:\n  a: x > .5 || x < 6.3e-05 || y == 0x1F\n"),
        ("variables:\n  a: x>0.000063&&x<-1.50&&y>-(3)\n", "variables:\n  a: x > 0.000063 && x < -1.50 && y > -(3)\n"),
    ],
)
def test_house_form_of(text: str, form: str | None) -> None:
    assert formatted(text) == (form if form is not None else text)


def test_row_of_a_test_stays_on_its_line() -> None:
    long = ", ".join(f"field_{at}: {at}" for at in range(20))
    text = f"policy: p.yaml\ntests:\n  - {{name: a, given: {{inputs: {{{long}}}}}, expect: pass}}\n"
    text += f"  - name: b\n    table:\n      - {{{long}, expect: pass}} # why\n"
    assert formatted(text) == text


def test_rule_that_is_too_long_keeps_what_is_allowed_of_it() -> None:
    condition = " && ".join(["has(device.score)", "device.score > 80.0", *[f'country != "{at}"' for at in range(9)]])
    for text in (
        FINDS + f"  # lint: allow softening-has meant\n  - {{id: z, when: {condition!r}, then: review}}\n",
        FINDS + f"  - {{id: z, when: {condition!r}, then: review}} # lint: allow softening-has meant\n",
    ):
        text = re.sub(r"scorecard:\n(?: .*\n)*?(?=  #|  - \{id)", "", text)
        result = formatted(text)
        assert "    when: has" in result
        assert findings(result) == findings(text)
