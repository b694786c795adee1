"""Somebody who can write the log, but has no key, is found out; who kept to the rules is never accused.

Each case is judged twice: by `audit/verify`, and by a verifier in JavaScript that was written from its description.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from adjudge.audit.checkpoints import Checkpoints, FileAnchor
from adjudge.audit.file import Segments
from adjudge.audit.log import AuditLog
from adjudge.audit.record import FIRST_PREV, encode
from adjudge.audit.signing import Signer, generate
from adjudge.audit.verify import log as verifier
from adjudge.audit.verify import read_keys, segments, verify
from adjudge.errors import AuditBroken

pytestmark = pytest.mark.usefixtures("closed_segments_stay_undescribed")

KINDS = ("policy", "call", "call", "decision", "label", "erasure", "reload")
EVERY = 5
HASH = slice(-67, -3)


def write_some(directory: Path, signer: Signer | None, count: int, *anchors: Path, who: str = "us") -> None:
    """Write records of every kind, as one run of a writer."""
    points = Checkpoints(every=EVERY, signer=signer)
    with AuditLog.open(
        directory,
        durability="fsync",
        segments=Segments(max_bytes=3500),
        checkpoints=points,
        anchors=[FileAnchor(path) for path in anchors],
    ) as log:
        for number in range(count):
            log.write_blocking(KINDS[log.seq % len(KINDS)], {"number": number, "who": who, "outcome": "pass"})


@dataclass(frozen=True)
class World:
    """An honest log of three runs, by two keys, over several segments; and its witness."""

    root: Path
    log: Path
    anchors: Path
    keys: tuple[Path, Path]
    secrets: tuple[Path, Path]
    other: Path  # a log of another writer with the same keys
    signers: tuple[Signer, Signer, Signer]  # the last one belongs to somebody else


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    log, other, anchors = root / "log", root / "other", root / "anchors"
    signers = (generate(root / "old.key"), generate(root / "new.key"), generate(root / "foreign.key"))
    for signer, count in ((signers[0], 13), (signers[0], 4), (signers[1], 12)):
        write_some(log, signer, count, anchors)
        write_some(other, signer, count, who="them")
    secrets = (root / "old.key", root / "new.key")
    return World(root, log, anchors, (root / "old.key.pub", root / "new.key.pub"), secrets, other, signers)


@dataclass(frozen=True)
class Case:
    """A log that was tampered with. first: the record that must be named, or None where only its end is wrong."""

    name: str
    files: list[list[bytes]]
    first: int | None


def kind(line: bytes) -> str:
    found = re.search(rb'"kind":"([a-z]+)"', line)
    assert found
    return found[1].decode()


def members(line: bytes) -> bytes:
    """Return a record's own members."""
    return line[line.index(b'"kind":"') + len(kind(line)) + 9 : -76]


def rechained(lines: list[bytes], start: int) -> list[bytes]:
    """Number and chain the lines from `start` on anew, checkpoints too; their signatures cannot be made anew."""
    done = lines[:start]
    log = lines[0][HASH] if start else b""
    for line in lines[start:]:
        prev, body = done[-1][HASH] if done else FIRST_PREV, members(line)
        if kind(line) == "checkpoint":
            body = re.sub(rb'"count":\d+', b'"count":%d' % len(done), body)
            body = re.sub(rb'"last":"[0-9a-f]+"', b'"last":"%b"' % prev, body)
            body = re.sub(rb'"log":"[0-9a-f]+"', b'"log":"%b"' % log, body)
        done.append(encode(kind(line), len(done) + 1, prev, body)[0])
        log = log or done[0][HASH]
    return done


def signed_by(signer: Signer, lines: list[bytes], at: int) -> list[bytes]:
    """Sign a checkpoint, and chain what follows."""
    line = lines[at]
    body = re.sub(rb',"key":.*', b"", members(line), flags=re.DOTALL) + b',"key":"%b"' % signer.key_id.encode()
    prev = lines[at - 1][HASH]
    unsigned = encode("checkpoint", at + 1, prev, body)[0]
    body += b',"signature":"%b"' % signer.sign(unsigned[:-76]).hex().encode()
    return rechained([*lines[:at], encode("checkpoint", at + 1, prev, body)[0], *lines[at + 1 :]], at + 1)


def edited(line: bytes) -> bytes:
    return line.replace(b'"pass"', b'"fail"') if b'"pass"' in line else line.replace(b'"gap":0', b'"gap":1')


def stripped(line: bytes) -> bytes:
    """Take a checkpoint's signature away; its hash is wrong then."""
    return re.sub(rb',"key":"[0-9a-f]+","signature":"[0-9a-f]+"', b"", line)


def cases(world: World) -> Iterator[Case]:
    files = [file.read_bytes().splitlines(keepends=True) for file in segments(world.log)]
    lines = [line for file in files for line in file]
    sizes = [len(file) for file in files]
    points = [at for at, line in enumerate(lines) if kind(line) == "checkpoint"]
    borders = {sum(sizes[:n]) for n in range(1, len(sizes))}
    assert len(sizes) >= 3 and {kind(line) for line in lines} == {*KINDS, "checkpoint"}

    def split(changed: list[bytes]) -> list[list[bytes]]:
        """Lay lines into files with the honest borders."""
        found, start = [], 0
        for size in sizes[:-1]:
            found.append(changed[start : start + size])
            start += size
        return [*found, changed[start:]]

    def next_point(at: int) -> int:
        """Return the number of the first checkpoint from `at` on, counted from 1."""
        return next(point for point in points if point >= at) + 1

    every = [*range(len(lines))]
    near = sorted({at + d for at in [*borders, *points[::3]] for d in (-1, 0, 1) if 0 <= at + d < len(lines) - 1})
    for at in every:
        yield Case(f"edit {at}", split([*lines[:at], edited(lines[at]), *lines[at + 1 :]]), at + 1)
        yield Case(f"delete {at}", split([*lines[:at], *lines[at + 1 :]]), at + 1 if at + 1 < len(lines) else None)
        yield Case(f"truncate to {at}", split(lines[:at]), None) if at else Case("empty", [[]], None)
    for at in near:
        done = [*lines[:at], edited(lines[at]), *lines[at + 1 :]]
        yield Case(f"edit {at} and chain anew", split(rechained(done, at)), next_point(at))
        if kind(lines[at]) == "checkpoint":
            bare = rechained([*lines[:at], stripped(lines[at]), *lines[at + 1 :]], at)
            yield Case(f"take the signature of {at}", split(bare), at + 1)
        own = 1 if kind(lines[at]) == "checkpoint" else 2
        yield Case(f"edit {at} and its hash", split([*rechained(done[: at + 1], at), *lines[at + 1 :]]), at + own)
        link = lines[at].replace(lines[at - 1][HASH], b"0" * 64)
        link = encode(kind(link), at + 1, b"0" * 64, members(link))[0]
        if at:
            yield Case(f"break the link of {at}", split([*lines[:at], link, *lines[at + 1 :]]), at + 1)
        yield Case(f"insert at {at}", split([*lines[:at], lines[at], *lines[at:]]), at + 2)
        swapped = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
        yield Case(f"swap {at}", split(swapped), at + 1)
        yield Case(f"cut {at} in two", split([*lines[:at], lines[at][:-40]]), at + 1)
        yield Case(
            f"{at} over two segments", [[*lines[:at], lines[at][:-40]], [lines[at][-40:], *lines[at + 1 :]]], at + 1
        )
    for at in [at for at in near if kind(lines[at]) != "checkpoint"]:
        yield Case(f"delete {at} and chain", split(rechained([*lines[:at], *lines[at + 1 :]], at)), next_point(at) - 1)
        before = lines[at - 1][HASH] if at else FIRST_PREV
        extra = encode("decision", at + 1, before, b',"who":"nobody","mac":"%b"' % (b"0" * 64))[0]
        yield Case(f"insert at {at} and chain", split(rechained([*lines[:at], extra, *lines[at:]], at)), next_point(at))
        bare = encode("decision", at + 1, before, b',"who":"nobody"')[0]
        named = at + 1 if at else next_point(at)  # records carried macs before it
        yield Case(f"insert at {at} without a mac", split(rechained([*lines[:at], bare, *lines[at:]], at)), named)
    for one, other in pairwise(points):
        late = members(lines[one]), members(lines[other])
        again = encode("checkpoint", other + 1, lines[other - 1][HASH], late[0])[0]
        yield Case(
            f"an old checkpoint at {other}",
            split(rechained([*lines[:other], again, *lines[other + 1 :]], other + 1)),
            other + 1,
        )
        found = re.search(rb',"key":.*', late[0], re.DOTALL)
        assert found
        mixed = re.sub(rb',"key":.*', found[0], late[1], flags=re.DOTALL)
        again = encode("checkpoint", other + 1, lines[other - 1][HASH], mixed)[0]
        yield Case(
            f"the signature of another checkpoint at {other}",
            split(rechained([*lines[:other], again, *lines[other + 1 :]], other + 1)),
            other + 1,
        )
        yield Case(f"another's signature at {other}", split(signed_by(world.signers[2], lines, other)), other + 1)
        without = rechained([*lines[:one], *lines[one + 1 :]], one)
        yield Case(f"without checkpoint {one}", split(without), one + 1)
    yield Case("a retired key signs the last", split(signed_by(world.signers[0], lines, points[-1])), points[-1] + 1)
    bare = rechained([stripped(line) if kind(line) == "checkpoint" else line for line in lines], points[0])
    yield Case("no signature at all", split(bare), points[0] + 1)
    forged = signed_by(world.signers[2], bare, points[0])
    for point in points[1:]:
        forged = signed_by(world.signers[2], forged, point)
    yield Case("all signatures by another", split(forged), points[0] + 1)
    starts = [sum(sizes[:n]) for n in range(len(sizes))]
    for n in range(len(files)):
        yield Case(f"without segment {n}", [*files[:n], *files[n + 1 :]], starts[n] + 1 if n + 1 < len(files) else None)
        yield Case(f"segment {n} twice", [*files[: n + 1], *files[n:]], starts[n] + sizes[n] + 1)
        if n:
            yield Case(
                f"segments {n - 1} and {n} swapped",
                [*files[: n - 1], files[n], files[n - 1], *files[n + 1 :]],
                starts[n - 1] + 1,
            )
    theirs = [line for file in segments(world.other) for line in file.read_bytes().splitlines(keepends=True)]
    for at in (1, points[0], points[1] + 1, len(lines) - 1):
        yield Case(f"spliced with another log at {at}", split([*lines[:at], *theirs[at:]]), at + 1)
        yield Case(f"spliced and chained at {at}", split(rechained([*lines[:at], *theirs[at:]], at)), next_point(at))
    yield Case("another log altogether", [theirs], None)


def lay(folder: Path, files: list[list[bytes]]) -> Path:
    folder.mkdir()
    for number, lines in enumerate(files, 1):
        (folder / f"audit-{number:06}.jsonl").write_bytes(b"".join(lines))
    return folder


def in_javascript(asked: list[dict[str, object]]) -> list[dict[str, object]]:
    if shutil.which("node") is None:
        pytest.skip("the second verifier needs Node.js: no `node` is installed")
    source = Path(__file__).with_name("verify.mjs")
    done = subprocess.run(
        ["node", source], input="\n".join(map(json.dumps, asked)), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(autouse=True)
def _signatures_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check each signature once: hundreds of logs over the same lines carry the same few, and most time goes there."""
    monkeypatch.setattr(verifier, "signs", cache(verifier.signs))


@pytest.mark.no_cover  # hundreds of logs over the same lines
def test_every_tampering_is_found_and_the_first_bad_record_named_by_both_verifiers(
    world: World, tmp_path: Path
) -> None:
    keys = [key for path in world.keys for key in read_keys(path.read_text())]
    anchors = world.anchors.read_bytes().splitlines(keepends=True)
    tried, asked, ours = list(cases(world)), [], []
    wrong = []
    for number, case in enumerate(tried):
        folder = lay(tmp_path / str(number), case.files)
        asked.append({"log": str(folder), "keys": [str(path) for path in world.keys], "anchors": str(world.anchors)})
        found = verify(folder, keys=keys, anchors=anchors)
        ours.append(found.count)
        at = None if found.problem is None else found.count + 1
        by_end = (
            found.problem is not None
            and found.problem.what in ("unexpected-end", "unsigned", "forked", "unused-key", "empty")
            and found.problem.seq == found.count
        )
        if case.first is not None and verify(folder, keys=keys).problem is None:
            wrong.append(f"{case.name}: not found by keys alone")
        if found.problem is None or (case.first is None) != by_end or case.first not in (None, at):
            wrong.append(f"{case.name}: {found.problem}, expected {case.first}")
    assert not wrong, "\n".join(wrong)
    assert len(tried) > 250
    for case, count, theirs in zip(tried, ours, in_javascript(asked), strict=True):
        assert (theirs["good"], theirs["count"]) == (False, count), case.name


def test_honest_log_is_never_accused_wherever_it_is_cut_short(world: World, tmp_path: Path) -> None:
    """What a backup in the middle of a run holds: a part of the log, and the anchors and the keys of that time."""
    lines = [line for file in segments(world.log) for line in file.read_bytes().splitlines(keepends=True)]
    anchors = world.anchors.read_bytes().splitlines(keepends=True)
    asked = []
    first = next(at for at, line in enumerate(lines) if kind(line) == "checkpoint") + 1
    for count in range(first, len(lines) + 1):
        folder = lay(tmp_path / str(count), [lines[: count // 2], lines[count // 2 : count]])
        then = [line for line in anchors if line in lines[:count]]
        (tmp_path / f"{count}.anchors").write_bytes(b"".join(then))
        paths = (
            world.keys if any(world.signers[1].key_id.encode() in line for line in lines[:count]) else world.keys[:1]
        )
        keys = [key for path in paths for key in read_keys(path.read_text())]
        macs = [signer.mac_key for signer in world.signers[: len(paths)]]
        for found in (verify(folder, keys=keys, anchors=then), verify(folder, keys=keys, mac_keys=macs, anchors=then)):
            assert found.problem is None and found.count == count
            assert found.is_authentic and found.unsigned == found.count - found.signed_seq <= EVERY
        asked.append(
            {"log": str(folder), "keys": [str(path) for path in paths], "anchors": f"{tmp_path}/{count}.anchors"}
        )
        asked.append({**asked[-1], "macKeys": [str(path) for path in world.secrets[: len(paths)]]})
    assert all(answer["good"] for answer in in_javascript(asked))
    assert verify(world.log).problem is None and not verify(world.log).is_authentic


@pytest.mark.parametrize("what", ["rolled back", "forked", "written anew"])
def test_writer_stops_where_its_anchor_remembers_another_log(world: World, tmp_path: Path, what: str) -> None:
    log, old, anchors = tmp_path / "log", tmp_path / "old", tmp_path / "anchors"
    signer = world.signers[0]
    write_some(log, signer, 7, anchors)
    shutil.copytree(log, old)
    write_some(log, signer, 6, anchors)
    if what == "written anew":
        shutil.rmtree(old)
    if what != "rolled back":
        write_some(old, signer, 9, who="them")
    kept = anchors.read_bytes().splitlines(keepends=True)
    problem = verify(old, anchors=kept).problem
    assert problem is not None and problem.what == ("unexpected-end" if what == "rolled back" else "forked")
    if what != "written anew":  # one file of anchors may serve several logs, and another log is none of this writer's
        with pytest.raises(AuditBroken, match="restored from an old copy"):
            write_some(old, signer, 1, anchors)
    write_some(log, signer, 1, anchors)


@pytest.mark.parametrize("kind", ["ledger", "label"])
@pytest.mark.parametrize("at", [0, 1])
def test_verify_what_is_superseded_may_stand_in_another_chain_of_a_ledger(tmp_path: Path, kind: str, at: int) -> None:
    """Only where the first record begins one chain of several."""
    subject = "0" * 32
    bodies = [
        (kind, {"ledger": "postgres"}),
        ("decision", {"decision_id": "b" * 32, "merchant_biz_id": subject, "supersedes": "a" * 32}),
    ]
    bodies.insert(1 - at, ("call", {"n": 1}))
    with AuditLog.open(tmp_path, durability="flush") as log:
        for one, body in bodies:
            log.write_blocking(one, body)
    found = verify(tmp_path)
    assert found.is_good is (kind == "ledger" and at == 0)
    if shutil.which("node") is not None:
        assert in_javascript([{"log": str(tmp_path), "keys": []}]) == [{"good": found.is_good, "count": found.count}]
