"""Texts for people: the one of a reader's locale, with the values of fields in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from adjudge.patterns import late

PLACEHOLDER = late(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
"""`{{`, `}}`, `{field}`, or a brace that stands alone, which no policy has."""


def in_locale(texts: Mapping[str, str], locale: str) -> str | None:
    """Return the text of a locale such as `pt-BR`; None where there is none at all.

    Looked for are the locale, then the same language (`pt`), the text that names none, English, and the first.
    """
    language = locale.partition("-")[0]
    for wanted in (locale, language, "", "en", *texts):
        if wanted in texts:
            return texts[wanted]
    return None


def filled(text: str, value: Callable[[str], str]) -> str:
    """Return a text with each `{field}` replaced. value: how a field reads; `{{` and `}}` stand for the signs."""

    def one(found: re.Match[str]) -> str:
        return found.group()[0] if found.group(1) is None else value(found.group(1))

    return PLACEHOLDER.sub(one, text)
