"""The bound on the work of a macro: the same in every back end, and an upper bound on what is done."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.expr import work
from adjudge.expr.functions import FUNCTIONS, _compiled
from adjudge.expr.nodes import Binary, Comprehension
from adjudge.expr.python import compile_condition, has_dynamic_parts
from adjudge.expr.reference import Unknown, _Evaluation, _NoAnswer, evaluate
from adjudge.expr.work import ONE, Size, allowance, size_of, work_of
from adjudge.policy import parse_policy
from adjudge.values.types import BOOL, INT, STRING, ListType, MapType, Type
from expr.conformance import same
from expr.strategies import typed_conditions
from expr.test_python import RESULTS, checked
from work import at_most

BOUNDS = (0, 3, 10, 30, 60, 120)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(RESULTS).flatmap(lambda type_: typed_conditions(type_=type_)), st.sampled_from(BOUNDS))
def test_every_back_end_gives_up_at_the_same_work(
    case: tuple[str, dict[str, Type], dict[str, object]], bound: int
) -> None:
    text, types, values = case
    tree = checked(text, types)
    if has_dynamic_parts(tree):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "WORK_MAX", bound)
        compiled, answer = compile_condition(tree)(values), evaluate(tree, values)
    reference = None if isinstance(answer, Unknown) else answer
    assert same(compiled, reference), f"{text}\n{values}\ncompiled {compiled!r}\nreference {reference!r}"


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(RESULTS).flatmap(lambda type_: typed_conditions(type_=type_)))
def test_reckoned_work_is_never_less_than_the_parts_that_are_evaluated(
    case: tuple[str, dict[str, Type], dict[str, object]],
) -> None:
    text, types, values = case
    tree = checked(text, types)
    counted = _Counting(values)
    with suppress(_NoAnswer):  # an unknown; what was done until then counts
        counted.value(tree, {})
    assert counted.visited <= work_of(tree, {name: size_of(value) for name, value in values.items()}.get)


class _Counting(_Evaluation):
    """The judge, counting the parts that it evaluates and the characters of the texts that it makes."""

    def __init__(self, values: Mapping[str, object]) -> None:
        super().__init__(values, FUNCTIONS)
        self.visited = 0

    def value(self, node: Any, scope: Any) -> object:
        self.visited += 1
        if isinstance(node, Comprehension) and not self.is_bounded:
            self.visited -= 1  # it is looked at twice: once to reckon
        found = super().value(node, scope)
        if isinstance(found, str) and isinstance(node, Binary):
            self.visited += len(found) // work.CHARACTERS
        return found


TYPES = {"names": ListType(STRING), "n": ListType(INT), "text": STRING, "m": MapType(STRING, STRING), "flag": BOOL}


@pytest.mark.parametrize(
    ("text", "values", "units"),
    [
        ("[1, 2, 3].exists(x, x == 1)", {}, 26),
        ("n.exists(x, x == 1)", {"n": (1, 2, 3)}, 20),
        ("n.exists(x, x == 1)", {}, 2),
        ("names.exists(x, x == text)", {"names": ("a" * 8, "b"), "text": "c" * 400}, 2 + 2 * (1 + 3 + 3 + 101)),
        ('names.exists(x, x.matches("a+"))', {"names": ("a" * 8,)}, 2 + 1 + 3 + 3 + 1 + 128 * 3),
        ("names.exists(x, text.matches(x))", {"names": ("a",), "text": ""}, 2 + 1 + 3 + 1 + 1 + 128 + 20_000),
        ("names.exists(x, x in names)", {"names": ("a", "b")}, 2 + 2 * (1 + 3 + 1 + 3)),
        ("names.exists(x, x in lists.bad)", {"names": ("a", "b"), "lists.bad": ("x",) * 1000}, 2 + 2 * (1 + 3 + 2)),
        ("names.exists(x, x in m)", {"names": ("a", "b"), "m": {"k": "v" * 400}}, 2 + 2 * (1 + 3 + 2)),
        ("m.exists(k, m[k] == text)", {"m": {"k": "v" * 40}, "text": ""}, 2 + 1 + 3 + 11 + 2 + 11 + 1),
        ("size(names.map(x, text + x)) > 1", {"names": ("a",) * 5, "text": "b" * 40}, 224),
    ],
)
def test_work_is_reckoned_from_sizes(text: str, values: dict[str, object], units: int) -> None:
    tree = checked(text, {**TYPES, "lists.bad": ListType(STRING)})
    assert work_of(tree, {name: size_of(value) for name, value in values.items()}.get) == units


def test_a_list_that_holds_another_one_twice_is_sized_once() -> None:
    value: object = ("a",)
    for _ in range(60):
        value = (value, value)
    with at_most(2_000):
        assert size_of(value).weight > 2**60
    held = "".join(f"  v{at + 1}: '[v{at}, v{at}]'\n" for at in range(60))
    policy = parse_policy(
        "policy_language: 1\npolicy: p\ninputs: {a: int}\nvariables:\n  v0: '[a]'\n"
        f"{held}rules: [{{id: r, when: 'v60.exists(x, size(x) == 3)', then: review}}]\n"
    )
    with at_most(100_000):
        assert policy.evaluate({"a": 1}).unresolved == ("r",)


def test_lists_that_hold_another_one_twice_are_compared_once() -> None:
    held = "".join(f"  {name}{at + 1}: '[{name}{at}, {name}{at}]'\n" for name in "vw" for at in range(60))
    policy = parse_policy(
        f"policy_language: 1\npolicy: p\ninputs: {{a: int, b: int}}\nvariables:\n  v0: '[a]'\n  w0: '[b]'\n{held}"
        "rules:\n  - {id: r, when: 'v60 == w60', then: review}\n  - {id: s, when: 'v60 in [w60]', then: review}\n"
    )
    with at_most(100_000):
        assert policy.evaluate({"a": 1, "b": 1}).matched == ("r", "s")
        assert policy.evaluate({"a": 1, "b": 2}).matched == ()
        assert policy.evaluate({"a": 1}).unresolved == ("r", "s")


@given(st.recursive(st.none() | st.integers() | st.text(max_size=30), lambda of: st.lists(of, max_size=4).map(tuple)))
def test_size_of_a_list_is_that_of_its_items(value: Any) -> None:
    size = size_of(value)
    if isinstance(value, tuple) and value:
        parts = [size_of(item) for item in value]
        assert (size.weight, size.count) == (1 + sum(part.weight for part in parts), len(value))
        assert size.item is not None
        assert size.item.weight == max(part.weight for part in parts)
    else:
        assert size == (Size(1 + len(value) // 4) if isinstance(value, str) else ONE)


def test_small_values_are_let_through_without_reckoning(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = checked("names.exists(x, x == text)", TYPES)
    _, names, ask = allowance(tree, {})
    monkeypatch.setattr(work, "_Reckoner", lambda *_: pytest.fail("it was reckoned"))
    assert names == ("names", "text")
    assert ask(("a", "b") * 100, "c" * 100)
    assert ask(None, None)


def test_macro_over_a_vocabulary_is_never_asked_about() -> None:
    policy = parse_policy(
        "policy_language: 1\npolicy: p\nsignals: {f: {fields: {tags: {type: set, values: [a, b]}}}}\n"
        "rules: [{id: r, when: 'f.tags.exists(t, t != \"a\")', then: review}]\n"
    )
    is_allowed, names, _ = allowance(policy.typed.rules[0].condition, {})
    assert (is_allowed, names) == (True, ())


HEAD = "policy_language: 1\npolicy: x\ninputs: {n: {type: list, of: int}, names: {type: list, of: string}}\n"
DOUBLING = "variables:\n  s0: '\"" + "a" * 100 + "\"'\n" + "".join(f"  s{at + 1}: s{at} + s{at}\n" for at in range(13))


@pytest.mark.parametrize("size", [900, 1500])
def test_order_of_rules_does_not_matter_whatever_the_work(size: int) -> None:
    one = "  - {id: a, when: 'n.exists(a, n.exists(b, a + b == -1))', then: reject}\n"
    other = "  - {id: b, when: 'n.all(a, n.all(b, a + b != -2))', then: review}\n"
    given = {"n": list(range(size))}
    verdicts = [parse_policy(f"{HEAD}rules:\n{rules}").evaluate(given) for rules in (one + other, other + one)]
    assert {(v.lower, v.upper, v.outcome, frozenset(v.matched), frozenset(v.unresolved)) for v in verdicts} == {
        (v.lower, v.upper, v.outcome, frozenset(v.matched), frozenset(v.unresolved)) for v in verdicts[:1]
    }
    assert set(verdicts[0].unresolved) == (set() if size < 1000 else {"a", "b"})


@pytest.mark.parametrize(
    "condition",
    [
        'names.exists(n, s13.matches("a.*b.*c.*" + n + "z"))',
        "size(names.map(n, s9 + n)) > 100000",
        "size(names.map(n, names.map(o, n + o))) > 1",
        'names.exists(n, s7.matches("(a*)*" + n))',
        "names.exists(n, s9 + n == s9 + s9)",
        "names.map(n, [s8, s8, s8, s8]).exists(l, s8 in l)",
        "size(names.filter(n, names.exists(o, names.exists(p, n + o == p)))) > 0",
    ],
)
def test_small_policy_never_does_much_work(condition: str) -> None:
    """Bounded before anything is done: the loops are not entered."""
    policy = parse_policy(f"{HEAD}{DOUBLING}rules:\n  - {{id: r, when: '{condition}', then: review}}\n")
    verdict = policy.evaluate({"names": [str(at) for at in range(5000)]})
    assert verdict.unresolved == ("r",)


def test_built_text_is_bounded_before_it_is_built() -> None:
    policy = parse_policy(f"{HEAD}{DOUBLING}rules:\n  - {{id: r, when: 'size(s13) > 0', then: review}}\n")
    assert policy.evaluate({}).unresolved == ("r",)
    shorter = parse_policy(f"{HEAD}{DOUBLING}rules:\n  - {{id: r, when: 'size(s9) == 51200', then: review}}\n")
    assert shorter.evaluate({}).matched == ("r",)


def test_pattern_that_is_none_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import re2

    _compiled.cache_clear()
    tried: list[str] = []
    compile_ = re2.compile

    def counting(pattern: str, options: object) -> object:
        tried.append(pattern)
        return compile_(pattern, options)

    monkeypatch.setattr(re2, "compile", counting)
    tree = checked("text.matches(text)", TYPES)
    assert [compile_condition(tree)({"text": r"\pL{1000}("}) for _ in range(3)] == [None] * 3
    assert len(tried) == 1
    _compiled.cache_clear()
