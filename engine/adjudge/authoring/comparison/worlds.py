"""One world for two policies: each sees every input as its own declarations let it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import Any

import z3

from adjudge.authoring.comparison.joint import is_alike, readings, strays, words_of
from adjudge.authoring.proofs.world import (
    NO_LIST,
    Input,
    coded_texts,
    declare_now,
    fields_of,
    input_of,
    is_value,
    novel_readings,
    planned_lists,
    put,
    value_at,
)
from adjudge.expr.smt.logic import Prop, all_of, conj, disj, implies
from adjudge.expr.smt.terms import Items
from adjudge.expr.smt.values import holds, value_of
from adjudge.expr.smt.world import World
from adjudge.frozen import frozen
from adjudge.policy.policy import Policy
from adjudge.policy.slots import NOW, TEXTS, is_within
from adjudge.policy.typed import TypedPolicy
from adjudge.values.fields import Field
from adjudge.values.types import ListType


@frozen(kw_only=True)
class SharedWorlds:
    """The worlds of two policies, which share their inputs.

    notes: fields that the two declare differently. Of those, by the way to each: novel, the list of what is outside a
    vocabulary, as it is given; left_out, whether the field is left out of an object that came; lists, those of which
    each reads the items by its own declaration.
    """

    old: World
    new: World
    notes: tuple[str, ...]
    novel: Mapping[tuple[str, ...], Items] = field(default_factory=dict)
    left_out: Mapping[tuple[str, ...], z3.BoolRef] = field(default_factory=dict)
    lists: tuple[tuple[str, ...], ...] = ()


def shared_worlds(old: Policy, new: Policy) -> SharedWorlds:
    """Return what both policies can be given.

    A field that both declare alike is one field; one that they declare differently is one value, read by both.
    """
    fields = [{slot: field for slot, (_, field) in fields_of(policy.typed).items()} for policy in (old, new)]
    unlike = {slot for slot, field in fields[0].items() if slot in fields[1] and not is_alike(field, fields[1][slot])}
    plans = planned_lists([old.typed, new.typed], unlike)
    common = World(coded=coded_texts([old.typed, new.typed]), plans=plans)
    apart = replace(common, slots={}, name="new ", taken_light=set())
    ways = {slot: way for policy in (old, new) for slot, (way, _) in fields_of(policy.typed).items()}
    vocabularies = dict(_vocabularies(old.typed, new.typed))
    notes, left_out, lists = [], {}, []
    for slot in dict.fromkeys([*fields[0], *fields[1]]):
        before, after = fields[0].get(slot), fields[1].get(slot)
        if before is None or after is None:
            for world, declared in ((common, before), (apart, after)):
                if declared is not None:
                    world.declare({slot: declared})
        elif slot in vocabularies.values():
            continue  # below, once both vocabularies are there
        elif is_alike(before, after) and _is_read_alike(slot, old.typed, new.typed):
            common.declare({slot: before})
            apart.slots |= {name: term for name, term in common.slots.items() if is_within(name, slot)}
        else:
            if not is_alike(before, after):
                notes.append(f"`{slot}` is declared differently: what only one of them reads is unknown to the other")
            common.declare({slot: before})
            apart.declare({slot: after})
            alike: Prop = True  # nothing is said of a list of what is new in fields that are read apart
            if _is_read_alike(slot, old.typed, new.typed):
                alike = readings(common.slots[slot], apart.slots[slot], before, after, common.codes)
                lists += [ways[slot]] if {type(before.type), type(after.type)} == {ListType} else []
            if before.left_out != after.left_out:
                left = left_out[ways[slot]] = z3.Bool(common.fresh(f"{slot} is left out"))
                alike = conj(implies(left, _are_left_out(slot, common, apart, before, after)), disj(left, alike))
            common.constraints.append(alike)
    given = {ways[novel]: _declare_novel(common, apart, slot, novel) for slot, novel in vocabularies.items()}
    declare_now(common, old.typed.slots[NOW])
    apart.slots[NOW] = common.slots[NOW]
    common.constraints += [*novel_readings(common, old.typed.parts), *novel_readings(apart, new.typed.parts)]
    return SharedWorlds(old=common, new=apart, notes=tuple(notes), novel=given, left_out=left_out, lists=tuple(lists))


def _are_left_out(slot: str, common: World, apart: World, old: Field, new: Field) -> Prop:
    """Return that both read a field as one that is left out."""
    readings_ = ((common, old), (apart, new))
    return all_of(is_value(world.slots[slot], declared.left_out, declared, world) for world, declared in readings_)


def _is_read_alike(slot: str, *policies: TypedPolicy) -> bool:
    """Return whether both find the same in a list: what is outside a vocabulary hangs on the field that has it."""
    wholes = [typed.slots[str(typed.parts[slot].whole)] if typed.parts[slot].novel else None for typed in policies]
    kinds = [(type(of.type), of.vocabulary, *_left_out(of)) if of is not None else None for of in wholes]
    return kinds[0] == kinds[1]


def _left_out(field: Field) -> tuple[object, str | None]:
    return field.left_out, field.within


def _vocabularies(old: TypedPolicy, new: TypedPolicy) -> Iterator[tuple[str, str]]:
    """Yield the sets and keyed maps whose words differ, each with its list of what is outside them."""
    for novel in (name for name, slot in old.parts.items() if slot.novel and new.parts.get(name) == slot):
        whole = str(old.parts[novel].whole)
        before, after = old.slots[whole], new.slots[whole]
        if before.vocabulary == after.vocabulary or type(before.type) is not type(after.type):
            continue
        if _left_out(before) == _left_out(after):  # else what is new in it is known to one of them alone
            yield whole, novel


def _declare_novel(common: World, apart: World, slot: str, novel: str) -> Items:
    """Declare what each policy finds outside its vocabulary: a word of the other's too, where it is there.

    Returns the list as it is given.
    """
    whole = common.term(novel, TEXTS, f"both {novel}")
    old, new = words_of(common.slots[slot]), words_of(apart.slots[slot])
    assert isinstance(whole, Items)
    for world, own, others in ((common, old, new), (apart, new, old)):
        seen = world.term(novel, TEXTS, f"{world.name}{novel}")
        assert isinstance(seen, Items)
        world.slots[novel] = seen
        world.constraints.append(
            strays(whole, seen, {word: there for word, there in others.items() if word not in own}, common.codes)
        )
    return whole


def input_for_both(model: Any, worlds: SharedWorlds, old: Policy, new: Policy) -> Input:
    """Return the input that a model stands for: what either policy knows of it."""
    one, other = input_of(model, worlds.old, old), input_of(model, worlds.new, new)
    given = _merged(one.given, other.given)
    for way, novel in worlds.novel.items():
        if value_at(given, way) is not None:  # the field itself is known
            named = value_of(model, novel, TEXTS, worlds.old.codes)
            given = put(given, way, NO_LIST if named is None else named)
    for way in worlds.lists:
        items = value_at(one.given, way), value_at(other.given, way)
        if isinstance(items[0], list) and isinstance(items[1], list):
            given = put(given, way, [b if a is None else a for a, b in zip(items[0], items[1], strict=True)])
    for way, left in worlds.left_out.items():
        if holds(model, left):
            given = put(given, way, None)
            if len(way) > 1:
                given.setdefault(way[0], {})
    return Input(given=given, now=one.now)


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Join two readings of an input; where both read a number, the int is what both can read."""
    merged = dict(other)
    for name, value in one.items():
        beside = merged.get(name)
        if isinstance(value, Mapping) and isinstance(beside, Mapping):
            merged[name] = _merged(value, beside)
        elif isinstance(value, list) and isinstance(beside, list) and value != beside:
            merged[name] = list(dict.fromkeys([*value, *beside]))
        elif (value is not None or beside is None) and not (isinstance(value, float) and isinstance(beside, int)):
            merged[name] = value
    return merged
