"""`adjudge audit calls`."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from adjudge.audit.calls import Bill
from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.kinds import bodies
from adjudge.cli.group import FINE
from adjudge.cli.logs import log_argument
from adjudge.cli.output import JSON, counted, format_option, print_json, say
from adjudge.plugin import CallBody
from adjudge.values.literals import format_timestamp


@click.command("calls")
@log_argument
@format_option
def calls_command(log: AnyLog, form: str) -> int:
    """Show what billed calls came to, day by day, and the calls in doubt.

    In doubt is a call that was begun and never ended, or whose answer was lost: it may have been paid for.
    """
    bill = Bill()
    for record, body in bodies(log, CallBody):
        bill.add(record.place, body)
    if form == JSON:
        print_json(_bill_document(bill))
        return FINE
    for (day, provider, currency), paid in sorted(bill.days.items()):
        doubt = f", {paid.in_doubt} in doubt worth up to {paid.doubtful} {currency}" if paid.in_doubt else ""
        say(f"{day}  {provider}  {counted(paid.calls, 'call')}, {paid.billed} paid, {paid.paid} {currency}{doubt}")
    for place, body in bill.in_doubt.values():
        lost = "begun and never ended" if body.stage == "begun" else f"no usable answer: {body.reason}"
        say(f"  in doubt: record {place}, {format_timestamp(body.at)}, {body.merchant_biz_id}, {body.provider}, {lost}")
    if not bill.days:
        say("no billed calls")
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
        "in_doubt": [
            {"seq": at.seq, **({"chain": at.chain} if at.chain else {}), **msgspec.to_builtins(body)}
            for at, body in bill.in_doubt.values()
        ],
    }
