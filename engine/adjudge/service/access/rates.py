"""How often each caller may ask: a bucket for each that fills steadily and holds what a second brings."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

CALLERS_MAX = 10_000
"""Buckets that are kept; that of whoever asked longest ago goes first."""


@dataclass(slots=True)
class Rates:
    """Buckets by name. clock: in seconds."""

    clock: Callable[[], float] = monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def wait_s(self, name: str, rate: int) -> float:
        """Take one from a bucket, and return 0; or the seconds until there is one, where it is empty.

        rate: in a second, which is also what a full bucket holds.
        """
        now = self.clock()
        left, at = self._buckets.pop(name, (float(rate), now))
        left = min(float(rate), left + max(0.0, now - at) * rate)
        is_there = left >= 1
        self._buckets[name] = (left - 1 if is_there else left, now)
        if len(self._buckets) > CALLERS_MAX:
            self._buckets.popitem(last=False)
        return 0.0 if is_there else (1 - left) / rate
