"""The words of a condition that was written in another way: what `next_token` refuses, read as what it was meant."""

from __future__ import annotations

import re
from collections.abc import Callable

from adjudge.errors import PolicyError
from adjudge.expr.foreign.slips import Slip
from adjudge.expr.tokens import Token, next_token
from adjudge.source import Text
from adjudge.values.meant import AMOUNT, DAY

_BLANK = re.compile(r"\s*", re.ASCII)
_OPERATORS = {
    "===": "==",
    ">==": ">=",
    "<==": "<=",
    ">>": ">",
    "<<": "<",
    "!==": "!=",
    "=!": "!=",
    "<>": "!=",
    "~=": "!=",
    "=>": ">=",
    "=<": "<=",
    "> =": ">=",
    "< =": "<=",
    "! =": "!=",
    "= =": "==",
    "&&&": "&&",
    "|||": "||",
    "= >": ">=",
    "= <": "<=",
    ":=": "==",
    "& &": "&&",
    "| |": "||",
    "!>": "<=",
    "!<": ">=",
    "=": "==",
    "&": "&&",
    "|": "||",
    ";": "&&",
}
_OPERATOR = re.compile(
    r"=~|===|:=|= [<>](?!=)|&&&|\|\|\||[<>]==|>>|<<|!==|=!|<>|~=|=>|=<|![<>]|[<>!=] =(?!=)|& &|\| \||\*\*|\^|=(?!=)"
    r"|\?\?|&(?!&)|\|(?!\|)|;|\.\.|~|\.(?=\s*$)",
    re.ASCII,
)
_SPECIAL = {"**": "to the power", "^": "to the power", "..": "range", "??": "??", "=~": "=~", "~": "=~"}
_STRING = re.compile(r"""(["'])((?:(?!\1)[^\n])*)\1""")
_COMMENT = re.compile(r"#[^\n]*|--\s[^\n]*|/\*.*?\*/", re.DOTALL)
_DIVISION = re.compile(r"//(?=\s*\d+(?:\.\d+)?\s*(?:$|[)<>=!&|]))")
_WRAPPED = re.compile(
    r"\[([A-Za-z_][\w.]*)\](?=\s*(?:[=!<>]|in\b|not\b))|%([A-Za-z_]\w*)%|:([A-Za-z_]\w*)|\$?\{\{?\s*([A-Za-z_][\w.]*)\s*\}?\}|[@$]([A-Za-z_]\w*)",
    re.ASCII,
)
_GROUPS = re.compile(r"\d,0\d\d(?!\d)", re.ASCII)
"""`1,000`, which nobody means as two numbers, not even in a list; beside it, `2,500` is one as well."""
_PLAIN = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s*([ap])\.?m\.?\b)?(?!\d)|(\d{1,2})\s*([ap])m\b", re.IGNORECASE)
_PLAIN_NUMBER = re.compile(
    r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.,%'$€£¥₹])"
    r"(?!\s*(?:%|[A-Za-z$€£¥₹\u4e07\u842c\u4ebf\u5104]))(?! \d{3}(?!\d))|0x"
)
_NOT_AVAILABLE = re.compile(r"#?[Nn]/[Aa]\b")
_MONTH_OR_NAME = re.compile(r"[A-Za-z]{3,9}\.?\s+\d", re.ASCII)
_WORDS_AFTER = frozenset({"and", "or", "in", "is", "if", "else", "then", "to", "not", "between", "like", "end", "when"})


def foreign_token(text: Text, at: int, note: Callable[[Slip], None], *, in_list: bool, in_choice: bool) -> Token:
    """Return the first word at or after a character, and note what was written in another way. Raises PolicyError.

    in_list: whether a comma separates here, so that it groups no digits. in_choice: whether a colon separates.
    """
    value = text.value
    while True:
        start = _end(_BLANK, value, at)
        comment = _COMMENT.match(value, start)
        if comment is None:
            break
        note(Slip(text.span(*comment.span()), "a comment begins with `//`", is_sure=True))
        at = comment.end()
    if division := _DIVISION.match(value, start):
        note(Slip(text.span(*division.span()), "`//` begins a comment; a division is written `/`"))
        return Token("operator", "/", text.span(*division.span()), division.end())
    if start == len(value):
        return Token("end", "", text.span(start, start), start)
    if word := _literal(text, start, note, in_list=in_list, in_choice=in_choice):
        return word
    if not in_choice and (wrapped := _WRAPPED.match(value, start)):
        name = next(group for group in wrapped.groups() if group)
        note(Slip(text.span(*wrapped.span()), f"a field is written by its name alone: `{name}`"))
        return Token("name", name, text.span(*wrapped.span()), wrapped.end())
    if found := _OPERATOR.match(value, start):
        return _operator(text, found, note, in_list=in_list)
    if missing := _NOT_AVAILABLE.match(value, start):
        return Token("name", "NA", text.span(*missing.span()), missing.end())
    try:
        token = next_token(text, start)
    except PolicyError:
        return _with_backslashes(text, start, note)
    if token.kind == "string":
        return _joined(text, token, start, note)
    return token


def _end(pattern: re.Pattern[str], value: str, at: int) -> int:
    found = pattern.match(value, at)
    return found.end() if found else at


def _literal(text: Text, start: int, note: Callable[[Slip], None], *, in_list: bool, in_choice: bool) -> Token | None:
    value = text.value
    may_be_day = value[start].isdigit() or _MONTH_OR_NAME.match(value, start) is not None
    if may_be_day and (day := DAY.match(value, start)):
        return Token("moment", day.group().rstrip(), text.span(*day.span()), day.end())
    if not in_choice and (clock := _CLOCK.match(value, start)):
        hours, minutes, seconds, half, hour, other = clock.groups()
        said = int(hours or hour) % 12 if half or other else int(hours)
        said += 12 * ((half or other or "").lower() == "p")
        return Token(
            "clock",
            str(said * 3600 + int(minutes or 0) * 60 + int(seconds or 0)),
            text.span(*clock.span()),
            clock.end(),
        )
    if not value[start].isdigit() and value[start] not in ".$€£¥₹" and not value[start].isupper():
        return None
    if _PLAIN_NUMBER.match(value, start):
        return None
    amount = AMOUNT.match(value, start)
    if amount is None:
        return None
    if in_list and "," in amount["number"] and not _GROUPS.search(value):
        return None
    end = amount.end()
    if amount["unit"] == "%" and re.match(r"\s*[\w(.]", value[end:]) and not _is_word(value, end):
        return None  # a remainder
    if amount["unit"] is None and amount["before"] is None and _PLAIN.fullmatch(amount["number"]):
        return None
    while end > start and value[end - 1].isspace():
        end -= 1
    return Token("amount", value[start:end], text.span(start, end), end)


def _is_word(value: str, at: int) -> bool:
    found = re.match(r"\s*([A-Za-z]+)", value[at:])
    return found is not None and found.group(1).lower() in _WORDS_AFTER


def _operator(text: Text, found: re.Match[str], note: Callable[[Slip], None], *, in_list: bool) -> Token:
    said, span, end = found.group(), text.span(*found.span()), found.end()
    if said == ";" and in_list:
        note(Slip(span, "values are separated by commas, not by semicolons", is_sure=True))
        return Token("operator", ",", span, end)
    if said in (";", "."):
        rest = text.value[end:].strip()
        note(Slip(span, f"a condition is one expression, without `{said}` at its end", is_sure=not rest))
        return Token("operator", "&&", span, end) if rest else Token("end", "", text.span(end, end), len(text.value))
    if said in _SPECIAL:
        return Token("operator", _SPECIAL[said], span, end)
    meant = _OPERATORS[said]
    note(Slip(span, f"`{said}` is written `{meant}` in a condition", is_sure=True))
    return Token("operator", meant, span, end)


def _with_backslashes(text: Text, start: int, note: Callable[[Slip], None]) -> Token:
    """Return a string in which a backslash stands for itself, as in a pattern: `"^\\d+$"`. Raises PolicyError."""
    found = _STRING.match(text.value, start)
    if found is None or "\\" not in found.group(2):
        return next_token(text, start)
    at = text.value.index("\\", start)
    note(Slip(text.span(at, at + 2), "a backslash in a string is written twice"))
    return Token("string", found.group(2), text.span(*found.span()), found.end())


def _joined(text: Text, token: Token, start: int, note: Callable[[Slip], None]) -> Token:
    """Return a string in which SQL's doubled quote stands for one: `'it''s'`."""
    value, mark = text.value, text.value[start]
    said, end = token.text, token.end
    while mark in "\"'" and end < len(value) and value[end] == mark and value[end - 1] == mark:
        more = next_token(text, end)
        said, end = f"{said}{mark}{more.text}", more.end
    if end != token.end:
        note(Slip(text.span(start, end), "a quote inside a string is not doubled"))
    return Token("string", said, text.span(start, end), end)
