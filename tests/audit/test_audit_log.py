"""The writer of the audit log: durability, group commit, opening, closing, and what others do to its file."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from audit_logs import SEGMENT, FaultyDisk, GatedDisk, assert_verifies, names, write_log
from structlog.testing import capture_logs

from adjudge.audit import commit as commit_module
from adjudge.audit import log as log_module
from adjudge.audit.disk import LocalDisk
from adjudge.audit.log import AuditLog, Durability
from adjudge.audit.read import read
from adjudge.errors import AuditBroken, AuditUnavailable

MODES: tuple[Durability, ...] = ("fsync", "flush", "async")


@pytest.mark.parametrize("durability", MODES)
def test_log_many_threads_and_loops_write_every_record_once_in_one_chain(
    tmp_path: Path, durability: Durability
) -> None:
    receipts: dict[str, tuple[int, str]] = {}

    def from_thread(thread: int) -> None:
        for n in range(40):
            receipt = log.write_blocking("decision", {"n": f"t{thread}-{n}"})
            receipts[f"t{thread}-{n}"] = (receipt.seq, receipt.hash)

    async def coroutine(loop: int, task: int) -> None:
        for n in range(10):
            receipt = await log.write("decision", {"n": f"l{loop}-{task}-{n}"})
            receipts[f"l{loop}-{task}-{n}"] = (receipt.seq, receipt.hash)

    def from_loop(loop: int) -> None:
        async def main() -> None:
            await asyncio.gather(*(coroutine(loop, task) for task in range(64)))

        asyncio.run(main())

    with AuditLog.open(tmp_path, durability=durability) as log:
        threads = [threading.Thread(target=from_thread, args=(n,)) for n in range(4)]
        threads += [threading.Thread(target=from_loop, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = {record.decode()["n"]: (record.seq, record.hash) for record in read(tmp_path)}
    assert found == receipts
    assert len(found) == 4 * 40 + 2 * 64 * 10
    assert_verifies(tmp_path)


def test_log_coroutines_waiting_at_once_share_one_sync(tmp_path: Path) -> None:
    async def main() -> None:
        first = asyncio.create_task(log.write("decision", {"n": 0}))
        await asyncio.to_thread(disk.waiting.wait)
        rest = [asyncio.create_task(log.write("decision", {"n": n})) for n in range(1, 65)]
        await asyncio.sleep(0)
        disk.gate.set()
        receipts = await asyncio.gather(first, *rest)
        assert [receipt.seq for receipt in receipts] == list(range(1, 66))

    disk = GatedDisk(free=1)
    with AuditLog.open(tmp_path, disk=disk) as log:
        asyncio.run(main())
    assert disk.syncs == 1 + 2, "one at the start, one for the first record, one for the other 64"


def test_log_coroutines_ready_at_once_on_a_fast_disk_share_one_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "_ALONE_SYNC_S", float("inf"))
    disk = FaultyDisk()

    async def main() -> None:
        await log.write("decision", {"n": 0})
        before = disk.calls.count("datasync")
        await asyncio.gather(*(log.write("decision", {"n": n}) for n in range(64)))
        assert disk.calls.count("datasync") <= before + 2

    with AuditLog.open(tmp_path, disk=disk) as log:
        asyncio.run(main())


def test_log_coroutines_ready_at_once_share_one_sync_whatever_else_they_do(tmp_path: Path) -> None:
    """Each lets other threads run before it writes; the one that commits does not take the first for all."""
    disk = FaultyDisk()

    async def caller(n: int) -> None:
        time.sleep(0.001)
        await log.write("decision", {"n": n})

    async def main() -> None:
        before = disk.calls.count("datasync")
        await asyncio.gather(*map(caller, range(20)))
        assert disk.calls.count("datasync") == before + 1

    with AuditLog.open(tmp_path, disk=disk) as log:
        asyncio.run(main())


def test_write_on_a_slow_disk_does_not_hold_the_event_loop(tmp_path: Path) -> None:
    async def main() -> None:
        task = asyncio.create_task(log.write("decision", {"n": 1}))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not task.done()
        disk.gate.set()
        await task

    disk = GatedDisk(free=1)
    with AuditLog.open(tmp_path, disk=disk) as log:
        asyncio.run(main())


class WhoSyncs(LocalDisk):
    def __init__(self) -> None:
        self.threads: list[int] = []

    def datasync(self, file: int) -> None:
        self.threads.append(threading.get_ident())


def test_write_alone_on_a_fast_disk_syncs_in_the_callers_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        for n in range(3):
            await log.write("decision", {"n": n})

    async def pair() -> None:
        await asyncio.gather(log.write("decision", {"n": 3}), log.write("decision", {"n": 4}))

    disk = WhoSyncs()
    with AuditLog.open(tmp_path, disk=disk) as log:
        asyncio.run(main())  # the first always waits for the flusher, because how fast the disk is shows only then
        monkeypatch.setattr(log_module, "_ALONE_SYNC_S", float("inf"))
        for _ in range(100):  # a flusher that comes back late from its last batch may take the next one as well
            asyncio.run(main())
            log.write_blocking("decision", {"n": 9})
            if disk.threads[-4:] == [threading.get_ident()] * 4:
                break
        else:
            pytest.fail("no caller who is alone ever syncs himself")
        asyncio.run(pair())
        assert disk.threads[-1] != threading.get_ident()
        monkeypatch.setattr(log_module, "_ALONE_SYNC_S", 0.0)
        asyncio.run(main())
        assert threading.get_ident() not in disk.threads[-3:]


def test_write_while_the_disk_fails_does_not_hold_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "_ALONE_SYNC_S", float("inf"))
    attempts: list[int] = []

    class WhoOpens(FaultyDisk):
        def open(self, path: Path, *, create: bool) -> int:
            attempts.append(threading.get_ident())
            return super().open(path, create=create)

    async def main() -> None:
        await log.write("decision", {"n": 0})
        disk.failing = frozenset(range(1000))
        for _ in range(3):
            with pytest.raises(AuditUnavailable):
                await log.write("decision", {"n": 1})
        disk.failing = frozenset()

    disk = WhoOpens()
    with capture_logs(), AuditLog.open(tmp_path, disk=disk) as log:
        asyncio.run(main())
    first, failed, *again = attempts
    assert first == failed == threading.get_ident()
    assert threading.get_ident() not in again[:2]


def test_write_cancelled_while_it_looks_for_others_is_committed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "_ALONE_SYNC_S", float("inf"))

    async def main() -> None:
        await log.write("decision", {"n": 0})
        task = asyncio.create_task(log.write("decision", {"n": 1}))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert names(tmp_path) == [0, 1]

    with AuditLog.open(tmp_path) as log:
        asyncio.run(main())


@pytest.mark.parametrize("alone_sync_s", [0.0, float("inf")])
def test_write_cancelled_leaves_the_others_and_the_chain_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone_sync_s: float
) -> None:
    monkeypatch.setattr(log_module, "_ALONE_SYNC_S", alone_sync_s)

    async def main() -> None:
        await log.write("decision", {"n": 0})
        for n in range(1, 20):
            lost = asyncio.create_task(log.write("decision", {"n": -n}))
            kept = asyncio.create_task(log.write("decision", {"n": n})) if n % 2 else None
            await asyncio.sleep(0)
            lost.cancel()
            await asyncio.gather(lost, return_exceptions=True)
            if kept:
                await kept

    with AuditLog.open(tmp_path) as log:
        asyncio.run(main())
        log.write_blocking("decision", {"n": 20})
    assert {n for n in names(tmp_path) if isinstance(n, int) and n > 0} == {*range(1, 20, 2), 20}
    assert_verifies(tmp_path)


def test_write_whose_event_loop_was_closed_harms_nobody(tmp_path: Path) -> None:
    async def main() -> None:
        asyncio.create_task(log.write("decision", {"n": 1}))  # noqa: RUF006  # abandoned on purpose
        await asyncio.to_thread(disk.waiting.wait)

    disk = GatedDisk(free=1)
    with AuditLog.open(tmp_path, disk=disk) as log:
        asyncio.run(main())
        disk.gate.set()
        log.write_blocking("decision", {"n": 2})
    assert names(tmp_path) == [1, 2]


def test_log_reopened_goes_on_with_the_chain(tmp_path: Path) -> None:
    for n in range(3):
        with AuditLog.open(str(tmp_path / "deep" / "log")) as log:
            receipt = log.write_blocking("decision", {"n": n})
            assert receipt.seq == log.seq == n + 1
            assert receipt.hash == log.hash
            assert log.recovered is None
            assert log.gap == 0
    assert names(tmp_path / "deep" / "log") == [0, 1, 2]
    assert_verifies(tmp_path / "deep" / "log")


def test_receipt_holds_the_line_as_written(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path) as log:
        lines = [log.write_blocking("decision", {"n": n}).line for n in range(3)]
    assert b"".join(lines) == (tmp_path / SEGMENT).read_bytes()


@pytest.mark.parametrize("durability", MODES)
def test_write_after_close_is_refused(tmp_path: Path, durability: Durability) -> None:
    log = AuditLog.open(tmp_path, durability=durability)
    log.close()
    log.close()
    with pytest.raises(AuditUnavailable, match="is closed"):
        log.write_blocking("decision", {"n": 1})
    with pytest.raises(AuditUnavailable, match="is closed"):
        asyncio.run(log.write("decision", {"n": 1}))


def test_close_writes_what_async_has_queued(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path, durability="async") as log:
        for n in range(500):
            log.write_blocking("decision", {"n": n})
    assert names(tmp_path) == list(range(500))


@pytest.mark.parametrize("durability", ["flush", "async"])
def test_close_syncs_what_was_only_written(tmp_path: Path, durability: Durability) -> None:
    disk = FaultyDisk()
    log = AuditLog.open(tmp_path, durability=durability, disk=disk)
    log.write_blocking("decision", {"n": 1})
    log.close()
    assert disk.calls[-1] == "datasync"


@pytest.mark.parametrize("durability", ["flush", "async"])
def test_log_that_does_not_sync_each_record_syncs_soon_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability
) -> None:
    monkeypatch.setattr(commit_module, "_SYNC_EVERY_S", 0.001)
    disk = GatedDisk(free=1)
    disk.gate.set()
    with AuditLog.open(tmp_path, durability=durability, disk=disk) as log:
        for n in range(3):
            disk.waiting.clear()
            log.write_blocking("decision", {"n": n})
            assert disk.waiting.wait(120)


def test_log_second_writer_is_refused_until_the_first_is_closed(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path), pytest.raises(AuditUnavailable, match="another writer has this audit log"):
        AuditLog.open(tmp_path)
    AuditLog.open(tmp_path).close()


def test_log_whose_directory_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(AuditUnavailable, match=f"{path}: is not a directory"):
            AuditLog.open(path)
    with pytest.raises(AuditUnavailable, match="File name too long"):
        AuditLog.open(tmp_path / ("x" * 300))


def test_log_whose_file_is_a_directory_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / SEGMENT).mkdir()
    with pytest.raises(AuditUnavailable, match="is not a regular file"):
        AuditLog.open(tmp_path)


def test_write_a_record_longer_than_the_limit_is_refused_and_the_next_is_not(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path, max_line=500) as log:
        with pytest.raises(AuditUnavailable, match="longer than the log takes"):
            log.write_blocking("decision", {"n": "x" * 500})
        log.write_blocking("decision", {"n": 1})
    assert names(tmp_path) == [1]


@pytest.mark.parametrize("kept_bytes", [1, 30, -20, -1])
def test_log_with_a_torn_last_line_is_cut_and_says_so(tmp_path: Path, kept_bytes: int) -> None:
    *whole, last = write_log(tmp_path, 3)
    torn = last[:kept_bytes]
    (tmp_path / SEGMENT).write_bytes(b"".join(whole) + torn)
    with capture_logs() as events, AuditLog.open(tmp_path) as log:
        assert log.recovered is not None
        assert "audit-000001.torn-1" in log.recovered
        log.write_blocking("decision", {"n": 4})
    assert [event["event"] for event in events] == ["audit_tail_cut"]
    assert (tmp_path / "audit-000001.torn-1").read_bytes() == torn
    assert names(tmp_path) == [1, 2, 4]
    assert_verifies(tmp_path)


def test_log_torn_twice_keeps_both_remains(tmp_path: Path) -> None:
    for number in (1, 2):
        with (tmp_path / SEGMENT).open("ab") as file:
            file.write(b"\0" * number)
        AuditLog.open(tmp_path).close()
        assert (tmp_path / f"audit-000001.torn-{number}").read_bytes() == b"\0" * number
    assert (tmp_path / SEGMENT).read_bytes() == b""


Damage = Callable[[list[bytes]], list[bytes]]


@pytest.mark.parametrize(
    ("damage", "line", "what"),
    [
        (lambda lines: [*lines, b'{"half\n'], 5, "is not an audit record"),
        (lambda lines: [*lines[:3], lines[3].replace(b"pass", b"fail"), b"torn"], 4, "do not have the hash"),
        (lambda lines: lines[1:], 1, "record 2 is where record 1 belongs"),
        (lambda lines: [*lines[:3], lines[3].replace(b"pass", b"fail")], 4, "do not have the hash"),
        (lambda lines: [lines[0], lines[1].replace(b"pass", b"fail"), *lines[2:]], 2, "do not have the hash"),
        (lambda lines: [lines[0], *lines[2:]], 2, "record 3 is where record 2 belongs"),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], 2, "record 3 is where record 2 belongs"),
        (lambda lines: [*lines, lines[3]], 5, "record 4 is where record 5 belongs"),
    ],
)
def test_log_that_does_not_verify_at_its_end_is_not_opened(
    tmp_path: Path, damage: Damage, line: int, what: str
) -> None:
    damaged = b"".join(damage(write_log(tmp_path, 4)))
    (tmp_path / SEGMENT).write_bytes(damaged)
    with pytest.raises(AuditBroken, match=rf"{SEGMENT}:{line}: .*{what}"):
        AuditLog.open(tmp_path)
    assert (tmp_path / SEGMENT).read_bytes() == damaged
    assert sorted(path.name for path in tmp_path.iterdir()) == [SEGMENT, "audit.lock", "audit.taken"]


def test_log_another_chain_at_the_end_is_not_opened(tmp_path: Path) -> None:
    lines = write_log(tmp_path / "a", 3)
    with AuditLog.open(tmp_path / "b") as log:
        others = [log.write_blocking("label", {"n": n}).line for n in range(4)]
    (tmp_path / "a" / SEGMENT).write_bytes(b"".join([*lines, others[3]]))
    with pytest.raises(AuditBroken, match=r"jsonl:4: .*is not the hash of the record before"):
        AuditLog.open(tmp_path / "a")


def _append_foreign(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"{}\n")


def _copy_and_truncate(path: Path) -> None:
    os.truncate(path, 0)


def _replace(path: Path) -> None:
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)


@pytest.mark.parametrize("durability", MODES[:2])
@pytest.mark.parametrize("change", [_append_foreign, _copy_and_truncate, _replace])
def test_log_changed_by_another_program_while_open_stops_the_writer(
    tmp_path: Path, durability: Durability, change: Callable[[Path], None]
) -> None:
    log = AuditLog.open(tmp_path, durability=durability)
    log.write_blocking("decision", {"n": 1})
    change(tmp_path / SEGMENT)
    changed = (tmp_path / SEGMENT).read_bytes()
    for _ in range(2):
        with capture_logs(), pytest.raises(AuditBroken, match="another program changed this file"):
            log.write_blocking("decision", {"n": 2})
        with capture_logs(), pytest.raises(AuditBroken, match="another program changed this file"):
            asyncio.run(log.write("decision", {"n": 2}))
    assert (tmp_path / SEGMENT).read_bytes() == changed
    if durability == "fsync":
        log.close()
    else:
        with pytest.raises(AuditUnavailable, match="1 records that were taken did not reach the disk"):
            log.close()


def test_log_moved_away_while_open_takes_nothing_until_it_is_back(tmp_path: Path) -> None:
    with capture_logs(), AuditLog.open(tmp_path) as log:
        log.write_blocking("decision", {"n": 1})
        (tmp_path / SEGMENT).rename(tmp_path / "rotated")
        for _ in range(2):
            with pytest.raises(AuditUnavailable, match="No such file"):
                log.write_blocking("decision", {"n": 2})
        (tmp_path / "rotated").rename(tmp_path / SEGMENT)
        log.write_blocking("decision", {"n": 3})
    assert names(tmp_path) == [1, 3]


def test_log_verifies_only_its_end_when_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjudge.audit.file.CHECKED_AT_OPEN", 400)
    lines = write_log(tmp_path, 20)
    (tmp_path / SEGMENT).write_bytes(b"".join([lines[0].replace(b"pass", b"fail"), *lines[1:]]))
    with AuditLog.open(tmp_path) as log:
        assert log.seq == 20
    (tmp_path / SEGMENT).write_bytes(b"".join([*lines[:18], lines[18].replace(b"pass", b"fail"), lines[19]]))
    with pytest.raises(AuditBroken, match=r"jsonl:19: "):
        AuditLog.open(tmp_path)
