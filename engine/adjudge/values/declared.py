"""Declarations of fields: what a provider or a policy writes, read as a `Field`, with hints for other words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Literal

from adjudge.errors import FieldError, nearest
from adjudge.patterns import late
from adjudge.texts import composed, with_article
from adjudge.values.fields import Bound, Field
from adjudge.values.look_alikes import plainly
from adjudge.values.meant import Quantity, duration_meant, plain_number, quantity, timestamp_meant
from adjudge.values.reading import read
from adjudge.values.types import (
    DATE,
    DOUBLE,
    DURATION,
    INT,
    SCALARS,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    MapType,
    MoneyType,
    RecordType,
    SetType,
    Type,
    named,
)

_NAME = late(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_CURRENCY = late(r"[A-Z][A-Z0-9]{2,4}", re.ASCII)


FIELD_FORMS = {
    "bool": ("type", "absent", "within", "riskier", "personal", "actionable", "description"),
    "string": ("type", "absent", "within", "personal", "actionable", "description"),
    "int": ("type", "range", "absent", "within", "riskier", "personal", "actionable", "description"),
    "double": ("type", "range", "absent", "within", "riskier", "personal", "actionable", "description"),
    "duration": ("type", "range", "absent", "within", "riskier", "personal", "actionable", "description"),
    "timestamp": ("type", "range", "absent", "within", "riskier", "personal", "actionable", "description"),
    "date": ("type", "range", "absent", "within", "riskier", "personal", "actionable", "description"),
    "enum": ("type", "values", "absent", "within", "riskier", "personal", "actionable", "description"),
    "set": ("type", "values", "absent", "within", "riskier", "personal", "actionable", "description"),
    "list": ("type", "of", "absent", "within", "personal", "actionable", "description"),
    "record": ("type", "of", "absent", "within", "personal", "actionable", "description"),
    "money": ("type", "currencies", "absent", "within", "personal", "actionable", "description"),
    "map": ("type", "keys", "of", "absent", "personal", "actionable", "description"),
}
_DIRECTION_WORDS: Mapping[str, Literal["higher", "lower"]] = {
    "high": "higher", "up": "higher", "above": "higher", "more": "higher", "greater": "higher", "asc": "higher",
    "low": "lower", "down": "lower", "below": "lower", "less": "lower", "desc": "lower", "smaller": "lower",
}  # fmt: skip
_DIRECTIONS: tuple[Literal["higher", "lower"], ...] = ("higher", "lower")
_REFUSED = {
    "bytes": "a policy has no bytes; declare a string",
    "uint": "a policy has no unsigned integers; declare an int with a range",
    "dyn": "a policy knows the type of every field; declare it",
    "null": "a policy has no null: what is missing is unknown",
    "any": "a policy knows the type of every field; declare it",
    "number": "write int or double",
}
_OTHER_TYPES = (
    dict.fromkeys(("str", "text", "varchar", "char", "nvarchar", "character", "uuid", "email", "country"), "string")
    | dict.fromkeys(("integer", "bigint", "long", "int64", "int32", "smallint", "count"), "int")
    | dict.fromkeys(
        ("float", "decimal", "numeric", "real", "float64", "percent", "percentage", "score", "rate"), "double"
    )
    | dict.fromkeys(("boolean", "flag", "bit", "logical", "yes/no"), "bool")
    | dict.fromkeys(("datetime", "time", "timestamptz", "instant", "timestamp with time zone"), "timestamp")
    | dict.fromkeys(("day", "yyyy-mm-dd", "calendar date"), "date")
    | dict.fromkeys(("currency", "price"), "money")
    | dict.fromkeys(("interval", "timedelta", "period", "timespan", "days", "hours", "minutes"), "duration")
    | dict.fromkeys(("choice", "select", "category", "literal", "oneof"), "enum")
    | dict.fromkeys(("array", "sequence", "tuple"), "list")
    | dict.fromkeys(("dict", "object", "hash", "json", "mapping"), "map")
)
"""What other tools call our types; only looked at where a name is none of ours."""
_HOLDING = {
    "list": "{type: list, of: string}",
    "map": "{type: map, keys: [a, b], of: double}",
    "record": "{type: record, of: {number: string}}",
    "money": "{type: money, currencies: [USD]}",
    "enum": "{type: enum, values: [low, high]}",
    "set": "{type: set, values: [a, b]}",
}
_OTHER_KEYS = {"options": "values", "enum": "values", "allowed": "values", "one_of": "values", "kind": "type"} | {
    "dtype": "type", "datatype": "type", "default": "absent", "items": "of", "pii": "personal", "risk": "riskier",
}  # fmt: skip


def _type_meant(said: object) -> str | None:
    """Return the type that a name of another tool means: `varchar(2)` is a string."""
    word = plainly(str(said)).strip().casefold().partition("(")[0]
    if word in FIELD_FORMS:
        return word
    other = _OTHER_TYPES.get(word)
    return other if other in FIELD_FORMS else nearest(word, FIELD_FORMS)


def parse_field(form: object) -> Field:
    """Read a declaration: a type's name, or a mapping with `type` and what that type takes.

    Raises FieldError, whose path leads into `form`.
    """
    if isinstance(form, str):
        form = {"type": form}
    if not isinstance(form, Mapping):
        raise FieldError(
            "schema-type", "a field must be a type's name, or a mapping with `type`", hint=_form_hint(form)
        )
    if "type" not in form:
        folded = next(
            (str(key) for key in form if plainly(str(key)).strip().casefold() in ("type", "kind", "dtype")), None
        )
        if folded is not None:
            message = f"unknown key `{folded}` for a field"
            raise FieldError("schema-unknown-key", message, folded, hint="did you mean `type`?", meant="type")
        values = form.get("enum")
        hint = f"one of {', '.join(FIELD_FORMS)}"
        if isinstance(values, list):
            hint = f"write {{type: enum, values: [{', '.join(map(str, values))}]}}"
        raise FieldError("schema-missing", "a field needs `type`", hint=hint)
    name = form["type"]
    if not isinstance(name, str) or name not in FIELD_FORMS:
        meant = None if str(name) in _REFUSED else _type_meant(name)
        if meant is not None and meant in _HOLDING and not form.keys() & {"values", "of", "currencies"}:
            hint = f"write {_HOLDING[meant]}"
            raise FieldError("name-type", f"there is no field type `{name}`", "type", hint=hint)
        hint = _REFUSED.get(str(name)) or (f"write {meant}" if meant else f"one of {', '.join(FIELD_FORMS)}")
        raise FieldError("name-type", f"there is no field type `{name}`", "type", hint=hint, meant=meant)
    for key in form:
        if key not in FIELD_FORMS[name]:
            hint, meant = _key_hint(form, str(key), name)
            message = f"unknown key `{key}` for a field of type {name}"
            raise FieldError("schema-unknown-key", message, str(key), hint=hint, meant=meant)
    return _with_absent(_declared(form, name), form)


def _form_hint(form: object) -> str:
    if isinstance(form, list) and form and all(isinstance(value, str) for value in form):
        return f"for one of several write {{type: enum, values: [{', '.join(form)}]}}"
    return "write `country: string`"


def _key_hint(form: Mapping[str, object], key: str, name: str) -> tuple[str, str | None]:
    """Return the way out for a key that a type does not take, and the key that was meant."""
    known = FIELD_FORMS[name]
    low, high = (next((form[word] for word in words if word in form), None) for words in (_LOWEST, _HIGHEST))
    if key in (*_LOWEST, *_HIGHEST) and "range" in known:
        return f"write `range: [{'…' if low is None else low}, {'…' if high is None else high}]`", None
    word = plainly(key).strip().casefold()
    meant = word if word in known else _OTHER_KEYS.get(word) or nearest(key, known)
    if meant in known and meant not in form:
        return f"did you mean `{meant}`?", meant
    return f"`{name}` takes {', '.join(known)}", None


_LOWEST, _HIGHEST = ("min", "minimum", "from", "low", "ge"), ("max", "maximum", "to", "high", "le")


def _with_absent(field: Field, form: Mapping[str, object]) -> Field:
    """Return a field that says what its absence means, where that is declared; a map has said it already."""
    if isinstance(field.type, MapType):
        return field
    within = form.get("within")
    if within is not None and (not isinstance(within, str) or not within):
        raise FieldError("schema-type", "`within` must be the path of an object, such as result.flags", "within")
    if "absent" not in form:
        if within is not None:
            hint = "write `absent: false`, or whatever a missing field means"
            raise FieldError("schema-absent", "`within` needs `absent`", "within", hint=hint)
        return field
    return replace(field, absent=_absent(field, form["absent"]), within=within)


def _absent(field: Field, said: object) -> object:
    reading = read(field, said)
    if reading.problems or reading.value is None:
        problem = reading.problems[0][1] if reading.problems else f"must be {named(field.type)}, not null"
        raise FieldError("type-absent", f"`absent` {problem}", "absent")
    return reading.value


def _declared(form: Mapping[str, object], name: str) -> Field:
    personal, actionable = _flag(form, "personal"), _flag(form, "actionable")
    description = form.get("description", "")
    if not isinstance(description, str):
        raise FieldError("schema-type", "a description must be a string", "description")
    if name in ("enum", "set"):
        values = _vocabulary(form, "values", required=True)
        type_: Type = EnumType(values) if name == "enum" else SetType(values)
        riskier = _riskier(form, ("higher", "lower") if name == "enum" else ("higher",))
        return Field(type=type_, riskier=riskier, personal=personal, actionable=actionable, description=description)
    if name == "money":
        return replace(_money(form, personal, description), actionable=actionable)
    if name == "record":
        return replace(_record(form, personal, description), actionable=actionable)
    if name in ("list", "map"):
        return replace(_container(form, name, personal, description), actionable=actionable)
    scalar = SCALARS[name]
    minimum, maximum = _range(form, scalar)
    return Field(
        type=scalar,
        minimum=minimum,
        maximum=maximum,
        riskier=_riskier(form, (True, False) if name == "bool" else ("higher", "lower")),
        personal=personal,
        actionable=actionable,
        description=description,
    )


def parse_fields(forms: Mapping[str, object]) -> dict[str, Field]:
    """Read the declarations of a provider, name by name. Raises FieldError."""
    fields = {}
    for name, form in forms.items():
        try:
            fields[name] = parse_field(form)
        except FieldError as error:
            raise FieldError(error.code, error.message, name, *error.path, hint=error.hint) from None
    return fields


def _container(form: Mapping[str, object], name: str, personal: bool, description: str) -> Field:
    if "of" not in form:
        raise FieldError(
            "schema-missing",
            f"{with_article(name)} needs `of`, the type of what it holds",
            hint="for example `of: string`",
        )
    try:
        of = parse_field(form["of"])
    except FieldError as error:
        raise FieldError(error.code, error.message, "of", *error.path, hint=error.hint) from None
    if of.left_out is not None or of.within is not None:
        message = f"nothing can be left out of {with_article(name)}: `absent` belongs to a field"
        raise FieldError("schema-absent", message, "of", "absent")
    personal = personal or of.personal  # what holds something personal is personal, and so is each of its parts
    of = _made_personal(of) if personal else of
    if name == "list":
        return Field(type=ListType(of.type), of=of, personal=personal, description=description)
    keys = _vocabulary(form, "keys", required=False) if "keys" in form else None
    absent = None
    if "absent" in form:
        if keys is None:
            raise FieldError("schema-absent", "`absent` needs `keys`: it says what a missing key means", "absent")
        absent = _absent(of, form["absent"])
    return Field(type=MapType(STRING, of.type, keys), of=of, absent=absent, personal=personal, description=description)


def _record(form: Mapping[str, object], personal: bool, description: str) -> Field:
    forms = form.get("of")
    if not isinstance(forms, Mapping) or not forms:
        hint = "for example `of: {number: string, expiry: date}`"
        at = ("of",) if "of" in form else ()
        raise FieldError("schema-missing", "a record needs `of`, its fields by name", *at, hint=hint)
    parts: dict[str, Field] = {}
    for name, inner in forms.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            hint = "letters, digits and _, not starting with a digit"
            raise FieldError("name-invalid", f"`{name}` cannot be the name of a field", "of", str(name), hint=hint)
        try:
            part = parse_field(inner)
        except FieldError as error:
            raise FieldError(error.code, error.message, "of", name, *error.path, hint=error.hint) from None
        if isinstance(part.type, SetType | MapType | RecordType):  # what is outside a vocabulary would be nowhere
            kind = part.type.name.partition("(")[0]
            if isinstance(part.type, MoneyType):
                held, other = kind, "`{type: double}` for the amount and `{type: string}` for the currency"
            else:
                held, other = with_article(kind), "`{type: list, of: string}`"
            hint = f"write {other}, or declare it beside the record"
            raise FieldError("type-record", f"a record cannot hold {held}", "of", name, hint=hint)
        if part.within is not None or part.absent is not None:
            key = "absent" if part.absent is not None else "within"
            message = f"`{key}` belongs to a field that stands alone; in a record, what is left out is unknown"
            raise FieldError("schema-absent", message, "of", name, key)
        parts[name] = part
    personal = personal or any(part.personal for part in parts.values())
    if personal:
        parts = {name: _made_personal(part) for name, part in parts.items()}
    type_ = RecordType({name: part.type for name, part in parts.items()})
    return Field(type=type_, parts=parts, personal=personal, description=description)


def _money(form: Mapping[str, object], personal: bool, description: str) -> Field:
    currencies = _vocabulary(form, "currencies", required=True)
    for at, currency in enumerate(currencies):
        if not is_currency(currency):
            hint = "capital letters, such as SGD"
            raise FieldError("name-invalid", f"`{currency}` is not a currency's code", "currencies", at, hint=hint)
    parts = {"amount": Field(type=DOUBLE, personal=personal)}
    parts["currency"] = Field(type=EnumType(currencies), personal=personal)
    return Field(type=MoneyType(currencies), parts=parts, personal=personal, description=description)


def is_currency(code: str) -> bool:
    """Whether a text is written as a currency's code is."""
    return _CURRENCY.fullmatch(code) is not None


def _made_personal(field: Field) -> Field:
    parts = {name: _made_personal(part) for name, part in field.parts.items()}
    return replace(field, personal=True, parts=parts, of=_made_personal(field.of) if field.of is not None else None)


def _flag(form: Mapping[str, object], key: str) -> bool:
    value = form.get(key, False)
    if not isinstance(value, bool):
        raise FieldError("schema-type", f"`{key}` must be true or false", key)
    return value


def _riskier(form: Mapping[str, object], words: tuple[str | bool, ...]) -> Literal["higher", "lower"] | None:
    """Return the direction of risk. words: how the type says `higher`, and then how it says `lower`."""
    said = form.get("riskier")
    if said is None:
        return None
    for word, direction in zip(words, _DIRECTIONS, strict=False):
        if said is word or (said == word and isinstance(word, str)):
            return direction
    expected = " or ".join(str(word).lower() for word in words)
    meant = _DIRECTION_WORDS.get(str(said).lower())
    at = _DIRECTIONS.index(meant) if meant is not None else len(words)
    right = str(words[at]).lower() if at < len(words) else None
    raise FieldError(
        "schema-value",
        f"`riskier` must be {expected}, not `{str(said).lower()}`",
        "riskier",
        hint=f"write {right}" if right is not None else None,
        meant=right,
    )


_VOCABULARY_HINTS = {
    "currencies": "write {type: money, currencies: [USD]}; or double, for a number without a currency",
    "values": "for example {type: enum, values: [low, high]}",
}


def _vocabulary(form: Mapping[str, object], key: str, *, required: bool) -> tuple[str, ...]:
    values = form.get(key)
    if not isinstance(values, list | tuple) or (required and not values):
        meant = f"[{', '.join(part.strip() for part in values.split(','))}]" if isinstance(values, str) else None
        raise FieldError(
            "schema-missing",
            f"`{form['type']}` needs `{key}`, a list of names",
            *((key,) if key in form else ()),
            hint=f"write {meant}" if meant is not None else _VOCABULARY_HINTS.get(key),
            meant=meant,
        )
    words: dict[str, None] = {}
    for at, value in enumerate(values):
        if not isinstance(value, str):
            said = str(value).lower() if isinstance(value, bool) else value
            raise FieldError("schema-type", f"`{said}` is not a string", key, at, hint=f'write "{said}"')
        word = composed(value)
        if word in words:
            raise FieldError("name-duplicate", f"duplicate value `{value}`", key, at)
        words[word] = None
    return tuple(words)


def _number_meant(said: str) -> str | None:
    """Return a bound as a policy writes it, without its separators, sign or unit."""
    found = quantity(said)
    if found is None:
        return None
    return plain_number(Quantity(found.number, "" if found.unit == "%" else found.unit))


_BOUND_HINTS = {
    DURATION: "a length of time, such as 30d or 12h",
    DATE: "a day, such as 2026-01-15",
    TIMESTAMP: "a moment, such as 2026-01-15T08:30:00Z",
}


def _bound_meant(said: str, type_: Type) -> str | None:
    """Return the end of a range that was meant; None where nobody can tell."""
    if type_ in (INT, DOUBLE):
        return _number_meant(said)
    if type_ == DURATION:
        return "0s" if said == "0" else duration_meant(said)
    day = timestamp_meant(said)
    return day[:10] if type_ == DATE and day is not None else day


def _range(form: Mapping[str, object], type_: Type) -> tuple[Bound | None, Bound | None]:
    if "range" not in form:
        return None, None
    bounds = form["range"]
    if isinstance(bounds, list) and len(bounds) == 1 and isinstance(bounds[0], str):
        bounds = bounds[0]  # `[0..1]`, `[0;1]`
    if isinstance(bounds, Mapping):
        bounds = " ".join(str(value) for value in bounds.values())
    parts = re.findall(r"-?\d+(?:\.\d+)?", plainly(bounds).replace("..", " ")) if isinstance(bounds, str) else []
    meant = f"[{parts[0]}, {parts[1].removeprefix('-')}]" if len(parts) == len(("low", "high")) else None
    if not isinstance(bounds, list | tuple) or len(bounds) != 2:
        raise FieldError(
            "schema-type",
            "a range must be two values, the lowest and the highest",
            "range",
            hint=f"write {meant}" if meant else "for example [0, 1]",
            meant=meant,
        )
    ends = [_bound_meant(str(bound), type_) for bound in bounds if read(Field(type=type_), bound).problems]
    if len(ends) == len(bounds) and None not in ends:
        whole = f"[{ends[0]}, {ends[1]}]"
        message = f"`{bounds[0]}` and `{bounds[1]}` are not {named(type_)} each"
        raise FieldError("schema-type", message, "range", hint=f"write {whole}", meant=whole)
    read_bounds: list[Bound] = []
    for at, bound in enumerate(bounds):
        reading = read(Field(type=type_), bound)
        if reading.problems or not isinstance(reading.value, int | float | timedelta | date):
            text = _bound_meant(str(bound), type_)
            hint = f"write {text}" if text is not None else _BOUND_HINTS.get(type_)
            raise FieldError("type-range", f"`{bound}` is not {named(type_)}", "range", at, hint=hint, meant=text)
        read_bounds.append(reading.value)
    low, high = read_bounds
    if low > high:  # type: ignore[operator]  # both were read as the same type
        hint = f"write [{bounds[1]}, {bounds[0]}]"
        raise FieldError("schema-range", "a range must run from the lowest to the highest value", "range", hint=hint)
    return low, high
