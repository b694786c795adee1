"""Where the solver's world is another than the engine's: a test for every line of the table in docs/proofs.md.

Each holds the terms to what the reference answers where the two worlds part.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from adjudge.expr.reference import Unknown, evaluate
from adjudge.plugin import Function
from adjudge.policy import Policy, parse_policy
from adjudge.policy.catalogue import Catalogue

pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.proofs.analyse import analyse
from adjudge.authoring.proofs.inquiry import Found, Inquiry, NotProved, ProofResult, Proved
from adjudge.authoring.proofs.world import Input, world_of
from adjudge.expr.smt.logic import conj, neg
from expr.fixing import Fixing

HEAD = """policy_language: 1
policy: differences
inputs:
  text: string
  other: string
  word: string
  n: int
  x: double
  y: double
  age: duration
  at: timestamp
  names: {type: list, of: string}
  keyed: {type: map, keys: [a, b], of: int}
  free: {type: map, of: int}
lists: {known: [a, b]}
"""
LAST = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


@cache
def policy_of(*conditions: str) -> Policy:
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in conditions)
    rules = "".join(f'  - {{id: r{at}, when: "{text}", then: review}}\n' for at, text in enumerate(quoted))
    return parse_policy(f"{HEAD}rules:\n{rules}")


@cache
def fixing_of(condition: str) -> Fixing:
    policy = policy_of(condition)
    return Fixing(policy, [policy.typed.rules[0].condition])


def allowed(condition: str, given: dict[str, object], *, exact: bool) -> None:
    """Hold a condition's term to the reference: it allows that answer, and no other where it is exact."""
    fixing = fixing_of(condition)
    policy = fixing.policy
    values = dict(policy.read(given).values)
    node = policy.typed.rules[0].condition
    found = evaluate(node, {**values, "lists.known": policy.typed.lists["known"]})
    answer = None if isinstance(found, Unknown) else found
    (answers,) = fixing.allowed(values)
    assert answer in answers, (condition, given, answer, answers)
    assert (len(answers) == 1) is exact, (condition, given, answer, answers)


def characters() -> None:
    for last in ("\U0002fa1f", "\U0002fa20", "\U0002ffff", "\U00030000", "\U0010ffff"):
        for text in ("a", "\U0002fa1f", "\U0002fa21", "\U0002ffff", "\U00030001", "\U0010ffff", last, last + "a"):
            for operator in ("<", "<=", "==", "!=", ">", ">="):
                allowed(f'text {operator} "{last}"', {"text": text}, exact=True)
            allowed(f'text.contains("{last}")', {"text": text}, exact=True)
    allowed("size(text) == 2", {"text": "\U0010ffff\U00030000"}, exact=True)
    allowed('text + other == "\U0010ffffx"', {"text": "\U0010ffff", "other": "x"}, exact=True)
    allowed('text.matches("^.$")', {"text": "\U0010ffff"}, exact=True)


def surrogates() -> None:
    assert policy_of("size(text) == 1").read({"text": "\ud800"}).values["text"] is None
    analysis = analyse(policy_of('text > "\ud7ff" && text < "\ue000" && size(text) == 1'), in_process=True)
    assert "always-true" not in {finding.code for finding in analysis.findings}
    for finding in analysis.findings:
        assert all(one.input.given.get("text") != "\ud800" for one in finding.witnesses)


def lengths_of_strings_beyond_20_characters() -> None:
    def asked(condition: str, **lengths: int) -> ProofResult:
        policy = policy_of(condition, *(f"size({name}) == {length}" for name, length in lengths.items()))
        world, translator = world_of(policy)
        truth, *sizes = (translator.truth(rule.condition) for rule in policy.typed.rules)
        known = (world.slots[name].known for name in ("text", "other"))

        def confirm(found: Input) -> bool:
            verdict = policy.evaluate(found.given)
            return "r0" in verdict.unresolved and len(verdict.matched) == len(lengths)

        return Inquiry((policy,), world).ask(conj(neg(truth.known), *known, *(size.true for size in sizes)), confirm)

    for condition, most in (('text + other == "a"', 100_000), ('(text + other).matches("x")', 20_000)):
        found = asked(condition)
        assert isinstance(found, Found)
        assert len(f"{found.input.given['text']}{found.input.given['other']}") > most
        assert isinstance(asked(condition, text=20, other=20), Proved)
        assert isinstance(asked(condition, text=21, other=21), NotProved)
        for text in ("x" * 20, "x" * 21, "x" * most):
            allowed(condition, {"text": text, "other": ""}, exact=True)
            allowed(condition, {"text": text, "other": "x"}, exact=True)


def escapes() -> None:
    for text in (r"\u{41}", r"\u0041", "A", "\\"):
        allowed(r'text == r"\u{41}"', {"text": text}, exact=True)
        allowed(r'text.contains(r"\u0041")', {"text": text}, exact=True)
        allowed(r"size(text) == 1", {"text": text}, exact=True)


def texts_compared_with_constants_only() -> None:
    for word in ("a", "other 0", "other 1", "", "c"):
        allowed('word == "other 1" || word in lists.known', {"word": word}, exact=True)


def infinity_and_no_number() -> None:
    allowed("x / y > 1.0", {"x": 1.0, "y": 0.0}, exact=False)
    allowed("x / y == x / y", {"x": 0.0, "y": 0.0}, exact=False)
    allowed("x * y > 1.0", {"x": 1e300, "y": 1e300}, exact=False)
    allowed("int(x / y) == 1", {"x": 1.0, "y": 0.0}, exact=False)


def negative_zero() -> None:
    allowed("x == y", {"x": 0.0, "y": -0.0}, exact=True)
    allowed("string(x) == string(y)", {"x": 0.0, "y": -0.0}, exact=False)
    allowed("1.0 / x > 0.0", {"x": -0.0}, exact=False)


def rounding_of_doubles() -> None:
    allowed("x + y == 0.3", {"x": 0.1, "y": 0.2}, exact=False)
    allowed("x * y == 0.0", {"x": 5e-324, "y": 0.25}, exact=False)
    allowed("x + y > 1.0", {"x": 1.0, "y": 1.0}, exact=True)


def a_double_of_a_large_int() -> None:
    for n in (2**53, -(2**53), 2**53 - 1):
        allowed("double(n) == x", {"n": n, "x": float(n)}, exact=True)
    allowed("double(n) == x", {"n": 2**53 + 1, "x": float(2**53)}, exact=False)
    allowed("x > n", {"n": 2**63 - 1, "x": 9.3e18}, exact=True)


def int_past_64_bits() -> None:
    for n in (2**63 - 1, -(2**63), 0):
        for condition in ("n + 1 > 0", "-n > 0", "n * 2 > 0", "n - 1 < 0", "n / -1 > 0", "n % -1 == 0"):
            allowed(condition, {"n": n}, exact=True)


def times_and_durations_past_their_ends() -> None:
    for at in (LAST, datetime(1, 1, 1, tzinfo=UTC)):
        for age in (timedelta(days=3652500), timedelta(microseconds=-1), timedelta(0)):
            for condition in ("at + age > at", "at - age > at", "age + age > age", 'age - duration("1h") < age'):
                allowed(condition, {"at": at, "age": age}, exact=True)


def clocks_of_a_named_zone() -> None:
    allowed('at.getHours("Europe/Berlin") == 9', {"at": datetime(2026, 1, 1, 8, tzinfo=UTC)}, exact=True)
    allowed('at.getHours("Europe/Berlin") == 9', {"at": datetime(1890, 1, 1, 8, tzinfo=UTC)}, exact=False)
    allowed('at.getHours("-23:59") == 9', {"at": datetime(1, 1, 1, tzinfo=UTC)}, exact=True)


def calendar() -> None:
    allowed("at.getMonth() == 10", {"at": LAST}, exact=False)
    allowed("at.getMonth() == at.getMonth()", {"at": LAST}, exact=True)


def lists() -> None:
    many = ["a", "b", "c", "d", "e"]
    for names in (many, many[:3], many[:4], []):
        for condition in (
            'names[3] == "d"', '"e" in names', 'names.all(v, v != "e")', '(names + ["z"])[1] == "b"',
            'names.filter(v, v != "a")[0] == "b"', "has(names[3])", 'names.exists(v, v == "a")',
        ):  # fmt: skip
            allowed(condition, {"names": names}, exact=len(names) <= 3)
    allowed("size(names) == 5", {"names": many}, exact=True)


def order_of_a_map_s_keys() -> None:
    for keys in (["a", "b"], ["b", "a"]):
        allowed('keyed.map(k, k)[0] == "a"', {"keyed": dict.fromkeys(keys, 1)}, exact=False)
        allowed("keyed.exists(k, keyed[k] == 1)", {"keyed": dict.fromkeys(keys, 1)}, exact=True)


def keys_of_a_map_that_declares_none() -> None:
    for free in ({"k": 1}, {}, {"a": 1}):
        allowed("size(free) == 1", {"free": free}, exact=False)
        allowed("free[text] == 1", {"free": free, "text": "k"}, exact=False)


def texts_of_numbers_and_times() -> None:
    allowed('string(n) == "1"', {"n": 1}, exact=False)
    allowed("string(n) != string(n)", {"n": 1}, exact=False)
    allowed("double(text) > 0.5", {"text": "0.75"}, exact=False)
    allowed("timestamp(text) == at", {"text": "2026-01-01T00:00:00Z", "at": LAST}, exact=False)


def patterns() -> None:
    allowed('text.matches("^a+$")', {"text": "aa\n"}, exact=True)
    allowed('text.matches("a.b")', {"text": "a\nb"}, exact=True)
    allowed(r'text.matches("\\s")', {"text": "\v"}, exact=True)
    allowed(r'text.matches("\\w")', {"text": "é"}, exact=True)
    allowed('text.matches("(?i)SS")', {"text": "ß"}, exact=False)
    for length in (10_000, 10_001):
        allowed('(text + text).matches("x")', {"text": "x" * length}, exact=True)
    allowed("text.matches(other)", {"text": "a", "other": "("}, exact=False)


def functions_of_plugins() -> None:
    odd = Function(name="odd", parameters=("int",), result="bool", call=lambda number: number % 2 == 1)
    source = policy_of("true").typed.source.text.replace('"true"', '"odd(n) != odd(n + 0)"')
    policy = parse_policy(source, catalogue=Catalogue(functions={"odd": odd}))
    node = policy.typed.rules[0].condition
    (answers,) = Fixing(policy, [node]).allowed(dict(policy.read({"n": 1}).values))
    assert answers == {False, None}


def lists_and_loops_of_very_many_items() -> None:
    values = ", ".join(f"v{at}" for at in range(20_001))
    text = policy_of("lists.known.exists(k, k == text)").typed.source.text
    policy = parse_policy(text.replace("known: [a, b]", f"known: [{values}]"))
    node = policy.typed.rules[0].condition
    (answers,) = Fixing(policy, [node]).allowed(dict(policy.read({"text": "v7"}).values))
    assert answers == {True, False, None}


def macros_that_may_be_too_much_work() -> None:
    loop = f'lists.known.all(a, [{", ".join(map(str, range(1_500)))}].all(i, i >= 0 && a + {{}} != "c"))'
    cases = ((3, "text", 1, True), (20_000, "text", 1, None), (30_000, '"b"', 1, None), (3, '"b"', 1, True),
             (3, "text", 1000, True), (3, "text", 10_000, None), (3, "word", 10_000, None))  # fmt: skip
    for long, added, length, answer in cases:
        text = policy_of(loop.format(added)).typed.source.text.replace("known: [a, b]", f"known: [{'x' * long}, a]")
        policy = parse_policy(text)
        node = policy.typed.rules[0].condition
        given = {"text": "b" * length, "word": "b" * length}
        values = dict(policy.read(given).values)
        expected = evaluate(node, {**values, "lists.known": policy.typed.lists["known"]})
        assert (None if isinstance(expected, Unknown) else expected) is answer
        assert list(Fixing(policy, [node]).allowed(values)) == [{answer}], (long, added, length)


def times_to_the_nanosecond() -> None:
    policy = policy_of('age > duration("1ns")')
    (answers,) = Fixing(policy, [policy.typed.rules[0].condition]).allowed(dict(policy.read({"age": "1s"}).values))
    assert answers == {True, False, None}


def the_clock() -> None:
    policy = policy_of('now < timestamp("0001-01-02T00:00:00Z")')
    assert policy.evaluate({}, now=datetime(1, 1, 1, tzinfo=UTC)).matched
    world, translator = world_of(policy)
    truth = translator.truth(policy.typed.rules[0].condition)
    assert isinstance(Inquiry((policy,), world).never(truth.true), Proved)


LINES: dict[str, Callable[[], None]] = {
    "characters": characters,
    "surrogates": surrogates,
    "lengths of strings beyond 20 characters": lengths_of_strings_beyond_20_characters,
    "escapes": escapes,
    "strings compared with constants only": texts_compared_with_constants_only,
    "infinity and NaN": infinity_and_no_number,
    "-0.0": negative_zero,
    "rounding of doubles": rounding_of_doubles,
    "a double made from a large int": a_double_of_a_large_int,
    "int past 64 bits": int_past_64_bits,
    "times and durations outside their range": times_and_durations_past_their_ends,
    "a time or duration that is written to the nanosecond": times_to_the_nanosecond,
    "clocks of a named zone": clocks_of_a_named_zone,
    "the clock `now`": the_clock,
    "calendar": calendar,
    "lists": lists,
    "order of a map's keys": order_of_a_map_s_keys,
    "keys of a map that declares none": keys_of_a_map_that_declares_none,
    "conversions between strings and numbers or times": texts_of_numbers_and_times,
    "patterns": patterns,
    "functions of plugins": functions_of_plugins,
    "lists and loops over very many items": lists_and_loops_of_very_many_items,
    "macros that may be too much work": macros_that_may_be_too_much_work,
}


@pytest.mark.parametrize("line", LINES)
def test_terms_hold_where_the_worlds_part(line: str) -> None:
    LINES[line]()


def test_every_line_of_the_docs_has_a_test() -> None:
    page = (Path(__file__).parents[2] / "docs" / "proofs.md").read_text()
    table = page.partition("## Where the solver's world is another")[2].partition("\n\nTwo things are not covered")[0]
    _head, *lines = re.findall(r"^\| ([^|]+?) \|", table, re.M)
    assert lines == list(LINES)
