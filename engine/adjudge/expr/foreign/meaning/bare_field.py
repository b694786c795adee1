"""What can be asked of a field that stands alone where a condition belongs."""

from __future__ import annotations

from adjudge.expr.check import Environment, check
from adjudge.expr.foreign.meaning.beside import path_of
from adjudge.expr.foreign.slips import Slip
from adjudge.expr.nodes import (
    Node,
    Unary,
)
from adjudge.source import Source
from adjudge.values.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    is_text,
    named,
)


def asked_of(node: Node, environment: Environment, source: Source) -> Slip | None:
    """Return what can be asked of a field that stands where a condition belongs; None for anything else."""
    denied = isinstance(node, Unary) and node.operator == "!"
    field = node.operand if isinstance(node, Unary) and denied else node
    path = path_of(field)
    typed, _ = check(field, environment, source=source)
    if path is None or typed is None or typed.type in (None, BOOL, DYN):
        return None
    not_ = "!" if denied else ""
    ways = [f"{not_}has({path})"]
    if is_text(typed.type or DYN):
        ways.append(f'{path} {"==" if denied else "!="} ""')
    elif typed.type in (INT, DOUBLE):
        ways.append(f"{path} {'==' if denied else '>'} 0{'.0' if typed.type == DOUBLE and denied else ''}")
    what = f"`{path}` is {named(typed.type)}, and alone no condition"
    return Slip(node.span, what, more="write " + " or ".join(f"`{way}`" for way in ways))
