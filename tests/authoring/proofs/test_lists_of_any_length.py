"""Lists of any length: a few items stand for all of them, and nothing is proved of those that is not so of the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge.model import Verdict
from adjudge.policy import Policy, parse_policy

z3 = pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.comparison.regions import compare  # noqa: E402
from adjudge.authoring.proofs.analyse import analyse  # noqa: E402
from adjudge.authoring.proofs.subject import ProvedPolicy, subject_of  # noqa: E402
from adjudge.authoring.proofs.world import is_value, world_of  # noqa: E402
from adjudge.expr.smt.lists import needs  # noqa: E402
from adjudge.expr.smt.logic import conj, formula, neg  # noqa: E402
from adjudge.expr.smt.terms import Items, Number, Truth  # noqa: E402

HEAD = """policy_language: 1
policy: lists
inputs:
  xs: {type: list, of: {type: int, range: [0, 9]}}
  ys: {type: list, of: {type: int, range: [0, 9]}}
  rs: {type: list, of: {type: record, of: {a: {type: int, range: [0, 9]}, b: bool}}}
  n: {type: int, range: [0, 9], riskier: higher}
variables:
  few: size(xs) < 4
"""
UNKNOWN = "none"
"""No int: such an item is unknown."""
VALUES = 7
SIGNS = ("==", "!=", "<", ">", "<=", ">=")


def item(random: Random, name: str, depth: int) -> str:
    """Return a condition of an item of `xs` or `ys`."""
    other = "ys" if name == "i" else "zs"
    choices = [
        *[f"{name} == {random.randrange(VALUES)}"] * 3,
        f"{name} {random.choice(SIGNS)} {random.randrange(VALUES)}",
        f"{name} {random.choice(SIGNS)} n",
        f"{name} + n > 3",
        f"3 / {name} > n",
        "few",
        f"few && {name} == {random.randrange(VALUES)}",
    ]
    if other == "ys":
        choices += [f"{name} in ys", f"ys.exists(j, j {random.choice(SIGNS)} {name})", "1 in xs", "1 in ys"]
    if depth:
        sign = random.choice(("&&", "||"))
        choices += [f"({item(random, name, depth - 1)} {sign} {item(random, name, depth - 1)})",
                    f"!({item(random, name, depth - 1)})"]  # fmt: skip
    return random.choice(choices)


def use(random: Random) -> str:
    """Return one use of a list."""
    kind = random.choice(("exists", "all", "exists_one", "filter"))
    name, variable = random.choice((("xs", "i"), ("ys", "j"), ("rs", "r")))
    if name == "rs":
        predicate = random.choice(("r.b", "r.a == 1 && r.b", "r.a > n || !r.b", "has(r.a) && r.a < 2", "r.a in xs"))
    else:
        predicate = item(random, variable, 1)
    if kind == "filter":
        count = f"size({name}.filter({variable}, {predicate}))"
        pair = (count, str(random.randrange(3))) if random.random() < 0.7 else (str(random.randrange(3)), count)
        return f" {random.choice(SIGNS)} ".join(pair)
    choices = [f"{name}.{kind}({variable}, {predicate})", f"size({name}) {random.choice(SIGNS)} {random.randrange(7)}"]
    if name != "rs":
        choices += [f"{random.randrange(VALUES)} in {name}", f"n in {name}"]
    return random.choice(choices)


def written(random: Random, rules: int) -> str:
    """Return the rules of a policy, all of which use lists as few items allow."""
    lines = []
    for at in range(rules):
        uses = [use(random) for _ in range(random.randint(1, 2))]
        when = random.choice((" && ", " || ")).join(f"{random.choice(('', '', '!'))}({one})" for one in uses)
        doubt = random.choice(("", "", ", when_unknown: pass"))
        lines.append(f"  - {{id: r{at}, when: '{when}', then: {random.choice(('review', 'reject'))}{doubt}}}\n")
    return "rules:\n" + "".join(lines)


def drawn(random: Random, most: int = 6) -> dict[str, object]:
    """Return an input, with few values in its lists."""

    def value() -> object:
        return UNKNOWN if random.random() < 0.05 else random.randrange(VALUES)

    def record() -> object:
        return {"a": value(), "b": random.choice((True, False, UNKNOWN))} if random.random() < 0.9 else UNKNOWN

    found: dict[str, object] = {
        "xs": [value() for _ in range(random.randint(0, most))],
        "ys": [value() for _ in range(random.randint(0, most))],
        "rs": [record() for _ in range(random.randint(0, most))],
        "n": random.randrange(VALUES),
    }
    return {name: one for name, one in found.items() if random.random() < 0.9}


def answers(policy: Policy, verdict: Verdict) -> Iterator[bool | None]:
    for rule in policy.typed.rules:
        yield True if rule.id in verdict.matched else None if rule.id in verdict.unresolved else False


def says(truths: tuple[Truth, ...], said: Iterator[bool | None]) -> list[Any]:
    """Return that some conditions have these answers."""
    of = ({True: truth.true, False: truth.false, None: neg(truth.known)} for truth in truths)
    return [formula(each[answer]) for each, answer in zip(of, said, strict=True)]


def is_there(subject: ProvedPolicy, given_: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Return whether the world has two inputs that stand for these, which differ in `n` alone."""
    policy, world = subject.policy, subject.world
    declared = policy.typed.slots["n"]
    after = world.term("n", declared, "other n")
    assert isinstance(after, Number)
    beside, verdicts = subject.changed({"n": after}, "with another n ")
    values, others = (policy.read(one).values for one in (given_, other))
    props = says(subject.verdicts.rules, answers(policy, policy.evaluate(given_)))
    props += says(verdicts.rules, answers(policy, policy.evaluate(other)))
    props += [formula(is_value(world.slots["n"], values.get("n"), declared, world)),
              formula(is_value(beside.slots["n"], others.get("n"), declared, world))]  # fmt: skip
    for name in ("xs", "ys", "rs"):
        term, value = world.slots[name], values.get(name)
        assert isinstance(term, Items)
        is_known = conj(term.known, term.length == len(value)) if isinstance(value, tuple) else neg(term.known)
        props.append(formula(is_known))
    solver = z3.SimpleSolver()
    solver.add(*map(formula, world.constraints), *props)
    return bool(solver.check() == z3.sat)


TIGHT: dict[str, tuple[list[str], list[int]]] = {
    "two readings": ([f"n + {at} in xs" for at in range(5)], [*range(10)]),
    "two of each": ([f"xs.exists_one(i, i == {at})" for at in range(4)], [0, 1, 2, 3] * 2),
    "three of each": ([f"size(xs.filter(i, i == {at})) > 2" for at in range(3)], [0, 1, 2] * 3),
    "three, and no more": ([f"size(xs.filter(i, i == {at})) == 3" for at in range(3)], [0, 1, 2] * 3),
    "items of another list": (["size(ys) == 3 && ys.all(j, j in xs || j > n)", "ys.exists(j, j > 3)"], [0, 1, 2, 3, 4]),
}


@pytest.mark.parametrize("name", TIGHT)
def test_there_are_items_enough_for_all_that_is_asked_at_once(name: str) -> None:
    conditions, items = TIGHT[name]
    policy = of_all(conditions)
    subject = subject_of(policy, timeout_s=5, total_s=60)
    assert is_there(subject, {"xs": items, "ys": [1, 2, 3], "n": 0}, {"xs": items, "ys": [1, 2, 3], "n": 5})


def test_nothing_is_exact_for_which_no_room_was_made() -> None:
    """Further conditions, which were not counted when the world was made, are left open."""
    policy, further = of_all(["1 in xs"]), of_all([f"{at} in xs" for at in range(9)])
    subject = subject_of(policy, timeout_s=5, total_s=60)
    truths = [subject.translator.truth(rule.condition) for rule in further.typed.rules]
    term = subject.world.slots["xs"]
    assert isinstance(term, Items)
    solver = z3.SimpleSolver()
    solver.add(*map(formula, subject.world.constraints), *(formula(one.true) for one in truths), term.length == 9)
    assert solver.check() == z3.sat


def test_lists_that_wait_for_each_other_are_not_cut_down() -> None:
    policy = of_all(["xs.exists(i, i in ys)", "ys.exists(j, j in xs)", "rs.exists(r, r.a == 1)"])
    world, _ = world_of(policy)
    assert set(world.plans) == {"rs"}


def test_as_many_witnesses_as_an_answer_may_take() -> None:
    uses = {"1 in xs": 1, "xs.all(i, i > n)": 1, "xs.exists_one(i, i > 1)": 2, "3 == size(xs.filter(i, i > 1))": 4}
    assert [needs(rule.condition) for rule in of_all(list(uses)).typed.rules] == list(uses.values())


def of_all(conditions: list[str]) -> Policy:
    rules = (f"  - {{id: r{at}, when: '{when}', then: review}}\n" for at, when in enumerate(conditions))
    return parse_policy(f"{HEAD}rules:\n{''.join(rules)}")


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**9))
def test_for_every_list_there_is_one_of_few_items_that_answers_everything_alike(seed: int) -> None:
    random = Random(seed)
    policy = parse_policy(HEAD + written(random, rules=6))
    subject = subject_of(policy, timeout_s=5, total_s=60)
    for _ in range(4):
        one = drawn(random, most=16)
        other = (
            {**one, "n": random.randrange(VALUES)}
            if random.random() < 0.8
            else {k: v for k, v in one.items() if k != "n"}
        )
        assert is_there(subject, one, other), (policy.typed.source.text, one, other)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**9))
def test_no_list_contradicts_what_is_proved(seed: int) -> None:
    random = Random(seed)
    old, new = (parse_policy(HEAD + written(random, rules=2)) for _ in range(2))
    comparison = compare(old, new, timeout_s=0.5, total_s=5, in_process=True)  # what stays open claims nothing
    for region in comparison.regions:
        one, other = (each.evaluate(region.witness.given).outcome for each in (old, new))
        assert (one, other) == (region.old, region.new)
    findings = analyse(old, timeout_s=0.5, total_s=5, in_process=True).findings
    without = {rule.id: Policy(replace(old.typed, rules=tuple(r for r in old.typed.rules if r != rule)), old.functions)
               for rule in old.typed.rules}  # fmt: skip
    for _ in range(150):
        request = drawn(random)
        before, after = (each.evaluate(request) for each in (old, new))
        assert after.outcome <= before.outcome or not comparison.is_never_harder
        assert after.outcome >= before.outcome or not comparison.is_never_softer
        for finding in findings:
            if finding.code == "never-true":
                assert finding.rules[0] not in before.matched
            if finding.code == "shadowed":
                assert without[finding.rules[0]].evaluate(request).outcome == before.outcome


SAME = {
    "member": ('"a" in texts', 'texts.exists(t, t == "a")'),
    "members": ('"a" in texts && "b" in texts && "d" in texts', '["a", "b", "d"].all(t, t in texts)'),
    "all": ('texts.all(t, t == "a")', '!texts.exists(t, t != "a")'),
    "another field": ('has(code) && code in texts', 'has(code) && texts.exists(t, t == code)'),
    "a list in a list": ("xs.exists(i, i in ys)", "xs.exists(i, ys.exists(j, i == j))"),
    "count": ('size(texts.filter(t, t == "a")) >= 2', '!(size(texts.filter(t, t == "a")) < 2)'),
    "records": ('rs.exists(r, r.a > 3 && r.b)', '!rs.all(r, r.a <= 3 || !r.b)'),
    "length": ("size(xs) > 5 || xs.exists(i, i > 3)", "xs.exists(i, i > 3) || size(xs) >= 6"),
}  # fmt: skip
FURTHER = "  texts: {type: list, of: string}\n  code: string\n"


def of(when: str) -> Policy:
    head = HEAD.replace("variables:", f"{FURTHER}variables:")
    return parse_policy(f"{head}rules:\n  - {{id: r, when: '{when}', then: reject}}\n")


@pytest.mark.parametrize("name", SAME)
def test_lists_of_any_length_are_settled(name: str) -> None:
    one, other = map(of, SAME[name])
    assert compare(one, other, in_process=True).relation in ("same", "laxer", "stricter")
    assert not compare(one, other, in_process=True).open
