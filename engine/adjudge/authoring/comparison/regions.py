"""Where two policies differ, over every input that there could be: proved, or shown by an input."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Literal

from adjudge.authoring.comparison.alike import Alike, terms_of_both
from adjudge.authoring.comparison.cause import condition_of, excuses_changed, reasons_of_change, twin_of
from adjudge.authoring.comparison.changes import Change, changes
from adjudge.authoring.comparison.many_rules import OWN_MIN, edges_of, is_settled
from adjudge.authoring.comparison.reasons import OtherReasons, other_reasons
from adjudge.authoring.comparison.shared_rules import hiding, shared_rules, without
from adjudge.authoring.comparison.worlds import SharedWorlds, input_for_both, shared_worlds
from adjudge.authoring.proofs.apart import Ended, apart, here
from adjudge.authoring.proofs.contributions import contributions
from adjudge.authoring.proofs.inquiry import Found, Inquiry, NotProved, ProofResult
from adjudge.authoring.proofs.shrink import shrunk
from adjudge.authoring.proofs.verdict import AtLeast, exactly, part_of, verdicts_of
from adjudge.authoring.proofs.world import Input, translator_of
from adjudge.expr.smt.logic import Prop, conj, neg
from adjudge.frozen import frozen
from adjudge.model import OUTCOMES, Outcome, Verdict
from adjudge.policy.explaining.scorecard_moves import ScorecardMove, ScorecardMoves, alone
from adjudge.policy.policy import Policy
from adjudge.policy.typed import Rule, Scorecard

Relation = Literal["same", "stricter", "laxer", "both", "not proved"]
REGIONS_MAX = 15


@frozen(kw_only=True)
class Region:
    """Inputs of which the two policies say different things, for one cause.

    cause: the rule that makes the difference, or a scorecard: `scorecard`, `scorecard:device`.
    is_new: whether it is the new policy's.
    twin: what the rule of that id makes in the other policy; None where that has none.
    in_doubt: whether it is unknown there, so that what doubt is worth decides.
    condition: when, as a condition. because: what it reads that was changed.
    place: the rule's file and line. witness: an input, evaluated by both.
    scorecards: how scorecards move the witness, where one is the cause.
    """

    old: Outcome
    new: Outcome
    cause: str
    is_new: bool
    twin: Outcome | None
    in_doubt: bool
    condition: str
    because: tuple[str, ...]
    place: str | None
    witness: Input
    scorecards: tuple[ScorecardMove, ...] = ()


@frozen(kw_only=True)
class Question:
    """What was not settled: whether one outcome can become another. further: for causes that were not found yet."""

    old: Outcome
    new: Outcome
    further: bool
    why: str

    def __str__(self) -> str:
        return f"whether {self.old} becomes {self.new}{' for other causes too' if self.further else ''}: {self.why}"


@frozen(kw_only=True)
class Comparison:
    """What was proved of two policies.

    regions: where their outcomes differ, the first REGIONS_MAX of each kind; is_cut: whether there are more.
    open: questions that were not settled; where there is one, nothing that it asks about is proved.
    other_reasons: an input of the same outcome for other reasons, if one was found; nothing is proved by its lack.
    """

    old: Policy
    new: Policy
    regions: tuple[Region, ...]
    changes: tuple[Change, ...]
    open: tuple[Question, ...] = ()
    notes: tuple[str, ...] = ()
    is_cut: bool = False
    other_reasons: OtherReasons | None = None

    @property
    def is_never_softer(self) -> bool:
        """Whether it is proved that the new policy makes no outcome softer."""
        return all(new > old for old, new in self._moves())

    @property
    def is_never_harder(self) -> bool:
        """Whether it is proved that the new policy makes no outcome more severe."""
        return all(new < old for old, new in self._moves())

    def _moves(self) -> Iterator[tuple[Outcome, Outcome]]:
        """Yield the outcomes before and after of what there is, or may be."""
        yield from ((region.old, region.new) for region in self.regions)
        yield from ((question.old, question.new) for question in self.open)

    @property
    def relation(self) -> Relation:
        """What the new policy is to the old one."""
        stricter = any(region.new > region.old for region in self.regions)
        laxer = any(region.new < region.old for region in self.regions)
        if stricter and laxer:
            return "both"
        if self.is_never_softer and self.is_never_harder:
            return "same"
        if stricter and self.is_never_softer:
            return "stricter"
        return "laxer" if laxer and self.is_never_harder else "not proved"


def compare(
    old: Policy, new: Policy, *, timeout_s: float = 5.0, total_s: float = 60.0, in_process: bool = False
) -> Comparison:
    """Compare two policies on every input. timeout_s: for each question. total_s: for all together.

    total_s is kept by a process that is ended when it is over, unless in_process.
    """
    pieces = here if in_process else apart
    regions: list[Region] = []
    questions: list[Question] = []
    left = [(a, b) for a in OUTCOMES for b in OUTCOMES if a != b]
    rest = _Rest()
    try:
        for found in pieces(differences, old, new, timeout_s=timeout_s, total_s=total_s):
            match found:
                case Region():
                    regions.append(found)
                case Question():
                    questions.append(found)
                case _Rest():
                    rest = found
                case pair:
                    left.remove(pair)
    except Ended as ended:
        known = {(region.old, region.new) for region in regions}
        questions += [Question(old=a, new=b, further=(a, b) in known, why=str(ended)) for a, b in left]
    return Comparison(
        old=old,
        new=new,
        regions=tuple(regions),
        changes=changes(old.typed, new.typed),
        open=tuple(questions),
        notes=rest.notes,
        is_cut=rest.is_cut,
        other_reasons=rest.other_reasons,
    )


@frozen(kw_only=True)
class _Rest:
    """What is said of a comparison besides."""

    notes: tuple[str, ...] = ()
    is_cut: bool = False
    other_reasons: OtherReasons | None = None


def differences(
    old: Policy, new: Policy, *, timeout_s: float, total_s: float
) -> Iterator[Region | Question | tuple[Outcome, Outcome] | _Rest]:
    """Yield regions and open questions; two outcomes, before and after, once all of theirs were; and the rest."""
    yield from _Comparer(old, new, timeout_s, total_s).pieces()


class _Comparer:
    def __init__(self, old: Policy, new: Policy, timeout_s: float, total_s: float) -> None:
        self.old, self.new = old, new
        self.worlds: SharedWorlds = shared_worlds(old, new)
        self.translator, translator = translator_of(old, self.worlds.old), translator_of(new, self.worlds.new)
        alike = Alike(old, new, self.worlds)
        self.shared = shared_rules(old.typed, new.typed, alike.means_same)
        self.own = tuple(Policy(without(one.typed, self.shared), one.functions) if self.shared else one
                         for one in (old, new))  # fmt: skip
        self.common = Policy(replace(old.typed, rules=self.shared, scorecards={}, excuses=()), old.functions)
        self.before = verdicts_of(self.own[0].typed, self.translator)
        translator.shapes = self.translator.shapes
        translator.made = terms_of_both(self.translator.made, alike)
        self.after = verdicts_of(self.own[1].typed, translator)
        self.inquiry = Inquiry((old,), self.worlds.old, timeout_s, time.monotonic() + total_s)
        self.inquiry.tried = self.own
        self.hiding: dict[str, AtLeast] = {}
        self.inquiry.read = lambda model: input_for_both(model, self.worlds, old, new)
        self.changed = changes(old.typed, new.typed)
        self.touched = frozenset(change.rule for change in self.changed)
        self.is_many = max(len(one.typed.rules) for one in self.own) >= OWN_MIN
        self.open: list[Question] = []
        self.moves = ScorecardMoves(old, new)
        self.alones: dict[tuple[bool, str], Policy] = {}

    def notes(self) -> Iterator[str]:
        """Yield what is to be known of a comparison besides."""
        yield from self.worlds.notes
        for macro in sorted(self.worlds.old.taken_light ^ self.worlds.new.taken_light):
            yield f"lists so large that `{macro}` is too much work, and so unknown, are left out"

    def pieces(self) -> Iterator[Region | Question | tuple[Outcome, Outcome] | _Rest]:
        notes = tuple(self.notes())
        yield _Rest(notes=notes)
        is_cut = False
        for pair in ((a, b) for a in OUTCOMES for b in OUTCOMES if a != b):
            for number, region in enumerate(self.regions(*pair)):
                if number >= REGIONS_MAX:
                    is_cut = True
                    break
                yield region
            yield from self.open
            self.open.clear()
            yield pair
        others = other_reasons(self.inquiry, self.before, self.after, self.verdicts) if not self.shared else None
        yield _Rest(notes=notes, is_cut=is_cut, other_reasons=others)

    def regions(self, old: Outcome, new: Outcome) -> Iterator[Region]:
        """Yield the causes that turn one outcome into another, each with an input; what is found is set aside.

        With rules that are shared, these are the outcomes without them: with them, the softer one may be less soft.
        """
        claim = conj(exactly(self.before.outcome, old), exactly(self.after.outcome, new))
        seen: set[tuple[str, bool]] = set()
        hidden: list[Input] = []
        if self.is_many:
            aside: dict[str, list[Prop]] = {}
            for name, (rule, found) in self.at_edges[old, new].items():
                yield self.small(old, new, rule, name[1], found)
                seen.add(name)
                aside.setdefault(name[0], []).append(self.aside(old, new, rule, name[1]))
            is_harder = new > old
            terms, others = (self.after, self.before) if is_harder else (self.before, self.after)
            if len(seen) > REGIONS_MAX or is_settled(self.inquiry, terms, others, min(old, new), max(old, new), aside):
                return
            claim = conj(claim, *(neg(one) for known in aside.values() for one in known))

        def differs(found: Input) -> bool:
            one, other = self.outcomes(found)
            if (one, other) == (old, new) or (
                self.shared and (one < other == new if new > old else other < one == old)
            ):
                return True
            hidden.append(found)
            return False

        def is_other(found: Input) -> bool:  # evaluated, it may be another than the solver thought
            return differs(found) and self.name(old, new, found) not in seen

        while True:
            answer = self.asked(claim, is_other, hidden, max(old, new))
            if isinstance(answer, NotProved):
                self.open.append(Question(old=old, new=new, further=bool(seen), why=answer.why))
            if not isinstance(answer, Found):
                return
            cause = rule, in_doubt = self.cause(old, new, answer.input)
            seen.add(self.name(old, new, answer.input))
            small = shrunk(answer.input, lambda one, cause=cause: differs(one) and self.cause(old, new, one) == cause)  # type: ignore[misc]  # no type is inferred for a default
            yield self.described(*self.outcomes(small), rule, in_doubt, small)
            claim = conj(claim, neg(self.aside(old, new, rule, in_doubt)))

    @cached_property
    def at_edges(self) -> Mapping[tuple[Outcome, Outcome], Mapping[tuple[str, bool], tuple[Rule | Scorecard, Input]]]:
        """Differences that inputs at the edges of the policies' own rules show, by cause; of each kind some."""
        shown: dict[tuple[Outcome, Outcome], dict[tuple[str, bool], tuple[Rule | Scorecard, Input]]] = {
            (a, b): {} for a in OUTCOMES for b in OUTCOMES if a != b
        }
        for policy in self.own:
            for rule in policy.typed.rules:
                if self.inquiry.left_s() <= 0:
                    return shown
                for found in edges_of(rule, policy.typed):
                    pair = old, new = self.outcomes(found)
                    if old is not new and len(shown[pair]) <= REGIONS_MAX:
                        cause, in_doubt = self.cause(old, new, found)
                        name = cause.id if isinstance(cause, Rule) else cause.label
                        shown[pair].setdefault((name, in_doubt), (cause, found))
        return shown

    def small(self, old: Outcome, new: Outcome, rule: Rule | Scorecard, in_doubt: bool, found: Input) -> Region:
        """Return the region of a cause that an input shows, with as little of that as shows it."""

        def shows(one: Input) -> bool:
            return self.outcomes(one) == (old, new) and self.cause(old, new, one) == (rule, in_doubt)

        return self.described(old, new, rule, in_doubt, shrunk(found, shows))

    def asked(self, claim: Prop, holds: Callable[[Input], bool], hidden: list[Input], level: Outcome) -> ProofResult:
        """Ask about what is not shared, as long as rules that are shared hide what is found.

        hidden: inputs that do not hold; it grows. level: what a rule must make of an input to hide a difference there.
        """
        while self.shared:
            kept = conj(claim, *(neg(part.of(level)) for part in self.hiding.values()))
            hidden.clear()
            answer = self.inquiry.asked(kept, holds, (), (), [])
            if not isinstance(answer, NotProved):
                return answer
            further = [rule for rule in hiding(self.common, hidden, level) if rule.id not in self.hiding]
            if not further or self.inquiry.left_s() <= 0:
                break
            self.hiding |= {rule.id: part_of(self.old.typed, self.translator, rule) for rule in further}
        return self.inquiry.ask(conj(claim, *(neg(part.of(level)) for part in self.hiding.values())), holds)

    def outcomes(self, found: Input) -> tuple[Outcome, Outcome]:
        """Return what the two policies make of an input: the most severe of what is shared, and what is not."""
        least = self.common.evaluate(found.given, now=found.now).outcome if self.shared else Outcome.PASS
        one, other = (policy.evaluate(found.given, now=found.now).outcome for policy in self.own)
        return max(least, one), max(least, other)

    def verdicts(self, found: Input) -> tuple[Verdict, Verdict]:
        """Return what the two policies say."""
        return self.old.evaluate(found.given, now=found.now), self.new.evaluate(found.given, now=found.now)

    def name(self, old: Outcome, new: Outcome, found: Input) -> tuple[str, bool]:
        """Return the name of what makes a difference, and whether it is in doubt."""
        rule, in_doubt = self.cause(old, new, found)
        return rule.id if isinstance(rule, Rule) else rule.label, in_doubt

    def cause(self, old: Outcome, new: Outcome, found: Input) -> tuple[Rule | Scorecard, bool]:
        """Return the rule that makes a difference, one that was changed if there is one, and whether it is in doubt.

        Where no rule does, the scorecard that does.
        """
        policy, level = (self.own[1], new) if new > old else (self.own[0], old)
        verdict = policy.evaluate(found.given, now=found.now)
        made = contributions(policy, found)
        rules = [rule for rule in policy.typed.rules if made.get(rule.id, Outcome.PASS) >= level]
        rules.sort(key=lambda rule: (rule.id in verdict.unresolved, rule.id not in self.touched))
        if rules:
            return rules[0], rules[0].id in verdict.unresolved
        cards = policy.typed.scorecards.values()
        alone = {card.name: self.alone(policy, card).evaluate(found.given, now=found.now) for card in cards}
        card = max(cards, key=lambda card: (alone[card.name].outcome, alone[card.name].lower))
        return card, alone[card.name].lower < level

    def alone(self, policy: Policy, card: Scorecard) -> Policy:
        """Return a policy with one scorecard only."""
        key = (policy is self.own[1], card.name)
        if key not in self.alones:
            self.alones[key] = alone(policy, card.name)
        return self.alones[key]

    def aside(self, old: Outcome, new: Outcome, rule: Rule | Scorecard, in_doubt: bool) -> Prop:
        """Return where a cause makes the outcome, so that others are looked for elsewhere."""
        terms, level = (self.after, new) if new > old else (self.before, old)
        if isinstance(rule, Scorecard):
            return terms.cards[rule.name].of(level)
        at = terms.typed.rules.index(rule)
        part, truth = terms.parts[at].of(level), terms.rules[at]
        return conj(part, neg(truth.known)) if in_doubt else conj(part, truth.true)

    def described(self, old: Outcome, new: Outcome, rule: Rule | Scorecard, in_doubt: bool, found: Input) -> Region:
        """Return the region of a cause."""
        is_new = new > old
        policy, other = (self.new.typed, self.old.typed) if is_new else (self.old.typed, self.new.typed)
        because: tuple[str, ...] = ()
        place: str | None = None
        moves: tuple[ScorecardMove, ...] = ()
        if isinstance(rule, Scorecard):
            cause, condition = rule.label, _reached(rule, max(old, new), in_doubt=in_doubt)
            twin = max(old, new) if rule.name in other.scorecards else None
            moves = self.moves.of(found.given, found.given, now=found.now)
        else:
            source, at = policy.source.part(rule.span.start)
            cause, place = rule.id, f"{source.name}:{source.place(at)[0]}"
            condition = condition_of(rule, other, in_doubt=in_doubt)
            because = tuple(reasons_of_change(rule, self.old.typed, self.new.typed, self.touched, in_doubt=in_doubt))
            namesake = twin_of(rule, other)
            twin = namesake.outcome if namesake is not None else None
        if max(old, new) is Outcome.REVIEW:
            because += tuple(excuses_changed(rule, self.old.typed, self.new.typed, self.touched))
        return Region(
            old=old,
            new=new,
            cause=cause,
            is_new=is_new,
            twin=twin,
            in_doubt=in_doubt,
            condition=condition,
            because=because,
            place=place,
            witness=found,
            scorecards=moves,
        )


def _reached(card: Scorecard, level: Outcome, *, in_doubt: bool) -> str:
    """Return when a scorecard makes an outcome, or a more severe one."""
    bands = (card.review, card.reject) if level is Outcome.REVIEW else (card.reject,)
    start = min((band for band in bands if band is not None), default=None)
    whose = "the scorecard's total" if card.label == card.title else f"the total of the {card.title}"
    return f"{whose} {'may reach' if in_doubt else 'reaches'} {start}"
