"""What plugins may offer: a wrong part is named when it is registered, and not met by a decision months later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite

from adjudge.plugin import Function, Limits, Provider
from adjudge.values.fields import Field
from adjudge.values.reading import describe, is_unicode

_Rule = tuple[Callable[[object], bool], str]


def unfit(thing: Provider | Function | Limits) -> str | None:
    """Return what is wrong with something that a plugin offers, such as `its price must be …`; None where it fits."""
    rules = _PROVIDER if isinstance(thing, Provider) else _FUNCTION if isinstance(thing, Function) else _LIMITS
    for name, (fits, expected) in rules.items():
        value = getattr(thing, name)
        if not fits(value):
            return f"its `{name}` must be {expected}, not {_shown(value)}"
    if isinstance(thing, Provider):
        wrong = unfit(thing.limits)
        return f"its limits: {wrong}" if wrong else unfit_fields(thing.fields)
    return None


def unfit_fields(declared: object) -> str | None:
    """Return what is wrong with the fields that a provider declares; None where they fit, or where it declares none."""
    if declared is None:
        return None
    if not isinstance(declared, Mapping):
        return f"its `fields` must be a mapping, not {describe(declared)}"
    for name, field in declared.items():
        if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
            return f"a name of its `fields` must be letters, digits and `_`, not {_shown(name)}"
        if not isinstance(field, Field):
            return f"its field `{name}` must be a Field, such as `parse_fields` makes, not {_shown(field)}"
    return None


def _shown(value: object) -> str:
    """Return a value where it is short and plain, and else its type."""
    return f"`{value}`" if type(value) in (bool, int, float, str) and len(str(value)) <= 40 else describe(value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable() and value == value.strip()


def _is_text(value: object) -> bool:
    return isinstance(value, str) and is_unicode(value)


def _number(least: float, *, integer: bool = False, above: bool = False) -> Callable[[object], bool]:
    def fits(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if integer else int | float):
            return False
        return isfinite(value) and (value > least if above else value >= least)

    return fits


def is_money(value: object) -> bool:
    """Whether a value is an amount: a finite Decimal of at least 0."""
    return isinstance(value, Decimal) and value.is_finite() and value >= 0


def _or_none(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or fits(value)


def _texts(kind: type | tuple[type, ...]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind) and all(isinstance(one, str) for one in value)  # type: ignore[attr-defined]  # a kind of texts can be gone through


_NAME: _Rule = (_is_name, "a name")
_TEXT: _Rule = (_is_text, "a string")
_CALL: _Rule = (callable, "something to call")
_AMOUNT = "a Decimal of at least 0"
_COUNT: _Rule = (_or_none(_number(1, integer=True)), "an int of at least 1, or None")

_PROVIDER: Mapping[str, _Rule] = {
    "name": _NAME,
    "open": _CALL,
    "check": _CALL,
    "derive": (_or_none(callable), "something to call, or None"),
    "account": _CALL,
    "price_of": _CALL,
    "uses": _CALL,
    "reads": (_texts((frozenset, set)), "a frozenset of texts"),
    "price": (is_money, _AMOUNT),
    "currency": _NAME,
    "latency_s": (_number(0), "seconds, at least 0"),
    "limits": (lambda value: isinstance(value, Limits), "Limits"),
    "version": _NAME,
    "description": _TEXT,
}
_FUNCTION: Mapping[str, _Rule] = {
    "name": _NAME,
    "parameters": (_texts(tuple), "a tuple of types' names"),
    "result": _NAME,
    "call": _CALL,
    "description": _TEXT,
}
_LIMITS: Mapping[str, _Rule] = {
    "rate": (_or_none(_number(0, above=True)), "calls a second, above 0, or None"),
    "in_flight": _COUNT,
    "daily_calls": _COUNT,
    "daily_spend": (_or_none(is_money), f"{_AMOUNT}, or None"),
    "attempts": (_number(1, integer=True), "an int of at least 1"),
    "attempt_timeout_s": (_or_none(_number(0, above=True)), "seconds, above 0, or None"),
    "breaker_failures": _COUNT,
    "breaker_pause_s": (_number(0), "seconds, at least 0"),
    "price": (_or_none(is_money), f"{_AMOUNT}, or None"),
}
