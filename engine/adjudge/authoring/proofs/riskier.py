"""More risk never softens the outcome: for every field that says which way risk grows, and every risk tag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from adjudge.authoring.proofs.finding import Finding, Witness
from adjudge.authoring.proofs.inquiry import Found, NotProved
from adjudge.authoring.proofs.shrink import shrunk
from adjudge.authoring.proofs.subject import Subject, not_proved, span_of
from adjudge.authoring.proofs.world import Input, fields_of, put, value_at
from adjudge.expr.nodes import Binary, Logic, Name, Node, Unary
from adjudge.expr.smt.logic import Prop, conj, disj, neg
from adjudge.expr.smt.terms import Entries, Members, Number, Term, Text, Truth
from adjudge.fields import Field


@dataclass(frozen=True, slots=True)
class _Change:
    """A field that means more risk afterwards. what: the change in words. after: the slots that are others then."""

    slot: str
    what: str
    after: dict[str, Term]
    more: Prop


def softening_changes(subject: Subject) -> Iterator[Finding]:
    """Find changes to the worse that make an outcome softer."""
    typed = subject.policy.typed
    read = frozenset().union(*(subject.reads(rule.condition) for rule in typed.rules))
    if typed.scorecard is not None:
        read |= frozenset().union(*(subject.reads(row.condition) for row in typed.scorecard.rows))
    for slot, declared in typed.slots.items():
        if slot in read and not _only_grows(subject, slot, declared):
            for change in _changes(subject, slot, declared):
                yield from _softens(subject, change)


def _only_grows(subject: Subject, slot: str, declared: Field) -> bool:
    """Whether a glance shows that more risk can only make more rules true: `slot >= x` and its like, never negated."""
    typed = subject.policy.typed
    rows = typed.scorecard.rows if typed.scorecard is not None else ()
    grows = {"higher": (">", ">="), "lower": ("<", "<=")}.get(declared.riskier or "", ())
    conditions = [(rule.condition, True) for rule in typed.rules] + [(row.condition, row.points > 0) for row in rows]

    def fine(node: Node, wanted: bool) -> bool:
        if not subject.reads(node) & {slot, _owner(subject, slot)}:
            return True
        match node:
            case Logic(operands=operands):
                return all(fine(operand, wanted) for operand in operands)
            case Unary(operator="!", operand=operand):
                return fine(operand, not wanted)
            case Name(name=name) if name in typed.variables:
                return fine(typed.variables[name], wanted)
            case Name(name=name):
                return wanted is (declared.riskier == "higher") and name == slot
            case Binary(operator=operator, left=Name(name=name), right=right) if name == slot:
                return wanted and operator in grows and not subject.reads(right)
            case Binary(operator="in", left=left, right=Name(name=name)) if name == slot:
                return wanted and not subject.reads(left)
            case _:
                return False

    return all(fine(*condition) for condition in conditions)


def _changes(subject: Subject, slot: str, declared: Field) -> Iterator[_Change]:
    if declared.riskier is None:
        return
    before = subject.world.slots[slot]
    if isinstance(before, Members):
        for name, there in before.of.items():
            after = replace(before, of={**before.of, name: True})
            yield _Change(slot, f"`{name}` more in `{slot}`", {slot: after}, conj(before.known, neg(there)))
        return
    other = subject.world.term(slot, declared, f"riskier {slot}")
    low, high = (before, other) if declared.riskier == "higher" else (other, before)
    match low, high:
        case Number(), Number():
            what = f"a {declared.riskier} `{slot}`"
            more = high.value > low.value
        case Truth(), Truth():
            what, more = f"`{slot}` turning {str(declared.riskier == 'higher').lower()}", conj(low.false, high.true)
        case Text(vocabulary=tuple(values)), Text():
            codes = [subject.world.codes.code(value) for value in values]
            steps = (conj(low.value == a, high.value == b) for n, a in enumerate(codes) for b in codes[n + 1 :])
            what, more = f"a worse `{slot}`", disj(*steps)
        case _:
            return
    yield _Change(slot, what, _with_map(subject, slot, other), conj(before.known, other.known, more))


def _with_map(subject: Subject, slot: str, after: Term) -> dict[str, Term]:
    """Return the slots that change with one: a key's change is one of its map too."""
    owner = _owner(subject, slot)
    whole = subject.world.slots[owner]
    if owner == slot or not isinstance(whole, Entries):
        return {slot: after}
    key = slot.removeprefix(f"{owner}.")
    return {slot: after, owner: replace(whole, of={**whole.of, key: (True, after)})}


def _softens(subject: Subject, change: _Change) -> Iterator[Finding]:
    world, after = subject.changed(change.after, f"with {change.what} ")
    claim = conj(change.more, after.outcome.softer_than(subject.verdicts.outcome))

    def confirm(one: Input, other: Input) -> bool:
        return subject.verdict(other).outcome < subject.verdict(one).outcome

    answer = subject.inquiry.ask(claim, confirm, others=(world,))
    if isinstance(answer, Found):
        yield _finding(subject, change, *_shrunk(subject, change.slot, answer.input, answer.others[0]))
    elif isinstance(answer, NotProved):
        what = f"that {change.what} never softens the outcome"
        yield not_proved("not-monotone", what, answer, span_of(subject, change.slot))


def _finding(subject: Subject, change: _Change, one: Input, other: Input) -> Finding:
    before, after = subject.verdict(one), subject.verdict(other)
    spoke, speaks = ({*verdict.matched, *verdict.unresolved} for verdict in (before, after))
    rules = [rule.id for rule in subject.policy.typed.rules if rule.id in spoke - speaks]
    spans = tuple(rule.span for rule in subject.policy.typed.rules if rule.id in rules)
    return Finding(
        code="not-monotone",
        severity="warning",
        message=f"{change.what} turns {before.outcome} into {after.outcome}",
        spans=spans or (span_of(subject, change.slot),),
        rules=tuple(rules),
        field=change.slot,
        witnesses=(
            Witness(about="before", input=one, outcome=str(before.outcome)),
            Witness(about="with more risk", input=other, outcome=str(after.outcome)),
        ),
        hint="an `unless`, a `!`, a `<` or points below 0 let more risk excuse something; turn it round, or narrow it",
    )


def _shrunk(subject: Subject, slot: str, one: Input, other: Input) -> tuple[Input, Input]:
    """Return a smaller pair, which differs in the same field only."""
    path, _ = fields_of(subject.policy.typed)[_owner(subject, slot)]
    sooner, later = value_at(one.given, path), value_at(other.given, path)

    def after(before: Input) -> Input:
        return Input(given=put(before.given, path, later), now=before.now)

    def holds(before: Input) -> bool:
        if value_at(before.given, path) != sooner:
            return False
        return subject.verdict(after(before)).outcome < subject.verdict(before).outcome

    small = shrunk(one, holds) if holds(one) else one
    return (small, after(small)) if holds(small) else (one, other)


def _owner(subject: Subject, slot: str) -> str:
    """Return the field of which a slot is a part: a map's key belongs to the map."""
    return slot if slot in fields_of(subject.policy.typed) else slot.rpartition(".")[0]
