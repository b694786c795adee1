"""Losing a signal or an input never softens the outcome below what doubt is worth; waivers and `has` are named."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.proofs.finding import Finding, Witness
from adjudge.authoring.proofs.inquiry import Found, NotProved
from adjudge.authoring.proofs.shrink import shrunk
from adjudge.authoring.proofs.subject import Subject, not_proved, slots_of, span_of
from adjudge.authoring.proofs.world import Input, conditions_of, fields_of
from adjudge.expr.nodes import Has, Name, Node, walk
from adjudge.expr.printing import unparse
from adjudge.expr.smt.logic import conj, disj, neg
from adjudge.expr.smt.world import known_where
from adjudge.model import Outcome
from adjudge.policy.typed import TypedPolicy
from adjudge.source import Span


def softening_losses(subject: Subject) -> Iterator[Finding]:
    """Find signals and inputs whose loss makes an outcome softer than it was, and than the policy's `when_unknown`."""
    typed = subject.policy.typed
    fields = fields_of(typed)
    for name in (*typed.inputs, *typed.signals):
        owned = [slot for slot, (path, _) in fields.items() if path[0] == name]
        if name in typed.inputs:
            owned += [slot for slot in fields if slot == f"novel_{name}"]
        slots = [part for slot in owned for part in slots_of(subject.policy, slot)]
        yield from _lost(subject, name, dict.fromkeys(slots))


def _lost(subject: Subject, name: str, slots: dict[str, None]) -> Iterator[Finding]:
    typed = subject.policy.typed
    if not _can_soften(typed, name):
        return
    for found, verdict in subject.seen:
        if subject.verdict(without(found, name)).outcome < min(typed.when_unknown, verdict.outcome):
            yield _finding(subject, name, found)
            return
    unknown = {slot: known_where(subject.world.slots[slot], False) for slot in slots}
    world, after = subject.changed(unknown, f"without {name} ")
    before = subject.verdicts.outcome
    default = typed.when_unknown
    softer = [
        conj(before.of(outcome), neg(after.outcome.of(outcome)))
        for outcome in (Outcome.REVIEW, Outcome.REJECT)
        if outcome <= default
    ]

    def confirm(one: Input, other: Input) -> bool:
        return subject.verdict(other).outcome < min(default, subject.verdict(one).outcome)

    answer = subject.inquiry.ask(disj(*softer), confirm, others=(world,))
    if isinstance(answer, Found):
        yield _finding(subject, name, answer.input)
    elif isinstance(answer, NotProved):
        span = typed.signals[name].span if name in typed.signals else span_of(subject, name)
        yield not_proved("softened-by-loss", f"that losing `{name}` never softens the outcome", answer, span)


def _can_soften(typed: TypedPolicy, name: str) -> bool:
    """Whether there is a waiver, or a `has` of what is lost: without either, Kleene's logic softens nothing.

    The tests hold the program to that for every policy: `test_losing_a_field_never_softens`.
    """
    worths = [rule.when_unknown for rule in typed.rules] + [signal.when_unknown for signal in typed.signals.values()]
    worths += [typed.scorecard.when_unknown] if typed.scorecard is not None else []
    if any(worth is not None and worth < typed.when_unknown for worth in worths):
        return True
    return any(
        isinstance(node, Has) and _names(node, name) for condition in conditions_of(typed) for node in walk(condition)
    )


def without(found: Input, name: str) -> Input:
    """Return an input without a signal or an input field."""
    given = {key: value for key, value in found.given.items() if key not in (name, f"novel_{name}")}
    return Input(given=given, now=found.now)


def _finding(subject: Subject, name: str, found: Input) -> Finding:
    default = subject.policy.typed.when_unknown

    def holds(one: Input) -> bool:
        return subject.verdict(without(one, name)).outcome < min(default, subject.verdict(one).outcome)

    one = shrunk(found, holds)
    other = without(one, name)
    before, after = subject.verdict(one), subject.verdict(other)
    because, spans = _cause(subject, name, after.waived)
    return Finding(
        code="softened-by-loss",
        severity="note" if after.waived else "warning",
        message=f"losing `{name}` turns {before.outcome} into {after.outcome}: {because}",
        spans=spans or (span_of(subject, name),),
        rules=before.matched,
        field=name,
        witnesses=(
            Witness(about="with it", input=one, outcome=str(before.outcome)),
            Witness(about="without it", input=other, outcome=str(after.outcome)),
        ),
        hint=None
        if after.waived
        else "whoever makes the signal fail gets the softer answer; ask for the value without `has`",
    )


def _cause(subject: Subject, name: str, waived: tuple[str, ...]) -> tuple[str, tuple[Span, ...]]:
    """Return in words what lets a loss soften the outcome, and where it stands."""
    typed = subject.policy.typed
    rules = [rule for rule in typed.rules if rule.id in waived and _owned(subject, rule.condition, name)]
    if waived:
        signal = typed.signals.get(name)
        spans = tuple(rule.span for rule in rules if rule.when_unknown is not None)
        if signal is not None and signal.when_unknown is Outcome.PASS:
            spans = (signal.span, *spans)
        return "a waiver, `when_unknown: pass`, says so", spans or tuple(rule.span for rule in rules)
    asking: list[Node] = []
    for condition in conditions_of(typed):
        for node in walk(condition):
            if isinstance(node, Has) and any(
                isinstance(part, Name) and (part.name == name or part.name.startswith(f"{name}."))
                for part in walk(node)
            ):
                asking.append(node)
    if asking:
        return f"`{unparse(asking[0])}` asks whether it is known", tuple(node.span for node in asking)
    return "it is not said why", ()


def _names(node: Node, owner: str) -> bool:
    names = [part.name for part in walk(node) if isinstance(part, Name)]
    return any(name == owner or name.startswith(f"{owner}.") for name in names)


def _owned(subject: Subject, condition: Node, owner: str) -> bool:
    return any(slot.partition(".")[0] == owner for slot in subject.reads(condition))
