"""Fields: what a value may be, as a provider or a policy declares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime, timedelta
from typing import Any, Literal

from adjudge.frozen import frozen
from adjudge.values.types import (
    EnumType,
    MapType,
    SetType,
    Type,
)

Number = int | float
Bound = int | float | datetime | timedelta | date


@frozen(kw_only=True)
class Field:
    """A declared field.

    minimum, maximum: the inclusive range, of the field's own type; None where there is none.
    of: the declaration of a list's items or a map's values. parts: those of a record's fields, by name.
    absent: what it means that a source left the field out of an object that came; of a map with keys, that it left out
    a key of the map. None: it is unknown.
    within: where in the source's answer that object stands, by dots; None is the whole answer. Then the provider, which
    alone can see it, says `absent` itself.
    riskier: which direction means more risk: of a number; of an enum, whose values then run from the safest to the
    riskiest (`higher`) or the other way; of a bool, true being the higher one; of a set, where each member adds risk.
    personal: its value stands in the log only as a salted commitment.
    actionable: the applicant can change it, so that an explanation may tell what a change would bring.
    """

    type: Type
    minimum: Bound | None = None
    maximum: Bound | None = None
    of: Field | None = None
    parts: Mapping[str, Field] = field(default_factory=dict, hash=False)
    absent: object = None
    within: str | None = None
    riskier: Literal["higher", "lower"] | None = None
    personal: bool = False
    actionable: bool = False
    description: str = ""

    @property
    def left_out(self) -> object:
        """What it means that the field is not in an object that came; None is unknown."""
        return None if self.within is not None or isinstance(self.type, MapType) else self.absent

    def is_within_range(self, value: Any) -> bool:
        """Whether a value of the field's own type is within its range, if it has one."""
        low: Any = self.minimum
        high: Any = self.maximum
        return (low is None or value >= low) and (high is None or value <= high)

    @property
    def entries(self) -> Mapping[str, Field]:
        """What has a name of its own within a value: the entries of a map that declares its keys, a record's fields."""
        if isinstance(self.type, MapType) and self.type.keys is not None and self.of is not None:
            return dict.fromkeys(self.type.keys, self.of)
        return self.parts

    def part(self, name: str) -> Field:
        """Return the declaration of a map's entry, or of a record's field."""
        declared = self.parts.get(name) or self.of
        assert declared is not None
        return declared

    def entry(self, value: object, name: str) -> object:
        """Return one of `entries` of a value that was read; None where it is unknown."""
        if not isinstance(value, dict):
            return None
        return value.get(name) if self.parts else value.get(name, self.absent)

    @property
    def vocabulary(self) -> tuple[str, ...] | None:
        """The declared values of an enum or set, or keys of a map."""
        match self.type:
            case EnumType(values=values) | SetType(values=values):
                return values
            case MapType(keys=keys):
                return keys
            case _:
                return None
