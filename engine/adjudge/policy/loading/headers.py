"""What a table's header was meant to be that names no field as it stands."""

from __future__ import annotations

import re
from collections.abc import Collection

from adjudge.errors import nearest
from adjudge.patterns import late
from adjudge.policy.loading.other_words import key_meant
from adjudge.values.look_alikes import plainly

_OPERATORS = {
    "=": "==",
    "<>": "!=",
    "\u2260": "!=",
    "=>": ">=",
    "=<": "<=",
    **dict.fromkeys(("is", "eq", "equals", "contains", "has", "includes"), ""),
    **dict.fromkeys(("min", "from", "since", "at least", "gte", "on or after"), ">="),
    **dict.fromkeys(("max", "at most", "lte", "on or before"), "<="),
    **dict.fromkeys(("above", "over", "after", "gt", "greater than", "more than"), ">"),
    **dict.fromkeys(("to", "until", "below", "under", "before", "lt", "less than"), "<"),
    **dict.fromkeys(("not", "is not", "ne"), "!="),
    **dict.fromkeys(("one of", "any of", "list", "is in"), "in"),
    **dict.fromkeys(("notin", "not_in", "!in", "nin", "none of", "is not in"), "not in"),
}
_WORDS = "|".join(sorted(map(re.escape, _OPERATORS), key=len, reverse=True))
_BEHIND = late(rf"(?P<name>.*?)[\s_]*(?P<operator>{_WORDS})", re.IGNORECASE)
_AHEAD = late(r"(?P<operator>min|max|from|to|until|not)[\s_]+(?P<name>.*)", re.IGNORECASE)
"""`min_amount`, which begins with what is asked."""


def meant_header(header: str, names: Collection[str], saying: Collection[str]) -> str | None:
    """Return a header as it is written here: `amount min` is `amount >=`, `outcome` is `then`; None where none is near.

    names: all that a header can name. saying: the headers that are no conditions.
    """
    plain = " ".join(plainly(header).split())
    for form in (_BEHIND, _AHEAD):
        found = form.fullmatch(plain)
        if found is not None and found["name"] in names:
            return f"{found['name']} {_OPERATORS[found['operator'].lower()]}".strip()
    if plain != header and re.split(r"\s*[=!<>]|\s", plain)[0] in names:
        return plain
    word = key_meant(header, saying, ())
    return word[0] if word is not None and nearest(header, names) is None else None
