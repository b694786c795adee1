"""Where a declared name stands in a text: a policy, a fragment, or tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from adjudge.authoring.formatting.printer import Path, is_condition
from adjudge.errors import PolicyError
from adjudge.expr.nodes import LISTS, Comprehension, Name, Select, children, list_name, list_of
from adjudge.expr.nodes import Node as Condition
from adjudge.expr.parse import parse
from adjudge.frozen import frozen
from adjudge.policy.explaining.messages import PLACEHOLDER
from adjudge.policy.loading.tables import SAYING
from adjudge.policy.slots import novel_of, source_of
from adjudge.policy.text import yaml
from adjudge.policy.text.yaml import Mapping, Scalar, YamlNode, read_yaml
from adjudge.source import Source, Span, Text

Kind = Literal["rule", "variables", "lookup", "inputs", "signals", "lists"]

_TABLE: Path = ("tests", "*", "table", "*")
_CASES = ("thresholds", "lookup")
"""Sections in which `by` names what is looked up."""
_FIELDS: tuple[Path, ...] = (("thresholds",), ("calibration",), _TABLE)
_KEYS: dict[Kind, tuple[Path, ...]] = {
    "rule": (),
    "variables": (("variables",),),
    "lookup": (("lookup",),),
    "lists": (("lists",),),
    "inputs": (("inputs",), ("defaults", "inputs"), ("tests", "*", "given", "inputs"), *_FIELDS),
    "signals": (("signals",), ("defaults",), ("tests", "*", "given"), *_FIELDS),
}
"""By kind: whose keys begin with a name."""
_OF_RULES = ("rules", "unresolved", "waived", "excused")
_RULE_IDS: tuple[Path, ...] = (("rules", "*", "id"), ("excuse", "rules", "*"), ("excuse", "*", "rules", "*"))
_OF_ROWS = ("expect", "now")


@frozen
class Symbol:
    """What is pointed at. kind: `rule`, or the section that declares it."""

    kind: Kind
    name: str
    declared: Span


def uses(text: str, symbol: Symbol) -> list[Span]:
    """Return where a symbol's name stands in a text, in order; nowhere where that is no YAML."""
    root, _ = read_yaml(Source("", text))
    found = _in_node(root, (), symbol) if root is not None else ()
    return sorted(set(found), key=lambda span: span.start)


def _in_node(node: YamlNode, path: Path, symbol: Symbol) -> Iterator[Span]:
    match node:
        case Mapping(entries=entries):
            for key, value in entries:
                is_header = _is_row(path) and symbol.kind not in ("rule", "lists") and key.text.value not in SAYING
                if is_header or (path in _KEYS[symbol.kind] and not (path == _TABLE and key.text.value in _OF_ROWS)):
                    yield from _head(key.text, 0, key.text.value, symbol)
                yield from _in_node(value, (*path, key.text.value), symbol)
        case yaml.Sequence(items=items):
            for item in items:
                yield from _in_node(item, (*path, "*"), symbol)
        case Scalar(text=text):
            yield from _in_scalar(text, path, symbol)


def _in_scalar(text: Text, path: Path, symbol: Symbol) -> Iterator[Span]:
    is_field = symbol.kind in ("inputs", "signals")
    if is_condition(path):
        if symbol.kind != "rule":
            yield from _in_condition(text, symbol)
    elif path[:1] in [(name,) for name in _CASES] and (path[-1] == "by" or path[-2:] == ("by", "*")):
        if symbol.kind not in ("rule", "lists"):
            yield from _head(text, 0, text.value, symbol)
    elif _is_row(path[:-1]) and symbol.kind == "lists" and text.value == list_name(symbol.name):
        yield text.span(len(text.value) - len(symbol.name), len(text.value))
    elif symbol.kind == "rule":
        named = path in _RULE_IDS or (path[:1] == ("tests",) and path[-3:-1] in _expecting(_OF_RULES))
        if named and text.value == symbol.name:
            yield text.span(0, len(text.value))
    elif is_field and path[:1] == ("tests",) and path[-3:-1] in _expecting(("problems",)):
        yield from _head(text, 0, text.value, symbol)
    elif is_field and (path[:1] in (("reasons",), ("steps",)) or path[:3] == ("rules", "*", "message")):
        for found in PLACEHOLDER.finditer(text.value):
            if found.group(1):
                yield from _head(text, found.start(1), found.group(1), symbol)


def _is_row(path: Path) -> bool:
    """Whether a path leads to a row of a table, whose keys are headers."""
    return len(path) == 4 and path[0] in ("tables", "lookup") and path[2:] == ("rows", "*")


def _expecting(keys: tuple[str, ...]) -> list[Path]:
    return [("expect", key) for key in keys]


def _head(text: Text, at: int, path: str, symbol: Symbol) -> Iterator[Span]:
    """Yield where a name begins a dotted path; of an input, also what was new of it."""
    head = source_of(path.split(maxsplit=1)[0] if path.strip() else path)
    if symbol.kind == "inputs" and head == novel_of(symbol.name):
        at += len(head) - len(symbol.name)
    elif head != symbol.name:
        return
    yield text.span(at, at + len(symbol.name))


def _in_condition(text: Text, symbol: Symbol) -> Iterator[Span]:
    try:
        tree = parse(text)
    except PolicyError:
        return
    raw = text.source.text
    for end, name in _names(tree, frozenset()):
        listed = list_of(name)
        meant = (symbol.name, novel_of(symbol.name)) if symbol.kind == "inputs" else (symbol.name,)
        span = Span(end - len(symbol.name), end)
        is_meant = listed == symbol.name if symbol.kind == "lists" else listed is None and name in meant
        if is_meant and raw[span.start : span.end] == symbol.name:
            yield span


def _names(node: Condition, local: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Yield the names of a condition as parsed, `lists.` with what follows, each with the offset of its end."""
    if isinstance(node, Select) and node.operand == Name(name=LISTS):
        yield node.span.end, list_name(node.field)
        return
    if isinstance(node, Name) and (node.absolute or node.name not in local):
        yield node.span.end, node.name
    for part in children(node):
        inside = isinstance(node, Comprehension) and part is not node.operand
        yield from _names(part, local | {node.variable} if inside and isinstance(node, Comprehension) else local)
