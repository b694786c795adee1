"""More risk never softens the outcome: for every field that says which way risk grows, and every risk tag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from adjudge.authoring.proofs.finding import ProofFinding, Witness
from adjudge.authoring.proofs.inquiry import Found, NotProved
from adjudge.authoring.proofs.shrink import shrunk
from adjudge.authoring.proofs.subject import ProvedPolicy, not_proved, span_of
from adjudge.authoring.proofs.world import Input, fields_of, put, value_at
from adjudge.expr.nodes import Binary, Call, Name, Node, Unary, joined_conditions
from adjudge.expr.smt.logic import Prop, conj, disj, implies, neg, same
from adjudge.expr.smt.terms import Entries, Items, Members, Number, Term, Text, Truth
from adjudge.frozen import frozen
from adjudge.policy.slots import Slot
from adjudge.values.fields import Field


@frozen
class _Change:
    """A field that means more risk afterwards. what: the change in words. after: the slots that are others then."""

    slot: str
    what: str
    after: dict[str, Term]
    more: Prop


def softening_changes(subject: ProvedPolicy) -> Iterator[ProofFinding]:
    """Find changes to the worse that make an outcome softer."""
    typed = subject.policy.typed
    read = frozenset().union(*map(subject.reads, typed.conditions))
    for slot, declared in typed.slots.items():
        if not _parts(subject, slot) & read:
            continue
        if _is_untold(declared):
            why = NotProved("its items cannot be told apart")
            yield replace(
                not_proved(
                    subject.policy,
                    "not-monotone",
                    slot,
                    _promise(f"more risk in `{slot}`"),
                    why,
                    span_of(subject, slot),
                ),
                severity="note",
                hint="a list, or a map whose keys are not declared, is not asked about",
            )
        elif not _only_grows(subject, slot, declared):
            for change in _changes(subject, slot, declared):
                yield from _softens(subject, change)


def _is_untold(declared: Field) -> bool:
    """Whether a field holds items that mean risk, of which no change is made."""
    return declared.of is not None and declared.of.riskier is not None and declared.vocabulary is None


def _promise(what: str) -> str:
    return f"that {what} never softens the outcome"


def _only_grows(subject: ProvedPolicy, slot: str, declared: Field) -> bool:
    """Whether a glance shows that more risk can only make more rules true: `slot >= x` and its like, never negated."""
    typed = subject.policy.typed
    grows = {"higher": (">", ">="), "lower": ("<", "<=")}.get(declared.riskier or "", ())
    conditions = [(rule.condition, True) for rule in typed.rules]
    conditions += [(row.condition, row.points > 0) for row in typed.rows]
    conditions += [(excuse.condition, False) for excuse in typed.excuses]

    parts = _parts(subject, slot)
    found: dict[tuple[str, bool], bool] = {}

    def fine(node: Node, wanted: bool) -> bool:
        if not subject.reads(node) & parts:
            return True
        if joined := joined_conditions(node):
            return all(fine(one, wanted) for one in joined)
        match node:
            case Unary(operator="!", operand=operand):
                return fine(operand, not wanted)
            case Name(name=name) if name in typed.variables:
                return found[name, wanted]
            case Name(name=name):
                return wanted is (declared.riskier == "higher") and name == slot
            case Binary(operator=operator, left=Name(name=name), right=right) if name == slot:
                return wanted and operator in grows and not subject.reads(right)
            case Binary(operator=">" | ">=", left=Call(function="size", arguments=(Name(name=name),)), right=right) if (
                name == typed.news_of(slot)
            ):
                return wanted and not subject.reads(right)
            case Binary(operator="in", left=left, right=Name(name=name)) if name == slot:
                return wanted and not subject.reads(left)
            case _:
                return False

    for name, node in typed.variables.items():  # each reads only those before it
        found |= {(name, wanted): fine(node, wanted) for wanted in (True, False)}
    return all(fine(*condition) for condition in conditions)


def _changes(subject: ProvedPolicy, slot: str, declared: Field) -> Iterator[_Change]:
    if declared.riskier is None:
        return
    before = subject.world.slots[slot]
    if isinstance(before, Members):
        for name, there in before.of.items():
            after = replace(before, of={**before.of, name: True})
            yield _Change(slot, f"`{name}` more in `{slot}`", {slot: after}, conj(before.known, neg(there)))
        yield from _novel_member(subject, slot, before)
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


def _novel_member(subject: ProvedPolicy, slot: str, before: Members) -> Iterator[_Change]:
    """Yield that a set has one member more outside its vocabulary."""
    novel = subject.policy.typed.news_of(slot)
    if novel is None:
        return
    named = subject.world.slots[novel]
    other = subject.world.term(novel, subject.policy.typed.slots[novel], f"more {novel}")
    if not isinstance(named, Items) or not isinstance(other, Items):
        return
    kept = [
        implies(there, conj(same(one.known, two.known), one.value == two.value))
        for (there, one), (_, two) in zip(named.items, other.items, strict=True)
        if isinstance(one, Text) and isinstance(two, Text)
    ]
    kept += [implies(there, two.known) for there, two in other.items]
    kept += [  # reading leaves each once
        implies(there, one.value != two.value)
        for (_, one), (there, two) in combinations(other.items, 2)
        if isinstance(one, Text) and isinstance(two, Text)
    ]
    more = conj(before.known, named.known, other.known, other.length == named.length + 1, neg(other.beyond), *kept)
    yield _Change(slot, f"a new member of `{slot}`", {novel: other}, more)


def _parts(subject: ProvedPolicy, slot: str) -> frozenset[str]:
    """Return the slots that change with one: its own, its map's, and what is new in a set."""
    typed = subject.policy.typed
    novel = typed.news_of(slot) if isinstance(subject.world.slots[slot], Members) else None
    return frozenset((slot, _owner(typed.parts[slot]), *((novel,) if novel is not None else ())))


def _with_map(subject: ProvedPolicy, slot: str, after: Term) -> dict[str, Term]:
    """Return the slots that change with one: a key's change is one of its map too."""
    part = subject.policy.typed.parts[slot]
    owner = _owner(part)
    whole = subject.world.slots[owner]
    if part.key is None or not isinstance(whole, Entries):
        return {slot: after}
    return {slot: after, owner: replace(whole, of={**whole.of, part.key: (True, after)})}


def _softens(subject: ProvedPolicy, change: _Change) -> Iterator[ProofFinding]:
    world, after = subject.changed(change.after, f"with {change.what} ")
    claim = conj(change.more, after.outcome.softer_than(subject.verdicts.outcome))

    def confirm(one: Input, other: Input) -> bool:
        return subject.verdict(other).outcome < subject.verdict(one).outcome

    answer = subject.inquiry.ask(claim, confirm, others=(world,))
    if isinstance(answer, Found):
        yield _finding(subject, change, *_shrunk(subject, change.slot, answer.input, answer.others[0]))
    elif isinstance(answer, NotProved):
        yield not_proved(
            subject.policy, "not-monotone", change.slot, _promise(change.what), answer, span_of(subject, change.slot)
        )


def _finding(subject: ProvedPolicy, change: _Change, one: Input, other: Input) -> ProofFinding:
    before, after = subject.verdict(one), subject.verdict(other)
    spoke, speaks = ({*verdict.matched, *verdict.unresolved} for verdict in (before, after))
    rules = [rule.id for rule in subject.policy.typed.rules if rule.id in spoke - speaks]
    spans = tuple(rule.span for rule in subject.policy.typed.rules if rule.id in rules)
    return ProofFinding(
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
        hint="an `unless`, a `!`, a `<` or points below 0 let more risk excuse something; reverse it, or narrow it",
    )


def _shrunk(subject: ProvedPolicy, slot: str, one: Input, other: Input) -> tuple[Input, Input]:
    """Return a smaller pair, which differs in the same field only."""
    typed = subject.policy.typed
    path, _ = fields_of(typed)[_owner(typed.parts[slot])]
    sooner, later = value_at(one.given, path), value_at(other.given, path)

    def after(before: Input) -> Input:
        return Input(given=put(before.given, path, later), now=before.now)

    def holds(before: Input) -> bool:
        if value_at(before.given, path) != sooner:
            return False
        return subject.verdict(after(before)).outcome < subject.verdict(before).outcome

    small = shrunk(one, holds) if holds(one) else one
    return (small, after(small)) if holds(small) else (one, other)


def _owner(slot: Slot) -> str:
    """Return what is given of which a slot is a part: a map's key belongs to the map."""
    return str(slot.whole if slot.key is not None else slot)
