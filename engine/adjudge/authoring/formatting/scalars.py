"""Single values in house form: conditions with even spacing, texts as they were written."""

from __future__ import annotations

import re

import yaml

from adjudge.errors import PolicyError
from adjudge.expr.parse import parse
from adjudge.expr.printing import unparse
from adjudge.policy.yaml import Mapping, Scalar, read_yaml
from adjudge.source import Source

_WORDS = re.compile(r"[A-Za-z_][\w -]*", re.ASCII)
"""A text that may stand without quotes and be no surprise."""


def condition_text(node: Scalar, raw: str, *, flow: bool) -> str:
    """Return a condition of one line with even spacing, in quotes only where YAML needs them.

    What does not parse, and what holds a comment of its own, stays as it was written.
    """
    value = node.text.value
    try:
        tree = parse(node.text)
        text = unparse(tree)
        if "//" in value or "\n" in text or parse(Source("", text).whole()) != tree:
            return raw
    except PolicyError:
        return raw
    for candidate in (text, "'" + text.replace("'", "''") + "'"):
        if _reads_as(candidate, text, flow=flow):
            return candidate
    return raw


def text_scalar(value: str) -> str:
    """Return a text as YAML in one line that reads as it everywhere: plain, in single quotes, or escaped in double."""
    plain = [value] if _WORDS.fullmatch(value) and value != "unknown" else []
    for candidate in (*plain, "'" + value.replace("'", "''") + "'"):
        if "\n" not in candidate and _reads_as(candidate, value, flow=True, as_text=True):
            return candidate
    return str(yaml.safe_dump(value, default_style='"', width=float("inf"), allow_unicode=True)).rstrip("\n")


def _reads_as(candidate: str, text: str, *, flow: bool, as_text: bool = False) -> bool:
    """Whether YAML reads a text as it is meant; as_text: and as nothing but a text."""
    document = f"{{a: {candidate}, b: c}}\n" if flow else f"a: {candidate}\n"
    root, errors = read_yaml(Source("", document))
    value = root.get("a") if isinstance(root, Mapping) and not errors else None
    return (
        isinstance(value, Scalar)
        and value.text.value == text
        and value.value is not None
        and (not as_text or value.value == text)
        and (not flow or (isinstance(root, Mapping) and len(root.entries) == 2))
    )


def raw_lines(text: str, node: Scalar) -> list[str]:
    """Return the lines of a scalar without their common indentation; the first is what follows the key."""
    raw = text[node.span.start : node.span.end]
    first, *rest = raw.split("\n")
    if raw[0] in "|>":
        while rest and not rest[-1].strip():
            rest.pop()
        common = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
        return [first.rstrip(), *(line[common:] for line in rest)]
    return [first, *(line.strip() for line in rest)]
