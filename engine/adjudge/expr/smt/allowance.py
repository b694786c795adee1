"""Where a macro has an answer although work is bounded: reckoned as `expr.work` says, from sizes that are terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import z3

from adjudge.expr import work
from adjudge.expr.nodes import Comprehension, Name, Node, walk
from adjudge.expr.printing import unparse
from adjudge.expr.smt.amounts import is_at_most, larger, total, where
from adjudge.expr.smt.lengths import LENGTH_MAX, length_in
from adjudge.expr.smt.logic import Prop, all_of, any_of, conj, disj, neg
from adjudge.expr.smt.terms import Codes, Entries, Items, Members, Opaque, Term, Text
from adjudge.expr.smt.world import World
from adjudge.expr.work import CHARACTERS, ONE, Size, harmless, largest, size_of, work_of


@dataclass(slots=True)
class Sizes:
    """How large the values are that a policy's macros read. lists: constants by full name."""

    world: World
    lists: Mapping[str, tuple[object, ...]]
    found: dict[str, tuple[Size, Prop, bool]] = field(default_factory=dict)
    """By name: the size, whether that is exact, and whether it is a list that is cut down."""

    def allow(self, node: Comprehension, term: Callable[[Node], Term]) -> Prop:
        """Return where a macro that stands in no other is within its bound of work. term: says what a name means.

        Exact where all that it reads is told apart. A longer list of an input that is cut down is taken to be within,
        see `World.taken_light`; of any other it may be within, or not.
        """
        _, small = harmless(node, self.lists, work.WORK_MAX)
        if small is None or small > LENGTH_MAX // CHARACTERS:
            return True
        sized = {part.name: self._sized(part, term) for part in walk(node) if isinstance(part, Name)}
        sizes = {name: size for name, (size, _, _) in sized.items()}
        within = is_at_most(work_of(node, sizes.get, larger), work.WORK_MAX)
        apart = all_of(is_apart for _, is_apart, _ in sized.values())
        if apart is True:
            return within
        if any(is_cut for _, _, is_cut in sized.values()):
            self.world.taken_light.add(unparse(node))
        others = all_of(is_apart for _, is_apart, is_cut in sized.values() if not is_cut)
        enough = disj(others, True if others is True else z3.Bool(self.world.fresh("enough")))
        return disj(conj(apart, within), conj(neg(apart), enough))

    def _sized(self, name: Name, term: Callable[[Node], Term]) -> tuple[Size, Prop, bool]:
        if name.name not in self.found:
            if name.name in self.lists:
                self.found[name.name] = size_of(self.lists[name.name]), True, False
            else:
                value = term(name)
                is_cut = isinstance(value, Items) and value.whole is not None
                size = _size(value, True, self.world.codes, {})
                self.found[name.name] = size, _is_told_apart(value, {}), is_cut
        return self.found[name.name]


_Sized = dict[tuple[int, object], tuple[Term, Prop, Size]]


def _size(term: Term, there: Prop, codes: Codes, made: _Sized) -> Size:
    """Return how large a value is where it is there and known; elsewhere it counts as an unknown.

    made: what was sized before, for a list that holds another one several times; it grows.
    """
    there = conj(there, term.known)
    if there is False:
        return ONE
    key = (id(term), there if isinstance(there, bool) else there.get_id())
    if key not in made:
        made[key] = term, there, _made(term, there, codes, made)
    return made[key][2]


def _made(term: Term, there: Prop, codes: Codes, made: _Sized) -> Size:
    match term:
        case Text():
            return Size(where(there, 1 + length_in(term, codes) // CHARACTERS, 1))
        case Members(of=of, open=is_open):
            members = [(conj(there, member), size_of(word)) for word, member in of.items()]
            return _holding(there, [*members, (conj(there, is_open), ONE)])
        case Items(items=items):
            held = [(conj(there, present), item) for present, item in items]
            return _holding(there, [(is_held, _size(item, is_held, codes, made)) for is_held, item in held])
        case Entries(of=of):
            values = [(conj(there, present), key, value) for key, (present, value) in of.items()]
            keys = [(is_held, size_of(key)) for is_held, key, _ in values]
            parts = [*keys, *((is_held, _size(value, is_held, codes, made)) for is_held, _, value in values)]
            size = _holding(there, parts)
            return Size(size.weight, total([where(is_held, 1, 0) for is_held, _ in keys]), size.item, is_map=True)
        case _:
            return ONE


def _holding(there: Prop, parts: Iterable[tuple[Prop, Size]]) -> Size:
    """Return the size of what holds some parts, each there or not."""
    held = list(parts)
    weight = total([where(there, 1, 1), *(where(is_held, size.weight, 0) for is_held, size in held)])
    alike: dict[Size, list[Prop]] = {}  # words by the hundred weigh the same
    for is_held, size in held:
        alike.setdefault(size, []).append(is_held)
    masked = (_where(any_of(ones), size) for size, ones in alike.items())
    return Size(weight, total([where(is_held, 1, 0) for is_held, _ in held]), largest(masked, larger))


def _where(held: Prop, size: Size) -> Size:
    """Return a size where something is there; else that of nothing, which is the least."""
    return Size(where(held, size.weight, 1), where(held, size.count, 0), size.item, size.is_map)


def _is_told_apart(term: Term, made: dict[int, Prop]) -> Prop:
    """Return whether all that a value holds is told apart: else its size is not known. made: as in `_size`."""
    if id(term) in made:
        return made[id(term)]
    match term:
        case Items(items=items, beyond=beyond):
            parts = conj(neg(beyond), *(disj(neg(there), _is_told_apart(item, made)) for there, item in items))
        case Entries(of=of, is_closed=is_closed):
            parts = conj(is_closed, *(disj(neg(there), _is_told_apart(one, made)) for there, one in of.values()))
        case Opaque():
            parts = False
        case _:
            parts = True
    made[id(term)] = True if parts is True else disj(neg(term.known), parts)
    return made[id(term)]
