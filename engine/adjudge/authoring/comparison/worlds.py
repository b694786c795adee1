"""One world for two policies: each sees every input as its own declarations let it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from adjudge.authoring.proofs.world import Input, coded_texts, fields_of, input_of
from adjudge.expr.smt.logic import any_of, conj, neg
from adjudge.expr.smt.terms import Members, Number, Term, Text
from adjudge.expr.smt.world import World, as_number, known_where, number_val
from adjudge.expr.types import EnumType, SetType
from adjudge.fields import Bound, Field
from adjudge.policy.policy import Policy
from adjudge.policy.slots import NOW


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedWorlds:
    """The worlds of two policies, which share their inputs. notes: fields that the two declare differently."""

    old: World
    new: World
    notes: tuple[str, ...]


def shared_worlds(old: Policy, new: Policy) -> SharedWorlds:
    """Return what both policies can be given.

    A field that both declare alike is one field. Where ranges or vocabularies differ, a value is known to the policy
    whose declaration holds it, and unknown to the other; a field of different types is known to one of them only.
    """
    common = World(coded=coded_texts([old.typed, new.typed]))
    both = common, replace(common, slots={}, name="new ")
    notes = []
    fields = [{slot: field for slot, (_, field) in fields_of(policy.typed).items()} for policy in (old, new)]
    for slot in dict.fromkeys([*fields[0], *fields[1]]):
        before, after = fields[0].get(slot), fields[1].get(slot)
        if before is None or after is None:
            for world, declared in zip(both, (before, after), strict=True):
                if declared is not None:
                    world.declare({slot: declared})
        elif _same(before, after):
            common.declare({slot: before})
            both[1].slots |= {name: term for name, term in common.slots.items() if _belongs(name, slot)}
        else:
            what = "a value that only one of them takes is unknown to the other"
            notes.append(f"`{slot}` is declared differently: {what}")
            _declare_both(both, slot, before, after)
    common.declare({NOW: old.typed.slots[NOW]})
    both[1].slots[NOW] = common.slots[NOW]
    return SharedWorlds(old=common, new=both[1], notes=tuple(notes))


def _belongs(name: str, slot: str) -> bool:
    return name == slot or name.startswith(f"{slot}.")


def _same(one: Field, other: Field) -> bool:
    return (one.type, one.minimum, one.maximum, one.of, one.absent) == (
        other.type,
        other.minimum,
        other.maximum,
        other.of,
        other.absent,
    )


def _declare_both(worlds: tuple[World, World], slot: str, old: Field, new: Field) -> None:
    old_world, new_world = worlds
    whole = _either(old, new)
    if whole is None:  # nothing fits both
        old_world.declare({slot: old})
        new_world.declare({slot: new})
        old_world.constraints.append(neg(conj(old_world.slots[slot].known, new_world.slots[slot].known)))
        return
    term = old_world.term(slot, whole, slot)
    for world, field in ((old_world, old), (new_world, new)):
        world.slots[slot] = _seen(term, field, world)


def _either(old: Field, new: Field) -> Field | None:
    """Return a declaration that takes what either takes; None where the types are too different."""
    match old.type, new.type:
        case EnumType(values=a), EnumType(values=b):
            return replace(old, type=EnumType(tuple(dict.fromkeys([*a, *b]))))
        case SetType(values=a), SetType(values=b):
            return replace(old, type=SetType(tuple(dict.fromkeys([*a, *b]))))
        case a_type, b_type if a_type == b_type and old.of is None:
            return replace(
                old, minimum=_wider(old.minimum, new.minimum, min), maximum=_wider(old.maximum, new.maximum, max)
            )
    return None


def _wider(one: Bound | None, other: Bound | None, pick: Any) -> Bound | None:
    return None if one is None or other is None else pick(one, other)


def _seen(term: Term, field: Field, world: World) -> Term:
    """Return a term as a policy sees it that declares less."""
    match term:
        case Number():
            inside = [True]
            for bound, is_low in ((field.minimum, True), (field.maximum, False)):
                if bound is not None:
                    limit = number_val(as_number(bound), is_double=term.is_double)
                    inside.append(term.value >= limit if is_low else term.value <= limit)
            return known_where(term, conj(*inside))
        case Text() if isinstance(field.type, EnumType):
            words = any_of(term.value == world.codes.code(word) for word in field.type.values)
            return replace(term, known=conj(term.known, words), vocabulary=field.type.values)
        case Members() if isinstance(field.type, SetType):
            return replace(term, of={name: there for name, there in term.of.items() if name in field.type.values})
    return term


def input_for_both(model: Any, worlds: SharedWorlds, old: Policy, new: Policy) -> Input:
    """Return the input that a model stands for: what either policy knows of it."""
    one, other = input_of(model, worlds.old, old), input_of(model, worlds.new, new)
    return Input(given=_merged(one.given, other.given), now=one.now)


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(other)
    for name, value in one.items():
        beside = merged.get(name)
        if isinstance(value, Mapping) and isinstance(beside, Mapping):
            merged[name] = _merged(value, beside)
        elif isinstance(value, list) and isinstance(beside, list):
            merged[name] = list(dict.fromkeys([*value, *beside]))
        else:
            merged[name] = value
    return merged
