"""From rules that are true, false or unknown to a verdict.

Rules and scorecard rows are bits of a mask. `true` holds those that are true, `open` those that are not false.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from adjudge.model import OUTCOMES, Outcome, Verdict
from adjudge.policy.typed import Row, TypedPolicy

MEMO_MAX = 4096
"""How many different verdicts are remembered."""


def bits(mask: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a rule or row reads, and what its doubt is worth.

    own: its own `when_unknown`, if it has one.
    sources: bits of the slots it reads.
    """

    own: int | None
    sources: int


class Judge:
    """Turns masks into verdicts, and remembers them: most requests of a day have one of a few."""

    def __init__(self, policy: TypedPolicy, slots: Sequence[str], reads: Sequence[frozenset[str]]) -> None:
        """Prepare for a policy.

        slots: names of slots; a mask of unknown slots has their bits.
        reads: the slots that each rule reads, then each row.
        """
        self._rules = policy.rules
        self._ids = [rule.id for rule in policy.rules]
        self._scorecard = policy.scorecard
        self._rows: tuple[Row, ...] = policy.scorecard.rows if policy.scorecard else ()
        self._severity = [rule.outcome.severity for rule in policy.rules]
        self._of_outcome = tuple(
            sum(1 << at for at, severity in enumerate(self._severity) if severity == wanted) for wanted in range(3)
        )
        self._only_rules = (1 << len(policy.rules)) - 1
        self._default = policy.when_unknown.severity
        self._owners = [name.split(".")[0] for name in slots]
        self._slot_doubt = [_slot_doubt(policy, owner) for owner in self._owners]
        at_slot = {name: at for at, name in enumerate(slots)}
        owns = [rule.when_unknown for rule in policy.rules]
        owns += [policy.scorecard.when_unknown if policy.scorecard else None] * len(self._rows)
        self._doubts = [
            Doubt(None if own is None else own.severity, sum(1 << at_slot[name] for name in names))
            for own, names in zip(owns, reads, strict=True)
        ]
        self.remembered: dict[object, Verdict] = {}

    def verdict(self, key: object, true: int, open_: int, unknown: int) -> Verdict:
        """Return the verdict for rules and rows that are true, and that are not false, and remember it by `key`.

        unknown: bits of the slots that are unknown.
        """
        verdict = self._judge(true, open_, unknown)
        if len(self.remembered) >= MEMO_MAX:
            self.remembered.clear()
        self.remembered[key] = verdict
        return verdict

    def _judge(self, true: int, open_: int, unknown: int) -> Verdict:
        matched, doubted = true & self._only_rules, (open_ & ~true) & self._only_rules
        lower = self._worst(matched)
        upper = max(lower, self._worst(doubted)) if doubted else lower
        resolved = [(at, self._resolve(self._severity[at], self._doubts[at], unknown)) for at in bits(doubted)]
        outcome = max([lower, *(severity for _, severity in resolved)])
        waived = [self._ids[at] for at, severity in resolved if severity < min(self._severity[at], self._default)]
        score, card = self._score(true, open_, unknown)
        if card is not None:
            outcome, lower, upper = max(outcome, card.outcome), max(lower, card.lower), max(upper, card.upper)
            if card.waived:
                waived.append("scorecard")
        doubted_rows = (open_ & ~true) >> len(self._rules) << len(self._rules)
        return Verdict(
            outcome=OUTCOMES[outcome],
            lower=OUTCOMES[lower],
            upper=OUTCOMES[upper],
            matched=tuple([self._ids[at] for at in bits(matched)]),
            unresolved=tuple([self._ids[at] for at in bits(doubted)]),
            reasons=self._reasons(outcome, matched, resolved if outcome > lower else [], card),
            missing=self._missing(doubted | doubted_rows, unknown),
            score=score,
            waived=tuple(waived),
        )

    def _worst(self, mask: int) -> int:
        return 2 if mask & self._of_outcome[2] else 1 if mask & self._of_outcome[1] else 0

    def _resolve(self, severity: int, doubt: Doubt, unknown: int) -> int:
        """Return what an unknown rule counts for: its outcome, but no more than its `when_unknown`."""
        return min(severity, self._when_unknown(doubt, unknown))

    def _when_unknown(self, doubt: Doubt, unknown: int) -> int:
        """Its own, or the most severe of the signals and inputs that are unknown to it, or the policy's."""
        if doubt.own is not None:
            return doubt.own
        return max((self._slot_doubt[at] for at in bits(doubt.sources & unknown)), default=self._default)

    def _score(self, true: int, open_: int, unknown: int) -> tuple[tuple[int, int] | None, _Card | None]:
        card = self._scorecard
        if card is None:
            return None, None
        first = len(self._rules)
        low = high = 0
        doubtful: list[int] = []
        for at, row in enumerate(self._rows, first):
            if true >> at & 1:
                low, high = low + row.points, high + row.points
            elif open_ >> at & 1:
                low, high = low + min(row.points, 0), high + max(row.points, 0)
                doubtful.append(at)
        lower, upper = _band(card.review, card.reject, low), _band(card.review, card.reject, high)
        if lower == upper:
            return (low, high), _Card(lower, lower, upper, waived=False)
        worth = max(self._when_unknown(self._doubts[at], unknown) for at in doubtful)
        resolved = max(lower, min(upper, worth))
        waived = resolved < max(lower, min(upper, self._default))
        return (low, high), _Card(resolved, lower, upper, waived)

    def _reasons(
        self, outcome: int, matched: int, resolved: Sequence[tuple[int, int]], card: _Card | None
    ) -> tuple[str, ...]:
        if outcome == 0:
            return ()
        deciding = list(bits(matched & self._of_outcome[outcome]))
        deciding += [at for at, severity in resolved if severity == outcome]
        codes = [self._rules[at].reason for at in sorted(deciding)]
        certain = not deciding or (card is not None and card.lower == outcome)
        if card is not None and self._scorecard is not None and card.outcome == outcome and certain:
            codes.append(self._scorecard.reason)
        return tuple(dict.fromkeys(codes))

    def _missing(self, doubted: int, unknown: int) -> tuple[str, ...]:
        sources = 0
        for at in bits(doubted):
            sources |= self._doubts[at].sources
        return tuple(dict.fromkeys(self._owners[at] for at in bits(sources & unknown)))


@dataclass(frozen=True, slots=True)
class _Card:
    outcome: int
    lower: int
    upper: int
    waived: bool


def with_problems(verdict: Verdict, problems: Sequence[tuple[str, str]]) -> Verdict:
    """Return the verdict with the values that were refused."""
    return msgspec.structs.replace(verdict, problems=tuple(problems))


def _band(review: int | None, reject: int | None, total: int) -> int:
    if reject is not None and total >= reject:
        return Outcome.REJECT.severity
    return Outcome.REVIEW.severity if review is not None and total >= review else 0


def _slot_doubt(policy: TypedPolicy, owner: str) -> int:
    """What an unknown slot of a signal or input is worth: an input has no `when_unknown` of its own."""
    signal = policy.signals.get(owner)
    own = signal.when_unknown if signal is not None else None
    return (policy.when_unknown if own is None else own).severity
