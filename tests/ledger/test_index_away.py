"""An index that is made anew while segments of its log are away, which may hold what still answers."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from test_index import LEASE_S, answered, fill, knows, lose_places, name_of, of_later_version

from adjudge.audit.archive import archive
from adjudge.audit.file import Segments
from adjudge.audit.log import AuditLog
from adjudge.audit.trail import AuditTrail
from adjudge.audit.verify import segments
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.ledger.file import FileLedger
from adjudge.ledger.index_file import FILE
from adjudge.plugin import Claim
from adjudge.testing.ledgers import FIRST, call_of, decision_and_record

ALL = 90


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of 90 decisions, and of a call that is open in its first segment; all but the last segment are away."""
    log = tmp_path / "log"
    with_ledger(log, begin_call)
    fill(log, range(ALL))
    move(log, tmp_path / "shelf")
    assert len(list((tmp_path / "shelf").glob("audit-*.jsonl"))) > 2 and len(segments(log)) == 1
    return log


def move(log: Path, to: Path) -> None:
    with AuditLog.open(log, segments=Segments(max_bytes=20_000)) as writer:
        archive(writer, to, before=datetime.now(UTC).date() + timedelta(days=2), by="kim")


def with_ledger(log: Path, work: Callable[[FileLedger], Any], **parts: Any) -> list[str]:
    """Do some work with a ledger, and return the events of its index."""
    with capture_logs() as events:
        trail = AuditTrail.open(log, durability="flush", segments=Segments(max_bytes=20_000))
        try:
            ledger = FileLedger(trail, front_bytes=1, **parts)
        except BaseException:
            trail.close()
            raise
        try:
            asyncio.run(work(ledger))
        finally:
            ledger.close()
    return [event["event"] for event in events if event["event"].startswith("index")]


async def begin_call(ledger: FileLedger) -> None:
    claim = await ledger.claim(name_of(900), FIRST, again=False, lease_s=LEASE_S)
    assert isinstance(claim, Claim)
    await ledger.begin_call(claim, call_of(claim, call_id="9" * 32))


async def is_whole(ledger: FileLedger) -> None:
    """What is away is told to be so, what stays is answered, and what is new is decided; calls and cost are known."""
    for n in range(3):
        with pytest.raises(AuditUnavailable, match="is missing, and holds what still answers"):
            await ledger.claim(name_of(n), FIRST, again=False, lease_s=LEASE_S)
    assert await knows(ledger, range(ALL - 2, ALL))
    assert isinstance(await ledger.claim(name_of(901), FIRST, again=False, lease_s=LEASE_S), Claim)
    assert [body.merchant_biz_id for body in await ledger.in_doubt()] == [name_of(900)]
    assert [tally.calls for tally in (await ledger.spent()).values()] == [1]


async def is_careful(ledger: FileLedger) -> None:
    """What stays is answered; of all else nobody can tell, so nothing is decided, called or paid."""
    for n in (0, 1, 2, 900, 901):
        with pytest.raises(AuditUnavailable, match=r"was archived to .*copy it back and start again"):
            await ledger.claim(name_of(n), FIRST, again=False, lease_s=LEASE_S)
    with pytest.raises(AuditUnavailable, match="was archived to"):
        await ledger.find(decision_id=f"{1:032x}")
    assert await knows(ledger, range(ALL - 2, ALL))
    claim = await ledger.claim(name_of(ALL - 1), FIRST, again=True, lease_s=LEASE_S)
    assert isinstance(claim, Claim) and claim.earlier is not None
    with pytest.raises(AuditUnavailable, match="was archived to"):
        await ledger.begin_call(claim, call_of(claim, call_id="8" * 32))
    await ledger.release(claim)


@pytest.mark.parametrize("spoil", [None, Path.unlink, of_later_version])
def test_segments_that_were_moved_to_a_folder_are_read_there(spoil: Callable[[Path], None] | None, log: Path) -> None:
    if spoil is not None:
        spoil(log / FILE)
    assert with_ledger(log, is_whole) == ["index_made_anew"] * (spoil is not None)
    assert with_ledger(log, is_whole) == []


def test_an_index_that_is_spoilt_in_use_is_made_of_what_is_away_too(log: Path) -> None:
    lose_places(log / FILE)

    async def work(ledger: FileLedger) -> None:
        assert await answered(ledger, range(ALL - 2, ALL))
        await is_whole(ledger)

    assert "index_made_anew" in with_ledger(log, work)
    assert with_ledger(log, is_whole) == []


def test_a_call_that_is_open_in_what_is_away_does_not_keep_the_rest_from_being_answered(log: Path) -> None:
    """The index has its place; where the segment cannot be read, what it cost and whose it is cannot be told."""
    (log.parent / "shelf").rename(log.parent / "kept")

    async def work(ledger: FileLedger) -> None:
        assert await knows(ledger, range(ALL - 2, ALL))
        with pytest.raises(AuditUnavailable, match="was archived to"):
            await ledger.claim(name_of(901), FIRST, again=False, lease_s=LEASE_S)

    assert with_ledger(log, work) == []
    (log.parent / "kept").rename(log.parent / "shelf")
    assert with_ledger(log, is_whole) == []


def change(shelf: Path) -> None:
    for file in shelf.glob("audit-*.jsonl"):
        file.write_bytes(file.read_bytes().replace(b'"at":"2', b'"at":"1', 1))


def lose_one(shelf: Path) -> None:
    (shelf / "audit-000001.jsonl").unlink()


@pytest.mark.parametrize("lose", [shutil.rmtree, change, lose_one])
def test_nothing_is_decided_while_what_is_away_cannot_be_read(lose: Callable[[Path], None], log: Path) -> None:
    shelf, kept = log.parent / "shelf", log.parent / "kept"
    shutil.copytree(shelf, kept)
    lose(shelf)
    (log / FILE).unlink()
    assert with_ledger(log, is_careful) == ["index_made_anew"]
    assert with_ledger(log, is_careful) == [], "and the next start has not forgotten it"
    lose_places(log / FILE)

    async def work(ledger: FileLedger) -> None:
        assert await answered(ledger, range(ALL - 2, ALL))
        await is_careful(ledger)

    with_ledger(log, work)
    shutil.rmtree(shelf, ignore_errors=True)
    kept.rename(shelf)
    assert with_ledger(log, is_whole) == ["index_made_anew"]
    for file in shelf.glob("audit-*.jsonl"):
        shutil.copy(file, log)

    async def restored(ledger: FileLedger) -> None:
        assert await knows(ledger, range(ALL))

    assert with_ledger(log, restored) == []


def test_what_is_copied_back_is_answered_at_the_next_start(log: Path) -> None:
    (log.parent / "shelf").rename(log.parent / "kept")
    (log / FILE).unlink()
    with_ledger(log, is_careful)
    for file in (log.parent / "kept").glob("audit-*.jsonl"):
        shutil.copy(file, log)

    async def restored(ledger: FileLedger) -> None:
        assert await knows(ledger, range(ALL))

    assert with_ledger(log, restored) == ["index_made_anew"]


def test_what_is_away_counts_no_more_once_it_is_too_old_to_answer(log: Path) -> None:
    shutil.rmtree(log.parent / "shelf")
    (log / FILE).unlink()
    elapsed_s = 0.0
    opened_at = datetime.now(UTC)

    async def work(ledger: FileLedger) -> None:
        nonlocal elapsed_s
        await is_careful(ledger)
        elapsed_s = 47 * 3600.0
        await is_careful(ledger)
        elapsed_s = 49 * 3600.0
        assert isinstance(await ledger.claim(name_of(1), FIRST, again=False, lease_s=LEASE_S), Claim)

    clock = {"clock": lambda: opened_at + timedelta(seconds=elapsed_s), "timer": lambda: elapsed_s}
    assert with_ledger(log, work, **clock) == ["index_made_anew"]
    later = {"clock": lambda: opened_at + timedelta(hours=49)}

    async def decides(ledger: FileLedger) -> None:
        claim = await ledger.claim(name_of(1), FIRST, again=False, lease_s=LEASE_S)
        assert isinstance(claim, Claim)
        await ledger.conclude(claim, *decision_and_record(ledger, name_of(1)))

    assert with_ledger(log, decides, **later) == []


@pytest.mark.parametrize("hours", [1, 100])
def test_decision_that_was_moved_to_a_folder_is_found_there(hours: int, log: Path) -> None:
    """Whether it would still answer its id or not; where it cannot be read, nobody is told that there is none."""
    later = {"clock": lambda: datetime.now(UTC) + timedelta(hours=hours)}

    async def finds(ledger: FileLedger) -> None:
        for sought in ({"decision_id": f"{1:032x}"}, {"merchant_biz_id": name_of(1)}):
            found = await ledger.find(**sought)
            assert found is not None and found.decision_id == f"{1:032x}"
        assert await ledger.find(decision_id="f" * 32) is None

    async def cannot(ledger: FileLedger) -> None:
        for sought in ({"decision_id": f"{1:032x}"}, {"merchant_biz_id": name_of(1)}):
            with pytest.raises(
                AuditUnavailable, match=r"audit-000001.jsonl: was archived to .*, and cannot be read there"
            ):
                await ledger.find(**sought)

    async def is_changed(ledger: FileLedger) -> None:
        with pytest.raises(AuditBroken, match="where a record was written"):
            await ledger.find(decision_id=f"{1:032x}")

    with_ledger(log, finds, **later)
    shelf = log.parent / "shelf"
    shelf.rename(log.parent / "kept")
    with_ledger(log, cannot, **later)
    (log.parent / "kept").rename(shelf)
    file = shelf / "audit-000001.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"outcome":"review"', b'"outcome":"reject"'))
    with_ledger(log, is_changed, **later)
