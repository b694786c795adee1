"""What was written differently in two policies: rules that came, went or changed, and the rest of the document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from adjudge.expr.printing import unparse
from adjudge.policy.typed import Rule, TypedPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that was written differently. rule: its id, or the name of a part. old, new: in words."""

    kind: Literal["added", "removed", "changed"]
    rule: str
    old: str | None = None
    new: str | None = None

    def __str__(self) -> str:
        match self.kind:
            case "added":
                return f"+ {self.rule}: {self.new}"
            case "removed":
                return f"- {self.rule}: {self.old}"
            case _:
                return f"~ {self.rule}: {self.old} → {self.new}"


def changes(old: TypedPolicy, new: TypedPolicy) -> tuple[Change, ...]:
    """Return what differs, in the new policy's order, then what is gone."""
    return tuple(_changes(old, new))


def _changes(old: TypedPolicy, new: TypedPolicy) -> Iterator[Change]:
    before = {rule.id: rule for rule in old.rules}
    after = {rule.id: rule for rule in new.rules}
    for name, rule in after.items():
        if name not in before:
            yield Change(kind="added", rule=name, new=_said(rule))
        elif _said(before[name]) != _said(rule):
            yield Change(kind="changed", rule=name, old=_said(before[name]), new=_said(rule))
    for name, rule in before.items():
        if name not in after:
            yield Change(kind="removed", rule=name, old=_said(rule))
    for what, one, other in _parts(old, new):
        if one != other:
            kind: Literal["added", "removed", "changed"] = "changed"
            if one is None or other is None:
                kind = "added" if one is None else "removed"
            yield Change(kind=kind, rule=what, old=one, new=other)


def _said(rule: Rule) -> str:
    doubt = f", in doubt {rule.when_unknown}" if rule.when_unknown is not None else ""
    return f"{rule.outcome} when {unparse(rule.condition)}{doubt}, {rule.reason}"


def _parts(old: TypedPolicy, new: TypedPolicy) -> Iterator[tuple[str, str | None, str | None]]:
    yield "when_unknown", str(old.when_unknown), str(new.when_unknown)
    yield "gather", old.gather, new.gather
    yield "explore", f"{old.explore:.2%}", f"{new.explore:.2%}"
    yield "scorecard", _card(old), _card(new)
    for name in dict.fromkeys([*old.variables, *new.variables]):
        yield f"variable {name}", _variable(old, name), _variable(new, name)
    for name in dict.fromkeys([*old.lists, *new.lists]):
        one, other = old.lists.get(name), new.lists.get(name)
        yield f"list {name}", _listed(one, other), _listed(other, one)
    for name in dict.fromkeys([*old.signals, *new.signals]):
        yield f"signal {name}", _signal(old, name), _signal(new, name)
    for name in dict.fromkeys([*old.inputs, *new.inputs]):
        yield f"input {name}", _input(old, name), _input(new, name)


def _variable(policy: TypedPolicy, name: str) -> str | None:
    return unparse(policy.variables[name]) if name in policy.variables else None


def _input(policy: TypedPolicy, name: str) -> str | None:
    return str(policy.inputs[name].type) if name in policy.inputs else None


def _card(policy: TypedPolicy) -> str | None:
    card = policy.scorecard
    if card is None:
        return None
    rows = ", ".join(f"{row.points:+d} when {unparse(row.condition)}" for row in card.rows)
    return f"{rows}; review {card.review}, reject {card.reject}, in doubt {card.when_unknown}"


def _listed(values: tuple[str, ...] | None, other: tuple[str, ...] | None) -> str | None:
    """Return a list's size, and what only it holds."""
    if values is None:
        return None
    own = [value for value in values if other is not None and value not in other]
    only = f", {', '.join(own[:5])}{' …' if len(own) > 5 else ''} only here" if own else ""
    return f"{len(values)} values{only}"


def _signal(policy: TypedPolicy, name: str) -> str | None:
    signal = policy.signals.get(name)
    if signal is None:
        return None
    return f"{signal.provider or 'supplied'}, in doubt {signal.when_unknown or policy.when_unknown}"
