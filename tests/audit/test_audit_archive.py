"""Segments that are closed, described, moved away, restored, lost: what the writer and every reader say of them."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adjudge.audit import archive as archive_module
from adjudge.audit import shelf as shelf_module
from adjudge.audit.archive import archive
from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.closed import ArchiveBody, ClosedSegments, SegmentBody
from adjudge.audit.custody import check_vault
from adjudge.audit.file import Segments
from adjudge.audit.kinds import bodies, records
from adjudge.audit.log import AuditLog
from adjudge.audit.read import first_hash, tail
from adjudge.audit.shelf import Folder
from adjudge.audit.signing import Signer, generate
from adjudge.audit.trail import AuditTrail
from adjudge.audit.verify import LogPath, WithArchive, read_keys, render, segments, verify
from adjudge.engine import Engine
from adjudge.errors import AuditBroken, AuditUnavailable, RequestError, SetupError
from adjudge.model import Request
from adjudge.registry import parse_policy
from adjudge.replay.decisions import replay
from adjudge.testing import registry_of

POLICY = """
policy_language: 1
policy: shop
inputs: {country: string, email: {type: string, personal: true}}
rules:
  - {id: bad-country, when: 'country == "KP"', then: reject}
  - {id: bad-mail, when: 'email.endsWith("@bad")', then: review}
"""
TOMORROW = datetime.now(UTC).date() + timedelta(days=2)
SMALL = Segments(max_bytes=6000)


def subject(number: int) -> str:
    return f"{number:032}"


def decide(log: Path, numbers: range, **more: Any) -> None:
    """Decide requests, so that the log has about three of them in a segment."""
    policy = parse_policy(POLICY, registry=registry_of([]))
    trail = AuditTrail.open(log, segments=SMALL, **more)
    with Engine([policy], registry=registry_of([]), trail=trail) as engine:
        for number in numbers:
            inputs = {"country": "KP" if number % 3 else "SG", "email": f"a{number}@bad"}
            request = Request(merchant_biz_id=subject(number), scene_code="shop", inputs=inputs)
            engine.decide_sync(request)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed log of five segments or more, of two runs, with its keys beside it."""
    root = tmp_path_factory.mktemp("made")
    signer = generate(root / "audit.key")
    for numbers in (range(8), range(8, 16)):
        decide(root / "log", numbers, checkpoints=Checkpoints(every=5, signer=signer))
    assert len(segments(root / "log")) >= 5
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "made"))


@pytest.fixture
def log(root: Path) -> Path:
    return root / "log"


def signer_of(log: Path) -> Signer:
    from adjudge.audit.signing import signer_from_file

    return signer_from_file(log.parent / "audit.key")


def opened(log: Path) -> AuditLog:
    return AuditLog.open(log, segments=SMALL, checkpoints=Checkpoints(every=5, signer=signer_of(log)))


def move(log: Path, to: Path, before: date = TOMORROW) -> int:
    with opened(log) as writer:
        return archive(writer, to, before=before, by="kim")


def move_one(log: Path, to: Path, name: str) -> None:
    """Archive one segment, wherever it is in the log."""
    with opened(log) as writer:
        archive_module._move(writer, log / name, Folder(to), "kim")


def in_javascript(asked: list[dict[str, object]]) -> list[dict[str, object]]:
    source = Path(__file__).with_name("verify.mjs")
    lines = "".join(f"{json.dumps(one)}\n" for one in asked)
    done = subprocess.run(["node", source], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def judged(log: LogPath) -> Any:
    """Verify with the public key and the macs; the second verifier has to say the same."""
    folder = log.folder if isinstance(log, WithArchive) else log
    made = next(place for place in folder.parents if (place / "audit.key").exists())
    keys = read_keys((made / "audit.key.pub").read_text())
    found = verify(log, keys=keys)
    if shutil.which("node") is not None:
        other = log.archives[0] if isinstance(log, WithArchive) else None
        ask: dict[str, object] = {"log": str(folder), "keys": [f"{made}/audit.key.pub"]}
        said = in_javascript([ask | {"archive": str(other) if other else None}])
        assert said == [{"good": found.is_good, "count": found.count}]
    return found


def test_every_closed_segment_is_described_by_a_record(log: Path) -> None:
    described = {body.name: body for _, body in bodies(log, SegmentBody)}
    *closed, _ = segments(log)
    assert list(described) == [file.name for file in closed]
    for file in closed:
        lines, said = file.read_bytes().splitlines(keepends=True), described[file.name]
        first, last = json.loads(lines[0]), json.loads(lines[-1])
        assert (said.first, said.last, said.last_hash) == (first["seq"], last["seq"], last["hash"])
        assert (said.bytes, said.sha256) == (file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
        assert said.log == json.loads(segments(log)[0].read_bytes().splitlines()[0])["hash"]
    assert judged(log).unvouched == 0


def test_segments_whose_writer_died_before_it_described_them_are_described_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    with monkeypatch.context() as patch:
        patch.setattr(ClosedSegments, "add", lambda self, file: None)
        decide(log, range(8))
    closed = [file.name for file in segments(log)[:-1]]
    assert closed and list(bodies(log, SegmentBody)) == []
    assert "have no record of its bytes" in render(verify(log)) or "has no record of its bytes" in render(verify(log))
    AuditLog.open(log, checkpoints=Checkpoints()).close()
    assert [body.name for _, body in bodies(log, SegmentBody)] == closed
    AuditLog.open(log, checkpoints=Checkpoints()).close()
    assert [body.name for _, body in bodies(log, SegmentBody)] == closed, "once"
    assert verify(log).is_good and verify(log).unvouched == 0


def test_a_false_description_is_found(log: Path) -> None:
    with opened(log) as writer:
        _, body = next(bodies(log, SegmentBody))
        for wrong in ({"sha256": "0" * 64}, {"bytes": 1}, {"last_hash": "0" * 64}):
            seq = writer.write_blocking("segment", {**json.loads(_json(body)), **wrong}).seq
            copy = Path(shutil.copytree(log, log.with_name(next(iter(wrong)))))
            problem = judged(copy).problem
            assert problem is not None and (problem.what, problem.seq) == ("false-segment", seq)
            break


def _json(body: object) -> bytes:
    import msgspec

    return msgspec.json.encode(body)


def test_what_stays_verifies_what_moved_verifies_and_both_verify_as_one(log: Path, root: Path) -> None:
    name, before = first_hash(log), verify(log)
    answers = Counter(one.answer for one in replay(log))
    count = len(segments(log))
    assert move(log, root / "old") == count - 1
    assert first_hash(log) == name and [file.name for file in segments(log)] == [f"audit-{count:06}.jsonl"]
    here, moved, both = judged(log), judged(root / "old"), judged(WithArchive(log, (root / "old",)))
    assert here.is_good and moved.is_good and both.is_good
    assert here.count + moved.count == both.count == both.last_seq > before.count
    assert both.away == () == moved.away and here.away[0][0] == 1
    first = here.last_seq - here.count + 1
    assert f"verified from record {first}; {first - 1} earlier ones are vouched for by the checkpoint of " in render(
        here
    )
    assert f", record {here.signed_seq}, signed with {signer_of(log).key_id}" in render(here)
    assert Counter(one.answer for one in replay(WithArchive(log, (root / "old",)))) == answers
    stays = Counter(one.answer for one in replay(log))
    assert stays.keys() == {"identical"} and 0 < stays["identical"] < answers["identical"]
    decide(log, range(16, 24), checkpoints=Checkpoints(every=5, signer=signer_of(log)))
    assert judged(log).is_good and first_hash(log) == name
    assert judged(WithArchive(log, (root / "old",))).count == judged(log).count + moved.count


def test_what_was_moved_to_two_folders_verifies_by_itself_and_with_the_rest(log: Path, root: Path) -> None:
    first, second, *_ = segments(log)
    move_one(log, root / "one", first.name)
    move_one(log, root / "two", second.name)
    for part in (root / "one", root / "two"):
        assert judged(part).is_good, part
    assert judged(root / "two").away == ((1, judged(root / "one").count),)
    assert verify(WithArchive(log, (root / "one", root / "two"))).away == ()
    assert Counter(one.answer for one in replay(root / "two")).keys() == {"not replayable"}, "its vault is elsewhere"
    assert next(iter(records(root / "two"))).kind == "policy"


def test_every_segment_archived_in_turn_and_restored_in_turn(log: Path, root: Path) -> None:
    """Also in the middle of the log: no reader takes it for tampering, and the writer goes on."""
    for file in segments(log)[:-1]:
        whole = file.read_bytes()
        move_one(log, root / "old", file.name)
        found = judged(log)
        assert found.is_good and len(found.away) == 1, file
        assert not file.exists() and (root / "old" / file.name).read_bytes() == whole
        assert judged(WithArchive(log, (root / "old",))).away == ()
        assert [record.seq for record in tail(log, max_records=3)][-1] == found.last_seq
        shutil.copy(root / "old" / file.name, file)
        assert judged(log).away == () and judged(log).is_good
        opened(log).close()


def test_a_log_that_is_archived_every_day_verifies_every_day(log: Path, root: Path) -> None:
    """The records that say what was moved are moved as well, in their turn."""
    both = WithArchive(log, (root / "old",))
    for day in range(5):
        move(log, root / "old")
        if day == 3:  # one is restored, so that what is away is in two parts
            shutil.copy(root / "old" / "audit-000002.jsonl", log)
        decide(log, range(16 + 4 * day, 20 + 4 * day), checkpoints=Checkpoints(every=5, signer=signer_of(log)))
        assert judged(log).is_good and judged(root / "old").is_good, day
        assert judged(both).is_good and judged(both).away == (), day
        list(records(log))
        assert {one.answer for one in replay(both)} == {one.answer for one in replay(log)} == {"identical"}
    for name in ("audit-000001", "audit-000003", "audit-000004"):
        (log / f"{name}.archived").unlink()
        problem = verify(log).problem
        assert problem is None or "are missing, and no record" in problem.message


def lines_of(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True)


def swap(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


Damage = Callable[[Path, Path, Path], object]
DAMAGES: dict[str, tuple[Damage, str, str]] = {
    "missing": (lambda file, later, log: file.unlink(), "missing", "no record says that they were archived"),
    "swapped": (lambda file, later, log: swap(file, later), "swapped", "files were renamed or swapped"),
    "doubled": (lambda file, later, log: shutil.copy(file, log / "audit-000900.jsonl"), "doubled", "one is a copy"),
    "cut at a line": (
        lambda file, later, log: file.write_bytes(b"".join(lines_of(file)[:-2])),
        "torn",
        "its end is missing, records",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_segment_lost_swapped_doubled_or_cut_is_told_apart_in_the_same_words_by_all(
    log: Path, damage: str
) -> None:
    harm, what, words = DAMAGES[damage]
    for at, file in enumerate(segments(log)[:-1]):
        copy = log.with_name(f"copy-{at}")
        shutil.copytree(log, copy)
        harm(copy / file.name, segments(copy)[at + 1], copy)
        problem = verify(copy).problem
        assert problem is not None, file
        if at == 0 and damage == "swapped":  # where the first file begins, a reader of its records says what is wrong
            continue
        assert problem.what == what and words in problem.message, (file, problem)
        for reads in (
            lambda copy=copy: list(records(copy)),
            lambda copy=copy: list(tail(copy, max_records=1)),
            lambda copy=copy: list(replay(copy)),
            lambda copy=copy: opened(copy),
            lambda copy=copy: AuditTrail.open(copy, checkpoints=Checkpoints(signer=signer_of(log))),
        ):
            with pytest.raises(AuditBroken) as error:
                reads()
            assert problem.message in str(error.value), file


def test_a_segment_cut_within_a_line_is_torn_and_one_that_was_changed_is_edited(log: Path) -> None:
    for at, file in enumerate(segments(log)[:-1]):
        for what in ("torn", "edited"):
            copy = log.with_name(f"copy-{at}-{what}")
            shutil.copytree(log, copy)
            harmed, data = copy / file.name, file.read_bytes()
            harmed.write_bytes(data[:-40] if what == "torn" else data.replace(b'"at":"2', b'"at":"1', 1))
            problem = verify(copy).problem
            assert problem is not None and problem.what == what and problem.file.endswith(file.name)


def test_a_copy_in_the_archive_that_was_changed_swapped_or_is_of_another_log_is_found(log: Path, root: Path) -> None:
    move(log, root / "old")
    both = WithArchive(log, (root / "old",))
    first, second, *_ = segments(root / "old")
    good = first.read_bytes()
    first.write_bytes(good.replace(b"KP", b"SG", 1) if b"KP" in good else good.replace(b"shop", b"shup", 1))
    problem = verify(both).problem
    assert problem is not None and problem.what == "edited" and verify(log).is_good
    first.write_bytes(good)
    assert verify(both).is_good
    swap(first, second)
    problem = verify(both).problem
    assert problem is not None and "is not the segment that record" in problem.message
    decide(root / "other", range(8))
    problem = verify(WithArchive(log, (root / "other",))).problem
    assert problem is not None and "is of another log" in problem.message


def test_a_signpost_without_its_record_excuses_nothing(log: Path, root: Path) -> None:
    """Somebody who deletes a segment writes the signpost too, but not the record."""
    first = segments(log)[0]
    shutil.copytree(log, root / "honest")
    move_one(root / "honest", root / "old", first.name)
    signpost = (root / "honest" / first.name).with_suffix(".archived")
    first.unlink()
    shutil.copy(signpost, log)
    problem = judged(log).problem
    assert problem is not None and "no record says that they were archived" in problem.message
    with pytest.raises(AuditBroken, match="no record says that they were archived"):
        list(records(log))


def test_a_lost_signpost_is_found_again_in_the_log(log: Path, root: Path) -> None:
    move(log, root / "old")
    for signpost in log.glob("*.archived"):
        signpost.unlink()
    assert verify(log).is_good and verify(log).away
    opened(log).close()
    assert [record.seq for record in records(log)][-1] == verify(log).last_seq


def subsets(signposts: list[Path]) -> Iterator[tuple[Path, ...]]:
    for count in range(1, len(signposts) + 1):
        yield from itertools.combinations(signposts, count)


@pytest.mark.parametrize("days", [1, 3])
def test_every_set_of_lost_signposts_is_found_again_in_the_log(days: int, log: Path, root: Path) -> None:
    """After a day all records of what was moved are here; after three, some were moved in their turn."""
    for day in range(days):
        move(log, root / "old")
        if day < days - 1:
            more = range(16 + 3 * day, 19 + 3 * day)
            decide(log, more, checkpoints=Checkpoints(every=5, signer=signer_of(log)))
    whole = verify(log)
    signposts = sorted(log.glob("*.archived"))
    kept = {post: post.read_bytes() for post in signposts}
    sets = list(subsets(signposts))
    for lost in sets[:: max(1, len(sets) // 40)]:
        for post in lost:
            post.unlink()
        found = verify(log)
        assert found.is_good and (found.last_seq, found.count) == (whole.last_seq, whole.count), lost
        assert [record.seq for record in records(log)][-1] == whole.last_seq
        both = verify(WithArchive(log, (root / "old",)))
        assert both.is_good and both.away == (), lost
        for post in lost:
            post.write_bytes(kept[post])
    for post in signposts[::2]:
        post.unlink()
    decide(log, range(40, 42), checkpoints=Checkpoints(every=5, signer=signer_of(log)))
    assert verify(log).is_good and verify(WithArchive(log, (root / "old",))).away == ()


def test_a_lost_signpost_hides_no_end_that_a_restored_segment_has_lost(log: Path, root: Path) -> None:
    move(log, root / "old")
    first, second, third = ("audit-000001", "audit-000002", "audit-000003")
    shutil.copy(root / "old" / f"{second}.jsonl", log)
    for name in (first, second, third):
        (log / f"{name}.archived").unlink()
    assert verify(log).is_good
    file = log / f"{second}.jsonl"
    file.write_bytes(b"".join(lines_of(file)[:-1]))
    assert not verify(log).is_good


def test_a_segment_whose_description_is_archived_is_not_said_to_have_none(log: Path, root: Path) -> None:
    count = len(segments(log))
    for at in range(count - 2):
        copy = Path(shutil.copytree(log, log.with_name(f"copy-{at}")))
        move_one(copy, root / f"old-{at}", f"audit-{at + 2:06}.jsonl")
        assert verify(copy).is_good and verify(copy).unvouched == 0, at
        assert "no record of its bytes" not in render(verify(copy))


def test_a_writer_does_not_go_on_in_an_archive(log: Path, root: Path) -> None:
    move(log, root / "old")
    with pytest.raises(AuditUnavailable, match="holds archived segments"):
        AuditLog.open(root / "old", checkpoints=Checkpoints(signer=signer_of(log)))


STEPS = ("copy_file_range", "fsync", "forget_cached", "sync_directory", "replace_file", "unlink", "write_blocking")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_archiving_interrupted_at_any_step_goes_on_at_the_next_run(
    log: Path, root: Path, step: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {file.name: file.read_bytes() for file in segments(log)[:-1]}
    own: Any = {"copy_file_range": [os], "fsync": [os], "unlink": [Path], "write_blocking": [AuditLog]}
    owners = own.get(step) or [one for one in (archive_module, shelf_module) if hasattr(one, step)]
    real = getattr(owners[0], step)
    for at in range(1, 4):
        count = iter(range(1, 1000))

        def stopping(*given: Any, at: int = at, count: Iterator[int] = count, **more: Any) -> Any:
            is_due = next(count) == at
            if is_due and when == "before":
                raise KeyboardInterrupt
            done = real(*given, **more)
            if is_due:
                raise KeyboardInterrupt
            return done

        with monkeypatch.context() as patch, opened(log) as writer, suppress(KeyboardInterrupt):
            for owner in owners:
                patch.setattr(owner, step, stopping)
            archive(writer, root / "old", before=TOMORROW, by="kim")
        for name, data in whole.items():
            places = [place / name for place in (log, root / "old") if (place / name).exists()]
            assert places and all(place.read_bytes() == data for place in places), f"{name} is whole somewhere"
        assert verify(log).is_good
        assert verify(WithArchive(log, (root / "old",))).away == ()
    move(log, root / "old")
    assert {file.name for file in (root / "old").glob("audit-*.jsonl")} >= whole.keys()
    assert len(segments(log)) <= 2 and not [*(root / "old").glob(".*")]
    assert judged(log).is_good and judged(WithArchive(log, (root / "old",))).away == ()


def test_archiving_stops_at_a_day_and_at_a_segment_that_is_not_what_it_was(
    log: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adjudge.audit.file.CHECKED_AT_OPEN", 400)
    monkeypatch.setattr(archive_module, "_LOOKED_AT", 1)
    assert move(log, root / "old", before=date(2020, 1, 1)) == 0
    second = segments(log)[1]
    second.write_bytes(second.read_bytes().replace(b'"at":"2', b'"at":"1', 1))
    with pytest.raises(AuditBroken, match="is not what it was when it was closed"):
        move(log, root / "old")
    assert [file.name for file in segments(root / "old")] == ["audit-000001.jsonl"]
    assert second.exists()


def test_archiving_does_not_overwrite_what_another_log_has_put_there(log: Path, root: Path) -> None:
    decide(root / "other", range(8))
    with pytest.raises(AuditUnavailable, match="exists already, and is not"):
        move(log, root / "other")
    with pytest.raises(AuditUnavailable, match="is the log's own folder"):
        move(log, log)
    assert verify(log).is_good and verify(root / "other").is_good


def test_a_subject_whose_records_were_archived_is_erased(log: Path, root: Path) -> None:
    """The vault stays with the log, keys and all."""
    move(log, root / "old")
    both = WithArchive(log, (root / "old",))
    assert check_vault(both).is_good
    trail = AuditTrail.open(log, segments=SMALL, checkpoints=Checkpoints(every=5, signer=signer_of(log)))
    with Engine([parse_policy(POLICY, registry=registry_of([]))], registry=registry_of([]), trail=trail) as engine:
        assert trail.vault is not None and trail.vault.names(subject(1)) == ("email",)
        asyncio.run(engine.erase(subject(1), reason="asked", by="kim"))
        assert trail.vault.names(subject(1)) == () and not trail.vault.has_key(subject(1))
    answers = {one.decision.merchant_biz_id: one.answer for one in replay(both)}
    assert answers[subject(1)] in ("erased", "identical") and answers[subject(2)] == "identical"
    custody = check_vault(both)
    assert custody.is_good and custody.erased == 1 and verify(both).is_good


def test_an_archive_is_recorded_with_what_was_moved_where_and_by_whom(log: Path, root: Path) -> None:
    file = segments(log)[0]
    data, said = file.read_bytes(), next(bodies(log, SegmentBody))[1]
    move_one(log, root / "old", file.name)
    ((record, body),) = bodies(log, ArchiveBody)
    assert (body.name, body.first, body.last, body.sha256) == (said.name, said.first, said.last, said.sha256)
    assert (body.to, body.by) == (str(root / "old"), "kim") and body.bytes == len(data)
    assert (log / "audit-000001.archived").read_bytes().startswith(record.line)


@pytest.mark.parametrize("durability", ["fsync", "async"])
def test_segments_are_archived_while_an_engine_decides(tmp_path: Path, durability: Any) -> None:
    log, old = tmp_path / "log", tmp_path / "old"
    registry = registry_of([])
    policy = parse_policy(POLICY, registry=registry)

    def request(number: int) -> Request:
        inputs = {"country": "SG", "email": f"a{number}@bad"}
        return Request(merchant_biz_id=subject(number), scene_code="shop", inputs=inputs)

    async def main() -> int:
        trail = AuditTrail.open(log, segments=SMALL, durability=durability)
        async with Engine([policy], registry=registry, trail=trail) as engine:
            numbers = itertools.count()
            while len(segments(log)) < 4:  # `async` writes many at once, when it has time
                await engine.decide(request(next(numbers)))
                await asyncio.sleep(0)
            moving = asyncio.create_task(engine.archive(old, before=TOMORROW, by="kim"))
            for _ in range(12):
                await engine.decide(request(next(numbers)))
            assert await moving >= 2
            return next(numbers)

    count = asyncio.run(main())
    both = WithArchive(log, (old,))
    assert verify(log).is_good and verify(old).is_good and verify(both).away == ()
    assert Counter(one.answer for one in replay(both)) == {"identical": count}


def test_an_engine_without_a_log_in_files_says_so_when_it_is_to_archive(tmp_path: Path) -> None:
    registry = registry_of([])

    async def main() -> None:
        async with Engine([parse_policy(POLICY, registry=registry)], registry=registry) as engine:
            with pytest.raises(SetupError, match="has no log in files"):
                await engine.archive(tmp_path, before=TOMORROW, by="kim")
            with pytest.raises(RequestError, match="by"):
                await engine.archive(tmp_path, before=TOMORROW, by=" ")

    asyncio.run(main())
