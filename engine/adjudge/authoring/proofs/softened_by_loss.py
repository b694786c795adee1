"""Losing a signal or an input never softens the outcome below what doubt is worth; waivers and `has` are named."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.proofs.finding import ProofFinding, Witness
from adjudge.authoring.proofs.inquiry import Found, NotProved
from adjudge.authoring.proofs.shrink import shrunk
from adjudge.authoring.proofs.subject import ProvedPolicy, not_proved, slots_of, span_of
from adjudge.authoring.proofs.world import Input, fields_of, put, value_at
from adjudge.expr.nodes import Has, Node, walk
from adjudge.expr.printing import unparse
from adjudge.expr.smt.logic import conj, disj, neg
from adjudge.expr.smt.world import known_where
from adjudge.model import Outcome, Verdict
from adjudge.policy.slots import Slot
from adjudge.policy.typed import TypedPolicy
from adjudge.source import Span


def softening_losses(subject: ProvedPolicy) -> Iterator[ProofFinding]:
    """Find signals and inputs whose loss makes an outcome softer than it was, and than the policy's `when_unknown`.

    Of a signal's own fields, those are looked at that a `has` asks for: other losses of a part soften nothing that the
    loss of the whole does not.
    """
    typed = subject.policy.typed
    fields = fields_of(typed)
    for name in (*typed.inputs, *typed.signals):
        found = list(_lost(subject, name, _slots(subject, name)))
        yield from found
        for slot in fields if name in typed.signals and not found else ():
            if typed.parts[slot].owner == name and any(_asking(typed, slot)):
                yield from _lost(subject, slot, _slots(subject, slot))


def _slots(subject: ProvedPolicy, name: str) -> dict[str, None]:
    """Return what is lost with a signal, an input, or a field of a signal."""
    typed = subject.policy.typed
    owned = [slot for slot in fields_of(typed) if _is_of(typed.parts[slot], name)]
    return dict.fromkeys(part for slot in owned for part in slots_of(subject.policy, slot))


def _is_of(slot: Slot, name: str) -> bool:
    """Whether a slot is lost with a signal or a field: it is it, what is novel in it, or a part."""
    return name in (slot.owner, str(slot), str(slot.whole))


def _asking(typed: TypedPolicy, name: str) -> Iterator[Node]:
    """Yield the `has` of what is lost, or of a variable that reads it."""
    for node in walk(*typed.variables.values(), *typed.conditions):
        if isinstance(node, Has) and any(_is_of(typed.parts[slot], name) for slot in typed.reads.slots(node)):
            yield node


def _lost(subject: ProvedPolicy, name: str, slots: dict[str, None]) -> Iterator[ProofFinding]:
    typed = subject.policy.typed
    if not _can_soften(typed, name):
        return
    for found, verdict in subject.seen:
        if subject.verdict(without(found, name, typed)).outcome < min(_floor(typed), verdict.outcome):
            yield _finding(subject, name, found)
            return
    unknown = {slot: known_where(subject.world.slots[slot], False) for slot in slots}
    world, after = subject.changed(unknown, f"without {name} ")
    before = subject.verdicts.outcome
    default = _floor(typed)
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
        yield not_proved(
            subject.policy, "softened-by-loss", name, f"that losing `{name}` never softens the outcome", answer, span
        )


def _can_soften(typed: TypedPolicy, name: str) -> bool:
    """Whether there is a waiver, or a `has` of what is lost: without either, Kleene's logic softens nothing.

    The tests hold the program to that for every policy: `test_losing_a_field_never_softens`.
    """
    worths = [rule.when_unknown for rule in typed.rules] + [signal.when_unknown for signal in typed.signals.values()]
    worths += [card.when_unknown for card in typed.scorecards.values()]
    if any(worth is not None and worth < typed.when_unknown for worth in worths):
        return True
    return typed.when_unknown is Outcome.PASS or any(_asking(typed, name))


def without(found: Input, name: str, typed: TypedPolicy) -> Input:
    """Return an input without a signal, an input field, or a field of a signal."""
    given = found.given
    for path in (typed.path_of(lost) for lost in (name, typed.news_of(name)) if lost is not None):
        if value_at(given, path) is not None:
            given = put(given, path, None)
    return Input(given=given, now=found.now)


def _floor(typed: TypedPolicy) -> Outcome:
    """Return what a loss may soften an outcome to without a word; a policy's own `when_unknown: pass` is told too."""
    return max(typed.when_unknown, Outcome.REVIEW)


def _finding(subject: ProvedPolicy, name: str, found: Input) -> ProofFinding:
    typed = subject.policy.typed
    default = _floor(typed)

    def holds(one: Input) -> bool:
        return subject.verdict(without(one, name, typed)).outcome < min(default, subject.verdict(one).outcome)

    one = shrunk(found, holds)
    other = without(one, name, typed)
    before, after = subject.verdict(one), subject.verdict(other)
    because, spans, is_said = _cause(subject, name, after)
    return ProofFinding(
        code="softened-by-loss",
        severity="note" if is_said else "warning",
        message=f"losing `{name}` turns {before.outcome} into {after.outcome}: {because}",
        spans=spans or (span_of(subject, name),),
        rules=before.matched,
        field=name,
        witnesses=(
            Witness(about="with it", input=one, outcome=str(before.outcome)),
            Witness(about="without it", input=other, outcome=str(after.outcome)),
        ),
        hint=None
        if is_said
        else "whoever makes the signal fail gets the softer answer; ask for the value without `has`",
    )


def _cause(subject: ProvedPolicy, name: str, after: Verdict) -> tuple[str, tuple[Span, ...], bool]:
    """Return in words what lets a loss soften the outcome, where it stands, and whether the policy says so itself."""
    typed = subject.policy.typed
    rules = [rule for rule in typed.rules if rule.id in after.waived and _owned(subject, rule.condition, name)]
    if after.waived:
        signal = typed.signals.get(name)
        spans = tuple(rule.span for rule in rules if rule.when_unknown is not None)
        if signal is not None and signal.when_unknown is Outcome.PASS:
            spans = (signal.span, *spans)
        return "a waiver, `when_unknown: pass`, says so", spans or tuple(rule.span for rule in rules), True
    if typed.when_unknown is Outcome.PASS and not after.settled:
        doubted = tuple(rule.span for rule in typed.rules if rule.id in after.unresolved)
        return "the policy's `when_unknown: pass` says so", doubted, True
    asking = list(_asking(typed, name))
    if asking:
        return f"`{unparse(asking[0])}` asks whether it is known", tuple(node.span for node in asking), False
    return "no reason was found", (), False


def _owned(subject: ProvedPolicy, condition: Node, name: str) -> bool:
    parts = subject.policy.typed.parts
    return any(_is_of(parts[slot], name) for slot in subject.reads(condition))
