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


def composed(column: str) -> str:
    """Return an expression of a text as `texts.composed` has it.

    The pattern of many marks in a row takes RE2 long to compile: it is put together, which a database does late, where
    a text has so many marks at all.
    """
    marked = _class(marks())
    few = f"length(regexp_replace({column}, {DUCKDB.text(f'[^{marked}]+')}, '', 'g')) <= {MARKS_MAX}"
    in_a_row = f"regexp_matches({column}, {DUCKDB.text(f'[{marked}]{{{MARKS_MAX + 1}}}')} || left({column}, 0))"
    short = f"length({column}) <= {MARKS_MAX}"
    return f"case when {short} or {few} or not {in_a_row} then nfc_normalize({column}) else {column} end"


def read_text(column: str) -> str:
    """Return an expression of a text: composed, NULL where something in it cannot be seen."""
    plain = f"regexp_extract({column}, '^[ -~]*') = {column}"  # unlike a match, done once for a word of a dictionary
    seen = f"not regexp_matches({column}, {DUCKDB.text(_UNSEEN)})"
    return f"case when {plain} then {column} when {seen} then {composed(column)} end"
