"""`adjudge review`: what waits for a person, and what a person does with it, from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from adjudge.audit.elsewhere import AnyLog
from adjudge.cli.audit.annotations import by_option
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.logs import log_argument
from adjudge.cli.output import JSON, counted, format_option, print_json, say
from adjudge.cli.rollout import place_options, reached
from adjudge.cli.settings import Settings
from adjudge.documents.reviews import (
    QUEUE_LIMIT,
    QUEUE_LIMIT_MAX,
    STATUSES,
    LookDocument,
    ReviewDocument,
    ReviewQuery,
    ReviewsDocument,
)
from adjudge.replay.reviews import ReviewReport, review_report
from adjudge.values.literals import format_timestamp

Place = tuple[Path | None, str | None, Path | None]
DAY = ["%Y-%m-%d"]


@click.group("review")
def command() -> None:
    """Say what waits for a person, and claim, note and decide it.

    Of the engine of a --config that no other process has open, or over PostgreSQL beside them; or of a --service.
    """


_decision = click.argument("decision_id")
_note = click.option("--note", default="", help="A few words; they are recorded.")


@command.command("list")
@click.option("--status", type=click.Choice([*STATUSES, "due"]), help="How it stands; `due` is what is late.")
@click.option("--policy", help="The name of the policy that decided.")
@click.option("--reason", help="A reason code of the decision.")
@click.option("--holder", help="Who has claimed it.")
@click.option("--since", type=click.DateTime(DAY), help="Since which day of UTC; 14 days ago unless given.")
@click.option("--limit", type=int, default=QUEUE_LIMIT, show_default=True, help="How many at most.")
@by_option
@place_options
@format_option
@click.pass_obj
def list_command(
    settings: Settings, status: str | None, policy: str | None, reason: str | None, holder: str | None,
    since: datetime | None, limit: int, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """List what waits for a person, the oldest first."""
    query = ReviewQuery(
        status=status,
        policy=policy,
        reason=reason,
        holder=holder,
        since=since.replace(tzinfo=UTC) if since is not None else None,
        limit=limit,
    )
    with reached(settings, config, service, key_file) as engine:
        found = engine.reviews_sync(query, by=by)
    if form == JSON:
        print_json(msgspec.to_builtins(found))
    else:
        say(*queue_lines(found))
    return FINE


@command.command("show")
@_decision
@by_option
@place_options
@format_option
@click.pass_obj
def show_command(
    settings: Settings, decision_id: str, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Say how the review of a decision stands."""
    with reached(settings, config, service, key_file) as engine:
        found = engine.find_review_sync(decision_id, by=by)
    return _said(found, form)


def _done(settings: Settings, place: Place, form: str, action: str, decision_id: str, **said: Any) -> int:
    with reached(settings, *place) as engine:
        done = engine.review_sync(action, decision_id, **said)
    return _said(done, form)


def _said(found: ReviewDocument, form: str) -> int:
    if form == JSON:
        print_json(msgspec.to_builtins(found))
    else:
        say(*lines_of(found))
    return FINE


@command.command("claim")
@_decision
@by_option
@place_options
@format_option
@click.pass_obj
def claim_command(
    settings: Settings, decision_id: str, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Claim a review, so that nobody else decides it meanwhile; claim it again to have longer."""
    return _done(settings, (config, service, key_file), form, "claim", decision_id, by=by)


@command.command("note")
@_decision
@click.argument("note")
@by_option
@place_options
@format_option
@click.pass_obj
def note_command(
    settings: Settings, decision_id: str, note: str, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Write something beside a review."""
    return _done(settings, (config, service, key_file), form, "note", decision_id, note=note, by=by)


@command.command("release")
@_decision
@by_option
@place_options
@format_option
@click.pass_obj
def release_command(
    settings: Settings, decision_id: str, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Give back what you have claimed."""
    return _done(settings, (config, service, key_file), form, "release", decision_id, by=by)


@command.command("decide")
@_decision
@click.argument("outcome", type=click.Choice(["pass", "reject"]))
@click.option("--reason", required=True, help="The code of why, such as FORGED_PICTURE.")
@_note
@by_option
@place_options
@format_option
@click.pass_obj
def decide_command(
    settings: Settings, decision_id: str, outcome: str, reason: str, note: str, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Decide what you have claimed, in place of the policy."""
    said = {"outcome": outcome, "reason": reason, "note": note, "by": by}
    return _done(settings, (config, service, key_file), form, "decide", decision_id, **said)


@command.command("decide-many")
@click.argument("outcome", type=click.Choice(["pass", "reject"]))
@click.option("--count", type=int, required=True, help="How many you expect; with another number nothing is done.")
@click.option("--reason", required=True, help="The code of why, for all of them.")
@click.option("--policy", help="Those that this policy decided.")
@click.option("--because", help="Those that came out so by this reason code.")
@click.option("--due", is_flag=True, help="Those that are late.")
@_note
@by_option
@place_options
@format_option
@click.pass_obj
def decide_many_command(
    settings: Settings, outcome: str, count: int, reason: str, policy: str | None, because: str | None, due: bool,
    note: str, by: str, config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Claim and decide all that a filter shows, in the same way.

    Exit status 1 where somebody else came first at one of them.
    """
    query = ReviewQuery(status="due" if due else None, policy=policy, reason=because, limit=QUEUE_LIMIT_MAX)
    with reached(settings, config, service, key_file) as engine:
        done = engine.review_many_sync(query, count=count, outcome=outcome, reason=reason, note=note, by=by)
    decided = [one for one in done if isinstance(one, ReviewDocument)]
    refused = [one for one in done if not isinstance(one, ReviewDocument)]
    if form == JSON:
        print_json({"decided": [msgspec.to_builtins(one) for one in decided], "refused": [str(one) for one in refused]})
    else:
        say(*(f"{one.decision_id}  {outcome}" for one in decided))
        say(*(f"not decided: {one}" for one in refused))
        say(f"{counted(len(decided), 'review')} decided")
    return FINDINGS if refused else FINE


@command.command("report")
@log_argument
@format_option
def report_command(log: AnyLog, form: str) -> int:
    """Count what people decided in a log, how long it took, and how often two agreed."""
    found = review_report(log)
    if form == JSON:
        print_json(
            {
                "waiting": found.waiting,
                "decided": [
                    {"outcome": outcome.value, "reason": reason, "count": count}
                    for (outcome, reason), count in sorted(found.decided.items())
                ],
                "people": dict(sorted(found.people.items())),
                "median_s": found.median_s,
                "second": found.second,
                "agreed": found.agreed,
                "apart": found.apart,
            }
        )
    else:
        say(*_report_lines(found))
    return FINE


def _report_lines(found: ReviewReport) -> Iterator[str]:
    total = sum(found.decided.values())
    yield f"{counted(total, 'review')} decided, {found.waiting} waiting"
    for (outcome, reason), count in sorted(found.decided.items()):
        yield f"  {outcome.value:<7} {reason}  {count}"
    for name, count in sorted(found.people.items()):
        yield f"  by {name}  {count}"
    if found.median_s is not None:
        yield f"  half within {found.median_s / 3600:.1f} h"
    if found.second:
        yield f"  looked at twice {found.second}, agreed {found.agreed} ({100 * found.agreed / found.second:.0f}%)"
    if found.apart:
        yield f"  apart at {', '.join(found.apart[:5])}"


def queue_lines(found: ReviewsDocument) -> Iterator[str]:
    """Yield what waits, for a terminal."""
    for one in found.reviews:
        held = f", {one.holder} until {_time(one.until)}" if one.holder is not None and one.until is not None else ""
        confirm = "  reject to confirm" if one.outcome == "reject" else ""
        yield f"{one.decision_id}  {one.status}{held}  due {_time(one.due)}  {', '.join(one.reasons)}{confirm}"
    more = "" if found.complete else "; there may be more"
    yield f"{counted(len(found.reviews), 'review')} of decisions since {_time(found.since)}{more}"


def lines_of(one: ReviewDocument) -> Iterator[str]:
    """Yield how a review stands, for a terminal."""
    yield f"{one.decision_id}  {one.status}"
    yield f"  decided    {one.outcome} by {one.policy} at {_time(one.decided_at)}: {', '.join(one.reasons)}"
    yield f"  due        {_time(one.due)}"
    if one.holder is not None and one.until is not None:
        yield f"  held       by {one.holder} until {_time(one.until)}"
    for note in one.notes:
        yield f"  note       {_time(note.at)}, {note.by}: {note.note}"
    yield from _look("first", one.first)
    yield from _look("second", one.second)
    if one.agrees is not None:
        yield f"  agree      {'yes' if one.agrees else 'no'}"
    if one.decision is not None:
        yield f"  answer     {one.decision}"


def _look(label: str, look: LookDocument | None) -> Iterator[str]:
    if look is not None:
        yield f"  {label:<11}{look.outcome} by {look.by} at {_time(look.at)}: {look.reason}"


def _time(at: datetime) -> str:
    return format_timestamp(at.replace(microsecond=0))
