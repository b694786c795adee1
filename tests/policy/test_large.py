"""Large policies, right or wrong: the work of checking and compiling grows with their length alone."""

from __future__ import annotations

import difflib
import math
from bisect import bisect_right
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import errors
from adjudge.errors import PolicyErrors, did_you_mean, listed, nearest
from adjudge.policy import parse_policy
from adjudge.policy.loading import unsatisfiable as hopeless
from adjudge.policy.program.index import SlotFact, cut_table
from adjudge.values.declared import parse_field
from adjudge.values.reading import read
from adjudge.values.types import DOUBLE, INT, EnumType, MapType, SetType

HEAD = "policy_language: 1\npolicy: large\n"


def test_misspelled_name_is_compared_closely_with_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def counting(name: str, known: list[str], **more: object) -> list[str]:
        compared.extend(known)
        return difflib.get_close_matches(name, known, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(errors, "get_close_matches", counting)
    names = [f"field_{at:05d}_of_many" for at in range(50_000)]
    assert nearest("feild_00007_of_many", names) == "field_00007_of_many"
    assert len(compared) <= 3
    assert nearest("x" * 1000, names) is None
    assert nearest("FIELD_00009_OF_MANY", names) == "field_00009_of_many"
    assert len(compared) <= 3, "a long name and one in other letters are compared with none"


WORDS = (
    "SuspectWarterMark",
    "SuspectRemake",
    "SuspectPSFace",
    "country",
    "account_age",
    "document_match",
    "ios",
    "android",
)


@given(st.sampled_from(WORDS), st.integers(0, 20), st.sampled_from(("drop", "swap", "a", "_")))
def test_name_with_one_slip_finds_what_is_most_alike(word: str, at: int, slip: str) -> None:
    at %= len(word)
    kept = {"drop": word[:at] + word[at + 1 :], "swap": word[:at] + word[at : at + 2][::-1] + word[at + 2 :]}
    name = kept.get(slip, word[:at] + slip + word[at:])
    best = difflib.get_close_matches(name, WORDS, n=1, cutoff=0.6)
    assert nearest(name, WORDS) == (best[0] if best else None) or name.casefold() == word.casefold()


def test_many_names_are_listed_by_the_first() -> None:
    assert listed(("a", "b")) == "a, b"
    assert listed([f"n{at}" for at in range(5000)]) == "n0, n1, n2, n3, n4, n5, n6, n7, n8, n9 and 4,990 more"


LARGE = {
    "names": (
        "inputs:\n" + "".join(f"  in_{at:04d}: int\n" for at in range(2000)),
        lambda at: f"ni_{at:04d} > 1",
    ),
    "fields": (
        "signals:\n  s:\n    fields:\n" + "".join(f"      f_{at:04d}: int\n" for at in range(2000)),
        lambda at: f"s.g_{at:04d} > 1",
    ),
    "words": (
        f"inputs:\n  e: {{type: enum, values: [{', '.join(f'a{at}' for at in range(5000))}]}}\n",
        lambda at: f'e == "b{at}"',
    ),
    "functions": ("inputs: {a: int}\n", lambda at: f"getFullYaer{at}(a) > 1"),
}


@pytest.mark.parametrize("name", LARGE)
def test_message_of_one_of_many_mistakes_is_short(name: str) -> None:
    head, condition = LARGE[name]
    rules = "".join(f"  - {{id: r{at}, when: '{condition(at)}', then: review}}\n" for at in range(60))
    with pytest.raises(PolicyErrors) as caught:
        parse_policy(f"{HEAD}{head}rules:\n{rules}")
    assert len(caught.value.errors) == 60
    assert all(len(error.render()) < 600 for error in caught.value.errors)


def test_type_of_a_large_vocabulary_has_a_short_name_and_is_itself() -> None:
    words = tuple(f"w{at}" for at in range(20_000))
    for one, other in (
        (EnumType(words), EnumType((*words[:-1], "x"))),
        (SetType(words), SetType((*words[:-1], "x"))),
        (MapType(INT, INT, words), MapType(INT, INT, (*words[:-1], "x"))),
    ):
        assert len(str(one)) < 200
        assert hash(one) == hash(type(one)(*[getattr(one, name) for name in _made_of(one)]))
        assert one != other
    problem = read(parse_field({"type": "enum", "values": list(words)}), "none").problems[0][1]
    assert problem.endswith("and 19,990 more, not another string")


def _made_of(type_: object) -> tuple[str, ...]:
    return ("key", "value", "keys") if isinstance(type_, MapType) else ("values",)


@pytest.mark.parametrize("kind", ["enum", "set"])
def test_large_vocabulary_is_not_tried_out_word_by_word(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hopeless, "evaluate", lambda *_: pytest.fail("a word was tried"))
    words = ", ".join(f"w{at}" for at in range(2000))
    condition = 'e == "w1"' if kind == "enum" else '"w1" in e'
    policy = parse_policy(
        f"{HEAD}inputs:\n  e: {{type: {kind}, values: [{words}]}}\n"
        f"rules:\n  - {{id: r, when: '{condition}', then: review}}\n"
    )
    value: object = "w1" if kind == "enum" else ["w1"]
    assert policy.evaluate({"e": value}).matched == ("r",)


def test_words_are_looked_up_as_they_come_where_they_are_many() -> None:
    words = [f"w{at}" for at in range(3000)]
    rules = "".join(f'  - {{id: r{at}, when: e == "w{at}", then: review}}\n' for at in range(50))
    policy = parse_policy(f"{HEAD}inputs:\n  e: {{type: enum, values: [{', '.join(words)}]}}\nrules:\n{rules}")
    assert policy.evaluate({"e": "w7"}).matched == ("r7",)
    assert policy.evaluate({"e": "w2999"}).matched == ()
    assert policy.evaluate({"e": "x"}).unresolved == tuple(f"r{at}" for at in range(50))


# The table of cuts


def _fact(low: float, high: float, alternatives: int, asked: list[object]) -> tuple[SlotFact, tuple[object, ...]]:
    def condition(value: object) -> bool | None:
        asked.append(value)
        return low <= value < high  # type: ignore[operator]

    return SlotFact(condition, alternatives), tuple(sorted({low, high}))


_numbers = st.integers(-5, 5).map(float)


@given(st.lists(st.tuples(_numbers, _numbers, st.integers(1, 31)), max_size=8), st.lists(_numbers, min_size=1))
def test_table_of_cuts_says_what_every_fact_says(drawn: list[tuple[float, float, int]], values: list[float]) -> None:
    asked: list[object] = []
    facts = [_fact(*one, asked) for one in drawn]
    table = cut_table(facts, DOUBLE, 31)
    assert len(asked) <= sum(len(points) + 1 for _, points in facts), (
        "each fact is asked once for each of its stretches"
    )
    for value in (*values, -math.inf):
        mask = 31
        for fact, _ in facts:
            mask &= 31 if fact.condition(value) else ~fact.alternatives
        assert table.masks[bisect_right(table.cuts, value)] == mask  # type: ignore[type-var]


def test_hint_is_made_of_what_is_known() -> None:
    ask: Callable[[str], str | None] = lambda name: did_you_mean(name, ("country", "age"))  # noqa: E731
    assert (ask("contry"), ask("zzz")) == ("did you mean `country`?", None)
