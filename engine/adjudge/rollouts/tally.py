"""What is counted of each arm, from the decisions as they are made."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from adjudge.audit.bodies import ShadowBody
from adjudge.audit.rollouts import Counts, RolloutBody, TallyBody
from adjudge.documents.rollouts import ArmDocument, RailDocument, RolloutDocument, ShareDocument
from adjudge.model import Arm, Decision, Outcome, SignalStatus
from adjudge.rollouts.guard_rails import GuardRails, Rail, interval, rails_of
from adjudge.rollouts.shadows import compared

FAILED_IDS_MAX = 10_000
"""Ids of failed requests that are remembered, so that none is counted with each retry."""
FAILED = frozenset({SignalStatus.ERROR, SignalStatus.TIMEOUT, SignalStatus.UNAVAILABLE})
_OUTCOMES = {Outcome.PASS: "passed", Outcome.REVIEW: "review", Outcome.REJECT: "reject"}
_OF_DECISIONS = {"pass": "passed", "review": "review", "reject": "reject", "unknown": "unknown", "errors": "errors"}
_OF_SHADOWS = {one: one for one in ("agree", "harder", "softer", "undetermined", "errors")}


class Pending:
    """What this process has counted and not recorded yet, by rollout."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, int, str, str], int] = {}  # by rollout, number, arm and way
        self._failed: dict[tuple[str, int, str], None] = {}  # rollout, number and id, the latest last

    def decision(self, decision: Decision, earlier: Decision | None) -> None:
        """Count a decision of an arm, in place of the earlier one that it supersedes.

        An id lies in one arm, so its decisions say the same of it: counted each, one id would look like many.
        """
        arm = decision.arm
        if arm is None:
            return
        if earlier is not None and earlier.arm is not None and earlier.arm.rollout == arm.rollout:
            was = earlier.arm
            self._add(was.rollout, was.number, was.name, dict.fromkeys(_ways(earlier), -1))
        self._add(arm.rollout, arm.number, arm.name, dict.fromkeys(_ways(decision), 1))

    def failed(self, arm: Arm, merchant_biz_id: str) -> None:
        """Count that deciding failed, so that there is no decision; once for an id, however often it is retried."""
        key = arm.rollout, arm.number, merchant_biz_id
        if key in self._failed:
            return
        self._failed[key] = None
        if len(self._failed) > FAILED_IDS_MAX:
            del self._failed[next(iter(self._failed))]
        self._add(arm.rollout, arm.number, arm.name, {"decisions": 1, "errors": 1})

    def shadow(self, running: RolloutBody, answer: Outcome, shadow: ShadowBody | None) -> None:
        """Count what a shadow came to beside an answer; None where it could not be evaluated."""
        way = compared(answer, shadow) if shadow is not None else "errors"
        self._add(running.name, running.number, "shadow", {"decisions": 1, way: 1})

    def take(self) -> dict[str, dict[int, dict[str, Counts]]]:
        """Return what is pending, by rollout, and begin anew."""
        taken, self._counted = self._counted, {}
        found: dict[str, dict[int, dict[str, dict[str, int]]]] = {}
        for (name, number, arm, way), count in taken.items():
            found.setdefault(name, {}).setdefault(number, {}).setdefault(arm, {})[way] = count
        return {
            name: {number: {arm: Counts(**ways) for arm, ways in arms.items()} for number, arms in stages.items()}
            for name, stages in found.items()
        }

    def put_back(self, name: str, stages: Mapping[int, Mapping[str, Counts]]) -> None:
        """Take back what could not be recorded."""
        for number, arms in stages.items():
            for arm, counts in arms.items():
                self._add(name, number, arm, structs.asdict(counts))

    def __bool__(self) -> bool:
        return bool(self._counted)

    def _add(self, rollout: str, number: int, arm: str, ways: Mapping[str, int]) -> None:
        counted = self._counted
        for way, count in ways.items():
            key = rollout, number, arm, way
            counted[key] = counted.get(key, 0) + count


def _ways(decision: Decision) -> list[str]:
    """Return as what a decision counts."""
    verdict = decision.verdict
    ways = ["decisions", _OUTCOMES[verdict.outcome]]
    if not verdict.settled:
        ways.append("unknown")
    if any(signal.status in FAILED for signal in decision.signals.values()):
        ways.append("errors")
    return ways


def added(
    stages: Mapping[int, Mapping[str, Counts]], more: Mapping[int, Mapping[str, Counts]]
) -> dict[int, dict[str, Counts]]:
    """Return the sum of two tallies."""
    total = {number: dict(arms) for number, arms in stages.items()}
    for number, arms in more.items():
        of = total.setdefault(number, {})
        for arm, counts in arms.items():
            of[arm] = of[arm].plus(counts) if arm in of else counts
    return total


def arms_of(rollout: RolloutBody, tally: TallyBody | None) -> dict[str, Counts]:
    """Return what was counted of each arm since a rollout began, in all its stages."""
    if tally is None or tally.begun != rollout.begun:
        return {}
    found: dict[str, Counts] = {}
    for arms in tally.stages.values():
        for arm, counts in arms.items():
            found[arm] = found[arm].plus(counts) if arm in found else counts
    return {arm: _seen(counts) for arm, counts in found.items()}


def _seen(counts: Counts) -> Counts:
    """Return counts of which none is below 0.

    One may be, where a decision was superseded that another worker had not written down yet, or never did.
    """
    return Counts(*(max(0, getattr(counts, name)) for name in Counts.__struct_fields__))


def rails_on(rollout: RolloutBody, tally: TallyBody | None, rails: GuardRails) -> tuple[Rail, ...]:
    """Return how a canary stands against its guard rails; none for anything else."""
    if rollout.mode != "canary" or rollout.status != "running":
        return ()
    stages = tally.stages if tally is not None and tally.begun == rollout.begun else {}
    shares = dict(rollout.shares)
    none = Counts()
    return rails_of(
        rails,
        [
            (shares[number], _seen(arms.get("canary", none)), _seen(arms.get("champion", none)))
            for number, arms in stages.items()
            if number in shares
        ],
    )


def rollout_document(rollout: RolloutBody, tally: TallyBody | None, rails: GuardRails) -> RolloutDocument:
    """Return how a rollout stands."""
    counted = arms_of(rollout, tally) or rollout.arms
    ways = _OF_SHADOWS if rollout.mode == "shadow" else _OF_DECISIONS
    on = rails_on(rollout, tally, rails)
    return RolloutDocument(
        name=rollout.name,
        mode=rollout.mode,
        status=rollout.status,
        policy=rollout.policy,
        candidate=rollout.candidate,
        digest=rollout.digest,
        champion=rollout.champion,
        share=rollout.share,
        number=rollout.number,
        action=rollout.action,
        at=rollout.at,
        by=rollout.by,
        reason=rollout.reason,
        arms={arm: _arm(counts, ways) for arm, counts in sorted(counted.items())},
        rails=tuple(
            RailDocument(
                name=one.name,
                limit=one.limit,
                canary=one.canary,
                champion=one.champion,
                near=round(one.near, 4),
                acts=one.acts,
            )
            for one in on
        ),
        enough=rails.enough if on else None,
    )


def _arm(counts: Counts, ways: Mapping[str, str]) -> ArmDocument:
    total = counts.decisions
    shares = {}
    for said, way in ways.items():
        count = getattr(counts, way)
        low, high = interval(count, total)
        share = round(count / total, 6) if total else None
        shares[said] = ShareDocument(count=count, share=share, low=round(low, 6), high=round(high, 6))
    return ArmDocument(decisions=total, shares=shares)
