"""Making a witness small: fewer known fields, rounder values, and the evaluation still says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from adjudge.authoring.proofs.world import Input

STEPS_MAX = 2000


def shrunk(found: Input, holds: Callable[[Input], bool]) -> Input:
    """Return an input that is as small as can be reached in single steps, and of which `holds` is still true."""
    steps = 0
    again = True
    while again and steps < STEPS_MAX:
        again = False
        for smaller in _smaller(found):
            steps += 1
            if steps > STEPS_MAX:
                break
            if holds(smaller):
                found, again = smaller, True
                break
    return found


def _smaller(found: Input) -> Iterator[Input]:
    if found.now is not None:
        yield Input(given=found.given)
    for given in _parts(found.given):
        yield Input(given=given, now=found.now)
    if found.now is not None:
        for moment in _rounder(found.now):
            yield Input(given=found.given, now=moment)


def _parts(given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in given:
        yield {key: value for key, value in given.items() if key != name}
    for name, value in given.items():
        simpler: Iterator[Any] = _parts(value) if isinstance(value, Mapping) else _rounder(value)
        for part in simpler:
            yield {**given, name: part}


def _rounder(value: Any) -> Iterator[Any]:
    """Yield values that are simpler to read than a value, the simplest first; never one that is as simple."""
    match value:
        case bool():
            return
        case int():
            for digits in range(len(str(abs(value))), 0, -1):
                rounded = round(value, -digits)
                if rounded != value and len(str(rounded).rstrip("0")) < len(str(value).rstrip("0")):
                    yield rounded
        case float():
            for digits in range(-3, 12):
                near = float(round(value, digits))
                if near == value:
                    return
                if len(repr(near)) < len(repr(value)):
                    yield near
        case str():
            for length in range(min(len(value), 3)):
                yield "x" * length if value != "x" * length else value[:length]
        case timedelta():
            for unit in (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)):
                if value % unit:
                    yield value // unit * unit
                    if value // unit + 1 < timedelta.max // unit:
                        yield (value // unit + 1) * unit
        case datetime():
            usual = datetime(2026, 1, 1, tzinfo=UTC)
            if value > usual or value < datetime(2000, 1, 1, tzinfo=UTC):
                yield usual
            day = value.replace(hour=0, minute=0, second=0, microsecond=0)
            if day != value:
                yield day
                yield value.replace(minute=0, second=0, microsecond=0) if value.minute else day
        case date() if not date(2000, 1, 1) <= value <= date(2026, 1, 1):
            yield date(2026, 1, 1)
        case list() | tuple():
            for at in range(len(value)):
                yield [*value[:at], *value[at + 1 :]]
