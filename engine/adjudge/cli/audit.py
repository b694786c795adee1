"""`adjudge audit`: verify and read an audit log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from adjudge.audit.bodies import COMMITMENT, DecisionBody, PolicyBody
from adjudge.audit.calls import Bill, CallBody
from adjudge.audit.read import UnfinishedLine, read, tail
from adjudge.audit.record import Record
from adjudge.audit.verify import render, segments, verify
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.output import JSON, counted, format_option, print_json, verdict_lines
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.expr.values import format_timestamp
from adjudge.policy.explanation import HIDDEN

POLL_S = 0.5
_log = click.argument("log", type=click.Path(exists=True, path_type=Path))


@click.group("audit")
def command() -> None:
    """Verify and read an audit log.

    LOG is the log's folder, or one of its files.
    """


@command.command("verify")
@_log
@click.option("--expect-last", metavar="HASH", help="The hash of the last record, from an outside witness.")
@click.option("--expect-count", metavar="N", type=int, help="The number of records, from an outside witness.")
@format_option
def verify_command(log: Path, expect_last: str | None, expect_count: int | None, form: str) -> int:
    """Check every record, and name the first that is wrong."""
    try:
        findings = verify(log, expect_last=expect_last, expect_count=expect_count)
    except OSError as error:
        raise AuditUnavailable(f"{log}: {error.strerror}") from None
    print_json(asdict(findings)) if form == JSON else click.echo(render(findings))
    return FINE if findings.is_good else FINDINGS


@command.command("show")
@_log
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
            click.echo(record.line.decode().rstrip("\n") if form == JSON else "\n".join(_whole(log, record)))
            return FINE
    raise click.UsageError(f"there is no decision {decision_id} in {log}")


@command.command("tail")
@_log
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


@command.command("calls")
@_log
@format_option
def calls_command(log: Path, form: str) -> int:
    """Show what billed calls came to, day by day, and the calls in doubt.

    In doubt is a call that was begun and never ended, or whose answer was lost: it may have been paid for.
    """
    bill = Bill()
    for record in _finished(read(log)):
        if record.kind == "call":
            try:
                bill.add(record.seq, record.decode(CallBody))
            except msgspec.DecodeError as error:
                raise _broken(log, record, error) from None
    if form == JSON:
        print_json(_bill_document(bill))
        return FINE
    for (day, provider, currency), paid in sorted(bill.days.items()):
        doubt = f", {paid.in_doubt} in doubt worth up to {paid.doubtful} {currency}" if paid.in_doubt else ""
        click.echo(
            f"{day}  {provider}  {counted(paid.calls, 'call')}, {paid.billed} paid, {paid.paid} {currency}{doubt}"
        )
    for seq, body in bill.in_doubt.values():
        lost = "begun and never ended" if body.stage == "begun" else f"no usable answer: {body.reason}"
        click.echo(
            f"  in doubt: record {seq}, {format_timestamp(body.at)}, {body.merchant_biz_id}, {body.provider}, {lost}"
        )
    if not bill.days:
        click.echo("no billed calls")
    return FINE


def _bill_document(bill: Bill) -> dict[str, Any]:
    days = [
        {
            "day": day.isoformat(),
            "provider": provider,
            "currency": currency,
            "calls": paid.calls,
            "billed": paid.billed,
            "paid": str(paid.paid),
            "in_doubt": paid.in_doubt,
            "doubtful": str(paid.doubtful),
        }
        for (day, provider, currency), paid in sorted(bill.days.items())
    ]
    return {
        "days": days,
        "in_doubt": [{"seq": seq, **msgspec.to_builtins(body)} for seq, body in bill.in_doubt.values()],
    }


def _newest(log: Path, number: int) -> Iterator[Record]:
    """Yield the newest records. Raises AuditUnavailable where there is no log."""
    if not segments(log):
        raise AuditUnavailable(f"{log}: holds no audit log")
    yield from _finished(tail(log, max_records=number))


def _finished(records: Iterator[Record]) -> Iterator[Record]:
    """Yield records up to a last line that its writer has not finished yet."""
    try:
        yield from records
    except UnfinishedLine:
        return


def _since(log: Path, seq: int) -> list[Record]:
    """Return the records after one, reading no more of the log's end than is needed."""
    wanted = 64
    while True:
        records = list(_finished(tail(log, max_records=wanted)))
        if not records or records[0].seq <= seq + 1 or len(records) < wanted:
            return [record for record in records if record.seq > seq]
        wanted *= 8


def _print(log: Path, record: Record, form: str) -> None:
    click.echo(record.line.decode().rstrip("\n") if form == JSON else _summary(log, record))


def _body(log: Path, record: Record) -> dict[str, Any]:
    try:
        return record.decode()
    except msgspec.DecodeError as error:
        raise _broken(log, record, error) from None


def _broken(log: Path, record: Record, error: Exception) -> AuditBroken:
    return AuditBroken(f"{log}: record {record.seq} is no {record.kind}: {error}")


def _summary(log: Path, record: Record) -> str:
    """Return a record as one line."""
    try:
        match record.kind:
            case "decision":
                body = record.decode(DecisionBody)
                verdict = body.verdict
                said = f"{_milliseconds(body.at)}  {body.decision_id}  {verdict.outcome.upper():<6}"
                because = f"  {', '.join(verdict.reasons)}" if verdict.reasons else ""
                return f"{record.seq:>6}  decision  {said}  {body.merchant_biz_id}{because}"
            case "policy":
                policy = record.decode(PolicyBody)
                return f"{record.seq:>6}  policy    {policy.policy} {policy.digest[:12]}, engine {policy.engine}"
            case "call":
                call = record.decode(CallBody)
                said = f"begun, {call.price} {call.currency}" if call.stage == "begun" else _ended(call)
                at = _milliseconds(call.at)
                return f"{record.seq:>6}  call      {at}  {call.merchant_biz_id}  {call.provider} {said}"
            case kind:
                return f"{record.seq:>6}  {kind}"
    except msgspec.DecodeError as error:
        raise _broken(log, record, error) from None


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
        raise _broken(log, record, error) from None
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
