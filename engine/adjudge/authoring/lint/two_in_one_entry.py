"""An entry of a list with a comma or its like in it: two entries on one line match neither."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.patterns import late
from adjudge.policy.loading.expiry import is_part
from adjudge.source import Source, Span
from adjudge.texts import composed, split_lines
from adjudge.values.list_file import line_span, value_of
from adjudge.values.list_table import is_table, line_of, table_of

CODE = "two-in-one-entry"
_SEPARATOR = late(r"\s*[,;|\t\u060c\u061b\u3001\uff0c\uff1b\uff5c]\s*")
_WIDE = late("[\u060c\u061b\u3001\uff0c\uff1b\uff5c]")
_CODES = late(r"[A-Z]{2,3}(?:\s*[,;|]\s*[A-Z]{2,3})+")
_CODE = late(r"[A-Z]{2,3}(?:[\s,;|]+[A-Z]{2,3})*")
_SPACED = late(r"[A-Z]{2,3}(?:\s+[A-Z]{2,3})+")
_SHOWN_MAX = 3


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find entries that a separator parts, in lists where most entries have none; `Smith, Ann` in all is a form.

    A full-width separator, and one between codes such as `IR; KP`, is no form of anything.
    """
    for name, values in subject.typed.lists.items():
        if is_part(name):
            continue
        parted = [value for value in values if sum(map(bool, _SEPARATOR.split(value))) > 1]
        certain = [value for value in parted if _WIDE.search(value) or _CODES.fullmatch(value)]
        if is_table(subject.typed.texts.get(subject.typed.list_files.get(name, ""), "")):
            parted = [value for value in parted if _WIDE.search(value)]  # any other stands in quotes, and is meant
        elif len(parted) * 2 > len(values):
            parted = certain
        if sum(map(bool, map(_CODE.fullmatch, values))) * 2 > len(values):  # `IBM UK` among names is a name
            parted = [value for value in values if value in set(parted) or _SPACED.fullmatch(value)]
        if parted:
            named = ", ".join(f"`{value}`" for value in parted[:_SHOWN_MAX])
            more = f" and {len(parted) - _SHOWN_MAX} more" if len(parted) > _SHOWN_MAX else ""
            looks = "look" if len(parted) > 1 else "looks"
            message = f"in the list `{name}` {named}{more} {looks} like two entries in one"
            hint = "write one entry per line; an entry is compared as a whole, comma included"
            path = subject.typed.list_files.get(name, "")
            text = subject.typed.texts.get(path, "")
            source, span = subject.typed.source, subject.at("lists", name)
            if text:
                source, span = Source(path, text), Span(*line_span(text, _line(text, parted[0])))
            yield LintFinding(code=CODE, severity="warning", message=message, source=source, span=span, hint=hint)


def _line(text: str, value: str) -> int:
    """Return the line of a list's file, from 1, where a value stands."""
    if is_table(text):
        return next((line_of(text, one) for one in table_of(text).values if composed(one) == value), 1)
    return next((at for at, line in enumerate(split_lines(text), 1) if composed(value_of(line)) == value), 1)
