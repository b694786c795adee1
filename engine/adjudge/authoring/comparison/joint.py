"""One value, read by two declarations: what the one reading says of the other.

Whatever is not said here is left open, so that a proof over both holds of more than there is, never of less.
"""

from __future__ import annotations

from typing import Any, Literal

import z3

from adjudge.expr.smt.comparison import as_real
from adjudge.expr.smt.logic import Prop, all_of, any_of, conj, disj, implies, neg, same
from adjudge.expr.smt.terms import (
    Codes,
    Entries,
    Items,
    Members,
    Number,
    Term,
    Text,
    Truth,
    length_of,
    string_val,
    told_apart,
)
from adjudge.expr.smt.world import as_number, number_val
from adjudge.values.fields import Field
from adjudge.values.types import BOOL, DOUBLE, INT, EnumType, ListType, MapType, RecordType, SetType, Type

Kind = Literal["bool", "number", "text", "many", "map"]


def is_alike(one: Field, other: Field) -> bool:
    """Return whether two declarations read every value alike; what else they say of it makes no difference."""
    if (one.type, one.minimum, one.maximum, one.absent) != (other.type, other.minimum, other.maximum, other.absent):
        return False
    if one.within != other.within:
        return False
    if one.parts or other.parts:
        return one.parts.keys() == other.parts.keys() and all(
            is_alike(part, other.parts[name]) for name, part in one.parts.items()
        )
    return one.of is other.of or (one.of is not None and other.of is not None and is_alike(one.of, other.of))


def readings(one: Term, other: Term, old: Field, new: Field, codes: Codes) -> Prop:
    """Return what holds of the two readings of one value."""
    if old.within != new.within:
        return True  # where it is left out, each provider has a reading of its own
    if _kind(old.type) != _kind(new.type):
        return neg(conj(one.known, other.known))
    match one, other:
        case Truth(), Truth():
            return conj(same(one.true, other.true), same(one.false, other.false))
        case Number(), Number() if _is_comparable(old.type, new.type):
            mixed = one.is_double or other.is_double
            equal = as_real(one) == as_real(other) if mixed else one.value == other.value
            return _scalars(one, other, equal, _outside(one, old, new), _outside(other, new, old))
        case Text(), Text():
            return _scalars(
                one, other, _equal_texts(one, other, codes), _without(one, new, codes), _without(other, old, codes)
            )
        case Members(), Members():
            shared = [same(one.of[word], other.of[word]) for word in one.of if word in other.of]
            return conj(same(one.known, other.known), same(one.open, other.open), *shared)
        case Entries(is_closed=True), Entries(is_closed=True):
            parts = [same(one.known, other.known)]
            for key, (here, value) in one.of.items():
                if key not in other.of:
                    continue
                there, beside = other.of[key]
                parts += [
                    same(here, there),
                    implies(here, readings(value, beside, old.part(key), new.part(key), codes)),
                ]
            return all_of(parts)
        case Items(), Items() if old.of is not None and new.of is not None:
            parts = [same(one.known, other.known), length_of(one) == length_of(other)]
            for (here, value), (_, beside) in zip(told_apart(one), told_apart(other), strict=True):
                parts.append(implies(here, readings(value, beside, old.of, new.of, codes)))
            return all_of(parts)
    return True


def strays(whole: Items, seen: Items, words: dict[str, Prop], codes: Codes) -> Prop:
    """Return what holds of a list of what is outside a vocabulary.

    whole: what is outside both vocabularies, or named as new by the provider. seen: the list as the policy sees it
    whose vocabulary lacks some `words`, which are there or not.
    """
    length, most = length_of(whole), length_of(seen)
    alike = [item.value == part.value for item, part in _texts(whole, seen)]
    alike += [same(item.known, part.known) for item, part in _texts(whole, seen)]
    more = z3.Sum([z3.IntVal(0), *(z3.If(there, 1, 0) for there in words.values())])
    unread = any_of(conj(there, neg(item.known)) for there, item in whole.items if isinstance(item, Text))
    return conj(
        implies(seen.known, whole.known),
        implies(whole.known, disj(seen.known, conj(unread, any_of(words.values())))),  # see `join_novel`
        disj(any_of(words.values()), conj(length == most, *alike)),
        most >= length,
        most <= length + more,
        *(implies(there, _holds(seen, word, codes)) for word, there in words.items()),
    )


def words_of(term: Term) -> dict[str, Prop]:
    """Return the words of a vocabulary, and whether each is there."""
    match term:
        case Members():
            return {word: conj(term.known, there) for word, there in term.of.items()}
        case Entries():
            return {word: conj(term.known, there) for word, (there, _) in term.of.items()}
    return {}


def _kind(type_: Type) -> Kind:
    """Return the kind of values that a type reads: nothing is of two kinds."""
    if isinstance(type_, ListType | SetType):
        return "many"
    if isinstance(type_, MapType | RecordType):
        return "map"
    return "bool" if type_ == BOOL else "number" if type_ in (INT, DOUBLE) else "text"  # times come as texts too


def _is_comparable(old: Type, new: Type) -> bool:
    return old == new or {old, new} == {INT, DOUBLE}


def _scalars(one: Term, other: Term, equal: Prop, beyond_new: Prop, beyond_old: Prop) -> Prop:
    """Return that what both read is equal, and what only one reads is none of the other's values."""
    return conj(
        implies(conj(one.known, other.known), equal),
        implies(conj(one.known, neg(other.known)), beyond_new),
        implies(conj(other.known, neg(one.known)), beyond_old),
    )


def _outside(number: Number, read_by: Field, other: Field) -> Prop:
    """Return whether a number is none of another declaration's; of a double, 1.0 is not the int 1."""
    if read_by.type == DOUBLE and other.type == INT:
        return True
    value = as_real(number) if other.type == DOUBLE else number.value
    low, high = (
        number_val(as_number(bound), is_double=other.type == DOUBLE) if bound is not None else None
        for bound in (other.minimum, other.maximum)
    )
    return disj(value < low if low is not None else False, value > high if high is not None else False)


def _without(text: Text, other: Field, codes: Codes) -> Prop:
    """Return whether a text is none of another declaration's; a string takes all, and of times nothing is said."""
    if isinstance(other.type, EnumType):
        return neg(any_of(_is_word(text, word, codes) for word in other.type.values))
    return False


def _equal_texts(one: Text, other: Text, codes: Codes) -> Prop:
    if one.is_code and other.is_code:
        return one.value == other.value
    if one.is_code or other.is_code:
        coded, text = (one, other) if one.is_code else (other, one)
        return any_of(
            conj(_is_word(coded, word, codes), _is_word(text, word, codes)) for word in coded.vocabulary or ()
        )
    return one.value == other.value


def _is_word(text: Text, word: str, codes: Codes) -> Prop:
    return text.value == (codes.code(word) if text.is_code else string_val(word, codes))


def _texts(one: Items, other: Items) -> list[tuple[Any, Any]]:
    return [(a, b) for (_, a), (_, b) in zip(one.items, other.items, strict=True)]


def _holds(items: Items, word: str, codes: Codes) -> Prop:
    """Return whether a list holds a word, as far as its items are told apart."""
    return disj(
        items.beyond,
        *(conj(there, item.known, item.value == string_val(word, codes)) for there, item in items.items),  # type: ignore[union-attr]  # the items of a list of texts are texts
    )
