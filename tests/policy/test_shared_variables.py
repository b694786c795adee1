"""Variables that are read several times cost no more than those that are read once, wherever conditions are walked."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from adjudge import parse_policy
from adjudge.authoring.formatting.run import formatted
from adjudge.authoring.language_server.document import read_text
from adjudge.authoring.lint.run import lint
from adjudge.authoring.policy_tests.cases import read_tests
from adjudge.authoring.policy_tests.coverage import coverage
from adjudge.authoring.policy_tests.suggest import suggest
from adjudge.engine import Engine
from adjudge.expr.nodes import Binary, Literal, Name, Node, fold, names_in, walk
from adjudge.policy import Policy
from adjudge.policy.catalogue import Catalogue
from adjudge.registry import Registry
from work import TooMuchWork, at_most

CALLS_MAX = 3_000_000
"""Far more than needed, and far less than 2 to the power of the number of variables."""
LINKS: dict[str, tuple[str, str, str]] = {
    "and-or": ("x", "({0} && a > {1}) || ({0} && b > {1})", "{0}"),
    "not": ("x", "!({0} && !{0} || a > {1})", "{0}"),
    "choice": ("x", "{0} ? a > {1} : {0}", "{0}"),
    "has": ("x", "has(free.k) && {0} || has(free.k) && {0}", "{0}"),
    "sum": ("a", "{0} / 2 + {0} / 2", "{0} > 3"),
    "text": ("text", '{0} == "x" ? {0} : {0} + ""', '{0} == "x"'),
    "list": ("[a]", "{0}.filter(i, i > {1}) + {0}", "{0}[0] > 1"),
    "once": ("x", "{0} && a > {1}", "{0}"),
}
GIVEN = {"a": 9, "b": 9, "x": True, "text": "y", "free": {"k": 1}}


def chained(kind: str, links: int = 60) -> str:
    """Return a policy whose variables each read the one before, mostly twice."""
    first, link, last = LINKS[kind]
    names = [f"v{at}" for at in range(links)]
    lines = [f"  v0: '{first}'"]
    lines += [f"  {name}: '{link.format(before, at)}'" for at, (before, name) in enumerate(pairwise(names))]
    return (
        "policy_language: 1\npolicy: chained\n"
        "inputs: {a: {type: int, riskier: higher}, b: int, x: bool, text: string, free: {type: map, of: int}}\n"
        "variables:\n" + "\n".join(lines) + "\nrules:\n"
        f"  - {{id: r, when: '{last.format(names[-1])}', then: review}}\n"
        f"  - {{id: s, when: '!({last.format(names[-1])}) && a > 3', then: reject}}\n"
    )


def _decide(policy: Policy) -> None:
    policy.evaluate(GIVEN)
    policy.evaluate({"a": 1})


WALKS: dict[str, Callable[[Policy], object]] = {
    "decide": _decide,
    "lint": lambda policy: lint(policy.typed),
    "explain": lambda policy: (policy.explain(GIVEN).render(all=True), policy.explain({}).data()),
    "reads": lambda policy: [policy.typed.reads.slots(node) for node in policy.typed.conditions],
}


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("kind", LINKS)
def test_a_walk_is_linear_in_shared_variables(kind: str, walk: str) -> None:
    if (kind, walk) in (("list", "decide"), ("list", "explain")):
        pytest.skip("a list that doubles is bounded by its length")
    with at_most(CALLS_MAX):
        policy = parse_policy(chained(kind))
        WALKS[walk](policy)


@pytest.mark.parametrize("kind", LINKS)
def test_tests_editors_and_the_formatter_are_linear_in_shared_variables(kind: str, tmp_path: Path) -> None:
    path, text = tmp_path / "chained.yaml", chained(kind, 40 if kind != "list" else 8)
    path.write_text(text)
    (tmp_path / "chained_test.yaml").write_text(
        "policy: chained.yaml\ntests:\n  - {name: one, given: {inputs: {a: 1}}, expect: review}\n"
    )
    with at_most(CALLS_MAX):
        formatted(text)
        read_text(path, text, Catalogue())
        file = read_tests(tmp_path / "chained_test.yaml")
        coverage([file])
        suggest(file)


@pytest.mark.parametrize("walk", ["decide", "lint", "explain"])
def test_a_long_chain_is_not_followed_deep(walk: str) -> None:
    WALKS[walk](parse_policy(chained("once", 900)))


def test_a_policy_is_compiled_when_the_engine_opens() -> None:
    registry = Registry()
    policy = parse_policy(chained("and-or"), registry=registry)
    with Engine([policy], registry=registry):
        assert "evaluate" in vars(policy)


def test_a_shared_part_is_visited_and_folded_once() -> None:
    node: Node = Name(name="a")
    for at in range(200):
        node = Binary(operator="+", left=node, right=node) if at % 2 else Binary(operator="-", left=node, right=node)
    seen: list[Node] = []

    def depth(one: Node, parts: tuple[int, ...]) -> int:
        seen.append(one)
        return 1 + max(parts, default=0)

    with at_most(10_000):
        assert len(list(walk(node))) == 201
        assert fold(node, depth) == 201
        assert len(seen) == 201


def test_names_come_in_the_order_in_which_they_stand() -> None:
    node = Binary(
        operator="+", left=Name(name="b"), right=Binary(operator="+", left=Name(name="a"), right=Literal(value=1))
    )
    assert list(names_in(node, Name(name="c"), Name(name="b"))) == ["b", "a", "c"]


def test_work_is_counted() -> None:
    def work() -> list[object]:
        return [(lambda: None)() for _ in range(100)]

    with at_most(200):
        work()
    with pytest.raises(TooMuchWork), at_most(50):
        work()
