"""What callers give from Python: another type than an argument has is refused at once, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike, fsencode
from typing import Any, TypeGuard

from adjudge.errors import SetupError
from adjudge.texts import with_article

SECONDS_MAX = 100 * 366 * 86_400.0
"""A hundred years: whoever means for ever may say so."""


def check_kind(name: str, value: object, kinds: type | tuple[type, ...], expected: str) -> None:
    """Raise SetupError for what is none of these kinds. expected: such as `a Registry`."""
    if not isinstance(value, kinds):
        raise SetupError(f"`{name}` must be {expected}, not {kind_of(value)}")


def check_path(name: str, value: object, expected: str = "a path, as a string or a Path") -> None:
    """Raise SetupError for what no path can be."""
    check_kind(name, value, (str, PathLike), expected)
    if not is_path(value):
        raise SetupError(f"`{name}` must be {expected}, and this text is none")


def is_path(value: object) -> bool:
    """Whether something can be a path, of something that is there or not."""
    try:
        return isinstance(value, str | PathLike) and b"\0" not in fsencode(value)
    except UnicodeEncodeError:
        return False


def check_seconds(name: str, value: object, *, or_zero: bool = False) -> None:
    """Raise SetupError for what is no number of seconds above 0, or at least 0."""
    if not is_number(value) or not (0 < value <= SECONDS_MAX or (or_zero and value == 0)):
        raise SetupError(f"`{name}` must be a number of seconds {'from' if or_zero else 'above'} 0")


def check_count(name: str, value: object) -> None:
    """Raise SetupError for what is no whole number above 0."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SetupError(f"`{name}` must be a whole number above 0")


def is_number(value: object) -> TypeGuard[float]:
    """Whether something is a number, which True is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def all_of(name: str, values: object, kind: type, example: str) -> tuple[Any, ...]:
    """Return the members of a list. Raises SetupError where one is of another kind, or there is no list around it."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise SetupError(f"`{name}` must be a list, such as {example}, not {kind_of(values)}")
    found = tuple(values)
    for at, one in enumerate(found):
        check_kind(f"{name}[{at}]", one, kind, with_article(kind.__name__))
    return found


def kind_of(value: object) -> str:
    """Return what something is, for a message; never the thing itself, which may be a secret."""
    return "None" if value is None else f"`{type(value).__name__}`"
