"""Whether a personal value is the one that somebody asks for, however either was written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from adjudge.errors import EvaluationError
from adjudge.texts import composed
from adjudge.values.literals import parse_duration, parse_timestamp


def is_held(held: object, asked: object) -> bool:
    """Whether a value, as its JSON reads, is another one, or has it inside.

    5 is 5.0; a time is the same in any zone, and a length of time in any unit; a text is the same in any form of
    Unicode: `é` may be one character, or `e` and its accent.
    """
    if isinstance(held, list | dict):
        items = held.values() if isinstance(held, dict) else held
        return held == asked or any(is_held(item, asked) for item in items)
    if isinstance(held, bool) or isinstance(asked, bool):
        return held is asked
    if isinstance(held, str) and isinstance(asked, str):
        return any(_is_same(held, asked, read) for read in (composed, _timestamp, _duration))
    return held == asked


def _timestamp(text: str) -> datetime:
    return parse_timestamp(text, exact=False)


def _duration(text: str) -> timedelta:
    return parse_duration(text, exact=False)


def _is_same(held: str, asked: str, read: Callable[[str], object]) -> bool:
    try:
        return read(held) == read(asked)
    except (EvaluationError, OverflowError):
        return False
