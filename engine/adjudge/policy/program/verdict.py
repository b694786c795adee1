"""From rules that are true, false or unknown to a verdict.

Rules, scorecard rows and excuses are bits of a mask: rules first, in policy order, then rows, then excuses. `true`
holds those that are true, `open` those that are not false. Whatever would be a loop over rules is an operation on
masks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from adjudge.frozen import frozen
from adjudge.model import OUTCOMES, Outcome, Verdict
from adjudge.policy.otherwise import rows_before
from adjudge.policy.slots import source_of
from adjudge.policy.typed import SCORECARD, Scorecard, TypedPolicy

MEMO_MAX = 8192
"""How many different verdicts are remembered."""

PASS, REVIEW, REJECT = (outcome.severity for outcome in Outcome)


def bits(mask: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class Labels:
    """Turns a mask into the labels of its bits, eight at a time."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._bytes = (len(labels) + 7) // 8
        self._chunks = [_Chunk(labels[at : at + 8]) for at in range(0, len(labels), 8)]

    def of(self, mask: int) -> tuple[str, ...]:
        """Return the labels of the bits that are set, in order."""
        if not mask:
            return ()
        found: list[str] = []
        for chunk, byte in zip(self._chunks, mask.to_bytes(self._bytes, "little"), strict=True):
            if byte:
                found += chunk[byte]
        return tuple(found)


class _Chunk(dict[int, tuple[str, ...]]):
    """Labels of eight bits by the byte that they make, found when first asked."""

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        self._labels = labels

    def __missing__(self, byte: int) -> tuple[str, ...]:
        self[byte] = found = tuple(self._labels[at] for at in bits(byte))
        return found


@frozen
class _Doubts:
    """What doubted rules and rows are worth: masks of those that count as review, and as reject, at most."""

    review: int
    reject: int


@frozen
class _Rows:
    """A scorecard with the places of its rows: that of the first, and a mask of all."""

    card: Scorecard
    first: int
    mask: int


@frozen
class _Excused:
    """What excuses take back: masks of rules, and names of scorecards of which they take back the band of review.

    rules, cards: an excuse of it is true. doubted, doubted_cards: none is true, and one is unknown.
    """

    rules: int = 0
    doubted: int = 0
    cards: frozenset[str] = frozenset()
    doubted_cards: frozenset[str] = frozenset()


_NOTHING = _Excused()


@frozen
class _Weighed:
    """What a scorecard comes to: severities, and the total's interval. reviews: whether its total may mean review."""

    card: Scorecard
    outcome: int
    lower: int
    upper: int
    score: tuple[int, int]
    reviews: bool


class VerdictBuilder:
    """Turns masks into verdicts, and remembers them: most requests of a day have one of a few."""

    def __init__(self, policy: TypedPolicy, slots: Sequence[str], reads: Sequence[frozenset[str]]) -> None:
        """Prepare for a policy.

        slots: names of slots; a mask of unknown slots has their bits.
        reads: the slots that each rule reads, then each row, then each excuse.
        """
        rules = len(policy.rules)
        self.remembered: dict[object, Verdict] = {}
        self._ids = Labels([rule.id for rule in policy.rules])
        self._reasons = Labels([rule.reason for rule in policy.rules])
        self._rules = rules
        self._only_rules = (1 << rules) - 1
        self._rejecting = _mask(at for at, rule in enumerate(policy.rules) if rule.outcome is Outcome.REJECT)
        self._cards = tuple(_cards(policy))
        self._default = policy.when_unknown.severity
        self._slots = slots
        self._owners = [source_of(name) for name in slots]
        self._owned_slots = {
            owner: _mask(at for at, other in enumerate(self._owners) if other == owner) for owner in self._owners
        }
        self._worth = [policy.worth_of(name).severity for name in slots]
        self._readers = [_mask(at for at, read in enumerate(reads) if name in read) for name in slots]
        owns = [rule.when_unknown for rule in policy.rules]
        owns += [card.when_unknown for card in policy.scorecards.values() for _ in card.rows]
        self._excuses = tuple(
            (1 << at, _mask(n for n, rule in enumerate(policy.rules) if rule.id in excuse.covers), excuse.cards)
            for at, excuse in enumerate(policy.excuses, len(owns))
        )
        self._asks = tuple(
            (
                step,
                _mask(at for at, rule in enumerate(policy.rules) if step in rule.ask),
                {
                    (card.name, outcome.severity)
                    for card in policy.scorecards.values()
                    for outcome, asked in card.ask.items()
                    if step in asked
                },
            )
            for step in policy.steps
        )
        self._otherwise = tuple((1 << at, rows) for at, rows in rows_before(policy))
        self._only_rows = (1 << len(owns)) - 1 & ~self._only_rules
        self._own = tuple(
            _mask(at for at, own in enumerate(owns) if own is not None and own.severity == severity)
            for severity in (PASS, REVIEW, REJECT)
        )
        self._owned = self._own[PASS] | self._own[REVIEW] | self._own[REJECT]

    def verdict(self, key: object, true: int, open_: int, unknown: int) -> Verdict:
        """Return the verdict for rules and rows that are true, and that are not false, and remember it by `key`.

        unknown: bits of the slots that are unknown.
        """
        for bit, rows in self._otherwise:
            open_ |= 0 if true & rows else bit
            true |= 0 if open_ & rows else bit
        verdict = self._judge(true, open_ & ~true, unknown)
        remembered = self.remembered
        if len(remembered) >= MEMO_MAX:
            remembered.pop(next(iter(remembered), None), None)  # the oldest; another thread may have taken it
        remembered[key] = verdict
        return verdict

    def _judge(self, true: int, doubted: int, unknown: int) -> Verdict:
        certain = counted = matched = true & self._only_rules
        excused = _NOTHING
        if self._excuses:
            excused = self._excused(true, doubted)
            counted = matched & ~excused.rules
            certain = counted & ~excused.doubted
        lower = self._worst(certain)
        if not doubted and not self._cards:
            deciding = certain & self._rejecting if lower == REJECT else certain
            plain = Verdict(
                outcome=OUTCOMES[lower],
                lower=OUTCOMES[lower],
                upper=OUTCOMES[lower],
                matched=self._ids.of(matched),
                reasons=self._codes(deciding) if lower else (),
            )
            if not self._excuses and not self._asks:
                return plain
            asked = self._ask(deciding) if lower else ()
            return msgspec.structs.replace(plain, excused=self._ids.of(matched & excused.rules), ask=asked)
        doubts = self._doubts(doubted, unknown)
        unresolved = doubted & self._only_rules
        open_ = unresolved & ~excused.rules if self._excuses else unresolved
        upper = max(self._worst(counted), self._worst(open_))
        rejected = open_ & doubts.reject & self._rejecting
        reviewed = (open_ & (doubts.review | doubts.reject) & ~rejected) | (counted & ~certain)
        outcome = max(lower, REJECT if rejected else REVIEW if reviewed else PASS)
        cards: Sequence[_Weighed] = ()
        if self._cards:
            cards = [self._weigh(rows, true, doubted, doubts, excused) for rows in self._cards]
        for card in cards:
            lower, upper, outcome = max(lower, card.lower), max(upper, card.upper), max(outcome, card.outcome)
        if outcome == lower:
            deciding = certain & self._rejecting if lower == REJECT else certain
        else:
            deciding = rejected if outcome == REJECT else reviewed
        waived = self._ids.of(self._waived(open_, doubts, outcome))
        if not cards and not self._excuses and not self._asks:
            return Verdict(
                outcome=OUTCOMES[outcome],
                lower=OUTCOMES[lower],
                upper=OUTCOMES[upper],
                matched=self._ids.of(matched),
                unresolved=self._ids.of(unresolved),
                reasons=self._codes(deciding) if outcome else (),
                missing=self._missing(doubted, unknown),
                waived=waived,
            )
        is_certain = outcome == lower
        deciding_cards = [card for card in cards if (card.lower if is_certain else card.outcome) == outcome]
        waived += tuple(one.card.label for one in cards if outcome < min(one.upper, self._default))
        totals = {one.card.name: one.score for one in cards}
        return Verdict(
            outcome=OUTCOMES[outcome],
            lower=OUTCOMES[lower],
            upper=OUTCOMES[upper],
            matched=self._ids.of(matched),
            unresolved=self._ids.of(unresolved),
            reasons=self._codes(deciding, deciding_cards) if outcome else (),
            missing=self._missing(self._hung_on(doubted, counted | open_, excused, cards), unknown),
            score=totals.pop(SCORECARD, None),
            scores=totals,
            waived=waived,
            excused=self._names_excused(matched | unresolved, excused, cards) if self._excuses else (),
            ask=self._ask(deciding, deciding_cards) if outcome and self._asks else (),
        )

    def _ask(self, deciding: int, cards: Sequence[_Weighed] = ()) -> tuple[str, ...]:
        """Return the steps that the rules and scorecards which decided ask for."""
        bands = {band for card in cards for band in _bands(card)}
        return tuple(step for step, rules, of in self._asks if rules & deciding or not of.isdisjoint(bands))

    def _excused(self, true: int, doubted: int) -> _Excused:
        """Return what excuses take back that are true, and what those may that are unknown."""
        rules = open_ = 0
        cards = open_cards = frozenset[str]()
        for bit, covers, of in self._excuses:
            if true & bit:
                rules, cards = rules | covers, cards | of
            elif doubted & bit:
                open_, open_cards = open_ | covers, open_cards | of
        return _Excused(rules, open_ & ~rules, cards, open_cards - cards)

    def _names_excused(self, speaking: int, excused: _Excused, cards: Sequence[_Weighed]) -> tuple[str, ...]:
        """Return what does not count for an excuse. speaking: the rules that are not false."""
        names = self._ids.of(speaking & excused.rules)
        return names + tuple(one.card.label for one in cards if one.reviews and one.card.name in excused.cards)

    def _hung_on(self, doubted: int, counting: int, excused: _Excused, cards: Sequence[_Weighed]) -> int:
        """Return the doubted rules, rows and excuses on which something hangs. counting: rules that count, or may."""
        found = doubted & (counting | self._only_rows)
        touched = counting & excused.doubted
        bands = excused.doubted_cards.intersection(one.card.name for one in cards if one.reviews)
        for bit, covers, of in self._excuses:
            if doubted & bit and (covers & touched or of & bands):
                found |= bit
        return found

    def _worst(self, rules: int) -> int:
        return REJECT if rules & self._rejecting else REVIEW if rules else PASS

    def _doubts(self, doubted: int, unknown: int) -> _Doubts:
        """Return what each doubt is worth.

        Its own `when_unknown`, or else the most severe of the signals and inputs that are unknown to it, or else the
        policy's.
        """
        worth = [0, 0, 0]
        for at in bits(unknown):
            worth[self._worth[at]] |= self._readers[at]
        covered = worth[PASS] | worth[REVIEW] | worth[REJECT]
        worth[self._default] |= ~covered
        reject = self._own[REJECT] | (worth[REJECT] & ~self._owned)
        review = self._own[REVIEW] | (worth[REVIEW] & ~worth[REJECT] & ~self._owned)
        return _Doubts(review & doubted, reject & doubted)

    def _waived(self, unresolved: int, doubts: _Doubts, outcome: int) -> int:
        """Return the rules whose doubt would have made the outcome worse by the policy's own `when_unknown`."""
        if outcome >= self._default:
            return 0
        waived = unresolved & ~doubts.reject
        return waived & self._rejecting if outcome == REVIEW else waived & ~doubts.review | waived & self._rejecting

    @staticmethod
    def _weigh(rows: _Rows, true: int, doubted: int, doubts: _Doubts, excused: _Excused) -> _Weighed:
        """Add up a scorecard: its bands turn the interval of totals into one of outcomes.

        Where its band of review is excused, what lies in it is a pass; while that is in doubt, it is no longer certain.
        """
        card = rows.card
        low = high = 0
        for at, row in enumerate(card.rows, rows.first):
            if true >> at & 1:
                low, high = low + row.points, high + row.points
            elif doubted >> at & 1:
                low, high = low + min(row.points, 0), high + max(row.points, 0)
        lower, upper = card.outcome_of(low).severity, card.outcome_of(high).severity
        worth = REJECT if doubts.reject & rows.mask else REVIEW if doubts.review & rows.mask else PASS
        if card.name in excused.cards:
            lower, upper = (REJECT if end == REJECT else PASS for end in (lower, upper))
        outcome = max(lower, min(upper, worth))
        if card.name in excused.doubted_cards and lower == REVIEW:
            lower = PASS
        return _Weighed(card, outcome, lower, upper, (low, high), _may_review(card, low, high))

    def _codes(self, deciding: int, cards: Sequence[_Weighed] = ()) -> tuple[str, ...]:
        codes = dict.fromkeys(self._reasons.of(deciding))
        if cards:
            codes |= dict.fromkeys(one.card.reason for one in cards)
        return tuple(codes)

    def _missing(self, doubted: int, unknown: int) -> tuple[str, ...]:
        read = [at for at in bits(unknown) if self._readers[at] & doubted]
        return tuple(dict.fromkeys(self._lost_name(at, unknown) for at in read))

    def _lost_name(self, slot: int, unknown: int) -> str:
        """Return a slot's name, or its signal's where all that rules read of that is unknown."""
        owner = self._owners[slot]
        return owner if self._owned_slots[owner] & ~unknown == 0 else self._slots[slot]


def _may_review(card: Scorecard, low: int, high: int) -> bool:
    """Whether some total of an interval lies in a scorecard's band of review."""
    if card.review is None:
        return False
    least = max(low, card.review)
    return least <= high and (card.reject is None or least < card.reject)


def _bands(card: _Weighed) -> Iterator[tuple[str, int]]:
    """Yield the bands of a scorecard that decides: the one that its total is in, or in doubt those it may reach."""
    is_certain = card.outcome == card.lower
    for severity in (card.outcome,) if is_certain else range(card.lower + 1, card.upper + 1):
        yield card.card.name, severity


def _cards(policy: TypedPolicy) -> Iterator[_Rows]:
    first = len(policy.rules)
    for card in policy.scorecards.values():
        yield _Rows(card, first, ((1 << len(card.rows)) - 1) << first)
        first += len(card.rows)


def with_problems(verdict: Verdict, problems: Sequence[tuple[str, str]]) -> Verdict:
    """Return the verdict with the values that were refused."""
    return msgspec.structs.replace(verdict, problems=tuple(problems))


def _mask(numbers: Iterator[int]) -> int:
    return sum(1 << number for number in numbers)
