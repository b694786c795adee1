"""Readers of the log: each is sent what it lacks, whatever it does, and no decision waits for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from engines import CLEAN, engine, request, trail
from readers import Keeping
from structlog.testing import capture_logs

from adjudge.audit.archive import archive
from adjudge.audit.cursor import FileRecords
from adjudge.audit.file import Segments
from adjudge.audit.log import AuditLog, Durability
from adjudge.audit.read import read
from adjudge.audit.trail import AuditTrail
from adjudge.decision import feed as feed_module
from adjudge.decision import feeds as feeds_module
from adjudge.decision.feed import Feed
from adjudge.engine import Engine
from adjudge.errors import AuditUnavailable, SetupError, WrongPosition
from adjudge.ledger.guarded import GuardedLedger
from adjudge.ledger.memory import MemoryLedger
from adjudge.ledger.memory_records import MemoryRecords
from adjudge.plugin import LogRecord, Position, ReaderFailed, ReaderState
from audit.audit_logs import GatedDisk

SEGMENT = "audit-000001.jsonl"
FAR = date(2100, 1, 1)


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(feed_module, "LONGEST_PAUSE_S", 0.01)
    monkeypatch.setattr(feeds_module, "LOOK_EVERY_S", 0.005)


def until(condition: Callable[[], object]) -> None:
    """Wait for what has to come, at most a minute."""
    for _ in range(12000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("it did not come")


def decide(door: Engine, *numbers: int) -> None:
    for number in numbers:
        door.decide_sync(request(number))


def state(door: Engine, name: str = "mine") -> ReaderState:
    return next(one for one in door.readers() if one.name == name)


def test_reader_gets_every_record_as_the_log_has_it_and_ends_with_the_engine(tmp_path: Path) -> None:
    reader = Keeping()
    with engine(at=tmp_path, readers={"mine": reader}) as door:
        decide(door, 0, 1)
        until(lambda: len(reader.taken) == 7)
        assert not reader.closed.is_set()
    assert reader.closed.is_set()
    assert reader.lines == (tmp_path / SEGMENT).read_bytes(), "the closing checkpoint too"
    assert [record.seq for record in reader.taken] == list(range(1, 9))
    assert {record.log for record in reader.taken} == {reader.taken[0].hash}, "a log is known by its first record"
    assert [record.kind for record in reader.taken][:4] == ["policy", "call", "call", "decision"]
    assert reader.taken[3].members()["merchant_biz_id"] == f"{0:032x}"
    after = state(door)
    assert (after.lag_records, after.lag_s, after.records, after.failures, after.reason) == (0, 0, 8, 0, "")
    assert after.batches == len(reader.batches)


def test_reader_is_sent_after_a_restart_what_it_lacks(tmp_path: Path) -> None:
    reader = Keeping()
    for run in range(3):
        with engine(at=tmp_path, readers={"mine": reader}) as door:
            decide(door, run)
            before = len(reader.taken)
        assert before <= len(reader.taken)
    assert reader.lines == (tmp_path / SEGMENT).read_bytes()
    assert [end.seq for end in reader.opened] == [0, 5, 10], "the end of the log as it was when each engine opened"


def test_reader_that_comes_late_is_sent_the_log_from_its_first_record(tmp_path: Path) -> None:
    with engine(at=tmp_path) as door:
        decide(door, *range(20))
    reader = Keeping()
    with engine(at=tmp_path, readers={"mine": reader}):
        pass
    assert reader.lines == (tmp_path / SEGMENT).read_bytes()


def test_reader_that_wants_only_what_comes_from_now_on_says_so(tmp_path: Path) -> None:
    class FromNow(Keeping):
        def open(self, end: Position) -> Position | None:
            return super().open(end) or end

    with engine(at=tmp_path) as door:
        decide(door, 0)
    reader = FromNow()
    with engine(at=tmp_path, readers={"mine": reader}) as door:
        decide(door, 1)
    assert [record.kind for record in reader.taken] == ["policy", "call", "call", "decision", "checkpoint"]


THROWN = [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, BaseException, MemoryError, StopIteration]


@pytest.mark.parametrize("thrown", THROWN)
@pytest.mark.parametrize("method", ["open", "take"])
def test_reader_that_raises_is_told_and_gets_the_same_again(
    tmp_path: Path, thrown: type[BaseException], method: str
) -> None:
    left = [1, 2, 3]

    class Failing(Keeping):
        def open(self, end: Position) -> Position | None:
            self.fail("open")
            return super().open(end)

        def take(self, records: Sequence[LogRecord]) -> Any:
            self.fail("take")
            return super().take(records)

        def fail(self, here: str) -> None:
            if here == method and left:
                left.pop()
                raise thrown("CANARY")

    reader, good = Failing(), Keeping()
    with capture_logs() as events, engine(at=tmp_path, readers={"mine": reader, "good": good}) as door:
        decide(door, 0, 1)
        until(lambda: len(reader.taken) == len(good.taken) == 7)
        assert (state(door).failures, state(door, "good").failures) == (3, 0)
    assert reader.lines == good.lines == (tmp_path / SEGMENT).read_bytes()
    failed = [event for event in events if event["event"] == "reader_failed"]
    assert [event["reader"] for event in failed] == ["mine"] * 3
    assert all(event["why"].startswith(f"{thrown.__name__} at test_readers.py:") for event in failed)
    assert "CANARY" not in repr(events), "what is raised may hold secrets"


def test_reader_that_took_a_part_is_sent_what_follows_that(tmp_path: Path) -> None:
    """And in smaller batches: what cannot be taken at once may be taken in parts."""

    class Partial(Keeping):
        def take(self, records: Sequence[LogRecord]) -> None:
            self.batches.append(len(records))
            self.taken += records[:2]
            if len(records) > 2:
                raise ReaderFailed("no more than two at once")

    with engine(at=tmp_path) as door:
        decide(door, *range(10))
    reader = Partial()
    with engine(at=tmp_path, readers={"mine": reader}):
        until(lambda: len(reader.taken) == 32)
    assert reader.lines == (tmp_path / SEGMENT).read_bytes()
    assert min(reader.batches) <= 2 < max(reader.batches)


async def _later() -> None: ...


HELD = Position(log="x", seq=1, hash="y")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (5, "its `open` must return a Position or None, and returned an int"),
        ((1, 2), "its `open` must return a Position or None, and returned a list"),
        (Position(log="x", seq=-1, hash=""), "the `seq` of its position must be an integer from 0 on, not an int"),
        (Position(log="x", seq=True, hash=""), "the `seq` of its position must be an integer from 0 on, not a bool"),
        (Position(log="x", seq="1", hash=""), "the `seq` of its position must be an integer"),  # type: ignore[arg-type]
        (Position(log="x", seq=1, hash=None), "`log` and `hash` of its position must be strings"),  # type: ignore[arg-type]
        (Position(log=5, seq=1, hash=""), "`log` and `hash` of its position must be strings"),  # type: ignore[arg-type]
        (_later, "its methods must not be `async`: they are called in a thread of the reader's own"),
        (HELD, "it holds records of another log, x…"),
    ],
)
def test_reader_that_says_nonsense_of_what_it_holds_is_told_so(tmp_path: Path, said: Any, words: str) -> None:
    class Odd(Keeping):
        is_odd = True

        def open(self, end: Position) -> Any:
            return (said() if callable(said) else said) if self.is_odd else super().open(end)

    reader = Odd()
    with capture_logs() as events, engine(at=tmp_path, readers={"mine": reader}) as door:
        decide(door, 0)
        until(lambda: state(door).failures)
        assert words in state(door).reason
        assert not reader.taken
        reader.is_odd = False
        until(lambda: len(reader.taken) == 4)
        assert state(door).reason == ""
    assert words in next(event["why"] for event in events if event["event"] == "reader_failed")


@pytest.mark.parametrize(("said", "words"), [(True, "returned a bool"), (0, "returned an int"), (_later, "`async`")])
def test_reader_whose_take_returns_something_has_not_taken(tmp_path: Path, said: Any, words: str) -> None:
    reader = Keeping()
    reader.do = lambda records: said() if callable(said) else said
    reader.open = lambda end: None  # type: ignore[method-assign]  # what it kept is not held
    with capture_logs(), engine(at=tmp_path, readers={"mine": reader}) as door:
        decide(door, 0)
        until(lambda: state(door).failures > 1 and state(door).lag_records == 4)
        assert words in state(door).reason


def _of(reader: Keeping, **other: Any) -> Position:
    last = reader.taken[-1].position
    return Position(**{"log": last.log, "seq": last.seq, "hash": last.hash, **other})


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ({"seq": 900}, "the log was cut or restored from an older copy"),
        ({"hash": "f" * 64}, "its record 5 is not the one of the log: one of the two was written anew"),
        ({"seq": 3}, "its record 3 is not the one of the log"),
        ({"seq": 0}, "its record 0 is not the one of the log"),
        ({"log": "e" * 64}, "it holds records of another log, eeeeeeeeeeee…"),
    ],
)
def test_reader_with_a_position_of_another_history_is_told_and_sent_nothing(
    tmp_path: Path, held: dict[str, Any], words: str
) -> None:
    reader = Keeping()
    with engine(at=tmp_path, readers={"mine": reader}) as door:
        decide(door, 0)
    wrong = _of(reader, **held)

    class Astray(Keeping):
        def open(self, end: Position) -> Position | None:
            return wrong

    astray, good = Astray(), Keeping()
    with capture_logs() as events, engine(at=tmp_path, readers={"mine": astray, "good": good}) as door:
        until(lambda: state(door).failures > 2)
        decide(door, 0, 1)
        assert words in state(door).reason
        until(lambda: len(good.taken) >= 9)
    assert not astray.taken
    assert {words in event["why"] for event in events if event["event"] == "reader_failed"} == {True}
    assert "reader_left" in {event["event"] for event in events}


def test_reader_that_hangs_holds_up_nothing_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "HANGS_S", 0.01)
    monkeypatch.setattr(feed_module, "BEHIND_S", 0.01)
    monkeypatch.setattr(feeds_module, "CLOSE_S", 1.0)
    monkeypatch.setattr(feeds_module.Feeds.close, "__defaults__", (1.0,))  # in which the other one has the log's end
    gate, good = threading.Event(), Keeping()
    hung = Keeping(lambda records: gate.wait(60) and None)
    with capture_logs() as events:
        with engine(at=tmp_path, readers={"mine": hung, "good": good}) as door:
            decide(door, *range(5))
            until(lambda: state(door).reason == "its `take` has not returned for 0.01 s")
            assert state(door).failures
            until(lambda: len(good.taken) == 16)
            until(lambda: state(door).lag_records == 16 and state(door).lag_s > 0.01)
            until(lambda: "reader_behind" in {event["event"] for event in events})
        gate.set()
        assert hung.closed.wait(60), "it ends once it returns"
    assert len(hung.batches) == 1, "another may feed the same place by then"
    told = [(event["event"], event.get("call")) for event in events if event.get("reader") == "mine"]
    assert told.count(("reader_hangs", "take")) == 1 and ("reader_left", None) in told
    assert good.lines == (tmp_path / SEGMENT).read_bytes()


def test_reader_that_hangs_in_close_does_not_hold_up_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds_module.Feeds.close, "__defaults__", (0.2,))
    gate = threading.Event()

    class Stuck(Keeping):
        def close(self) -> None:
            gate.wait(60)

    class Loud(Keeping):
        def close(self) -> None:
            raise SystemExit("CANARY")

    with capture_logs() as events, engine(at=tmp_path, readers={"mine": Stuck(), "loud": Loud()}) as door:
        decide(door, 0)
    gate.set()
    assert {"reader_left", "reader_not_closed"} <= {event["event"] for event in events}
    assert "CANARY" not in repr(events)


def test_reader_behind_that_caught_up_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "BEHIND_S", 0.01)
    gate = threading.Event()
    reader = Keeping(lambda records: gate.wait(60) and None)
    with capture_logs() as events, engine(at=tmp_path, readers={"mine": reader}) as door:
        decide(door, 0)
        until(lambda: "reader_behind" in {event["event"] for event in events})
        monkeypatch.setattr(feed_module, "BEHIND_S", 3600.0)  # a busy machine may be behind once more
        gate.set()
        until(lambda: "reader_caught_up" in {event["event"] for event in events})
        assert (state(door).lag_records, state(door).lag_s) == (0, 0)
    told = [event["event"] for event in events if event["event"] in ("reader_behind", "reader_caught_up")]
    assert told[:2] == ["reader_behind", "reader_caught_up"]


def test_reader_waits_as_long_as_the_other_side_asks_and_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "FIRST_PAUSE_S", 0.5)
    monkeypatch.setattr(feed_module, "LONGEST_PAUSE_S", 60.0)
    feed = Feed("mine", Keeping(), MemoryRecords())
    with capture_logs() as events:
        for _ in range(30):
            feed._failed(ValueError(), "log")
        for asked_s in (120, 1e9, float("nan"), -5, float("inf"), "soon"):
            feed._failed(ReaderFailed("later\nplease", retry_after_s=asked_s), "log")  # type: ignore[arg-type]
    pauses = [event["again_in_s"] for event in events]
    for n, pause in enumerate(pauses[:8]):
        assert 0.75 * min(60, 0.5 * 2**n) - 0.05 <= pause <= 1.25 * min(60, 0.5 * 2**n) + 0.05
    assert all(45 <= pause <= 75 for pause in pauses[8:30])
    assert (pauses[30], pauses[31]) == (120, 3600)
    assert all(45 <= pause <= 75 for pause in pauses[32:])
    assert events[-1]["why"] == r"later\nplease"


SMALL = Segments(max_bytes=4000)


def filled(directory: Path, count: int) -> AuditLog:
    """Open a log of several segments."""
    log = AuditLog.open(directory, segments=SMALL)
    for number in range(count):
        log.write_blocking("note", {"n": number, "x": "y" * (number % 300)})
    return log


@pytest.mark.parametrize("count", [1, 2, 7, 60])
def test_records_are_read_from_every_position_of_a_log_in_segments(tmp_path: Path, count: int) -> None:
    with filled(tmp_path, count) as log:
        records = FileRecords(log)
        lines = [record.line for record in read(tmp_path)]
        everything = records.read_from(Position(log=_name(log), seq=0, hash="0" * 64), max_records=999, max_bytes=10**9)
        assert [one.line for one in everything][: len(lines)] == lines
        for at, one in enumerate(everything):
            again = FileRecords(log)  # which knows no place
            for size in (1, 3):
                found = [*again.read_from(one.position, max_records=size, max_bytes=10**9)]
                known = [*everything[at + 1 : at + 1 + size]]
                assert found[: len(known)] == known
                assert {more.kind for more in found[len(known) :]} <= {"segment"}  # written meanwhile, of what closed
        assert len(records.read_from(everything[0].position, max_records=99, max_bytes=1)) == min(1, count - 1)


def _name(log: AuditLog) -> str:
    return FileRecords(log).ends(own=True)[0].log


def test_records_of_a_large_segment_are_found_without_reading_it(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path, durability="async") as log:
        for number in range(3000):
            log.write_blocking("note", {"n": number, "x": "y" * (900 if number % 100 else 100_000)})
        log.settle(3000)
        records = FileRecords(log)
        everything = [record for record in read(tmp_path) if record.kind == "note"]
        for at in (0, 1, 99, 100, 101, 1500, 2998, 2999):
            after = Position(log=_name(log), seq=everything[at].seq, hash=everything[at].hash)
            found = FileRecords(log).read_from(after, max_records=2, max_bytes=10**9)
            assert [one.line for one in found] == [one.line for one in everything[at + 1 : at + 3]]
        assert not records.read_from(records.ends(own=True)[0], max_records=5, max_bytes=5)


def test_reader_behind_an_archived_segment_reads_it_where_it_went(tmp_path: Path) -> None:
    at, shelf, reader = tmp_path / "log", tmp_path / "shelf", Keeping()
    AuditTrail.open(at).close()  # for its key
    with filled(at, 60):
        pass
    with engine(at=at):
        pass  # its index knows what goes, so decisions go on without it
    with filled(at, 0) as log:
        assert archive(log, shelf, before=FAR, by="kim") > 2
    lines = [line for file in sorted(shelf.glob("*.jsonl")) for line in file.read_bytes().splitlines(keepends=True)]
    shelf.rename(tmp_path / "away")
    with capture_logs(), engine(at=at, readers={"mine": reader}) as door:
        until(lambda: state(door).failures)
        said = state(door).reason
        assert (
            said.startswith("record 1 is in audit-000001.jsonl, which was archived to ")
            and "and is not there; copy it back" in said
        )
        decide(door, 0)
        (tmp_path / "away").rename(shelf)
        until(lambda: state(door).lag_records == 0)
    lines += [line for file in sorted(at.glob("*.jsonl")) for line in file.read_bytes().splitlines(keepends=True)]
    assert [record.line for record in reader.taken] == lines
    assert [record.seq for record in reader.taken] == list(range(1, len(lines) + 1))


def test_segment_that_is_archived_between_two_batches_is_read_on(tmp_path: Path) -> None:
    at, shelf = tmp_path / "log", tmp_path / "shelf"
    with filled(at, 60) as log:
        records = FileRecords(log)
        first = Position(log=_name(log), seq=0, hash="0" * 64)
        (one,) = records.read_from(first, max_records=1, max_bytes=1)
        archive(log, shelf, before=FAR, by="kim")
        (two,) = records.read_from(one.position, max_records=1, max_bytes=1)
        assert two.seq == 2
        for file in shelf.glob("*.jsonl"):
            file.write_bytes(file.read_bytes().replace(b'"n":1,', b'"n":9,'))
        with pytest.raises(Exception, match="record 2"):
            records.read_from(one.position, max_records=1, max_bytes=1)


def test_reader_is_not_sent_what_was_changed_on_the_disk(tmp_path: Path) -> None:
    gate = threading.Event()
    reader = Keeping(lambda records: gate.wait(60) and None)
    with capture_logs() as events, engine(at=tmp_path, readers={"mine": reader}) as door:
        decide(door, 0)
        until(lambda: state(door).lag_records == 4)
        decide(door, 1)
        file = tmp_path / SEGMENT
        data = file.read_bytes()
        with file.open("r+b") as changed:
            changed.seek(data.rindex(b'"outcome":"pass"'))
            changed.write(b'"outcome":"PASS"')
        gate.set()
        until(lambda: state(door).failures)
        assert state(door).reason.startswith(f"{file}: where record 7 should be, the record's bytes do not have")
        assert all(record.seq < 7 for record in reader.taken)
        with file.open("r+b") as changed:
            changed.write(data)
        until(lambda: len(reader.taken) == 7)
    assert "reader_failed" in {event["event"] for event in events}


def test_reader_is_sent_only_what_survives_a_power_cut(tmp_path: Path) -> None:
    disk, reader = GatedDisk(free=1), Keeping()
    with engine(trail=trail(tmp_path, disk=disk, durability="flush"), readers={"mine": reader}) as door:
        decide(door, 0)
        assert disk.waiting.wait(120)  # it syncs, and has not come back
        time.sleep(0.05)
        assert not reader.taken
        disk.gate.set()
        until(lambda: len(reader.taken) == 4)


@pytest.mark.parametrize("durability", ["fsync", "flush", "async"])
def test_reader_has_all_at_the_end_whatever_the_log_promises(tmp_path: Path, durability: Durability) -> None:
    reader = Keeping()
    with engine(trail=trail(tmp_path, durability=durability), readers={"mine": reader}) as door:
        decide(door, *range(5))
    assert reader.lines == (tmp_path / SEGMENT).read_bytes()


def test_reader_gets_no_personal_value(tmp_path: Path) -> None:
    reader = Keeping()
    given = CLEAN | {"email": "CANARY@example.com"}
    with engine(at=tmp_path, readers={"mine": reader}) as door:
        door.decide_sync(request(inputs=given))
        assert door.erase_sync(request().merchant_biz_id, by="kim") == 3
    assert [record.kind for record in reader.taken][-2:] == ["erasure", "checkpoint"]
    assert b"CANARY" not in reader.lines and b"commitment" in reader.lines


def test_engine_without_a_log_has_its_newest_records_for_readers() -> None:
    reader = Keeping()
    with engine(readers={"mine": reader}) as door:
        decide(door, 0)
    assert [record.kind for record in reader.taken] == ["policy", "call", "call", "decision"]


def test_records_in_memory_are_bounded_and_what_is_forgotten_is_told() -> None:
    records = MemoryRecords(kept_bytes=1000)
    first = Position(log="h1", seq=0, hash="0" * 64)
    for seq in range(1, 21):
        records.add("note", seq, f"h{seq}", b"x" * 200)
    with capture_logs() as events:
        found = records.read_from(first, max_records=3, max_bytes=10_000)
    assert [one.seq for one in found] == [16, 17, 18]
    assert [event["count"] for event in events] == [15]
    assert [one.seq for one in records.read_from(found[-1].position, max_records=9, max_bytes=999)] == [19, 20]
    assert not records.read_from(records.ends(own=True)[0], max_records=9, max_bytes=10)
    for wrong in (Position(log="other", seq=0, hash=""), Position(log="h1", seq=19, hash="h1")):
        with pytest.raises(WrongPosition, match="it holds what is no record of this process"):
            records.read_from(wrong, max_records=9, max_bytes=10)


def test_what_is_no_reader_is_refused() -> None:
    with pytest.raises(SetupError, match="the reader `mine` has no method `open`"):
        engine(readers={"mine": object()})
    for wrong in ([Keeping()], {5: Keeping()}, {"": Keeping()}):
        with pytest.raises(SetupError, match="`readers` must be a mapping of names of yours to readers"):
            engine(readers=wrong)


def test_reader_that_was_not_looked_after_has_all_when_the_engine_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds_module, "LOOK_EVERY_S", 3600)
    reader = Keeping()
    with engine(at=tmp_path, readers={"mine": reader}) as door:
        decide(door, *range(200))
        assert not reader.taken
    assert reader.lines == (tmp_path / SEGMENT).read_bytes()


def test_ledger_that_hands_out_no_records_cannot_feed_readers() -> None:
    class Mute:
        def __init__(self) -> None:
            self.own = MemoryLedger()

        def __getattr__(self, name: str) -> Any:
            if name == "records":
                raise AttributeError(name)
            return getattr(self.own, name)

    with (
        pytest.raises(SetupError, match="the ledger hands out no records"),
        engine(ledger=Mute(), readers={"mine": Keeping()}),
    ):
        pass
    with engine(ledger=Mute()) as door:
        decide(door, 0)


@pytest.mark.parametrize("error", [ValueError("CANARY"), AuditUnavailable("the database is away")])
def test_ledger_that_does_not_say_how_far_it_is_is_told_once_and_asked_again(error: Exception) -> None:
    class Away(MemoryRecords):
        is_away = False

        def ends(self, *, own: bool) -> Sequence[Position]:
            if self.is_away:
                raise error
            return super().ends(own=own)

    ledger, reader = MemoryLedger(), Keeping()
    ledger._records = away = Away()
    with capture_logs() as events, engine(ledger=ledger, readers={"mine": reader}) as door:
        away.is_away = True
        decide(door, 0)
        until(lambda: "readers_unfed" in {event["event"] for event in events})
        away.is_away = False
        until(lambda: len(reader.taken) == 4)
    assert [event["event"] for event in events].count("readers_unfed") == 1 and "CANARY" not in repr(events)


class Odd(MemoryRecords):
    def ends(self, *, own: bool) -> Any:
        return [5]


@pytest.mark.parametrize(("source", "error"), [(5, "AttributeError"), (Odd(), "TypeError")])
def test_ledger_whose_records_are_none_cannot_be_opened_with_readers(source: object, error: str) -> None:
    ledger = MemoryLedger()
    ledger.records = lambda: source  # type: ignore[method-assign,assignment,return-value]
    said = f"the records cannot be read for readers: {error}"
    with pytest.raises(AuditUnavailable, match=said), engine(ledger=ledger, readers={"mine": Keeping()}):
        pass


def test_guarded_ledger_whose_records_fail_is_said_in_our_words() -> None:
    class Broken:
        def records(self) -> None:
            raise KeyError("CANARY")

    with capture_logs(), pytest.raises(AuditUnavailable, match="the ledger `Broken` cannot be read: KeyError"):
        GuardedLedger(Broken()).records()  # type: ignore[arg-type]


def test_reader_that_watches_the_others_knows_how_far_they_are(tmp_path: Path) -> None:
    class Watching(Keeping):
        def watch(self, states: Callable[[], Sequence[ReaderState]]) -> None:
            self.states = states

    class Broken(Keeping):
        def watch(self, states: object) -> None:
            raise SystemExit("CANARY")

    watching = Watching()
    with capture_logs() as events, engine(at=tmp_path, readers={"mine": watching, "broken": Broken()}) as door:
        decide(door, 0)
        until(lambda: [one.records for one in watching.states()] == [4, 4])
    assert [event["event"] for event in events] == ["reader_not_watching"] and "CANARY" not in repr(events)


def test_reader_fed_by_another_process_is_left_to_it() -> None:
    class Shared(MemoryRecords):
        is_mine = False

        def __init__(self) -> None:
            super().__init__()
            self.asked: list[str] = []

        def may_feed(self, reader: str) -> bool:
            self.asked.append(reader)
            return self.is_mine

    ledger, reader, own = MemoryLedger(), Keeping(), Keeping()
    own.of_process = True  # type: ignore[attr-defined]
    ledger._records = shared = Shared()
    with engine(ledger=ledger, readers={"mine": reader, "own": own}) as door:
        decide(door, 0)
        until(lambda: shared.asked and len(own.taken) == 4 and state(door).lag_records == 0)
        assert not reader.taken and not reader.opened
        shared.is_mine = True
        until(lambda: len(reader.taken) == 4)
    assert set(shared.asked) == {"mine"}


@pytest.mark.parametrize("name", ["a", "z"])
def test_log_that_cannot_be_read_stops_no_other_and_none_asks_for_all_again(name: str) -> None:
    class Two(MemoryRecords):
        is_gone = True

        def ends(self, *, own: bool) -> Sequence[Position]:
            return sorted((*super().ends(own=own), Position(log=name, seq=3, hash="h")), key=lambda one: one.log)

        def read_from(self, after: Position, **most: int) -> Sequence[LogRecord]:
            if after.log != name:
                return super().read_from(after, **most)
            if self.is_gone:
                raise AuditUnavailable("its month was let go")
            return [
                LogRecord(log=name, seq=seq, kind="note", hash="h", line=b"{}\n") for seq in range(after.seq + 1, 4)
            ]

    ledger, reader = MemoryLedger(), Keeping()
    ledger._records = two = Two()
    with capture_logs(), engine(ledger=ledger, readers={"mine": reader}) as door:
        for number in range(3):
            decide(door, number)
            count = 4 + 3 * number
            until(lambda count=count: len([one for one in reader.taken if one.log != name]) == count)  # type: ignore[misc]
        until(lambda: state(door).failures > 3 and state(door).reason == "its month was let go")
        assert len([end for end in reader.opened if end.log != name]) == 1
        two.is_gone = False
        until(lambda: state(door).lag_records == 0)
        assert state(door).reason == ""
    assert [one.seq for one in reader.taken if one.log == name] == [1, 2, 3]


def test_many_callers_are_answered_while_readers_fail_and_hang(tmp_path: Path) -> None:
    gate = threading.Event()

    def fail(records: Sequence[LogRecord]) -> None:
        raise OSError("no")

    readers = {"hung": Keeping(lambda records: gate.wait(60) and None), "bad": Keeping(fail), "good": Keeping()}

    async def main() -> None:
        async with engine(at=tmp_path, readers=readers) as door:
            decisions = await asyncio.gather(*(door.decide(request(n)) for n in range(200)))
            assert {decision.status for decision in decisions} == {"fresh"}
            gate.set()

    with capture_logs():
        asyncio.run(main())
    assert readers["good"].lines == (tmp_path / SEGMENT).read_bytes()


def test_trail_that_is_closed_still_hands_its_records_out(tmp_path: Path) -> None:
    book = AuditTrail.open(tmp_path)
    book.log.write_blocking("note", {"n": 1})
    records = FileRecords(book.log)
    book.close()
    (end,) = records.ends(own=True)
    assert end.seq == 2
    with pytest.raises(WrongPosition, match="another log"):
        records.read_from(Position(log="x" * 64, seq=0, hash="0" * 64), max_records=1, max_bytes=1)
