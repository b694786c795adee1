"""What to say where a text is no YAML: PyYAML's findings in the words of a policy's author."""

from __future__ import annotations

import re

import yaml

from adjudge.errors import PolicyError
from adjudge.source import Source, Span

_VALUE = re.compile(r"(?:^|(?<=[\s{,]))[\w.-]+:[ ]+(?=\S)|^[ ]*-[ ]+(?=[^\s-])")
_CONDITION_KEYS = ("when", "unless")
_SIGNS = "!&*%@`|>#]}"
"""A plain text cannot start with these."""
_HINT_MAX = 100


def shown(text: str) -> str:
    """Return a user's text as a message can hold it, at most 60 characters long."""
    return text if len(text) <= 60 else f"{text[:59]}…"


def quoted(text: str) -> str:
    """Return a text in the quotes that leave it as readable as can be."""
    if "'" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def explain(error: yaml.MarkedYAMLError, source: Source) -> PolicyError:
    """Return PyYAML's error as ours: with its place, and the way out that an author needs most often."""
    problem, context = error.problem or "", error.context or ""
    mark = error.problem_mark or error.context_mark
    at = min(mark.index if mark else 0, len(source.text))
    begun = error.context_mark.index if error.context_mark else at

    def wrong(message: str, start: int, end: int, hint: str | None = None) -> PolicyError:
        return PolicyError("yaml-syntax", message, source=source, span=Span(start, end), hint=hint)

    if "quoted scalar" in context:
        if "unexpected" in problem:
            return wrong("this quote is never closed", begun, begun + 1, "close it, or quote the whole string")
        hint = r"write \\ for a backslash, or put the string in single quotes, where it needs no escape"
        return wrong("unknown escape inside double quotes", at - 1, at + 1, hint)
    for place in (at, begun):
        if misread := _misread_value(source, place):
            start, end = misread
            text = source.text[start:end]
            message = f"a string that starts with `{text[0]}` must be quoted as a whole"
            return wrong(message, start, end, f"write {quoted(text)}" if len(text) <= _HINT_MAX else None)
    match problem:
        case "mapping values are not allowed here":
            before = _value_before(source, at)
            if before is None:
                line, column = source.place(at)
                key = at - column + 1 + len(source.line(line)) - len(source.line(line).lstrip())
                hint = "keys of one mapping start in the same column; quote a string that spans lines"
                return wrong("this key does not line up with the line above", key, at, hint)
            text = source.text[before[1] : before[2]]
            hint = "if the `:` belongs to the string, quote it all" + (
                f": {quoted(text)}" if len(text) <= _HINT_MAX else ""
            )
            return wrong("a second key ends here, in the middle of a value", at, at + 1, hint)
        case "could not find expected ':'":
            line, _ = source.place(begun)
            end = begun + len(source.text[begun:].partition("\n")[0].rstrip())
            return wrong(
                f"line {line} is neither `key: value` nor `- item`", begun, end, "a `:` needs a space after it"
            )
        case "sequence entries are not allowed here" | "mapping keys are not allowed here":
            return wrong("an item cannot begin here", at, at + 1, "begin each item of a list on its own line")
    if "flow node" in context:
        return wrong("a value is missing here", at, at + 1, "quote a string that contains any of { } [ ] , ?")
    if "flow" in context:
        if at >= len(source.text.rstrip()):
            return wrong(f"this `{source.text[begun]}` is never closed", begun, begun + 1)
        hint = "quote a string that contains any of { } [ ] , ?"
        return wrong(f"expected `,` or `{'}' if 'mapping' in context else ']'}`", at, at + 1, hint)
    if "block scalar" in context:
        return wrong(
            "only the string's own lines may follow `|` or `>`", at, at + 1, "begin the string on the next line"
        )
    if "block end" in problem and source.text[at : at + 1] == ":":
        return wrong("a key is missing before this `:`", at, at + 1)
    if "block end" in problem:
        hint = "keys of one mapping, and items of one list, start in the same column"
        return wrong("this does not line up with the lines above", at, at + 1, hint)
    said = problem.replace("'", "`")
    return wrong(f"this is not valid YAML: {said}", at, at + 1)


def tag_hint(source: Source, at: int) -> str:
    """Return the way out where a `!` was read as a tag."""
    if source.text.startswith("!!", at):
        return "delete it; what a value is follows from where it stands"
    line = source.text[at:].partition("\n")[0].rstrip()
    return f"a string that starts with `!` must be quoted as a whole: {quoted(line)}"


def _value_before(source: Source, at: int) -> tuple[str, int, int] | None:
    """Return the last `key: ` or `- ` before `at` in its line, and where what follows it starts and ends."""
    line, column = source.place(at)
    text = source.line(line)
    begin = at - (column - 1)
    found = None
    for match in _VALUE.finditer(text):
        if match.end() <= column - 1:
            found = match.group(), begin + match.end(), begin + len(text.rstrip())
    return found


def _misread_value(source: Source, at: int) -> tuple[int, int] | None:
    """Return start and end of the value around `at`, if its first character is the likely reason of an error."""
    found = _value_before(source, at)
    if found is None:
        return None
    key, start, end = found
    first = source.text[start]
    closed = first in "\"'" and at > start + 1
    is_condition = key.strip(" :") in _CONDITION_KEYS
    return (start, end) if first in _SIGNS or closed or (first in "[{" and is_condition) else None
