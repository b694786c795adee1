"""The argument LOG of commands that read an audit log."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from adjudge.audit.read import unfinished
from adjudge.audit.shelf import fetch, is_url
from adjudge.audit.verify import LogPath, WithArchive, segments
from adjudge.cli.output import say
from adjudge.errors import AuditUnavailable

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


class _Place(click.Path):
    """A folder that exists, or a URL."""

    def __init__(self) -> None:
        super().__init__(exists=True, file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a URL as a text, and a folder as a Path."""
        return value if isinstance(value, str) and is_url(value) else super().convert(value, param, ctx)


archive_option = click.option(
    "--archive",
    "archives",
    multiple=True,
    metavar="DIR|URL",
    type=_Place(),
    help="A folder or URL to which segments of the log were moved, to be read with it; may be given again.",
)


def with_archives(log: Path, archives: tuple[Path | str, ...]) -> LogPath:
    """Return a log with the folders of its archives; what lies at a URL is fetched for as long as the command runs.

    Raises AuditUnavailable, and MissingExtra where the extra `archive` is needed.
    """
    folders = tuple(_fetched(place, log) if isinstance(place, str) else place for place in archives)
    return WithArchive(log, folders) if folders else log


def _fetched(url: str, log: Path) -> Path:
    folder = click.get_current_context().with_resource(TemporaryDirectory(prefix="adjudge-archive-"))
    try:
        size = fetch(url, log, Path(folder))
    except OSError as error:
        raise AuditUnavailable(f"{error.filename or url}: {error.strerror or error}") from None
    say(f"{url}: {size:,} bytes fetched to a temporary folder", err=True)
    return Path(folder)


def log_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument LOG, and the folders of its archives, which the command takes as one, `log`."""

    @wraps(command)
    def with_log(*given: Any, log: Path, archives: tuple[Path | str, ...], **others: Any) -> Any:
        return command(*given, log=with_archives(told(log), archives), **others)

    return click.argument("log", type=_log)(archive_option(with_log))
