"""Lists of inputs: how few items stand for lists of any length.

A *use* of a list asks about its items, and not about their order. Its answer is settled by a few of them, its
*witnesses*, whatever the others are, as long as those are of the list:

| use | witnesses: the first that there are | at most |
|---|---|---|
| `x in l` | an item that equals x · an unknown one | 1 |
| `l.exists(i, p)` | p is true · p is unknown | 1 |
| `l.all(i, p)` | p is false · p is unknown | 1 |
| `l.exists_one(i, p)` | p is unknown of a known item · p is true of two · (a) and (b), below | 2 |
| `size(l.filter(i, p)) > n`, or `<`, `==` … | p is unknown · p is true of an unknown item · (c) | n + 1 |

(a) Of one item p is true, (b) of an unknown item p is unknown; either may be missing. (c) Of n + 1 items p is true; if
there are fewer, these are all.

Where there are none of these, the use needs no witness. Now let k be the sum of what all uses of a
list need, and let everything else of an input be as it is. Then for each list there is one of the same length that
gives every use the same answer, and whose items after the first k are all the same one:

- Let the witnesses of all uses stand first, with any others up to k. No use sees the order.
- Take an item r of the rest, and put copies of it in the place of all of the rest. A use that is settled by a witness
  alone stays so, since every item is still one of the list. A use that is settled by there being no further item of a
  kind stays so too: r is not of that kind, or it would have been a witness.

So a list is k items and one more, which stands for every later place; it is counted as often as a use can tell, if the
list is long enough. Its length is any number, and `size(l)` is exact. What else was thought of:

- What a use asks may hang on other fields. A claim about two readings of an input, such as before and after one field
  changed, or by two policies, has the witnesses of both; so there is room for those of two translators, and no claim
  may speak of more. A use that reads nothing but the items is the same in both, and counted once.
- A use may stand in a macro over another list and read that one's item: `m.exists(x, x in l)`. Then m is cut down
  first, while l is as it is, and l next, with witnesses for each item of m that is left. So lists have an order, their
  *rank*; where they would have none, as with two macros over one list that read each other's items, no list of these
  is cut down.
- A part that reads no item of the list is one value, settled by its own uses, wherever it stands.
- How much work a macro may be hangs on the weights of all items. Of lists so large that a macro over them is too much,
  which makes it unknown, nothing is said at all, see docs/proofs.md.
- Of anything else that is asked of a list, only what holds of every longer one is said: three of its items are in it.
  So nothing rests on a use being seen here, but that its answer is exact.

A list that is used in other ways, by place or as a whole, or that would need more than ITEMS_MAX items, is not cut
down: three items are told apart, and of the rest nothing is known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from adjudge.expr.functions import FUNCTIONS
from adjudge.expr.nodes import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Has,
    ListLiteral,
    Literal,
    Local,
    Name,
    Node,
    children,
    list_of,
    walk,
)
from adjudge.expr.operators import FLIPPED, NEGATED
from adjudge.expr.printing import unparse
from adjudge.expr.smt.shapes import Shapes
from adjudge.frozen import frozen
from adjudge.values.types import ListType, MapType, SetType

ITEMS_MAX = 100
"""Of a list that is cut down, so many items are told apart; of others, see `world.ITEMS_MAX`."""
LEAST = 3
"""So many items are told apart in any case."""
COUNT_MAX = 20
"""The number of items that are filtered is compared with at most this."""


@frozen(kw_only=True)
class Plan:
    """How a list is cut down.

    own: room for witnesses of uses that read the list alone. beside: for those of others, in each of two translators.
    copies: how often the item counts that stands for the rest: the most witnesses of one use.
    """

    rank: int
    own: int
    beside: int
    copies: int

    @property
    def items(self) -> int:
        """How many items stand for themselves."""
        return max(LEAST, self.own + 2 * self.beside)


@frozen
class Counted:
    """The number of items that a filter keeps, compared with a constant."""

    macro: Comprehension
    operator: str
    count: int


def counted(node: Node) -> Counted | None:
    """Return what `size(l.filter(i, p)) > 2` and its like compare; None of anything else."""
    if not isinstance(node, Binary) or node.operator not in NEGATED:
        return None
    for one, other, sign in ((node.left, node.right, node.operator), (node.right, node.left, _flipped(node.operator))):
        match one, other:
            case (
                Call(function="size", arguments=(Comprehension(kind="filter") as macro,)),
                Literal(value=int() as count),
            ) if not isinstance(count, bool) and abs(count) <= COUNT_MAX:
                return Counted(macro, sign, count)
    return None


def _flipped(operator: str) -> str:
    return FLIPPED.get(operator, operator)


def operand_of(node: Node) -> Node | None:
    """Return the list that a use asks about; None of what is no use."""
    match node:
        case Binary(operator="in", right=operand):
            return operand
        case Comprehension(kind="exists" | "all" | "exists_one", operand=operand):
            return operand
        case Binary() if (found := counted(node)) is not None:
            return found.macro.operand
    return None


def needs(node: Node) -> int:
    """Return how many witnesses a use has at most."""
    found = counted(node)
    if found is not None:
        return max(0, found.count) + 1
    return 2 if isinstance(node, Comprehension) and node.kind == "exists_one" else 1


def is_own(node: Node) -> bool:
    """Whether a use reads nothing but the list: no rates either, which may be others in another policy."""
    found = counted(node)
    if isinstance(node, Binary) and found is None:
        return isinstance(node.left, Literal)
    macro = found.macro if found is not None else node
    assert isinstance(macro, Comprehension) and macro.predicate is not None
    return all(
        part.name == macro.variable if isinstance(part, Local) else
        part.function in FUNCTIONS if isinstance(part, Call) else
        part.written is None if isinstance(part, Conditional) else not isinstance(part, Name | Comprehension)
        for part in walk(macro.predicate)
    )  # fmt: skip


@frozen
class _Use:
    """A use of one list. over: what the variables run over that it reads, of the macros around it."""

    node: Node
    over: tuple[Node, ...]


@dataclass(slots=True)
class _Uses:
    """What the conditions of one policy ask of lists, each thing once. others: lists that are used in other ways."""

    lists: Collection[str]
    shapes: Shapes
    of: dict[str, dict[tuple[int, tuple[int, ...]], _Use]] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)

    def read(self, node: Node, running: Mapping[str, Node]) -> None:
        """Read a part. running: by the macros' variables around it, what they run over."""
        match node:
            case Has(operand=Name()) | Call(function="size", arguments=(Name(),)):
                return
            case Name(name=name):
                self.others.update((name,) if name in self.lists else ())
                return
        operand = operand_of(node)
        if isinstance(operand, Name) and operand.name in self.lists:
            over = tuple(running[name] for name in sorted(self.shapes.of(node).bound))
            number = self.shapes.of(node).number, tuple(self.shapes.of(one).number for one in over)
            self.of.setdefault(operand.name, {})[number] = _Use(node, over)
        found = counted(node)
        whole = found.macro if found is not None else node
        inside = {**running, whole.variable: whole.operand} if isinstance(whole, Comprehension) else running
        for part in children(whole):
            if part is not operand or not isinstance(part, Name):
                self.read(part, running if isinstance(whole, Comprehension) and part is whole.operand else inside)


def plans_of(
    policies: Sequence[Sequence[Node]], lists: Collection[str], apart: Collection[str] = ()
) -> dict[str, Plan]:
    """Return how lists are cut down, by name: those of which it can be done.

    policies: the conditions of each, variables among them. lists: the names of the inputs' lists. apart: those whose
    items are not the same to all policies.
    """
    if not lists:
        return {}
    shapes = Shapes()
    found = [_Uses(lists, shapes) for _ in policies]
    for uses, conditions in zip(found, policies, strict=True):
        for condition in conditions:
            uses.read(condition, {})
    others = {name for uses in found for name in uses.others}
    plans: dict[str, Plan] = {}
    waiting = [name for name in lists if name not in others]
    while waiting:  # each when the lists are planned whose items are read in what is asked of it
        ready = [name for name in waiting if not any(_named(one.over) & {*waiting} for one in _asked(found, name))]
        for name in ready:
            plan = _plan(found, name, plans, is_apart=name in apart)
            if plan is not None:
                plans[name] = plan
        if not ready:
            break  # they wait for each other
        waiting = [name for name in waiting if name not in ready]
    return plans


def _asked(found: Sequence[_Uses], name: str) -> list[_Use]:
    return [use for uses in found for use in uses.of.get(name, {}).values()]


def _named(over: Sequence[Node]) -> set[str]:
    return {part.name for one in over for part in walk(one) if isinstance(part, Name)}


def _plan(found: Sequence[_Uses], name: str, plans: Mapping[str, Plan], *, is_apart: bool) -> Plan | None:
    own: dict[str, int] = {}
    beside = [0]
    for uses in found:
        others = 0
        for use in uses.of.get(name, {}).values():
            if is_own(use.node) and not is_apart:
                own[unparse(use.node)] = needs(use.node)
                continue
            numbers = [_number(one, plans) for one in use.over]
            if None in numbers:
                return None
            others += prod(number or 0 for number in numbers) * needs(use.node)
        beside.append(others)
    copies = max((needs(use.node) for use in _asked(found, name)), default=1)
    plan = Plan(rank=len(plans), own=sum(own.values()), beside=max(beside), copies=copies)
    return plan if plan.items <= ITEMS_MAX else None


def _number(over: Node, plans: Mapping[str, Plan]) -> int | None:
    """Return how many items there are to tell apart in what a macro runs over; None where that is not known here."""
    match over:
        case Name(name=name) if name in plans:
            return plans[name].items + 1
        case Name(type=SetType(values=words)):
            return len(words) + 1
        case Name(type=MapType(keys=keys)) if keys is not None:
            return len(keys)
        case Name(name=name, type=ListType()) if list_of(name) is None:
            return LEAST
        case ListLiteral(items=items):
            return len(items)
    return None
