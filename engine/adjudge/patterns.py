"""Regular expressions that are compiled when they are first used: most are for mistakes, and many are long."""

from __future__ import annotations

import re
from typing import Any, cast


def late(text: str, flags: int = 0) -> re.Pattern[str]:
    """Return a pattern as `re.compile` does, and compile it at first use."""
    return cast("re.Pattern[str]", _Late(text, flags))


class _Late:
    """What is asked of the pattern is kept, so that only the first of each kind of question comes here."""

    def __init__(self, text: str, flags: int) -> None:
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(self._text, self._flags), name)
        setattr(self, name, found)
        return found
