"""How old an answer is, whatever the clock on the wall did since it was given."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable
from datetime import datetime, timedelta

_MARKS = 1000
"""Into so many parts is the time divided for which a decision answers; none is older by more than one."""


class Ages:
    """Tells which records are still young enough to answer.

    What was written since the ledger was opened is timed by seconds that only grow; what was written before has only
    its clock's word, and is held against the clock then and now.
    """

    def __init__(
        self, answer_for: timedelta, clock: Callable[[], datetime], timer: Callable[[], float], newest: int = 0
    ) -> None:
        """newest: the number of the last record that was there before."""
        self._answer_for, self._clock, self._timer = answer_for, clock, timer
        self._opened_at, self._opened, self._found = clock(), timer(), newest
        self._every_s = answer_for.total_seconds() / _MARKS
        self._seqs, self._times = array("q"), array("d")

    @property
    def since(self) -> float:
        """Return the time from which on records count now, in seconds since 1970: what two days cost counts too."""
        now = min(self._clock(), self._opened_at + timedelta(seconds=self._timer() - self._opened))
        return (now - max(self._answer_for, timedelta(days=2))).timestamp()

    def note(self, seq: int) -> None:
        """Take note of a record that was just written."""
        now = self._timer()
        if not self._times or now - self._times[-1] >= self._every_s:
            self._seqs.append(seq)
            self._times.append(now)
            if len(self._times) > 2 * _MARKS:
                del self._seqs[:_MARKS], self._times[:_MARKS]
        else:
            self._seqs[-1] = seq

    def answers(self, seq: int, at: datetime) -> bool:
        """Whether the decision of a record still answers its id. at: by its clock, aware UTC."""
        now = self._timer()
        if seq > self._found:
            mark = bisect_left(self._seqs, seq)
            since_s = now - self._times[mark] if mark < len(self._times) else 0.0
            return since_s <= self._answer_for.total_seconds()
        until = self._opened_at + timedelta(seconds=now - self._opened)
        return min(self._clock() - at, until - at) <= self._answer_for
