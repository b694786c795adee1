"""`adjudge keys`: who may ask a service, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast, get_args

import click

from adjudge.cli.group import FINE
from adjudge.cli.output import JSON, counted, format_option, print_json, say, say_text
from adjudge.config.scopes import Scope
from adjudge.config.service import RATE_MAX
from adjudge.errors import EvaluationError, SetupError
from adjudge.service.access.key_file import change_keys, read_keys
from adjudge.service.access.keys import NAME_RULE, Key, is_name, new_key
from adjudge.values.literals import format_timestamp, parse_duration

LONGEST = timedelta(days=3660)
_file = click.argument("file", metavar="KEYS.yaml", type=click.Path(dir_okay=False, path_type=Path))
_old_file = click.argument("file", metavar="KEYS.yaml", type=click.Path(exists=True, dir_okay=False, path_type=Path))


class _Lasting(click.ParamType):  # type: ignore[type-arg]  # generic for mypy alone
    """A time from now, such as 90d."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, context: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            lasting = parse_duration(str(value))
        except EvaluationError:
            lasting = timedelta()
        if not timedelta(seconds=1) <= lasting <= LONGEST:
            self.fail(f"`{value}` is no time of a second to ten years, such as 90d", param, context)
        return lasting


@click.group("keys")
def command() -> None:
    """Make, list and revoke the keys of a service.

    KEYS.yaml is the file that `service: {keys: KEYS.yaml}` of its configuration names. A service that runs takes a
    change within a second.
    """


@command.command("new")
@_file
@click.option("--name", required=True, help="Whose it is; records have it as `by`. Several keys may have one name.")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(get_args(Scope)), help="What it allows."
)
@click.option("--expires", type=_Lasting(), help="After how long, such as 90d.  [default: never]")
@click.option("--rate", type=click.IntRange(1, RATE_MAX), help="Requests a second.  [default: as `service` says]")
def new_command(file: Path, name: str, scopes: tuple[Scope, ...], expires: timedelta | None, rate: int | None) -> int:
    """Make a key and print it, once: the file has only its digest.

    To replace a key, make another of the same name, hand it out, and revoke the old one.
    """
    if not is_name(name):
        raise click.UsageError(f"--name: `{name}` cannot be a name: {NAME_RULE}")
    until = (datetime.now(UTC) + expires).replace(microsecond=0) if expires is not None else None
    key, text = new_key(name, scopes, expires=until, rate=rate)
    change_keys(file, lambda keys: {**keys, key.id: key})
    say(f"key {key.id} of {name}: it is shown this once", err=True)
    say_text(text)
    return FINE


@command.command("list")
@_old_file
@format_option
def list_command(file: Path, form: str) -> int:
    """Show the keys, what they allow, and which are valid."""
    keys, now = read_keys(file), datetime.now(UTC)
    if form == JSON:
        print_json([_document(key, now) for key in keys.values()])
        return FINE
    for key in keys.values():
        document = _document(key, now)
        more = [f"{what} {document[what]}" for what in ("made", "expires", "revoked", "rate") if what in document]
        say(f"{key.id}  {document['state']:<7}  {key.name}  {','.join(document['scopes'])}  {', '.join(more)}")
    say(counted(len(keys), "key"))
    return FINE


@command.command("revoke")
@_old_file
@click.argument("key_id", metavar="ID")
def revoke_command(file: Path, key_id: str) -> int:
    """Revoke a key for good, by its id."""

    def revoked(keys: Mapping[str, Key]) -> Mapping[str, Key]:
        key = keys.get(key_id)
        if key is None:
            raise SetupError(f"there is no key of this id in {file}")
        at = datetime.now(UTC).replace(microsecond=0)
        return {**keys, key_id: key if key.revoked is not None else replace(key, revoked=at)}

    change_keys(file, revoked)
    say(f"key {key_id} is revoked")
    return FINE


def _document(key: Key, now: datetime) -> dict[str, Any]:
    """Return a key as programs read it, without its digest."""
    times = {"made": key.made, "expires": key.expires, "revoked": key.revoked}
    said = {
        "id": key.id,
        "state": key.state(now),
        "name": key.name,
        "scopes": sorted(cast(frozenset[str], key.scopes)),
        **{name: format_timestamp(at) for name, at in times.items() if at is not None},
        "rate": key.rate,
    }
    return {name: value for name, value in said.items() if value is not None}
