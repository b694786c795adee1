"""Texts of a file, read in a database as requests are read."""

from __future__ import annotations

from collections.abc import Iterable

from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.texts import JOINED, JOINERS, MARKS_MAX, UNSEEN, marks


def _class(ranges: Iterable[tuple[str, str]]) -> str:
    return "".join(f"\\x{{{ord(first):x}}}-\\x{{{ord(last):x}}}" for first, last in ranges)


_JOINERS = _class(JOINERS)
_UNSEEN = f"[{_class(UNSEEN)}]|[{_JOINERS}](?:[^{_class(JOINED)}]|$)|(?:^|[^{_class(JOINED)}])[{_JOINERS}]"
"""RE2's form of what `texts.find_unseen` looks for."""


def _composed(column: str) -> str:
    """Write out `composed`.

    The pattern of many marks in a row takes RE2 long to compile: it is put together, which a database does late, where
    a text has so many marks at all.
    """
    marked = _class(marks())
    few = f"length(regexp_replace({column}, {DUCKDB.text(f'[^{marked}]+')}, '', 'g')) <= {MARKS_MAX}"
    in_a_row = f"regexp_matches({column}, {DUCKDB.text(f'[{marked}]{{{MARKS_MAX + 1}}}')} || left({column}, 0))"
    short = f"length({column}) <= {MARKS_MAX}"
    return f"case when {short} or {few} or not {in_a_row} then nfc_normalize({column}) else {column} end"


def _read_text(column: str) -> str:
    """Write out `read_text`."""
    plain = f"regexp_extract({column}, '^[ -~]*') = {column}"  # unlike a match, done once for a word of a dictionary
    seen = f"not regexp_matches({column}, {DUCKDB.text(_UNSEEN)})"
    return f"case when {plain} then {column} when {seen} then {_composed(column)} end"


MACROS = (
    f"create or replace temp macro adjudge_composed(given) as {_composed('given')}",
    f"create or replace temp macro adjudge_text(given) as {_read_text('given')}",
)
"""What a connection is told once: conditions repeat a column as often as they name it, and the words stay short."""


def composed(column: str) -> str:
    """Return an expression of a text as `texts.composed` has it. The connection knows MACROS."""
    return f"adjudge_composed({column})"


def read_text(column: str) -> str:
    """Return an expression of a text: composed, NULL where something in it cannot be seen. As `composed`."""
    return f"adjudge_text({column})"
