"""Every operation on the disk fails once, alone and with those after it: what was acknowledged is in the log."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import threading
from pathlib import Path
from typing import Literal

import pytest
import structlog
from audit_logs import SEGMENT, FaultyDisk, assert_verifies, names, write_log
from structlog.testing import capture_logs

from adjudge.audit import commit as commit_module
from adjudge.audit import log as log_module
from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.file import Segments
from adjudge.audit.log import AuditLog, Durability
from adjudge.audit.read import read
from adjudge.audit.verify import segments, verify
from adjudge.errors import AdjudgeError, AuditBroken, AuditUnavailable
from depth import DEPTH, first_measured

pytestmark = pytest.mark.usefixtures("closed_segments_stay_undescribed")

How = Literal["error", "half", "short", "dropped"]


class MemorySink:
    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def write(self, line: bytes) -> None:
        self.taken.append(line)


class Scenario:
    """A log with a torn tail is opened, written to in every way, and closed, trying on after each failure."""

    def __init__(self, directory: Path, disk: FaultyDisk, durability: Durability) -> None:
        self.directory = directory
        self.disk = disk
        self.durability = durability
        self.acknowledged: dict[str, tuple[int, str]] = {}
        self.refused: set[str] = set()
        self.lost = 0
        self.anchors = MemorySink()
        lines = write_log(directory, 2)
        with (directory / SEGMENT).open("ab") as file:
            file.write(lines[1][:50])

    def run(self) -> None:
        with self._open() as log:
            for n in range(2):
                self._blocking(log, f"b{n}")
            asyncio.run(self._together(log))
            for _ in range(6):  # a write after the last failure must succeed, whatever went before
                if self._blocking(log, "last"):
                    break
            else:
                raise AssertionError("the log did not recover by itself")
        self.lost = log.gap  # what is still queued when the writer closes may be lost until then

    def _open(self) -> AuditLog:
        for _ in range(8):
            try:
                return AuditLog.open(
                    self.directory,
                    durability=self.durability,
                    disk=self.disk,
                    segments=Segments(max_bytes=700),
                    checkpoints=Checkpoints(every=3),
                    anchors=[self.anchors],
                )
            except AuditUnavailable:
                pass
        raise AssertionError("the log could not be opened again")

    def _blocking(self, log: AuditLog, name: str) -> bool:
        name = f"{name}-{len(self.acknowledged)}-{len(self.refused)}"
        try:
            receipt = log.write_blocking("decision", {"n": name})
        except AuditUnavailable:
            self.refused.add(name)
            return False
        self.acknowledged[name] = (receipt.seq, receipt.hash)
        return True

    async def _together(self, log: AuditLog) -> None:
        async def write(name: str) -> None:
            try:
                receipt = await log.write("decision", {"n": name})
            except AuditUnavailable:
                self.refused.add(name)
            else:
                self.acknowledged[name] = (receipt.seq, receipt.hash)

        for group in range(2):
            await asyncio.gather(*(write(f"c{group}-{n}") for n in range(3)))

    def check(self) -> None:
        assert_verifies(self.directory)
        records = [record for record in list(read(self.directory))[2:] if record.kind != "checkpoint"]
        found = {str(record.decode()["n"]): (record.seq, record.hash) for record in records}
        if self.lost == 0:
            assert not self.refused & found.keys(), "what was refused is not in the log"
            assert found == self.acknowledged, "what was acknowledged is in the log, where the receipt says"
            assert verify(self.directory, anchors=self.anchors.taken or None).problem is None, "anchors do not lie"
        assert (self.directory / "audit-000001.torn-1").exists()


def _clean_run(directory: Path, durability: Durability) -> int:
    scenario = Scenario(directory, FaultyDisk(), durability)
    scenario.run()
    scenario.check()
    assert len(segments(directory)) > 1
    assert {"open", "write", "datasync", "truncate"} <= set(scenario.disk.calls)
    return len(scenario.disk.calls)


FURTHER = ((), (1,), (2,), (3,), (1, 2), (1, 2, 3, 4))
"""Which operations after the first one fail too."""
FEW = ((), (1,), (1, 2, 3, 4))


@pytest.mark.parametrize("alone_sync_s", [0.0, float("inf")], ids=["flusher", "caller"])
@pytest.mark.parametrize("how", first_measured(("error", "half", "short", "dropped")))
def test_fsync_any_operations_failing_keeps_every_acknowledged_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: How, alone_sync_s: float
) -> None:
    monkeypatch.setattr(log_module, "_ALONE_SYNC_S", alone_sync_s)
    with capture_logs():
        operations = _clean_run(tmp_path / "clean", "fsync") + 3
        refused = 0
        further = FURTHER if DEPTH > 1 or (how == "half" and alone_sync_s == 0) else FEW
        for first, others in itertools.product(range(1, operations + 1), further):
            disk = FaultyDisk({first, *(first + other for other in others)}, how)
            scenario = Scenario(tmp_path / f"{first}-{len(others)}-{sum(others)}", disk, "fsync")
            scenario.run()
            AuditLog.open(scenario.directory).close()  # cuts half a checkpoint at the end
            scenario.check()
            assert scenario.lost == 0
            refused += len(scenario.refused)
        assert (refused > 0) == (how != "short")


@pytest.mark.parametrize("durability", ["flush", "async"])
@pytest.mark.parametrize("how", first_measured(("error", "half", "short")))
def test_flush_and_async_any_operation_failing_keeps_what_is_acknowledged_or_admits_the_gap(
    tmp_path: Path, durability: Durability, how: How
) -> None:
    with capture_logs():
        operations = _clean_run(tmp_path / "clean", durability)
        for first, others in itertools.product(range(1, operations + 1), [(), (1,), (1, 2, 3)]):
            disk = FaultyDisk({first, *(first + other for other in others)}, how)
            scenario = Scenario(tmp_path / f"{first}-{len(others)}", disk, durability)
            try:
                scenario.run()
            except AuditUnavailable:  # from close(), which is the last to know
                scenario.lost += 1
            if durability == "flush":
                scenario.lost = 0  # what was written is there even where it could not be synced
            AuditLog.open(scenario.directory).close()  # cuts what a disk that failed to the end has left
            scenario.check()


def test_fsync_random_failures_under_load_keep_every_acknowledged_record(tmp_path: Path) -> None:
    draw = random.Random(7)
    disk = FaultyDisk((n for n in range(5, 5000) if draw.random() < 0.08), "half")
    acknowledged: dict[str, tuple[int, str]] = {}
    refused: set[str] = set()

    def note(name: str, outcome: object) -> None:
        if isinstance(outcome, AdjudgeError):
            refused.add(name)
        else:
            assert isinstance(outcome, log_module.Receipt)
            acknowledged[name] = (outcome.seq, outcome.hash)

    def from_thread(thread: int) -> None:
        for n in range(60):
            try:
                note(f"t{thread}-{n}", log.write_blocking("decision", {"n": f"t{thread}-{n}"}))
            except AuditUnavailable as error:
                note(f"t{thread}-{n}", error)

    async def from_loop() -> None:
        for n in range(20):
            writes = (log.write("decision", {"n": f"c{task}-{n}"}) for task in range(64))
            for task, outcome in enumerate(await asyncio.gather(*writes, return_exceptions=True)):
                note(f"c{task}-{n}", outcome)

    with capture_logs(), AuditLog.open(tmp_path, disk=disk) as log:
        threads = [threading.Thread(target=from_thread, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        asyncio.run(from_loop())
        for thread in threads:
            thread.join()
        assert log.gap == 0
    assert_verifies(tmp_path)
    assert {record.decode()["n"]: (record.seq, record.hash) for record in read(tmp_path)} == acknowledged
    assert refused
    assert len(refused) + len(acknowledged) == 3 * 60 + 20 * 64


def test_failure_and_recovery_are_told_once(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path, disk=FaultyDisk(range(5, 40))) as log, capture_logs() as events:
        log.write_blocking("decision", {"n": 1})
        for _ in range(3):
            with pytest.raises(AuditUnavailable, match=rf"{SEGMENT}: cannot|disk full"):
                log.write_blocking("decision", {"n": 2})
        log._file.disk.failing = frozenset()  # type: ignore[attr-defined]
        log.write_blocking("decision", {"n": 3})
        log.write_blocking("decision", {"n": 4})
    assert [event["event"] for event in events] == ["audit_unavailable", "audit_available"]
    assert names(tmp_path) == [1, 3, 4]


def test_failing_operational_log_does_not_stop_the_audit_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(structlog, "get_logger", fail)
    with AuditLog.open(tmp_path, disk=FaultyDisk({4, 9}, "half")) as log:
        for _ in range(2):
            with pytest.raises(AuditUnavailable):
                log.write_blocking("decision", {"n": 1})
        log.write_blocking("decision", {"n": 2})
    assert names(tmp_path) == [2]


def test_fsync_interrupted_by_the_user_wakes_everybody_and_goes_on(tmp_path: Path) -> None:
    class Interrupted(FaultyDisk):
        def datasync(self, file: int) -> None:
            if self._fails("datasync"):
                raise KeyboardInterrupt
            super().datasync(file)

    with capture_logs(), AuditLog.open(tmp_path, disk=Interrupted({5})) as log:
        with pytest.raises(KeyboardInterrupt):
            log.write_blocking("decision", {"n": 1})
        log.write_blocking("decision", {"n": 2})
    assert names(tmp_path) == [2]


def test_close_cuts_what_a_failing_disk_had_kept(tmp_path: Path) -> None:
    disk = FaultyDisk(range(4, 8), "half")
    with capture_logs():
        log = AuditLog.open(tmp_path, disk=disk)
        with pytest.raises(AuditUnavailable):
            log.write_blocking("decision", {"n": 1})
        assert (tmp_path / SEGMENT).stat().st_size > 0
        disk.failing = frozenset()
        log.close()
    assert (tmp_path / SEGMENT).stat().st_size == 0


@pytest.mark.parametrize("synced", [0, 2])
def test_flush_records_dropped_by_a_failing_sync_are_admitted_as_a_gap(tmp_path: Path, synced: int) -> None:
    disk = FaultyDisk(how="dropped")
    with capture_logs(), AuditLog.open(tmp_path, durability="flush", disk=disk) as log:
        for n in range(synced):
            log.write_blocking("decision", {"n": n})
        log._committer.sync()
        for n in range(synced, synced + 3):
            log.write_blocking("decision", {"n": n})
        disk.failing = frozenset({len(disk.calls) + 2})  # it is opened anew first
        log._committer.sync()
        assert log.gap == 3
        assert log.seq == synced
        log.write_blocking("decision", {"n": 9})
    assert names(tmp_path) == [*range(synced), 9]
    assert_verifies(tmp_path)


def test_flush_record_that_only_the_page_cache_still_had_is_admitted_as_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kernel could not write may stay readable until its pages are dropped."""
    disk = FaultyDisk()

    def forget(path: Path) -> None:
        size = path.stat().st_size
        os.truncate(path, synced)
        os.truncate(path, size)

    monkeypatch.setattr("adjudge.audit.file.forget_cached", forget)
    with capture_logs(), AuditLog.open(tmp_path, durability="flush", disk=disk) as log:
        log.write_blocking("decision", {"n": 1})
        log._committer.sync()
        synced = (tmp_path / SEGMENT).stat().st_size
        log.write_blocking("decision", {"n": 2})
        disk.failing = frozenset({len(disk.calls) + 2})  # it is opened anew first
        log._committer.sync()
        assert log.gap == 1
        log.write_blocking("decision", {"n": 3})
    assert names(tmp_path) == [1, 3]
    assert_verifies(tmp_path)


@pytest.mark.parametrize("reopens", [False, True])
def test_flush_synced_records_gone_after_a_failing_sync_stop_the_writer(tmp_path: Path, reopens: bool) -> None:
    disk = FaultyDisk(how="dropped")
    log = AuditLog.open(tmp_path, durability="flush", disk=disk)
    log.write_blocking("decision", {"n": 1})
    if reopens:
        log.close()
        log = AuditLog.open(tmp_path, durability="flush", disk=disk)
    else:
        log._committer.sync()
    log.write_blocking("decision", {"n": 2})
    disk.synced_sizes = dict.fromkeys(disk.synced_sizes, 10)
    disk.failing = frozenset({len(disk.calls) + 2})  # it is opened anew first
    with capture_logs():
        log._committer.sync()
        with pytest.raises(AuditBroken, match="was written and is gone"):
            log.write_blocking("decision", {"n": 3})
        with pytest.raises(AuditUnavailable, match="did not reach the disk"):
            log.close()


def test_fsync_file_replaced_while_the_disk_failed_stops_the_writer(tmp_path: Path) -> None:
    disk = FaultyDisk(range(6, 8))
    with capture_logs(), AuditLog.open(tmp_path, disk=disk) as log:
        log.write_blocking("decision", {"n": 1})
        with pytest.raises(AuditUnavailable):
            log.write_blocking("decision", {"n": 2})
        assert disk.calls[-2:] == ["datasync", "open"]
        (tmp_path / "copy").write_bytes((tmp_path / SEGMENT).read_bytes())
        (tmp_path / "copy").rename(tmp_path / SEGMENT)
        with pytest.raises(AuditBroken, match="another file has taken the log's place"):
            log.write_blocking("decision", {"n": 3})


def test_torn_line_is_kept_on_disk_before_it_is_cut_and_the_cut_is_synced(tmp_path: Path) -> None:
    (tmp_path / SEGMENT).write_bytes(b"torn")
    disk = FaultyDisk()
    with capture_logs():
        AuditLog.open(tmp_path, disk=disk).close()
    assert disk.calls == ["open", "datasync", "open", "write", "datasync", "truncate", "datasync"]


def test_async_while_the_disk_fails_refuses_instead_of_taking_more(tmp_path: Path) -> None:
    disk = FaultyDisk()
    with capture_logs(), AuditLog.open(tmp_path, durability="async", disk=disk) as log:
        log.write_blocking("decision", {"n": 0})
        disk.failing = frozenset(range(1000))
        while True:  # one is taken before the failure shows, and counted
            try:
                log.write_blocking("decision", {"n": 1})
            except AuditUnavailable:
                break
        gap = log.gap
        with pytest.raises(AuditUnavailable):
            asyncio.run(log.write("decision", {"n": 2}))
        assert log.gap == gap
        disk.failing = frozenset()
        log.write_blocking("decision", {"n": 3})
    assert names(tmp_path)[-1] == 3
    assert_verifies(tmp_path)


def test_async_queue_that_grows_too_long_makes_its_writers_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(FaultyDisk):
        def write(self, file: int, data: memoryview) -> int:
            assert gate.wait(120), "nobody opened the gate"
            return super().write(file, data)

    async def main() -> None:
        await log.write("decision", {"n": 0})
        monkeypatch.setattr(commit_module, "_QUEUE_MAX_BYTES", 0)
        task = asyncio.create_task(log.write("decision", {"n": 1}))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not task.done()
        gate.set()
        await task
        assert names(tmp_path) == [0, 1]

    gate = threading.Event()
    with AuditLog.open(tmp_path, durability="async", disk=Slow()) as log:
        asyncio.run(main())
