"""`adjudge proposal`: new versions of policies, from what somebody proposes to what answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from adjudge.cli.audit.annotations import by_option
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.output import JSON, counted, format_option, print_json, say
from adjudge.cli.rollout import Share, place_options, reached
from adjudge.cli.settings import Settings
from adjudge.documents.proposals import STATUSES, ActDocument, ChecksDocument, ProposalDocument
from adjudge.policy.loading.folder import is_test_file
from adjudge.policy.loading.load import read_policy_file, read_source
from adjudge.texts import one_line, split_lines

_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_RELATIONS = {
    "same": "gives every input the same outcome (proved)",
    "stricter": "stricter: where outcomes differ, its own is the more severe one (proved)",
    "laxer": "laxer: where outcomes differ, its own is the softer one (proved)",
    "both": "stricter on some inputs and laxer on others",
    "not proved": "not proved: some questions were not settled",
}


@click.group("proposal")
def command() -> None:
    """Propose new versions of policies; look at them, approve and activate them.

    Of the engine of a --config that no other process has open, or over PostgreSQL beside them; or of a --service.
    """


_name = click.argument("name")
_seen = click.option(
    "--seen", type=click.IntRange(min=1), required=True, help="The number of the last act that you have looked at."
)
_reason = click.option("--reason", required=True, help="Why; it is recorded.")


@command.command("make")
@click.argument("policy", type=_file, required=False)
@click.option("--name", help="What to call it, or which one to make again; the next whole number unless given.")
@click.option("--tests", multiple=True, type=_file, help="A file of tests; those beside the policy unless given.")
@click.option("--seen", type=click.IntRange(min=1), help="To make one again: the last act that you have looked at.")
@_reason
@by_option
@place_options
@format_option
@click.pass_obj
def make_command(
    settings: Settings, policy: Path | None, name: str | None, tests: tuple[Path, ...], seen: int | None, reason: str,
    by: str, config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Propose the version of a policy that stands in a file.

    It is checked against the version that answers now. Without a file, the newest version of a proposal is confirmed:
    made again from what answers by now. Exit status 1 where there are warnings or tests fail; it is made all the same.
    """
    said: dict[str, Any] = {"seen": seen, "reason": reason, "by": by}
    if policy is not None:
        typed = read_policy_file(policy, settings.catalogue())
        said["text"] = typed.source.part(0)[0].text
        said["lists"] = {path: text for path, text in typed.texts.items() if not path.startswith("builtin:")}
        found = tests or tuple(_tests_of(policy))
        said["tests"] = {file.name: read_source(file, "test file").text for file in found}
    elif name is None:
        raise click.UsageError("name a POLICY file, or with --name a proposal that is to be confirmed")
    with reached(settings, config, service, key_file) as engine:
        done = engine.proposal_sync("make", name, **said)
    _tell(done, form)
    return FINDINGS if done.checks is not None and has_faults(done.checks) else FINE


def _tests_of(policy: Path) -> Iterator[Path]:
    from adjudge.authoring.policy_tests.cases import policy_of

    for file in sorted(policy.parent.iterdir()):
        named = policy_of(file) if is_test_file(file) else None
        if named is not None and named.resolve() == policy.resolve():
            yield file


@command.command("list")
@click.option("--status", type=click.Choice(STATUSES), multiple=True, help="Only those that stand so.")
@place_options
@format_option
@click.pass_obj
def list_command(
    settings: Settings, status: tuple[str, ...], config: Path | None, service: str | None, key_file: Path | None,
    form: str,
) -> int:  # fmt: skip
    """List proposals, and say how each stands."""
    with reached(settings, config, service, key_file) as engine:
        found = [one for one in engine.proposals_sync() if not status or one.status in status]
    if form == JSON:
        print_json([msgspec.to_builtins(one) for one in found])
        return FINE
    say(*(line_of(one) for one in found), counted(len(found), "proposal"))
    return FINE


@command.command("show")
@_name
@click.option("--text", "with_text", is_flag=True, help="Show the whole policy, not only what differs.")
@place_options
@format_option
@click.pass_obj
def show_command(
    settings: Settings, name: str, with_text: bool, config: Path | None, service: str | None, key_file: Path | None,
    form: str,
) -> int:  # fmt: skip
    """Show a proposal: what differs, what the checks came to, and what was done with it."""
    with reached(settings, config, service, key_file) as engine:
        found = engine.find_proposal_sync(name)
    if form == JSON:
        print_json(msgspec.to_builtins(found))
        return FINE
    say(*lines_of(found))
    say("", *split_lines((found.text if with_text else found.diff) or ""))
    return FINE


def _act(
    settings: Settings, place: tuple[Path | None, str | None, Path | None], form: str, action: str, name: str,
    **said: Any,
) -> int:  # fmt: skip
    with reached(settings, *place) as engine:
        _tell(engine.proposal_sync(action, name, **said), form)
    return FINE


def _tell(done: ProposalDocument, form: str) -> None:
    if form == JSON:
        print_json(msgspec.to_builtins(done))
    else:
        say(*lines_of(done))


@command.command("comment")
@_name
@click.argument("text")
@click.option("--seen", type=click.IntRange(min=1), help="Only while nobody did anything after this act.")
@by_option
@place_options
@format_option
@click.pass_obj
def comment_command(
    settings: Settings, name: str, text: str, seen: int | None, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Say what you think of a proposal."""
    return _act(settings, (config, service, key_file), form, "comment", name, reason=text, seen=seen, by=by)


@command.command("approve")
@_name
@_seen
@click.option("--reason", default="", help="Why; it is recorded.")
@by_option
@place_options
@format_option
@click.pass_obj
def approve_command(
    settings: Settings, name: str, seen: int, reason: str, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Approve the version that you have looked at. It does not answer before it is activated."""
    return _act(settings, (config, service, key_file), form, "approve", name, seen=seen, reason=reason, by=by)


@command.command("send-back")
@_name
@_seen
@_reason
@by_option
@place_options
@format_option
@click.pass_obj
def send_back_command(
    settings: Settings, name: str, seen: int, reason: str, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Send a proposal back to who made it; approvals that it has are gone."""
    return _act(settings, (config, service, key_file), form, "send-back", name, seen=seen, reason=reason, by=by)


@command.command("activate")
@_name
@_seen
@click.option("--canary", "share", type=Share(), help="Let it decide a share of all ids first, such as 5%.")
@click.option("--reason", default="", help="Why; it is recorded.")
@by_option
@place_options
@format_option
@click.pass_obj
def activate_command(
    settings: Settings, name: str, seen: int, share: float | None, reason: str, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Let an approved proposal answer, all requests at once or a share of them.

    It is done by the rollout `proposal-NAME`, which `adjudge rollout` ramps, promotes and aborts like any other.
    """
    said = {"how": "now" if share is None else "canary", "share": share, "seen": seen, "reason": reason, "by": by}
    return _act(settings, (config, service, key_file), form, "activate", name, **said)


@command.command("roll-back")
@_name
@_seen
@_reason
@by_option
@place_options
@format_option
@click.pass_obj
def roll_back_command(
    settings: Settings, name: str, seen: int, reason: str, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Let the version answer again that did before a proposal was activated."""
    return _act(settings, (config, service, key_file), form, "roll-back", name, seen=seen, reason=reason, by=by)


@command.command("withdraw")
@_name
@_seen
@click.option("--reason", default="", help="Why; it is recorded.")
@by_option
@place_options
@format_option
@click.pass_obj
def withdraw_command(
    settings: Settings, name: str, seen: int, reason: str, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Give a proposal up that has not been activated."""
    return _act(settings, (config, service, key_file), form, "withdraw", name, seen=seen, reason=reason, by=by)


def has_faults(checks: ChecksDocument) -> bool:
    """Whether the checks found what `adjudge check` and `adjudge test` fail for."""
    return any(one.severity == "warning" for one in checks.findings) or bool(checks.tests and checks.tests.failed)


def line_of(one: ProposalDocument) -> str:
    """Return a proposal in one line, for a list."""
    return f"{one.name}  {status_of(one)}  {one.policy} {one.digest[:12]} by {one_line(one.by)}: {one_line(one.reason)}"


def status_of(one: ProposalDocument) -> str:
    """Say how a proposal stands."""
    said = one.status.replace("_", " ")
    if one.approved_by:
        said += f" by {', '.join(map(one_line, one.approved_by))}" if one.status == "approved" else ""
    if one.stale:
        return f"{said}, but another version answers by now than it was made from"
    if one.status == "activated":
        where = {"promoted": "answers", "running": "a canary", "ended": "and its rollout has ended"}
        said += f", {'answers' if one.live else where.get(one.rollout_status, 'not yet done: activate it again')}"
        if one.rollout_status == "promoted" and not one.live:
            said = "activated, and another version answers by now"
    return said


def lines_of(one: ProposalDocument) -> list[str]:
    """Return how a proposal stands, for a terminal."""
    version = f", version {one.versions}" if one.versions > 1 else ""
    lines = [
        f"proposal {one.name}{version}: {status_of(one)}",
        f"  {one.policy} {one.digest[:12]}, made from {one.base[:12]} by {one_line(one.by)}"
        f" at {one.at:%Y-%m-%dT%H:%M:%SZ}: {one_line(one.reason)}",
    ]
    if one.checks is not None:
        lines += [f"  {line}" for line in checks_lines(one.checks)]
    lines += [f"  {act_said(act)}" for act in one.acts]
    return lines


def checks_lines(checks: ChecksDocument) -> Iterator[str]:
    """Say what the checks of a version came to."""
    if checks.comparison is not None:
        yield _RELATIONS.get(checks.comparison.relation, checks.comparison.relation)
        for region in checks.comparison.regions:
            yield f"  {region.old} → {region.new}: {region.cause}"
            yield f"    such as {region.witness}"
        if checks.comparison.more:
            yield "  there are more differences than are shown"
        for question in checks.comparison.open:
            yield f"  not proved: {question}"
    else:
        yield f"not compared: {checks.missing}"
    if checks.tests is None:
        yield "no tests were given"
    else:
        tests = checks.tests
        yield f"{tests.passed} of {counted(tests.passed + tests.failed, 'test')} passed"
        for failure in tests.failures:
            yield f"  {failure}"
    for finding in checks.findings:
        yield f"line {finding.line}: {finding.severity}[{finding.code}]: {finding.message}"
    if checks.more:
        yield f"and {counted(checks.more, 'finding')} more"


def act_said(act: ActDocument) -> str:
    """Say what was done, by whom and why."""
    did = act.act.replace("_", " ")
    if act.how == "back":
        did = "rolled back"
    elif act.how == "canary":
        did += f" as a canary of {100 * (act.share or 0):g}%"
    why = f": {one_line(act.reason)}" if act.reason else ""
    return f"{act.step}  {act.at:%Y-%m-%dT%H:%M:%SZ}  {did} by {one_line(act.by)}{why}"
