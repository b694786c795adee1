"""Decisions as JSON, to it and from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec

from adjudge.documents.terms import Cursor, DecisionId, MerchantBizId, Money, Points, RuleIds, Timestamp, said
from adjudge.errors import JsonError
from adjudge.model import (
    Arm,
    Decision,
    DecisionPage,
    DecisionStatus,
    Outcome,
    Reviewed,
    Sampled,
    Signal,
    SignalStatus,
    Verdict,
)
from adjudge.values.literals import format_timestamp

Problems = tuple[tuple[str, str], ...]
CallId = Annotated[str, said("What the log knows a call by.", "5f0c2d41e07a3b4c58a1e6d2f0b7c8e9")]


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
        "reviewed": decision.reviewed
        and {
            "reason": decision.reviewed.reason,
            "judged_at": format_timestamp(decision.reviewed.judged_at),
            "instead_of": decision.verdict.outcome.value,
        },
        "arm": decision.arm
        and {"rollout": decision.arm.rollout, "number": decision.arm.number, "name": decision.arm.name},
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
        "awaits": [
            {"signal": one.name, "call": one.call, "until": format_timestamp(one.until) if one.until else None}
            for one in decision.awaits
        ],
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
        "call": signal.call,
        "until": format_timestamp(signal.until) if signal.until is not None else None,
    }


class FieldProblem(msgspec.Struct):
    """A value that was not taken, so that its field was unknown."""

    field: Annotated[str, said("The full name of the field.", "device.score")]
    problem: Annotated[str, said("What is wrong with the value.")]
    by: Annotated[Literal["log", "policy"], said("What has no room for the value: the log, or the policy.")]


class SampledDocument(msgspec.Struct):
    """That a decision was drawn for a person to look at, although the policy's verdict is softer."""

    reason: Annotated[str, said("The policy's code for it.", "QUALITY_CHECK")]
    share: Annotated[float, said("Of such verdicts that are drawn.", 0.02, minimum=0, maximum=1)]
    instead_of: Annotated[Outcome, said("The policy's verdict.")]


class ReviewedDocument(msgspec.Struct):
    """That a person has decided. Who it was, the log says."""

    reason: Annotated[str, said("The code of why.", "KNOWN_CUSTOMER")]
    judged_at: Annotated[Timestamp, said("When the policy was evaluated.")]
    instead_of: Annotated[Outcome, said("The policy's verdict.")]


class ArmOfDecision(msgspec.Struct):
    """By which version of the policy a decision was made, while a rollout ran."""

    rollout: Annotated[str, said("The rollout's name.", "stricter-devices")]
    number: Annotated[int, said("Of its record that was in force.", 2, minimum=1)]
    name: Annotated[Literal["champion", "canary", "hold-out", "shadow"], said("The arm.", "canary")]


class SignalDocument(msgspec.Struct):
    """How asking for a signal went. What it said of a person is not in a document."""

    status: Annotated[SignalStatus, said("All but `ok` leaves the signal's fields unknown.")]
    provider: Annotated[str | None, said("Who was asked; none where the caller supplied the signal.")]
    version: Annotated[str | None, said("The provider's version of the answer.")]
    reason: Annotated[str | None, said("For all but `ok`, why, in a few words.")]
    reason_code: Annotated[str | None, said("The provider's code for it.")]
    capture_again: Annotated[str | None, said("Why the picture should be taken again, as an instruction to show.")]
    request_id: Annotated[str | None, said("The provider's id of the call.")]
    duration_ms: Annotated[float, said("How long it took.", 412.5)]
    attempts: Annotated[int, said("How often it was tried.", 1, minimum=0)]
    price: Annotated[Money, said("What the calls cost, in `currency`.", "0.10")]
    currency: Annotated[str | None, said("Of the price.", "USD")]
    is_final: Annotated[bool, said("Whether a retry does not ask for it again.")]
    problems: tuple[FieldProblem, ...]
    call: Annotated[CallId | None, said("The call whose answer comes later, or came later.")] = None
    until: Annotated[Timestamp | None, said("By when a later answer counts.")] = None


class AwaitedDocument(msgspec.Struct):
    """A signal whose answer comes later and could change the verdict."""

    signal: Annotated[str, said("Its name in the policy.", "check")]
    call: CallId | None
    until: Annotated[Timestamp | None, said("By when the answer counts.")]


class DecisionDocument(msgspec.Struct):
    """The answer to a request, as it was recorded. A later version may say more."""

    decision_id: DecisionId
    merchant_biz_id: MerchantBizId
    status: Annotated[
        DecisionStatus,
        said(
            "`fresh` where it was decided now; `duplicate` where it is the answer that the MerchantBizId had already;"
            " `supersedes` where it takes the place of an earlier answer."
        ),
    ]
    outcome: Annotated[Outcome, said("What is to happen.")]
    lower: Annotated[Outcome, said("The mildest outcome that what is unknown could have led to.")]
    upper: Annotated[Outcome, said("The most severe outcome that what is unknown could have led to.")]
    settled: Annotated[bool, said("Whether nothing that is unknown could change the verdict: `lower` equals `upper`.")]
    reasons: Annotated[tuple[str, ...], said("Codes of the rules that decided.", ["FORGED"])]
    doubts: Annotated[tuple[str, ...], said("Those of `reasons` that could only not be ruled out.")]
    matched: Annotated[RuleIds, said("Ids of the rules that are true.")]
    unresolved: Annotated[RuleIds, said("Ids of the rules of which it is unknown whether they are true.")]
    missing: Annotated[tuple[str, ...], said("What was unknown and would have been needed.", ["device.score"])]
    score: Annotated[Points | None, said("The scorecard's total; none without a scorecard.")]
    scores: Annotated[dict[str, Points], said("The totals of scorecards that have names.")]
    waived: Annotated[RuleIds, said("What in doubt would have made the outcome worse, but for a waiver.")]
    excused: Annotated[RuleIds, said("What does not count because an excuse is true.")]
    ask: Annotated[tuple[str, ...], said("The steps to ask for next.", ["document"])]
    problems: Annotated[tuple[FieldProblem, ...], said("Values that were not taken.")]
    final: Annotated[bool, said("False where a person has to confirm the outcome.")]
    sampled: SampledDocument | None
    policy: Annotated[str, said("The name of the policy that decided.", "face-onboarding")]
    policy_digest: Annotated[str, said("The SHA-256 of the policy.")]
    fingerprint: Annotated[str, said("The keyed digest of the request: another request of the same id has another.")]
    decided_at: Timestamp
    signals: Annotated[dict[str, SignalDocument], said("By their names in the policy.")]
    supersedes: Annotated[DecisionId | None, said("The decision whose place this one takes.")]
    duration_ms: Annotated[float, said("How long it took to decide.", 431.2)]
    cost: Annotated[dict[str, Money], said("What the calls cost, by currency.", {"USD": "0.10"})]
    capture_again: Annotated[str | None, said("Why the picture should be taken again, as an instruction to show.")]
    capture_reason: Annotated[str | None, said("The code of that reason.")]
    notes: Annotated[tuple[str, ...], said("What went otherwise than usual, for a person to read.")]
    reviewed: ReviewedDocument | None = None
    arm: ArmOfDecision | None = None
    awaits: Annotated[tuple[AwaitedDocument, ...], said("What comes later; the decision is superseded then.")] = ()


class DecisionsDocument(msgspec.Struct):
    """Decisions that were found, the newest first."""

    decisions: tuple[DecisionDocument, ...]
    next: Annotated[
        Cursor | None,
        said("What to give as `cursor` for the decisions after these, of which there may be none; null at the end."),
    ]


_decoder = msgspec.json.Decoder(DecisionDocument)
_page_decoder = msgspec.json.Decoder(DecisionsDocument)


def decode_decision(document: bytes) -> Decision:
    """Return the decision that a document holds. The fields of its signals are not in one, and are empty here.

    Raises JsonError for what is no decision, or contradicts itself.
    """
    try:
        said = _decoder.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise JsonError(f"is no decision: {str(error)[:200].lower()}") from None
    return _consistent(said)


def page_document(page: DecisionPage) -> dict[str, object]:
    """Return a page of a search as JSON has it."""
    return {"decisions": [decision_document(one) for one in page.decisions], "next": page.next}


def decode_page(document: bytes) -> DecisionPage:
    """Return the page that a document holds. Raises JsonError, as `decode_decision`."""
    try:
        said = _page_decoder.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise JsonError(f"is no page of decisions: {str(error)[:200].lower()}") from None
    return DecisionPage(decisions=tuple(_consistent(one) for one in said.decisions), next=said.next)


def _consistent(said: DecisionDocument) -> Decision:
    """Return the decision. Raises JsonError where it contradicts itself."""
    changed = said.reviewed or said.sampled
    decided = changed.instead_of if changed is not None else said.outcome
    if said.lower > said.upper or decided < said.lower or said.settled != (said.lower is said.upper):
        raise JsonError("is no decision: its outcome and bounds contradict each other")
    return _decision(said, decided)


def _decision(said: DecisionDocument, decided: Outcome) -> Decision:
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
        arm=Arm(rollout=said.arm.rollout, number=said.arm.number, name=said.arm.name) if said.arm is not None else None,
        reviewed=_reviewed(said),
    )


def _signal(name: str, said: SignalDocument) -> Signal:
    parts: Mapping[str, object] = {one: getattr(said, one) for one in said.__struct_fields__}
    return Signal(name=name, **{**parts, "problems": _pairs(said.problems, by="log")})  # type: ignore[arg-type]  # its members are named and typed as those of a Signal


def _pairs(said: Sequence[FieldProblem], *, by: str) -> Problems:
    return tuple((one.field, one.problem) for one in said if one.by == by)


def _sampled(said: DecisionDocument) -> Sampled | None:
    if said.sampled is None:
        return None
    then = said.outcome if said.reviewed is None else Outcome.REVIEW
    return Sampled(then=then, reason=said.sampled.reason, share=said.sampled.share)


def _reviewed(said: DecisionDocument) -> Reviewed | None:
    if said.reviewed is None:
        return None
    return Reviewed(then=said.outcome, reason=said.reviewed.reason, judged_at=said.reviewed.judged_at)
