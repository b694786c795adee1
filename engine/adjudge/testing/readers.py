"""What every reader of the log has to do, as tests. Inherit from `ReaderContract`, and say how to open yours."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from adjudge.audit.record import FIRST_PREV, encode, encode_body
from adjudge.errors import AdjudgeError
from adjudge.plugin import BEFORE_FIRST, LogReader, LogRecord, Position


def log_records(count: int, *, log: str = "", size: int = 10) -> list[LogRecord]:
    """Return the records of a log as a reader is sent them: decisions, some with texts of many bytes.

    log: a text that makes it another log. size: bytes of each, about.
    """
    found: list[LogRecord] = []
    prev, name = FIRST_PREV, ""
    for seq in range(1, count + 1):
        kind = "decision" if seq % 3 == 0 else "note"
        body = {"of": log, "name": "Zoë \u0000 \u2028", "x": "x" * (size * (50 if seq % 7 == 0 else 1))}
        line, prev = encode(kind, seq, prev, encode_body(body))
        name = name or prev.decode()
        found.append(LogRecord(log=name, seq=seq, kind=kind, hash=prev.decode(), line=line))
    return found


class ReaderContract:
    """What every reader must do. `open_reader` is called again for the same place, as after a restart."""

    takes_many_logs = True
    """Whether one place takes the records of several logs."""

    def open_reader(self) -> LogReader:
        """Return a reader of the one place of this test, which is empty at first. Nothing of it is closed before."""
        raise NotImplementedError

    def held(self) -> Sequence[tuple[str, int]]:
        """Return (log, seq) of what stands in the place, in its order; a record that came twice may stand there twice.

        Of a reader that passes some kinds over, what it kept: `wanted` says which.
        """
        raise NotImplementedError

    def wanted(self, record: LogRecord) -> bool:
        """Whether the reader keeps a record; all of them, unless said otherwise."""
        return True

    def break_place(self, is_broken: bool) -> bool:
        """Make the place fail, or mend it; return False where a test cannot do that."""
        return False

    def test_methods_are_called_in_a_thread_and_return_nothing_to_await(self) -> None:
        """An `async def` would never run."""
        reader = self.open_reader()
        for name in ("open", "take", "close"):
            assert not inspect.iscoroutinefunction(getattr(reader, name)), name
        reader.close()

    def test_reader_that_holds_nothing_says_so_or_begins_at_the_end(self) -> None:
        """And says the same again until it has taken something."""
        end = log_records(5)[-1].position
        reader = self.open_reader()
        assert reader.open(end) in (None, end)
        reader.close()
        assert self._held_after_a_restart(end) in (None, end)

    def test_what_was_taken_is_held_and_said_to_be_after_an_abrupt_end(self) -> None:
        """A process that is killed closes nothing: what `take` returned for is remembered."""
        records = log_records(20)
        begin = _before(records)
        for at, size in ((0, 1), (1, 4), (5, 15)):
            reader = self.open_reader()
            held = reader.open(begin)
            assert at == 0 or held == records[at - 1].position
            assert reader.take(records[at : at + size]) is None  # type: ignore[func-returns-value]
        assert self._held_after_a_restart(begin) == records[-1].position
        self._assert_holds(records)

    def test_records_that_come_twice_are_told_by_their_log_and_number(self) -> None:
        """As where a process was killed before the place remembered, or the position is older than the place."""
        records = log_records(10)
        reader = self.open_reader()
        reader.open(_before(records))
        for part in (records[:6], records[3:6], records[3:]):
            reader.take(part)
        assert reader.open(_before(records)) == records[-1].position
        reader.close()
        assert list(dict.fromkeys(self.held())) == self._kept(records)

    def test_large_batches_are_taken(self) -> None:
        """A batch has up to 500 records, or one of up to 16 MiB."""
        records = [*log_records(500, size=1000)]
        reader = self.open_reader()
        reader.open(_before(records))
        reader.take(records)
        assert self._held_after_a_restart(_before(records)) == records[-1].position
        self._assert_holds(records)

    def test_logs_are_kept_apart(self) -> None:
        """A position is one of its log: another log begins at its own first record, or is refused in words."""
        one, other = log_records(5), log_records(5, log="other")
        reader = self.open_reader()
        reader.open(_before(one))
        reader.take(one)
        try:
            held = reader.open(_before(other))
        except AdjudgeError:
            assert not self.takes_many_logs
            return
        if not self.takes_many_logs:
            assert held is not None and held.log == one[0].log
            return
        assert held in (None, _before(other))
        reader.take(other)
        assert reader.open(_before(one)) == one[-1].position
        assert reader.open(_before(other)) == other[-1].position
        self._assert_holds([*one, *other])

    def test_place_that_fails_loses_nothing(self) -> None:
        """What raised is not held, or said to be held; and all follows once the place is there again."""
        records = log_records(10)
        reader = self.open_reader()
        reader.open(_before(records))
        reader.take(records[:3])
        if not self.break_place(True):
            return
        for _ in range(2):
            try:
                reader.take(records[3:])
            except Exception:  # noqa: S110  # it fails as it likes
                pass
            else:
                raise AssertionError("the place was broken, and `take` returned")
        self.break_place(False)
        held = reader.open(_before(records))
        assert held is not None and held.seq >= 3
        reader.take(records[held.seq :])
        assert reader.open(_before(records)) == records[-1].position
        assert list(dict.fromkeys(self.held())) == self._kept(records)

    def _held_after_a_restart(self, end: Position) -> Position | None:
        reader = self.open_reader()
        return reader.open(end)

    def _assert_holds(self, records: Sequence[LogRecord]) -> None:
        assert list(self.held()) == self._kept(records), "each once, in order"

    def _kept(self, records: Sequence[LogRecord]) -> list[tuple[str, int]]:
        return [(one.log, one.seq) for one in records if self.wanted(one)]


def _before(records: Sequence[LogRecord]) -> Position:
    """Return the place before the first record."""
    return Position(log=records[0].log, seq=0, hash=BEFORE_FIRST)
