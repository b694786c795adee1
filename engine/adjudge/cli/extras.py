"""What needs an optional package, and what to say where it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from adjudge.errors import MissingExtra


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Import inside what needs an extra. Raises MissingExtra, which names the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "adjudge", "adjudge_plugins"):
            raise
        raise MissingExtra(name, package) from None
