"""The argument LOG of commands that read an audit log, and of DATA that may be one."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import click

from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.read import unfinished
from adjudge.audit.shelf import fetch, is_url
from adjudge.audit.verify import WithArchive, segments
from adjudge.cli.output import say
from adjudge.cli.settings import Settings
from adjudge.errors import AdjudgeError, AuditUnavailable
from adjudge.plugin import LogSource
from adjudge.system.faults import is_operators, said_of

_URL = re.compile("([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_KEYWORDS = re.compile(r"\s*(?:host|hostaddr|dbname|service|user)\s*=")
"""How libpq has a database that is not named by a URL."""

Data = Path | LogSource
"""A log, an export or a table; or a log that a plugin reads."""


class DataType(click.Path):
    """A file or folder that exists, or the URL of a log that a plugin reads."""

    name = "path"

    def __init__(self) -> None:
        super().__init__(exists=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or the log."""
        if not isinstance(value, str | Path):
            return value
        found = _URL.match(str(value))
        if found is None and _KEYWORDS.match(str(value)) and not Path(value).exists():
            self.fail("a database is named by its URL, such as postgresql://auditor@db.internal/adjudge", param, ctx)
        if found is None or Path(value).exists():
            return super().convert(value, param, ctx)
        if ctx is None:
            self.fail("a log by a URL is read in a command", param, ctx)
        return self._source(ctx.ensure_object(Settings), found[1].lower(), str(value), param, ctx)

    def _source(
        self, settings: Settings, scheme: str, url: str, param: click.Parameter | None, ctx: click.Context
    ) -> LogSource:
        known = settings.registry().offered("log source")
        open_ = known.get(scheme)
        if not callable(open_):
            those = ", ".join(f"{name}://" for name in known) or "none is installed"
            self.fail(f"no installed plugin reads logs by {scheme}://; those that are read: {those}", param, ctx)
        try:
            return cast(LogSource, open_(url))
        except AdjudgeError:
            raise
        except BaseException as error:
            if is_operators(error):
                raise
            self.fail(f"the log source `{scheme}` cannot be opened: {said_of(error)}", param, ctx)


class FolderType(click.Path):
    """A log's folder, to write in."""

    name = "directory"

    def __init__(self) -> None:
        super().__init__(exists=True, file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the folder."""
        if _URL.match(str(value)) and not Path(value).exists():
            way = "an engine that uses it does this, `engine.label(…)`, `engine.erase(…)`"
            self.fail(f"a log that is not in files is only read by this program; {way}", param, ctx)
        return super().convert(value, param, ctx)


def is_log(data: Data) -> bool:
    """Whether data are an audit log: a folder with its files, or one of these, or read by a plugin."""
    if not isinstance(data, Path):
        return True
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


def with_archives(log: Data, archives: tuple[Path | str, ...]) -> AnyLog:
    """Return a log with the folders of its archives; what lies at a URL is fetched for as long as the command runs.

    Raises AuditUnavailable, and MissingExtra where the extra `archive` is needed.
    """
    if not archives:
        return log
    if not isinstance(log, Path):
        raise click.UsageError("--archive is for a log in a folder")
    return WithArchive(log, tuple(_fetched(place, log) if isinstance(place, str) else place for place in archives))


def _fetched(url: str, log: Path) -> Path:
    folder = click.get_current_context().with_resource(TemporaryDirectory(prefix="adjudge-archive-"))
    try:
        size = fetch(url, log, Path(folder))
    except OSError as error:
        raise AuditUnavailable(f"{error.filename or url}: {error.strerror or error}") from None
    say(f"{url}: {size:,} bytes fetched to a temporary folder", err=True)
    return Path(folder)


def opened(data: Data, archives: tuple[Path | str, ...] = ()) -> AnyLog:
    """Return a log as it is read: with its archives, and what is to be said of its end."""
    return with_archives(told(data) if isinstance(data, Path) else data, archives)


def log_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument LOG, and the folders of its archives, which the command takes as one, `log`."""

    @wraps(command)
    def with_log(*given: Any, log: Data, archives: tuple[Path | str, ...], **others: Any) -> Any:
        return command(*given, log=opened(log, archives), **others)

    return click.argument("log", type=DataType())(archive_option(with_log))
