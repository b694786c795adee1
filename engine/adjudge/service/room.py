"""How many connections there is room for: the process has so many descriptors, and the log and providers need some."""

from __future__ import annotations

import resource
from contextlib import suppress

CONNECTIONS_MAX = 10_000
DESCRIPTORS_WANTED = 65_536
BACKLOG = 1024
"""Connections that wait to be taken. As many may be taken before the first of them is looked at."""


def raise_descriptors() -> None:
    """Let this process have as many descriptors as it may, up to what is of use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # a system may allow fewer than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def connections_max() -> int:
    """Return how many connections may be open: half the descriptors; a quarter is left beside the backlog."""
    return min(CONNECTIONS_MAX, _descriptors() // 2)


def backlog() -> int:
    """Return how many connections may wait."""
    return max(1, min(BACKLOG, _descriptors() // 4))


def _descriptors() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DESCRIPTORS_WANTED if soft == resource.RLIM_INFINITY else soft
