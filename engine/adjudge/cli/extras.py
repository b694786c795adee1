"""What needs an optional package, and what to say where it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from adjudge.errors import MissingExtra


@contextmanager
def extra(name: str, package: str) -> Iterator[None]:
    """Import inside what needs a package. Raises MissingExtra, which names the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise MissingExtra(name, package) from None
