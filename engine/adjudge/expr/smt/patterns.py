"""RE2 patterns as z3's regular expressions, as far as the two mean the same."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]  # the standard library's own reader of patterns
from re import _parser as parser  # type: ignore[attr-defined]  # the standard library's own parser, which its stubs leave out
from typing import Any

import z3

_PLAIN = re.compile(r"[A-Za-z0-9 _@.,;:!#%&=<>~'\"/\-\[\]\\(){}?+*|^$]*")
_ESCAPES = re.compile(r"\\(?![dws.\\+*?()\[\]{}|^$/-])")
_READ_OTHERWISE = ("(?", "[[", "{,")
_REPEAT_MAX = 1000


@lru_cache(maxsize=512)
def pattern_of(pattern: str) -> Any:
    """Return the texts in which RE2 finds a pattern, or None where z3 cannot say it exactly.

    Left out is what RE2 and Python's reader of patterns do not read alike, and `$`, `^` other than at the ends.
    """
    if not _PLAIN.fullmatch(pattern) or _ESCAPES.search(pattern) or any(sign in pattern for sign in _READ_OTHERWISE):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            parts = list(parser.parse(pattern))
    except (re.error, Warning, RecursionError, OverflowError):
        return None
    starts = bool(parts) and parts[0] == (codes.AT, codes.AT_BEGINNING)
    ends = bool(parts) and parts[-1] == (codes.AT, codes.AT_END)
    body = parts[1 if starts else 0 : len(parts) - 1 if ends and len(parts) > starts else len(parts)]
    inner = _sequence(body)
    if inner is None:
        return None
    anything = z3.Full(z3.ReSort(z3.StringSort()))
    whole = [*([] if starts else [anything]), inner, *([] if ends else [anything])]
    return z3.Concat(*whole) if len(whole) > 1 else whole[0]


def _sequence(parts: Any) -> Any:
    found = [_part(part) for part in parts]
    if any(part is None for part in found):
        return None
    return z3.Concat(*found) if len(found) > 1 else found[0] if found else z3.Re("")


def _part(part: tuple[Any, Any]) -> Any:
    kind, value = part
    if kind is codes.LITERAL:
        return z3.Re(chr(value))
    if kind is codes.NOT_LITERAL:
        return _not([(chr(value), chr(value))])
    if kind is codes.ANY:
        return _not([("\n", "\n")])
    if kind is codes.IN:
        return _class(value)
    if kind is codes.BRANCH:
        branches = [_sequence(branch) for branch in value[1]]
        return None if any(branch is None for branch in branches) else z3.Union(*branches)
    if kind is codes.SUBPATTERN:
        return _sequence(value[3]) if value[1] == 0 and value[2] == 0 else None
    if kind in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        low, high, body = value
        inner = _sequence(body)
        if inner is None or low > _REPEAT_MAX:
            return None
        if high is codes.MAXREPEAT:
            return z3.Concat(z3.Loop(inner, low, low), z3.Star(inner)) if low else z3.Star(inner)
        return z3.Loop(inner, low, high) if high <= _REPEAT_MAX else None
    return None


_CATEGORIES = {
    codes.CATEGORY_DIGIT: [("0", "9")],
    codes.CATEGORY_WORD: [("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")],
    codes.CATEGORY_SPACE: [("\t", "\n"), ("\f", "\r"), (" ", " ")],
}


def _class(items: list[tuple[Any, Any]]) -> Any:
    negated = bool(items) and items[0] == (codes.NEGATE, None)
    ranges: list[tuple[str, str]] = []
    for kind, value in items[1:] if negated else items:
        if kind is codes.LITERAL:
            ranges.append((chr(value), chr(value)))
        elif kind is codes.RANGE:
            ranges.append((chr(value[0]), chr(value[1])))
        elif kind is codes.CATEGORY and value in _CATEGORIES:
            ranges += _CATEGORIES[value]
        else:
            return None
    return _not(ranges) if negated else _ranges(ranges)


def _ranges(ranges: list[tuple[str, str]]) -> Any:
    parts = [z3.Range(low, high) for low, high in ranges]
    return z3.Union(*parts) if len(parts) > 1 else parts[0]


def _not(ranges: list[tuple[str, str]]) -> Any:
    return z3.Intersect(z3.AllChar(z3.ReSort(z3.StringSort())), z3.Complement(_ranges(ranges)))
