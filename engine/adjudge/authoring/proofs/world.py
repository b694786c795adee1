"""Every input that a policy could be given, as terms, and the way back from a model to an input."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import z3

from adjudge.expr.nodes import Binary, ListLiteral, Literal, Name, Node, children, list_of
from adjudge.expr.smt.lengths import is_length
from adjudge.expr.smt.lists import Plan, plans_of
from adjudge.expr.smt.logic import Prop, conj, disj, implies, neg, same
from adjudge.expr.smt.terms import Entries, Items, Members, Number, Term, Text, Truth, string_val, told_apart
from adjudge.expr.smt.translate import Translator
from adjudge.expr.smt.values import holds, value_of
from adjudge.expr.smt.world import World, as_number, number_val
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.policy.policy import Policy
from adjudge.policy.slots import NOW, Slot
from adjudge.policy.typed import TypedPolicy
from adjudge.values.fields import Field
from adjudge.values.types import STRING, ListType

NO_LIST = 0
"""Given for a list that is to be refused."""


@frozen(kw_only=True)
class Input:
    """What a policy is given: a nested mapping, as `Policy.evaluate` takes it, and the clock."""

    given: Mapping[str, object]
    now: datetime | None = None


def fields_of(typed: TypedPolicy) -> dict[str, tuple[tuple[str, ...], Field]]:
    """Return what can be given, by slot: the way to it in the nested mapping, and its declaration."""
    fields: dict[str, tuple[tuple[str, ...], Field]] = {name: ((name,), f) for name, f in typed.inputs.items()}
    for signal in typed.signals.values():
        fields |= {f"{signal.name}.{name}": ((signal.name, name), field) for name, field in signal.fields.items()}
    for name, slot in typed.parts.items():
        if name not in fields and slot.key is None and name != NOW:
            fields[name] = (slot.path, typed.slots[name])
    return fields


def world_of(*policies: Policy, name: str = "") -> tuple[World, Translator]:
    """Return the world of some policies that share their fields, and a translator for the first of them."""
    typed_ones = [policy.typed for policy in policies]
    world = World(name=name, coded=coded_texts(typed_ones), plans=planned_lists(typed_ones))
    for policy in policies:
        typed = policy.typed
        world.declare({slot: field for slot, (_, field) in fields_of(typed).items() if slot not in world.slots})
        if NOW not in world.slots:
            declare_now(world, typed.slots[NOW])
    parts = {name: slot for policy in reversed(policies) for name, slot in policy.typed.parts.items()}
    world.constraints += novel_readings(world, parts)
    return world, translator_of(policies[0], world)


def declare_now(world: World, declared: Field) -> None:
    """Add the clock. It shows no time within two days of the calendar's ends, where a zone may have none."""
    world.declare({NOW: declared})
    now = world.slots[NOW]
    assert isinstance(now, Number)
    first, last = (as_number(datetime(*day, tzinfo=UTC)) for day in ((1, 1, 3), (9999, 12, 29)))
    world.constraints.append(z3.And(now.value >= first, now.value <= last))


def novel_readings(world: World, parts: Mapping[str, Slot]) -> list[Prop]:
    """Return what holds of every list of novel words by the way it is read, see `policy.slots.join_novel`.

    parts: the slots of who reads them, by full name.
    """
    found: list[Prop] = []
    for name, items in world.slots.items():
        if name not in parts or not parts[name].novel:
            continue
        beside = world.slots.get(str(parts[name].whole))
        if isinstance(items, Items) and isinstance(beside, Members | Entries):
            found.append(implies(items.known, beside.known))
            if isinstance(beside, Members):
                found.append(neg(conj(items.known, beside.open)))
            found += _distinct(items)
    return found


def _distinct(items: Items) -> Iterator[Prop]:
    """Yield that no item stands there twice, and that an unknown one stands alone."""
    for (here, one), (there, other) in combinations(items.items, 2):
        if isinstance(one, Text) and isinstance(other, Text):
            alike = disj(neg(one.known), neg(other.known), one.value == other.value)
            yield neg(conj(items.known, here, there, alike))


def translator_of(policy: Policy, world: World) -> Translator:
    """Return a translator of a policy's conditions in a world."""
    return Translator(world, policy.typed.variables, policy.typed.constants, policy.functions)


def coded_texts(policies: list[TypedPolicy]) -> frozenset[str]:
    """Return the slots whose texts are only ever compared with constants: for those, numbers do."""
    slots = {name for typed in policies for name, field in typed.slots.items() if field.type == STRING}
    wholes = [(name, str(slot.whole)) for typed in policies for name, slot in typed.parts.items()]
    for typed in policies:
        for condition in (*typed.variables.values(), *typed.conditions):
            used = set(_used_as_texts(condition, typed))
            slots -= used | {name for name, whole in wholes if whole in used}  # a map's keys may be computed
    return frozenset(slots)


def planned_lists(policies: Sequence[TypedPolicy], apart: Collection[str] = ()) -> dict[str, Plan]:
    """Return the lists that are cut down, see `expr.smt.lists`. apart: those that policies do not declare alike.

    Not those of what is new in a field, in which nothing stands twice.
    """
    lists = {
        name: None
        for typed in policies
        for name, (_, declared) in fields_of(typed).items()
        if isinstance(declared.type, ListType) and not typed.parts[name].novel
    }
    return plans_of([(*typed.variables.values(), *typed.conditions) for typed in policies], lists, apart)


def _used_as_texts(node: Node, typed: TypedPolicy) -> Iterator[str]:
    if isinstance(node, Binary) and node.operator in ("==", "!=", "in"):
        for part, other in ((node.left, node.right), (node.right, node.left)):
            if not (isinstance(part, Name) and part.name in typed.slots and _is_constant(other, typed)):
                yield from _used_as_texts(part, typed)
        return
    if isinstance(node, Name):
        yield node.name
    for child in children(node):
        yield from _used_as_texts(child, typed)


def _is_constant(node: Node, typed: TypedPolicy) -> bool:
    if isinstance(node, ListLiteral):
        return all(isinstance(item, Literal) for item in node.items)
    return isinstance(node, Literal) or (isinstance(node, Name) and list_of(node.name) is not None)


_FRESH = late(r"!([0-9]+)!")
"""A text that the solver makes up where any will do, such as a word that no vocabulary has."""


def input_of(model: Any, world: World, *policies: Policy) -> Input:
    """Return the input that a model stands for: only what is known."""
    given: dict[str, Any] = {}
    fields = {slot: found for policy in policies for slot, found in fields_of(policy.typed).items()}
    parts = {name: slot for policy in policies for name, slot in policy.typed.parts.items()}
    for slot, (path, declared) in fields.items():
        value = value_of(model, world.slots[slot], declared, world.codes)
        if value is None and parts[slot].novel and _is_known(model, world, parts[slot].whole):
            value = NO_LIST
        elif parts[slot].novel and isinstance(value, list):
            value = [_FRESH.sub(r"new_word_\1", word) if isinstance(word, str) else word for word in value]
        if value is not None or declared.left_out is not None:  # what is not there might be taken for left out
            part = given
            for step in path[:-1]:
                part = part.setdefault(step, {})
            part[path[-1]] = value
    now = value_of(model, world.slots[NOW], policies[0].typed.slots[NOW], world.codes)
    return Input(given=given, now=now if isinstance(now, datetime) else None)


def value_at(given: object, path: tuple[str, ...]) -> object:
    """Return what stands at the end of a path; None where there is nothing."""
    for step in path:
        given = given.get(step) if isinstance(given, Mapping) else None
    return given


def put(given: object, path: tuple[str, ...], value: object) -> dict[str, object]:
    """Return a nested mapping with another value at the end of a path; None takes away what is there."""
    inner = dict(given) if isinstance(given, Mapping) else {}
    name, *rest = path
    before = inner.pop(name, None)
    new = put(before, tuple(rest), value) if rest else value
    return inner if new is None else {**inner, name: new}


def put_all(given: Mapping[str, object], values: Mapping[str, object], typed: TypedPolicy) -> Mapping[str, object]:
    """Return a nested mapping with other values of some slots; `now` stands elsewhere."""
    for slot, value in values.items():
        if slot != NOW:
            given = put(given, typed.path_of(slot), value)
    return given


def _is_known(model: Any, world: World, whole: Slot) -> bool:
    """Whether a field is known: then what is novel in it is too, unless it is refused."""
    term = world.slots.get(str(whole))
    return term is not None and holds(model, term.known)


def fixed(world: World, policy: Policy, values: Mapping[str, object]) -> list[Any]:
    """Return that each field has the value which `Policy.read` understood, or is unknown."""
    fields = {slot: field for slot, (_, field) in fields_of(policy.typed).items()}
    fields[NOW] = policy.typed.slots[NOW]
    props = [is_value(world.slots[slot], values.get(slot), field, world) for slot, field in fields.items()]
    return [prop for prop in props if not isinstance(prop, bool)]


def is_value(term: Term, value: object, declared: Field, world: World) -> Prop:
    """Return whether a field has a value; None is unknown."""
    if value is None:
        return neg(term.known)
    match term:
        case Truth():
            return term.true if value is True else term.false
        case Number():
            return conj(term.known, term.value == number_val(as_number(value), is_double=term.is_double))
        case Text(is_code=True):
            is_it = term.value == world.codes.code(str(value))
            return conj(term.known, is_it, is_length(term, len(str(value)), world.codes))
        case Text():
            is_it = term.value == string_val(str(value), world.codes)
            return conj(term.known, is_it, is_length(term, len(str(value)), world.codes))
        case Members():
            assert isinstance(value, tuple | list)
            members = (same(there, name in value) for name, there in term.of.items())
            return conj(term.known, *members, same(term.open, None in value))
        case Items():
            assert isinstance(value, tuple | list) and declared.of is not None
            told = told_apart(term)
            is_long = term.whole is not None and len(value) > term.whole.plan.items  # then its order is not this one
            items = (
                [is_value(item, part, declared.of, world) for part, (_, item) in zip(value, told, strict=False)]
                if not is_long
                else []
            )
            return conj(term.known, term.length == len(value), *items)
        case Entries():
            assert isinstance(value, Mapping)
            entries = [
                conj(there, is_value(item, value.get(key), declared.part(key), world))
                if key in value or declared.parts
                else neg(there)
                for key, (there, item) in term.of.items()
            ]
            return conj(term.known, *entries)
        case _:
            return term.known
