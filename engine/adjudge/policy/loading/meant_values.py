"""What a single value was meant to be that is not of the type which its place asks for."""

from __future__ import annotations

import re

from adjudge.expr.printing import quote
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.policy.text import yaml
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.texts import about
from adjudge.values.fields import Field
from adjudge.values.look_alikes import first_look_alike, plainly, said_of
from adjudge.values.meant import (
    date_meant,
    duration_meant,
    plain_number,
    quantity,
    timestamp_meant,
)
from adjudge.values.types import BOOL, DATE, DOUBLE, DURATION, INT, TIMESTAMP, Type

_COMPARED = late(r"(?:[<>]=?|=+|≥|≤|at least|at most|from|min|max|above|below|over|under)\s*", re.IGNORECASE)
_JOINED_BY = {"all": "&&", "and": "&&", "any": "||", "or": "||", "not": "&&", "none": "||"}
_YES, _NO = ("yes", "y", "on", "1", "true"), ("no", "n", "off", "0", "false")


@frozen
class Meant:
    """What to write in place of a value, and why it is not read as it stands."""

    text: str
    why: str
    is_sure: bool = False


def value_meant(node: Scalar, type_: Type, within: tuple[float, float] | None = None) -> Meant | None:
    """Return what a value was meant to be as one of a type; None where nobody can tell. within: the field's range."""
    return text_meant(node.text.value, type_, within)


def text_meant(text: str, type_: Type, within: tuple[float, float] | None = None) -> Meant | None:
    """Return what a text was meant to be as one of a type; None where nobody can tell. within: the field's range."""
    said = text.strip()
    if type_ in (INT, DOUBLE):
        return _number(said, type_, within)
    if type_ == DURATION:
        meant = duration_meant(said)
        return (
            Meant(meant, _why(said, f"a length of time is one number and its unit, such as {meant}")) if meant else None
        )
    if type_ == TIMESTAMP:
        meant = timestamp_meant(said)
        return Meant(meant, _why(said, "a moment is a day, a time and a zone; Z is UTC")) if meant else None
    if type_ == DATE:
        meant = timestamp_meant(said)
        return Meant(meant[:10], _why(said, "a date is year, month and day")) if meant else None
    if type_ == DATE:
        meant = date_meant(said)
        return Meant(meant, _why(said, "a day is year-month-day")) if meant and meant != said else None
    if type_ == BOOL:
        word = plainly(said).casefold()
        meant = "true" if word in _YES else "false" if word in _NO else None
        return Meant(meant, "it is either true or false") if meant else None
    return None


def joined_condition(node: YamlNode) -> str | None:
    """Return conditions of a list, or of `all:`, `any:`, `not:`, as one; `{country: SG}` is `country == "SG"`."""
    match node:
        case Scalar():
            return node.text.value.strip() if node.value is not None else None
        case yaml.Sequence(items=items):
            return _joined([joined_condition(item) for item in items], "&&")
        case yaml.Mapping(entries=entries):
            parts: list[str | None] = []
            for key, value in entries:
                name = key.text.value.casefold()
                if name in _JOINED_BY:
                    below = value.items if isinstance(value, yaml.Sequence) else (value,)
                    part = _joined([joined_condition(item) for item in below], _JOINED_BY[name])
                    parts.append(f"!({part})" if name in ("not", "none") and part is not None else part)
                elif isinstance(value, Scalar) and value.value is not None:
                    said = value.text.value
                    literal = said if not isinstance(value.value, str) else quote(said)
                    parts.append(f"{key.text.value} == {literal}")
                else:
                    return None
            return _joined(parts, "&&")
        case _:
            return None


def _joined(parts: list[str | None], operator: str) -> str | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or not known:
        return None
    if len(known) == 1:
        return known[0]
    other = "||" if operator == "&&" else "&&"
    return f" {operator} ".join(f"({part})" if other in part or "?" in part else part for part in known)


def scale_of(declared: Field) -> tuple[float, float] | None:
    """Return the range of a number that has one."""
    low, high = declared.minimum, declared.maximum
    return (low, high) if isinstance(low, int | float) and isinstance(high, int | float) else None


def _number(said: str, type_: Type, within: tuple[float, float] | None) -> Meant | None:
    compared = _COMPARED.match(plainly(said))
    rest = plainly(said)[compared.end() :] if compared is not None else said.removesuffix("+")
    quantity_said = quantity(rest)
    if quantity_said is None:
        return None
    text = plain_number(quantity_said, within=within)
    if type_ == INT and "." in text:
        if quantity_said.unit != "%":
            return None
        text = about(quantity_said.number)  # 10% of nothing that is said: 10
    if compared is not None:
        return Meant(text, "the place says how it is compared, so only the number stands here")
    if first_look_alike(said) is not None:
        return Meant(text, _why(said, ""), is_sure=True)
    if quantity_said.unit == "%":
        if within is not None:
            return Meant(text, f"there are no percent signs, and this field runs from {within[0]:g} to {within[1]:g}")
        return Meant(text, "there are no percent signs")
    if quantity_said.unit:
        return Meant(text, "a number stands without a unit")
    plain = re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)", said) is not None
    quoted = "a number stands without quotes" if plain else "a number has digits and at most one point"
    return Meant(text, quoted, is_sure=plain)


def _why(said: str, otherwise: str) -> str:
    at = first_look_alike(said)
    return f"there is {said_of(said[at])} in it" if at is not None else otherwise
