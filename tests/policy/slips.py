"""Slips in the structure of a document: each line of a policy as it is when one thing about it went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator

_KEY = re.compile(r"( *)(- )?([A-Za-z_][\w.-]*):( |$)(.*)$")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def slips(text: str) -> Iterator[tuple[str, int, str]]:
    """Yield what went wrong, at which line, counted from 1, and the document as it is then."""
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        end = at + 1
        while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > _indent(line)):
            end += 1
        for what, first, last, new in (*_of_line(lines, at), *_of_block(lines, at, end)):
            yield what, at + 1, "\n".join([*lines[:first], *new, *lines[last:]])


def _of_line(lines: list[str], at: int) -> Iterator[tuple[str, int, int, list[str]]]:
    line, one = lines[at], at + 1
    indent, said = _indent(line), line.lstrip()
    if said.startswith("- "):
        yield "no dash", at, one, [" " * indent + "  " + said[2:]]
        yield "no dash, moved left", at, one, [" " * indent + said[2:]]
        yield "tight dash", at, one, [" " * indent + "-" + said[2:]]
    for more in (1, 2, 4):
        yield f"{more} to the right", at, one, [" " * more + line]
    for less in (1, 2):
        if indent >= less:
            yield f"{less} to the left", at, one, [line[less:]]
    if indent:
        yield "at the left edge", at, one, [said]
        yield "tab", at, one, ["\t" + said]
    if key := _KEY.match(line):
        before, dash, name, gap, rest = (group or "" for group in key.groups())
        head = before + dash + name
        yield "no colon", at, one, [f"{head}{gap}{rest}"]
        yield "equals", at, one, [f"{head} = {rest}"]
        yield "two colons", at, one, [f"{head}:: {rest}"]
        yield "full-width colon", at, one, [f"{head}\uff1a{rest}"]
        yield "misspelt", at, one, [f"{head}{name[-1]}:{gap}{rest}"]
        yield "in capitals", at, one, [f"{before}{dash}{name.upper()}:{gap}{rest}"]
        yield "quote opened", at, one, [f'{head}:{gap}"{rest}']
        yield "quote closed", at, one, [f'{head}:{gap}{rest}"']
        if rest:
            yield "tight colon", at, one, [f"{head}:{rest}"]
            yield "no value", at, one, [f"{head}:"]
            yield "a list", at, one, [f"{head}: [{rest}]"]
            yield "a mapping", at, one, [f"{head}: {{value: {rest}}}"]
            yield "a word", at, one, [f"{head}: something"]
    for sign in "{}[]()":
        if sign in line:
            yield f"no {sign}", at, one, [line.replace(sign, "", 1)]
            yield f"two {sign}", at, one, [line.replace(sign, sign * 2, 1)]
    if "{" in line:
        yield "no braces", at, one, [line.replace("{", "").replace("}", "")]
        yield "equals in braces", at, one, [re.sub(r"([{,] *\w+): ", r"\1=", line)]
        yield "no commas", at, one, [line.replace(", ", " ")]
        yield "semicolons", at, one, [line.replace(", ", "; ")]
    yield "deleted", at, one, []
    yield "twice", at, one, [line, line]
    yield "a comment", at, one, ["#" + line]
    yield "a word before", at, at, [" " * indent + "oops"]
    yield "a comma behind", at, one, [line + ","]
    yield "a word behind", at, one, [line + " oops"]
    if one < len(lines) and lines[one].strip():
        yield "in one line with the next", at, one + 1, [f"{line} {lines[one].strip()}"]
        yield "swapped with the next", at, one + 1, [lines[one], line]


def _of_block(lines: list[str], at: int, end: int) -> Iterator[tuple[str, int, int, list[str]]]:
    block = lines[at:end]
    if end == at + 1:
        return
    body = block[1:]
    for more in (1, 2):
        yield f"block {more} to the right", at, end, [" " * more + line for line in block]
        yield f"body {more} to the right", at + 1, end, [" " * more + line for line in body]
        if _indent(block[0]) >= more:
            yield f"block {more} to the left", at, end, [line[more:] for line in block]
        if all(_indent(line) >= more for line in body if line.strip()):
            yield f"body {more} to the left", at + 1, end, [line[more:] for line in body]
    yield "body with tabs", at + 1, end, [line.replace("  ", "\t", _indent(line) // 2) for line in body]
    yield "a word for the block", at, end, [f"{block[0].rstrip(':')}: something"] if block[0].endswith(":") else block
    if body[0].lstrip().startswith("- "):
        yield "no dashes", at + 1, end, [re.sub(r"^( *)- ", r"\1  ", line) for line in body]
