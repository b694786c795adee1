"""The words of a condition, read one at a time from the left."""

from __future__ import annotations

import math
import re
from typing import Literal as OneOf

from adjudge.errors import PolicyError
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.source import Span, Text
from adjudge.values.literals import INT_MAX, INT_MIN

KEYWORDS = frozenset({"true", "false", "null", "in"})
RESERVED = frozenset(
    {
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "namespace",
        "package",
        "return",
        "var",
        "void",
        "while",
    }
)

_SPACE = late(r"(?:[ \t\n\f\r]|//[^\n]*)*")
_NAME = late(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED = late(r"`([A-Za-z0-9_.\-/ ]+)`")
_NUMBER = late(r"0x[0-9A-Fa-f]+|(?:[0-9]+\.[0-9]+|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?")
_QUOTE = late(r"""([rR][bB]?|[bB][rR]?|)(\"\"\"|'''|"|')""")
_OPERATOR = late(r"==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]{}]")
_WRONG = late(r"===|!==|<>|=>|=<|\*\*|=(?!=)|&(?!&)|\|(?!\|)|[≤≥≠“”„‘’;#@^~$\\`]")
_WAY_OUT = {
    "=": "write `==`",
    "===": "write `==`",
    "!==": "write `!=`",
    "<>": "write `!=`",
    "≠": "write `!=`",
    "=>": "write `>=`",
    "≥": "write `>=`",
    "=<": "write `<=`",
    "≤": "write `<=`",
    "&": "write `&&`",
    "|": "write `||`",
    "#": "a comment begins with `//`",
    ";": "a condition is one expression; join two with `&&` or `||`",
    "`": "a quoted field follows a dot: `` headers.`content-type` ``",
} | dict.fromkeys("“”„‘’", 'write straight quotes: `"text"`')
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "?": "?",
    '"': '"',
    "'": "'",
    "`": "`",
}
_CODE = late(r"[xX]([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-3][0-7]{2})")
_SURROGATE = late("[\ud800-\udfff]")


@frozen
class Token:
    """A word: `text` is what was written, or for a string or a quoted field what it means.

    The last three kinds are of conditions that were written in another way.
    """

    kind: OneOf["name", "quoted", "number", "string", "operator", "end", "amount", "moment", "clock"]
    text: str
    span: Span
    end: int

    def __str__(self) -> str:
        match self.kind:
            case "end":
                return "the end"
            case "string":
                return "a string"
            case _:
                return f"`{self.text if len(self.text) <= 40 else self.text[:40] + '…'}`"


def failure(code: str, message: str, text: Text, span: Span, hint: str | None = None) -> PolicyError:
    """Return a mistake of the family `syntax-`."""
    return PolicyError(f"syntax-{code}", message, source=text.source, span=span, hint=hint)


def next_token(text: Text, at: int) -> Token:
    """Return the first word at or after character `at`. Raises PolicyError."""
    value = text.value
    start = _end(_SPACE, value, at)
    if start == len(value):
        return Token("end", "", text.span(start, start), start)
    if quote := _QUOTE.match(value, start):
        return _string(text, quote)
    if match := _NAME.match(value, start):
        return Token("name", match.group(), text.span(start, match.end()), match.end())
    if match := _NUMBER.match(value, start):
        return _number(text, match)
    if match := _WRONG.match(value, start):
        if quoted := _QUOTED.match(value, start):
            return Token("quoted", quoted.group(1), text.span(start, quoted.end()), quoted.end())
        word = match.group()
        raise failure("token", f"unexpected `{word}`", text, text.span(*match.span()), _WAY_OUT.get(word))
    if match := _OPERATOR.match(value, start):
        return Token("operator", match.group(), text.span(start, match.end()), match.end())
    char = value[start]
    shown = f"`{char}`" if char.isprintable() and not char.isspace() else f"character U+{ord(char):04X}"
    hint = "names are made of the letters a to z, digits and `_`" if char.isalnum() else None
    raise failure("token", f"unexpected {shown}", text, text.span(start, start + 1), hint)


def _end(pattern: re.Pattern[str], value: str, at: int) -> int:
    match = pattern.match(value, at)
    return match.end() if match else at


def _number(text: Text, match: re.Match[str]) -> Token:
    start, end = match.span()
    word_end = _end(_NAME, text.value, end)
    if word_end > end:
        tail, span = text.value[end:word_end], text.span(start, word_end)
        if tail in ("u", "U"):
            raise failure(
                "refused", "unsigned integers are not supported in conditions", text, span, f"write `{match.group()}`"
            )
        hint = "write digits without `_`" if tail[0] == "_" else None
        raise failure("number", f"`{text.value[start:word_end][:60]}` is not a number", text, span, hint)
    return Token("number", match.group(), text.span(start, end), end)


def number(text: Text, token: Token, *, negative: bool, span: Span) -> int | float:
    """Return the value of a number's token. Raises PolicyError where 64 bits or a double cannot hold it."""
    word = token.text
    if not word.startswith("0x") and not word.isdecimal():
        value = float(word)
        if math.isinf(value):
            raise failure("number", "the number is too large for a double", text, span)
        return -value if negative else value
    digits, base = (word[2:], 16) if word.startswith("0x") else (word, 10)
    digits = digits.lstrip("0")
    # Python refuses to read very long integers, so the length is looked at first.
    magnitude = int(digits or "0", base) if len(digits) <= 20 else INT_MAX + 2
    integer = -magnitude if negative else magnitude
    if not INT_MIN <= integer <= INT_MAX:
        hint = f"an int is between {INT_MIN} and {INT_MAX}"
        raise failure("number", "the number does not fit into 64 bits", text, span, hint)
    return integer


def _string(text: Text, quote: re.Match[str]) -> Token:
    value, start, at = text.value, quote.start(), quote.end()
    prefix, mark = quote.group(1).lower(), quote.group(2)
    if "b" in prefix:
        raise failure(
            "refused", "bytes are not supported in conditions", text, text.span(start, at), 'write a string: `"text"`'
        )
    parts: list[str] = []
    while not value.startswith(mark, at):
        if at == len(value) or (value[at] in "\r\n" and len(mark) == 1):
            raise failure("string", "the string is never closed", text, text.span(start, at), f"close it with `{mark}`")
        if value[at] == "\\" and not prefix:
            char, after = _escape(text, at)
        else:
            char, after = value[at], at + 1
        if _SURROGATE.match(char):
            raise failure("string", "the string is not valid Unicode", text, text.span(at, after))
        parts.append(char)
        at = after
    end = at + len(mark)
    return Token("string", "".join(parts), text.span(start, end), end)


def _escape(text: Text, at: int) -> tuple[str, int]:
    value = text.value
    if (letter := value[at + 1 : at + 2]) in _ESCAPES:
        return _ESCAPES[letter], at + 2
    if code := _CODE.match(value, at + 1):
        two, four, eight, octal = code.groups()
        point = int(octal, 8) if octal else int(two or four or eight, 16)
        if point <= 0x10FFFF:
            return chr(point), code.end()
    end = min(at + 2, len(value))
    message = f"`{value[at:end]}` is not an escape in a string"
    raise failure(
        "string", message, text, text.span(at, end), 'write `\\\\` for a backslash, or a raw string: `r"\\d"`'
    )
