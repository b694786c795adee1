"""Named records in a log of files: what is newest is known whatever became of index and segments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from test_index import fill

from adjudge.audit import file as file_module
from adjudge.audit.archive import archive
from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.file import Segments
from adjudge.audit.log import AuditLog
from adjudge.audit.record import FIRST_PREV, encode, encode_body, parse
from adjudge.audit.trail import AuditTrail
from adjudge.audit.verify import segments
from adjudge.errors import AuditBroken, AuditUnavailable, Overtaken
from adjudge.ledger.file import FileLedger
from adjudge.ledger.guarded import guarded
from adjudge.ledger.index_file import FILE
from adjudge.ledger.named import Named
from adjudge.plugin import NamedRecord
from adjudge.testing.ledgers import note_of, said_in
from audit.audit_logs import assert_verifies

SMALL = Segments(max_bytes=20_000)


def with_ledger(
    log: Path, work: Callable[[FileLedger], Any], checkpoints: Checkpoints | None = None, **parts: Any
) -> None:
    with capture_logs():
        trail = AuditTrail.open(log, durability="flush", segments=SMALL, checkpoints=checkpoints)
        try:
            ledger = FileLedger(trail, **parts)
        except BaseException:
            trail.close()
            raise
        try:
            asyncio.run(work(ledger))
        finally:
            ledger.close()


def move(log: Path, to: Path, checkpoints: Checkpoints | None = None) -> None:
    with AuditLog.open(log, segments=SMALL, checkpoints=checkpoints) as writer:
        assert archive(writer, to, before=datetime.now(UTC).date() + timedelta(days=2), by="kim")


async def begin(ledger: FileLedger) -> None:
    for number in (1, 2):
        await ledger.note("rollout", note_of("one", number, f"{number}"))
    await ledger.note("activation", note_of("one", 1, "other"))
    await ledger.record("activation", {"at": datetime.now(UTC), "said": "of no name"})


async def knows(ledger: FileLedger) -> None:
    found = {**(await ledger.newest("rollout")), "": (await ledger.newest("activation"))["one"]}
    assert {name: (one.number, said_in(one)) for name, one in found.items()} == {"one": (2, "2"), "": (1, "other")}
    assert await ledger.noted("rollout") == 2


@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("is_deleted", [False, True])
@pytest.mark.parametrize("answer_for_s", [0.0, 3600.0])
def test_newest_record_is_known_without_index_and_with_its_segment_away(
    tmp_path: Path, is_moved: bool, is_deleted: bool, answer_for_s: float
) -> None:
    log, shelf = tmp_path / "log", tmp_path / "shelf"
    with_ledger(log, begin)
    fill(log, range(60))
    if is_moved:
        move(log, shelf)
        assert not (log / "audit-000001.jsonl").exists()
    assert segments(log)
    if is_deleted:
        (log / FILE).unlink()
    with_ledger(log, knows, answer_for_s=answer_for_s)
    with_ledger(log, knows, answer_for_s=answer_for_s)
    assert_verifies(log)


@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("is_deleted", [False, True])
@pytest.mark.parametrize("answer_for_s", [0.0, 3600.0])
def test_all_records_of_a_name_are_known_without_index_and_with_their_segment_away(
    tmp_path: Path, is_moved: bool, is_deleted: bool, answer_for_s: float
) -> None:
    """So no number is given twice."""

    async def first(ledger: FileLedger) -> None:
        for number in (1, 2):
            await ledger.note("review", note_of("one", number, f"{number}"))

    async def go_on(ledger: FileLedger) -> None:
        known = [one.number for one in await ledger.history("review", "one")]
        assert known == [*range(1, len(known) + 1)] and len(known) >= 2
        await ledger.note("review", note_of("one", len(known) + 1, "more"))
        with pytest.raises(Overtaken):
            await ledger.note("review", note_of("one", 2, "again"))

    log, shelf = tmp_path / "log", tmp_path / "shelf"
    with_ledger(log, first)
    fill(log, range(60))
    if is_moved:
        move(log, shelf)
    if is_deleted:
        (log / FILE).unlink()
    for _ in range(2):
        with_ledger(log, go_on, answer_for_s=answer_for_s)
    assert_verifies(log)


def test_signpost_that_no_key_proves_is_refused(tmp_path: Path) -> None:
    """Somebody who can write to the folder makes up a newer state."""

    async def many(ledger: FileLedger) -> None:
        for number in range(400):
            await ledger.record("note", {"n": number, "at": datetime.now(UTC)})

    log, key = tmp_path / "log", Checkpoints(mac_key=b"k" * 32)
    with_ledger(log, begin, key)
    with_ledger(log, many, key)
    move(log, tmp_path / "shelf", key)
    with_ledger(log, knows, key)
    signpost = log / "audit-000001.archived"
    lines = signpost.read_bytes().splitlines(keepends=True)
    says = parse(lines[0])
    made_up, digest = encode("rollout", 9, FIRST_PREV, encode_body(note_of("one", 3, "made up")))
    body = encode_body(says.decode() | {"policies": [digest.decode()]})
    said, _ = encode("archive", says.seq, says.prev.encode(), body)
    for bad, why in (
        (said + made_up, "no key proves it"),
        (lines[0].replace(b"kim", b"joe") + b"".join(lines[1:]), "is not there: restore audit-000001.archived from "),
        (b"".join(lines[:-1]), "lacks records"),
    ):
        signpost.write_bytes(bad)
        with pytest.raises(AuditBroken, match=why):
            with_ledger(log, knows, key)


@given(st.permutations([(name, number) for name in "ab" for number in (1, 2, 3)]))
def test_newest_is_the_highest_number_in_whatever_order(order: list[tuple[str, int]]) -> None:
    named = Named()
    for name, number in order:
        named.add(NamedRecord(kind="rollout", name=name, number=number, line=b""))
    assert {name: one.number for name, one in named.newest("rollout").items()} == {"a": 3, "b": 3}
    assert named.count("rollout") == 6 and named.count("activation") == 0


def test_ledger_of_an_earlier_version_keeps_none_and_says_so() -> None:
    class Old:
        """Has none of the three methods."""

    async def work() -> None:
        ledger: Any = guarded(Old())  # type: ignore[arg-type]
        with pytest.raises(AuditUnavailable, match="`Old` keeps no named records: update its plugin"):
            await ledger.newest("rollout")

    asyncio.run(work())


@pytest.mark.parametrize("is_deleted", [False, True])
def test_newest_record_that_has_rotted_is_told_and_not_forgotten(
    is_deleted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far from the end, which is all that opening the log looks at; the one before it would say what was."""
    monkeypatch.setattr(file_module, "CHECKED_AT_OPEN", 1000)
    with_ledger(tmp_path, begin)
    fill(tmp_path, range(60))
    first = segments(tmp_path)[0]
    lines = first.read_bytes().splitlines(keepends=True)
    newest = max(at for at, line in enumerate(lines) if b'"kind":"rollout"' in line)
    lines[newest] = lines[newest].replace(b'"one"', b'"oxe"')
    first.write_bytes(b"".join(lines))
    if is_deleted:
        (tmp_path / FILE).unlink()
    with pytest.raises(AuditBroken, match=r"audit-000001.jsonl: at byte \d+"):
        with_ledger(tmp_path, knows)
