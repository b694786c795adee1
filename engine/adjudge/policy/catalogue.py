"""What plugins lend to policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from adjudge.errors import EvaluationError, FieldError, PluginError
from adjudge.expr.functions import FUNCTIONS, Overload
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.plugin import Function, Provider
from adjudge.system.faults import is_operators, said_of
from adjudge.values.declared import parse_field
from adjudge.values.fields import Field
from adjudge.values.reading import read

_CONTAINER = late(r"(list)\((.+)\)|(map)\(string, ?(.+)\)")


@frozen(kw_only=True)
class Catalogue:
    """The providers that signals may name and the functions that conditions may call, by name.

    contested: names that are nobody's, since several plugins offer them, and the words for it.
    """

    providers: Mapping[str, Provider] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    contested: Mapping[str, str] = field(default_factory=dict)

    def overloads(self) -> Mapping[str, tuple[Overload, ...]]:
        """Return everything that a condition can call, the language's own functions included. Raises PluginError."""
        return {**FUNCTIONS, **{name: (_overload(name, function),) for name, function in self.functions.items()}}


def _overload(name: str, function: Function) -> Overload:
    if name in FUNCTIONS:
        raise PluginError("the condition language has a function of this name", plugin=name)
    result = _declared(name, function.result)
    return Overload(
        parameters=tuple(_declared(name, parameter).type for parameter in function.parameters),
        result=result.type,
        call=_guarded(function.call, result),
        form="function",
    )


def _declared(name: str, type_name: str) -> Field:
    try:
        return parse_field(_form(type_name))
    except FieldError as error:
        raise PluginError(f"`{type_name}` is not a type: {error.message}", plugin=name) from None


def _form(type_name: str) -> object:
    container = _CONTAINER.fullmatch(type_name)
    if container is None:
        return type_name
    kind, of = (part for part in container.groups() if part is not None)
    return {"type": kind, "of": _form(of)}


def _guarded(call: Callable[..., object], result: Field) -> Callable[..., object]:
    """Return the call with every fault as EvaluationError, an answer of another type than declared included."""

    def guarded(*arguments: object) -> object:
        try:
            reading = read(result, call(*arguments))
        except BaseException as error:
            if is_operators(error):
                raise
            raise EvaluationError(f"the function failed: {said_of(error)}") from error
        if reading.problems or reading.value is None:
            raise EvaluationError(
                f"the function's answer {reading.problems[0][1] if reading.problems else 'is missing'}"
            )
        return reading.value

    return guarded
