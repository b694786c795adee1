"""How long a text is, beside what it says.

z3 takes minutes and gigabytes to find a text of some thousand characters. So a bound that only long texts pass is asked
of a number that stands beside the text: its length, where that is short; else any that is more than z3's text has, to
which a text that is found is filled up.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import z3

from adjudge.expr.smt.amounts import Amount, total, where
from adjudge.expr.smt.logic import Prop, any_of
from adjudge.expr.smt.terms import Codes, Text

LENGTH_MAX = 1_000_000
"""Longer texts are not thought of, see docs/proofs.md. In characters."""
SHORT_MAX = 20
"""A text of more characters than these may stand for a longer one."""
FILLING = "x"


def length_in(text: Text, codes: Codes) -> int | Amount:
    """Return how many characters a text has."""
    if isinstance(text.value, str):
        return len(text.value)
    if not text.is_code:
        return _of_string(text.value, codes)
    if not text.vocabulary:
        return _beside(text.value, codes)
    found: int | Amount = 0
    for length, words in groupby(sorted(text.vocabulary, key=len), key=len):
        is_one = any_of(text.value == codes.code(word) for word in words)
        found = where(is_one, length, found) if found else length
    return found


def is_length(text: Text, length: int, codes: Codes) -> Prop:
    """Return whether a field's text has a length, as far as anything asks."""
    beside = codes.lengths.get(text.value.get_id())
    return True if beside is None else beside[1].term == length


def filled(text: str, model: z3.ModelRef, term: Text, codes: Codes) -> str:
    """Return a field's text that a model has, as long as it is meant to be."""
    beside = codes.lengths.get(term.value.get_id())
    if beside is None:
        return text
    length = int(model.eval(beside[1].term, model_completion=True).as_long())
    return text + FILLING * (length - len(text))


def _of_string(string: Any, codes: Codes) -> int | Amount:
    """Return the length of a z3 string, each part of which is looked at once."""
    lengths = codes.lengths
    ahead = [string]
    while ahead:
        parts = _parts(ahead[-1])
        missing = [part for part in parts if part.get_id() not in lengths]
        if missing:
            ahead += missing
            continue
        one = ahead.pop()
        of_parts = [lengths[part.get_id()][1] for part in parts]
        if z3.is_app_of(one, z3.Z3_OP_SEQ_CONCAT):
            lengths[one.get_id()] = one, total(of_parts)
        elif parts:
            lengths[one.get_id()] = one, where(one.arg(0), *of_parts)
        elif z3.is_string_value(one):
            lengths[one.get_id()] = one, int(z3.simplify(z3.Length(one)).as_long())
        elif any(one.eq(sign) for sign in codes.far.values()):
            lengths[one.get_id()] = one, 1
        else:
            _beside(one, codes)
    found: int | Amount = lengths[string.get_id()][1]
    return found


def _parts(string: Any) -> list[Any]:
    """Return what a text is joined of, or the two between which it is chosen."""
    if z3.is_app_of(string, z3.Z3_OP_SEQ_CONCAT):
        return list(string.children())
    return list(string.children()[1:]) if z3.is_app_of(string, z3.Z3_OP_ITE) else []


def _beside(value: Any, codes: Codes) -> Amount:
    """Return the length of a text, or of what a number stands for, of which nothing else is known."""
    if value.get_id() not in codes.lengths:
        is_variable = z3.is_const(value) and value.decl().kind() == z3.Z3_OP_UNINTERPRETED
        of = value.decl().name() if is_variable else f"text {len(codes.lengths)}"
        length = z3.Int(f"length of {of}")
        codes.lengths[value.get_id()] = value, Amount(length, 0, LENGTH_MAX)
        codes.constraints.append(z3.And(length >= 0, length <= LENGTH_MAX))
        if z3.is_string(value):
            true = z3.Length(value)
            codes.constraints.append(z3.Or(length == true, z3.And(true > SHORT_MAX, length > true)))
    found: Amount = codes.lengths[value.get_id()][1]
    return found
