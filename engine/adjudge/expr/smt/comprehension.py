"""`all`, `exists`, `exists_one`, `map` and `filter`: written out, item by item."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import z3

from adjudge.expr.nodes import Comprehension, Node
from adjudge.expr.printing import unparse
from adjudge.expr.smt.allowance import Sizes
from adjudge.expr.smt.comparison import with_tail
from adjudge.expr.smt.lists import is_own, needs, operand_of
from adjudge.expr.smt.logic import Prop, all_of, any_of, at_least, conj, disj, formula, neg, number_of
from adjudge.expr.smt.terms import Entries, Items, Members, Number, Term, Truth, length_of, of_names, placed
from adjudge.expr.smt.world import World, known_where, unknown_of
from adjudge.values.types import item_of

Scope = Mapping[str, Term]
"""What the variables of the comprehensions around a part mean."""
WRITTEN_OUT_MAX = 20_000
"""Longer lists than this are not written out: what is said of them is not proved."""
ALL_WRITTEN_OUT_MAX = 10 * WRITTEN_OUT_MAX
"""Nor are more items than these, of all comprehensions of a policy."""


@dataclass(slots=True)
class Comprehensions:
    """Writes out the comprehensions of one policy, for one translator."""

    world: World
    sizes: Sizes
    written_out: int = 0
    running: list[tuple[str, Term]] = field(default_factory=list)
    """The variables of the comprehensions that are being written out, and what they run over."""
    spent: dict[int, dict[tuple[str, tuple[int, ...]], int]] = field(default_factory=dict)
    """By list, the uses for which there are witnesses, beside those that read nothing but the list."""
    kept: list[object] = field(default_factory=list)
    """What `spent` names by its identity."""

    def term(
        self, node: Comprehension, scope: Scope, term: Callable[[Node, Scope], Term], bound: Collection[str]
    ) -> Term:
        """Return what a comprehension gives: of one that stands in no other, as far as its work is within bounds.

        term: says what another part means. bound: the variables around it that it reads.
        """
        within = True if scope else self.sizes.allow(node, lambda name: term(name, {}))
        if within is False:
            return unknown_of(node.type)
        over = container = term(node.operand, scope)
        if operand_of(node) is not None:
            container = self.in_full(over, node, scope, bound)
        answer = known_where(self._written_out(node, container, over, scope, term), within)
        if isinstance(container, Items) and container.beyond is not False:  # more than an evaluation may look through
            enough = z3.Bool(self.world.fresh("enough"))
            return known_where(answer, disj(neg(container.beyond), enough))
        return answer

    def number(
        self,
        node: Node,
        macro: Comprehension,
        scope: Scope,
        term: Callable[[Node, Scope], Term],
        bound: Collection[str],
    ) -> Number | None:
        """Return how many items a filter keeps; None where the items that are told apart do not tell it.

        node: what compares it with a constant.
        """
        over = term(macro.operand, scope)
        within = True if scope else self.sizes.allow(macro, lambda name: term(name, {}))
        items = self.in_full(over, node, scope, bound)
        if items is over or not isinstance(items, Items) or within is False:
            return None
        kept = self._written_out(macro, items, over, scope, term)
        return Number(conj(kept.known, within), length_of(kept)) if isinstance(kept, Items) else None

    def in_full(self, container: Term, node: Node, scope: Scope, bound: Collection[str]) -> Term:
        """Return a list of an input with the items that stand for all, if a use has its witnesses among them.

        bound: the variables around the use that it reads.
        """
        if not isinstance(container, Items) or container.whole is None:
            return container
        whole = container.whole
        for name in bound:
            over = next(run for variable, run in reversed(self.running) if variable == name)
            if isinstance(over, Items) and over.whole is not None and over.whole.plan.rank >= whole.plan.rank:
                return container
        is_shared = whole.plan.own > 0 and is_own(node)
        spent = whole.spent if is_shared else self.spent.setdefault(id(whole), {})
        use = unparse(node), () if is_shared else tuple(id(scope[name]) for name in sorted(bound))
        if use not in spent:
            most = whole.plan.own if is_shared else whole.plan.beside
            if needs(node) > whole.plan.copies or sum(spent.values()) + needs(node) > most:
                return container
            spent[use] = needs(node)
        self.kept += [whole, *(scope[name] for name in bound)]
        return replace(container, items=whole.items, beyond=False, whole=None)

    def _written_out(
        self, node: Comprehension, container: Term, over: Term, scope: Scope, term: Callable[[Node, Scope], Term]
    ) -> Term:
        """Return what a comprehension gives. over: what it runs over; container: the items of it that are looked at."""
        world = self.world
        is_open: Prop = False
        match container:
            case Members():
                items = placed(Items(container.known, of_names(container.of)))
                is_open = container.open
            case Items():
                items = container
            case Entries(is_closed=True):
                names = {name: there for name, (there, _) in container.of.items()}
                is_written = all(there is True for there in names.values())  # else in the order in which they came
                items = placed(Items(container.known, of_names(names), scattered=len(names) > 1 and not is_written))
            case _:
                return world.opaque(node.type, container.known)
        self.written_out += len(items.items)
        if len(items.items) > WRITTEN_OUT_MAX or self.written_out > ALL_WRITTEN_OUT_MAX:
            return world.opaque(node.type, container.known)
        said: dict[tuple[int, int], Term] = {}

        def inside(part: Node, item: Term) -> Term:
            if (id(part), id(item)) not in said:  # an item may stand for several
                self.running.append((node.variable, over))
                said[id(part), id(item)] = term(part, {**scope, node.variable: item})
                self.running.pop()
            return said[id(part), id(item)]

        unknown = unknown_of(item_of(node.operand.type) if node.operand.type is not None else None)
        if node.kind in ("all", "exists") and node.predicate is not None:
            truths = [_truth(world, inside(node.predicate, item)) for _, item in items.items]
            of_unknown = _truth(world, inside(node.predicate, unknown)) if is_open is not False else Truth(False, False)
            return quantified(world, node.kind, items, truths, is_open, of_unknown)
        if node.kind == "exists_one" and node.predicate is not None:
            truths = [_truth(world, inside(node.predicate, item)) for _, item in items.items]
            of_unknown = _truth(world, inside(node.predicate, unknown)) if is_open is not False else Truth(False, True)
            return exactly_one(world, items, truths, is_open, of_unknown)
        return selected(world, node, items, is_open, inside, unknown)


def _truth(world: World, term: Term) -> Truth:
    return term if isinstance(term, Truth) else world.any_truth(term.known)


def quantified(world: World, kind: str, items: Items, truths: list[Truth], is_open: Prop, of_unknown: Truth) -> Truth:
    """Return `all` or `exists`. A member that is unknown can keep a set from deciding, and cannot decide."""
    pairs = list(zip((there for there, _ in items.items), truths, strict=True))
    if kind == "exists":
        true = any_of(conj(there, truth.true) for there, truth in pairs)
        false = all_of(disj(neg(there), truth.false) for there, truth in pairs)
        answer = Truth(conj(items.known, true), conj(items.known, false, disj(neg(is_open), of_unknown.false)))
    else:
        true = all_of(disj(neg(there), truth.true) for there, truth in pairs)
        false = any_of(conj(there, truth.false) for there, truth in pairs)
        answer = Truth(conj(items.known, true, disj(neg(is_open), of_unknown.true)), conj(items.known, false))
    return with_tail(world, answer, items, kind)


def exactly_one(world: World, items: Items, truths: list[Truth], is_open: Prop, of_unknown: Truth) -> Truth:
    """Return `exists_one`: two known items are enough to say no. An item that is known has to have an answer."""
    pairs = list(zip(items.items, truths, strict=True))
    lost = any_of(conj(there, item.known, neg(truth.known)) for (there, item), truth in pairs)
    doubt = any_of(conj(there, neg(item.known), neg(truth.known)) for (there, item), truth in pairs)
    doubt = disj(doubt, conj(is_open, neg(of_unknown.false)))
    hits = [conj(there, truth.true) for (there, _), truth in pairs]
    known = conj(items.known, neg(lost))
    one, several = at_least(1, hits), at_least(2, hits)
    answer = Truth(conj(known, neg(doubt), one, neg(several)), conj(known, disj(several, conj(neg(doubt), neg(one)))))
    if items.beyond is False:
        return answer
    free = world.any_truth(conj(items.known, z3.Bool(world.fresh("known"))))  # the rest may be unknown, or hold more
    beyond = items.beyond
    return Truth(
        disj(conj(neg(beyond), answer.true), conj(beyond, free.true)),
        disj(conj(neg(beyond), answer.false), conj(beyond, free.false)),
    )


def selected(
    world: World,
    node: Comprehension,
    items: Items,
    is_open: Prop,
    inside: Callable[[Node, Term], Term],
    unknown: Term,
) -> Term:
    """Return `map` or `filter`, which need to know all that they keep."""
    kept: list[tuple[Prop, Term]] = []
    known: list[Prop] = [items.known]
    candidates = list(items.items)
    if is_open is not False:
        candidates.append((is_open, unknown))
    for at, (there, item) in enumerate(candidates):
        is_kept: Prop = there
        if node.predicate is not None:
            truth = _truth(world, inside(node.predicate, item))
            known.append(disj(neg(there), truth.known))
            is_kept = conj(there, truth.true)
        is_unknown_member = is_open is not False and at == len(candidates) - 1
        if is_unknown_member:
            known.append(neg(is_kept))
            continue
        if node.kind == "filter":
            known.append(disj(neg(is_kept), item.known))
        value = item if node.transform is None else inside(node.transform, item)
        if node.transform is not None:
            known.append(disj(neg(is_kept), value.known))
        kept.append((is_kept, value))
    all_known = all_of(known)
    if items.beyond is not False:  # the rest may be unknown, or hold more
        all_known = conj(all_known, disj(neg(items.beyond), z3.Bool(world.fresh("known"))))
    length = None
    if items.beyond is not False:
        count = number_of(there for there, _ in kept)
        length = z3.Int(world.fresh("length"))
        beyond = formula(items.beyond)
        world.constraints.append(z3.And(length >= count, z3.Or(beyond, length == count)))
    if node.predicate is None:
        return Items(all_known, tuple(kept), items.beyond, items.length, items.places, items.scattered)
    return placed(Items(all_known, tuple(kept), items.beyond, length, scattered=items.scattered))
