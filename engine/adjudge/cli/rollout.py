"""`adjudge rollout`: which version of a policy decides how much, done and looked at from the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from adjudge.audit.elsewhere import AnyLog
from adjudge.cli.audit.annotations import by_option
from adjudge.cli.engines import configured
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.logs import log_argument
from adjudge.cli.output import JSON, counted, format_option, print_json, say
from adjudge.cli.settings import Settings
from adjudge.decision.door import Door
from adjudge.documents.rollouts import ArmDocument, RolloutDocument
from adjudge.errors import LogInUse
from adjudge.model import MODES
from adjudge.replay.rollouts import RolloutReport, report_of
from adjudge.rollouts.guard_rails import interval

KEY = "ADJUDGE_KEY"


@click.group("rollout")
def command() -> None:
    """Start, ramp, promote and abort rollouts, and say how they stand.

    Of the engine of a --config that no other process has open, or over PostgreSQL beside them; or of a --service.
    """


class Share(click.ParamType):  # type: ignore[type-arg]  # generic for mypy alone
    """A share as it is said: 5%, or 0.05."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, context: click.Context | None) -> float:
        """Return the share, above 0 and up to 1."""
        if isinstance(value, float):
            return value
        said = str(value)
        try:
            share = float(said.removesuffix("%")) / (100 if said.endswith("%") else 1)
        except ValueError:
            share = 0.0
        if not 0 < share <= 1:
            self.fail(f"`{said}` is no share, such as 5% or 0.05", param, context)
        return share


def place_options(wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """Say which engine is meant."""
    config = click.Path(exists=True, dir_okay=False, path_type=Path)
    for option in (
        click.option("--config", type=config, help="The configuration of an engine, such as adjudge.yaml."),
        click.option("--service", metavar="URL|SOCKET", help="A service that runs."),
        click.option("--key-file", type=config, help=f"The key to the service; {KEY} in the environment otherwise."),
    ):
        wrapped = option(wrapped)
    return wrapped


@contextmanager
def reached(settings: Settings, config: Path | None, service: str | None, key_file: Path | None) -> Iterator[Door]:
    """Open the engine that is meant. Raises a usage error where none is, or two are."""
    if (config is None) == (service is None):
        raise click.UsageError("say --config FILE or --service URL")
    opened: Door
    if service is not None:
        from adjudge.client import Engine as Client

        key = key_file.read_text("utf-8").strip() if key_file is not None else os.environ.get(KEY) or None
        opened = Client(service, key=key)
    else:
        assert config is not None
        from adjudge.config.file import assemble

        try:
            opened = assemble(configured(settings, config))
        except LogInUse as error:
            raise LogInUse(f"{error}; where `adjudge serve` has it, say --service") from None
    with opened:
        yield opened


@command.command("status")
@place_options
@format_option
@click.pass_obj
def status_command(
    settings: Settings, config: Path | None, service: str | None, key_file: Path | None, form: str
) -> int:
    """Say how all rollouts stand: what was counted of each arm, and how near guard rails are."""
    with reached(settings, config, service, key_file) as engine:
        found = engine.rollouts_sync()
    if form == JSON:
        print_json([msgspec.to_builtins(one) for one in found])
        return FINE
    for one in found:
        say(*lines_of(one))
    say(counted(len(found), "rollout"))
    return FINE


def _done(
    settings: Settings,
    place: tuple[Path | None, str | None, Path | None],
    form: str,
    action: str,
    name: str,
    **said: Any,
) -> int:
    with reached(settings, *place) as engine:
        done = engine.rollout_sync(action, name, **said)
    if form == JSON:
        print_json(msgspec.to_builtins(done))
    else:
        say(*lines_of(done))
    return FINE


_reason = click.option("--reason", default="", help="Why; it is recorded.")
_name = click.argument("name")


@command.command("start")
@_name
@click.option("--mode", type=click.Choice(MODES), required=True, help="A shadow only watches.")
@click.option("--candidate", required=True, help="The version, by its name under `rollouts: candidates:`.")
@click.option("--share", type=Share(), help="Of all ids, such as 5%, for a canary or a hold-out.")
@_reason
@by_option
@place_options
@format_option
@click.pass_obj
def start_command(
    settings: Settings, name: str, mode: str, candidate: str, share: float | None, reason: str, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Start a rollout of another version of a policy."""
    said = {"mode": mode, "candidate": candidate, "share": share, "reason": reason, "by": by}
    return _done(settings, (config, service, key_file), form, "start", name, **said)


@command.command("ramp")
@_name
@click.argument("share", type=Share())
@_reason
@by_option
@place_options
@format_option
@click.pass_obj
def ramp_command(
    settings: Settings, name: str, share: float, reason: str, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Give a canary or a hold-out another share; whoever is in stays in while it grows."""
    return _done(settings, (config, service, key_file), form, "ramp", name, share=share, reason=reason, by=by)


@command.command("promote")
@_name
@_reason
@by_option
@place_options
@format_option
@click.pass_obj
def promote_command(
    settings: Settings, name: str, reason: str, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """Let a canary answer all requests in place of the champion."""
    return _done(settings, (config, service, key_file), form, "promote", name, reason=reason, by=by)


@command.command("abort")
@_name
@_reason
@by_option
@place_options
@format_option
@click.pass_obj
def abort_command(
    settings: Settings, name: str, reason: str, by: str,
    config: Path | None, service: str | None, key_file: Path | None, form: str,
) -> int:  # fmt: skip
    """End a rollout, or take back what was promoted."""
    return _done(settings, (config, service, key_file), form, "abort", name, reason=reason, by=by)


@command.command("report")
@log_argument
@format_option
@click.pass_obj
def report_command(settings: Settings, log: AnyLog, form: str) -> int:
    """Say what a log has of rollouts, arm by arm, and judge its shadows again.

    Exit status 1 where a shadow comes out otherwise than it was recorded.
    """
    found = report_of(log, functions=settings.catalogue().functions)
    if form == JSON:
        print_json(_data(found))
    else:
        say(*_lines(found))
    return FINDINGS if any(one.different for one in found.shadows.values()) else FINE


def lines_of(one: RolloutDocument) -> list[str]:
    """Return how a rollout stands, for a terminal."""
    share = "" if one.mode == "shadow" else f" {100 * one.share:g}%"
    lines = [
        f"{one.name}  {one.status}  {one.mode}{share} of {one.policy}: {one.candidate} {one.digest[:12]}",
        f"  {one.action} by {one.by} at {one.at:%Y-%m-%dT%H:%M:%SZ}{': ' if one.reason else ''}{one.reason}",
    ]
    for name, arm in one.arms.items():
        what = "decision" if name == "shadow" else "id"  # of which the newest decision counts
        lines.append(f"  {name:<9} {counted(arm.decisions, what)}{_shares(arm)}")
    for rail in one.rails:
        said = f"{rail.canary} of the canary, {rail.champion} of the champion"
        lines.append(f"  rail {rail.name:<13} {rail.limit:g}x: {said}; {100 * rail.near:.0f}% of the way")
    canary = one.arms.get("canary")
    if one.enough is not None and (canary is None or canary.decisions < one.enough):
        lines.append(f"  no rail acts before {one.enough} ids of the canary")
    return lines


def _shares(arm: ArmDocument) -> str:
    said = [
        f"{name} {100 * one.share:.1f}% [{100 * one.low:.1f}, {100 * one.high:.1f}]"
        for name, one in arm.shares.items()
        if one.share is not None
    ]
    return "".join(f"; {one}" for one in said)


def _lines(found: RolloutReport) -> Iterator[str]:
    for place, body in found.changes:
        share = "" if body.mode == "shadow" else f" {100 * body.share:g}%"
        why = f": {body.reason}" if body.reason else ""
        yield f"{place}  {body.at:%Y-%m-%dT%H:%M:%SZ}  {body.name} {body.action}{share} by {body.by}{why}"
    for arm in found.arms.values():
        said = []
        for outcome, count in sorted(arm.outcomes.items()):
            low, high = interval(count, arm.decisions)
            said.append(f"{outcome.value} {100 * count / arm.decisions:.1f}% [{100 * low:.1f}, {100 * high:.1f}]")
        yield f"{arm.rollout} {arm.arm}: {counted(arm.decisions, 'decision')}; {'; '.join(said)}; unknown {arm.unknown}"
    for shadow in found.shadows.values():
        total = sum(shadow.compared.values())
        ways = (f"{name} {count} ({100 * count / total:.1f}%)" for name, count in sorted(shadow.compared.items()))
        yield f"{shadow.rollout} shadow {shadow.digest[:12]}: {counted(total, 'decision')}; {'; '.join(ways)}"
        for (old, new), count in sorted(shadow.moves.items()):
            yield f"  {old.value} → {new.value}  {count}"
        if shadow.examples:
            yield f"  such as {', '.join(shadow.examples)}"
        again = f"  judged again: {shadow.identical} identical, {len(shadow.different)} different"
        yield again + (f", {shadow.lost} not to be judged" if shadow.lost else "")
        if shadow.different:
            yield f"  different at {', '.join(shadow.different[:5])}"
    yield counted(len({body.name for _, body in found.changes}), "rollout")


def _data(found: RolloutReport) -> dict[str, object]:
    return {
        "changes": [{"record": place, **msgspec.to_builtins(body)} for place, body in found.changes],
        "arms": [
            {
                "rollout": arm.rollout,
                "arm": arm.arm,
                "decisions": arm.decisions,
                "outcomes": {outcome.value: count for outcome, count in sorted(arm.outcomes.items())},
                "unknown": arm.unknown,
                "policies": arm.policies,
            }
            for arm in found.arms.values()
        ],
        "shadows": [
            {
                "rollout": one.rollout,
                "digest": one.digest,
                "compared": one.compared,
                "moves": [
                    {"from": old.value, "to": new.value, "count": count}
                    for (old, new), count in sorted(one.moves.items())
                ],
                "examples": one.examples,
                "identical": one.identical,
                "different": one.different,
                "lost": one.lost,
            }
            for one in found.shadows.values()
        ],
    }
