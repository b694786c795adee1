"""Where two policies differ, over every input that there could be: proved, or shown by an input."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from adjudge.authoring.comparison.changes import Change, changes
from adjudge.authoring.comparison.worlds import SharedWorlds, input_for_both, shared_worlds
from adjudge.authoring.proofs.contributions import contributions
from adjudge.authoring.proofs.inquiry import Found, Inquiry, NotProved
from adjudge.authoring.proofs.shrink import shrunk
from adjudge.authoring.proofs.verdict import exactly, verdicts_of
from adjudge.authoring.proofs.world import Input, translator_of
from adjudge.expr.nodes import Binary, Name, Node, walk
from adjudge.expr.printing import unparse
from adjudge.expr.smt.logic import Prop, conj, neg
from adjudge.model import OUTCOMES, Outcome, Verdict
from adjudge.policy.policy import Policy
from adjudge.policy.typed import Rule

Relation = Literal["same", "stricter", "laxer", "both", "not proved"]
REGIONS_MAX = 15
SCORECARD = "scorecard"
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Inputs of which the two policies say different things, for one cause.

    cause: the rule that makes the difference, or `scorecard`. is_new: whether it is the new policy's.
    in_doubt: whether it is unknown there, so that what doubt is worth decides.
    condition: when, as a condition. because: variables and lists in it that were changed.
    witness: an input, evaluated by both.
    """

    old: Outcome
    new: Outcome
    cause: str
    is_new: bool
    in_doubt: bool
    condition: str
    because: tuple[str, ...]
    line: str | None
    witness: Input


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was proved of two policies.

    relation: of the new one to the old. regions: where they differ, the first REGIONS_MAX of each kind.
    open: questions that were not settled; where there is one, nothing that it asks about is proved.
    """

    old: Policy
    new: Policy
    relation: Relation
    regions: tuple[Region, ...]
    changes: tuple[Change, ...]
    open: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_cut: bool = False


def compare(old: Policy, new: Policy, *, timeout_s: float = 5.0, total_s: float = 60.0) -> Comparison:
    """Compare two policies on every input. timeout_s: for each question. total_s: for all together."""
    return _Comparer(old, new, timeout_s, total_s).comparison()


class _Comparer:
    def __init__(self, old: Policy, new: Policy, timeout_s: float, total_s: float) -> None:
        self.old, self.new = old, new
        self.worlds: SharedWorlds = shared_worlds(old, new)
        self.before = verdicts_of(old.typed, translator_of(old, self.worlds.old))
        self.after = verdicts_of(new.typed, translator_of(new, self.worlds.new))
        self.inquiry = Inquiry((old,), self.worlds.old, timeout_s, time.monotonic() + total_s)
        self.inquiry.read = lambda model: input_for_both(model, self.worlds, old, new)
        self.changed = changes(old.typed, new.typed)
        self.open: list[str] = []

    def comparison(self) -> Comparison:
        regions: list[Region] = []
        is_cut = False
        pairs = [(a, b) for a in OUTCOMES for b in OUTCOMES if a != b]
        for old, new in pairs:
            for number, region in enumerate(self.regions(old, new)):
                if number >= REGIONS_MAX:
                    is_cut = True
                    break
                regions.append(region)
        return Comparison(
            old=self.old,
            new=self.new,
            relation=self.relation(regions),
            regions=tuple(regions),
            changes=self.changed,
            open=tuple(self.open),
            notes=self.worlds.notes,
            is_cut=is_cut,
        )

    def relation(self, regions: list[Region]) -> Relation:
        stricter = any(region.new > region.old for region in regions)
        laxer = any(region.new < region.old for region in regions)
        if stricter and laxer:
            return "both"
        if self.open:
            return "not proved"
        return "stricter" if stricter else "laxer" if laxer else "same"

    def regions(self, old: Outcome, new: Outcome) -> Iterator[Region]:
        """Yield the causes that turn one outcome into another, each with an input; what is found is set aside."""
        claim = conj(exactly(self.before.outcome, old), exactly(self.after.outcome, new))

        def holds(found: Input) -> bool:
            verdicts = self.verdicts(found)
            return (verdicts[0].outcome, verdicts[1].outcome) == (old, new)

        while True:
            answer = self.inquiry.ask(claim, holds)
            if isinstance(answer, NotProved):
                self.open.append(f"whether {old} can become {new}: {answer.why}")
            if not isinstance(answer, Found):
                return
            cause = self.cause(old, new, answer.input)
            small = shrunk(answer.input, lambda one, cause=cause: holds(one) and self.cause(old, new, one) == cause)  # type: ignore[misc]
            yield self.described(old, new, *cause, small)
            claim = conj(claim, neg(self.aside(old, new, *cause)))

    def verdicts(self, found: Input) -> tuple[Verdict, Verdict]:
        """Return what the two policies say."""
        return self.old.evaluate(found.given, now=found.now), self.new.evaluate(found.given, now=found.now)

    def cause(self, old: Outcome, new: Outcome, found: Input) -> tuple[Rule | None, bool]:
        """Return the rule that makes a difference, one that was changed if there is one, and whether it is in doubt.

        None is the scorecard.
        """
        policy, level = (self.new, new) if new > old else (self.old, old)
        verdict = policy.evaluate(found.given, now=found.now)
        made = contributions(policy, found)
        touched = {change.rule for change in self.changed}
        rules = [rule for rule in policy.typed.rules if made.get(rule.id, Outcome.PASS) >= level]
        rules.sort(key=lambda rule: (rule.id in verdict.unresolved, rule.id not in touched))
        return (rules[0], rules[0].id in verdict.unresolved) if rules else (None, verdict.lower < level)

    def aside(self, old: Outcome, new: Outcome, rule: Rule | None, in_doubt: bool) -> Prop:
        """Return where a cause makes the outcome, so that others are looked for elsewhere."""
        policy, terms, level = (self.new, self.after, new) if new > old else (self.old, self.before, old)
        if rule is None:
            return terms.card.of(level)
        at = policy.typed.rules.index(rule)
        part, truth = terms.parts[at].of(level), terms.rules[at]
        return conj(part, neg(truth.known)) if in_doubt else conj(part, truth.true)

    def described(self, old: Outcome, new: Outcome, rule: Rule | None, in_doubt: bool, found: Input) -> Region:
        """Return the region of a cause."""
        is_new = new > old
        policy, other = (self.new, self.old) if is_new else (self.old, self.new)
        line = None
        if rule is not None:
            source, at = policy.typed.source.part(rule.span.start)
            line = f"{source.name}:{source.place(at)[0]}"
        return Region(
            old=old,
            new=new,
            cause=rule.id if rule is not None else SCORECARD,
            is_new=is_new,
            in_doubt=in_doubt,
            condition=_condition(rule, other, in_doubt) if rule is not None else "the scorecard's total",
            because=tuple(self.because(rule)) if rule is not None else (),
            line=line,
            witness=found,
        )

    def because(self, rule: Rule) -> Iterator[str]:
        """Yield what a rule reads, directly or not, that means something else now."""
        touched = {change.rule for change in self.changed}
        for name in names_read(rule.condition, {**self.old.typed.variables, **self.new.typed.variables}):
            for what in (f"variable {name}", f"list {name.removeprefix('lists.')}"):
                if what in touched:
                    yield what


def names_read(node: Node, variables: Mapping[str, Node]) -> dict[str, None]:
    """Return the names in a condition, and in the variables that it reads."""
    found: dict[str, None] = {}
    for part in walk(node):
        if isinstance(part, Name) and part.name not in found:
            found[part.name] = None
            if part.name in variables:
                found |= names_read(variables[part.name], variables)
    return found


def _condition(rule: Rule, other: Policy, in_doubt: bool) -> str:
    """Return when a rule makes the difference: where it is true, and its namesake in the other policy is not."""
    text = unparse(rule.condition)
    if in_doubt:
        return f"unknown: {text}"
    twin = next((one for one in other.typed.rules if one.id == rule.id), None)
    if twin is None or twin.condition == rule.condition or twin.outcome < rule.outcome:
        return text
    return f"{text} && {_negated(twin.condition)}"


def _negated(node: Node) -> str:
    if isinstance(node, Binary) and node.operator in _OPPOSITE:
        return f"{unparse(node.left)} {_OPPOSITE[node.operator]} {unparse(node.right)}"
    return f"!({unparse(node)})"
