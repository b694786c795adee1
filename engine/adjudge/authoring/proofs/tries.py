"""Inputs near those that a solver found: where it can neither prove nor show, one of them may show it.

Nothing rests on a try: each is evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import islice
from random import Random
from typing import Any

from adjudge.authoring.proofs.world import Input, fields_of, put
from adjudge.expr.nodes import Call, Literal, names_in, walk
from adjudge.expr.reference import Unknown, evaluate
from adjudge.policy.policy import Policy
from adjudge.policy.slots import is_within
from adjudge.values.fields import Field
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    MapType,
    RecordType,
    SetType,
)

TRIES_MAX = 600
_VALUES_MAX = 24
_PLAIN: tuple[object, ...] = (0, 1, -1, 2, 0.0, 1.0, -1.0, 0.5, "", timedelta())


def tries(policies: Sequence[Policy], starts: Sequence[tuple[Input, ...]]) -> Iterator[tuple[Input, ...]]:
    """Yield inputs with other values in some of the fields that conditions read: first one field, then several.

    starts: what was found, each in all worlds that were asked about; a field is the same in all of them.
    """
    random = Random(0)  # noqa: S311  # the same every time
    named = _constants(policies)
    values = {
        path: list(islice(dict.fromkeys(_values(declared, named, random)), _VALUES_MAX))
        for path, declared in _read(policies).items()
    }
    yield from islice(_tries(values, [*starts, tuple(Input(given={}) for _ in starts[0])], random), TRIES_MAX)


def _tries(
    values: dict[tuple[str, ...], list[object]], starts: Sequence[tuple[Input, ...]], random: Random
) -> Iterator[tuple[Input, ...]]:
    if not any(values.values()):
        return
    for path, ones in values.items():
        for one in ones[: max(1, TRIES_MAX // 2 // len(values))]:
            yield _changed(starts[0], path, one)
    while True:
        inputs = random.choice(starts)
        for path in random.sample(list(values), random.randint(1, len(values))):
            if values[path]:
                inputs = _changed(inputs, path, random.choice(values[path]))
        yield inputs


def _changed(inputs: tuple[Input, ...], path: tuple[str, ...], value: object) -> tuple[Input, ...]:
    return tuple(replace(one, given=put(one.given, path, value)) for one in inputs)


def _read(policies: Sequence[Policy]) -> dict[tuple[str, ...], Field]:
    """Return the fields that conditions read, by the way to them."""
    found: dict[tuple[str, ...], Field] = {}
    for policy in policies:
        typed = policy.typed
        read = names_in(*typed.variables.values(), *typed.conditions)
        for slot, (path, declared) in fields_of(typed).items():
            if any(is_within(name, slot) for name in read):
                found |= {(*path, name): part for name, part in declared.parts.items()} or {path: declared}
    return found


def _constants(policies: Sequence[Policy]) -> list[object]:
    """Return the constants of conditions, times and lengths among them, and what is plain."""
    found: list[object] = []
    for policy in policies:
        typed = policy.typed
        for node in walk(*typed.variables.values(), *typed.conditions):
            if isinstance(node, Literal):
                found.append(node.value)
            elif isinstance(node, Call) and all(isinstance(argument, Literal) for argument in node.arguments):
                value = evaluate(node, {}, functions=policy.functions)
                found += [] if isinstance(value, Unknown) else [value]
        found += [value for values in typed.lists.values() for value in values[:2]]
    return [*found, *_PLAIN]


def _values(declared: Field, named: Sequence[object], random: Random) -> Iterator[Any]:
    """Yield values of a field: its ends, what conditions name and what lies beside it, and some at random."""
    low, high = declared.minimum, declared.maximum
    match declared.type:
        case type_ if type_ == BOOL:
            yield from (True, False)
        case EnumType(values=words):
            yield from words
        case SetType(values=words):
            yield from ((), words, *((word,) for word in words))
        case ListType() if declared.of is not None:
            ones = list(islice(_values(declared.of, named, random), 4))
            yield from ((), *((one,) for one in ones), tuple(ones[:2]), tuple(reversed(ones[:2])))
        case MapType() | RecordType():
            return
        case type_ if type_ == STRING:
            texts = [one for one in named if isinstance(one, str)]
            yield from (*texts, *(f"{text}x" for text in texts))
        case type_ if type_ in (INT, DOUBLE, DURATION, TIMESTAMP, DATE):
            kind = {INT: int, DOUBLE: float, DURATION: timedelta, TIMESTAMP: datetime, DATE: date}[type_]
            ends = [end for end in (low, high) if end is not None]
            yield from ends
            ones = [one for one in named if type(one) is kind]
            if kind is float and isinstance(low, int | float) and isinstance(high, int | float):
                ones += [random.uniform(low, high) for _ in range(4)]
            yield from (near for one in ones for near in _near(one) if declared.is_within_range(near))


def _near(value: object) -> Iterator[Any]:
    yield value
    match value:
        case int():
            yield from (value + 1, value - 1)
        case float():
            yield from (math.nextafter(value, math.inf), math.nextafter(value, -math.inf))
        case timedelta():
            yield from (value + timedelta(microseconds=1), value - timedelta(microseconds=1))
        case date() if not isinstance(value, datetime) and date.min < value < date.max:
            yield from (value + timedelta(days=1), value - timedelta(days=1))
