"""`adjudge audit show` and `tail`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from adjudge.audit.bodies import COMMITMENT, DecisionBody, PolicyBody
from adjudge.audit.calls import CallBody
from adjudge.audit.checkpoints import CheckpointBody
from adjudge.audit.marks import ErasureBody, LabelBody
from adjudge.audit.read import read, tail
from adjudge.audit.record import Record
from adjudge.audit.verify import segments
from adjudge.cli.audit.records import broken, finished, log_argument
from adjudge.cli.group import FINE
from adjudge.cli.output import JSON, counted, format_option, print_exact, say, verdict_lines
from adjudge.errors import AuditUnavailable
from adjudge.expr.values import format_timestamp
from adjudge.policy.explanation import HIDDEN

POLL_S = 0.5


@click.command("show")
@log_argument
@click.argument("decision_id", required=False)
@click.option("--last", metavar="N", type=click.IntRange(min=1), help="Only the newest N records.")
@format_option
def show_command(log: Path, decision_id: str | None, last: int | None, form: str) -> int:
    """Show the records, or all of one decision.

    With `--format json` each record is printed as it stands in the log.
    """
    records: Iterable[Record] = _newest(log, last) if last is not None else read(log)
    if decision_id is None:
        for record in records:
            _print(log, record, form)
        return FINE
    for record in records:
        if record.kind == "decision" and _body(log, record).get("decision_id") == decision_id:
            print_exact(record.line.decode()) if form == JSON else say(*_whole(log, record))
            return FINE
    raise click.UsageError(f"there is no decision {decision_id} in {log}")


@click.command("tail")
@log_argument
@click.option("--last", metavar="N", type=click.IntRange(min=0), default=10, show_default=True)
@click.option("--follow", is_flag=True, help="Go on with new records until Ctrl-C.")
@format_option
def tail_command(log: Path, last: int, follow: bool, form: str) -> int:
    """Show the newest records, and follow the log."""
    seen = 0
    for record in _newest(log, last):
        _print(log, record, form)
        seen = record.seq
    while follow:
        time.sleep(POLL_S)
        for record in _since(log, seen):
            _print(log, record, form)
            seen = record.seq
    return FINE


def _newest(log: Path, number: int) -> Iterator[Record]:
    """Yield the newest records. Raises AuditUnavailable where there is no log."""
    if not segments(log):
        raise AuditUnavailable(f"{log}: holds no audit log")
    yield from finished(tail(log, max_records=number))


def _since(log: Path, seq: int) -> list[Record]:
    """Return the records after one, reading no more of the log's end than is needed."""
    wanted = 64
    while True:
        records = list(finished(tail(log, max_records=wanted)))
        if not records or records[0].seq <= seq + 1 or len(records) < wanted:
            return [record for record in records if record.seq > seq]
        wanted *= 8


def _print(log: Path, record: Record, form: str) -> None:
    print_exact(record.line.decode()) if form == JSON else say(_summary(log, record))


def _body(log: Path, record: Record) -> dict[str, Any]:
    try:
        return record.decode()
    except msgspec.DecodeError as error:
        raise broken(log, record, error) from None


def _summary(log: Path, record: Record) -> str:
    """Return a record as one line."""
    try:
        match record.kind:
            case "decision":
                body = record.decode(DecisionBody)
                verdict = body.verdict
                said = f"{_milliseconds(body.at)}  {body.decision_id}  {verdict.outcome.upper():<6}"
                codes = (*verdict.facts, *(f"{code}?" for code in verdict.doubts))
                because = f"  {', '.join(codes)}" if codes else ""
                return f"{record.seq:>6}  decision  {said}  {body.merchant_biz_id}{because}"
            case "policy":
                policy = record.decode(PolicyBody)
                return f"{record.seq:>6}  policy    {policy.policy} {policy.digest[:12]}, engine {policy.engine}"
            case "call":
                call = record.decode(CallBody)
                said = f"begun, {call.price} {call.currency}" if call.stage == "begun" else _ended(call)
                at = _milliseconds(call.at)
                return f"{record.seq:>6}  call      {at}  {call.merchant_biz_id}  {call.provider} {said}"
            case "checkpoint":
                point = record.decode(CheckpointBody)
                key = f", signed with {point.key}" if point.key else ""
                gap = f", {counted(point.gap, 'record')} lost" if point.gap else ""
                at = _milliseconds(point.at)
                return f"{record.seq:>6}  checkpoint  {at}  after {counted(point.count, 'record')}{gap}{key}"
            case "label":
                label = record.decode(LabelBody)
                said = f"{label.decision_id}  {label.label}, {label.source}, {label.found_on}"
                return f"{record.seq:>6}  label     {_milliseconds(label.at)}  {said}"
            case "erasure":
                gone = record.decode(ErasureBody)
                why = f": {gone.reason}" if gone.reason else ""
                said = f"{gone.merchant_biz_id}  {', '.join(gone.names)}{why}"
                return f"{record.seq:>6}  erasure   {_milliseconds(gone.at)}  {said}"
            case kind:
                return f"{record.seq:>6}  {kind}"
    except msgspec.DecodeError as error:
        raise broken(log, record, error) from None


def _milliseconds(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ended(call: CallBody) -> str:
    paid = {"yes": "paid", "no": "not paid", "unknown": "in doubt"}[call.billed or "unknown"]
    return f"ended {call.status} in {call.latency_ms or 0:.0f} ms, {paid}" + (f": {call.reason}" if call.reason else "")


def _whole(log: Path, record: Record) -> Iterator[str]:
    """Yield a decision with everything that it was made of."""
    try:
        body = record.decode(DecisionBody)
    except msgspec.DecodeError as error:
        raise broken(log, record, error) from None
    yield f"{body.verdict.outcome.value.upper()}  {body.merchant_biz_id}"
    yield from verdict_lines(body.verdict)
    yield f"  decided    {format_timestamp(body.at)}, {body.status}" + (
        f", in place of {body.supersedes}" if body.supersedes else ""
    )
    yield f"  policy     {body.policy} {body.policy_digest}"
    yield f"  scene      {body.scene_code}"
    if body.face is not None:
        size = f", {body.face.width} × {body.face.height} pixels" if body.face.width else ""
        yield f"  face       {body.face.media_type}{size}, SHA-256 {body.face.digest}"
    yield from _values("input", body.inputs)
    for name, signal in body.signals.items():
        reason = f": {signal.reason}" if signal.reason else ""
        yield f"  signal     {name} {signal.status.value.replace('_', ' ')}{reason}"
        yield from _values("", {f"{name}.{field}": value for field, value in signal.fields.items()})
    for note in body.notes:
        yield f"  note       {note}"
    yield f"  record     {record.seq}, hash {record.hash}"


def _values(label: str, values: Mapping[str, object]) -> Iterator[str]:
    for name, value in values.items():
        personal = isinstance(value, Mapping) and value.keys() == {COMMITMENT}
        yield f"  {label:<11}{name} = {HIDDEN if personal else json.dumps(value, ensure_ascii=False)}"
