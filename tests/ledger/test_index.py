"""The index of a log: derived from it, made anew whatever happens to it, and never the author of an answer."""

from __future__ import annotations

import asyncio
import gc
import itertools
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adjudge.audit import file as file_module
from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.file import Segments
from adjudge.audit.log import Durability
from adjudge.audit.signing import generate
from adjudge.audit.trail import AuditTrail
from adjudge.errors import AuditBroken, AuditUnavailable, MerchantBizIdConflict
from adjudge.ledger import heaps as heaps_module
from adjudge.ledger import index as index_module
from adjudge.ledger.file import FileLedger
from adjudge.ledger.index_file import FILE, Changes, IndexFile
from adjudge.model import Decision
from adjudge.plugin import Claim
from adjudge.testing.ledgers import FIRST, OTHER, call_of, decision_and_record, ended

LEASE_S = 60.0


@contextmanager
def opened(
    at: Path, *, durability: Durability = "flush", front_bytes: int = 1, checkpoints: Checkpoints | None = None
) -> Iterator[FileLedger]:
    """Open a ledger that keeps nothing in front of its index, with segments of 20 KB."""
    segments = Segments(max_bytes=20_000)
    trail = AuditTrail.open(at, durability=durability, segments=segments, checkpoints=checkpoints)
    try:
        ledger = FileLedger(trail, front_bytes=front_bytes)
    except BaseException:
        trail.close()
        raise
    yield ledger
    ledger.close()


def name_of(n: int) -> str:
    return f"{n:032d}"


async def decide(ledger: FileLedger, n: int) -> Decision:
    """Decide the n-th id, unless it is decided."""
    found = await ledger.claim(name_of(n), FIRST, again=False, lease_s=LEASE_S)
    if isinstance(found, Claim):
        decision, record = decision_and_record(ledger, name_of(n), decision_id=f"{n:032x}")
        await ledger.conclude(found, decision, record)
        return decision
    assert isinstance(found, Decision)
    return found


async def knows(ledger: FileLedger, numbers: range) -> bool:
    """Whether every one of these ids is answered with its own decision, and is a conflict with another fingerprint."""
    for n in numbers:
        found = await ledger.claim(name_of(n), FIRST, again=False, lease_s=LEASE_S)
        if not (isinstance(found, Decision) and found.decision_id == f"{n:032x}"):
            return False
        with pytest.raises(MerchantBizIdConflict):
            await ledger.claim(name_of(n), OTHER, again=False, lease_s=LEASE_S)
        assert await ledger.find(decision_id=f"{n:032x}") == found
    return True


def fill(at: Path, numbers: range, *, durability: Durability = "flush") -> None:
    async def work(ledger: FileLedger) -> None:
        for n in numbers:
            await decide(ledger, n)

    with opened(at, durability=durability) as ledger:
        asyncio.run(work(ledger))


def asked_again(at: Path, numbers: range) -> list[str]:
    """Ask a log's ids again, and return which events opening it told."""
    with capture_logs() as events, opened(at) as ledger:
        assert asyncio.run(knows(ledger, numbers))
    return [event["event"] for event in events if event["log_level"] != "debug" and "index" in event["event"]]


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:4096])


def overwrite(file: Path) -> None:
    file.write_bytes(b"not a database" * 1000)


def zero(file: Path) -> None:
    """Put nothing where the tables were."""
    file.write_bytes(file.read_bytes()[:4096] + bytes(file.stat().st_size - 4096))


def forget_schema(file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("drop table calls")
    database.close()


def of_later_version(file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("pragma user_version = 99")
    database.close()


def of_another_log(file: Path) -> None:
    other = file.parent.with_name("other")
    fill(other, range(5))
    shutil.copy(other / FILE, file)


def become_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def stay(file: Path) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (stay, []),
        (Path.unlink, ["index_made_anew"]),
        (truncate, ["index_made_anew"]),
        (overwrite, ["index_made_anew"]),
        (forget_schema, ["index_made_anew"]),
        (of_later_version, ["index_made_anew"]),
        (of_another_log, ["index_made_anew"]),
        (become_a_folder, ["index_made_anew", "index_in_memory"]),
    ],
)
def test_index_that_is_of_no_use_is_made_anew(spoil: Callable[[Path], None], told: list[str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    fill(log, range(60))
    assert len(list(log.glob("audit-*.jsonl"))) > 2
    spoil(log / FILE)
    assert asked_again(log, range(60)) == told


def test_index_made_anew_in_many_parts_finds_all_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_FILL", 7)
    monkeypatch.setattr(heaps_module, "_HELD", 20)
    fill(tmp_path, range(60))
    (tmp_path / FILE).unlink()
    (tmp_path / f"{FILE}.new").write_bytes(b"left by one who was killed while making it")
    assert asked_again(tmp_path, range(60)) == ["index_made_anew"]
    assert not (tmp_path / f"{FILE}.new").exists()
    fill(tmp_path, range(60, 90))
    assert asked_again(tmp_path, range(90)) == []


def test_index_is_not_made_of_a_log_that_lacks_a_line(tmp_path: Path) -> None:
    """Far from the end, which is all that opening the log looks at."""
    fill(tmp_path, range(60))
    (tmp_path / FILE).unlink()
    trail = AuditTrail.open(tmp_path, durability="flush")
    file = sorted(tmp_path.glob("audit-*.jsonl"))[1]
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:3] + lines[4:]))
    try:
        with capture_logs(), pytest.raises(AuditBroken, match="is not the one that follows"):
            FileLedger(trail)
    finally:
        trail.close()


def test_index_that_was_zeroed_gives_no_wrong_answer(tmp_path: Path) -> None:
    """It may be found out only when it is asked; until it is made anew, nobody is told anything."""
    fill(tmp_path, range(60))
    zero(tmp_path / FILE)

    async def work(ledger: FileLedger) -> None:
        for _ in range(6000):  # two minutes: only an index that is never made anew takes as long
            try:
                assert await knows(ledger, range(60))
            except AuditUnavailable:
                await asyncio.sleep(0.02)
            else:
                return
        raise AssertionError("it was not made anew")

    with capture_logs(), opened(tmp_path) as ledger:
        asyncio.run(work(ledger))


def lose_places(file: Path) -> None:
    """Take away what only a question finds out, or who learns which keys there are: opening goes well."""
    with sqlite3.connect(file) as database:
        database.execute("drop table places")
    database.close()


async def answered(ledger: FileLedger, numbers: range) -> bool:
    """Wait until ids are answered; meanwhile nobody is told that one is new."""
    for _ in range(6000):
        try:
            return await knows(ledger, numbers)
        except AuditUnavailable:
            await asyncio.sleep(0.01)
    raise AssertionError("the index was not made anew")


@pytest.mark.parametrize("gathers_s", [0.0, 5.0])
@pytest.mark.parametrize("more", [0, 1, 30])
def test_index_that_is_spoilt_while_it_is_in_use_is_made_anew_whole(
    more: int, gathers_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first record of a run, and after some."""
    monkeypatch.setattr(index_module, "GATHER_S", gathers_s)
    monkeypatch.setattr(index_module, "AGAIN_S", 0.01)
    fill(tmp_path, range(60))
    lose_places(tmp_path / FILE)

    async def work(ledger: FileLedger) -> None:
        for n in range(60, 60 + more):
            while True:
                try:
                    assert (await decide(ledger, n)).decision_id == f"{n:032x}"
                except AuditUnavailable:
                    await asyncio.sleep(0.01)
                else:
                    break
        assert await answered(ledger, range(60 + more))

    with capture_logs() as events, opened(tmp_path) as ledger:
        asyncio.run(work(ledger))
    assert [event["event"] for event in events].count("index_made_anew") == 1
    assert asked_again(tmp_path, range(60 + more)) == []


@pytest.mark.parametrize("remove", ["places", "the file"])
def test_index_that_is_spoilt_while_it_is_made_anew_is_whole_in_the_end(
    remove: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes to stand in the log meanwhile is in it as well."""
    fill(tmp_path, range(60))
    lose_places(tmp_path / FILE)
    take, seen = index_module.Index._take, 0

    def taking(self: index_module.Index, changes: Changes, place: int, line: bytes) -> None:
        nonlocal seen
        take(self, changes, place, line)
        if self._file is not None or self._backlog is None:
            return
        seen += 1
        if seen == 30:
            new = tmp_path / f"{FILE}.new"
            lose_places(new) if remove == "places" else new.unlink()
            asyncio.run(
                ledger.record("decision", decision_and_record(ledger, name_of(60), decision_id=f"{60:032x}")[1])
            )

    with capture_logs(), opened(tmp_path) as ledger:
        monkeypatch.setattr(index_module.Index, "_take", taking)
        assert asyncio.run(answered(ledger, range(61)))
    assert seen >= 30
    with capture_logs(), opened(tmp_path) as ledger:
        assert asyncio.run(answered(ledger, range(61)))


def test_index_behind_the_log_catches_up_from_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a kill; what is read is what the index lacks, however long the log is."""
    fill(tmp_path, range(60))
    shutil.copy(tmp_path / FILE, tmp_path / "kept")
    fill(tmp_path, range(60, 80))
    shutil.copy(tmp_path / "kept", tmp_path / FILE)
    taken: list[int] = []
    take = index_module.Index._take

    def counting(self: index_module.Index, changes: Changes, place: int, line: bytes) -> None:
        taken.append(place)
        take(self, changes, place, line)

    monkeypatch.setattr(index_module.Index, "_take", counting)
    with opened(tmp_path) as ledger:
        read = len(taken)
        assert asyncio.run(knows(ledger, range(80)))
    assert 20 <= read <= 24, "and no more than these"
    taken.clear()
    with opened(tmp_path):
        assert len(taken) == 1, "the record that it ends with"


def test_id_that_is_new_is_known_to_be_without_a_look_into_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, range(60))
    looked = 0
    places = IndexFile.places

    def counting(self: IndexFile, key: int) -> Sequence[int]:
        nonlocal looked
        looked += 1
        return places(self, key)

    async def work(ledger: FileLedger) -> None:
        while not ledger._index._known.is_whole:
            await asyncio.sleep(0.001)
        for n in range(60, 260):
            await decide(ledger, n)
        assert looked < 5
        assert await knows(ledger, range(50, 70))

    monkeypatch.setattr(IndexFile, "places", counting)
    with opened(tmp_path) as ledger:
        asyncio.run(work(ledger))


def test_id_is_found_before_it_is_known_what_the_file_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, range(60))
    monkeypatch.setattr(index_module.Index, "_know", lambda self, file: None)
    with opened(tmp_path) as ledger:
        assert not ledger._index._known.is_whole
        assert asyncio.run(knows(ledger, range(60)))


@pytest.mark.parametrize("gathered", [1, 7, 1000])
def test_id_is_found_wherever_its_place_is_on_its_way_to_the_file(
    gathered: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "GATHERED", gathered)

    async def work(ledger: FileLedger) -> None:
        for n in range(200):
            await decide(ledger, n)
            await decide(ledger, n // 2)
        assert await knows(ledger, range(200))

    with opened(tmp_path) as ledger:
        asyncio.run(work(ledger))
    assert asked_again(tmp_path, range(200)) == []


def test_index_ahead_of_the_log_forgets_what_is_not_there(tmp_path: Path) -> None:
    """As after a power cut, where the log only flushes."""
    fill(tmp_path, range(20))
    segment = max(tmp_path.glob("audit-*.jsonl"))
    honest = segment.read_bytes()
    fill(tmp_path, range(20, 25))
    for later in tmp_path.glob("audit-*.jsonl"):
        if later > segment:
            later.unlink()
    segment.write_bytes(honest)
    with capture_logs(), opened(tmp_path) as ledger:
        assert asyncio.run(knows(ledger, range(20)))
        found = asyncio.run(ledger.claim(name_of(22), FIRST, again=False, lease_s=LEASE_S))
    assert isinstance(found, Claim) and found.earlier is None


def test_index_of_a_log_that_went_back_under_it_is_made_anew(tmp_path: Path) -> None:
    """As where a disk loses what it had taken: until that is done nobody is told that an id is new."""

    async def work(ledger: FileLedger) -> None:
        for n in range(30):
            await decide(ledger, n)
        file = max(tmp_path.glob("audit-*.jsonl"))
        *before, last = file.read_bytes().splitlines(keepends=True)
        ledger._index.note(file, sum(map(len, before)), [last])
        for n in range(30, 60):
            while True:
                try:
                    await decide(ledger, n)
                except AuditUnavailable:
                    await asyncio.sleep(0.01)
                else:
                    break
        while ledger._index._went_back or ledger._index._file is None:
            await asyncio.sleep(0.01)
        assert await knows(ledger, range(60))

    with capture_logs() as events, opened(tmp_path) as ledger:
        asyncio.run(work(ledger))
    assert [event["event"] for event in events].count("index_spoilt") == 1
    assert asked_again(tmp_path, range(60)) == []


def lead_elsewhere(file: Path) -> None:
    """Move every entry to another one's place: each is found at another id's decision."""
    with sqlite3.connect(file) as database:
        rows = database.execute("select key, place from places order by place").fetchall()
        database.execute("delete from places")
        moved = zip(rows, rows[4:] + rows[:4], strict=True)
        database.executemany("insert into places values (?, ?)", [(key, place) for (key, _), (_, place) in moved])
    database.close()


def lead_between_records(file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("update places set place = place + 1")
    database.close()


def lack_places(file: Path) -> None:
    """Lose most of the entries, as a copy does that was made while the file was written to."""
    with sqlite3.connect(file) as database:
        database.execute("delete from places where place < (select max(place) from places)")
    database.close()


@pytest.mark.parametrize("spoil", [lead_elsewhere, lead_between_records, lack_places])
@pytest.mark.parametrize("in_heaps", [False, True])
def test_index_that_lacks_entries_or_has_wrong_ones_is_found_out_and_made_anew(
    spoil: Callable[[Path], None], in_heaps: bool, tmp_path: Path
) -> None:
    fill(tmp_path, range(60))
    if in_heaps:  # and some that are not
        (tmp_path / FILE).unlink()
        assert asked_again(tmp_path, range(60)) == ["index_made_anew"]
        fill(tmp_path, range(60, 70))
    spoil(tmp_path / FILE)

    async def work(ledger: FileLedger) -> None:
        while not ledger._index._known.is_whole:
            await asyncio.sleep(0.001)
        assert await answered(ledger, range(60))

    with capture_logs() as events, opened(tmp_path) as ledger:
        asyncio.run(work(ledger))
    told = [event["event"] for event in events if "index" in event["event"]]
    assert told == ["index_spoilt", "index_made_anew"]
    assert asked_again(tmp_path, range(60)) == []


@pytest.mark.parametrize("spoil", [lead_elsewhere, lead_between_records])
def test_nobody_is_told_that_an_id_is_new_whose_entry_leads_elsewhere(
    spoil: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even before it is known that the entries are wrong."""
    fill(tmp_path, range(20))
    spoil(tmp_path / FILE)
    monkeypatch.setattr(index_module.Index, "_know", lambda self, file: None)
    with capture_logs(), opened(tmp_path) as ledger:
        for n in range(20):
            with pytest.raises(AuditUnavailable, match="is being held against what was written to it"):
                asyncio.run(ledger.claim(name_of(n), FIRST, again=False, lease_s=LEASE_S))


def test_index_that_is_a_copy_is_made_anew(tmp_path: Path) -> None:
    """Its journal may be of another moment, and then it lacks what was written in between."""
    fill(tmp_path / "log", range(60))
    shutil.copytree(tmp_path / "log", tmp_path / "copy")
    assert asked_again(tmp_path / "copy", range(60)) == ["index_made_anew"]
    assert asked_again(tmp_path / "copy", range(60)) == []
    (tmp_path / "log").rename(tmp_path / "moved")
    assert asked_again(tmp_path / "moved", range(60)) == []


@pytest.mark.parametrize("is_anew", [False, True])
def test_texts_with_the_same_number_are_told_apart(
    is_anew: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever chooses ids can find two of them; then each is found beside the other, and new ones are new."""
    monkeypatch.setattr(index_module, "key_of", lambda text: 7)
    fill(tmp_path, range(20))
    if is_anew:
        (tmp_path / FILE).unlink()

    async def work(ledger: FileLedger) -> None:
        while not ledger._index._known.is_whole:
            await asyncio.sleep(0.001)
        assert await knows(ledger, range(20))
        assert isinstance(await ledger.claim(name_of(99), FIRST, again=False, lease_s=LEASE_S), Claim)

    with capture_logs(), opened(tmp_path) as ledger:
        asyncio.run(work(ledger))


def rot(log: Path, text: bytes) -> bytes:
    """Change one byte of the first record with a text, and return what its segment was."""
    file = min(log.glob("audit-*.jsonl"))
    honest = file.read_bytes()
    at = honest.index(b'"scene_code":"' if b"decision" in text else b'"stage":"', honest.index(text)) + 10
    file.write_bytes(honest[:at] + b"X" + honest[at + 1 :])
    return honest


@pytest.mark.parametrize("is_anew", [False, True])
def test_id_whose_record_has_rotted_is_not_decided_anew(
    is_anew: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far from the end, which is all that opening the log looks at."""
    monkeypatch.setattr(file_module, "CHECKED_AT_OPEN", 1000)
    fill(tmp_path, range(60))
    honest = rot(tmp_path, b'"kind":"decision","decision_id":"%032x"' % 2)
    if is_anew:
        (tmp_path / FILE).unlink()

    async def work(ledger: FileLedger) -> None:
        while not ledger._index._known.is_whole:
            await asyncio.sleep(0.001)
        for fingerprint in (FIRST, OTHER):
            with pytest.raises(AuditBroken, match=r"audit-000001.jsonl: at byte \d+, where a record was written"):
                await ledger.claim(name_of(2), fingerprint, again=False, lease_s=LEASE_S)
        with pytest.raises(AuditBroken):
            await ledger.find(decision_id=f"{2:032x}")
        assert await knows(ledger, range(3, 60))

    with capture_logs(), opened(tmp_path) as ledger:
        asyncio.run(work(ledger))
    min(tmp_path.glob("audit-*.jsonl")).write_bytes(honest)
    assert asked_again(tmp_path, range(60)) == []


def test_call_whose_record_has_rotted_is_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is open or not, an index that needs it cannot be opened without it."""
    monkeypatch.setattr(file_module, "CHECKED_AT_OPEN", 1000)

    async def begin(ledger: FileLedger) -> None:
        claim = await ledger.claim(name_of(900), FIRST, again=False, lease_s=LEASE_S)
        assert isinstance(claim, Claim)
        await ledger.begin_call(claim, call_of(claim, call_id="9" * 32))

    with opened(tmp_path) as ledger:
        asyncio.run(begin(ledger))
    fill(tmp_path, range(60))
    rot(tmp_path, b'"kind":"call"')
    broken = pytest.raises(AuditBroken, match=r"audit-000001.jsonl:.*the record's bytes")
    with capture_logs(), broken, opened(tmp_path):
        pass


def test_record_that_was_changed_in_the_log_is_no_answer_where_there_is_a_key(tmp_path: Path) -> None:
    """Its hash was made to fit, and the index leads to it: its mac was not."""
    import hashlib

    points = Checkpoints(signer=generate(tmp_path / "audit.key"))
    log = tmp_path / "log"

    async def work(ledger: FileLedger) -> None:
        for n in range(30):
            await decide(ledger, n)

    with opened(log, checkpoints=points) as ledger:
        asyncio.run(work(ledger))
        file = min(log.glob("audit-*.jsonl"))
        lines = file.read_bytes().splitlines(keepends=True)
        at = next(n for n, line in enumerate(lines) if name_of(2).encode() in line)
        hashed = lines[at][:-76].replace(b'"outcome":"review"', b'"outcome":"reject"', 1)
        lines[at] = b'%b,"hash":"%b"}\n' % (hashed, hashlib.sha256(hashed).hexdigest().encode())
        file.write_bytes(b"".join(lines))
        with pytest.raises(AuditBroken):
            asyncio.run(ledger.claim(name_of(2), FIRST, again=False, lease_s=LEASE_S))
        assert asyncio.run(knows(ledger, range(3, 30)))


def test_find_reads_what_is_older_than_an_index_that_was_made_anew(tmp_path: Path) -> None:
    """It answers no retry any more, and is found."""
    fill(tmp_path, range(60))
    (tmp_path / FILE).unlink()
    with capture_logs(), opened(tmp_path) as ledger:
        assert ledger._index._file is not None
        newest = max(tmp_path.glob("audit-*.jsonl"))
        ledger._index._file.begin_at(int(newest.stem[-6:]))
        ledger._index._file._writer.executescript("delete from places; delete from heaps")
        for sought in ({"decision_id": f"{1:032x}"}, {"merchant_biz_id": name_of(1)}):
            found = asyncio.run(ledger.find(**sought))
            assert found is not None and found.decision_id == f"{1:032x}"
        assert asyncio.run(ledger.find(decision_id="f" * 32)) is None


def test_id_that_is_the_decision_id_of_another_is_found_for_itself(tmp_path: Path) -> None:
    """Before it is written down, and after."""

    async def work(ledger: FileLedger) -> None:
        for n in range(20):  # the decision of 16 has the id of 10
            await decide(ledger, n)
        assert name_of(10) == f"{16:032x}"
        assert await knows(ledger, range(20))

    for _ in range(2):
        with opened(tmp_path) as ledger:
            asyncio.run(work(ledger))


def test_disk_that_is_full_costs_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written down is known in memory, is told once, and is written once it can be."""
    is_full = True
    write = IndexFile.write

    def writing(self: IndexFile, changes: Changes) -> None:
        if is_full:
            raise sqlite3.OperationalError("database or disk is full")
        write(self, changes)

    monkeypatch.setattr(index_module, "GATHER_S", 0.0)
    monkeypatch.setattr(index_module, "AGAIN_S", 0.01)
    monkeypatch.setattr(IndexFile, "write", writing)

    async def work(ledger: FileLedger) -> None:
        nonlocal is_full
        for n in range(20):
            await decide(ledger, n)
        while not ledger._index._is_failing:
            await asyncio.sleep(0.01)
        assert await knows(ledger, range(20))
        is_full = False
        while ledger._index._writing.records or ledger._index._pending.records:
            await asyncio.sleep(0.01)
        assert await knows(ledger, range(20))

    with capture_logs() as events, opened(tmp_path) as ledger:
        asyncio.run(work(ledger))
    assert [event["event"] for event in events].count("index_not_written") == 1
    assert asked_again(tmp_path, range(20)) == []


def test_budget_and_calls_survive_an_index_that_is_spoilt_while_it_is_in_use(tmp_path: Path) -> None:
    async def spend(ledger: FileLedger) -> None:
        for n in range(3):
            claim = await ledger.claim(name_of(n), FIRST, again=False, lease_s=LEASE_S)
            assert isinstance(claim, Claim)
            await ledger.begin_call(claim, call_of(claim, call_id=f"{n:032x}"))
            if n:
                await ledger.conclude(claim, *decision_and_record(ledger, name_of(n), decision_id=f"{n:032x}"))

    with opened(tmp_path) as ledger:
        asyncio.run(spend(ledger))
    lose_places(tmp_path / FILE)
    for _ in range(2):
        with capture_logs(), opened(tmp_path) as ledger:
            assert asyncio.run(answered(ledger, range(1, 3)))
            for calls in (ledger._calls, ledger._index._tally):
                assert sum(tally.calls for tally in calls.spent.values()) == 3
                assert [body.merchant_biz_id for body in calls.undecided()] == [name_of(0)]


@pytest.mark.parametrize("spoil", [stay, Path.unlink])
def test_budget_and_calls_survive_exactly(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    """With the index, and without it."""
    began = datetime.now(UTC)

    async def spend(ledger: FileLedger) -> None:
        for n, billed in enumerate(("yes", "no", "unknown", "yes", None)):
            claim = await ledger.claim(name_of(n), FIRST, again=False, lease_s=LEASE_S)
            assert isinstance(claim, Claim)
            call = call_of(claim, call_id=f"{n:032x}")
            await ledger.begin_call(claim, call)
            if billed is not None:
                await ledger.end_call(claim, ended(call, billed))
            if n == 3:
                await ledger.conclude(claim, *decision_and_record(ledger, name_of(n)))

    with opened(tmp_path) as ledger:
        asyncio.run(spend(ledger))
    for _ in range(2):
        spoil(tmp_path / FILE)
        with capture_logs(), opened(tmp_path) as ledger:
            spent = ledger._calls.spent  # by days: it may have become midnight
            assert {(provider, day >= began.date()) for provider, day in spent} == {("acme.device", True)}
            assert sum(tally.calls for tally in spent.values()) == 4
            assert sum(tally.spent for tally in spent.values()) == Decimal("0.40")
            left = {body.merchant_biz_id: body.billed for body in ledger._calls.undecided()}
        assert left == {name_of(0): "yes", name_of(2): "unknown", name_of(4): None}


def test_segment_that_is_missing_is_told_and_never_an_answer(tmp_path: Path) -> None:
    fill(tmp_path, range(60))
    first = min(tmp_path.glob("audit-*.jsonl"))
    with capture_logs(), opened(tmp_path) as ledger:
        kept = first.read_bytes()
        first.unlink()
        with pytest.raises(AuditUnavailable, match="is missing, and holds what still answers"):
            asyncio.run(ledger.claim(name_of(1), FIRST, again=False, lease_s=LEASE_S))
        assert asyncio.run(knows(ledger, range(55, 60)))
        first.write_bytes(kept)


def test_decisions_in_memory_are_nothing_to_the_garbage_collector(tmp_path: Path) -> None:
    """They are bytes, in dicts that it leaves alone: as many objects are looked at with many of them as with none."""

    async def work(ledger: FileLedger, numbers: range) -> int:
        for n in numbers:
            await decide(ledger, n)
        gc.collect()
        return len(gc.get_objects())

    gc.freeze()  # what is there already takes its time to be looked at
    with opened(tmp_path, front_bytes=2**25) as ledger:
        looked_at = [asyncio.run(work(ledger, range(n, n + 300))) for n in range(0, 1500, 300)]
        assert len(ledger._front) == 1500
        assert not any(map(gc.is_tracked, (ledger._front._young, ledger._front._old)))
    gc.unfreeze()
    # The rest of the process may come by objects of its own meanwhile, but not by as many each time.
    growth = min(after - before for before, after in itertools.pairwise(looked_at))
    assert growth < 300, "not one object for each of them"


def test_index_that_cannot_be_made_is_tried_seldom_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the log is broken, of which gigabytes would be read each time."""
    monkeypatch.setattr(index_module, "GATHER_S", 0.0)
    fill(tmp_path, range(60))
    waited: list[float | None] = []
    tries = 0

    def made(self: index_module.Index, reason: str, end: str | None) -> IndexFile:
        nonlocal tries
        tries += 1
        raise AuditBroken("record 5 is not the one that follows record 3")

    class Closing(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if timeout is not None and timeout >= 1.0:
                waited.append(timeout)
                return super().wait(0.001)
            return super().wait(timeout)

    async def work(ledger: FileLedger) -> None:
        while tries < 10:
            with pytest.raises(AuditUnavailable, match="is being made anew"):
                await ledger.claim(name_of(1), FIRST, again=False, lease_s=LEASE_S)
            await asyncio.sleep(0.001)

    with capture_logs() as events, opened(tmp_path) as ledger:
        monkeypatch.setattr(index_module.Index, "_made", made)
        ledger._index._closing = Closing()
        file = ledger._index._file
        assert file is not None
        ledger._index._let_go(file, "it is broken")
        asyncio.run(work(ledger))
    assert [event["event"] for event in events].count("index_not_written") == 1
    assert waited[:9] == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 64.0, 64.0, 64.0]


_ASKED_AND_LET_GO = """
import sqlite3, sys, threading
from pathlib import Path
from adjudge.ledger.index_file import Changes, IndexFile, StaleIndex

def until_closed(ask):
    try:
        while True:
            ask()
            asked.set()
    except (sqlite3.Error, StaleIndex):
        pass

for n in range(40):
    file = IndexFile(Path(sys.argv[1]) / str(n), "log")
    file.write(Changes(places={7 * key: key for key in range(20_000)}, records=1))
    asked = threading.Event()
    asks = [lambda: file.places(70), lambda: list(file.all_keys()), file.open_calls, lambda: file.position]
    threads = [threading.Thread(target=until_closed, args=(ask,)) for ask in asks]
    for thread in threads:
        thread.start()
    asked.wait()
    file.close()
    for thread in threads:
        thread.join()
"""


def test_file_may_be_let_go_while_others_ask_it(tmp_path: Path) -> None:
    """SQLite crashes the whole process where one thread closes a connection that another is reading from."""
    ran = subprocess.run([sys.executable, "-c", _ASKED_AND_LET_GO, tmp_path], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
