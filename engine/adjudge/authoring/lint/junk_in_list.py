"""What is in a list's file by mistake: a header, a comment of another language, a value that stands there twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.patterns import late
from adjudge.source import Source, Span
from adjudge.texts import split_lines
from adjudge.values.list_file import value_of
from adjudge.values.list_table import COLUMNS, is_table

CODE = "junk-in-list"
_SHOWN_MAX = 5
_HEADER = late(
    r"(?:(?:merchant|customer|user|account|company|full)?[ _-]?(?:name|names|id|ids|number)|values?|entry|entries|list"
    r"|countr(?:y|ies)|e-?mails?|domains?|phones?|bin|bins|mcc|mccs|名称|名单|商户号|商户名称|国家)(?:\s*[,;\t].*)?",
    re.IGNORECASE,
)
_BETWEEN_CELLS = late("[,;\t]")
_COMMENT = late(r"\s(?://|--|;)\s")


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Look into the files of one value a line."""
    for path in dict.fromkeys(subject.typed.list_files.values()):
        text = subject.typed.texts.get(path, "")
        if not is_table(text):
            yield from _found(path, text)


def _found(path: str, text: str) -> Iterator[LintFinding]:
    lines = split_lines(text)
    values = [value_of(line) for line in lines]
    kept = [value for value in values if value]
    numbers = [number for number, value in enumerate(values) if value]
    suspects: list[tuple[int, str, str]] = []
    if len(kept) > 1 and (_HEADER.fullmatch(kept[0]) or _names_columns(kept[0])):
        way = "delete it; a header is only for a table whose first column is `value`"
        suspects.append((numbers[0], f"`{kept[0]}` looks like a header, and counts as a value", way))
    if len(set(kept)) < len(kept):
        suspects += _twice(values)
    if _COMMENT.search(text):
        for number, value in enumerate(values):
            if _COMMENT.search(value):
                suspects.append((number, f"`{value}` holds what looks like a comment", "a comment begins with `#`"))
    starts = [0]
    for line in split_lines(text, keep_ends=True):
        starts.append(starts[-1] + len(line))
    source = Source(path, text)
    for number, message, hint in suspects[:_SHOWN_MAX]:
        at = starts[number] + len(lines[number]) - len(lines[number].lstrip())

        span = Span(at, at + max(1, len(values[number])))
        yield LintFinding(code=CODE, severity="warning", message=message, source=source, span=span, hint=hint)


def _names_columns(line: str) -> bool:
    """Whether a line is a header of a table whose columns stand in another order, such as `until,value`."""
    cells = [cell.strip(" \"'").lower() for cell in _BETWEEN_CELLS.split(line)]
    return (
        len(cells) > 1
        and not set(COLUMNS).isdisjoint(cells)
        and all(cell in COLUMNS or _HEADER.fullmatch(cell) for cell in cells)
    )


def _twice(values: list[str]) -> Iterator[tuple[int, str, str]]:
    seen: dict[str, int] = {}
    for number, value in enumerate(values):
        if value and value in seen:
            yield number, f"`{value}` stands in line {seen[value] + 1} already", "delete one of them"
        else:
            seen[value] = number
