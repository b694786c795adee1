"""How much is tried of what could be tried for ever."""

from __future__ import annotations

import os

DEPTH = int(os.environ.get("ADJUDGE_DEPTH", "1"))
"""How many times as much is tried by hand as for every change."""


def examples(count: int) -> int:
    """Return how many examples a property test tries. count: for every change."""
    return count * DEPTH
