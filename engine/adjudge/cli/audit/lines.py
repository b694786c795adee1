"""A record as one line: for a person, or as a row of a table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from adjudge.audit.activation import ActivationBody
from adjudge.audit.annotations import ErasureBody, LabelBody
from adjudge.audit.bodies import DecisionBody, PolicyBody
from adjudge.audit.checkpoints import CheckpointBody
from adjudge.audit.closed import ArchiveBody, SegmentBody
from adjudge.audit.proposals import ProposalBody
from adjudge.audit.record import Record
from adjudge.audit.reviews import ReviewBody
from adjudge.audit.rollouts import RolloutBody, TallyBody
from adjudge.cli.output import counted
from adjudge.model import Reviewed, SignalStatus
from adjudge.plugin import CallBody

COLUMNS = (
    "seq", "kind", "at", "decision_id", "merchant_biz_id", "policy", "policy_digest", "outcome", "sampled", "final",
    "status", "supersedes", "reasons", "matched", "unresolved", "waived", "excused", "missing", "unknown", "cost",
    "signal", "provider", "stage", "billed", "price", "label", "found_on", "source", "names", "by", "reason",
)  # fmt: skip
"""Of the table: one row for each record, in which what a kind does not have is empty."""


def summary(record: Record, body: msgspec.Struct | None) -> str:
    """Return a record as one line. body: None of a kind that this version does not know."""
    where = str(record.place)
    match body:
        case DecisionBody():
            verdict = body.verdict
            codes = (*verdict.facts, *(f"{code}?" for code in verdict.doubts))
            because = f"  {', '.join(codes)}" if codes else ""
            waived = f"  waived: {', '.join(verdict.waived)}" if verdict.waived else ""
            waived += f"  sampled: {body.sampled.reason}" if body.sampled is not None else ""
            waived += "" if body.final else "  to confirm"
            waived += f"  {reviewed_said(body.reviewed)}" if body.reviewed is not None else ""
            said = f"{milliseconds(body.at)}  {body.decision_id}  {body.outcome.upper():<6}"
            return f"{where:>6}  decision  {said}  {body.merchant_biz_id}{because}{waived}"
        case PolicyBody():
            at = f"{milliseconds(body.at)}  " if body.at is not None else ""
            return f"{where:>6}  policy    {at}{body.policy} {body.digest[:12]}, engine {body.engine}"
        case CallBody():
            at = milliseconds(body.at)
            return f"{where:>6}  call      {at}  {body.merchant_biz_id}  {body.provider} {call_said(body)}"
        case CheckpointBody():
            key = f", signed with {body.key}" if body.key else ""
            gap = f", {counted(body.gap, 'record')} lost" if body.gap else ""
            at, closed = milliseconds(body.at), ", closed" if body.closed else ""
            said = f"{closed}{found_said(body)}{gap}{key}"
            return f"{where:>6}  checkpoint  {at}  after {counted(body.count, 'record')}{said}"
        case LabelBody():
            return f"{where:>6}  label     {milliseconds(body.at)}  {body.decision_id}  {label_said(body)}"
        case ErasureBody():
            return f"{where:>6}  erasure   {milliseconds(body.at)}  {body.merchant_biz_id}  {erasure_said(body)}"
        case ArchiveBody():
            said = f"{body.name}, records {body.first} to {body.last}, moved to {body.to}{_by(body.by)}"
            return f"{where:>6}  archive   {milliseconds(body.at)}  {said}"
        case SegmentBody():
            said = f"{body.name}, records {body.first} to {body.last}, {body.bytes:,} bytes"
            return f"{where:>6}  segment   {milliseconds(body.at)}  {said}"
        case ActivationBody():
            return f"{where:>6}  activation  {milliseconds(body.at)}  {activation_said(body)}"
        case ReviewBody():
            return f"{where:>6}  review    {milliseconds(body.at)}  {body.name}  {review_said(body)}"
        case RolloutBody():
            return f"{where:>6}  rollout     {milliseconds(body.at)}  {rollout_said(body)}"
        case ProposalBody():
            return f"{where:>6}  proposal    {milliseconds(body.at)}  {proposal_said(body)}"
        case TallyBody():
            total = sum(one.decisions for arms in body.stages.values() for one in arms.values())
            return f"{where:>6}  tally       {milliseconds(body.at)}  {body.name}: {counted(total, 'decision')} counted"
        case _:
            return f"{where:>6}  {record.kind}"


def found_said(point: CheckpointBody) -> str:
    """Return how a start found the log; nothing after an orderly close."""
    found = point.found
    retires = f", in place of {point.retires}" if point.retires is not None else ""
    if found is None or (not found.unsigned and found.proof != "none"):
        return retires
    proof = "adopted without proof" if found.proof == "none" else f"found unsigned, proven by {found.proof}"
    return f", {counted(found.unsigned, 'record')} {proof}{f' by {found.by}' if found.by else ''}{retires}"


def call_said(call: CallBody) -> str:
    """Return what became of a call, and what it costs."""
    if call.stage == "begun":
        return f"begun, {call.price} {call.currency}"
    paid = {"yes": "paid", "no": "not paid", "unknown": "in doubt"}[call.billed or "unknown"]
    return f"ended {call.status} in {call.latency_ms or 0:.0f} ms, {paid}" + (f": {call.reason}" if call.reason else "")


def label_said(label: LabelBody) -> str:
    """Return what was found, by whom."""
    note = f": {label.note}" if label.note else ""
    return f"{label.label}, {label.source}, {label.found_on}{_by(label.by)}{note}"


def erasure_said(gone: ErasureBody) -> str:
    """Return what was erased, by whom and why."""
    return f"{', '.join(gone.names)}{_by(gone.by)}" + (f": {gone.reason}" if gone.reason else "")


def proposal_said(body: ProposalBody) -> str:
    """Say what was done with a proposal, by whom and why."""
    did = "rolled back" if body.how == "back" else body.act.replace("_", " ")
    version = f" {body.policy} {body.digest[:12]}" if body.act == "made" else ""
    return f"{body.proposal}: {did}{version}{_by(body.by)}{f': {body.said}' if body.said else ''}"


def review_said(body: ReviewBody) -> str:
    """Say what was done with a review, and by whom."""
    what = body.act if body.outcome is None else f"{body.act} {body.outcome} {body.reason}"
    until = f" until {milliseconds(body.until)}" if body.until is not None else ""
    return f"{what}{until}{_by(body.by)}" + (f": {body.note}" if body.note else "")


def reviewed_said(reviewed: Reviewed) -> str:
    """Say that a person has decided, why, and who."""
    return f"decided by {reviewed.by or 'a person'}: {reviewed.reason}"


def rollout_said(body: RolloutBody) -> str:
    """Say what was done with a rollout, by whom and why."""
    share = "" if body.mode == "shadow" else f" at {100 * body.share:g}%"
    why = f": {body.reason}" if body.reason else ""
    return f"{body.name}: {body.action} of the {body.mode} {body.candidate}{share}{_by(body.by)}{why}"


def activation_said(body: ActivationBody) -> str:
    """Return which policies were to answer, in what, and whether they do."""
    named = ", ".join(f"{name} {digest[:12]}" for name, digest in body.after.items())
    bundles = ", ".join(f"{name} {one.counter} signed with {one.key}" for name, one in body.bundles.items())
    came = f", in {bundles}" if bundles else ""
    how = f"accepted {named}" if body.accepted else f"refused{f' {named}' if named else ''}"
    wrong = f": {'; '.join(body.messages)}" if body.messages else ""
    return f"{how}{came}, {body.reason}{_by(body.by)}{wrong}"


def _by(by: str) -> str:
    return f", by {by}" if by else ""


def milliseconds(at: datetime) -> str:
    """Return a time as logs show it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def row(record: Record, body: msgspec.Struct | None) -> Mapping[str, object]:
    """Return a record's cells by column; several of one kind in a cell are divided by a blank."""
    cells: dict[str, object] = {}
    if body is not None:
        cells = {name: getattr(body, name) for name in COLUMNS if getattr(body, name, None)}
    if isinstance(body, PolicyBody):
        cells["policy_digest"] = body.digest
    if isinstance(body, DecisionBody):
        verdict = body.verdict
        cells |= {name: getattr(verdict, name) for name in ("reasons", "matched", "unresolved", "waived", "excused",
                                                            "missing")}  # fmt: skip
        lost = (SignalStatus.OK, SignalStatus.SKIPPED)
        if body.sampled is not None:
            cells["sampled"] = body.sampled.reason
        cells["final"] = "yes" if body.final else "no"
        cells["unknown"] = tuple(name for name, signal in body.signals.items() if signal.status not in lost)
        cells["cost"] = tuple(f"{amount} {currency}" for currency, amount in body.cost.items())
    cells |= {"seq": str(record.place) if record.chain else record.seq, "kind": record.kind}
    return {name: _cell(value) for name, value in cells.items()}


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return milliseconds(value)
    return " ".join(map(str, value)) if isinstance(value, tuple) else value
