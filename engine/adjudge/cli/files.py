"""Writing files of users."""

from __future__ import annotations

from pathlib import Path

import click

from adjudge.cli.streams import Undelivered
from adjudge.system.files import replace_file


def write_file(file: Path, text: str) -> None:
    """Write a file that the user named, as a whole or not at all. Raises Undelivered."""
    try:
        replace_file(file, text.encode("utf-8"))
    except OSError as error:
        raise Undelivered(file, error) from None


def check_folder(file: Path | None) -> None:
    """Say before the work, not after it, that a file has no folder to be in. Raises click.UsageError."""
    if file is not None and not file.parent.is_dir():
        raise click.UsageError(f"{file}: there is no folder {file.parent}")
