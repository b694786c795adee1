"""The log and the process that writes it: forks, an interpreter that ends, restarts after losses, and copies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from audit_logs import FaultyDisk, assert_verifies, names, zero
from structlog.testing import capture_logs

from adjudge.audit.checkpoints import CheckpointBody, Checkpoints
from adjudge.audit.disk import LocalDisk
from adjudge.audit.file import Segments
from adjudge.audit.log import AuditLog, Durability
from adjudge.audit.read import read
from adjudge.audit.record import encode
from adjudge.audit.verify import verify
from adjudge.errors import AdjudgeError, AuditBroken, AuditUnavailable

EVERY_WAY: list[Durability] = ["fsync", "flush", "async"]


def in_child(work: Callable[[], None]) -> int:
    """Do some work in a forked process, which gives up after a while; return its exit status."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            threading.Timer(20, os._exit, [9]).start()
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("durability", EVERY_WAY)
def test_forked_process_is_told_and_writes_nothing(tmp_path: Path, durability: Durability) -> None:
    def work() -> None:
        with pytest.raises(AuditUnavailable, match="forked from the one that opened"):
            log.write_blocking("decision", {"n": 2})
        log.close()

    with AuditLog.open(tmp_path, durability=durability, checkpoints=Checkpoints()) as log:
        log.write_blocking("decision", {"n": 1})
        with log._committer.changed:  # as where another thread holds it while this one forks
            assert in_child(work) == 0
        log.write_blocking("decision", {"n": 3})
    assert [record.kind for record in read(tmp_path)] == ["decision", "decision", "checkpoint"]
    assert_verifies(tmp_path)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_log_that_was_closed_is_free_although_a_forked_process_lives_on(tmp_path: Path) -> None:
    log = AuditLog.open(tmp_path)
    ends, begins = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(begins)
        os.read(ends, 1)
        os._exit(0)
    try:
        log.close()
        AuditLog.open(tmp_path).close()
    finally:
        os.close(begins)
        os.waitpid(process, 0)
        os.close(ends)


ENDING = """
import sys
from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.log import AuditLog
log = AuditLog.open(sys.argv[1], durability=sys.argv[2], checkpoints=Checkpoints(mac_key=b"k" * 32))
for n in range(50):
    log.write_blocking("decision", {"n": n})
if sys.argv[3] == "raises":
    raise SystemExit(3)
"""


@pytest.mark.parametrize("how", ["ends", "raises"])
@pytest.mark.parametrize("durability", EVERY_WAY)
def test_writer_that_nobody_closed_is_closed_when_the_interpreter_ends(
    tmp_path: Path, durability: Durability, how: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ENDING, tmp_path, durability, how], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (3 if how == "raises" else 0, "", "")
    found = verify(tmp_path, mac_keys=[b"k" * 32])
    assert (found.problem, found.count, found.is_closed) == (None, 51, True)


@pytest.mark.parametrize("durability", ["flush", "async"])
def test_count_of_lost_records_goes_on_over_a_restart(tmp_path: Path, durability: Durability) -> None:
    gaps = []
    for loses in (True, False, True):
        disk = FaultyDisk(how="dropped")
        checkpoints = Checkpoints(every=2)
        with capture_logs():
            log = AuditLog.open(tmp_path, durability=durability, disk=disk, checkpoints=checkpoints)
            for n in range(60):
                if loses and n == 20:
                    disk.failing = frozenset(range(len(disk.calls), len(disk.calls) + 4))
                try:
                    log.write_blocking("decision", {"n": n})
                    if n % 7 == 0:
                        log._committer.sync()
                except AdjudgeError:
                    pass
            disk.failing = frozenset()
            gaps.append(log.gap)
            try:
                log.close()
            except AuditUnavailable:
                pass
        assert_verifies(tmp_path)
    assert gaps == sorted(gaps)
    said = [record.decode(CheckpointBody).gap for record in read(tmp_path) if record.kind == "checkpoint"]
    assert said == sorted(said)


def wait_until(so: Callable[[], bool]) -> None:
    """Wait for another thread; give up after a minute."""
    for _ in range(6000):
        if so():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_restart_carries_the_lost_records_that_the_log_admits(tmp_path: Path) -> None:
    before = 0
    for loses in (True, False, True, False):
        disk = FaultyDisk()
        with capture_logs(), AuditLog.open(tmp_path, durability="async", disk=disk, checkpoints=Checkpoints()) as log:
            assert log.gap == before
            log.write_blocking("decision", {"n": 1})
            if loses:
                disk.failing = frozenset(range(100_000))
                log.write_blocking("decision", {"n": 2})
                wait_until(lambda known=before: log.gap > known)  # type: ignore[misc]
                disk.failing = frozenset()
                kept = log.write_blocking("decision", {"n": 3})
                wait_until(lambda seq=kept.seq: log.durable[0] >= seq)  # type: ignore[misc]  # what was lost is counted
            assert (log.gap > before) == loses
            before = log.gap
        assert (verify(tmp_path).problem, verify(tmp_path).gap) == (None, before)


@pytest.mark.parametrize("durability", EVERY_WAY)
def test_lines_are_handed_on_in_the_order_of_the_log(tmp_path: Path, durability: Durability) -> None:
    taken: list[bytes] = []
    points = Checkpoints(every=3, seconds=0.01)
    with AuditLog.open(tmp_path, durability=durability, checkpoints=points, segments=Segments(max_bytes=20_000)) as log:
        log.on_lines = lambda file, start, lines: taken.extend(lines)
        threads = [
            threading.Thread(target=lambda: [log.write_blocking("decision", {"n": n}) for n in range(60)])
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert taken == [record.line for record in read(tmp_path)]
    assert len(taken) > 400


def test_nothing_is_handed_on_that_does_not_stand_in_the_log(tmp_path: Path) -> None:
    taken: list[bytes] = []
    with capture_logs(), AuditLog.open(tmp_path, disk=FaultyDisk(range(4, 60, 3), "half")) as log:
        log.on_lines = lambda file, start, lines: taken.extend(lines)
        for n in range(20):
            try:
                log.write_blocking("decision", {"n": n})
            except AuditUnavailable:
                pass
    assert taken == [record.line for record in read(tmp_path)] != []


def test_user_who_interrupts_a_copy_loses_no_record(tmp_path: Path) -> None:
    def interrupt(file: Path, start: int, lines: Sequence[bytes]) -> None:
        raise KeyboardInterrupt

    with AuditLog.open(tmp_path) as log:
        log.on_lines = interrupt
        with pytest.raises(KeyboardInterrupt):
            log.write_blocking("decision", {"n": 1})
        log.on_lines = None
        log.write_blocking("decision", {"n": 2})
    assert [record.decode()["n"] for record in read(tmp_path)] == [1, 2]


def test_record_that_is_too_long_leaves_no_hole_behind_the_checkpoint_of_a_start(tmp_path: Path) -> None:
    keys = Checkpoints(mac_key=b"k" * 32)
    for _ in range(2):
        with AuditLog.open(tmp_path, checkpoints=keys, max_line=2000) as log:
            with pytest.raises(AuditUnavailable, match="longer than the log takes"):
                log.write_blocking("decision", {"n": "x" * 3000})
            log.write_blocking("decision", {"n": 1})
    kinds = [record.kind for record in read(tmp_path)]
    assert kinds == ["decision", "checkpoint", "checkpoint", "decision", "checkpoint"]
    assert verify(tmp_path, mac_keys=[b"k" * 32]).is_good


@pytest.mark.parametrize("durability", EVERY_WAY)
def test_checkpoint_of_a_start_that_the_disk_refused_comes_with_the_next_record(
    tmp_path: Path, durability: Durability
) -> None:
    keys = Checkpoints(mac_key=b"k" * 32)
    with AuditLog.open(tmp_path, checkpoints=keys) as log:
        log.write_blocking("decision", {"n": 1})
    disk = FaultyDisk()
    with capture_logs(), AuditLog.open(tmp_path, durability=durability, disk=disk, checkpoints=keys) as log:
        disk.failing = frozenset(range(len(disk.calls) + 1, len(disk.calls) + 2))
        try:
            log.write_blocking("decision", {"n": 2})
        except AuditUnavailable:
            pass
        if durability == "async":
            wait_until(lambda: log.gap > 0)
        log.write_blocking("decision", {"n": 3})
    found = verify(tmp_path, mac_keys=[b"k" * 32])
    assert (found.problem, found.count) == (None, 5)


class SwitchingDisk(LocalDisk):
    """A disk that fails a sync when asked to, and then holds other bytes."""

    def __init__(self) -> None:
        self.instead: Callable[[bytes], bytes] | None = None
        self.has_failed = False

    def datasync(self, file: int) -> None:
        if self.instead is not None and not self.has_failed:
            self.has_failed = True
            raise OSError(5, "cannot sync, says the test")
        if self.instead is not None:
            path = Path(f"/proc/self/fd/{file}").resolve()
            path.write_bytes(self.instead(path.read_bytes()))
            self.instead = None
        super().datasync(file)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc to find a file by its descriptor")
@pytest.mark.parametrize("forges", [False, True])
def test_what_a_failing_disk_left_is_held_against_the_key(tmp_path: Path, forges: bool) -> None:
    def instead(data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        assert len(lines) == 3
        false = encode("decision", 2, lines[0][-67:-3], b',"n":"forged","mac":"%b"' % (b"0" * 64))[0]
        return lines[0] + (false if forges else lines[1])

    disk, keys = SwitchingDisk(), Checkpoints(mac_key=b"k" * 32)
    with capture_logs():
        log = AuditLog.open(tmp_path, durability="flush", disk=disk, checkpoints=keys)
        for n in range(3):
            log.write_blocking("decision", {"n": n})
        disk.instead = instead
        log._committer.sync()
        if forges:
            with pytest.raises(AuditBroken, match="record 2: its mac"):
                log.write_blocking("decision", {"n": 3})
            with pytest.raises(AuditUnavailable, match="did not reach the disk"):
                log.close()
        else:
            log.write_blocking("decision", {"n": 3})
            assert log.gap == 1
            log.close()


KILLED = """
import os, sys, threading
from pathlib import Path
from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.disk import LocalDisk
from adjudge.audit.log import AuditLog

class Hanging(LocalDisk):
    hangs = False
    def write(self, file, data):
        if self.hangs:
            threading.Event().wait()
        return super().write(file, data)

disk = Hanging()
log = AuditLog.open(Path(sys.argv[1]), durability="async", disk=disk, checkpoints=Checkpoints())
for n in range(5):
    log.write_blocking("decision", {"n": n})
log.settle(5)
disk.hangs = True
for n in range(7):
    log.write_blocking("decision", {"n": n})
print("taken", flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("later", ["async", "flush", "fsync"])
def test_records_that_a_killed_process_had_only_queued_are_admitted_by_the_next(
    tmp_path: Path, later: Durability
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (-9, "taken\n", "")
    assert len([*read(tmp_path)]) == 5
    for _ in range(2):  # told once, and never again
        with AuditLog.open(tmp_path, durability=later, checkpoints=Checkpoints()) as log:
            assert log.gap == 7
        found = verify(tmp_path)
        assert (found.problem, found.gap, found.count) == (None, 7, 6)
    with AuditLog.open(tmp_path, durability="async", checkpoints=Checkpoints()) as log:
        log.write_blocking("decision", {"n": 1})
        assert log.gap == 7
    assert verify(tmp_path).gap == 7


class SyncsFail(LocalDisk):
    """A disk whose next sync fails, once the gate is opened; `drops`: with what it was to make safe."""

    def __init__(self, *, drops: bool) -> None:
        self.drops, self.is_due, self.synced = drops, False, 0
        self.waiting, self.gate = threading.Event(), threading.Event()

    def datasync(self, file: int) -> None:
        size = os.fstat(file).st_size
        if not self.is_due:
            self.synced = size
            return
        self.is_due = False
        self.waiting.set()
        assert self.gate.wait(60), "nobody opened the gate"
        if self.drops:
            zero(file, self.synced, size)
        raise OSError(5, "cannot sync, says the test")


@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("durability", ["flush", "async"])
def test_sync_may_fail_while_records_gather_behind_it(tmp_path: Path, durability: Durability, drops: bool) -> None:
    disk = SyncsFail(drops=drops)
    with capture_logs():
        log = AuditLog.open(tmp_path, durability=durability, disk=disk)
        for n in range(10):
            if n == 5:
                wait_until(lambda: log._file.written.seq >= 5)
                disk.is_due = True
                failing = threading.Thread(target=log._committer.sync)
                failing.start()
                assert disk.waiting.wait(60)
            log.write_blocking("decision", {"n": n})
        disk.gate.set()
        failing.join()
        for n in range(10, 15):
            while True:
                try:
                    log.write_blocking("decision", {"n": n})
                    break
                except AuditUnavailable:  # it was not taken
                    pass
        log.close()
    assert_verifies(tmp_path)
    assert len(names(tmp_path)) == 15 - log.gap
    assert log.gap == 0 or drops
