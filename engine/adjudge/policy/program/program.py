"""A policy compiled: from the fields that are known to a verdict, in one generated function.

Every condition is split into alternatives of facts. Each alternative has a bit; `alive` are those that no fact has made
false, `sure` those that no unknown fact leaves open. A slot's facts are answered together by a table; what reads
several slots is computed. At the end, alternatives that are alive and sure are true.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from adjudge.expr import pyast
from adjudge.expr.functions import Overload
from adjudge.expr.nodes import Binary, Has, Name, Node, Unary, names_in, walk
from adjudge.expr.python import Emitter, compile_condition
from adjudge.expr.reference import Unknown, evaluate
from adjudge.model import Verdict
from adjudge.policy.otherwise import rows_before
from adjudge.policy.program.dispatch import dispatched
from adjudge.policy.program.fast_path import fast_path_first
from adjudge.policy.program.index import (
    Membership,
    SlotFact,
    ValueTable,
    by_value,
    cut_points,
    cut_table,
    members,
    plain_comparison,
    weigh,
)
from adjudge.policy.program.slot_code import SlotCode, Tables
from adjudge.policy.program.terms import Fact, Splitter
from adjudge.policy.program.verdict import VerdictBuilder, with_problems
from adjudge.policy.typed import TypedPolicy
from adjudge.values.types import EnumType, is_text

LOOKED_UP_MAX = 100_000
"""How many answers of facts are looked up when a policy is compiled; more are, word by word, as they come."""


class Evaluate(Protocol):
    """A compiled policy."""

    def __call__(self, given: Mapping[str, object], *, now: datetime | None = None) -> Verdict:
        """Return the verdict on what is known; see `Policy.evaluate`."""
        ...


def compile_policy(policy: TypedPolicy, functions: Mapping[str, tuple[Overload, ...]]) -> Evaluate:
    """Compile a policy into a function of the known fields and the decision's clock.

    The function takes a nested mapping, as `Policy.evaluate` does, and never raises for what stands in it.
    """
    used = sorted(frozenset().union(*map(policy.reads.slots, policy.conditions)))

    def compiled(part: TypedPolicy) -> Evaluate:
        return _Compiler(part, functions, used).compile()

    return dispatched(policy, compiled)


@dataclass(slots=True)
class _Uses:
    """Alternatives, as masks, that need a fact to be true and that need it to be false."""

    true: int = 0
    false: int = 0


@dataclass(slots=True)
class _Compiler:
    policy: TypedPolicy
    functions: Mapping[str, tuple[Overload, ...]]
    used: Sequence[str]
    facts: dict[Node, _Uses] = field(default_factory=dict)
    conditions: list[tuple[int, ...]] = field(default_factory=list)
    every: int = 0
    dead: int = 0
    constants: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    memberships: dict[str, list[Membership]] = field(default_factory=dict)

    def compile(self) -> Evaluate:
        policy = self.policy
        self.constants = policy.constants
        nodes = policy.conditions
        self._split(nodes)
        reads = [policy.reads.slots(node) for node in nodes]
        used = self.used
        by_slot, computed = self._sort_facts()
        wanted = frozenset(slot for node in computed for slot in policy.reads.slots(node))
        tables = {slot: self._tables(1 << at, slot, by_slot.get(slot, [])) for at, slot in enumerate(used)}
        emitter = Emitter(self.functions, constants=dict(self.constants))
        signals = {name: signal.fields for name, signal in policy.signals.items()}
        possible = self.every & ~self.dead
        reader = SlotCode(policy.slots, frozenset(used), wanted, tables, self.every, possible, emitter.names)
        taking = fast_path_first(reader, policy.inputs, signals, [] if computed else self._if_remembered())
        emitter.variables.update(reader.variables)
        self._compute(emitter, computed)
        builder = VerdictBuilder(policy, used, reads)
        emitter.names |= {
            "conclude": builder.verdict,
            "remembered": builder.remembered.get,
            "gather": self._gatherer(),
            "with_problems": with_problems,
        }
        start = [
            pyast.assign("sure", pyast.constant(self.every)),
            pyast.assign("unknown", pyast.constant(0)),
            pyast.assign("problems", pyast.NONE),
        ]
        body = [*start, *taking, *emitter.block, *self._conclusion()]
        return pyast.build(  # type: ignore[return-value]  # the function just generated
            pyast.function("verdict", ["given"], ["now"], body), "verdict", f"<policy {policy.name}>", emitter.names
        )

    def _split(self, nodes: Sequence[Node]) -> None:
        """Give every alternative a bit: the first of condition n is bit n, further ones follow after all.

        What happens where no row of a table is true has none: the verdict knows it from the rows.
        """
        splitter = Splitter(self.policy.variables, self.policy.reads)
        following = len(nodes)
        answered = dict(rows_before(self.policy))
        for at, node in enumerate(nodes):
            numbers: list[int] = []
            for alternative in splitter.split(node) if at not in answered else ():
                number = following if numbers else at
                following += bool(numbers)
                numbers.append(number)
                for fact in alternative:
                    self._use(fact, 1 << number)
            if not numbers:  # nothing can make it true
                self.dead |= 1 << at
            self.conditions.append(tuple(numbers))
        self.every = (1 << following) - 1

    def _use(self, fact: Fact, mask: int) -> None:
        uses = self.facts.setdefault(fact.node, _Uses())
        if fact.wanted:
            uses.true |= mask
        else:
            uses.false |= mask

    def _sort_facts(self) -> tuple[dict[str, list[tuple[SlotFact, tuple[object, ...] | None]]], list[Node]]:
        """Tell facts that a slot's table answers from those to compute."""
        by_slot: dict[str, list[tuple[SlotFact, tuple[object, ...] | None]]] = {}
        computed: list[Node] = []
        for node, uses in self.facts.items():
            slot = self._only_slot(node)
            values = members(node, slot, self.constants) if slot and self._is_text(slot) else None
            if slot is not None and values is not None:
                found = self.memberships.setdefault(slot, [])
                found += [
                    Membership(values, wanted, mask)
                    for mask, wanted in ((uses.true, True), (uses.false, False))
                    if mask
                ]
                continue
            points = cut_points(node, slot, self.policy.slots[slot].type) if slot else None
            if slot is None or (points is None and not self._by_value(slot)):
                computed.append(node)
                continue
            ask = self._asking(node, slot, quick=points is None)
            for mask, wanted in ((uses.true, True), (uses.false, False)):
                if mask:
                    by_slot.setdefault(slot, []).append((SlotFact(_as_wanted(ask, wanted), mask), points))
        return by_slot, computed

    def _only_slot(self, node: Node) -> str | None:
        names = names_in(node).keys() - self.constants.keys()
        return names.pop() if len(names) == 1 and names <= self.policy.slots.keys() else None

    def _is_text(self, slot: str) -> bool:
        return is_text(self.policy.slots[slot].type)

    def _by_value(self, slot: str) -> bool:
        return by_value(self.policy.slots[slot].type) or self.policy.parts[slot].novel

    def _asking(self, node: Node, slot: str, *, quick: bool) -> Callable[[object], bool | None]:
        """Return a fact as a function of its slot's value: compiled where it is asked while deciding."""
        if quick:
            compiled = compile_condition(node, functions=self.functions, constants=self.constants)
            return lambda value: compiled({slot: value})  # type: ignore[return-value]  # a bool condition

        plain = plain_comparison(node, slot)
        if plain is not None:
            return plain

        def ask(value: object) -> bool | None:
            answer = evaluate(node, {**self.constants, slot: value}, functions=self.functions)
            return None if isinstance(answer, Unknown) else answer is True

        return ask

    def _tables(self, bit: int, slot: str, facts: list[tuple[SlotFact, tuple[object, ...] | None]]) -> Tables:
        plain = [fact for fact, _ in facts]
        if self._by_value(slot):
            values = ValueTable(plain, self.every, self.memberships.get(slot, ()))
            type_ = self.policy.slots[slot].type
            if (
                isinstance(type_, EnumType)
                and len(type_.values) * max(len(plain), self.every.bit_length() // 64, 1) <= LOOKED_UP_MAX
            ):
                for word in type_.values:
                    values.look(word)
            return Tables(bit, values.unknown, values=values)
        unknown = weigh(plain, None, self.every)
        if not facts:
            return Tables(bit, unknown)
        type_ = self.policy.slots[slot].type
        return Tables(bit, unknown, cuts=cut_table([(fact, points or ()) for fact, points in facts], type_, self.every))

    def _compute(self, emitter: Emitter, computed: list[Node]) -> None:
        """Emit the facts that read several slots, each once, and only where an alternative still hangs on it."""
        needed = {name for node in computed for name in self.policy.reads.names(node)}
        for name, node in self.policy.variables.items():
            if name in needed:
                local = f"x{len(emitter.variables)}"
                emitter.emit(pyast.assign(local, emitter.guarded(node)))
                emitter.variables[name] = local
        for node in computed:
            uses = self.facts[node]
            with emitter.inside() as body:
                holds = emitter.fresh()
                emitter.emit(pyast.assign(holds, emitter.truth(node)))
                emitter.emit(self._narrow(holds, uses))
            if _cheap(node):
                emitter.emit(*body)
            else:
                hanging = ast.BinOp(pyast.load("alive"), ast.BitAnd(), pyast.constant(uses.true | uses.false))
                emitter.emit(pyast.branch(hanging, body))

    def _narrow(self, holds: str, uses: _Uses) -> ast.stmt:
        def keep(variable: str, dropped: int) -> list[ast.stmt]:
            mask = pyast.constant(self.every & ~dropped)
            return [pyast.add_to(variable, ast.BitAnd(), mask)] if dropped else []

        value = pyast.load(holds)
        unknown = pyast.branch(
            pyast.is_(value, pyast.NONE), keep("sure", uses.true | uses.false), keep("alive", uses.true)
        )
        return pyast.branch(pyast.is_(value, pyast.TRUE), keep("alive", uses.false), [unknown])

    def _gatherer(self) -> Callable[[int], int]:
        """Return a function from a mask of alternatives to the mask of rules and rows that have one of them."""
        several = [
            (1 << at, sum(1 << number for number in numbers))
            for at, numbers in enumerate(self.conditions)
            if len(numbers) > 1
        ]
        first = (1 << len(self.conditions)) - 1

        def gather(mask: int) -> int:
            found = mask & first
            for bit, any_of in several:
                if mask & any_of:
                    found |= bit
            return found

        return gather if several else lambda mask: mask

    @staticmethod
    def _if_remembered() -> list[ast.stmt]:
        """Return the verdict if this mask came before."""
        found = pyast.load("found")
        return [
            pyast.assign("found", pyast.call("remembered", pyast.load("alive"))),
            pyast.branch(pyast.is_not(found, pyast.NONE), [ast.Return(found)]),
        ]

    def _conclusion(self) -> list[ast.stmt]:
        """Look the verdict up, or make it; say what was refused."""
        alive, sure, unknown, problems = (pyast.load(name) for name in ("alive", "sure", "unknown", "problems"))
        found, true = pyast.load("found"), pyast.load("true")
        made = pyast.call(
            "conclude", pyast.load("key"), pyast.call("gather", true), pyast.call("gather", alive), unknown
        )
        some_unsure = [
            pyast.assign("true", ast.BinOp(alive, ast.BitAnd(), sure)),
            pyast.assign("key", ast.Tuple([alive, true, unknown], ast.Load())),
        ]
        all_sure = [pyast.assign("true", alive), pyast.assign("key", alive)]
        settled = pyast.compare(sure, ast.Eq(), pyast.constant(self.every))
        return [
            pyast.branch(settled, all_sure, some_unsure),
            pyast.assign("found", pyast.call("remembered", pyast.load("key"))),
            pyast.branch(pyast.is_(found, pyast.NONE), [pyast.assign("found", made)]),
            pyast.branch(pyast.is_(problems, pyast.NONE), [ast.Return(found)]),
            ast.Return(pyast.call("with_problems", found, problems)),
        ]


def _as_wanted(ask: Callable[[object], bool | None], wanted: bool) -> Callable[[object], bool | None]:
    if wanted:
        return ask

    def negated(value: object) -> bool | None:
        answer = ask(value)
        return None if answer is None else not answer

    return negated


def _cheap(node: Node) -> bool:
    """Whether computing a fact costs no more than asking whether it is needed."""
    return isinstance(node, Name | Has) or (
        isinstance(node, Binary | Unary) and all(not hasattr(part, "arguments") for part in walk(node))
        and sum(1 for _ in walk(node)) <= 5
    )  # fmt: skip
