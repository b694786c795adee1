"""The house form says what was said before, keeps every comment, and is its own house form."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge.authoring.formatting.run import formatted
from adjudge.errors import PolicyErrors
from adjudge.policy import parse_policy
from adjudge.policy.loading.load import read_policy
from depth import examples
from expr.strategies import one_of
from policy.random_policies import NOW, policies, requests

ROOT = Path(__file__).parents[3]
MESSY = """# head

policy:   shop   # the name
policy_language: 1
rules:
# before the first
- then: review
  when:   country=="SG"&&   age<duration( "24h" )
  id: first # trailing
  # about the reason
  reason: R

- {then: reject, id: second, when: '!flag'}
# between

-   id: third
    when: |
      country == "SG" // why
        || flag
    then: review


inputs: {country: string,   flag: bool, age: duration}   # what is known
thresholds:
    age:
        below:
            review: 24h  # a day
# the end
"""


def test_messy_policy_becomes_the_house_form(golden: Callable[[str, str], None]) -> None:
    result = formatted(MESSY)
    golden("formatting/messy.yaml", result)
    assert formatted(result) == result
    read_policy(result)


@pytest.mark.parametrize("path", sorted((ROOT / "policies").rglob("*.yaml")), ids=lambda path: path.name)
def test_shipped_policies_are_in_house_form(path: Path) -> None:
    text = path.read_text("utf-8")
    assert formatted(text, path.name) == text


@pytest.mark.parametrize(
    "line",
    [
        '  - {id: a, when: flag, then: review, description: "see # 5"} # lint: allow duplicate-rule',
        "  - {id: a, when: 'text == \" # x\"', then: review} # real",
        "  - {id: a, description: 'a # b', when: 'text == \" # x\"', then: review} # and # so on",
    ],
)
def test_comments_behind_texts_that_hold_a_hash_stay(line: str) -> None:
    comment = line[line.index("} #") + 1 :]
    assert formatted(f"policy_language: 1\npolicy: p\nrules:\n{line}\n").endswith(f"}}{comment}\n")


@pytest.mark.parametrize(
    "text",
    [
        'policy: p.yaml\ntests:\n  - {name: a, given: {inputs: {when: "1", unless: "a==b"}}, expect: pass}\n',
        'policy: p.yaml\ntests:\n  - {name: a, table: [{when: "x>1", expect: pass}]}\n',
        'policy_language: 1\npolicy: p\nsignals:\n  s: {provider: x, with: {when: "a==b"}, fields: {f: bool}}\n',
    ],
)
def test_values_of_names_that_conditions_have_too_stay_as_they_are(text: str) -> None:
    assert formatted(text) == text


def test_lines_end_as_before() -> None:
    windows = MESSY.replace("\n", "\r\n")
    assert formatted(windows) == formatted(MESSY).replace("\n", "\r\n")
    assert formatted(formatted(windows)) == formatted(windows)


def test_document_that_is_no_yaml_is_refused() -> None:
    with pytest.raises(PolicyErrors):
        formatted("policy: {")


NOISE = st.sampled_from(("", "# note: one", "# it's 'quoted'", "\n# after a blank", "#", "# {brace"))


@st.composite
def noisy(draw: st.DrawFn, text: str) -> str:
    """Return a policy with comments, blank lines and blanks strewn over it."""
    lines = []
    for line in text.split("\n"):
        indent = re.match(r" *", line)[0]  # type: ignore[index]
        said = draw(NOISE)
        if said and line.strip():
            lines += [indent + part if part else "" for part in said.split("\n")]
        end = one_of(draw, ("", "", "  # end", "   "))
        lines.append(line + end if line.strip() and not line.endswith(("|", ">")) else line)
    return "\n".join(lines)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_house_form_keeps_meaning_and_comments_and_is_its_own(data: st.DataObject) -> None:
    policy = data.draw(policies())
    text = data.draw(noisy(policy.typed.source.text))
    result = formatted(text)
    assert formatted(result) == result
    assert text.count("# ") == result.count("# ")
    again = parse_policy(result)
    assert [rule.condition for rule in again.typed.rules] == [rule.condition for rule in policy.typed.rules]
    request = data.draw(requests(policy))
    assert again.evaluate(request, now=NOW) == policy.evaluate(request, now=NOW)
