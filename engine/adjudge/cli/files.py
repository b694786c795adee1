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
    """Write a file that the user named, as a whole. Raises click.ClickException where it cannot be written."""
    is_plain = file.is_file() or not file.exists()  # not a pipe, and not /dev/stdout
    target = file.with_name(f".{file.name}.{os.getpid()}") if is_plain else file
    try:
        target.write_text(text, encoding="utf-8")
        if is_plain:
            target.replace(file)
    except OSError as error:
        if is_plain:
            target.unlink(missing_ok=True)
        raise click.ClickException(f"cannot write {file}: {(error.strerror or str(error)).lower()}") from None


def check_folder(file: Path | None) -> None:
    """Say before the work, not after it, that a file has no folder to be in. Raises click.UsageError."""
    if file is not None and not file.parent.is_dir():
        raise click.UsageError(f"{file}: there is no folder {file.parent}")
