"""Writing files of users."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click


def replace_file(file: Path, text: str) -> None:
    """Replace a file as a whole, with the same mode, so that nobody reads half of it."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        Path(name).chmod(file.stat().st_mode & 0o7777)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_file(file: Path, text: str) -> None:
    """Write a file that the user named. Raises ClickException where it cannot be written."""
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {(error.strerror or str(error)).lower()}") from None
