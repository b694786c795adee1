"""The argument LOG of commands that read an audit log."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from adjudge.audit.read import unfinished
from adjudge.audit.verify import LogPath, WithArchive, segments
from adjudge.cli.output import say

_log = click.Path(exists=True, path_type=Path)


def is_log(data: Path) -> bool:
    """Whether data are an audit log: a folder with its files, or one of these."""
    return (data.is_dir() and bool(segments(data))) or data.suffix == ".jsonl"


def told(log: Path) -> Path:
    """Say so where a log's last line is not finished, which all who read it then pass over; return the log."""
    try:
        files = segments(log)
        is_unfinished = bool(files) and files[-1].is_file() and unfinished(files[-1])[1] > 0
    except OSError:
        return log  # whoever reads it says so
    if is_unfinished:
        say(f"{log}: the last line is not finished: a writer is at work, or it crashed", err=True)
    return log


archive_option = click.option(
    "--archive",
    "archives",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder to which segments of the log were moved, to be read with it; may be given again.",
)


def with_archives(log: Path, archives: tuple[Path, ...]) -> LogPath:
    """Return a log with the folders of its archives."""
    return WithArchive(log, archives) if archives else log


def log_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument LOG, and the folders of its archives, which the command takes as one, `log`."""

    @wraps(command)
    def with_log(*given: Any, log: Path, archives: tuple[Path, ...], **others: Any) -> Any:
        return command(*given, log=with_archives(told(log), archives), **others)

    return click.argument("log", type=_log)(archive_option(with_log))
