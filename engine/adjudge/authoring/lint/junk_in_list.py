"""What is in lists by mistake: a full-width letter, a blank in quotes; in a file a header, a comment, a value twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.patterns import late
from adjudge.policy.text import yaml
from adjudge.source import Source, Span
from adjudge.texts import split_lines
from adjudge.values.list_file import line_span, value_of
from adjudge.values.list_table import COLUMNS, is_table, line_of, table_of
from adjudge.values.look_alikes import typed_amiss

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
    """Look into lists that are written out, and into files."""
    yield from _written(subject)
    for path in dict.fromkeys(subject.typed.list_files.values()):
        text = subject.typed.texts.get(path, "")
        yield from _in_table(path, text) if is_table(text) else _found(path, text)


def _written(subject: LintedPolicy) -> Iterator[LintFinding]:
    for begins, _, root in subject.documents:
        for section, lists in root.entries if isinstance(root, yaml.Mapping) else ():
            if section.text.value != "lists" or not isinstance(lists, yaml.Mapping):
                continue
            for item in (item for _, node in lists.entries if isinstance(node, yaml.Sequence) for item in node.items):
                entries = item.entries if isinstance(item, yaml.Mapping) else ()
                value = next((one for key, one in entries if key.text.value == "value"), item)
                amiss = typed_amiss(value.text.value) if isinstance(value, yaml.Scalar) else None
                if amiss is not None and isinstance(value, yaml.Scalar):
                    span = Span(value.span.start + begins, value.span.end + begins)
                    message = f"`{value.text.value}` in a list {amiss[0]}"
                    yield subject.finding(CODE, "warning", message, span, f"write `{amiss[1]}`")


def _in_table(path: str, text: str) -> Iterator[LintFinding]:
    if text.isascii():
        return
    suspects = [(value, amiss) for value in table_of(text).values if (amiss := typed_amiss(value)) is not None]
    for value, (why, plain) in suspects[:_SHOWN_MAX]:
        span = Span(*line_span(text, line_of(text, value)))
        message, hint = f"`{value}` {why}", f"write `{plain}`"
        yield LintFinding(
            code=CODE, severity="warning", message=message, source=Source(path, text), span=span, hint=hint
        )


def _found(path: str, text: str) -> Iterator[LintFinding]:
    lines = split_lines(text)
    values = [value_of(line) for line in lines]
    kept = [value for value in values if value]
    numbers = [number for number, value in enumerate(values) if value]
    suspects: list[tuple[int, str, str]] = []
    if len(kept) > 1 and (_HEADER.fullmatch(kept[0]) or _names_columns(kept[0])):
        way = _header_meant(kept[0]) or "delete it; a header is only for a table whose first column is `value`"
        suspects.append((numbers[0], f"`{kept[0]}` looks like a header, and counts as a value", way))
    if len(set(kept)) < len(kept):
        suspects += _twice(values)
    if not text.isascii():
        for number, value in enumerate(values):
            if (amiss := typed_amiss(value)) is not None:
                suspects.append((number, f"`{value}` {amiss[0]}", f"write `{amiss[1]}`"))
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


def _header_meant(line: str) -> str | None:
    """Return what to do about the header of a table whose first column is not `value`."""
    cells = [cell.strip(" \"'").lower() for cell in _BETWEEN_CELLS.split(line)]
    if not _names_columns(line):
        return None
    if set(cells[1:]) <= set(COLUMNS[1:]) and cells[0] not in COLUMNS:
        return f"head the first column `value`: write `{','.join(['value', *cells[1:]])}`, and each row is an entry"
    return "put the column of the values first and head it `value`; `until`, `by` and `note` may follow it"


def _twice(values: list[str]) -> Iterator[tuple[int, str, str]]:
    seen: dict[str, int] = {}
    for number, value in enumerate(values):
        if value and value in seen:
            yield number, f"`{value}` stands in line {seen[value] + 1} already", "delete one of them"
        else:
            seen[value] = number
