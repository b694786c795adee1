"""Characters that people type, paste or never see where a plain one of ASCII was meant, and their everyday names."""

from __future__ import annotations

import unicodedata

from adjudge.patterns import late
from adjudge.texts import UNSEEN, find_unseen, name_of

_WIDE_FIRST, _WIDE_LAST, _WIDE_AHEAD = 0xFF01, 0xFF5E, 0xFEE0
_WIDE_SPACE = "\u3000"
_SPACES = "\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f"
_NO_BREAK = "\xa0\u202f\u2007"
_DOUBLE_QUOTES = "\u201c\u201d\u201e\u201f\u2033\u300c\u300d\u300e\u300f\uff02\xab\xbb"
_SINGLE_QUOTES = "\u2018\u2019\u201a\u201b\u2032\xb4\uff07\u2039\u203a"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63"
_CJK = {"\u3002": ".", "\u3001": ",", "\u3010": "[", "\u3011": "]", "\u3014": "[", "\u3015": "]"} | {
    "\u300a": "<", "\u300b": ">", "\u3008": "<", "\u3009": ">",
}  # fmt: skip
_SIGNS = {"\u2265": ">=", "\u2264": "<=", "\u2260": "!=", "\u2267": ">=", "\u2266": "<=", "\xd7": "*", "\xf7": "/"} | {
    "\u2215": "/", "\u2044": "/", "\u2227": "&&", "\u2228": "||", "\xac": "!", "\u2208": " in ", "\u2209": " not in ",
}  # fmt: skip
_LETTERS = dict(
    zip(
        "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0458\u0455\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0406"
        "\u03bf\u03b1\u03bd\u0391\u0392\u0395\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a7",
        "aceopxyijsABEKMHOPCTXIoavABEHIKMNOPTX",
        strict=True,
    )
)
"""Of Cyrillic and Greek; in a name nobody can tell them from ours."""
_INVISIBLE = late(f"[{''.join(f'{first}-{last}' for first, last in UNSEEN)}\u200c\u200d]")


def plain(char: str) -> str | None:
    """Return what was meant by a character that looks like one of ASCII, or like none; None for any other.

    An invisible character means nothing: the answer is empty.
    """
    if char.isascii() and char.isprintable():
        return None
    if _WIDE_FIRST <= ord(char) <= _WIDE_LAST:
        return chr(ord(char) - _WIDE_AHEAD)
    if char == _WIDE_SPACE or char in _SPACES:
        return " "
    if char in _DOUBLE_QUOTES:
        return '"'
    if char in _SINGLE_QUOTES:
        return "'"
    if char in _DASHES:
        return "-"
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    if _INVISIBLE.match(char):
        return ""
    return _CJK.get(char) or _SIGNS.get(char) or _LETTERS.get(char)


def is_quote(char: str) -> bool:
    """Whether a character is a curly or other typographic quote."""
    return char in _DOUBLE_QUOTES or char in _SINGLE_QUOTES


def said_of(char: str) -> str:
    """Return what a look-alike is, in everyday words: ``a full-width `:` ``."""
    meant = plain(char)
    if char == _WIDE_SPACE:
        return "a full-width (ideographic) space"
    if char in _SPACES:
        return "a no-break space" if char in _NO_BREAK else f"a special space ({name_of(char)})"
    if meant == "":
        return f"an invisible character ({name_of(char)})"
    if ord(char) in range(_WIDE_FIRST, _WIDE_LAST + 1) or char in _CJK:
        return f"a full-width `{meant}`"
    if char in _DOUBLE_QUOTES or char in _SINGLE_QUOTES:
        return f"a curly quote `{char}`"
    if char in _DASHES:
        return f"a long dash `{char}`"
    if char in _LETTERS:
        return f"a letter of another alphabet that looks like `{meant}`"
    return f"`{char}`"


def plainly(text: str) -> str:
    """Return a text with each look-alike as what was meant by it."""
    if text.isascii():
        return text
    return "".join(char if (meant := plain(char)) is None else meant for char in text)


def first_look_alike(text: str) -> int | None:
    """Return where the first look-alike stands; None where there is none."""
    if text.isascii() and find_unseen(text) is None:
        return None
    return next((at for at, char in enumerate(text) if plain(char) is not None), None)


def typed_amiss(text: str) -> tuple[str, str] | None:
    """Return why a plain text never equals this one, and that plain text; None where nothing looks wrong.

    `ＳＧ` and `SG ` do; a name in another script does not, nor does a sign within one.
    """
    plain_text = plainly(text).strip()
    if not plain_text or not plain_text.isascii() or plain_text == text:
        return None
    if wide := next((char for char in text if _WIDE_FIRST <= ord(char) <= _WIDE_LAST and char.isalnum()), None):
        return f"has {said_of(wide)}", plain_text
    if letter := next((char for char in text if char in _LETTERS), None):
        mixed = any(char.isascii() and char.isalnum() for char in text)
        return (f"has {said_of(letter)}", plain_text) if mixed else None
    if text.strip() != text:
        return "has a blank at its " + ("beginning" if text[0].isspace() else "end"), text.strip()
    return None
