"""One world for two policies: each sees every input as its own declarations let it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from adjudge.authoring.comparison.joint import is_alike, readings, strays, words_of
from adjudge.authoring.proofs.world import Input, coded_texts, fields_of, input_of, novel_readings, put, value_at
from adjudge.expr.smt.terms import Items
from adjudge.expr.smt.world import World
from adjudge.policy.policy import Policy
from adjudge.policy.slots import NOW, TEXTS, is_within
from adjudge.policy.typed import TypedPolicy
from adjudge.values.fields import Field


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedWorlds:
    """The worlds of two policies, which share their inputs.

    notes: fields that the two declare differently. vocabularies: of those, the ways to the ones whose words differ,
    and to the list of what is outside them.
    """

    old: World
    new: World
    notes: tuple[str, ...]
    vocabularies: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()


def shared_worlds(old: Policy, new: Policy) -> SharedWorlds:
    """Return what both policies can be given.

    A field that both declare alike is one field; one that they declare differently is one value, read by both.
    """
    common = World(coded=coded_texts([old.typed, new.typed]))
    apart = replace(common, slots={}, name="new ")
    fields = [{slot: field for slot, (_, field) in fields_of(policy.typed).items()} for policy in (old, new)]
    vocabularies = dict(_vocabularies(old.typed, new.typed))
    notes = []
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
            common.constraints.append(readings(common.slots[slot], apart.slots[slot], before, after, common.codes))
    for slot, novel in vocabularies.items():
        _declare_novel(common, apart, slot, novel)
    common.declare({NOW: old.typed.slots[NOW]})
    apart.slots[NOW] = common.slots[NOW]
    common.constraints += [*novel_readings(common, old.typed.parts), *novel_readings(apart, new.typed.parts)]
    ways = {slot: way for policy in (old, new) for slot, (way, _) in fields_of(policy.typed).items()}
    return SharedWorlds(
        old=common,
        new=apart,
        notes=tuple(notes),
        vocabularies=tuple((ways[slot], ways[novel]) for slot, novel in vocabularies.items()),
    )


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


def _declare_novel(common: World, apart: World, slot: str, novel: str) -> None:
    """Declare what each policy finds outside its vocabulary: a word of the other's too, where it is there."""
    whole = common.term(novel, TEXTS, f"both {novel}")
    old, new = words_of(common.slots[slot]), words_of(apart.slots[slot])
    for world, own, others in ((common, old, new), (apart, new, old)):
        seen = world.term(novel, TEXTS, f"{world.name}{novel}")
        assert isinstance(whole, Items) and isinstance(seen, Items)
        world.slots[novel] = seen
        world.constraints.append(
            strays(whole, seen, {word: there for word, there in others.items() if word not in own}, common.codes)
        )


def input_for_both(model: Any, worlds: SharedWorlds, old: Policy, new: Policy) -> Input:
    """Return the input that a model stands for: what either policy knows of it."""
    one, other = input_of(model, worlds.old, old), input_of(model, worlds.new, new)
    given = _merged(one.given, other.given)
    for way, novel in worlds.vocabularies:
        there, named = value_at(given, way), value_at(given, novel)
        if isinstance(named, list) and isinstance(there, list | dict):
            given = put(given, novel, [word for word in named if word not in there] or None)
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
        elif not (isinstance(value, float) and isinstance(beside, int)):
            merged[name] = value
    return merged
