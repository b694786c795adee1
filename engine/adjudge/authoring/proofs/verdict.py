"""The verdict of a policy as propositions: the sentences of the design, said of every input at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import z3

from adjudge.expr.nodes import Node
from adjudge.expr.smt.logic import Prop, all_of, any_of, conj, disj, formula, neg
from adjudge.expr.smt.terms import Truth
from adjudge.expr.smt.translate import Translator
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.typed import Row, Rule, Scorecard, TypedPolicy

REVIEW, REJECT = Outcome.REVIEW, Outcome.REJECT


@frozen
class AtLeast:
    """An outcome, by whether it is at least review, and at least reject."""

    review: Prop
    reject: Prop

    def of(self, outcome: Outcome) -> Prop:
        """Return whether it is at least an outcome."""
        return {Outcome.PASS: True, REVIEW: self.review, REJECT: self.reject}[outcome]

    def softer_than(self, other: AtLeast) -> Prop:
        """Return whether this is the softer of two."""
        return disj(conj(other.review, neg(self.review)), conj(other.reject, neg(self.reject)))


NOTHING = AtLeast(False, False)
NOT_EXCUSED = Truth(False, True)
"""That no excuse is for something."""


def worst(outcomes: Iterable[AtLeast]) -> AtLeast:
    """Return the most severe of some outcomes; pass for none."""
    known = list(outcomes)
    return AtLeast(any_of(o.review for o in known), any_of(o.reject for o in known))


@frozen(kw_only=True)
class Verdicts:
    """What a policy says, in one world.

    rules, rows, excuses: their truth. excusing: of each rule, whether it is excused; `card_excuses` of each scorecard's
    band of review. parts: what each rule alone makes of the outcome; `cards` what each scorecard does, and `totals`
    what its lowest total comes to, excused or not, by name.
    """

    typed: TypedPolicy
    rules: tuple[Truth, ...]
    rows: tuple[Truth, ...]
    excuses: tuple[Truth, ...]
    excusing: tuple[Truth, ...]
    card_excuses: Mapping[str, Truth]
    parts: tuple[AtLeast, ...]
    cards: Mapping[str, AtLeast]
    totals: Mapping[str, AtLeast]

    @property
    def outcome(self) -> AtLeast:
        """The outcome; the most severe of what the rules and the scorecards make of it."""
        return worst([*self.parts, *self.cards.values()])

    @property
    def card(self) -> AtLeast:
        """What all scorecards make of the outcome."""
        return worst(self.cards.values())

    @property
    def lower(self) -> AtLeast:
        """The most severe outcome that is certain."""
        parts = zip(self.typed.rules, self.rules, self.excusing, strict=True)
        certain = [_where(conj(truth.true, excuse.false), rule.outcome) for rule, truth, excuse in parts]
        totals = ((total, self.card_excuses[name]) for name, total in self.totals.items())
        certain += [AtLeast(disj(low.reject, conj(low.review, excuse.false)), low.reject) for low, excuse in totals]
        return worst(certain)


def verdicts_of(
    typed: TypedPolicy, translator: Translator, like: Verdicts | None = None, same: Collection[int] = ()
) -> Verdicts:
    """Return a policy's verdict in the world of a translator.

    like: the verdict in another world; same: the numbers of rules that read nothing which is different here.
    """
    return _Judge(typed, translator, like, frozenset(same)).verdicts()


def part_of(typed: TypedPolicy, translator: Translator, rule: Rule) -> AtLeast:
    """Return what a rule that is never excused makes of the outcome."""
    judge = _Judge(typed, translator, None, frozenset())
    worth = judge.worth(rule.when_unknown, rule.condition)
    return judge.part(rule.outcome, translator.truth(rule.condition), NOT_EXCUSED, worth)


@frozen
class _Judge:
    typed: TypedPolicy
    translator: Translator
    like: Verdicts | None
    same: frozenset[int]

    def verdicts(self) -> Verdicts:
        typed, like = self.typed, self.like
        rules = tuple(
            like.rules[at] if like is not None and at in self.same else self.translator.truth(rule.condition)
            for at, rule in enumerate(typed.rules)
        )
        excuses = tuple(self.translator.truth(excuse.condition) for excuse in typed.excuses)
        excusing = tuple(_any(excuses, (rule.id in one.covers for one in typed.excuses)) for rule in typed.rules)
        card_excuses = {name: _any(excuses, (name in one.cards for one in typed.excuses)) for name in typed.scorecards}
        parts = tuple(
            like.parts[at]
            if like is not None and at in self.same and excusing[at] is NOT_EXCUSED
            else self.part(rule.outcome, rules[at], excusing[at], self.worth(rule.when_unknown, rule.condition))
            for at, rule in enumerate(typed.rules)
        )
        rows = tuple(self.translator.truth(row.condition) for row in typed.rows)
        cards: dict[str, AtLeast] = {}
        totals: dict[str, AtLeast] = {}
        first = 0
        for name, card in typed.scorecards.items():
            truths = rows[first : first + len(card.rows)]
            totals[name], cards[name] = self.scorecard(card, truths, card_excuses[name])
            first += len(card.rows)
        return Verdicts(
            typed=typed,
            rules=rules,
            rows=rows,
            excuses=excuses,
            excusing=excusing,
            card_excuses=card_excuses,
            parts=parts,
            cards=cards,
            totals=totals,
        )

    def part(self, outcome: Outcome, truth: Truth, excuse: Truth, worth: AtLeast) -> AtLeast:
        """Return what a rule makes of the outcome: its own where it is true, in doubt what doubt is worth.

        Nothing where it is excused for certain; an excuse that is unknown excuses nothing.
        """
        doubt = neg(truth.known)
        review = conj(disj(truth.true, conj(doubt, worth.review)), neg(excuse.true))
        reject = disj(truth.true, conj(doubt, worth.reject)) if outcome is REJECT else False
        return AtLeast(review, reject)

    def worth(self, own: Outcome | None, condition: Node) -> AtLeast:
        """Return what doubt about a condition is worth: its own, or the most severe of what is unknown to it."""
        if own is not None:
            return _always(own)
        slots = self.typed.reads.slots(condition)
        default = self.typed.when_unknown
        unknown: dict[Outcome, list[Prop]] = {outcome: [] for outcome in Outcome}
        for slot in sorted(slots):
            unknown[self.typed.worth_of(slot)].append(neg(self.translator.world.slots[slot].known))
        nothing = neg(any_of(prop for props in unknown.values() for prop in props))

        def at_least(outcome: Outcome) -> Prop:
            by_slots = any_of(prop for worth, props in unknown.items() if worth >= outcome for prop in props)
            return disj(by_slots, conj(nothing, default >= outcome))

        return AtLeast(at_least(REVIEW), at_least(REJECT))

    def scorecard(self, card: Scorecard, truths: tuple[Truth, ...], excuse: Truth) -> tuple[AtLeast, AtLeast]:
        """Return the outcome of the lowest total, and what the scorecard makes of the verdict's."""
        rows = card.rows
        low = _total(rows, truths, lowest=True)
        high = _total(rows, truths, lowest=False)

        def band(total: z3.ArithRef) -> AtLeast:
            reject = total >= card.reject if card.reject is not None else False
            return AtLeast(disj(reject, total >= card.review if card.review is not None else False), reject)

        lower, upper = band(low), band(high)
        worths = [self.worth(card.when_unknown, row.condition) for row in rows]
        doubts = [
            AtLeast(conj(neg(truth.known), worth.review), conj(neg(truth.known), worth.reject))
            for truth, worth in zip(truths, worths, strict=True)
        ]
        doubt = worst(doubts)
        counted, may_count = (
            AtLeast(disj(end.reject, conj(end.review, neg(excuse.true))), end.reject) for end in (lower, upper)
        )
        capped = AtLeast(conj(may_count.review, doubt.review), conj(may_count.reject, doubt.reject))
        return lower, worst([counted, capped])


def _total(rows: tuple[Row, ...], truths: tuple[Truth, ...], *, lowest: bool) -> z3.ArithRef:
    terms = [z3.IntVal(0)]
    for row, truth in zip(rows, truths, strict=True):
        counts_in_doubt = (row.points < 0) is lowest
        counts = neg(truth.false) if counts_in_doubt else truth.true
        terms.append(z3.If(formula(counts), row.points, 0))
    return z3.Sum(terms)


def _any(excuses: tuple[Truth, ...], covering: Iterable[bool]) -> Truth:
    """Return whether one of some excuses is true. covering: of each, whether it is one of them."""
    some = [excuse for excuse, covers in zip(excuses, covering, strict=True) if covers]
    if not some:
        return NOT_EXCUSED
    return Truth(any_of(excuse.true for excuse in some), all_of(excuse.false for excuse in some))


def _where(condition: Prop, outcome: Outcome) -> AtLeast:
    return AtLeast(condition if outcome >= REVIEW else False, condition if outcome is REJECT else False)


def _always(outcome: Outcome) -> AtLeast:
    return AtLeast(outcome >= REVIEW, outcome is REJECT)


def exactly(verdict: AtLeast, outcome: Outcome) -> Prop:
    """Return whether an outcome is just this one."""
    if outcome is REJECT:
        return verdict.reject
    return conj(verdict.review, neg(verdict.reject)) if outcome is REVIEW else neg(verdict.review)
