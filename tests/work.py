"""Counting work instead of seconds: a busy machine changes nothing about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TooMuchWork(AssertionError):
    """More was called than allowed."""


@contextmanager
def at_most(calls: int) -> Iterator[None]:
    """Raise TooMuchWork where more Python functions than these are called inside, generators' steps among them."""
    left = calls

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        if event == "call":
            left -= 1
            if left < 0:
                raise TooMuchWork(f"more than {calls:,} calls")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)
