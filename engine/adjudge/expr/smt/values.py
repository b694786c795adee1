"""From a solver's model back to values that a policy can be given."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from fractions import Fraction
from typing import Any

import z3

from adjudge.expr.smt.lengths import filled
from adjudge.expr.smt.logic import Prop, formula
from adjudge.expr.smt.terms import NEAR_MAX, Codes, Entries, Items, Members, Number, Term, Text, Truth, told_apart
from adjudge.expr.smt.world import EPOCH, MICROSECOND
from adjudge.values.fields import Field
from adjudge.values.types import DATE, DOUBLE, DURATION, TIMESTAMP

LENGTH_MAX = 1000
"""Of a list in a witness."""
NO_MEMBER = 0
"""In a list of strings: something that can be none, which makes the item unknown."""
_ESCAPE = re.compile(r"\\u\{([0-9a-fA-F]+)\}")


def holds(model: z3.ModelRef, prop: Prop) -> bool:
    """Return whether a proposition holds in a model; what the model leaves open does not."""
    return prop if isinstance(prop, bool) else z3.is_true(model.eval(formula(prop), model_completion=True))


def value_of(model: z3.ModelRef, term: Term, declared: Field, codes: Codes) -> object:
    """Return a field's value in a model, as it can be given; None where it is unknown."""
    if not holds(model, term.known):
        return None
    match term:
        case Truth():
            return holds(model, term.true)
        case Number():
            return _number(model.eval(term.value, model_completion=True), declared)
        case Text():
            return _text(model, term, codes)
        case Members():
            names = [name for name, there in term.of.items() if holds(model, there)]
            return [*names, NO_MEMBER] if holds(model, term.open) else names
        case Items():
            return _list(model, term, declared, codes)
        case Entries():
            found: dict[str, object] = {}
            for key, (there, value) in term.of.items():
                if holds(model, there):
                    found[key] = value_of(model, value, declared.part(key), codes)
            return found
        case _:
            return None


def _list(model: z3.ModelRef, term: Items, declared: Field, codes: Codes) -> list[object]:
    of = declared.of
    assert of is not None
    length = min(model.eval(term.length, model_completion=True).as_long(), LENGTH_MAX)
    items = [value_of(model, item, of, codes) for _, item in told_apart(term)[:length]]
    return items + [items[-1] if items else None] * (length - len(items))


def _number(value: Any, declared: Field) -> object:
    if declared.type == DOUBLE:
        if not z3.is_rational_value(value):
            value = value.approx(20)
        try:
            return float(Fraction(value.numerator_as_long(), value.denominator_as_long()))
        except (ValueError, OverflowError):  # more digits than Python reads, or more than a double holds
            return float(value.as_decimal(40).rstrip("?"))
    whole = value.as_long()
    if declared.type == DURATION:
        return timedelta(microseconds=whole)
    if declared.type == TIMESTAMP:
        return EPOCH + whole * MICROSECOND
    if declared.type == DATE:
        return EPOCH.date() + timedelta(days=whole)
    return whole


def _text(model: z3.ModelRef, term: Text, codes: Codes) -> str:
    if isinstance(term.value, str):
        return term.value
    value = model.eval(term.value, model_completion=True)
    if term.is_code:
        return filled(codes.text(value.as_long()), model, term, codes)
    text = filled(_unescaped(value), model, term, codes)
    if all(ord(sign) <= NEAR_MAX for sign in text):
        return text
    named = [(_unescaped(model.eval(variable, model_completion=True)), sign) for sign, variable in codes.far.items()]
    marks = sorted((ord(stand_in), ord(sign)) for stand_in, sign in named if len(stand_in) == 1)
    return "".join(_far(ord(sign), marks) if ord(sign) > NEAR_MAX else sign for sign in text)


def _unescaped(value: Any) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found.group(1), 16)), value.as_string())


def _far(sign: int, marks: list[tuple[int, int]]) -> str:
    """Return a character past NEAR_MAX: as far behind the last one that is named as its stand-in, if there is room."""
    begin, real = max((mark for mark in marks if mark[0] <= sign), default=(NEAR_MAX, NEAR_MAX))
    end = min((later - 1 for stand_in, later in marks if stand_in > sign), default=sys.maxunicode)
    return chr(min(real + sign - begin, end))
