"""Everything that could be given to a policy: for each field a term that says whether it is known, and what it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import count
from typing import Any

import z3

from adjudge.expr.smt.lists import Plan
from adjudge.expr.smt.logic import Prop, conj
from adjudge.expr.smt.terms import Codes, Entries, Items, Members, Number, Opaque, Term, Text, Truth, Whole, either
from adjudge.values.fields import Bound, Field
from adjudge.values.literals import DURATION_MAX, INT_MAX, INT_MIN, is_nano
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    MapType,
    RecordType,
    SetType,
    Type,
    is_text,
)

ITEMS_MAX = 3
"""Of a list, so many items are looked at one by one."""
DOUBLE_MAX = Fraction(1.7976931348623157e308)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LIMITS: Mapping[Type, tuple[int, int]] = {
    INT: (INT_MIN, INT_MAX),
    DATE: ((date.min - EPOCH.date()).days, (date.max - EPOCH.date()).days),
    DURATION: (-(DURATION_MAX // MICROSECOND), DURATION_MAX // MICROSECOND),
    TIMESTAMP: (
        (datetime.min.replace(tzinfo=UTC) - EPOCH) // MICROSECOND,
        (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND,
    ),
}


def as_number(value: object) -> int | Fraction:
    """Return a number, time or duration as the solver has it: exact, times in microseconds, dates in days."""
    match value:
        case datetime():
            return (value - EPOCH) // MICROSECOND
        case timedelta():
            return value // MICROSECOND
        case date():
            return (value - EPOCH.date()).days
        case float():
            return Fraction(value)
        case int():
            return int(value)
    raise TypeError(f"{value!r} is no number")


def number_val(value: int | Fraction, *, is_double: bool) -> Any:
    """Return a number as z3's."""
    return z3.RealVal(value) if is_double else z3.IntVal(value)


@dataclass(slots=True)
class World:
    """Terms of fields. Two worlds of one name share their variables.

    slots: by full name. constraints: what holds of every input.
    coded: slots whose texts are only compared with constants. plans: lists that are cut down.
    unsaid: why some parts of conditions have no term, by their text. taken_light: macros over lists that are cut down,
    of which longer lists than are told apart are taken not to be too much work, by their text.
    """

    name: str = ""
    coded: Collection[str] = ()
    plans: Mapping[str, Plan] = field(default_factory=dict)
    codes: Codes = field(default_factory=Codes)
    slots: dict[str, Term] = field(default_factory=dict)
    constraints: list[Prop] = field(default_factory=list)
    unsaid: dict[str, str] = field(default_factory=dict)
    taken_light: set[str] = field(default_factory=set)
    numbers: Iterator[int] = field(default_factory=count)
    rounded: list[tuple[Any, Any]] = field(default_factory=list)
    """Exact results of doubles, each with what it is rounded to."""

    def __post_init__(self) -> None:
        self.codes.constraints = self.constraints

    def declare(self, fields: Mapping[str, Field], prefix: str = "") -> None:
        """Add the slots of some fields, as `policy.slots.declare` names them."""
        for name, declared in fields.items():
            slot = prefix + name
            term = self.term(slot, declared, f"{self.name}{slot}")
            self.slots[slot] = term
            if isinstance(term, Entries) and term.is_closed:
                for key, (present, value) in term.of.items():
                    self.slots[f"{slot}.{key}"] = self.entry(term.known, present, value, declared)

    def entry(self, map_known: Prop, present: Prop, value: Term, declared: Field) -> Term:
        """Return the slot of a map's key: what `absent` says where the map has no such key."""
        if declared.absent is None or declared.parts:
            return known_where(value, conj(map_known, present))
        of = declared.of.type if declared.of is not None else None
        return either(present, value, constant(declared.absent, self, of), self.codes, map_known)

    def fresh(self, what: str) -> str:
        """Return a name that nothing else has, in this world or one that was made of it."""
        return f"{self.name}?{what}{next(self.numbers)}"

    def any_truth(self, known: Prop = True) -> Truth:
        """Return an answer of which nothing can be told, but that it is unknown where `known` does not hold."""
        name = self.fresh("answer")
        true, false = z3.Bool(f"{name}.t"), z3.Bool(f"{name}.f")
        self.constraints.append(z3.Not(z3.And(true, false)))
        return Truth(true, false).given(known)

    def opaque(self, type_: Type | None, known: Prop) -> Term:
        """Return any value of a type, known only where `known` holds, if at all."""
        name = self.fresh("any")
        known = conj(known, z3.Bool(f"{name}?"))
        return self.any_truth(known) if type_ == BOOL else self.any_of(type_, name, known)

    def any_of(self, type_: Type | None, name: str, known: Prop) -> Term:
        """Return any value of a type, known only where `known` holds."""
        if (
            type_ is None
            or isinstance(type_, ListType | MapType | SetType)
            or (not is_text(type_) and type_ not in LIMITS and type_ not in (BOOL, DOUBLE))
        ):
            return Opaque(known)
        term = self.term(name, Field(type=STRING if is_text(type_) else type_), name)
        return known_where(term, known)

    def term(self, slot: str, declared: Field, name: str) -> Term:
        """Return a variable term for a field."""
        known = z3.Bool(f"{name}?")
        match declared.type:
            case type_ if type_ == BOOL:
                value = z3.Bool(name)
                return Truth(z3.And(known, value), z3.And(known, z3.Not(value)))
            case type_ if type_ in LIMITS or type_ == DOUBLE:
                return self.number(declared, name, known)
            case EnumType(values=values):
                code = z3.Int(name)
                self.constraints.append(z3.Or([code == self.codes.code(value) for value in values]))
                return Text(known, code, is_code=True, vocabulary=values)
            case type_ if type_ == STRING and slot in self.coded:
                code = z3.Int(name)
                self.constraints.append(code >= 0)
                return Text(known, code, is_code=True)
            case type_ if type_ == STRING:
                return Text(known, z3.String(name))
            case SetType(values=values):
                return Members(known, {value: z3.Bool(f"{name}:{value!r}") for value in values}, z3.Bool(f"{name}:?"))
            case ListType():
                return self.list(declared, name, known, self.plans.get(slot))
            case MapType(keys=keys) if keys is not None:
                of = declared.of
                assert of is not None
                entries = {
                    key: (z3.Bool(f"{name}[{key!r}]!"), self.term(f"{slot}.{key}", of, f"{name}[{key!r}]"))
                    for key in keys
                }
                return Entries(known, entries)
            case MapType():
                return Entries(known, {}, is_closed=False, value=declared.of)
            case RecordType():
                parts = declared.parts.items()
                return Entries(
                    known, {key: (True, self.term(f"{slot}.{key}", of, f"{name}.{key}")) for key, of in parts}
                )
            case _:
                return Opaque(known)

    def number(self, declared: Field, name: str, known: Prop) -> Number:
        """Return a number within its range."""
        is_double = declared.type == DOUBLE
        value = z3.Real(name) if is_double else z3.Int(name)
        low, high = bounds_of(declared)
        self.constraints += [value >= low, value <= high]
        return Number(known, value, is_double)

    def list(self, declared: Field, name: str, known: Prop, plan: Plan | None) -> Items:
        """Return a list by its first items and its length; with a plan, by items that stand for all."""
        length = z3.Int(f"{name}#")
        self.constraints.append(length >= 0)
        of = declared.of
        assert of is not None
        apart = plan.items + 1 if plan is not None else ITEMS_MAX
        terms = [self.term(f"{name}[]", of, f"{name}[{at}]") for at in range(apart)]
        items = tuple((length > at, term) for at, term in enumerate(terms))
        first = Items(known, items[:ITEMS_MAX], length > ITEMS_MAX, length)
        if plan is None:
            return first
        rest = tuple((length > plan.items + at, terms[-1]) for at in range(plan.copies))
        return replace(first, scattered=True, whole=Whole(plan, items[:-1] + rest))

    def entries_of(self, container: Entries, name: str, type_: Type | None) -> tuple[Prop, Term]:
        """Return whether a map has a key, and its value; type_: the value's."""
        if name not in container.of and not container.is_closed:
            container.of[name] = self.key(container, name, type_)
        return container.of.get(name, (False, unknown_of(type_)))

    def key(self, container: Entries, key: str, type_: Type | None) -> tuple[Prop, Term]:
        """Return an entry of a map whose keys are not declared: there or not, known or not."""
        name = self.fresh("key")
        of = container.value if container.value is not None else Field(type=type_) if type_ is not None else None
        return z3.Bool(f"{name}!"), self.term(name, of, name) if of is not None else Opaque(z3.Bool(f"{name}?"))


def bounds_of(declared: Field) -> tuple[Any, Any]:
    """Return the lowest and the highest value of a number's field, as z3's."""
    is_double = declared.type == DOUBLE
    limits = (-DOUBLE_MAX, DOUBLE_MAX) if is_double else LIMITS[declared.type]

    def bound(said: Bound | None, limit: int | Fraction) -> Any:
        return number_val(as_number(said) if said is not None else limit, is_double=is_double)

    return bound(declared.minimum, limits[0]), bound(declared.maximum, limits[1])


def constant(value: object, world: World, type_: Type | None = None) -> Term:
    """Return a value of the language as a term; None is unknown."""
    match value:
        case bool():
            return Truth(value, not value)
        case float():
            if value != value or value in (float("inf"), float("-inf")):
                return Number(True, z3.RealVal(0), is_double=True, odd=True)
            return Number(True, number_val(Fraction(value), is_double=True), is_double=True)
        case int():
            if type_ == DOUBLE:
                return Number(True, number_val(Fraction(value), is_double=True), is_double=True)
            return Number(True, z3.IntVal(value))
        case datetime() | timedelta() if is_nano(value):
            return Opaque(True)
        case date() | timedelta():
            return Number(True, z3.IntVal(as_number(value)))
        case str():
            return Text(True, value)
        case tuple() | list():
            of = type_.item if isinstance(type_, ListType) else STRING if isinstance(type_, SetType) else None
            return Items(True, tuple((True, constant(item, world, of)) for item in value))
        case dict():
            if all(isinstance(key, str) for key in value):
                types = type_.of if isinstance(type_, RecordType) else {}
                of = type_.value if isinstance(type_, MapType) else None
                return Entries(
                    True, {key: (True, constant(item, world, types.get(key, of))) for key, item in value.items()}
                )
            return Opaque(True)
        case None:
            return unknown_of(type_)
        case _:
            return Opaque(True)


def unknown_of(type_: Type | None) -> Term:
    """Return an unknown of a type."""
    if type_ == BOOL:
        return Truth(False, False)
    if type_ == DOUBLE:
        return Number(False, z3.RealVal(0), is_double=True)
    if type_ in LIMITS:
        return Number(False, z3.IntVal(0))
    if type_ is not None and is_text(type_):
        return Text(False, "")
    return Opaque(False)


def known_where(term: Term, condition: Prop) -> Term:
    """Return a term that is unknown where a condition does not hold."""
    match term:
        case Truth():
            return term.given(condition)
        case Number():
            return Number(conj(condition, term.known), term.value, term.is_double, term.odd)
        case Text():
            return Text(conj(condition, term.known), term.value, term.is_code, term.vocabulary)
        case Members():
            return Members(conj(condition, term.known), term.of, term.open)
        case Items():
            return replace(term, known=conj(condition, term.known))
        case Entries():
            return Entries(conj(condition, term.known), term.of, term.is_closed, term.value)
        case Opaque():
            return Opaque(conj(condition, term.known))
