"""How much is tried of what could be tried for ever."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest

DEPTH = int(os.environ.get("ADJUDGE_DEPTH", "1"))
"""How many times as much is tried by hand as for every change."""


def examples(count: int) -> int:
    """Return how many examples a property test tries. count: for every change."""
    return count * DEPTH


def first_measured(cases: Iterable[object]) -> list[object]:
    """Let the first case of a test count for coverage; the others go over the same lines, and take half the time."""
    first, *others = cases
    return [first, *(pytest.param(case, marks=pytest.mark.no_cover) for case in others)]
