"""Single values in house form: conditions with even spacing, texts as they were written."""

from __future__ import annotations

import re

import yaml

from adjudge.errors import PolicyError
from adjudge.expr.parse import parse
from adjudge.expr.printing import unparse
from adjudge.expr.tokens import next_token
from adjudge.policy.text.yaml import Mapping, Scalar, read_yaml
from adjudge.source import Source, Text

_WORDS = re.compile(r"[A-Za-z_][\w -]*", re.ASCII)
"""A text that may stand without quotes and be no surprise."""


def condition_text(node: Scalar, raw: str, *, flow: bool) -> str:
    """Return a condition of one line with even spacing, in quotes only where YAML needs them.

    What does not parse, and what holds a comment of its own, stays as it was written.
    """
    value = node.text.value
    try:
        tree = parse(node.text)
        text = with_numbers_of(node.text, unparse(tree))
        if "//" in value or "\n" in text or parse(Source("", text).whole()) != tree:
            return raw
    except PolicyError:
        return raw
    for candidate in (text, "'" + text.replace("'", "''") + "'"):
        if _reads_as(candidate, text, flow=flow):
            return candidate
    return raw


def with_numbers_of(written: Text, text: str) -> str:
    """Return a condition in house form with its numbers as they were written: `0.000063`, `1e3`, `0x1F`, `5.10`."""
    before, after = _numbers(written), _numbers(Source("", text).whole())
    if len(before) != len(after):
        return text
    for (_, _, number), (start, end, _) in reversed(list(zip(before, after, strict=True))):
        text = text[:start] + number + text[end:]
    return text


def _numbers(text: Text) -> list[tuple[int, int, str]]:
    """Return where a condition's numbers stand, and how they are written. Raises PolicyError where it has no words."""
    found = []
    token = next_token(text, 0)
    while token.kind != "end":
        if token.kind == "number":
            found.append((token.end - len(token.text), token.end, token.text))
        token = next_token(text, token.end)
    return found


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
