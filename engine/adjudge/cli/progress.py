"""A bar that shows to people only how far a long command is, and about how long it will yet take."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import click

from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.verify import LogPath, pieces

_SURE_S = 2.0
"""After so long, what was done tells how long the rest will take."""


def size_of(log: AnyLog) -> int:
    """Return how many bytes a log has, which is what bars over a log count."""
    if not isinstance(log, LogPath):
        with log.look() as look:
            return look.size()
    return sum(file.stat().st_size for file in pieces(log).found if isinstance(file, Path))


@contextmanager
def progress_bar(label: str, total: float) -> Iterator[Callable[[float], None]]:
    """Yield a function that is told how much of `total` is done; it shows nothing where nobody is looking."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    begun = monotonic()
    with click.progressbar(
        length=1000, label=label, file=sys.stderr, update_min_steps=1, show_eta=False, item_show_func=lambda left: left
    ) as bar:

        def tell(done: float) -> None:
            share, took = min(1.0, done / (total or 1)), monotonic() - begun
            left = about_left(took / share * (1 - share)) if share and took > _SURE_S else None
            bar.update(max(0, round(1000 * share) - bar.pos), left)

        yield tell


def about_left(seconds: float) -> str:
    """Return how long something will yet take, as people say it."""
    if seconds < 55:
        return f"about {max(5, 5 * round(seconds / 5))} s left"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min left"
    hours, minutes = divmod(5 * round(seconds / 300), 60)
    return f"about {hours} h {minutes} min left" if minutes else f"about {hours} h left"
