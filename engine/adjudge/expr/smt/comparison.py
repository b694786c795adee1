"""`==`, `<`, `in` and their like."""

from __future__ import annotations

import z3

from adjudge.expr.smt.logic import Prop, all_of, any_of, conj, disj, neg, same
from adjudge.expr.smt.terms import Entries, Items, Members, Number, Term, Text, Truth, as_string
from adjudge.expr.smt.world import World


def equal(world: World, left: Term, right: Term) -> Truth:
    """Return `left == right`."""
    known = conj(left.known, right.known)
    match left, right:
        case Truth(), Truth():
            return decided(same(left.true, right.true), known)
        case Number(), Number():
            mixed = left.is_double or right.is_double
            answer = decided(as_real(left) == as_real(right) if mixed else left.value == right.value, known)
            return unless_odd(world, answer, left, right)
        case Text(), Text():
            return decided(texts_equal(world, left, right), known)
        case Items(), Items() if left.is_fixed and right.is_fixed:
            return lists_equal(world, left, right)
    return world.any_truth(known)


def lists_equal(world: World, left: Items, right: Items) -> Truth:
    """Return whether two lists, all of whose items are told apart, are the same."""
    known = conj(left.known, right.known)
    if len(left.items) != len(right.items):
        return Truth(False, known)
    pairs = [equal(world, a, b) for (_, a), (_, b) in zip(left.items, right.items, strict=True)]
    return Truth(conj(known, *(pair.true for pair in pairs)), conj(known, any_of(pair.false for pair in pairs)))


def texts_equal(world: World, left: Text, right: Text) -> Prop:
    """Return whether two texts are the same."""
    codes = world.codes
    if isinstance(left.value, str) and isinstance(right.value, str):
        return left.value == right.value
    if left.is_code and isinstance(right.value, str):
        return left.value == codes.code(right.value)
    if right.is_code and isinstance(left.value, str):
        return right.value == codes.code(left.value)
    if left.is_code and right.is_code:
        return left.value == right.value
    return as_string(left, codes) == as_string(right, codes)


def ordered(world: World, operator: str, left: Term, right: Term) -> Truth:
    """Return `left < right` and its like."""
    known = conj(left.known, right.known)
    match left, right:
        case Truth(), Truth():
            less, greater = conj(left.false, right.true), conj(left.true, right.false)
            return decided({"<": less, ">": greater, "<=": neg(greater), ">=": neg(less)}[operator], known)
        case Number(), Number():
            a, b = (as_real(left), as_real(right)) if left.is_double or right.is_double else (left.value, right.value)
            answers = {"<": lambda: a < b, ">": lambda: a > b, "<=": lambda: a <= b, ">=": lambda: a >= b}
            return unless_odd(world, decided(answers[operator](), known), left, right)
        case Text(), Text():
            codes = world.codes
            c, d = as_string(left, codes), as_string(right, codes)
            texts = {"<": lambda: c < d, ">": lambda: d < c, "<=": lambda: c <= d, ">=": lambda: d <= c}
            return decided(texts[operator](), known)
    return world.any_truth(known)


def compared(world: World, operator: str, left: Term, right: Term) -> Truth:
    """Return `left == right`, `left < right` and their like."""
    if operator not in ("==", "!="):
        return ordered(world, operator, left, right)
    truth = equal(world, left, right)
    return truth if operator == "==" else Truth(truth.false, truth.true)


def within(world: World, item: Term, container: Term) -> Truth:
    """Return `item in container`."""
    known = conj(item.known, container.known)
    match container:
        case Members():
            if not isinstance(item, Text):
                return world.any_truth(known)
            found = any_of(
                conj(present, texts_equal(world, item, Text(True, name))) for name, present in container.of.items()
            )
            return Truth(conj(known, found), conj(known, neg(found), neg(container.open)))
        case Items():
            pairs = [(present, equal(world, item, other)) for present, other in container.items]
            found = any_of(conj(present, pair.true) for present, pair in pairs)
            differs = all_of(disj(neg(present), pair.false) for present, pair in pairs)
            return with_tail(world, Truth(conj(known, found), conj(known, differs)), container, "exists")
        case Entries() if isinstance(item, Text) and isinstance(item.value, str):
            present, _ = world.entries_of(container, item.value, None)
            return Truth(conj(known, present), conj(known, neg(present)))
        case Entries(is_closed=True) if isinstance(item, Text):
            has = any_of(
                conj(present, texts_equal(world, item, Text(True, name))) for name, (present, _) in container.of.items()
            )
            return Truth(conj(known, has), conj(known, neg(has)))
    return world.any_truth(known)


def with_tail(world: World, answer: Truth, items: Items, kind: str) -> Truth:
    """Return what `exists` or `all` answers where the list goes on: as found, or anything that the rest allows."""
    if items.beyond is False:
        return answer
    rest = world.any_truth()
    beyond = items.beyond
    if kind == "exists":
        true = disj(answer.true, conj(items.known, beyond, rest.true))
        return Truth(true, conj(answer.false, disj(neg(beyond), rest.false)))
    false = disj(answer.false, conj(items.known, beyond, rest.false))
    return Truth(conj(answer.true, disj(neg(beyond), rest.true)), false)


def decided(answer: Prop, known: Prop) -> Truth:
    """Return an answer that is known where its operands are."""
    return Truth(conj(known, answer), conj(known, neg(answer)))


def unless_odd(world: World, answer: Truth, left: Number, right: Number) -> Truth:
    """Return a comparison, which can be either where a double is infinite or no number."""
    odd = disj(left.odd, right.odd)
    if odd is False:
        return answer
    known = conj(left.known, right.known)
    free = z3.Bool(world.fresh("odd"))
    return Truth(
        disj(conj(neg(odd), answer.true), conj(odd, known, free)),
        disj(conj(neg(odd), answer.false), conj(odd, known, neg(free))),
    )


def as_real(number: Number) -> z3.ArithRef:
    """Return a number as a z3 real."""
    return number.value if number.is_double else z3.ToReal(number.value)
