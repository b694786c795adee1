"""What was written otherwise than conditions are, and the parts of a tree whose meaning waits for a type."""

from __future__ import annotations

from adjudge.expr.nodes import Node
from adjudge.frozen import frozen
from adjudge.source import Span

NOTHING = "\0nothing"
"""Stands as a string for `null` until its comparison is read."""


@frozen
class Slip:
    """One thing that is written otherwise here.

    is_sure: there is one way to mean it, so that it may be mended without asking. more: what the hint adds.
    """

    span: Span
    message: str
    is_sure: bool = False
    more: str = ""


@frozen(kw_only=True)
class Amount(Node):
    """A number with a sign or a unit: `80%`, `$100`, `24 hours`. said: as it was written."""

    number: int | float
    unit: str
    said: str


@frozen(kw_only=True)
class Moment(Node):
    """A day, or a day and a time, that stands there as a plain word; `said` is as it was written."""

    said: str


@frozen(kw_only=True)
class Clock(Node):
    """A time of day such as `22:00`, in seconds since midnight."""

    seconds: int


class Doubtful(Exception):
    """A part can be meant in two ways; the slip names both."""

    def __init__(self, slip: Slip) -> None:
        super().__init__(slip.message)
        self.slip = slip
