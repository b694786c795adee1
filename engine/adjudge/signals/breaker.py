"""A breaker: after failures in a row nobody is asked for a while, and then one call tries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "open", "trying"]


@dataclass(slots=True)
class Breaker:
    """Counts failures in a row. Not for many threads at once: its guard holds a lock.

    failures: how many open it; None for those that open it at once only. pause_s: seconds for which it stays open.
    timer: seconds that only grow.
    """

    failures: int | None
    pause_s: float
    timer: Callable[[], float]
    _in_a_row: int = 0
    _opened_at: float | None = None
    _trial_at: float | None = None
    _because: str = ""

    @property
    def state(self) -> State:
        """`closed` lets all calls through, `open` none, `trying` one."""
        if self._opened_at is None:
            return "closed"
        return "open" if self.timer() - self._opened_at < self.pause_s else "trying"

    def refusal(self) -> str | None:
        """Return why a call may not be made now, or None; where it is the one that tries, the next has to wait for it.

        A trial that nobody reports on is taken for lost after another pause.
        """
        if self._opened_at is None:
            return None
        if self.state == "open" or (self._trial_at is not None and self.timer() - self._trial_at < self.pause_s):
            return f"not asked since it failed: {self._because}"
        self._trial_at = self.timer()
        return None

    def succeeded(self) -> None:
        """Take note that the other side works."""
        self._in_a_row = 0
        self._opened_at = self._trial_at = None

    def failed(self, because: str, *, at_once: bool = False) -> bool:
        """Take note of a failure, and return whether it opened the breaker. at_once: it needs no others before it."""
        self._in_a_row += 1
        enough = self.failures is not None and self._in_a_row >= self.failures
        if not (at_once or enough or self._opened_at is not None):
            return False
        was_open = self._opened_at is not None and self._trial_at is None
        self._opened_at, self._trial_at, self._because = self.timer(), None, because
        return not was_open
