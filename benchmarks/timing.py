"""Timing that can be compared: each thing in turn, many rounds, the median of rounds."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter


def per_call_us(runs: Sequence[Callable[[], int]], *, rounds: int = 15) -> list[float]:
    """Return microseconds a call of each; a run returns how many calls it made. Runs take turns, so drift hits all."""
    took: list[list[float]] = [[] for _ in runs]
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for at, run in enumerate(runs):
                start = perf_counter()
                calls = run()
                took[at].append((perf_counter() - start) / calls * 1e6)
    finally:
        gc.enable()
    return [median(times[1:]) for times in took]
