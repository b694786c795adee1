"""Columns that are worked out before the conditions: each once a row, however often a condition names it.

A step's name is made of its text, so that two policies on the same rows share what they have in common.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

_NAME = re.compile("adjudge_step_[0-9a-f]{16}")


class Steps:
    """Makes steps. made: their texts by name; each reads only steps before it."""

    def __init__(self) -> None:
        self.made: dict[str, str] = {}

    def column(self, text: str) -> str:
        """Return the name of a column that holds what an expression says."""
        if _NAME.fullmatch(text):
            return text
        name = f"adjudge_step_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        self.made.setdefault(name, text)
        return name

    def named_in(self, name: str) -> set[str]:
        """Return the steps that a step reads itself."""
        return {one for one in _NAME.findall(self.made[name]) if one in self.made}


def needed(steps: Mapping[str, str], texts: Iterable[str]) -> dict[str, str]:
    """Return the steps that some expressions hang on, in their order."""
    wanted: set[str] = set()
    ahead = [*texts]
    while ahead:
        names = {name for name in _NAME.findall(ahead.pop()) if name in steps} - wanted
        wanted |= names
        ahead += [steps[name] for name in names]
    return {name: text for name, text in steps.items() if name in wanted}


def worked_out(relation: str, steps: Mapping[str, str]) -> str:
    """Return a relation with the columns of steps beside its own."""
    levels: dict[str, int] = {}
    for name, text in steps.items():
        levels[name] = 1 + max((levels.get(one, 0) for one in _NAME.findall(text)), default=0)
    for level in range(1, max(levels.values(), default=0) + 1):
        columns = ", ".join(f"{steps[name]} as {name}" for name, of in levels.items() if of == level)
        relation = f"(select *, {columns} from {relation})"  # noqa: S608  # texts of the translator
    return relation
