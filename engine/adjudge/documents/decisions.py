"""Decisions as JSON, to it and from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from adjudge.errors import JsonError
from adjudge.model import Decision, DecisionStatus, Outcome, Sampled, Signal, SignalStatus, Verdict
from adjudge.values.literals import format_timestamp

Problems = tuple[tuple[str, str], ...]


def decision_document(decision: Decision) -> dict[str, object]:
    """Return a decision as JSON has it: times and money are texts. Signals say how they fared, not what they said."""
    verdict, sampled = verdict_document(decision.verdict), decision.sampled
    return {
        "decision_id": decision.decision_id,
        "merchant_biz_id": decision.merchant_biz_id,
        "status": decision.status,
        **verdict,
        "outcome": decision.outcome.value,
        "final": decision.final,
        "sampled": sampled
        and {"reason": sampled.reason, "share": sampled.share, "instead_of": decision.verdict.outcome.value},
        "problems": [
            *_problems(_unrecordable(decision), by="log"),
            *_problems(decision.verdict.problems, by="policy"),
        ],
        "policy": decision.policy,
        "policy_digest": decision.policy_digest,
        "fingerprint": decision.fingerprint,
        "decided_at": format_timestamp(decision.decided_at),
        "signals": {name: _signal_document(signal) for name, signal in decision.signals.items()},
        "supersedes": decision.supersedes,
        "duration_ms": decision.duration_ms,
        "cost": {currency: str(amount) for currency, amount in decision.cost.items()},
        "capture_again": decision.capture_again,
        "capture_reason": decision.capture_reason,
        "notes": list(decision.notes),
    }


def verdict_document(verdict: Verdict) -> dict[str, object]:
    """Return a verdict as JSON has it."""
    return {
        "outcome": verdict.outcome.value,
        "lower": verdict.lower.value,
        "upper": verdict.upper.value,
        "settled": verdict.settled,
        "reasons": list(verdict.reasons),
        "doubts": list(verdict.doubts),
        "matched": list(verdict.matched),
        "unresolved": list(verdict.unresolved),
        "missing": list(verdict.missing),
        "score": list(verdict.score) if verdict.score is not None else None,
        "scores": {name: list(total) for name, total in verdict.scores.items()},
        "waived": list(verdict.waived),
        "excused": list(verdict.excused),
        "ask": list(verdict.ask),
        "problems": _problems(verdict.problems, by="policy"),
    }


def _unrecordable(decision: Decision) -> Problems:
    """Return the values that no log can hold, those of inputs first."""
    return (*decision.problems, *(one for signal in decision.signals.values() for one in signal.problems))


def _problems(found: Sequence[tuple[str, str]], *, by: str) -> list[dict[str, str]]:
    return [{"field": name, "problem": problem, "by": by} for name, problem in found]


def _signal_document(signal: Signal) -> dict[str, object]:
    return {
        "status": signal.status.value,
        "provider": signal.provider,
        "version": signal.version,
        "reason": signal.reason,
        "reason_code": signal.reason_code,
        "capture_again": signal.capture_again,
        "request_id": signal.request_id,
        "duration_ms": signal.duration_ms,
        "attempts": signal.attempts,
        "price": str(signal.price),
        "currency": signal.currency,
        "is_final": signal.is_final,
        "problems": _problems(signal.problems, by="log"),
    }


class _Problem(msgspec.Struct):
    field: str
    problem: str
    by: Literal["log", "policy"]


class _Sampled(msgspec.Struct):
    reason: str
    share: float
    instead_of: Outcome


class _Signal(msgspec.Struct):
    status: SignalStatus
    provider: str | None
    version: str | None
    reason: str | None
    reason_code: str | None
    capture_again: str | None
    request_id: str | None
    duration_ms: float
    attempts: int
    price: Decimal
    currency: str | None
    is_final: bool
    problems: tuple[_Problem, ...]


class _Decision(msgspec.Struct):
    """What must be there; a later version may say more."""

    decision_id: str
    merchant_biz_id: str
    status: DecisionStatus
    outcome: Outcome
    lower: Outcome
    upper: Outcome
    settled: bool
    reasons: tuple[str, ...]
    matched: tuple[str, ...]
    unresolved: tuple[str, ...]
    missing: tuple[str, ...]
    score: tuple[int, int] | None
    scores: dict[str, tuple[int, int]]
    waived: tuple[str, ...]
    excused: tuple[str, ...]
    ask: tuple[str, ...]
    problems: tuple[_Problem, ...]
    final: bool
    sampled: _Sampled | None
    policy: str
    policy_digest: str
    fingerprint: str
    decided_at: Annotated[datetime, msgspec.Meta(tz=True)]
    signals: dict[str, _Signal]
    supersedes: str | None
    duration_ms: float
    cost: dict[str, Decimal]
    capture_again: str | None
    capture_reason: str | None
    notes: tuple[str, ...]


_decoder = msgspec.json.Decoder(_Decision)


def decode_decision(document: bytes) -> Decision:
    """Return the decision that a document holds. The fields of its signals are not in one, and are empty here.

    Raises JsonError for what is no decision, or contradicts itself.
    """
    try:
        said = _decoder.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise JsonError(f"is no decision: {str(error)[:200].lower()}") from None
    decided = said.sampled.instead_of if said.sampled is not None else said.outcome
    if said.lower > said.upper or decided < said.lower or said.settled != (said.lower is said.upper):
        raise JsonError("is no decision: its outcome and bounds contradict each other")
    return _decision(said, decided)


def _decision(said: _Decision, decided: Outcome) -> Decision:
    signals = {name: _signal(name, one) for name, one in said.signals.items()}
    of_signals = {one for signal in signals.values() for one in signal.problems}
    by_log = [one for one in _pairs(said.problems, by="log") if one not in of_signals]
    return Decision(
        decision_id=said.decision_id,
        merchant_biz_id=said.merchant_biz_id,
        status=said.status,
        verdict=Verdict(
            outcome=decided,
            lower=said.lower,
            upper=said.upper,
            matched=said.matched,
            unresolved=said.unresolved,
            reasons=said.reasons,
            missing=said.missing,
            score=said.score,
            waived=said.waived,
            problems=_pairs(said.problems, by="policy"),
            excused=said.excused,
            ask=said.ask,
            scores=said.scores,
        ),
        policy=said.policy,
        policy_digest=said.policy_digest,
        fingerprint=said.fingerprint,
        decided_at=said.decided_at,
        signals=signals,
        supersedes=said.supersedes,
        duration_ms=said.duration_ms,
        cost=said.cost,
        capture_again=said.capture_again,
        capture_reason=said.capture_reason,
        notes=said.notes,
        problems=tuple(by_log),
        sampled=_sampled(said),
        final=said.final,
    )


def _signal(name: str, said: _Signal) -> Signal:
    parts: Mapping[str, object] = {one: getattr(said, one) for one in said.__struct_fields__}
    return Signal(name=name, **{**parts, "problems": _pairs(said.problems, by="log")})  # type: ignore[arg-type]  # its members are named and typed as those of a Signal


def _pairs(said: Sequence[_Problem], *, by: str) -> Problems:
    return tuple((one.field, one.problem) for one in said if one.by == by)


def _sampled(said: _Decision) -> Sampled | None:
    if said.sampled is None:
        return None
    return Sampled(then=said.outcome, reason=said.sampled.reason, share=said.sampled.share)
