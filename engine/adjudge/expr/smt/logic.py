"""Propositions: z3's, or Python's True and False where they are already decided, which keeps terms small."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import z3

Prop = Any
"""A `z3.BoolRef` or a bool; z3 has no types."""


def reason(error: z3.Z3Exception) -> str:
    """Return what z3 says of an error, in a line."""
    said = error.args[0] if error.args else ""
    return " ".join((said.decode(errors="replace") if isinstance(said, bytes) else str(said)).split()) or "an error"


def neg(prop: Prop) -> Prop:
    """Return `not prop`."""
    return not prop if isinstance(prop, bool) else z3.Not(prop)


def conj(*props: Prop) -> Prop:
    """Return whether all hold."""
    return all_of(props)


def disj(*props: Prop) -> Prop:
    """Return whether one holds."""
    return any_of(props)


def all_of(props: Iterable[Prop]) -> Prop:
    """Return whether all hold; True for none."""
    open_: list[Prop] = []
    for prop in props:
        if prop is False:
            return False
        if prop is not True:
            open_.append(prop)
    return True if not open_ else open_[0] if len(open_) == 1 else _joined(z3.Z3_mk_and, open_)


def any_of(props: Iterable[Prop]) -> Prop:
    """Return whether one holds; False for none."""
    open_: list[Prop] = []
    for prop in props:
        if prop is True:
            return True
        if prop is not False:
            open_.append(prop)
    return False if not open_ else open_[0] if len(open_) == 1 else _joined(z3.Z3_mk_or, open_)


def at_least(count: int, props: Iterable[Prop]) -> Prop:
    """Return whether so many hold."""
    open_ = [prop for prop in props if prop is not False]
    wanted = count - sum(prop is True for prop in open_)
    open_ = [prop for prop in open_ if prop is not True]
    if wanted <= 1 or wanted >= len(open_):
        return wanted <= 0 or (wanted <= len(open_) and (any_of(open_) if wanted == 1 else all_of(open_)))
    return z3.AtLeast(*open_, wanted)


def number_of(props: Iterable[Prop]) -> z3.ArithRef:
    """Return how many hold."""
    return z3.Sum([z3.IntVal(0), *(z3.If(formula(prop), 1, 0) for prop in props)])


def _joined(make: Callable[..., Any], props: list[Prop]) -> z3.BoolRef:
    """Join propositions; z3's own `And` and `Or` look at the sort of each, which takes ten times as long."""
    context = props[0].ctx
    return z3.BoolRef(make(context.ref(), len(props), (z3.Ast * len(props))(*(prop.ast for prop in props))), context)


def implies(one: Prop, other: Prop) -> Prop:
    """Return whether `other` holds wherever `one` does."""
    return disj(neg(one), other)


def same(one: Prop, other: Prop) -> Prop:
    """Return whether both hold or neither does."""
    if isinstance(one, bool):
        return other if one else neg(other)
    if isinstance(other, bool):
        return one if other else neg(one)
    return one == other


def pick(condition: Prop, one: Prop, other: Prop) -> Prop:
    """Return one proposition or another."""
    if isinstance(condition, bool):
        return one if condition else other
    return disj(conj(condition, one), conj(neg(condition), other))


def choose(condition: Prop, one: Any, other: Any) -> Any:
    """Return one z3 term or another of the same sort."""
    if isinstance(condition, bool):
        return one if condition else other
    return one if one is other else z3.If(condition, one, other)


def formula(value: Prop) -> z3.BoolRef:
    """Return a proposition as z3's."""
    return z3.BoolVal(value) if isinstance(value, bool) else value
