"""`adjudge top`: what a service does, live in a terminal, from its `/metrics`."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic

import click
import msgspec

from adjudge.cli.group import FINE
from adjudge.cli.output import TEXT, format_option, print_json, say
from adjudge.cli.streams import standard_output
from adjudge.cli.top.figures import Figures, figures_of
from adjudge.cli.top.frame import frame
from adjudge.cli.top.page import Page, read_page, since, together
from adjudge.client.address import Address, read_address
from adjudge.client.credential import Credential, check_way
from adjudge.client.exchange import Exchange, Question
from adjudge.documents.problems import error_of
from adjudge.errors import AdjudgeError

WITHIN_S = 10.0
"""Seconds that a service has for its page."""
WIDTH = 100
"""Of a frame that is not for a terminal."""
_METRICS = Question(method="GET", path="/metrics", is_safe=True, gives="text/plain")
_HOME, _REST_OF_LINE, _REST, _ALARM, _PLAIN = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[1;31m", "\x1b[0m"


@click.command("top")
@click.option("--service", "services", multiple=True, required=True, metavar="URL|SOCKET", help="One for each worker.")
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Of a key with the scope read. The variable ADJUDGE_KEY may have the key itself.",
)
@click.option("--plain-http", is_flag=True, help="Let a key go to another machine without TLS.")
@click.option(
    "--interval", type=click.FloatRange(0.2, 3600), default=2.0, show_default=True, help="Seconds between frames."
)
@click.option("--once", is_flag=True, help="Print one frame, of one interval.")
@format_option
def command(
    services: Sequence[str], key_file: Path | None, plain_http: bool, interval: float, once: bool, form: str
) -> int:
    """Show what a service does, live: rates, outcomes, providers, budgets.

    Several services are shown as one, such as workers over one database. Ends with Ctrl-C. With --format json, a
    document a line, or one with --once.
    """
    key = os.environ.get("ADJUDGE_KEY", "") if key_file is None else key_file.read_text("utf-8").strip()
    for one in services:
        if services.count(one) > 1:
            raise click.UsageError(f"--service {one} is given {services.count(one)} times: it would count as often")
    watched = Watched([read_address(one) for one in services], Credential(key) if key else None)
    for address in watched.addresses:
        if key:
            check_way(address, plain_http=plain_http)
    try:
        asyncio.run(_once(watched, interval, form) if once else _live(watched, interval, form))
    except KeyboardInterrupt:
        if once:
            raise
    return FINE


@dataclass(slots=True)
class Watched:
    """Services, and what each showed last."""

    addresses: Sequence[Address]
    credential: Credential | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    pages: dict[str, Page] = field(default_factory=dict)
    at: float = 0.0

    async def look(self) -> Figures:
        """Return the figures since the last look; one that gives none is in their `trouble`."""
        if not self.exchanges:
            self.exchanges = [Exchange(one, 1, credential=self.credential) for one in self.addresses]
        said = await asyncio.gather(*map(_page, self.exchanges), return_exceptions=True)
        now, before = monotonic(), self.pages
        self.pages = {}
        trouble: list[str] = []
        for address, page in zip(self.addresses, said, strict=True):
            if isinstance(page, Page):
                self.pages[address.name] = page
            elif isinstance(page, AdjudgeError):
                trouble.append(str(page))
            else:
                raise page
        seconds, self.at = now - self.at, now
        new = together(since(before.get(name, page), page) for name, page in self.pages.items())
        return figures_of(new, together(self.pages.values()), seconds, trouble=trouble)

    async def aclose(self) -> None:
        """Close the connections."""
        for exchange in self.exchanges:
            await exchange.aclose()


async def _page(exchange: Exchange) -> Page:
    """Return the page of a service. Raises what the service raised."""
    answer = await exchange.ask(_METRICS, within_s=WITHIN_S)
    if answer.problem is not None:
        raise error_of(answer.problem)
    return read_page(answer.body.decode("utf-8", "replace"))


async def _once(watched: Watched, interval: float, form: str) -> None:
    """Show one frame. Raises what the first service that gave no page raised."""
    try:
        await _first(watched)
        await asyncio.sleep(interval)
        _show(await watched.look(), form)
    finally:
        await watched.aclose()


async def _first(watched: Watched) -> None:
    """Look for the first time, and raise what is wrong: nobody is there who waits for it to become right."""
    await watched.look()
    for exchange in watched.exchanges:
        if len(watched.pages) < len(watched.addresses):
            await _page(exchange)


async def _live(watched: Watched, interval: float, form: str) -> None:
    """Show frames until somebody ends it."""
    try:
        await watched.look()
        while True:
            await asyncio.sleep(interval)
            figures = await watched.look()
            if form == TEXT and standard_output().isatty():
                _paint(figures)
            else:
                _show(figures, form)
    finally:
        await watched.aclose()


def _show(figures: Figures, form: str) -> None:
    if form == TEXT:
        width = shutil.get_terminal_size((WIDTH, 24)).columns if standard_output().isatty() else WIDTH
        say(*(text for text, _ in frame(figures, width, _now())))
    else:
        print_json(msgspec.to_builtins(figures), indent=None)


def _paint(figures: Figures) -> None:
    """Put a frame over the one before, line by line, so that nothing flickers."""
    size = shutil.get_terminal_size()
    coloured = "NO_COLOR" not in os.environ
    lines = frame(figures, size.columns, _now())[: max(1, size.lines - 1)]
    painted = [f"{_ALARM}{text}{_PLAIN}" if is_odd and coloured else text for text, is_odd in lines]
    standard_output().write_exact(_HOME + "".join(f"{line}{_REST_OF_LINE}\n" for line in painted) + _REST)
    standard_output().flush()


def _now() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")
