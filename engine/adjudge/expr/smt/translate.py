"""From a typed condition to a term: the reference interpreter's sentences, said of all inputs at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import z3

from adjudge.expr.functions import FUNCTIONS, Overload
from adjudge.expr.nodes import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Has,
    Index,
    ListLiteral,
    Literal,
    Local,
    Logic,
    MapLiteral,
    Name,
    Node,
    Select,
    Unary,
    is_field,
    names_in,
)
from adjudge.expr.printing import unparse
from adjudge.expr.reference import Unknown, evaluate
from adjudge.expr.smt import arithmetic, comparison
from adjudge.expr.smt.allowance import Sizes
from adjudge.expr.smt.calls import call
from adjudge.expr.smt.comprehension import Comprehensions, Scope
from adjudge.expr.smt.lists import counted
from adjudge.expr.smt.logic import Prop, all_of, any_of, conj, disj, neg, reason
from adjudge.expr.smt.shapes import Shapes
from adjudge.expr.smt.terms import Entries, Items, Number, Opaque, Term, Text, Truth, either, length_of, places_of
from adjudge.expr.smt.world import World, constant, unknown_of
from adjudge.expr.written_maps import written_entries
from adjudge.values.types import DATE

ENTRIES_MAX = 3000
"""How many entries of a written map are told apart."""


@dataclass(slots=True)
class Translator:
    """Translates the conditions of one policy in one world.

    variables: conditions by name. lists: constants by full name.
    """

    world: World
    variables: Mapping[str, Node] = field(default_factory=dict)
    lists: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    functions: Mapping[str, tuple[Overload, ...]] = field(default_factory=lambda: FUNCTIONS)
    made: dict[int, tuple[Node, Term]] = field(default_factory=dict)
    shapes: Shapes = field(default_factory=Shapes)
    comprehensions: Comprehensions = field(init=False)

    def __post_init__(self) -> None:
        self.comprehensions = Comprehensions(self.world, Sizes(self.world, self.lists))

    def truth(self, node: Node, scope: Scope | None = None) -> Truth:
        """Return when a bool is true, and when it is false."""
        term = self.term(node, scope or {})
        return term if isinstance(term, Truth) else self.world.any_truth(term.known)

    def term(self, node: Node, scope: Scope) -> Term:
        """Return what a node means; what reads no comprehension's variable is made once."""
        shape = self.shapes.of(node)
        if shape.bound:
            return self.said(node, scope)
        if shape.number not in self.made:
            term = self.folded(node) if shape.is_constant else self.said(node, {})
            self.made[shape.number] = (node, term)
        return self.made[shape.number][1]

    def said(self, node: Node, scope: Scope) -> Term:
        """Return what a node means; anything at all where z3 does not take it."""
        try:
            return self.make(node, scope)
        except z3.Z3Exception as error:
            self.world.unsaid[unparse(node)] = reason(error)
            return self.world.opaque(node.type, True)

    def make(self, node: Node, scope: Scope) -> Term:
        """Return what a node means. Raises Z3Exception."""
        match node:
            case Literal(value=value):
                return constant(value, self.world)
            case Name(name=name):
                return self.named(name, node)
            case Local(name=name):
                return scope[name]
            case Select(operand=operand, field=key):
                return self.entry(self.term(operand, scope), Text(True, key), node)
            case Index() if (found := self.looked_up(node, scope)) is not None:
                return found
            case Index(operand=operand, key=key):
                return self.entry(self.term(operand, scope), self.term(key, scope), node)
            case Has(operand=operand):
                return self.has(operand, scope)
            case Unary(operator="!", operand=operand):
                truth = self.truth(operand, scope)
                return Truth(truth.false, truth.true)
            case Unary(operand=operand):
                return arithmetic.negative(self.term(operand, scope))
            case Binary():
                return self.binary(node, scope)
            case Logic(operator=operator, operands=operands):
                truths = [self.truth(operand, scope) for operand in operands]
                if operator == "&&":
                    return Truth(all_of(t.true for t in truths), any_of(t.false for t in truths))
                return Truth(any_of(t.true for t in truths), all_of(t.false for t in truths))
            case Conditional(condition=condition, then=then, otherwise=otherwise):
                chosen = self.truth(condition, scope)
                parts = self.term(then, scope), self.term(otherwise, scope)
                return either(chosen.true, *parts, self.world.codes, chosen.known)
            case Call(function=function, arguments=arguments):
                return call(self.world, function, node, [self.term(argument, scope) for argument in arguments])
            case Comprehension():
                return self.comprehensions.term(node, scope, self.term, self.shapes.of(node).bound)
            case ListLiteral(items=items):
                terms = [self.term(item, scope) for item in items]
                return Items(True, tuple((True, term) for term in terms))
            case MapLiteral(entries=entries):
                return self.map(entries, scope)
            case _:
                return Opaque(z3.Bool(self.world.fresh("known")))

    def looked_up(self, node: Index, scope: Scope) -> Term | None:
        """Return an entry of a written map of several keys, or of keys that are no texts; None of any other."""
        written = written_entries(node, self.variables)
        if written is None:
            return None
        entries = list(islice(written.entries(), ENTRIES_MAX + 1))
        one_text = len(written.keys) == 1 and all(isinstance(key, Literal) and isinstance(key.value, str)
                                                  for (key,), _ in entries)  # fmt: skip
        if one_text or len(entries) > ENTRIES_MAX:
            return None
        keys = [self.term(key, scope) for key in written.keys]
        found: Term = unknown_of(node.type)
        for constants, value in reversed(entries):
            same = [
                comparison.equal(self.world, key, self.term(one, scope)).true
                for key, one in zip(keys, constants, strict=True)
            ]
            found = either(all_of(same), self.term(value, scope), found, self.world.codes)
        return found

    def folded(self, node: Node) -> Term:
        """Return the value of a part that reads nothing."""
        answer = evaluate(node, {}, functions=self.functions)
        return unknown_of(node.type) if isinstance(answer, Unknown) else constant(answer, self.world, node.type)

    def named(self, name: str, node: Node) -> Term:
        """Return a variable, a list or a field."""
        if name in self.variables:
            return self.variable(name)
        if name in self.lists:
            return constant(self.lists[name], self.world, node.type)
        return self.world.slots.get(name) or unknown_of(node.type)

    def variable(self, name: str) -> Term:
        """Return what a variable means; those that it reads come first, so that a long chain is not followed deep."""
        waiting = [name]
        while waiting:
            node = self.variables[waiting[-1]]
            ahead = [
                other
                for other in names_in(node)
                if other in self.variables and self.shapes.of(self.variables[other]).number not in self.made
            ]
            if ahead:
                waiting += ahead
            else:
                self.term(node, {})
                waiting.pop()
        return self.term(self.variables[name], {})

    def binary(self, node: Binary, scope: Scope) -> Term:
        """Return a comparison, a membership or a sum."""
        if (found := counted(node)) is not None:
            number = self.comprehensions.number(node, found.macro, scope, self.term, self.shapes.of(node).bound)
            if number is not None:
                return comparison.compared(self.world, found.operator, number, constant(found.count, self.world))
        left, right = self.term(node.left, scope), self.term(node.right, scope)
        match node.operator:
            case "in":
                right = self.comprehensions.in_full(right, node, scope, self.shapes.of(node).bound)
                return comparison.within(self.world, left, right)
            case "==" | "!=" | "<" | "<=" | ">" | ">=":
                return comparison.compared(self.world, node.operator, left, right)
            case operator if DATE in (types := (node.left.type, node.right.type)):
                if isinstance(left, Number) and isinstance(right, Number):
                    return arithmetic.dates(operator, left, right, types)
                return self.world.opaque(node.type, conj(left.known, right.known))
            case operator:
                return arithmetic.operate(self.world, operator, left, right, node.type)

    def has(self, operand: Node, scope: Scope) -> Truth:
        """Return whether a field or an entry is known; unknown only below an expression that is."""
        if isinstance(operand, Select | Index):
            container = self.term(operand.operand, scope)
            key = Text(True, operand.field) if isinstance(operand, Select) else self.term(operand.key, scope)
            held = self.entry(container, key, operand).known
            if is_field(operand.operand):
                holds = conj(container.known, key.known, held)
                return Truth(holds, disj(neg(container.known), conj(key.known, neg(held))))
            both = conj(container.known, key.known)
            return Truth(conj(both, held), conj(both, neg(held)))
        known = self.term(operand, scope).known
        return Truth(known, neg(known))

    def entry(self, container: Term, key: Term, node: Node) -> Term:
        """Return a map's entry or a list's item; unknown where there is none."""
        match container, key:
            case Entries(), Text(value=str(name)):
                present, value = self.world.entries_of(container, name, node.type)
                return either(conj(container.known, key.known, present), value, unknown_of(node.type), self.world.codes)
            case Entries(is_closed=True), Text():
                found: Term = unknown_of(node.type)
                for name, (present, value) in container.of.items():
                    is_it = comparison.equal(self.world, key, Text(True, name)).true
                    found = either(conj(container.known, present, is_it), value, found, self.world.codes)
                return found
            case Items(), Number(is_double=False):
                return self.item(container, key, node)
        return self.world.opaque(node.type, conj(container.known, key.known))

    def item(self, container: Items, key: Number, node: Node) -> Term:
        """Return the item that stands at a place: any where that is not told apart."""
        known, at = conj(container.known, key.known), key.value
        apart = length_of(replace(container, length=None)) if container.places is not None else len(container.items)
        further = disj(container.scattered, conj(container.beyond, at >= apart))
        inside = further if further is False else conj(known, further, at >= 0, at < length_of(container))
        found = self.world.opaque(node.type, inside) if inside is not False else unknown_of(node.type)
        for (present, item), place in zip(container.items, places_of(container), strict=True):
            is_it = conj(known, neg(container.scattered), present, _same_place(at, place))
            found = either(is_it, item, found, self.world.codes) if is_it is not False else found
        return found

    def map(self, entries: tuple[tuple[Node, Node], ...], scope: Scope) -> Term:
        """Return a map literal."""
        keys = [self.term(key, scope) for key, _ in entries]
        values = [self.term(value, scope) for _, value in entries]
        known = all_of(term.known for term in (*keys, *values))
        names = [key.value for key in keys if isinstance(key, Text) and isinstance(key.value, str)]
        if len(names) < len(keys):
            return Opaque(conj(known, z3.Bool(self.world.fresh("known"))))
        if len(set(names)) < len(names):
            return Opaque(False)
        return Entries(known, {name: (True, value) for name, value in zip(names, values, strict=True)})


def _same_place(at: z3.ArithRef, place: Any) -> Prop:
    return at.as_long() == place if isinstance(place, int) and z3.is_int_value(at) else at == place
