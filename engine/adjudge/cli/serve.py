"""`adjudge serve`: the engine of a configuration over HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from adjudge.cli.engines import configured
from adjudge.cli.extras import extra
from adjudge.cli.group import FINE
from adjudge.cli.output import JSON, TEXT, say
from adjudge.cli.settings import Settings
from adjudge.cli.telling import LEVELS, libraries_told, tell_events
from adjudge.config.file import assemble
from adjudge.config.service import ServiceSettings
from adjudge.events import Events

_OCTAL = 8
_events = Events("adjudge.service")


class _Mode(click.ParamType):  # type: ignore[type-arg]  # generic for mypy alone
    """The mode of a file as chmod takes it."""

    name = "mode"

    def convert(self, value: object, param: click.Parameter | None, context: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            mode = int(str(value), _OCTAL)
        except ValueError:
            mode = -1
        if not 0o600 <= mode <= 0o777:
            self.fail(f"`{value}` is no mode of a file, such as 660", param, context)
        return mode


@click.command("serve")
@click.argument("config", metavar="CONFIG", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--host", help="An address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free one.  [default: 8080]")
@click.option("--uds", type=click.Path(dir_okay=False, path_type=Path), help="Listen at a Unix socket instead.")
@click.option("--uds-mode", type=_Mode(), help="Who may open the socket.  [default: 600, its owner]")
@click.option(
    "--log-format", type=click.Choice([TEXT, JSON]), default=TEXT, show_default=True, help="Of events on stderr."
)
@click.option(
    "--log-level",
    type=click.Choice([*LEVELS]),
    default="warning",
    show_default=True,
    help="Of events that are told; info has one for each request.",
)
@click.pass_obj
def command(
    settings: Settings,
    config: Path,
    host: str | None,
    port: int | None,
    uds: Path | None,
    uds_mode: int | None,
    log_format: str,
    log_level: str,
) -> int:
    """Serve the engine of a configuration over HTTP.

    Prints one line when requests are taken. Ends with SIGTERM or Ctrl-C, once the requests under way are answered.
    """
    if uds is not None and (host is not None or port is not None):
        raise click.UsageError("--uds stands in place of --host and --port")
    if uds is None and uds_mode is not None:
        raise click.UsageError("--uds-mode goes with --uds")
    with extra("serve"):
        from adjudge.config.watching import EVERY_S
        from adjudge.service.listening import listening_at, listening_on
        from adjudge.service.room import raise_descriptors
        from adjudge.service.server import Service
    level = min(LEVELS[log_level], LEVELS["debug"] if settings.verbose else LEVELS["error"])
    tell_events(level=level, form=log_format)
    raise_descriptors()
    with libraries_told():
        said = configured(settings, config)
        engine = assemble(said, policies_every_s=EVERY_S)
        try:
            at = (
                listening_on(host or "127.0.0.1", 8080 if port is None else port, said.service)
                if uds is None
                else listening_at(uds, mode=uds_mode or 0o600)
            )
            with at as listening:
                service = Service(engine, listening, settings=said.service, tells_requests=level <= LEVELS["info"])
                asyncio.run(service.run(lambda: _ready(listening.name, said.service, log_format)))
        finally:
            engine.close()
    return FINE


def _ready(name: str, settings: ServiceSettings, form: str) -> None:
    """Tell it at once: whoever started the service as a child waits for the line."""
    why = ""
    if settings.is_open:
        why = "no keys are configured: whoever is on this machine and gets to the address is served"
    elif name.startswith("unix:") and not settings.keys_on_socket:
        why = "no key is asked for at this socket: whoever may open it is served"
    if why and form == JSON:
        _events.warning("served_without_keys", why=why)
    elif why:
        say(why, err=True)
    say(f"listening on {name}")
