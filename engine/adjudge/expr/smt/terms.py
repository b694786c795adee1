"""What a part of a condition means in a world: whether it is known, and its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby
from typing import Any

import z3

from adjudge.expr.smt.lists import Plan
from adjudge.expr.smt.logic import Prop, all_of, any_of, choose, conj, disj, neg, pick
from adjudge.frozen import frozen
from adjudge.values.fields import Field

NEAR_MAX = 0x2FA1F
"""Characters up to this one are the solver's own. One past it that a policy names is a variable: some character between
here and FAR_MAX, and whatever an input holds past it is one of those, in the same order."""
APART_MAX = 10_000
"""So many items of a list are told apart; of a longer one that is put together, only how many there are."""
FAR_MAX = 0x2FFFF
"""The last character of the solver's texts."""


@frozen
class Truth:
    """A bool: when it is true and when it is false; unknown where it is neither."""

    true: Prop
    false: Prop

    @property
    def known(self) -> Prop:
        """Whether it is one of the two."""
        return disj(self.true, self.false)

    def given(self, condition: Prop) -> Truth:
        """Return this where a condition holds, unknown elsewhere."""
        return Truth(conj(condition, self.true), conj(condition, self.false))


@frozen
class Number:
    """An int, timestamp, duration or date (z3 ints; in microseconds, a date in days), or a double (z3 reals).

    odd: of a double, where it is infinite or no number, or may be; `value` says nothing then.
    """

    known: Prop
    value: Any
    is_double: bool = False
    odd: Prop = False


@frozen
class Text:
    """A string: a Python text, a z3 string, or, as a code, an int that stands for one (`Codes`).

    vocabulary: all that it can be, where that is known.
    """

    known: Prop
    value: Any
    is_code: bool = False
    vocabulary: tuple[str, ...] | None = None


@frozen
class Members:
    """A set: which members it has. open: it has others that are unknown."""

    known: Prop
    of: dict[str, Prop]
    open: Prop = False


@dataclass(slots=True)
class Whole:
    """A list of an input as it is cut down, see `lists`.

    items: that stand for all. spent: the uses that have their witnesses among them, and how many.
    """

    plan: Plan
    items: tuple[tuple[Prop, Term], ...]
    spent: dict[tuple[str, tuple[int, ...]], int] = field(default_factory=dict)


@frozen
class Items:
    """A list: items, each there or not, those that are there in the list's order.

    beyond: it has more items, of which nothing is known. length: None where the items tell it.
    places: where each item stands, if it is there, counted from 0; None where that is its number. Made when asked for.
    scattered: where this holds the places are not known: some that are not told apart stand between, or the order is
    anybody's.
    whole: of an input's list that is cut down, all its items, for uses that `lists` names.
    """

    known: Prop
    items: tuple[tuple[Prop, Term], ...]
    beyond: Prop = False
    length: Any = None
    places: Callable[[], Sequence[Any]] | None = None
    scattered: Prop = False
    whole: Whole | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether the items are all there, and all that there are."""
        return self.beyond is False and all(present is True for present, _ in self.items)


@frozen
class Entries:
    """A map with string keys: which it has, and their values.

    is_closed: it can have no others. value: what those others are declared as.
    """

    known: Prop
    of: dict[str, tuple[Prop, Term]]
    is_closed: bool = True
    value: Field | None = None


@frozen
class Opaque:
    """Something of which only its being known can be told."""

    known: Prop


Term = Truth | Number | Text | Members | Items | Entries | Opaque


@dataclass(slots=True)
class Codes:
    """Texts as numbers, for those that are only compared with constants: one for each constant, and any other.

    far: the characters past NEAR_MAX that were named. lengths: of texts, by z3's number of each, beside the
    text itself, see `lengths`. constraints: what holds of them; the world's.
    """

    of: dict[str, int] = field(default_factory=dict)
    far: dict[str, Any] = field(default_factory=dict)
    lengths: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    constraints: list[Prop] = field(default_factory=list)

    def code(self, text: str) -> int:
        """Return a constant's number."""
        return self.of.setdefault(text, len(self.of))

    def text(self, code: int) -> str:
        """Return a text with this number."""
        known = {number: text for text, number in self.of.items()}
        return known.get(code, f"other {code}")

    def character(self, sign: str) -> Any:
        """Return the text of one far character: any such, in the order of all that are named."""
        if sign not in self.far:
            variable = z3.String(f"character {ord(sign):x}")
            self.constraints.append(z3.InRe(variable, z3.Range(chr(NEAR_MAX + 1), chr(FAR_MAX))))
            for other, beside in self.far.items():
                self.constraints.append(beside < variable if other < sign else variable < beside)
            self.far[sign] = variable
        return self.far[sign]


def listed(members: Members) -> Items:
    """Return a set as a list; unknown where some members are."""
    return placed(Items(conj(members.known, neg(members.open)), of_names(members.of)))


def of_names(names: Mapping[str, Prop]) -> tuple[tuple[Prop, Term], ...]:
    """Return texts as a list's items, each there or not."""
    return tuple((there, Text(True, name)) for name, there in names.items())


def told_apart(items: Items) -> tuple[tuple[Prop, Term], ...]:
    """Return the items of an input's list, as many as there are terms for."""
    return items.items if items.whole is None else items.whole.items


def places_of(items: Items) -> Sequence[Any]:
    """Return where each item stands, if it is there."""
    return items.places() if items.places is not None else range(len(items.items))


def bounded(items: Items) -> Items:
    """Return a list of which only the length is known, where it has more than APART_MAX items."""
    if len(items.items) <= APART_MAX:
        return items
    length = length_of(items)
    return Items(items.known, (), length > 0, length, scattered=True)


def placed(items: Items) -> Items:
    """Return a list each of whose items stands behind those that are there before it."""
    if all(present is True for present, _ in items.items):
        return items

    def places() -> Sequence[Any]:
        found: list[Any] = [0]
        for present, _ in items.items:
            one = int(present) if isinstance(present, bool) else z3.If(present, 1, 0)
            found.append(found[-1] + one)
        return found[:-1]

    return replace(items, places=cache(places))


def every(items: Items, holds: list[Prop]) -> Prop:
    """Return whether each item that is there holds."""
    return all_of(disj(neg(present), hold) for (present, _), hold in zip(items.items, holds, strict=True))


def some(items: Items, holds: list[Prop]) -> Prop:
    """Return whether one item that is there holds."""
    return any_of(conj(present, hold) for (present, _), hold in zip(items.items, holds, strict=True))


def string_val(text: str, codes: Codes) -> Any:
    """Return a text as z3's, which takes a backslash for an escape and has no characters past those of three planes."""
    if text.isascii() or all(ord(sign) <= NEAR_MAX for sign in text):
        return z3.StringVal(text.replace("\\", "\\u{5c}"))
    runs = groupby(text, lambda sign: ord(sign) > NEAR_MAX)
    parts = [
        codes.character(one) if is_far else one for is_far, run in runs for one in (run if is_far else ["".join(run)])
    ]
    parts = [string_val(part, codes) if isinstance(part, str) else part for part in parts]
    return z3.Concat(*parts) if len(parts) > 1 else parts[0]


def as_string(text: Text, codes: Codes) -> Any:
    """Return a text as a z3 string; of a code without a vocabulary, any text that the number may stand for."""
    if isinstance(text.value, str):
        return string_val(text.value, codes)
    if not text.is_code:
        return text.value
    if not text.vocabulary:
        return z3.Function("text of", z3.IntSort(), z3.StringSort())(text.value)
    *most, last = text.vocabulary
    string = string_val(last, codes)
    for word in most:
        string = z3.If(text.value == codes.code(word), string_val(word, codes), string)
    return string


def either(condition: Prop, one: Term, other: Term, codes: Codes, given: Prop = True) -> Term:
    """Return `condition ? one : other`, known where the one that is chosen is; unknown where `given` does not hold."""
    if isinstance(one, Truth) and isinstance(other, Truth):
        true, false = pick(condition, one.true, other.true), pick(condition, one.false, other.false)
        return Truth(conj(given, true), conj(given, false))
    known = conj(given, pick(condition, one.known, other.known))
    match one, other:
        case Number(), Number() if one.is_double is other.is_double:
            odd = pick(condition, one.odd, other.odd)
            return Number(known, choose(condition, one.value, other.value), one.is_double, odd)
        case Text(), Text():
            return _either_text(condition, one, other, codes, known)
        case Members(), Members() if tuple(one.of) == tuple(other.of):  # sets of two vocabularies make a list
            of = {name: pick(condition, there, other.of[name]) for name, there in one.of.items()}
            return Members(known, of, pick(condition, one.open, other.open))
        case Items(), Items():
            items = [(conj(condition, present), item) for present, item in one.items]
            items += [(conj(neg(condition), present), item) for present, item in other.items]
            return bounded(
                Items(
                    known,
                    tuple(items),
                    pick(condition, one.beyond, other.beyond),
                    _length(condition, one, other),
                    cache(lambda: (*places_of(one), *places_of(other))),
                    pick(condition, one.scattered, other.scattered),
                )
            )
        case Entries(is_closed=True), Entries(is_closed=True) if one.of.keys() == other.of.keys():
            of_both = {
                key: (pick(condition, there, other.of[key][0]), either(condition, value, other.of[key][1], codes))
                for key, (there, value) in one.of.items()
            }
            return Entries(known, of_both)
    return Opaque(known)


def _either_text(condition: Prop, one: Text, other: Text, codes: Codes, known: Prop) -> Text:
    if isinstance(one.value, str) and isinstance(other.value, str) and one.value == other.value:
        return Text(known, one.value)
    if (one.is_code or other.is_code) and all(text.is_code or isinstance(text.value, str) for text in (one, other)):
        values = (text.value if text.is_code else codes.code(text.value) for text in (one, other))
        return Text(known, choose(condition, *values), is_code=True, vocabulary=_either_vocabulary(one, other))
    return Text(known, choose(condition, as_string(one, codes), as_string(other, codes)))


def _either_vocabulary(one: Text, other: Text) -> tuple[str, ...] | None:
    words: list[str] = []
    for text in (one, other):
        if text.is_code and text.vocabulary is None:
            return None
        words += text.vocabulary if text.is_code and text.vocabulary is not None else (text.value,)
    return tuple(dict.fromkeys(words))


def _length(condition: Prop, one: Items, other: Items) -> Any:
    if one.length is None and other.length is None:
        return None
    return choose(condition, length_of(one), length_of(other))


def length_of(items: Items) -> Any:
    """Return how many items there are, as a z3 int."""
    if items.length is not None:
        return items.length
    fixed = sum(1 for present, _ in items.items if present is True)
    rest = [z3.If(present, 1, 0) for present, _ in items.items if not isinstance(present, bool)]
    return z3.Sum([z3.IntVal(fixed), *rest]) if rest else z3.IntVal(fixed)
