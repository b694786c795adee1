"""From rules that are true, false or unknown to a verdict.

Rules and scorecard rows are bits of a mask: rules first, in policy order, then rows. `true` holds those that are true,
`open` those that are not false. Whatever would be a loop over rules is an operation on masks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from adjudge.model import OUTCOMES, Outcome, Verdict
from adjudge.policy.slots import source_of
from adjudge.policy.typed import Row, TypedPolicy

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


@dataclass(frozen=True, slots=True)
class _Doubts:
    """What doubted rules and rows are worth: masks of those that count as review, and as reject, at most."""

    review: int
    reject: int


@dataclass(frozen=True, slots=True)
class _Card:
    """What a scorecard comes to: severities, and the total's interval."""

    outcome: int
    lower: int
    upper: int
    score: tuple[int, int]


class VerdictBuilder:
    """Turns masks into verdicts, and remembers them: most requests of a day have one of a few."""

    def __init__(self, policy: TypedPolicy, slots: Sequence[str], reads: Sequence[frozenset[str]]) -> None:
        """Prepare for a policy.

        slots: names of slots; a mask of unknown slots has their bits.
        reads: the slots that each rule reads, then each row.
        """
        card = policy.scorecard
        rules = len(policy.rules)
        self.remembered: dict[object, Verdict] = {}
        self._ids = Labels([rule.id for rule in policy.rules])
        self._reasons = Labels([rule.reason for rule in policy.rules])
        self._rules = rules
        self._only_rules = (1 << rules) - 1
        self._rejecting = _mask(at for at, rule in enumerate(policy.rules) if rule.outcome is Outcome.REJECT)
        self._card = card
        self._rows: tuple[Row, ...] = card.rows if card is not None else ()
        self._default = policy.when_unknown.severity
        self._slots = slots
        self._owners = [source_of(name) for name in slots]
        self._owned_slots = {
            owner: _mask(at for at, other in enumerate(self._owners) if other == owner) for owner in self._owners
        }
        self._worth = [policy.worth_of(name).severity for name in slots]
        self._readers = [_mask(at for at, read in enumerate(reads) if name in read) for name in slots]
        owns = [rule.when_unknown for rule in policy.rules]
        owns += [card.when_unknown if card is not None else None] * len(self._rows)
        self._own = tuple(
            _mask(at for at, own in enumerate(owns) if own is not None and own.severity == severity)
            for severity in (PASS, REVIEW, REJECT)
        )
        self._owned = self._own[PASS] | self._own[REVIEW] | self._own[REJECT]

    def verdict(self, key: object, true: int, open_: int, unknown: int) -> Verdict:
        """Return the verdict for rules and rows that are true, and that are not false, and remember it by `key`.

        unknown: bits of the slots that are unknown.
        """
        verdict = self._judge(true, open_ & ~true, unknown)
        remembered = self.remembered
        if len(remembered) >= MEMO_MAX:
            remembered.pop(next(iter(remembered), None), None)  # the oldest; another thread may have taken it
        remembered[key] = verdict
        return verdict

    def _judge(self, true: int, doubted: int, unknown: int) -> Verdict:
        matched = true & self._only_rules
        lower = self._worst(matched)
        if not doubted and self._card is None:
            deciding = matched & self._rejecting if lower == REJECT else matched
            return Verdict(
                outcome=OUTCOMES[lower],
                lower=OUTCOMES[lower],
                upper=OUTCOMES[lower],
                matched=self._ids.of(matched),
                reasons=self._codes(deciding, card_decides=False) if lower else (),
            )
        doubts = self._doubts(doubted, unknown)
        unresolved = doubted & self._only_rules
        upper = max(lower, self._worst(unresolved))
        rejected = unresolved & doubts.reject & self._rejecting
        reviewed = unresolved & (doubts.review | doubts.reject) & ~rejected
        outcome = max(lower, REJECT if rejected else REVIEW if reviewed else PASS)
        card = self._weigh(true, doubted, doubts) if self._card is not None else None
        if card is not None:
            lower, upper, outcome = max(lower, card.lower), max(upper, card.upper), max(outcome, card.outcome)
        if outcome == lower:
            deciding = matched & self._rejecting if lower == REJECT else matched
            card_decides = card is not None and card.lower == outcome
        else:
            deciding = rejected if outcome == REJECT else reviewed
            card_decides = card is not None and card.outcome == outcome
        waived = self._ids.of(self._waived(unresolved, doubts, outcome))
        card_waived = card is not None and outcome < min(card.upper, self._default)
        return Verdict(
            outcome=OUTCOMES[outcome],
            lower=OUTCOMES[lower],
            upper=OUTCOMES[upper],
            matched=self._ids.of(matched),
            unresolved=self._ids.of(unresolved),
            reasons=self._codes(deciding, card_decides=card_decides) if outcome else (),
            missing=self._missing(doubted, unknown),
            score=card.score if card is not None else None,
            waived=(*waived, "scorecard") if card_waived else waived,
        )

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

    def _weigh(self, true: int, doubted: int, doubts: _Doubts) -> _Card:
        """Add up the scorecard: its bands turn the interval of totals into one of outcomes."""
        low = high = 0
        for at, row in enumerate(self._rows, self._rules):
            if true >> at & 1:
                low, high = low + row.points, high + row.points
            elif doubted >> at & 1:
                low, high = low + min(row.points, 0), high + max(row.points, 0)
        lower, upper = self._band(low), self._band(high)
        worth = REJECT if doubts.reject >> self._rules else REVIEW if doubts.review >> self._rules else PASS
        outcome = max(lower, min(upper, worth))
        return _Card(outcome, lower, upper, (low, high))

    def _band(self, total: int) -> int:
        card = self._card
        assert card is not None
        if card.reject is not None and total >= card.reject:
            return REJECT
        return REVIEW if card.review is not None and total >= card.review else PASS

    def _codes(self, deciding: int, *, card_decides: bool) -> tuple[str, ...]:
        codes = dict.fromkeys(self._reasons.of(deciding))
        if card_decides and self._card is not None:
            codes[self._card.reason] = None
        return tuple(codes)

    def _missing(self, doubted: int, unknown: int) -> tuple[str, ...]:
        read = [at for at in bits(unknown) if self._readers[at] & doubted]
        return tuple(dict.fromkeys(self._lost_name(at, unknown) for at in read))

    def _lost_name(self, slot: int, unknown: int) -> str:
        """Return a slot's name, or its signal's where all that rules read of that is unknown."""
        owner = self._owners[slot]
        return owner if self._owned_slots[owner] & ~unknown == 0 else self._slots[slot]


def with_problems(verdict: Verdict, problems: Sequence[tuple[str, str]]) -> Verdict:
    """Return the verdict with the values that were refused."""
    return msgspec.structs.replace(verdict, problems=tuple(problems))


def _mask(numbers: Iterator[int]) -> int:
    return sum(1 << number for number in numbers)
