"""`all`, `exists`, `exists_one`, `map` and `filter`: written out, item by item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import z3

from adjudge.expr.nodes import Comprehension, Node
from adjudge.expr.smt.allowance import allowed
from adjudge.expr.smt.comparison import with_tail
from adjudge.expr.smt.logic import Prop, all_of, any_of, conj, disj, formula, neg
from adjudge.expr.smt.terms import Entries, Items, Members, Term, Truth, of_names, placed
from adjudge.expr.smt.world import known_where, unknown_of
from adjudge.values.types import item_of

if TYPE_CHECKING:
    from adjudge.expr.smt.translate import Translator

WRITTEN_OUT_MAX = 20_000
"""Longer lists than this are not written out: what is said of them is not proved."""
ALL_WRITTEN_OUT_MAX = 10 * WRITTEN_OUT_MAX
"""Nor are more items than these, of all comprehensions of a policy."""


def comprehension(translator: Translator, node: Comprehension, scope: Mapping[str, Term]) -> Term:
    """Return what a comprehension gives: of one that stands in no other, as far as its work is within bounds."""
    within = True if scope else allowed(translator, node)
    if within is False:
        return unknown_of(node.type)
    container = translator.term(node.operand, scope)
    answer = known_where(_written_out(translator, node, container, scope), within)
    if isinstance(container, Items) and container.beyond is not False:  # more than an evaluation may look through
        enough = z3.Bool(translator.world.fresh("enough"))
        return known_where(answer, disj(neg(container.beyond), enough))
    return answer


def _written_out(translator: Translator, node: Comprehension, container: Term, scope: Mapping[str, Term]) -> Term:
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
            return translator.opaque(node.type, container.known)
    translator.written_out += len(items.items)
    if len(items.items) > WRITTEN_OUT_MAX or translator.written_out > ALL_WRITTEN_OUT_MAX:
        return translator.opaque(node.type, container.known)

    def inside(part: Node, item: Term) -> Term:
        return translator.term(part, {**scope, node.variable: item})

    unknown = unknown_of(item_of(node.operand.type) if node.operand.type is not None else None)
    if node.kind in ("all", "exists") and node.predicate is not None:
        truths = [_truth(translator, inside(node.predicate, item)) for _, item in items.items]
        of_unknown = (
            _truth(translator, inside(node.predicate, unknown)) if is_open is not False else Truth(False, False)
        )
        return quantified(translator, node.kind, items, truths, is_open, of_unknown)
    return selected(translator, node, items, is_open, inside, unknown)


def _truth(translator: Translator, term: Term) -> Truth:
    return term if isinstance(term, Truth) else translator.any_truth(term.known)


def quantified(
    translator: Translator, kind: str, items: Items, truths: list[Truth], is_open: Prop, of_unknown: Truth
) -> Truth:
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
    return with_tail(translator, answer, items, kind)


def selected(
    translator: Translator,
    node: Comprehension,
    items: Items,
    is_open: Prop,
    inside: Callable[[Node, Term], Term],
    unknown: Term,
) -> Term:
    """Return `exists_one`, `map` or `filter`, which need to know all that they keep."""
    kept: list[tuple[Prop, Term]] = []
    known: list[Prop] = [items.known]
    candidates = list(items.items)
    if is_open is not False:
        candidates.append((is_open, unknown))
    for at, (there, item) in enumerate(candidates):
        is_kept: Prop = there
        if node.predicate is not None:
            truth = _truth(translator, inside(node.predicate, item))
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
        all_known = conj(all_known, disj(neg(items.beyond), z3.Bool(translator.world.fresh("known"))))
    if node.kind != "exists_one":
        length = None
        if items.beyond is not False:
            count = _count(kept)
            length = z3.Int(translator.world.fresh("length"))
            beyond = formula(items.beyond)
            translator.world.constraints.append(z3.And(length >= count, z3.Or(beyond, length == count)))
        if node.predicate is None:
            return Items(all_known, tuple(kept), items.beyond, items.length, items.places, items.scattered)
        return placed(Items(all_known, tuple(kept), items.beyond, length, scattered=items.scattered))
    one = _count(kept) == 1
    answer = Truth(conj(all_known, one), conj(all_known, neg(one)))
    if items.beyond is False:
        return answer
    free = translator.any_truth(all_known)
    beyond = items.beyond
    return Truth(
        disj(conj(neg(beyond), answer.true), conj(beyond, free.true)),
        disj(conj(neg(beyond), answer.false), conj(beyond, free.false)),
    )


def _count(kept: list[tuple[Prop, Term]]) -> z3.ArithRef:
    return z3.Sum([z3.IntVal(0), *(z3.If(formula(there), 1, 0) for there, _ in kept)])
