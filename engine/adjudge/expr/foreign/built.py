"""Parts of a tree as they are built for what another language says in one word."""

from __future__ import annotations

import re

from adjudge.expr.foreign.slips import Amount, Clock, Moment
from adjudge.expr.nodes import Binary, Call, Literal, Logic, Name, Node, Select, Unary

COUNTED = "conditions are counted with `atLeast`"
_PERCENT, _LINE = "\ue000", "\ue001"
"""Stand for `\\%` and `\\_`, which mean themselves, while the other ones are read."""


def is_value(node: Node) -> bool:
    """Whether a part can be one of several values in a row: a text, a number, a bare word."""
    return isinstance(node, Literal | Name | Select | Unary | Amount | Moment | Clock)


def method_call(name: str, receiver: Node, *arguments: Node) -> Call:
    """Return a call that stands behind its value."""
    span = receiver.span.to((arguments or (receiver,))[-1].span)
    return Call(span=span, function=name, arguments=(receiver, *arguments), method=True)


def within(value: Node, low: Node, high: Node, *, low_in: bool = True, high_in: bool = True) -> Node:
    """Return `value >= low && value <= high`."""
    span = value.span.to(high.span)
    first = Binary(span=span, operator=">=" if low_in else ">", left=value, right=low)
    last = Binary(span=span, operator="<=" if high_in else "<", left=value, right=high)
    return Logic(span=span, operator="&&", operands=(first, last))


def like(left: Node, pattern: Node) -> Node:
    """Return what `like '%x%'` asks for."""
    if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
        return method_call("contains", left, pattern)
    said = pattern.value.replace("\\%", _PERCENT).replace("\\_", _LINE).replace("*", "%")
    inner = said.strip("%")
    part = Literal(span=pattern.span, value=_plain(inner))
    if "%" in inner or "_" in inner:
        regex = re.escape(said).replace("%", ".*").replace("_", ".")
        regex = _plain(f"^{regex}$".removeprefix("^.*").removesuffix(".*$"))
        return method_call("matches", left, Literal(span=pattern.span, value=regex))
    if said.startswith("%") and said.endswith("%"):
        return method_call("contains", left, part)
    if said.startswith("%"):
        return method_call("endsWith", left, part)
    if said.endswith("%"):
        return method_call("startsWith", left, part)
    return Binary(span=left.span.to(pattern.span), operator="==", left=left, right=part)


def _plain(text: str) -> str:
    return text.replace(_PERCENT, "%").replace(_LINE, "_")
