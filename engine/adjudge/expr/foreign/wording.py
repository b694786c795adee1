"""Ways of saying a condition in words, which are read as the signs that they stand for: Chinese, English, Python, JS.

What stands inside a string stays. Each rewording notes what is written otherwise here; places stay those of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import partial

from adjudge.expr.foreign.slips import Slip
from adjudge.patterns import late
from adjudge.source import Text
from adjudge.values.meant import SECONDS, duration_meant

_STRING = late(r"\"[^\"\n]*\"|'[^'\n]*'")
_NAME = r"[A-Za-z_][\w.]*"
_VALUE = r"[\w.\"']+"
# fmt: off
# ruff: noqa: E501  # a row of words is a row
_CHINESE = {
    "\u5927\u4e8e\u6216\u7b49\u4e8e,\u5927\u4e8e\u7b49\u4e8e,\u4e0d\u5c0f\u4e8e,\u4e0d\u4f4e\u4e8e,\u4e0d\u5c11\u4e8e,\u81f3\u5c11": ">=",
    "\u5c0f\u4e8e\u6216\u7b49\u4e8e,\u5c0f\u4e8e\u7b49\u4e8e,\u4e0d\u5927\u4e8e,\u4e0d\u9ad8\u4e8e,\u4e0d\u591a\u4e8e,\u4e0d\u8d85\u8fc7,\u81f3\u591a,\u6700\u591a": "<=",
    "\u4e0d\u7b49\u4e8e,\u4e0d\u662f": "!=",
    "\u5927\u4e8e,\u8d85\u8fc7,\u9ad8\u4e8e,\u591a\u4e8e,\u665a\u4e8e": ">",
    "\u5c0f\u4e8e,\u4f4e\u4e8e,\u5c11\u4e8e,\u4e0d\u8db3,\u65e9\u4e8e": "<",
    "\u4e0d\u4e3a\u7a7a,\u975e\u7a7a,\u5df2\u77e5": "is not null",
    "\u4e3a\u7a7a,\u662f\u7a7a,\u7f3a\u5931,\u672a\u77e5": "is null",
    "\u4e3a\u771f": "== true",
    "\u4e3a\u5047": "== false",
    "\u7b49\u4e8e,\u662f,\u4e3a": "==",
    "\u4e0d\u5c5e\u4e8e,\u4e0d\u5728": "not in",
    "\u5c5e\u4e8e,\u5728": "in",
    "\u4e0d\u5305\u542b": "does not contain",
    "\u5305\u542b,\u542b\u6709": "contains",
    "\u5e76\u4e14,\u800c\u4e14,\u540c\u65f6,\u4ee5\u53ca,\u4e14,\u548c,\u4e0e,\u53ca": "&&",
    "\u6216\u8005,\u6216\u662f,\u6216": "||",
    "\u5e76\u975e,\u975e": "!",
    "\u4eca\u5929,\u4eca\u65e5": "today()",
    "\u73b0\u5728,\u5f53\u524d\u65f6\u95f4": "now",
}
# fmt: on
"""Words by what they are written as; of two that begin alike, the longer one is read."""
_MEANT = {word: meant for words, meant in _CHINESE.items() for word in words.split(",")}
_UNITS = {"\u5929": "days", "\u5468": "weeks", "\u661f\u671f": "weeks", "\u5c0f\u65f6": "hours"} | {
    "\u5206\u949f": "minutes", "\u79d2": "seconds", "\u4e2a\u6708": "months", "\u5e74": "years", "\u6b21": "times",
}  # fmt: skip
_UNIT = "|".join(sorted((unit for unit in SECONDS if unit not in ("mo", "ms")), key=len, reverse=True))
_CALLS = {"some": "exists", "any": "exists", "exists": "exists", "every": "all", "all": "all"} | {
    "filter": "filter", "map": "map",
}  # fmt: skip
Make = Callable[[re.Match[str]], str]
Said = Callable[[re.Match[str], str], str]


def _written(found: re.Match[str], meant: str) -> str:
    return f"`{found.group().strip()}` is written `{meant.strip()}`"


def _in_signs_instead(found: re.Match[str], meant: str) -> str:
    return f"`{found.group().strip()}` is written in signs"


def _noted_later(found: re.Match[str], meant: str) -> str:
    return ""


def _says(message: str) -> Said:
    return lambda found, meant: message


def _replaced(
    text: Text, pattern: re.Pattern[str], make: Make, slips: list[Slip], say: Said = _written, *, sure: bool = False
) -> Text:
    """Return the text with each part that a pattern finds outside of strings as it was meant."""
    value = text.value
    masked = _STRING.sub(lambda found: "\0" * len(found.group()), value)
    said, at = "", 0
    positions: list[int] = []
    for found in pattern.finditer(value):
        start, end = found.span()
        inside = masked[start] == "\0" and value[start] not in "\"'"
        if inside or end == start or start < at:
            continue
        meant = make(found)
        if meant == found.group():
            continue
        if message := say(found, meant):
            slips.append(Slip(text.span(start, end), message, is_sure=sure))
        said += value[at:start] + meant
        positions += [*text.positions[at:start], *_places(text, found, meant)]
        at = end
    if not at:
        return text
    return Text(said + value[at:], text.source, [*positions, *text.positions[at:]])


def _places(text: Text, found: re.Match[str], meant: str) -> list[int]:
    """Return where each character of a rewording stands: that of a group where the group does."""
    here, at = text.positions[found.start()], 0
    positions: list[int] = []
    for number, group in enumerate(found.groups(), 1):
        if not group or (start := meant.find(group, at)) < 0:
            continue
        begin, end = found.span(number)
        positions += [here] * (start - at) + list(text.positions[begin:end])
        here, at = text.positions[end - 1], start + len(group)
    return positions + [here] * (len(meant) - at)


def in_signs(text: Text, names: Collection[str], slips: list[Slip]) -> Text:
    """Return a condition with what it says in words in signs. names: all that is declared, whose words mean themselves."""
    text = _in_chinese(text, slips)
    text = _in_english(text, names, slips)
    text = _replaced(text, _ARROW, lambda one: f".{_CALLS[one[1]]}({one[2]}, ", slips, _says(_OF_ITEMS))
    text = _replaced(text, _FORMATTED, _joined, slips, _says("there are no f-strings: texts are put together with `+`"))
    text = _replaced(text, _SLICED, _part, slips, _says("a part of a text is `x.substring(from, to)`"))
    return _replaced(
        text, _LENGTH, _length, slips, lambda one, _: f"`{one.group().strip()}` is not how a length of time is written"
    )


_OF_ITEMS = "the items of a list are gone through with `exists`, `all`, `filter` or `map`"
_ARROW = late(rf"\.({'|'.join(_CALLS)})\(\s*\(?([A-Za-z_]\w*)\)?\s*=>\s*")
_FORMATTED = late(r"\bf(?:\"([^\"\\\n]*)\"|'([^'\\\n]*)')")
_SLICED = late(rf"({_NAME})\[\s*(-?\d{{0,4}})\s*:\s*(-?\d{{0,4}})\s*\]")
_LENGTH = late(
    rf"(?<![\w.])(\d+)\s*({_UNIT})\s*(?:and\s+|,\s*)?(\d+)\s*({_UNIT})?(?:\s*(?:and\s+)?(\d+)\s*({_UNIT}))?(?![\w.:-])",
    re.IGNORECASE,
)


def _joined(found: re.Match[str]) -> str:
    """Return the text that an f-string puts together; the f-string itself where there is more in it than names."""
    inner = found.group(1) or found.group(2) or ""
    parts = re.split(r"\{([^{}]*)\}", inner)
    if any(re.fullmatch(_NAME, name) is None for name in parts[1::2]):
        return found.group()
    said = [f'"{part}"' if at % 2 == 0 else part for at, part in enumerate(parts) if part]
    return " + ".join(said) if said else '""'


def _part(found: re.Match[str]) -> str:
    """Return the call for `x[:2]`, `x[1:]`, `x[-2:]`, `x[1:3]`."""
    name, first, last = found.groups()
    size = f"size({name})"
    start = f"{size} - {first[1:]}" if first.startswith("-") else first or "0"
    end = f"{size} - {last[1:]}" if last.startswith("-") else last
    return f"{name}.substring({start}, {end})" if end else f"{name}.substring({start})"


def _length(found: re.Match[str]) -> str:
    """Return the call for `1h 30m`, `1 day and 2 hours`, `1h30`, whose last number is of the next smaller unit."""
    if found[4] and SECONDS[found[4].lower()] >= SECONDS[found[2].lower()]:
        return found.group()  # `between 30 days and 7 days`
    said = re.sub(r"\s+and\s+|,\s*", " ", found.group(), flags=re.IGNORECASE)
    if said[-1].isdigit():
        smaller = _SMALLER.get(found[2][0].lower())
        if smaller is None or found[1] + found[2] + found[3] != found.group():
            return found.group()
        said += smaller
    meant = duration_meant(re.sub(r"(?<=[A-Za-z])(?=\d)", " ", said))
    return f'duration("{meant}")' if meant is not None else found.group()


_SMALLER = {"w": "d", "d": "h", "h": "m", "m": "s"}


def _in_chinese(text: Text, slips: list[Slip]) -> Text:
    if text.value.isascii():
        return text
    for pattern, meant in _AROUND:
        text = _replaced(text, pattern, partial(_expanded, meant=meant), slips, _in_signs_instead)
    text = _replaced(text, _UNITS_BEHIND, lambda one: f"{one[1]} {_UNITS[one[2]]}", slips, _noted_later)
    text = _replaced(text, _FILLERS, lambda one: " ", slips, lambda one, _: f"a condition does without `{one.group()}`")
    return _replaced(text, _WORDS, lambda one: f" {_MEANT[one.group()]} ", slips)


_AROUND = (
    (late(rf"(?:\u4ecb\u4e8e|\u5728)\s*({_VALUE})\s*(?:\u548c|\u5230|\u81f3|\u4e0e|-)\s*({_VALUE})\s*(?:\u4e4b\u95f4)?"), r" between \1 and \2 "),
    (late(rf"\u4ee5\s*({_VALUE})\s*(?:\u5f00\u5934|\u5f00\u59cb)"), r" starts with \1 "),
    (late(rf"\u4ee5\s*({_VALUE})\s*(?:\u7ed3\u5c3e|\u7ed3\u675f)"), r" ends with \1 "),
)  # fmt: skip
_UNITS_BEHIND = late(rf"(\d)\s*({'|'.join(_UNITS)})(?!\s*\d)")
_FILLERS = late("\u5982\u679c|\u82e5|\u4e4b\u4e2d|\u4e2d|\u91cc|\u7684")
_WORDS = late("|".join(sorted(_MEANT, key=len, reverse=True)))


def _expanded(found: re.Match[str], meant: str, names: Collection[str] = ()) -> str:
    """Return what a part is meant as; the part itself where its first word is a declared name."""
    first = re.match(r"\w+", found.group())
    return found.group() if first is not None and first.group() in names else found.expand(meant)


def _in_english(text: Text, names: Collection[str], slips: list[Slip]) -> Text:
    for pattern, meant, message in _ENGLISH:
        if pattern.search(text.value) is None:
            continue
        text = _replaced(
            text,
            pattern,
            partial(_expanded, meant=meant, names=names),
            slips,
            _says(message) if message else _noted_later,
        )
    return text


_OUTCOME = "the outcome stands under `then:`, not in the condition"
_COUNTED = "conditions are counted with `atLeast`"
_NUMBER = r"[2-9]|two|three|four|five|six|seven|eight|nine"
_LIST = "whether a value is in a list is asked with `in`"
_ENGLISH: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), meant, message)
    for pattern, meant, message in (
        (r"\b(is|are|was|does|do|has|have)n['\u2019]?t\b(?=\s)", r"\1 not", ""),
        (r"\bper\s+cent\b", "percent", ""),
        (r"\s*\?\s*[\"']?(?:review|reject)[\"']?\s*:\s*[\"']?(?:pass|none|null|false)[\"']?\s*$", "", _OUTCOME),
        (r"\s*(?::|->)\s*(?:then\s+)?(?:review|reject|pass)\s*$", "", _OUTCOME),
        (r"^\s*return\s", " ", "a condition begins without `return`"),
        (r"^\s*select\b.*?\bwhere\b", " ", "a condition begins without `SELECT` and `WHERE`"),
        (rf"`({_NAME})`", r"\1", "a field is written by its name alone"),
        (rf"\blength\s+of\s+({_NAME})", r"size(\1)", "how long a text is, is `size(…)`"),
        (rf"\bextract\s*\(\s*(\w+)\s+from\s+({_NAME})\s*\)", r"\1(\2)", ""),
        (r"\b(?:is|has)\s+expired\b", "< now", "what has ended lies before `now`"),
        (r"\bin\s+between\b", "between", ""),
        (rf"\bis\s+neither\s+({_VALUE})\s+nor\s+({_VALUE})", r"not in [\1, \2]", ""),
        (r"\bis\s+either\s", "is ", ""),
        (r"(?:(?<=^)|(?<=\()|(?<=[&|] ))(?:either|both)\s", " ", "a condition does without `either` and `both`"),
        (r"\bneither\s+([^&|()]+?)\s+nor\s+([^&|()]+)$", r"!(\1 || \2)", "`neither … nor` is written `!(a || b)`"),
        (r",\s*(and|or)\s", r" \1 ", ""),
        (r"\band\s+(?:then|also)\b|\bas\s+well\s+as\b|\bbut\s+also\b|\bbut\b", "and", ""),
        (r"\bor\s+else\b", "or", ""),
        (r"\b(?:unless|except\s+when|except\s+if|except)\s+([^()]+)$", r"&& !(\1)", "`unless` is a key of its own below `when`, or `&& !(…)`"),
        (rf"\bwithout\s+({_NAME})", r"&& !\1", "`without` is written `&& !…`"),
        (r"\b(?:is\s+)?(?:in|on)\s+(?:the\s+)?(\w+)\s+list\b", r"in lists.\1", _LIST),
        (r"\bin\s+(?:the\s+)?list\s+(\w+)", r"in lists.\1", _LIST),
        (r"\b(?:belongs\s+to|exists\s+in|found\s+in|listed\s+in)\b|\b(?:is\s+)?on\b(?=\s+lists\.)", "in", _LIST),
        (rf"\b(?:at\s+least\s+|any\s+)?({_NUMBER})\s+(?:out\s+)?of\s+(?:the\s+)?(?:(?:{_NUMBER})\s*:\s*)?([^()\[\]:]+)$", r"\1 of (\2)", _COUNTED),
        (r"^\s*(any|all|none)\s+of\b\s*\(?([^()\[\]]+)\)?$", r"\1of(\2)", ""),
        (r"^\s*at\s+least\s+one\s+of\s+([^()\[\]]+)$", r"anyof(\1)", ""),
    )
)  # fmt: skip
