"""What cannot be read stands for every value that could: a verdict bounds what any of them comes to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from msgspec.structs import replace

from adjudge.model import Outcome, Verdict
from adjudge.policy import Policy, parse_policy
from expr.strategies import integers, one_of
from policy.judge import verdict as judged

HEAD = """
policy_language: 1
policy: small
inputs:
  n: {type: int, range: [0, 2]}
  names: {type: list, of: string}
  rows: {type: list, of: {type: list, of: int}}
  open: {type: map, of: int}
signals:
  face:
    fields:
      tags: {type: set, values: [x, y]}
      score: {type: map, keys: [x, y], of: {type: int, range: [0, 2]}}
      level: {type: map, keys: [x, y], of: {type: int, range: [0, 2]}, absent: 0}
rules:
"""
ATOMS = (
    "n > 1", '"a" in names', "size(names) > 1", 'names == ["a", "b"]', 'names[0] == "a"',
    'names.exists_one(s, s == "a")',
    'size(names.filter(s, s != "b")) > 0', "rows.exists(r, r.exists(i, i > 1))", "rows.all(r, size(r) > 1)",
    "rows == [[1], [2]]", "[1] in rows", "open.k > 1", "size(open) > 1", "open.exists(k, open[k] > 1)", '"k" in open',
    '"x" in face.tags', "size(face.tags) > 1", "size(face.tags) == 1", 'face.tags.exists(t, t != "x")',
    'face.tags.all(t, t == "x")', "face.tags.exists_one(t, t != \"x\")", "size(face.novel_tags) > 0",
    "size(face.novel_tags) == 1", 'face.novel_tags.exists(t, t == "New")', 'face.novel_tags.all(t, t == "New")',
    '"Other" in face.novel_tags', 'face.novel_tags == ["New"]', 'face.novel_tags[0] == "New"', "face.score.x > 1",
    "size(face.score) > 1", "face.score.exists(k, face.score[k] > 1)", "size(face.novel_score) > 0",
    'face.novel_score.exists(t, t == "New")', "face.level.y > 0", "face.level.exists(k, face.level[k] > 0)",
    "size(face.novel_level) == 1",
)  # fmt: skip
NO_VALUE: tuple[object, ...] = (None, 5.5, True, "\ud800", float("nan"), 2**70)
NO_WORD: tuple[object, ...] = (*NO_VALUE, {"name": "x"}, ["x"])
NUMBERS = (0, 1, 2)
WORDS = {
    "names": ("a", "b"),
    "face.tags": ("x", "y", "New", "Other"),
    "face.novel_tags": ("New", "Other"),
    "face.novel_score": ("New", "Other"),
    "face.novel_level": ("New",),
}
KEYS = {"open": ("k", "l"), "face.score": ("x", "y", "New"), "face.level": ("x", "y", "Other")}
EVERY = ("n", "rows", *WORDS, *KEYS)


def is_readable(value: object) -> bool:
    return not any(value is junk for junk in NO_WORD)


@st.composite
def known_or_not(draw: DrawFn, name: str) -> object:
    """Return a value of a field in which some parts cannot be read, or one that cannot be read at all."""

    def parts(values: tuple[object, ...], junk: tuple[object, ...] = NO_VALUE) -> st.SearchStrategy[object]:
        return st.one_of(st.sampled_from(values), st.sampled_from(values), st.sampled_from(junk))

    if draw(integers(0, 7)) == 0:
        return one_of(draw, NO_VALUE)
    if name in WORDS:
        return draw(st.lists(parts(WORDS[name], NO_WORD), max_size=3))
    if name in KEYS:
        return draw(st.dictionaries(st.sampled_from(KEYS[name]), parts(NUMBERS), max_size=2))
    return draw(parts(NUMBERS) if name == "n" else st.lists(st.lists(parts((1, 2)), max_size=2), max_size=2))


def completions(name: str, value: object) -> Iterator[object]:
    """Yield values that the field may have had."""
    if not is_readable(value) and name != "n":
        if "novel_" in name and value is None:
            yield None  # who names nothing as new says that nothing is
        elif name in WORDS:
            yield from ([], [WORDS[name][-1]], list(WORDS[name]))
        elif name in KEYS:
            yield from ({}, {KEYS[name][-1]: 2}, dict.fromkeys(KEYS[name], 2))
        else:
            yield from ([], [[1], [2]])
        return
    match value:
        case list() if name == "face.tags":  # a member may have been any number of words
            readable = [member for member in value if is_readable(member)]
            more = [(), *((word,) for word in WORDS[name]), ("x", "New")] if len(readable) < len(value) else [()]
            yield from ([*readable, *words] for words in more)
        case list():
            of = "n" if name == "rows inner" else "rows inner" if name == "rows" else "word"
            items = [list(completions(of, item)) for item in value]
            if of == "word":
                items = [[item] if is_readable(item) else list(WORDS[name]) for item in value]
            yield from (list(chosen) for chosen in product(*items))
        case dict():
            of_each = [list(completions("n", item)) for item in value.values()]
            yield from (dict(zip(value, chosen, strict=True)) for chosen in product(*of_each))
        case _:
            yield from (value,) if is_readable(value) else NUMBERS


@st.composite
def policies(draw: DrawFn) -> tuple[Policy, str]:
    atoms = draw(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=3))
    text = HEAD
    for at in range(draw(integers(1, 2))):
        parts = draw(st.lists(st.sampled_from(atoms), min_size=1, max_size=2))
        joined = one_of(draw, (" && ", " || ")).join(f"{one_of(draw, ('', '!'))}({part})" for part in parts)
        text += f"  - {{id: r{at}, when: '{joined}', then: {one_of(draw, ('review', 'reject'))}}}\n"
    return parse_policy(text), text


def nested(flat: Mapping[str, object]) -> dict[str, object]:
    face = {name.removeprefix("face."): value for name, value in flat.items() if name.startswith("face.")}
    return {name: value for name, value in flat.items() if not name.startswith("face.")} | {"face": face}


@settings(max_examples=400, deadline=None)
@given(policies(), st.data())
def test_verdict_bounds_hold_for_whatever_was_not_readable(drawn: tuple[Policy, str], data: st.DataObject) -> None:
    policy, text = drawn
    rules = text.partition("rules:")[2]
    read = [name for name in EVERY if re.search(rf"\b{name.replace('.', '.(novel_)?')}\b", rules)]
    read = [name for name in EVERY if name in read or name.replace("novel_", "") in read]
    came = {name: data.draw(known_or_not(name), label=name) for name in read}
    partial = policy.evaluate(nested(came))
    assert partial == judged_with_problems(policy, nested(came), partial)
    ways = product(*(completions(name, value) for name, value in came.items()))
    for values in islice(ways, 400):
        full = nested(dict(zip(came, values, strict=True)))
        whole = policy.evaluate(full)
        assert partial.lower <= whole.outcome, (came, full)
        assert set(partial.matched) <= set(whole.matched), (came, full)
        if not whole.unresolved:  # an evaluation error stays a doubt even when all is known
            assert whole.outcome <= partial.upper, (came, full)
            assert partial.outcome is not Outcome.PASS or whole.outcome is Outcome.PASS, (came, full)


def judged_with_problems(policy: Policy, given: Mapping[str, object], found: Verdict) -> Verdict:
    return replace(judged(policy, given), problems=found.problems, missing=found.missing)


@pytest.mark.parametrize("junk", NO_WORD, ids=lambda junk: ascii(junk))
@pytest.mark.parametrize("members", [["x", "{junk}"], ["{junk}"], ["{junk}", "New"], ["{junk}", "{junk}"]], ids=str)
def test_set_with_a_member_that_cannot_be_read_may_hold_any_word(junk: object, members: list[str]) -> None:
    tags = [junk if member == "{junk}" else member for member in members]
    policy = parse_policy(
        HEAD
        + "  - {id: new, when: size(face.novel_tags) > 0, then: reject}\n"
        + "  - {id: y, when: '\"y\" in face.tags', then: reject}\n"
        + "  - {id: x, when: '\"x\" in face.tags', then: review}\n"
    )
    verdict = policy.evaluate({"face": {"tags": tags}})
    assert {"new", "y"} <= set(verdict.unresolved)
    assert ("x" in verdict.matched) is ("x" in tags)
    assert not verdict.settled
    assert any(name == "face.tags" for name, _ in verdict.problems)


@pytest.mark.parametrize("junk", NO_WORD, ids=lambda junk: ascii(junk))
def test_words_named_as_new_that_cannot_be_read_may_be_one_or_several(junk: object) -> None:
    policy = parse_policy(
        HEAD
        + "  - {id: one, when: size(face.novel_tags) == 1, then: review}\n"
        + "  - {id: more, when: size(face.novel_tags) > 1, then: reject}\n"
    )
    for named in (["New", junk], [junk, junk], [junk, None, junk]):
        verdict = policy.evaluate({"face": {"tags": [], "novel_tags": named}})
        assert verdict.unresolved == ("one", "more"), named
    assert policy.evaluate({"face": {"tags": [], "novel_tags": [junk]}}).matched == ("one",)
