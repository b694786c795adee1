"""A condition on its own: from a text and values to an answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from adjudge.errors import EvaluationError, PolicyError, PolicyErrors
from adjudge.expr import reference, runtime
from adjudge.expr.check import Environment, check
from adjudge.expr.nodes import Node
from adjudge.expr.parse import parse
from adjudge.expr.python import compile_condition, has_dynamic_parts
from adjudge.source import Source
from adjudge.values.literals import INT_MAX, INT_MIN
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NOTHING,
    SCALARS,
    STRING,
    TIMESTAMP,
    ListType,
    MapType,
    Type,
    is_dynamic,
    join,
)

check_tree = check


def evaluate(
    text: str,
    values: Mapping[str, object] | None = None,
    *,
    types: Mapping[str, object] | None = None,
    check: bool = True,
    name: str = "<expression>",
) -> object:
    """Evaluate a CEL expression of the policies' profile and return its value.

    values: by name, which may be dotted; a name that is absent or None is unknown, and so is a value of another type
    than declared. Times are aware `datetime`, durations `timedelta`, lists and maps what they are in Python.
    types: declared types by name: `"int"`, `{"list": "string"}`, `{"map": ["string", "double"]}`, or as text
    `"list(string)"`; a name that is only in `values` has the type of its value.
    check: whether types are checked first; without it every operation looks at its values as it runs.
    Raises PolicyErrors where the text does not compile, EvaluationError where the answer is unknown or fails, and
    ValueError for a type that is none.
    """
    source = Source(name, text)
    try:
        given = {key: _inward(value) for key, value in (values or {}).items()}
    except RecursionError:
        raise EvaluationError("a value is nested too deeply") from None
    declared = {key: parse_type(form) for key, form in (types or {}).items()}
    names = {key: type_of(value) for key, value in given.items() if value is not None} | declared
    tree = _read(source, Environment(names, strict=False), check=check)
    for key, type_ in declared.items():
        given[key] = as_type(given.get(key), type_)
    return _outward(answer(tree, given, compiled=check))


def _read(source: Source, environment: Environment, *, check: bool) -> Node:
    """Return an expression's tree, typed if it is checked. Raises PolicyErrors."""
    errors: list[PolicyError] = []
    try:
        tree = parse(source.whole())
        typed, errors = check_tree(tree, environment, source=source) if check else (tree, [])
        if typed is not None:
            return typed
    except PolicyError as error:
        errors = [error]
    from adjudge.expr.foreign.mend import told  # an expression that is right does without

    raise PolicyErrors(told(source.whole(), environment, errors))


def answer(tree: Node, given: Mapping[str, object], *, compiled: bool) -> object:
    """Evaluate a tree on known values, compiled where its types are known. Raises EvaluationError."""
    value = compile_condition(tree)(given) if compiled and not has_dynamic_parts(tree) else None
    if value is None:
        value = reference.evaluate(tree, given)
    if isinstance(value, reference.Unknown):
        raise EvaluationError(value.reason)
    return runtime.whole(value)


def parse_type(form: object) -> Type:
    """Read a type: a scalar's name, `{"list": T}`, `{"map": [K, V]}`, or `list(T)` and `map(K, V)` as text."""
    match form:
        case Type():
            return form
        case "dyn":
            return DYN
        case str() if form in SCALARS:
            return SCALARS[form]
        case str() if form.startswith("list(") and form.endswith(")"):
            return ListType(parse_type(form[5:-1].strip()))
        case str() if form.startswith("map(") and form.endswith(")"):
            key, _, value = form[4:-1].partition(",")
            return MapType(parse_type(key.strip()), parse_type(value.strip()))
        case {"list": item}:
            return ListType(parse_type(item))
        case {"map": [key, value]}:
            return MapType(parse_type(key), parse_type(value))
        case _:
            raise ValueError(f"there is no type {form!r}; one of {', '.join(SCALARS)}, list(T), map(K, V)")


def type_of(value: object) -> Type:
    """Return the type of a value at run time; mixed lists and maps hold `dyn`."""
    match value:
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return DOUBLE
        case str():
            return STRING
        case datetime():
            return TIMESTAMP
        case date():
            return DATE
        case timedelta():
            return DURATION
        case tuple():
            return ListType(_common(value))
        case dict():
            return MapType(_common(tuple(value)), _common(tuple(value.values())))
        case _:
            return DYN


def _common(values: tuple[object, ...]) -> Type:
    common: Type = NOTHING
    for value in values:
        common = join(common, type_of(value)) or DYN
    return common


def as_type(value: object, type_: Type) -> object:
    """Return a value as one of a type, an int where a double is declared as a double; None where it is not one."""
    if value is None or is_dynamic(type_):
        return value
    match type_, value:
        case ListType(item=item), tuple():
            return tuple(as_type(part, item) for part in value)
        case MapType(key=key_type, value=value_type), dict():
            entries = {as_type(key, key_type): as_type(part, value_type) for key, part in value.items()}
            return None if None in entries else entries
        case Type(name="double"), int() if not isinstance(value, bool):
            return float(value) if INT_MIN <= value <= INT_MAX else None
        case Type(name="int"), int() if not INT_MIN <= value <= INT_MAX:
            return None
        case _:
            return value if type_of(value) == type_ else None


def _inward(value: object) -> object:
    """Return a value in the forms of the language: tuples for lists, and None for what it does not have."""
    match value:
        case list() | tuple():
            return tuple(_inward(item) for item in value)
        case Mapping():
            return {key: _inward(item) for key, item in value.items()}
        case datetime() if value.tzinfo is None:
            return None
        case bool() | int() | float() | str() | date() | timedelta():
            return value
        case _:
            return None


def _outward(value: object) -> object:
    match value:
        case tuple():
            return [_outward(item) for item in value]
        case dict():
            return {key: _outward(item) for key, item in value.items()}
        case _:
            return value
