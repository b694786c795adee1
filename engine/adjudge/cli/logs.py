"""The argument LOG of commands that read an audit log."""

from __future__ import annotations

from pathlib import Path

import click

from adjudge.audit.read import unfinished
from adjudge.audit.verify import segments
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


def _told(context: click.Context, parameter: click.Parameter, value: Path) -> Path:
    return told(value)


log_argument = click.argument("log", type=_log, callback=_told)
