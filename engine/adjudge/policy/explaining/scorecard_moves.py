"""How a scorecard moved a decision, in words: the one place that tells it, for replay, compare and backtest alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property

import msgspec

from adjudge.frozen import frozen
from adjudge.model import Outcome, Verdict
from adjudge.policy.policy import Policy
from adjudge.policy.typed import SCORECARD, Rule, Scorecard
from adjudge.policy.written_rows import Truth, WrittenRow, points_said, written_rows

Score = tuple[int, int]

NEW, GONE, TOTAL = "is new", "is gone", "total"


class ScorecardMove(msgspec.Struct, frozen=True, kw_only=True):
    """Why a scorecard makes another outcome of one decision.

    old, new: its total as (lowest, highest) in points; None without a scorecard. card: the scorecard's name.
    parts: what makes the difference, each once: `row 3 +25 → +40`, `band review 40 → 30`, `in doubt pass → review`.
    counted: the same without what another decision has otherwise: `by-country adds other points`; none where it has
    nothing of that kind.
    """

    old: Score | None
    new: Score | None
    parts: tuple[str, ...] = ()
    card: str = SCORECARD
    counted: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """What is counted over many decisions; `total` where only the totals are known."""
        return tuple(labelled(self.card, part) for part in self.counted or self.parts or (TOTAL,))

    @property
    def told(self) -> tuple[str, ...]:
        """The parts, or `total` where only the totals are known: what is told of this decision."""
        return tuple(labelled(self.card, part) for part in self.parts or (TOTAL,))

    def data(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {"old": self.old, "new": self.new, "parts": list(self.parts)}

    def __str__(self) -> str:
        why = "; ".join(self.parts)
        head = "scorecard" if self.card == SCORECARD else f"scorecard {self.card}"
        if self.old is None or self.new is None:
            return f"{head} {why}: {_total(self.old or self.new)}"
        if self.old == self.new:
            return f"{head} {why}"
        return f"{head} {_total(self.old)} → {_total(self.new)}{f' ({why})' if why else ''}"


def labelled(card: str, part: str) -> str:
    """Return a part of a scorecard's move as it is counted: behind the scorecard's name, where it has one."""
    return part if card == SCORECARD else f"{card}: {part}"


def data_of(moves: Sequence[ScorecardMove]) -> dict[str, object]:
    """Return moves as JSON has them: that of the only scorecard, and those of scorecards that have names."""
    by_name = {move.card: move.data() for move in moves}
    return {"scorecard": by_name.pop(SCORECARD, None), "scorecards": by_name}


def causes(rules: Sequence[str], moves: Sequence[ScorecardMove]) -> str:
    """Return what moved one decision: rules that came (`+`) or went (`-`), and scorecards."""
    return ", ".join(filter(None, [" ".join(rules), *map(str, moves)]))


def most(by_rule: Mapping[str, int], by_scorecard: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return what moved decisions and how many, the most first. by_scorecard: counts of `ScorecardMove.labels`."""
    counts = {**by_rule, **{f"scorecard {label}": count for label, count in by_scorecard.items()}}
    return sorted(counts.items(), key=lambda one: -one[1])


MOVED_BY = "what moved them (+ came, - went, ? in doubt):"
"""The heading over `most`."""


def _total(score: Score | None) -> str:
    if score is None:
        return "none"
    low, high = score
    return str(low) if low == high else f"{low} to {high}"


@frozen(kw_only=True)
class RowPair:
    """A row of the old scorecard as it is written, and what became of it in the new one; one of them may be None."""

    old: WrittenRow | None
    new: WrittenRow | None

    @property
    def row(self) -> WrittenRow:
        """The new row, or the old one where it is gone."""
        row = self.new or self.old
        assert row is not None
        return row

    @property
    def name(self) -> str:
        """What people call it: by its id or place in the new policy, or in the old one, where it is gone."""
        return self.row.id if self.new is not None else f"old {self.row.id}"

    @property
    def is_plain(self) -> bool:
        """Whether its points are numbers, so that all decisions on which they differ have the same of it to tell."""
        return all(row is None or row.formula is None for row in (self.old, self.new))

    def said(self, before: Sequence[Truth], after: Sequence[Truth]) -> str | None:
        """Return what it adds before and after; None where that is the same.

        before, after: whether its steps hold; none where there is no row.
        """
        one, other = self._points(self.old, before), self._points(self.new, after)
        if one == other:
            return None
        if self.old is None:
            return f"{self.name} {NEW}, {other}"
        return f"{self.name} {GONE}, {one}" if self.new is None else f"{self.name} {one} → {other}"

    def counted(self, said: str) -> str:
        """Return what is counted of it over many decisions. said: of one of them."""
        if self.is_plain:
            return said
        return f"{self.name} {NEW if self.old is None else GONE if self.new is None else 'adds other points'}"

    def _points(self, row: WrittenRow | None, answers: Sequence[Truth]) -> str:
        """Return what a row adds: `+25`, in doubt `+25?` or `+10 to +25`, or 0."""
        if row is None:
            return "0"
        if self.is_plain and answers[0] is None and row.row.points:
            return f"{row.row.points:+d}?"
        return points_said(row.added(answers))


def paired(old: Scorecard | None, new: Scorecard | None) -> tuple[RowPair, ...]:
    """Return the rows of both as they are written, in the new one's order, then those that are gone.

    A row is found again by the id that it was given, then by what it says, wherever it stands now; what is left, by
    its place between those.
    """
    before, after = (written_rows(card) if card is not None else () for card in (old, new))
    found: dict[int, int] = {}  # the old row by the new one

    def match(key_of_old: Callable[[int], Hashable], key_of_new: Callable[[int], Hashable]) -> None:
        waiting: dict[Hashable, list[int]] = defaultdict(list)
        taken = set(found.values())
        for at in range(len(before)):
            if at not in taken:
                waiting[key_of_old(at)].append(at)
        for at in range(len(after)):
            if at not in found and (same := waiting.get(key_of_new(at))):
                found[at] = same.pop(0)

    def match_by(key: Callable[[WrittenRow], Hashable]) -> None:
        """Match rows that have the same of something; None and an empty text are like no other."""
        match(lambda at: key(before[at]) or ("old", at), lambda at: key(after[at]) or ("new", at))

    match_by(lambda one: one.id if one.row.has_own_id else None)
    match_by(lambda one: one.said)
    match_by(lambda one: one.condition)
    match_by(lambda one: one.adds if one.formula is not None else None)
    news = {old_at: new_at for new_at, old_at in found.items()}
    gaps = _gaps(len(before), lambda at: news.get(at)), _gaps(len(after), lambda at: at if at in found else None)
    match(gaps[0].__getitem__, gaps[1].__getitem__)
    gone = [at for at in range(len(before)) if at not in found.values()]
    return (
        *(RowPair(old=before[found[at]] if at in found else None, new=row) for at, row in enumerate(after)),
        *(RowPair(old=before[at], new=None) for at in gone),
    )


def _gaps(rows: int, new_place: Callable[[int], int | None]) -> list[int]:
    """Return for each row the new place of the nearest row before it that was found again; -1 where there is none."""
    gaps, last = [], -1
    for at in range(rows):
        place = new_place(at)
        last = place if place is not None else last
        gaps.append(last)
    return gaps


def bands_changed(old: Scorecard, new: Scorecard) -> Iterator[tuple[str, int | None, int | None]]:
    """Yield the bands that begin at another total: `review` or `reject`, from where before and after."""
    for name, before, after in (("review", old.review, new.review), ("reject", old.reject, new.reject)):
        if before != after:
            yield name, before, after


def band_said(name: str, before: int | None, after: int | None) -> str:
    """Return where a band began and where it begins."""
    one, other = (start if start is not None else "none" for start in (before, after))
    return f"band {name} {one} → {other}"


def doubt_said(before: Outcome, after: Outcome) -> str:
    """Return what a scorecard in doubt gave and gives."""
    return f"in doubt {before} → {after}"


class ScorecardMoves:
    """Tells of two policies how their scorecards move a decision; compiled when first asked."""

    def __init__(self, old: Policy, new: Policy) -> None:
        """Hold two policies."""
        names = dict.fromkeys([*new.typed.scorecards, *old.typed.scorecards])
        self._cards = tuple(_CardMoves(old, new, name) for name in names)

    def of(
        self, before: Mapping[str, object], after: Mapping[str, object], *, now: datetime | None
    ) -> tuple[ScorecardMove, ...]:
        """Return how; none where each makes the same outcome of what is known, whatever the rules say.

        before, after: what is known, as each policy's `evaluate` takes it.
        """
        moves = (card.of(before, after, now=now) for card in self._cards)
        return tuple(move for move in moves if move is not None)


class _CardMoves:
    """Tells how one scorecard moves a decision."""

    def __init__(self, old: Policy, new: Policy, name: str) -> None:
        self._name = name
        self._old, self._new = _Side(old, name), _Side(new, name)

    def of(
        self, before: Mapping[str, object], after: Mapping[str, object], *, now: datetime | None
    ) -> ScorecardMove | None:
        old, new = self._old.card, self._new.card
        one, other = self._old.alone.evaluate(before, now=now), self._new.alone.evaluate(after, now=now)
        if one.outcome is other.outcome:
            return None
        was, becomes = one.totals.get(self._name), other.totals.get(self._name)
        if old is None or new is None:
            return ScorecardMove(old=was, new=becomes, parts=(NEW if old is None else GONE,), card=self._name)
        told = [*self._rows(before, after, now)] if was != becomes else []
        others = [band_said(*band) for band in bands_changed(old, new) if _is_crossed(band[1:], becomes)]
        if not one.settled and not other.settled:
            others.append(doubt_said(one.outcome, other.outcome))
        parts, counted = ([*(row[at] for row in told), *others] for at in (0, 1))
        return ScorecardMove(old=was, new=becomes, parts=tuple(parts), card=self._name, counted=tuple(counted))

    def _rows(
        self, before: Mapping[str, object], after: Mapping[str, object], now: datetime | None
    ) -> Iterator[tuple[str, str]]:
        """Yield what is said of each row that adds other points, and what is counted of it."""
        old, new = self._old.answers(before, now), self._new.answers(after, now)
        for pair in self._pairs:
            answers = [
                [found[at] for at in row.numbers] if row is not None else []
                for row, found in ((pair.old, old), (pair.new, new))
            ]
            said = pair.said(*answers)
            if said is not None:
                yield said, pair.counted(said)

    @cached_property
    def _pairs(self) -> Sequence[RowPair]:
        return paired(self._old.card, self._new.card)


def by_totals(old: Verdict, new: Verdict) -> tuple[ScorecardMove, ...]:
    """Return what verdicts alone tell of their scorecards, where the old policy is not to be had."""
    moves = []
    for name in dict.fromkeys([*new.totals, *old.totals]):
        was, becomes = old.totals.get(name), new.totals.get(name)
        if was != becomes:
            parts = (NEW,) if was is None else (GONE,) if becomes is None else ()
            moves.append(ScorecardMove(old=was, new=becomes, parts=parts, card=name))
    return tuple(moves)


def alone(policy: Policy, name: str) -> Policy:
    """Return a policy with nothing but one of its scorecards; with nothing at all where it has none of that name."""
    card = policy.typed.scorecards.get(name)
    cards = {name: card} if card is not None else {}
    return Policy(replace(policy.typed, rules=(), scorecards=cards), policy.functions)


def _is_crossed(band: tuple[int | None, int | None], score: Score | None) -> bool:
    """Whether an end of a total lies in a band by one of its starts and not by the other."""
    reached = [[start is not None and total >= start for start in band] for total in score or ()]
    return any(one != other for one, other in reached)


class _Side:
    """One policy's scorecard."""

    def __init__(self, policy: Policy, name: str) -> None:
        self._policy, self._name = policy, name
        self.card = policy.typed.scorecards.get(name)

    @cached_property
    def alone(self) -> Policy:
        """The policy with this scorecard only."""
        return alone(self._policy, self._name)

    @cached_property
    def _rows(self) -> Policy:
        """The policy with the scorecard's rows for rules."""
        rules = tuple(
            Rule(id=str(at), condition=row.condition, outcome=Outcome.REVIEW, reason="ROW", span=row.span)
            for at, row in enumerate(self.card.rows if self.card is not None else ())
        )
        return Policy(replace(self._policy.typed, rules=rules, scorecards={}), self._policy.functions)

    def answers(self, given: Mapping[str, object], now: datetime | None) -> Sequence[Truth]:
        """Return whether each row holds."""
        verdict = self._rows.evaluate(given, now=now)
        true, open_ = set(verdict.matched), set(verdict.unresolved)
        rows = range(len(self._rows.typed.rules))
        return [None if str(at) in open_ else str(at) in true for at in rows]
