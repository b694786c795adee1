"""What would have changed a decision: the fewest changes of fields that lead to a softer outcome, found by proof."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import UTC, date, datetime, timedelta
from typing import Any

import z3

from adjudge.authoring.proofs.apart import Ended, apart, here
from adjudge.authoring.proofs.inquiry import Found, Inquiry, NotProved
from adjudge.authoring.proofs.verdict import verdicts_of
from adjudge.authoring.proofs.world import (
    Input,
    fields_of,
    input_of,
    is_value,
    put,
    value_at,
    world_of,
)
from adjudge.expr.nodes import Binary, Call, Conditional, Index, ListLiteral, Literal, names_in, walk
from adjudge.expr.smt.logic import Prop, all_of, conj, disj, formula, neg, same
from adjudge.expr.smt.terms import Entries, Members, Term, Text
from adjudge.expr.smt.values import holds
from adjudge.expr.smt.world import EPOCH, World
from adjudge.expr.written_maps import written_entries
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.explaining.explanation import HIDDEN, shown
from adjudge.policy.explaining.headings import heading
from adjudge.policy.policy import Policy
from adjudge.policy.slots import NOW, source_of
from adjudge.policy.typed import TypedPolicy
from adjudge.values.fields import Field
from adjudge.values.types import STRING, EnumType

CHANGES_MAX = 4
"""How many fields at once are looked at."""
WAYS_MAX = 3
_HALVINGS = 60
_TRIES = 20
"""How many entries of lists are passed over in search of another value for an applicant."""
_LAST = datetime(9999, 12, 1, tzinfo=UTC)
"""Later than this no time is rounded."""


@frozen(kw_only=True)
class Changed:
    """One field, before and after; None is unknown. A member of a set, `tags:SuspectRemake`, is there or not.

    is_any: whether every other text would do as well.
    is_personal: whether its values must not be shown to everybody; a text hides them.
    is_listed: whether the new value holds an entry of one of the policy's lists, or of one that a condition writes out.
    `new` is HIDDEN then: whoever is told what a list lets through knows what to say next time.
    """

    field: str
    old: object
    new: object
    is_any: bool = False
    is_personal: bool = False
    is_listed: bool = False

    def __str__(self) -> str:
        return self.said()

    def said(self, locale: str = "en") -> str:
        """Return it in words of a locale, in English where there are none."""
        if isinstance(self.new, Mapping) and self.old is None:
            return heading("answer", locale, field=self.field)
        old, new = (heading(shown(HIDDEN if self.is_personal else value), locale) for value in (self.old, self.new))
        if self.is_any:
            return heading("another" if self.old is not None else "any", locale, field=self.field, old=old)
        return heading("listed" if self.is_listed else "field", locale, field=self.field, old=old, new=new)


@frozen(kw_only=True)
class Way:
    """Changes that lead to a softer outcome; the engine evaluated them."""

    changes: tuple[Changed, ...]
    outcome: Outcome


@frozen(kw_only=True)
class Counterfactual:
    """What would have changed an outcome.

    ways: all with the same number of changes; at most WAYS_MAX. is_fewest: whether it is proved that fewer do not do.
    open: why it is not known whether there is a way; None where that is known.
    is_withheld: there is a way, and it is not told: it would name what only the policy knows.
    """

    ways: tuple[Way, ...]
    is_fewest: bool
    open: str | None = None
    is_withheld: bool = False

    def lines(self, locale: str = "en") -> Iterator[str]:
        """Yield it as a person reads it, in words of a locale."""
        for way in self.ways:
            changes = heading(", ", locale).join(change.said(locale) for change in way.changes)
            yield heading("way", locale, outcome=heading(way.outcome, locale), changes=changes)
        if self.is_withheld and not self.ways:
            yield heading("withheld", locale)
        elif not self.ways and self.open is None:
            yield heading("no way", locale, count=CHANGES_MAX)
        if self.open is not None:
            yield heading("not proved", locale, why=self.open)
        elif self.ways and not self.is_fewest:
            yield heading("not fewest", locale)


@frozen
class _Unit:
    """What changes as one: a field, a key of a map, or a member of a set; without a name, what does not change.

    fixed: that it is as it was. known: that it is known. path: to it in what is given, or to the set of a member.
    slot, member: of a set and its member.
    """

    name: str
    fixed: Prop
    known: Prop
    path: tuple[str, ...] = ()
    slot: str = ""
    member: str | None = None


def counterfactual(
    policy: Policy,
    given: Mapping[str, object],
    *,
    now: datetime | None = None,
    actionable: bool = False,
    timeout_s: float = 2.0,
    total_s: float = 10.0,
    in_process: bool = False,
) -> Counterfactual:
    """Find the fewest changes that would have made an outcome softer. given, now: as `Policy.evaluate` takes them.

    actionable: change only fields that the policy marks so: what an applicant may be told.
    total_s: kept by a process that is ended when it is over, unless in_process.
    """
    outcome = policy.evaluate(given, now=now).outcome
    if outcome is Outcome.PASS:
        return Counterfactual(ways=(), is_fewest=True)
    pieces = here if in_process else apart
    was = Input(given=given, now=now)
    try:
        found = list(pieces(searched, policy, was=was, actionable=actionable, timeout_s=timeout_s, total_s=total_s))
    except Ended as ended:
        return Counterfactual(ways=(), is_fewest=False, open=str(ended))
    one: Counterfactual = found[0]
    return one


def searched(
    policy: Policy, *, was: Input, actionable: bool, timeout_s: float, total_s: float
) -> Iterator[Counterfactual]:
    """Yield what would have changed an outcome that is not pass."""
    outcome = policy.evaluate(was.given, now=was.now).outcome
    yield _Search(policy, was, outcome, actionable, timeout_s, total_s).result()


class _Search:
    def __init__(
        self, policy: Policy, was: Input, outcome: Outcome, actionable: bool, timeout_s: float, total_s: float
    ) -> None:
        self.policy, self.was, self.outcome = policy, was, outcome
        self.is_withheld = False
        self.actionable, self.entries = actionable, _entries(policy.typed)
        self.named = self.entries | _named(policy.typed) if actionable else frozenset[str]()
        self.world, translator = world_of(policy)
        self.inquiry = Inquiry((policy,), self.world, timeout_s, time.monotonic() + total_s, read=self.read, tried=())
        self.softened = neg(verdicts_of(policy.typed, translator).outcome.of(outcome))
        self.values = policy.read(was.given, now=was.now).values
        self.units: list[_Unit] = []
        self.partly: list[str] = []
        fixed: list[Prop] = []
        lost = self.lost_signals()
        paths = {slot: path for slot, (path, _) in fields_of(policy.typed).items()}
        for slot, declared in self.fields().items():
            if source_of(slot) in lost:
                continue
            path = paths.get(slot, (slot,))
            units = list(_units(slot, path, self.world.slots[slot], declared, self.values.get(slot), self.world))
            can_change = slot != NOW and (declared.actionable or not actionable)
            self.units += [unit for unit in units if can_change and unit.name]
            fixed += [unit.fixed for unit in units if not can_change or not unit.name]
            if can_change and self.is_partly(slot, actionable):
                self.partly.append(slot)
        for name, terms in lost.items():
            unknown = all_of(neg(term.known) for term in terms)
            if actionable:
                fixed.append(unknown)
            else:
                self.units.append(_Unit(name, unknown, all_of(term.known for term in terms), (name,)))
        self.members = {unit.name: (unit.slot, unit.member) for unit in self.units if unit.member is not None}
        self.changed = [z3.Bool(f"changed {unit.name}") for unit in self.units]
        kept = [disj(change, unit.fixed) for change, unit in zip(self.changed, self.units, strict=True)]
        known = [disj(z3.Not(change), unit.known) for change, unit in zip(self.changed, self.units, strict=True)]
        self.claim = conj(self.softened, *fixed, *kept, *known)

    def fields(self) -> dict[str, Field]:
        fields = {slot: declared for slot, (_, declared) in fields_of(self.policy.typed).items()}
        return {**fields, NOW: self.policy.typed.slots[NOW]}

    def lost_signals(self) -> dict[str, list[Term]]:
        """Return the signals of which nothing is known, with their terms: they come back as a whole."""
        typed = self.policy.typed
        slots = {
            name: [slot for slot, (path, _) in fields_of(typed).items() if path[0] == name] for name in typed.signals
        }
        return {
            name: [self.world.slots[slot] for slot in of]
            for name, of in slots.items()
            if of and all(self.values.get(slot) is None for slot in of)
        }

    def is_partly(self, slot: str, actionable: bool) -> bool:
        """Whether a field could change in ways that are not looked for: unknown members, and keys that go away."""
        value = self.values.get(slot)
        names_novel = actionable and bool(self.values.get(self.policy.typed.news_of(slot) or ""))
        match self.world.slots[slot]:
            case Members() if isinstance(value, tuple):
                return None in value or names_novel
            case Entries(is_closed=True) if isinstance(value, Mapping):
                typed = self.policy.typed
                return names_novel or (bool(value) and slot in names_in(*typed.variables.values(), *typed.conditions))
        return False

    def read(self, model: z3.ModelRef) -> Input:
        """Return what was given, with no more than the changes that a model makes of it."""
        found = input_of(model, self.world, self.policy)
        given = self.was.given
        for change, unit in zip(self.changed, self.units, strict=True):
            if holds(model, change):
                given = self.applied(given, unit, found)
        return Input(given=given, now=self.was.now)

    def applied(self, given: Mapping[str, object], unit: _Unit, found: Input) -> Mapping[str, object]:
        """Return what is given with one unit as it is in another input."""
        new = value_at(found.given, unit.path)
        if unit.member is not None:
            before, there = value_at(given, unit.path), isinstance(new, list) and unit.member in new
            others = [one for one in before if one != unit.member] if isinstance(before, list | tuple | Set) else []
            return put(given, unit.path, [*others, unit.member] if there else others)
        slot = self.policy.typed.parts.get(unit.name)
        if slot is not None and slot.novel:  # what is no word stands in the field itself too
            base, declared = slot.whole.path, self.fields()[str(slot.whole)]
            given = put(given, base, _words_only(value_at(given, base), declared.vocabulary or ()))
        return put(given, unit.path, new)

    def softer(self, found: Input) -> bool:
        return self.policy.evaluate(found.given, now=found.now).outcome < self.outcome

    def names(self, found: Input) -> list[str]:
        """Return the units that are not as they were."""
        return [unit.name for unit in self.units if self.differs(found, unit.name)]

    def result(self) -> Counterfactual:
        for count in range(1, min(CHANGES_MAX, len(self.units)) + 1):
            ways, open_ = self.ways(count)
            if ways:
                return Counterfactual(ways=ways, is_fewest=count == 1 or not self.partly)
            if open_ is not None:
                return Counterfactual(ways=(), is_fewest=False, open=open_)
        if self.partly:
            names = ", ".join(f"`{slot}`" for slot in self.partly)
            return Counterfactual(ways=(), is_fewest=False, open=f"not every change of {names} was looked for")
        return Counterfactual(ways=(), is_fewest=True, is_withheld=self.is_withheld)

    def ways(self, count: int) -> tuple[tuple[Way, ...], str | None]:
        """Return ways with so many changes, and why there may be others."""
        claim = conj(self.claim, z3.AtMost(*self.changed, count))
        ways: list[Way] = []
        tries = 0
        while len(ways) < WAYS_MAX:
            answer = self.inquiry.ask(claim, lambda found: bool(self.names(found)) and self.softer(found))
            if isinstance(answer, NotProved):
                return tuple(ways), None if ways else answer.why
            if not isinstance(answer, Found):
                break
            names = self.names(answer.input)
            near = self.nearest(answer.input, names)
            way = self.way(near, names)
            # nobody can apply under another name because a list has it; another value of that field may do as well
            named = [one.field for one in way.changes if one.is_listed and not one.is_any] if self.actionable else []
            self.is_withheld |= bool(named)
            if named and tries < _TRIES:
                tries += 1
                claim = conj(claim, *(neg(self.is_said(near, name)) for name in named))
                continue
            if not named:
                ways.append(way)
            touched = [change for change, unit in zip(self.changed, self.units, strict=True) if unit.name in names]
            claim = conj(claim, z3.Not(z3.And(touched)))
        return tuple(ways), None

    def is_said(self, found: Input, name: str) -> Prop:
        """Whether a field has the value that it has in an input."""
        declared, term = self.fields().get(name), self.world.slots.get(name)
        if declared is None or term is None:
            return True
        return is_value(term, self.value(found, name), declared, self.world)

    def differs(self, found: Input, name: str) -> bool:
        return self.value(found, name) != self.value(self.was, name)

    def way(self, found: Input, names: list[str]) -> Way:
        changes = tuple(self.change(found, name) for name in names)
        return Way(changes=changes, outcome=self.policy.evaluate(found.given, now=found.now).outcome)

    def change(self, found: Input, name: str) -> Changed:
        old, new = self.value(self.was, name), self.value(found, name)
        is_listed = _holds_entry(new, self.entries) or (self.is_open(name) and _is_near(new, self.named))
        return Changed(
            field=name,
            old=old,
            new=HIDDEN if is_listed else new,
            is_any=self.is_any(found, name),
            is_personal=self.is_personal(name),
            is_listed=is_listed,
        )

    def is_open(self, name: str) -> bool:
        """Whether a unit can be any text, so that a text which is told is the policy's or nobody's."""
        declared = self.fields().get(name)
        return declared is None or not isinstance(declared.type, EnumType)

    def is_any(self, found: Input, name: str) -> bool:
        """Whether it is proved that every other text than it was does as well in a unit's place."""
        declared, term = self.fields().get(name), self.world.slots.get(name)
        if declared is None or declared.type != STRING or not isinstance(term, Text):
            return False
        others = {slot: field for slot, field in self.fields().items() if slot != name}
        values = self.policy.read(found.given, now=found.now).values
        held = [is_value(self.world.slots[slot], values.get(slot), field, self.world) for slot, field in others.items()]
        old = self.values.get(name)
        differs = True if old is None else neg(is_value(term, old, declared, self.world))
        return self.inquiry.never(conj(neg(self.softened), term.known, differs, *held)) is not None

    def value(self, found: Input, name: str) -> object:
        """Return a unit's value in an input, as the policy understands it."""
        if name in self.policy.typed.signals:
            return found.given.get(name)
        values = self.policy.read(found.given, now=found.now).values
        if name not in self.members:
            return values.get(name)
        slot, member = self.members[name]
        members = values.get(slot)
        return member in members if isinstance(members, tuple) else None

    def is_personal(self, name: str) -> bool:
        """Whether a unit is personal, or a part of something that is."""
        typed = self.policy.typed
        slot = typed.parts.get(self.members[name][0] if name in self.members else name)
        return slot is not None and any(typed.slots[str(one)].personal for one in (slot, slot.whole))

    def nearest(self, found: Input, names: list[str]) -> Input:
        """Return an input that is still softer, with each changed number as near as can be to what it was."""
        for name in names:
            path = self.policy.typed.path_of(name)
            old, new = self.value(self.was, name), value_at(found.given, path)
            if new is None or old is None or isinstance(new, bool) or type(old) is not type(self.value(found, name)):
                continue
            new = self.value(found, name)
            for _ in range(_HALVINGS):
                middle = _between(old, new)
                if middle is None:
                    break
                nearer = Input(given=put(found.given, path, middle), now=found.now)
                if self.softer(nearer):
                    found, new = nearer, middle
                else:
                    old = middle
            found = self.rounded(found, path, new)
        return found

    def rounded(self, found: Input, path: tuple[str, ...], value: object) -> Input:
        """Return the same with a number that is easier to read, where the outcome stays softer."""
        name = ".".join(path)
        for near in _rounder(value):
            rounded = Input(given=put(found.given, path, near), now=found.now)
            if self.value(rounded, name) is not None and self.differs(rounded, name) and self.softer(rounded):
                return rounded
        return found


def _holds_entry(value: object, entries: Set[str]) -> bool:
    match value:
        case str():
            return value in entries or any(entry in value for entry in entries)
        case Mapping():
            return any(_holds_entry(part, entries) for part in value.values())
        case tuple() | list():
            return any(_holds_entry(part, entries) for part in value)
    return False


def _is_near(value: object, named: Set[str]) -> bool:
    """Whether a text holds one of those that a policy names, or is a part of one; in capitals or not."""
    match value:
        case str():
            text = value.casefold()
            return any(one.casefold() in text or (len(text) > 1 and text in one.casefold()) for one in named)
        case Mapping():
            return any(_is_near(part, named) for part in value.values())
        case tuple() | list():
            return any(_is_near(part, named) for part in value)
    return False


def _named(typed: TypedPolicy) -> frozenset[str]:
    """Return every text that stands in a policy: those that fields are compared with, and keys of its lookups."""
    named = set[str]()
    for node in walk(*typed.conditions, *typed.variables.values()):
        if isinstance(node, Literal) and isinstance(node.value, str):
            named.add(node.value)
        if isinstance(node, Call) and node.function == "matches":
            patterns = (one.value for one in node.arguments if isinstance(one, Literal))
            named |= {word for one in patterns if isinstance(one, str) for word in re.findall(r"\w{2,}", one)}
    return frozenset(named - {""})


def _entries(typed: TypedPolicy) -> frozenset[str]:
    """Return what the lists of a policy name, those among them that stand in a condition."""
    listed = {entry for values in typed.lists.values() for entry in values}
    nodes = list(walk(*typed.conditions, *typed.variables.values()))
    keys = {
        id(part)
        for node in nodes
        if isinstance(node, Conditional)
        and isinstance(node.then, Index)
        and written_entries(node.then, typed.variables)
        for part in walk(node.condition)
    }
    for node in nodes:
        if id(node) in keys:
            continue  # a lookup's keys, which say what it has a value for
        if isinstance(node, Binary) and node.operator == "in" and isinstance(node.right, ListLiteral):
            values = (item.value for item in node.right.items if isinstance(item, Literal))
            listed |= {value for value in values if isinstance(value, str)}
    return frozenset(listed - {""})


def _rounder(value: object) -> Iterator[object]:
    """Yield what is easier to read next to a value, the easiest first; lengths within 1%, times within a day."""
    match value:
        case float():
            first = 1 if abs(value) > 1 else 2 if value == 0 else 1 + math.ceil(-math.log10(abs(value)))
            for digits in range(max(1, first), first + 7):
                step = 10.0**-digits
                yield from (round(value, digits), round(value - step, digits), round(value + step, digits))
        case timedelta():
            for unit in (timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)):
                if unit <= abs(value) / 100:
                    yield from (value // unit * unit, (value // unit + 1) * unit)
        case datetime():
            for unit in (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)):
                over = (value - EPOCH) % unit
                if EPOCH + unit < value - over < _LAST:
                    yield from (value - over, value - over + unit)


def _between(old: Any, new: Any) -> Any:
    """Return what lies half-way, or None where there is nothing between."""
    match old, new:
        case int(), int():
            middle: Any = (old + new) // 2
        case float(), float():
            middle = (old + new) / 2
        case (timedelta(), timedelta()) | (datetime(), datetime()):
            middle = old + (new - old) // timedelta(seconds=1) // 2 * timedelta(seconds=1)
        case date(), date():
            middle = old + (new - old) // 2
        case _:
            return None
    return middle if middle not in (old, new) else None


def _words_only(value: object, words: Sequence[str]) -> object:
    match value:
        case Mapping():
            return {key: part for key, part in value.items() if key in words}
        case list() | tuple() | Set():
            return [part for part in value if part in words]
    return value


def _units(
    slot: str, path: tuple[str, ...], term: Term, declared: Field, value: object, world: World
) -> Iterator[_Unit]:
    """Yield a field as what can change of it alone."""
    match term:
        case Members() if isinstance(value, tuple):
            yield _Unit("", conj(term.known, same(term.open, None in value)), True)
            for name, there in term.of.items():
                yield _Unit(f"{slot}:{name}", same(there, name in value), term.known, path, slot, name)
        case Entries(is_closed=True) if isinstance(value, Mapping) and declared.parts:
            for key, (_, item) in term.of.items():
                fixed = conj(term.known, is_value(item, value.get(key), declared.parts[key], world))
                yield _Unit(f"{slot}.{key}", fixed, conj(term.known, item.known), (*path, key))
        case Entries(is_closed=True) if isinstance(value, Mapping) and declared.of is not None:
            for key, (there, item) in term.of.items():
                is_there = key in value
                fixed = conj(there, is_value(item, value[key], declared.of, world)) if is_there else neg(there)
                known = conj(term.known, there, item.known)
                yield _Unit(f"{slot}.{key}", conj(term.known, fixed), known, (*path, key))
        case Entries(is_closed=True):
            known = all_of([term.known, *(item.known for _, item in term.of.values())])
            yield _Unit(slot, neg(term.known), known, path)
        case _:
            yield _Unit(slot, is_value(term, value, declared, world), formula(term.known), path)
