"""Two policies on the traffic of a log: what would have been decided, at what cost, and whom it would move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from adjudge.audit.bodies import DecisionBody, PolicyBody
from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.erasures import Erasures
from adjudge.audit.kinds import bodies
from adjudge.audit.record import Place
from adjudge.audit.vault import Vault
from adjudge.errors import NothingRead
from adjudge.frozen import frozen
from adjudge.model import Outcome, Verdict
from adjudge.plugin import Function, Provider
from adjudge.policy.explaining.scorecard_moves import ScorecardMove
from adjudge.policy.policy import Policy
from adjudge.policy.slices import ALL, Slice, Sliced
from adjudge.policy.typed import Scorecard
from adjudge.replay.decisions import Kept, known_of
from adjudge.replay.slices import LogSlice, Segments, check_fits
from adjudge.replay.what_if import Side, WhatIf, rules_moved

EXAMPLES = 3
"""How many decisions are named for each pair of outcomes."""
_DAY_S = 86_400.0


@frozen(kw_only=True)
class Flip:
    """A decision that would come out otherwise.

    rules: what came (`+`) and went (`-`), in doubt (`?`) or not. scorecards: how those moved it, if they did.
    """

    seq: int
    decision_id: str
    merchant_biz_id: str
    at: datetime
    old: Outcome
    new: Outcome
    rules: tuple[str, ...]
    scorecards: tuple[ScorecardMove, ...] = ()


@dataclass(slots=True)
class Traffic:
    """What two policies make of a log.

    matrix: counts by old and new outcome. moved_by: rules that came (`+`) or went (`-`) where that changed the outcome.
    moved_by_scorecard: what in the scorecard changed the outcome, and how often.
    lost: decisions that cannot be told, by why. unlike: of those that can, how many the log has with another outcome
    than the old policy's; then it was not this policy that decided them.
    first, last: when the earliest and the latest were decided. sliced: which were asked for, where not all were.
    segments: by the values of the field `by`, where one was asked for.
    """

    old: Side = field(default_factory=Side)
    new: Side = field(default_factory=Side)
    matrix: Counter[tuple[Outcome, Outcome]] = field(default_factory=Counter)
    examples: dict[tuple[Outcome, Outcome], list[Flip]] = field(default_factory=dict)
    moved_by: Counter[str] = field(default_factory=Counter)
    moved_by_scorecard: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    unlike: int = 0
    first: datetime | None = None
    last: datetime | None = None
    sliced: Sliced | None = None
    by: str | None = None
    segments: Segments = field(default_factory=dict)

    @property
    def decisions(self) -> int:
        """How many decisions were compared."""
        return self.matrix.total()

    @property
    def flips(self) -> int:
        """How many would come out otherwise."""
        return sum(count for (old, new), count in self.matrix.items() if old != new)

    @property
    def flip_share(self) -> float:
        """The share of decisions that would come out otherwise, 0 to 1."""
        return self.flips / self.decisions if self.decisions else 0.0

    @property
    def days(self) -> float:
        """The days from the first decision to the last, at least one."""
        if self.first is None or self.last is None:
            return 1.0
        return max((self.last - self.first).total_seconds() / _DAY_S, 1.0)

    def reviews_a_day(self, side: Side) -> float:
        """How many decisions a day one of the policies gives to people."""
        return side.outcomes[Outcome.REVIEW] / self.days

    def hits_moved(self) -> list[tuple[str, int, int]]:
        """Return the rules that hold more or less often now: id, before, after; the largest change first."""
        before, after = self.old.hits, self.new.hits
        moved = [(rule, before[rule], after[rule]) for rule in {**before, **after} if before[rule] != after[rule]]
        return sorted(moved, key=lambda one: (-abs(one[2] - one[1]), one[0]))


def compare_traffic(
    logs: tuple[AnyLog, ...],
    old: Policy,
    new: Policy,
    providers: Mapping[str, Provider] | None = None,
    *,
    wanted: Slice = ALL,
    functions: Mapping[str, Function] | None = None,
    tell: Callable[[Flip], object] = lambda flip: None,
) -> Traffic:
    """Decide every decision of some logs by both policies, in constant memory.

    Known is what the log holds. Decisions of policies that are called otherwise than both are left out, and counted.
    providers: for the prices of their calls, by name; of a policy with one that is missing no call is counted.
    wanted: which decisions; functions: of plugins, for the policies in the log that read its condition.
    tell: is told each decision that would come out otherwise, in order.
    Raises AuditBroken at a record that does not verify, NothingRead where a log has no decision.
    """
    before, after = WhatIf(old, providers), WhatIf(new, providers)
    traffic = Traffic(old=before.side, new=after.side)
    slice_ = LogSlice(wanted, functions or {})
    policies: dict[str, PolicyBody] = {}
    for log in logs:
        for place, body, given, missing in _decisions(log, (old, new), slice_, policies):
            if body.policy not in (old.name, new.name):
                missing = f"`{body.policy}` decided, another policy"
            if missing is not None:
                traffic.lost[missing] += 1
                continue
            one, other = before.verdict(given, body.judged_at), after.verdict(given, body.judged_at)
            for what_if, verdict in ((before, one), (after, other)):
                _count(what_if.side, verdict, what_if.policy.typed.scorecards)
                what_if.buy(body, given)
            slice_.put(body, given, one.outcome, other.outcome)
            traffic.matrix[one.outcome, other.outcome] += 1
            traffic.first = min(traffic.first or body.at, body.at)
            traffic.last = max(traffic.last or body.at, body.at)
            traffic.unlike += body.verdict.outcome != one.outcome
            if one.outcome != other.outcome:
                tell(
                    _flip(
                        traffic, place, body, one, other, after.scorecard_moves(old, one, other, given, body.judged_at)
                    )
                )
    check_fits(wanted, policies.values(), functions or {})
    traffic.sliced = slice_.count.sliced(wanted) if not wanted.is_all else None
    traffic.by, traffic.segments = wanted.by, slice_.segments
    return traffic


def _decisions(
    log: AnyLog, both: Sequence[Policy], slice_: LogSlice, policies: dict[str, PolicyBody]
) -> Iterator[tuple[Place, DecisionBody, dict[str, object], str | None]]:
    """Yield decisions with what was known, and with why one of two policies cannot be told on it.

    policies: is told those of the log.
    """
    with Vault.of(log) as vault:
        kept, is_empty = Kept(vault, Erasures(log)), True
        for record, body in bodies(log, PolicyBody, DecisionBody):
            if isinstance(body, PolicyBody):
                policies[body.digest] = body
                slice_.learn(body)
                continue
            is_empty = False
            given, lacking = known_of(body, vault.reveal)
            if slice_.takes(body, given):
                lacks = [kept.lack(policy, record.place, body, lacking) for policy in both]
                yield record.place, body, given, next((lack[1] for lack in lacks if lack is not None), None)
    if is_empty:
        raise NothingRead(f"{log}: holds no decision")


def _count(side: Side, verdict: Verdict, cards: Mapping[str, Scorecard]) -> None:
    side.outcomes[verdict.outcome] += 1
    side.unsettled += not verdict.settled
    side.hits.update(verdict.matched)
    for name, (low, _) in verdict.totals.items():
        band = cards[name].outcome_of(low)
        if band is not Outcome.PASS:
            side.hits[f"{cards[name].label}:{band}"] += 1


def _flip(
    traffic: Traffic, at: Place, body: DecisionBody, old: Verdict, new: Verdict, scorecards: tuple[ScorecardMove, ...]
) -> Flip:
    cell = old.outcome, new.outcome
    rules = rules_moved(old, new)
    traffic.moved_by.update(rules)
    traffic.moved_by_scorecard.update(label for move in scorecards for label in move.labels)
    flip = Flip(
        seq=at.seq,
        decision_id=body.decision_id,
        merchant_biz_id=body.merchant_biz_id,
        at=body.at,
        old=old.outcome,
        new=new.outcome,
        rules=rules,
        scorecards=scorecards,
    )
    kept = traffic.examples.setdefault(cell, [])
    if len(kept) < EXAMPLES:
        kept.append(flip)
    return flip
