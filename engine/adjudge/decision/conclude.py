"""The decision that a request comes to, from its signals and its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from adjudge.decision.person import needs_person
from adjudge.decision.prepared import PreparedRequest
from adjudge.model import Arm, Decision, DecisionStatus, Outcome, Sampled, Signal, SignalStatus, Verdict


def conclude(
    prepared: PreparedRequest,
    signals: Mapping[str, Signal],
    verdict: Verdict,
    now: datetime,
    earlier: Decision | None,
    decision_id: str,
    took_ms: float,
    notes: tuple[str, ...],
    sampled: Sampled | None,
    arm: Arm | None = None,
) -> Decision:
    """Return the decision on a request.

    earlier: the decision that it supersedes, if there is one. took_ms: milliseconds so far. notes: to begin with.
    sampled: that it was drawn for a person to look at. arm: by which version it is made, while a rollout runs.
    """
    typed = prepared.policy.typed
    again = verdict.outcome is not Outcome.PASS
    status: DecisionStatus = "fresh" if earlier is None else "supersedes"
    cost: dict[str, Decimal] = {}
    capture_again = capture_reason = None
    said: list[str] = []
    problems, lost = [*prepared.problems], []
    for signal in signals.values():
        problems += signal.problems
        is_lost = signal.status not in (SignalStatus.OK, SignalStatus.PENDING) and signal.call is None
        if signal.is_final and is_lost and signal.capture_again is None:
            lost.append(f"{signal.name} may have been paid for without an answer, and is not asked again")
        if signal.price and signal.currency is not None:
            cost[signal.currency] = cost.get(signal.currency, Decimal(0)) + signal.price
        if capture_again is None and signal.capture_again is not None:
            capture_again, capture_reason = signal.capture_again, signal.reason_code
    problems += verdict.problems
    if problems or lost or verdict.waived or verdict.excused:  # of most requests there is nothing to say
        said = [f"{name} {what}" for name, what in problems] + lost
        said += [f"the doubt about `{rule}` was waived by the policy" for rule in verdict.waived]
        said += [f"`{rule}` does not count: the policy excuses it" for rule in verdict.excused]
    if sampled is not None:
        said.append(f"drawn for a person to look at: {sampled.reason}, {100 * sampled.share:g}% of what passes")
    return Decision(
        decision_id=decision_id,
        merchant_biz_id=prepared.request.merchant_biz_id,
        status=status,
        verdict=verdict,
        policy=prepared.policy.name,
        policy_digest=prepared.policy.digest,
        fingerprint=prepared.key.fingerprint,
        decided_at=now,
        signals=signals,
        supersedes=earlier.decision_id if earlier is not None else None,
        cost=cost,
        capture_again=capture_again if again else None,
        capture_reason=capture_reason if again else None,
        duration_ms=took_ms,
        notes=(*notes, *said) if said else notes,
        problems=prepared.problems,
        sampled=sampled,
        final=not (typed.confirms and needs_person(typed, verdict)),
        arm=arm,
    )
