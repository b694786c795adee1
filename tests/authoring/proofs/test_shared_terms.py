"""Making the questions is linear in variables that are read several times."""

from __future__ import annotations

from itertools import pairwise

import pytest

from adjudge.policy import parse_policy

pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.comparison.alike import Alike, terms_of_both
from adjudge.authoring.comparison.cause import reasons_of_change
from adjudge.authoring.comparison.worlds import shared_worlds
from adjudge.authoring.proofs.guesses import guesses
from adjudge.authoring.proofs.verdict import verdicts_of
from adjudge.authoring.proofs.world import translator_of, world_of
from policy.test_shared_variables import LINKS, chained
from work import at_most

CALLS_MAX = 3_000_000


@pytest.mark.parametrize("kind", LINKS)
def test_terms_are_made_once(kind: str) -> None:
    policy = parse_policy(chained(kind, 7 if kind == "list" else 60))
    with at_most(CALLS_MAX):
        _, translator = world_of(policy)
        verdicts_of(policy.typed, translator)
        for node in policy.typed.conditions:
            for wanted in (True, False):
                list(guesses(node, policy.typed, wanted))


@pytest.mark.parametrize("kind", LINKS)
def test_two_policies_are_held_together_once(kind: str) -> None:
    links = 7 if kind == "list" else 60
    old, new = parse_policy(chained(kind, links)), parse_policy(chained(kind, links).replace("a > 3", "a > 4"))
    with at_most(CALLS_MAX):
        worlds = shared_worlds(old, new)
        before, after = translator_of(old, worlds.old), translator_of(new, worlds.new)
        verdicts_of(old.typed, before)
        after.shapes, after.made = before.shapes, terms_of_both(before.made, Alike(old, new, worlds))
        verdicts_of(new.typed, after)
        for rule in old.typed.rules:
            list(reasons_of_change(rule, old.typed, new.typed, {"input a"}, in_doubt=True))


@pytest.mark.parametrize("link", ["{0} + {0}", "(x ? {0} : {0})"])
def test_a_list_that_doubles_is_told_apart_no_further(link: str) -> None:
    names = [f"v{at}" for at in range(40)]
    lines = [f"  {name}: '{link.format(before)}'" for before, name in pairwise(names)]
    policy = parse_policy(
        "policy_language: 1\npolicy: p\ninputs: {a: int, x: bool}\nvariables:\n  v0: '[a, 1, a]'\n"
        + "\n".join(lines)
        + "\nrules:\n  - {id: r, when: 'v39[1] == 1', then: review}\n"
    )
    _, translator = world_of(policy)
    (truth,) = verdicts_of(policy.typed, translator).rules
    assert truth.true is not False
    assert truth.false is not False


@pytest.mark.parametrize("first", ["[a]", "[a].filter(i, i > 1)"])
def test_a_list_that_holds_another_one_twice_is_sized_once(first: str) -> None:
    held = "".join(f"  v{at + 1}: '[v{at}, v{at}]'\n" for at in range(40))
    policy = parse_policy(
        f"policy_language: 1\npolicy: p\ninputs: {{a: int}}\nvariables:\n  v0: '{first}'\n{held}"
        "rules:\n  - {id: r, when: 'v40.exists(i, size(i) == 3)', then: review}\n"
    )
    with at_most(CALLS_MAX):
        _, translator = world_of(policy)
        verdicts_of(policy.typed, translator)


def test_a_long_chain_of_variables_is_not_followed_deep() -> None:
    policy = parse_policy(chained("once", 900))
    _, translator = world_of(policy)
    verdicts_of(policy.typed, translator)
    assert list(guesses(policy.typed.rules[0].condition, policy.typed))
