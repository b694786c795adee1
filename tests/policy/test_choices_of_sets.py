"""A choice between two sets is a set: what is unknown of its members stays unknown."""

from __future__ import annotations

import pytest

from adjudge.errors import PolicyErrors
from adjudge.policy import parse_policy

POLICY = """policy_language: 1
policy: sets
inputs:
  flag: bool
  tags: {type: set, values: [a, b]}
  marks: {type: set, values: [b, c]}
  names: {type: list, of: string}
rules:
  - {id: r, when: 'CONDITION', then: reject}
"""


@pytest.mark.parametrize(
    ("tags", "matched", "unresolved"),
    [(["a"], ("r",), ()), (["a", "b"], (), ()), ([None], (), ("r",)), (["a", None], (), ("r",)), (None, (), ("r",))],
)
def test_size_of_a_choice_of_sets(tags: object, matched: tuple[str, ...], unresolved: tuple[str, ...]) -> None:
    policy = parse_policy(POLICY.replace("CONDITION", "size(flag ? tags : marks) == 1"))
    verdict = policy.evaluate({"flag": True, "tags": tags, "marks": []})
    assert (verdict.matched, verdict.unresolved) == (matched, unresolved)


def test_members_of_both_vocabularies_can_be_asked_for() -> None:
    policy = parse_policy(POLICY.replace("CONDITION", '"c" in (flag ? tags : marks)'))
    assert policy.evaluate({"flag": False, "tags": [], "marks": ["c"]}).matched == ("r",)


def test_a_set_is_no_list() -> None:
    with pytest.raises(PolicyErrors) as error:
        parse_policy(POLICY.replace("CONDITION", "size(flag ? tags : names) == 1"))
    assert "one branch is a set(a, b), the other a list(string)" in str(error.value)
