"""Whatever happens to a log and to its reader, in any order: every record comes, in order, and none is skipped."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.audit.archive import archive
from adjudge.audit.cursor import FileRecords
from adjudge.audit.disk import LocalDisk
from adjudge.audit.file import Segments
from adjudge.audit.log import AuditLog
from adjudge.audit.read import read
from adjudge.audit.verify import WithArchive
from adjudge.decision import feed as feed_module
from adjudge.decision.feed import Feed
from adjudge.plugin import LogRecord, Position


class QuickDisk(LocalDisk):
    """A disk that says yes at once; what survives a power cut is another test's."""

    def datasync(self, file: int) -> None: ...


class Unsteady:
    """A place that keeps what it took over all its readers, and fails at any point: before, in the middle, or after."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.kept: list[LogRecord] = []
        self.came: list[int] = []

    def open(self, end: Position) -> Position | None:
        if self.draw.random() < 0.2:
            raise OSError("away")
        return self.kept[-1].position if self.kept else None

    def take(self, records: Sequence[LogRecord]) -> None:
        self.came += [record.seq for record in records]
        whole = self.draw.random() < 0.6
        self.kept += records if whole else records[: self.draw.randint(0, len(records))]
        if not whole or self.draw.random() < 0.2:
            raise SystemExit("after it kept them, or some")

    def close(self) -> None: ...


STEPS = st.lists(
    st.sampled_from(["write", "write", "feed", "feed", "feed", "restart", "forget", "archive"]), min_size=5, max_size=40
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@settings(max_examples=25, deadline=None)
@given(steps=STEPS, seed=st.integers(0, 2**32))
def test_every_record_comes_in_order_whatever_happens(steps: list[str], seed: int) -> None:
    draw = random.Random(seed)
    before = feed_module.RECORDS_MAX
    feed_module.RECORDS_MAX = draw.choice([1, 3, 500])
    try:
        with TemporaryDirectory() as folder:
            _happen(Path(folder), steps, draw)
    finally:
        feed_module.RECORDS_MAX = before


def _happen(folder: Path, steps: Sequence[str], draw: random.Random) -> None:
    at, shelf = folder / "log", folder / "shelf"
    place = Unsteady(draw)
    segments = Segments(max_bytes=draw.choice([900, 3000, 10**6]))
    log = AuditLog.open(at, segments=segments, disk=QuickDisk())
    feed = Feed("mine", place, FileRecords(log))

    def step(feed: Feed) -> None:
        ends = feed._source.ends(own=True)
        feed.see(ends)
        for end in ends:
            try:
                feed._feed(end.log)
            except BaseException as error:
                feed._failed(error, end.log)

    for what in steps:
        if what == "write":
            for number in range(draw.randint(1, 9)):
                log.write_blocking("note", {"n": number, "x": "y" * draw.choice([1, 200, 2000])})
        elif what == "feed":
            step(feed)
        elif what == "archive":
            archive(log, shelf, before=date(2100, 1, 1), by="kim")
        else:
            if what == "restart":
                log.close()
                log = AuditLog.open(at, segments=segments, disk=QuickDisk())
            feed = Feed("mine", place, FileRecords(log))  # which has forgotten all that it knew
    log.close()
    feed = Feed("mine", place, FileRecords(log))
    end = FileRecords(log).ends(own=True)
    step(feed)
    for _ in range(10_000):
        if not feed.state().lag_records and not feed.state().reason:
            break
        step(feed)
    written = [record.line for record in read(WithArchive(at, (shelf,)) if shelf.exists() else at)] if end else []
    assert [record.line for record in place.kept] == written
    assert list(dict.fromkeys(place.came)) == list(range(1, len(written) + 1)), "in order, none was passed over"
    assert feed.state().lag_records == 0
