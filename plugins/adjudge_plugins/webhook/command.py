"""`adjudge webhook`: dead letters, shown and sent again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from adjudge_plugins.webhook.delivery import Refusal
    from adjudge_plugins.webhook.settings import Settings
    from adjudge_plugins.webhook.state import State

_T = TypeVar("_T")
_config = click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_name = click.option("--number", type=click.IntRange(1), default=1, show_default=True, help="Which webhook of several.")


@click.group("webhook")
def webhook() -> None:
    """Messages to webhooks that could not be delivered."""


@webhook.command("dead")
@_config
@_name
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def dead(config: Path, number: int, form: str) -> None:
    """List the dead letters, the oldest first: what was not taken, and why."""
    import msgspec

    state = _state(_settings(config, number))
    letters = _read(state.letters)
    if form == "json":
        for letter in letters:
            click.echo(msgspec.json.encode(letter).decode())
        return
    for letter in letters:
        click.echo(f"{letter.log[:12]}:{letter.seq}  {letter.merchant_biz_id}  {letter.at}  {letter.why}")
    aside = len(_read(state.aside))
    more = f", {aside} set aside for a while" if aside else ""
    click.echo(f"{len(letters)} dead letter{'' if len(letters) == 1 else 's'}{more}")


@webhook.command("replay")
@_config
@_name
def replay(config: Path, number: int) -> None:
    """Send the dead letters again, in order; those that are taken are no longer kept.

    Exit status 1 where some are left. It may run beside the engine.
    """
    import asyncio

    settings = _settings(config, number)
    state = _state(settings)
    _read(state.letters)
    sent, left = asyncio.run(_sent_again(settings, state))
    click.echo(f"{sent} delivered, {left} left")
    if left:
        raise click.exceptions.Exit(1)


async def _sent_again(settings: Settings, state: State) -> tuple[int, int]:
    from adjudge_plugins.webhook.delivery import Delivery

    delivery, sent = Delivery(settings), 0
    left: dict[str, Refusal] = {}
    try:
        with state.alone():  # the engine's own messages of these ids come behind them
            letters = state.letters()
            kept = list(letters)
            for letter in letters:
                if letter.merchant_biz_id in left:
                    continue
                refusal = await delivery.send(letter.message, tries=letter.tries)
                if refusal is not None:
                    left[letter.merchant_biz_id] = refusal
                    click.echo(f"{letter.log[:12]}:{letter.seq}  {letter.merchant_biz_id}  {refusal.why}")
                    continue
                sent += 1
                kept.remove(letter)
                state.put_letters(kept)
    finally:
        await delivery.aclose()
    return sent, len(kept)


def _settings(config: Path, number: int) -> Settings:
    """Return how a webhook of a configuration is called. Raises click's UsageError."""
    import yaml

    from adjudge.plugin import ProviderConfigError
    from adjudge_plugins.webhook.settings import read_settings

    try:
        said: Any = yaml.safe_load(config.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        raise click.UsageError(f"{config} cannot be read as a configuration") from None
    readers = said.get("readers") if isinstance(said, dict) else None
    found = [one for one in readers or [] if isinstance(one, dict) and one.get("name") == "webhook"]
    if len(found) < number:
        raise click.UsageError(f"{config} has {len(found)} readers with the name `webhook`")
    try:
        return read_settings(found[number - 1].get("with") or {})
    except ProviderConfigError as error:
        way = f"; {error.hint}" if error.hint else ""
        raise click.UsageError(f"{config}: readers.webhook.{'.'.join(error.path)}: {error}{way}") from None


def _state(settings: Settings) -> State:
    from adjudge_plugins.webhook.state import State

    if not settings.state.is_dir():
        raise click.UsageError(f"there is no folder `{settings.state}`: the webhook was never opened here")
    return State(settings.state)


def _read(what: Callable[[], list[_T]]) -> list[_T]:
    from adjudge.plugin import ReaderFailed

    try:
        return what()
    except (ReaderFailed, OSError) as error:
        raise click.UsageError(str(error)) from None
