"""A call that is none of ours, and what it is written as."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adjudge.expr.functions import Overload
from adjudge.expr.nodes import (
    Call,
    Node,
)
from adjudge.frozen import frozen
from adjudge.values.types import Type

ZONE = 'name the zone whose clocks count, such as "Asia/Singapore"'


@frozen
class Said:
    """A call that is none of ours. namespace: an undeclared name before its dot, such as `math`."""

    call: Call
    type: Callable[[Node], Type]
    namespace: str | None
    functions: Mapping[str, tuple[Overload, ...]]

    @property
    def arguments(self) -> tuple[Node, ...]:
        """The arguments without the namespace."""
        return self.call.arguments[1:] if self.namespace is not None and self.call.method else self.call.arguments


@frozen
class Made:
    """What a call is written as. is_done: whether its parts were all looked at."""

    node: Node
    message: str
    more: str = ""
    is_done: bool = True


def named_as(said: Said, ours: str) -> str:
    """Return what to say of a function that has another name here."""
    return f"`{said.call.function}` is written `{ours}`"


def call_of(said: Said, name: str, *arguments: Node) -> Call | None:
    """Return a call of a function of ours in the form that it has; None where there is none of that name."""
    overloads = said.functions.get(name)
    if not overloads or not arguments:
        return None
    method = all(overload.form == "method" for overload in overloads)
    if not method and all(overload.form == "both" for overload in overloads):
        method = said.call.method
    return Call(span=said.call.span, function=name, arguments=arguments, method=method)


def renamed(*names: str) -> Callable[[Said], Made | None]:
    """Read a function that only has another name here: the first that there is."""

    def make(said: Said) -> Made | None:
        for name in names:
            made = call_of(said, name, *said.arguments)
            if made is not None and any(len(one.parameters) == len(said.arguments) for one in said.functions[name]):
                return Made(made, named_as(said, f"x.{name}(…)" if made.method else f"{name}(…)"))
        return None

    return make
