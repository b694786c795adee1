"""A bar that shows how far a long command is, to people only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from adjudge.audit.verify import LogPath, pieces


def size_of(log: LogPath) -> int:
    """Return how many bytes a log has, which is what bars over a log count."""
    return sum(file.stat().st_size for file in pieces(log).found if isinstance(file, Path))


@contextmanager
def progress_bar(label: str, total: float) -> Iterator[Callable[[float], None]]:
    """Yield a function that is told how much of `total` is done; it shows nothing where nobody is looking."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    with click.progressbar(length=1000, label=label, file=sys.stderr, update_min_steps=1) as bar:
        yield lambda done: bar.update(max(0, round(1000 * min(1.0, done / (total or 1))) - bar.pos))
