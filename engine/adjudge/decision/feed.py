"""One reader of the log, fed in a thread of its own: what it lacks, in order, and again until it has it."""

from __future__ import annotations

import inspect
import threading
import traceback
from collections import deque
from collections.abc import Sequence
from contextlib import contextmanager
from math import inf
from pathlib import PurePath
from random import Random
from time import monotonic
from typing import TYPE_CHECKING

from adjudge.errors import AdjudgeError, ReaderFailed
from adjudge.events import Events
from adjudge.plugin import BEFORE_FIRST, LogReader, Position, ReaderState, RecordSource, SetsAside
from adjudge.system.faults import said_of
from adjudge.texts import one_line
from adjudge.values.reading import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS_MAX, BYTES_MAX = 500, 4 * 1024 * 1024
"""What one batch has at most; a record that is longer comes alone."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
"""Seconds after which a reader that failed is asked again, at first and in the end."""
LONGEST_RETRY_AFTER_S = 3600.0
HANGS_S = 30.0
"""Seconds after which a call that has not returned is told."""
BEHIND_S = 300.0
"""Seconds of lag that are told."""
ELSEWHERE_S = 1.0
"""Seconds after which it is asked again whether this process is the one to feed."""

_MARKS_MAX = 512
_events = Events("adjudge.readers")


class Feed:
    """One reader, its thread, and how far it is.

    Position and `held`: what the reader said, or took. A log that is not in `_held` is asked about before it is sent.
    """

    def __init__(self, name: str, reader: LogReader, source: RecordSource) -> None:
        self.name = name
        self.is_of_process = getattr(reader, "of_process", False) is True
        self._reader = reader
        self._source = source
        self._changed = threading.Condition()
        self._begun: dict[str, Position] = {}  # the end of each log as it was when the engine opened
        self._ends: dict[str, Position] = {}
        self._held: dict[str, Position] = {}
        self._known: dict[str, int] = {}  # the number of the last record that was held, also while it is asked anew
        self._marks: dict[str, deque[tuple[int, float]]] = {}  # ends, and when they were seen first
        self._call: tuple[str, float] | None = None
        self._is_told = self._is_behind = False
        self._batches = self._records = self._failures = 0
        self._in_a_row = 0
        self._later: dict[str, tuple[int, float]] = {}  # logs that cannot be read: how often so far, and until when
        self._failing = ""  # the log that failed last, until it does not
        self._records_max = RECORDS_MAX
        self._reason = ""
        self._not_before = 0.0
        self._aside = reader if isinstance(reader, SetsAside) else None
        self._aside_failures = 0  # in a row
        self._aside_reason = ""
        self._aside_due = inf  # when it is to be asked again
        self._is_closing = self._is_over = self._is_elsewhere = False
        self._random = Random()  # noqa: S311  # that readers of one dead host do not all come at once
        self._thread = threading.Thread(target=self._run, name=f"adjudge-reader-{name}", daemon=True)

    def start(self, ends: Sequence[Position]) -> None:
        """Begin. ends: of the logs as they are now."""
        self._begun = {end.log: end for end in ends}
        self.see(ends)
        self._thread.start()

    def see(self, ends: Sequence[Position]) -> None:
        """Take note of how far the logs are; from one thread."""
        now = monotonic()
        with self._changed:
            for end in ends:
                before = self._ends.get(end.log)
                self._ends[end.log] = end
                if before is None or end.seq > before.seq:
                    marks = self._marks.setdefault(end.log, deque())
                    marks.append((end.seq, now))
                    if len(marks) > _MARKS_MAX:
                        self._marks[end.log] = deque([*tuple(marks)[:-1:2], marks[-1]])
                    self._changed.notify()

    def state(self) -> ReaderState:
        """Return how it stands."""
        now = monotonic()
        with self._changed:
            lag_records, since = 0, now
            for log, end in () if self._is_elsewhere else self._ends.items():
                known = self._known.get(log, 0)
                lag_records += max(0, end.seq - known)
                marks = self._marks[log]
                while marks and marks[0][0] <= known:
                    marks.popleft()
                since = min(since, marks[0][1] if marks else now)
            return ReaderState(
                name=self.name,
                lag_records=lag_records,
                lag_s=now - since,
                batches=self._batches,
                records=self._records,
                failures=self._failures,
                reason=self._reason or self._aside_reason,
            )

    def look(self) -> None:
        """Tell of a call that does not return, and of a lag that grows long; from one thread."""
        call = self._call
        if call is not None and not self._is_told and monotonic() - call[1] > HANGS_S:
            self._is_told = True
            with self._changed:
                self._failures += 1
                self._reason = f"its `{call[0]}` has not returned for {HANGS_S:g} s"
            _events.error("reader_hangs", reader=self.name, call=call[0], for_s=HANGS_S)
        state = self.state()
        if not self._is_behind and state.lag_s > BEHIND_S:
            self._is_behind = True
            _events.warning("reader_behind", reader=self.name, lag_records=state.lag_records, lag_s=round(state.lag_s))
        elif self._is_behind and not state.lag_records:
            self._is_behind = False
            _events.info("reader_caught_up", reader=self.name)

    def close(self) -> None:
        """Let it take what is left, unless it is failing, and end; returns at once."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()

    def give_up(self) -> None:
        """Let it end as soon as its reader returns, whatever is left: another may feed it by now."""
        with self._changed:
            self._is_over = True
            self._changed.notify()

    def join(self, within_s: float) -> bool:
        """Wait for its end; False where it has not come. within_s: seconds."""
        if self._thread.ident is not None:
            self._thread.join(within_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while (logs := self._next()) is not None:
                for log in logs:
                    try:
                        if not self._feed(log):
                            break
                    except BaseException as error:  # whatever a reader does, it is its own affair
                        self._failed(error, log)
                        break
                self._pass_on_aside()
        finally:
            try:
                with self._calling("close"):
                    self._reader.close()
            except BaseException as error:
                _events.error("reader_not_closed", reader=self.name, why=_said(error))

    def _next(self) -> Sequence[str] | None:
        """Wait for records that are to be sent, and return their logs; None where it is to end."""
        with self._changed:
            while not self._is_over:
                pause = self._not_before - monotonic()
                logs = [log for log, end in self._ends.items() if self._lacks(log, end)] if pause <= 0 else []
                due = {log: self._later[log][1] - monotonic() for log in logs if log in self._later}
                logs = [log for log in logs if due.get(log, 0) <= 0]
                pause = max(pause, min(due.values(), default=pause))
                aside_s = self._aside_due - monotonic()
                if aside_s < inf:
                    pause = min(pause, aside_s) if pause > 0 else aside_s
                if logs or (aside_s <= 0 and not self._is_closing):
                    return sorted(logs, key=lambda log: log == self._failing)  # one that cannot be read stops no other
                if self._is_closing:
                    return None
                self._changed.wait(pause if pause > 0 else None)
            return None

    def _lacks(self, log: str, end: Position) -> bool:
        held = self._held.get(log)
        return held is None or held.seq < end.seq

    def _feed(self, log: str) -> bool:
        """Send one batch of a log, unless another process is to; False then. Raises whatever goes wrong."""
        if not self._is_ours():
            return False
        held = self._held.get(log) or self._opened(log)
        try:
            records = self._source.read_from(held, max_records=self._records_max, max_bytes=BYTES_MAX)
        except BaseException as error:
            self._failed(error, log, is_of_log=True)
            return True
        with self._changed:
            self._later.pop(log, None)
            self._known[log] = held.seq  # which is a place in the log, and not only what the reader says
        if records:
            with self._calling("take"):
                said: object = self._reader.take(records)  # type: ignore[func-returns-value]  # it may say anything
            _require_nothing(said)
            held = records[-1].position
        with self._changed:
            self._hold(held)
            self._batches += bool(records)
            self._records += len(records)
            if self._failing in ("", log):
                self._reason = ""
            self._in_a_row = 0
            if self._aside is not None and not self._aside_failures:
                self._aside_due = 0.0
        self._records_max = min(RECORDS_MAX, 2 * self._records_max)
        if log == self._failing:
            self._failing = ""
        return True

    def _is_ours(self) -> bool:
        """Whether this process is the one to feed it; what another does meanwhile is asked for afterwards."""
        if self.is_of_process or self._source.may_feed(self.name):
            self._is_elsewhere = False
            return True
        with self._changed:
            self._held.clear()  # another process feeds it meanwhile, and knows how far it is
            self._is_elsewhere, self._aside_due, self._aside_failures = True, inf, 0
            self._not_before = monotonic() + ELSEWHERE_S
        return False

    def _pass_on_aside(self) -> None:
        """Let the reader pass on what it has set aside, if it is time."""
        if self._aside is None or self._aside_due > monotonic() or self._is_over or not self._is_ours():
            return
        try:
            with self._calling("again"):
                said: object = self._aside.again()  # type: ignore[func-returns-value]  # as of `take`
            _require_nothing(said)
        except BaseException as error:
            pause_s, reason = self._pause_s(error, self._aside_failures), _said(error)
            with self._changed:
                self._failures += 1
                self._aside_failures += 1
                self._aside_due, self._aside_reason = monotonic() + pause_s, reason
            _events.error("reader_failed", reader=self.name, why=reason, again_in_s=round(pause_s, 1))
        else:
            with self._changed:
                self._aside_failures, self._aside_due, self._aside_reason = 0, inf, ""

    def _opened(self, log: str) -> Position:
        """Ask the reader what it holds of a log."""
        first = Position(log=log, seq=0, hash=BEFORE_FIRST)
        with self._calling("open"):
            said: object = self._reader.open(self._begun.get(log, first))
        return first if said is None else _position(said)

    def _hold(self, held: Position) -> None:
        self._held[held.log] = held
        self._known[held.log] = held.seq

    def _failed(self, error: BaseException, log: str, *, is_of_log: bool = False) -> None:
        """Tell of a failure, and come again later, with less at once; of that log the reader is asked anew.

        is_of_log: whether other logs can be sent meanwhile.
        """
        in_a_row = self._later.get(log, (0, 0.0))[0] if is_of_log else self._in_a_row
        pause_s, reason = self._pause_s(error, in_a_row), _said(error)
        if not is_of_log:
            self._in_a_row += 1
            self._records_max = max(1, self._records_max // 2)
        with self._changed:
            self._held.pop(log, None)
            self._failing = log
            self._failures += 1
            self._reason = reason
            if is_of_log:
                self._later[log] = (in_a_row + 1, monotonic() + pause_s)
            else:
                self._not_before = monotonic() + pause_s
        _events.error("reader_failed", reader=self.name, why=reason, again_in_s=round(pause_s, 1))

    def _pause_s(self, error: BaseException, in_a_row: int) -> float:
        """Return the seconds until it is asked again."""
        pause_s: float = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(in_a_row, 16)) * self._random.uniform(0.75, 1.25)
        wanted_s: object = error.retry_after_s if isinstance(error, ReaderFailed) else None
        if isinstance(wanted_s, int | float) and 0 < wanted_s < inf:
            pause_s = max(pause_s, min(wanted_s, LONGEST_RETRY_AFTER_S))
        return pause_s

    @contextmanager
    def _calling(self, what: str) -> Iterator[None]:
        """Be seen in a call of the reader."""
        self._call, self._is_told = (what, monotonic()), False
        try:
            yield
        finally:
            self._call = None


def _position(said: object) -> Position:
    """Return what a reader says that it holds. Raises ReaderFailed where that is no position."""
    _close(said)
    if not isinstance(said, Position):
        raise ReaderFailed(f"its `open` must return a Position or None, and returned {describe(said)}")
    seq: object = said.seq
    if not isinstance(seq, int) or isinstance(seq, bool) or seq < 0:
        raise ReaderFailed(f"the `seq` of its position must be an integer from 0 on, not {describe(seq)}")
    if not isinstance(said.log, str) or not isinstance(said.hash, str):
        raise ReaderFailed("`log` and `hash` of its position must be strings")
    return said


def _require_nothing(said: object) -> None:
    """Raise ReaderFailed where `take` returned something: it may not have done what it should."""
    _close(said)
    if said is not None:
        raise ReaderFailed(f"its `take` must return nothing once the records are held, and returned {describe(said)}")


def _close(said: object) -> None:
    """Raise ReaderFailed for what nobody awaits."""
    if inspect.isawaitable(said):
        if inspect.iscoroutine(said):
            said.close()
        raise ReaderFailed("its methods must not be `async`: they are called in a thread of the reader's own")


def _said(error: BaseException) -> str:
    """Return words for an error: the text only of our own kind, for another's may hold secrets."""
    if isinstance(error, AdjudgeError):
        return one_line(said_of(error).partition(": ")[2])
    frames = traceback.extract_tb(error.__traceback__)
    at = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{at}"
