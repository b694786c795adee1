"""Entries of lists that end: `x in lists.bad` becomes a condition on `now`, so that every tool knows it.

The entries are told apart by when they end, each kind a list of its own. `x in lists.bad` is then that x is in it at
all, and in the part for good, or in a part whose time is not over. A list without such entries is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from adjudge.expr.nodes import (
    LISTS,
    Binary,
    Call,
    Comprehension,
    Literal,
    Logic,
    Name,
    Node,
    children,
    exchanged,
    list_name,
    walk,
)
from adjudge.policy.loading.reader import Reader
from adjudge.policy.slots import NOW
from adjudge.policy.typed import ListEntry, TypedPolicy
from adjudge.source import Span
from adjudge.values.literals import format_timestamp
from adjudge.values.types import BOOL, STRING, TIMESTAMP

ENDS_MAX = 400
"""How many different times the entries of one list may end at."""


def with_expiry(typed: TypedPolicy, reader: Reader) -> TypedPolicy:
    """Return a policy in which entries of lists do not count once they have ended."""
    parts = {name: parts_of(typed.lists[name], of) for name, of in typed.entries.items()}
    for name, found in parts.items():
        if len(found[1]) > ENDS_MAX and not reader.recorded:
            hint = "let entries end at the end of a week or month"
            message = f"the entries of `{name}` end at {len(found[1])} different times; {ENDS_MAX} are allowed"
            reader.blame("list-entry", message, typed.entries[name][0].span, hint)
    exchange = _exchange(parts, reader)

    def changed(node: Node) -> Node:
        return exchanged(node, exchange)

    lists = dict(typed.lists)
    for name, (for_good, ending) in parts.items():
        lists |= {_part_name(name, None): for_good} if for_good else {}
        lists |= {_part_name(name, end): values for end, values in ending.items()}
    return replace(
        typed,
        lists=lists,
        variables={name: changed(node) for name, node in typed.variables.items()},
        rules=tuple(replace(rule, condition=changed(rule.condition)) for rule in typed.rules),
        scorecards={
            name: replace(card, rows=tuple(row.changed(changed) for row in card.rows))
            for name, card in typed.scorecards.items()
        },
        excuses=tuple(replace(excuse, condition=changed(excuse.condition)) for excuse in typed.excuses),
    )


Parts = tuple[tuple[str, ...], Mapping[datetime, tuple[str, ...]]]
"""The values that stay for good, and the others by when they end, the first to end first."""


def parts_of(values: tuple[str, ...], entries: tuple[ListEntry, ...]) -> Parts:
    """Return a list's parts. A value that stands in it twice stays the longer time."""
    ends: dict[str, datetime] = {}
    for entry in entries:
        ends[entry.value] = max(entry.until, ends.get(entry.value, entry.until))
    ending: dict[datetime, list[str]] = {}
    for value, end in ends.items():
        ending.setdefault(end, []).append(value)
    for_good = tuple(value for value in values if value not in ends)
    return for_good, {end: tuple(ending[end]) for end in sorted(ending)}


def is_part(name: str) -> bool:
    """Whether a list is a part of another, by the name that no author can write."""
    return " " in name


def asked_of(node: Node) -> Node | None:
    """Return `x in lists.bad` as its author wrote it, of the condition on `now` that it became; None of other nodes."""
    match node:
        case Logic(operator="&&", operands=(Binary(operator="in") | Comprehension() as asked, some)):
            named = (part.name for part in walk(some) if isinstance(part, Name))
            return asked if any(name.startswith(f"{LISTS}.") and is_part(name) for name in named) else None
        case _:
            return None


def as_written(node: Node) -> Node:
    """Return a condition without what entries that end have made of it."""
    return exchanged(node, lambda part: asked_of(part) or part)


def _part_name(name: str, end: datetime | None) -> str:
    if end is None:
        return f"{name} for good"
    return f"{name} until {format_timestamp(end).removesuffix('T00:00:00Z')}"


def _exchange(parts: Mapping[str, Parts], reader: Reader) -> Callable[[Node], Node]:
    named = {list_name(name): name for name in parts}

    def exchange(node: Node) -> Node:
        match node:
            case Binary(operator="in", right=Name(name=full) as asked) if full in named:
                name = named[full]
                return _parted(node, name, parts[name], lambda of: replace(node, right=_named(asked, of)))
            case Comprehension(kind="exists", operand=Name(name=full) as asked) if full in named:
                name = named[full]
                return _parted(node, name, parts[name], lambda of: replace(node, operand=_named(asked, of)))
        for part in _direct(node):
            if part.name in named:
                message = f"`{part.name}` has entries that end, so only `in` and `exists` can ask about it"
                reader.blame("list-entry", message, part.span, f"write `x in {part.name}`")
        return node

    return exchange


def _direct(node: Node) -> list[Name]:
    return [part for part in children(node) if isinstance(part, Name)]


def _parted(node: Node, name: str, parts: Parts, within: Callable[[str], Node]) -> Node:
    for_good, ending = parts
    found = [within(_part_name(name, None))] if for_good else []
    for end in ending:
        held = Logic(
            operator="&&", operands=(_before(end, node.span), within(_part_name(name, end))), span=node.span, type=BOOL
        )
        found.append(held)
    some = found[0] if len(found) == 1 else Logic(operator="||", operands=tuple(found), span=node.span, type=BOOL)
    return Logic(operator="&&", operands=(node, some), span=node.span, type=BOOL)


def _named(name: Name, of: str) -> Name:
    return replace(name, name=list_name(of))


def _before(end: datetime, span: Span) -> Node:
    text = Literal(value=format_timestamp(end), span=span, type=STRING)
    moment = Call(function="timestamp", arguments=(text,), span=span, type=TIMESTAMP)
    return Binary(operator="<", left=Name(name=NOW, span=span, type=TIMESTAMP), right=moment, span=span, type=BOOL)
