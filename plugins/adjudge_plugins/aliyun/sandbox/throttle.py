"""The quota of calls in a second: counted for each operation, as the vendor states it, and in fixed seconds.

Whether the vendor's window is fixed or sliding is unverified.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from datetime import datetime


class Throttle:
    """Counts calls by operation and second; safe for many threads at once. clock: aware UTC."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[int, int]] = {}

    def is_over(self, operation: str, per_second: int) -> bool:
        """Count a call, and return whether it is one too many in this second of the clock."""
        second = math.floor(self._clock().timestamp())
        with self._lock:
            started, calls = self._windows.get(operation, (second, 0))
            calls = calls + 1 if started == second else 1
            self._windows[operation] = (second, calls)
        return calls > per_second

    def retry_after_ms(self) -> int:
        """Return the milliseconds until the next second of the clock, at least one."""
        return max(1, math.ceil((1 - self._clock().timestamp() % 1) * 1000))
