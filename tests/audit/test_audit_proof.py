"""A writer believes nothing of a log that its keys do not prove; what it believes, and how, stands in the log."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from audit_logs import SEGMENT, assert_verifies, write_log
from structlog.testing import capture_logs
from test_audit_adversary import HASH, in_javascript, kind, lay, members, rechained

from adjudge.audit.checkpoints import CheckpointBody, Checkpoints, FileAnchor, FoundBody
from adjudge.audit.file import Segments
from adjudge.audit.log import AuditLog
from adjudge.audit.read import read
from adjudge.audit.record import Record, encode, encode_body
from adjudge.audit.signing import (
    Mac,
    Signer,
    generate,
    mac_key_from_environment,
    mac_key_from_file,
    signer_from_file,
)
from adjudge.audit.trail import AuditTrail
from adjudge.audit.verify import Findings, render, segments, verify
from adjudge.errors import AuditBroken, AuditUnavailable

pytestmark = pytest.mark.usefixtures("closed_segments_stay_undescribed")

KINDS = ("policy", "call", "decision", "label", "erasure")
NOBODY = b'"who":"nobody"'


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return generate(tmp_path / "audit.key")


def write(log: AuditLog, count: int, **more: object) -> None:
    for n in range(count):
        log.write_blocking(KINDS[log.seq % len(KINDS)], {"n": n, "outcome": "reject", **more})


@contextmanager
def opened(directory: Path, signer: Signer | None, **more: object) -> Iterator[AuditLog]:
    points = Checkpoints(every=1000, signer=signer)
    with AuditLog.open(directory, checkpoints=points, segments=Segments(max_bytes=2500), **more) as log:  # type: ignore[arg-type]
        yield log


def run(directory: Path, signer: Signer | None, count: int) -> None:
    """Write some records and close."""
    with opened(directory, signer) as log:
        write(log, count)


def crash(directory: Path, signer: Signer | None, count: int) -> None:
    """Write some records and leave the log as it stands at a moment at which the writer dies."""
    with opened(directory, signer) as log:
        write(log, count)
        shutil.copytree(directory, directory.with_name("dead"))
    shutil.rmtree(directory)
    directory.with_name("dead").rename(directory)


def lines_of(directory: Path) -> list[bytes]:
    return [line for file in segments(directory) for line in file.read_bytes().splitlines(keepends=True)]


def put(directory: Path, lines: list[bytes]) -> None:
    """Lay lines into one segment in the place of all others."""
    directory.mkdir(exist_ok=True)
    for file in segments(directory):
        file.unlink()
    (directory / SEGMENT).write_bytes(b"".join(lines))


def points(directory: Path) -> list[tuple[int, CheckpointBody]]:
    return [(record.seq, record.decode(CheckpointBody)) for record in read(directory) if record.kind == "checkpoint"]


def judged(directory: Path, signer: Signer, *, with_mac: bool = True) -> Findings:
    """Verify with keys; the second verifier has to say the same."""
    key = directory.parent / "audit.key"
    found = verify(directory, keys=[signer.public], mac_keys=[signer.mac_key] if with_mac else [])
    ask: dict[str, object] = {"log": str(directory), "keys": [f"{key}.pub"], "macKeys": [str(key)] if with_mac else []}
    if shutil.which("node") is not None:
        assert in_javascript([ask]) == [{"good": found.is_good, "count": found.count}]
    return found


def forged(line: bytes, seq: int, prev: bytes, mac: bytes | None = b"0" * 64) -> bytes:
    """Return a record that looks like another one but says something else, chained, with a mac out of the air."""
    body = re.sub(rb',"mac":"[0-9a-f]+"', b"", members(line)).replace(b'"reject"', b'"pass"')
    return encode(kind(line), seq, prev, body + (b',"mac":"%b"' % mac if mac is not None else b""))[0]


def test_record_written_behind_an_orderly_close_is_refused_and_found_without_any_key(
    tmp_path: Path, signer: Signer
) -> None:
    log = tmp_path / "log"
    run(log, signer, 3)
    assert points(log)[-1][1].closed and judged(log, signer).is_closed
    honest = lines_of(log)
    for mac in (None, b"0" * 64, honest[0][-141:-77]):
        put(log, [*honest, forged(honest[2], 5, honest[-1][HASH], mac)])
        with pytest.raises(AuditBroken, match="record 5: it"):
            AuditLog.open(log, checkpoints=Checkpoints(signer=signer))
        for found in (verify(log), judged(log, signer, with_mac=False), judged(log, signer)):
            assert found.problem is not None and found.problem.seq == 5
    put(log, honest)
    run(log, signer, 1)
    assert judged(log, signer).count == 7


TAIL: dict[str, Callable[[list[bytes]], tuple[list[bytes], int]]] = {
    # what is done to a log of records 1 to 5, closed by 5, and a start at 6 with records 7 to 11 after it
    "edit the first": lambda x: (rechained([*x[:6], forged(x[6], 7, x[5][HASH]), *x[7:]], 7), 7),
    "edit the last": lambda x: ([*x[:10], forged(x[10], 11, x[9][HASH])], 11),
    "edit without a mac": lambda x: ([*x[:10], forged(x[10], 11, x[9][HASH], None)], 11),
    "write all of it anew": lambda x: (rechained([*x[:6], *(forged(line, 0, b"") for line in x[6:])], 6), 7),
    "delete one": lambda x: (rechained([*x[:7], *x[8:]], 7), 8),
    "swap two": lambda x: (rechained([*x[:7], x[8], x[7], *x[9:]], 7), 8),
    "repeat one": lambda x: (rechained([*x, x[8]], 11), 12),
    "append": lambda x: ([*x, forged(x[10], 12, x[10][HASH])], 12),
    "append a checkpoint": lambda x: (rechained([*x, x[5]], 11), 12),
    "append a closing one": lambda x: (rechained([*x, x[4]], 11), 12),
    "in place of the start": lambda x: ([*x[:5], forged(x[6], 6, x[4][HASH])], 6),
    "cut and append": lambda x: ([*x[:8], forged(x[10], 9, x[7][HASH])], 9),
}


@pytest.mark.parametrize("name", TAIL)
def test_forgery_after_the_last_signature_stops_the_writer_and_is_found_by_whoever_has_the_key(
    tmp_path: Path, signer: Signer, name: str
) -> None:
    log = tmp_path / "log"
    run(log, signer, 4)
    crash(log, signer, 5)
    honest = lines_of(log)
    assert len(honest) == 11 and judged(log, signer).proven_seq == 11
    assert judged(log, signer, with_mac=False).unsigned == 5
    lines, first = TAIL[name](honest)
    put(log, lines)
    found = judged(log, signer)
    assert found.problem is not None and found.problem.seq == first and found.count == first - 1
    with pytest.raises(AuditBroken, match=rf"record {first}: "):
        AuditLog.open(log, checkpoints=Checkpoints(signer=signer))
    assert lines_of(log) == lines, "nothing is written to a log that is not believed"


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_record_is_proven(tmp_path: Path, signer: Signer, name: str) -> None:
    log = tmp_path / "log"
    crash(log, signer, 6)
    honest = lines_of(log)
    at = next(at for at, line in enumerate(honest) if kind(line) == name)
    put(log, rechained([*honest[:at], forged(honest[at], at + 1, b"0" * 64), *honest[at + 1 :]], at))
    with pytest.raises(AuditBroken, match=rf"record {at + 1}: "):
        AuditLog.open(log, checkpoints=Checkpoints(signer=signer))


def test_crash_is_told_by_the_next_checkpoint_and_no_alarm(tmp_path: Path, signer: Signer) -> None:
    log = tmp_path / "log"
    crash(log, signer, 3)  # before any checkpoint
    crash(log, signer, 12)  # over several segments
    with segments(log)[-1].open("ab") as file:
        file.write(b'{"schema":1,"seq":17,"pr')
    with capture_logs():
        run(log, signer, 2)
    run(log, signer, 1)
    assert len(segments(log)) > 2
    said = [(seq, body.found, body.closed) for seq, body in points(log)]
    assert said == [
        (4, FoundBody(3, "mac"), False),
        (17, FoundBody(12, "mac"), False),
        (20, None, True),
        (21, FoundBody(0, "mac"), False),
        (23, None, True),
    ]
    assert judged(log, signer).problem is None and judged(log, signer, with_mac=False).unsigned == 0
    assert verify(log, keys=[signer.public], closed=True).is_closed


def test_log_that_is_opened_after_a_crash_and_closed_is_sealed(tmp_path: Path, signer: Signer) -> None:
    log = tmp_path / "log"
    crash(log, signer, 3)
    for _ in range(2):
        run(log, signer, 0)
    assert [(seq, body.found, body.closed) for seq, body in points(log)] == [(4, FoundBody(3, "mac"), True)]


def test_closed_demands_that_all_is_signed(tmp_path: Path, signer: Signer) -> None:
    log = tmp_path / "log"
    run(log, signer, 2)
    crash(log, signer, 2)
    assert verify(log, keys=[signer.public]).unsigned == 2
    for keys in ([], [signer.public]):
        problem = verify(log, keys=keys, closed=True).problem
        assert problem is not None and (problem.what, problem.seq) == ("not-closed", 6)
    write_log(tmp_path / "bare", 2)
    problem = verify(tmp_path / "bare", closed=True).problem
    assert problem is not None and problem.what == "not-closed"


def test_closed_of_a_log_that_nobody_signs_is_told_by_its_macs(tmp_path: Path) -> None:
    log, key = tmp_path / "log", b"k" * 32
    with AuditLog.open(log, checkpoints=Checkpoints(mac_key=key)) as writer:
        write(writer, 3)
        shutil.copytree(log, tmp_path / "dead")
    assert verify(log, mac_keys=[key], closed=True).is_good
    lines = lines_of(log)
    put(tmp_path / "forged", [*lines[:3], forged(lines[3], 4, lines[2][HASH])])
    for place, keys, what, said in (
        (log, [], "not-closed", "nothing is signed, and only `--mac-key` tells"),
        (tmp_path / "dead", [key], "not-closed", "it does not end with the checkpoint of an orderly close"),
        (tmp_path / "forged", [key], "false-mac", "was not made with the key"),
    ):
        problem = verify(place, mac_keys=keys, closed=True).problem
        assert problem is not None and problem.what == what and said in problem.message


def test_retired_key_of_macs_proves_nothing_more(tmp_path: Path) -> None:
    """Each verdict is given by both verifiers."""
    keys, log = {"old": b"o" * 32, "new": b"n" * 32}, tmp_path / "log"
    for name, key in keys.items():
        (tmp_path / name).write_text(key.hex())
    old, new = (Checkpoints(every=3, mac_key=key) for key in keys.values())

    def found(place: Path) -> str | None:
        problem = verify(place, mac_keys=[*keys.values()]).problem
        if shutil.which("node") is not None:
            ask: dict[str, object] = {"log": str(place), "keys": [], "macKeys": [str(tmp_path / name) for name in keys]}
            assert in_javascript([ask])[0]["good"] is (problem is None)
        return None if problem is None else problem.what

    with AuditLog.open(log, checkpoints=old) as writer:
        write(writer, 4)
    assert found(log) == "unused-key"
    stolen, anew = tmp_path / "stolen", tmp_path / "anew"
    with AuditLog.open(log, checkpoints=Checkpoints(mac_key=keys["new"], retiring_mac_key=keys["old"])) as writer:
        writer.require_proof()
    assert points(log)[-1][1].closed and points(log)[-1][1].found == FoundBody(0, "mac")
    with AuditLog.open(log, checkpoints=new) as writer:
        write(writer, 2)
    assert found(log) is None
    shutil.copytree(log, stolen)
    for place in (stolen, anew):
        with AuditLog.open(place, checkpoints=old, adopted_by="a thief") as thief:
            write(thief, 1)
    assert (found(stolen), found(anew)) == ("retired-key", "unused-key")


def test_log_of_another_key_is_not_believed(tmp_path: Path, signer: Signer) -> None:
    log, thief = tmp_path / "log", generate(tmp_path / "thief.key")
    crash(log, thief, 3)
    with pytest.raises(AuditBroken, match="record 1: its mac was not made with the key"):
        AuditLog.open(log, checkpoints=Checkpoints(signer=signer))
    run(log, thief, 1)
    honest = lines_of(log)
    with AuditLog.open(log, checkpoints=Checkpoints(signer=signer)) as opened_by_another:
        assert opened_by_another.proof == "none"
        with pytest.raises(AuditBroken, match="this log is signed with another key"):
            opened_by_another.require_proof()
    assert lines_of(log) == honest, "it was only looked at"


def test_log_without_a_key_is_taken_over_only_by_somebody(tmp_path: Path, signer: Signer) -> None:
    log = tmp_path / "log"
    for stripped in (False, True):
        run(log, signer if stripped else None, 3)
        if stripped:  # somebody took all macs and signatures away, and has chained anew
            bare = [re.sub(rb',"(mac|key|signature)":"[0-9a-f]+"', b"", line) for line in lines_of(log)]
            put(log, rechained(bare, 0))
            assert_verifies(log)
        before = lines_of(log)
        with pytest.raises(AuditBroken, match=r"record 1: it carries no mac.*rekey"):
            AuditLog.open(log, checkpoints=Checkpoints(signer=signer))
        assert lines_of(log) == before
        with AuditLog.open(log, checkpoints=Checkpoints(signer=signer), adopted_by="ann"):
            pass
        assert points(log)[-1][1].found == FoundBody(4, "none", "ann")
        run(log, signer, 2)
        found = judged(log, signer)
        assert (found.problem, found.adopted, found.count) == (None, 4, 9)
        shutil.rmtree(log)


def test_log_of_a_version_without_macs_goes_on_where_it_was_signed_to_its_end(tmp_path: Path, signer: Signer) -> None:
    log, old = tmp_path / "log", Checkpoints(every=3, signer=signer)
    object.__setattr__(old, "mac", None)
    with AuditLog.open(log, checkpoints=old) as writer:
        write(writer, 4)
    assert b'"mac"' not in b"".join(lines_of(log))
    run(log, signer, 2)
    assert judged(log, signer).problem is None
    assert points(log)[2][1].found == FoundBody(0, "signature")


def test_key_of_macs_alone_proves_a_log(tmp_path: Path) -> None:
    log, keys = tmp_path / "log", Checkpoints(every=4, mac_key=b"k" * 32)
    with AuditLog.open(log, checkpoints=keys) as writer:
        write(writer, 5)
    with AuditLog.open(log, checkpoints=keys) as writer:
        write(writer, 2)
        shutil.copytree(log, tmp_path / "dead")
    found = verify(tmp_path / "dead", mac_keys=[b"k" * 32])
    assert (found.problem, found.proven_seq, found.signed) == (None, 10, 0)
    lines = lines_of(tmp_path / "dead")
    put(tmp_path / "dead", [*lines[:9], forged(lines[9], 10, lines[8][HASH])])
    problem = verify(tmp_path / "dead", mac_keys=[b"k" * 32]).problem
    assert problem is not None and (problem.what, problem.seq) == ("false-mac", 10)
    with pytest.raises(AuditBroken, match="record 10: its mac"):
        AuditLog.open(tmp_path / "dead", checkpoints=keys)
    for other in (Checkpoints(), None):
        with pytest.raises(AuditUnavailable, match="written with a key"):
            AuditLog.open(log, checkpoints=other)


def test_every_record_carries_the_mac_that_the_page_defines(tmp_path: Path, signer: Signer) -> None:
    log, mac = tmp_path / "log", Mac(signer.mac_key)
    run(log, signer, 8)
    records = list(read(log))
    assert all(record.has_mac and record.is_by(mac) for record in records)
    assert not any(record.is_by(Mac(b"x" * 32)) for record in records)
    assert all("mac" not in record.decode() for record in records), "it is the chain's, not the record's own"
    assert repr(records[0]).startswith("<Record 1 policy ")
    assert isinstance(records[0], Record)


def test_start_reads_on_until_it_knows_what_the_last_checkpoint_said(
    tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adjudge.audit.file.CHECKED_AT_OPEN", 400)
    log = tmp_path / "log"
    run(log, signer, 3)
    crash(log, signer, 9)
    run(log, signer, 1)
    assert points(log)[2] == (15, points(log)[2][1]) and points(log)[2][1].found == FoundBody(9, "mac")


def test_retired_key_rewrites_nothing(tmp_path: Path, signer: Signer) -> None:
    log, old = tmp_path / "log", generate(tmp_path / "old.key")
    run(log, old, 6)
    with AuditLog.open(log, checkpoints=Checkpoints(signer=signer, retiring=old)) as rotated:
        rotated.require_proof()
    assert (points(log)[-1][1].retires, points(log)[-1][1].closed) == (old.key_id, True), "the old one signs no more"
    run(log, signer, 3)
    keys = [old.public, signer.public]
    assert verify(log, keys=keys).problem is None
    assert [(body.key, body.retires) for _, body in points(log)][1] == (signer.key_id, old.key_id)
    with pytest.raises(AuditBroken, match=f"record 8: from here on another key, {signer.key_id}, signs this log"):
        AuditLog.open(log, checkpoints=Checkpoints(signer=old))
    stolen = tmp_path / "stolen"
    shutil.copytree(log, stolen)
    with AuditLog.open(stolen, checkpoints=Checkpoints(signer=old), adopted_by="a thief") as thief:
        write(thief, 1)
    problem = verify(stolen, keys=keys).problem
    assert problem is not None and problem.what == "retired-key"
    anew = tmp_path / "anew"
    with AuditLog.open(anew, checkpoints=Checkpoints(signer=old)) as thief:
        for line in lines_of(log):
            if kind(line) != "checkpoint":
                thief.write_blocking(kind(line), {"outcome": "pass"})
    problem = verify(anew, keys=keys).problem
    assert problem is not None and problem.what == "unused-key"
    problem = verify(log, keys=keys[:1]).problem
    assert problem is not None and problem.what == "foreign-key"


def test_key_that_takes_the_place_of_another_proves_what_that_one_left_unsigned(tmp_path: Path, signer: Signer) -> None:
    log, old = tmp_path / "log", generate(tmp_path / "old.key")
    run(log, old, 2)
    crash(log, old, 3)
    with pytest.raises(AuditBroken, match="record 1: its mac was not made with the key"):
        AuditLog.open(log, checkpoints=Checkpoints(signer=signer))
    run_with = Checkpoints(signer=signer, retiring=old)
    with AuditLog.open(log, checkpoints=run_with):
        pass
    last = points(log)[-1][1]
    assert (last.found, last.retires, last.closed) == (FoundBody(3, "mac"), old.key_id, True)
    assert verify(log, keys=[old.public, signer.public], closed=True).is_good


@pytest.mark.parametrize("wrong", ["twice", "absent", "later", "another's", "again", "a number"])
def test_decisions_that_cannot_be_are_found(tmp_path: Path, wrong: str) -> None:
    def decision(number: int, whose: str = "a", old: int | None = None) -> dict[str, object]:
        body: dict[str, object] = {"decision_id": f"{number:032x}", "merchant_biz_id": whose, "scene_code": "s"}
        return body if old is None else {**body, "supersedes": f"{old:032x}"}

    honest = [decision(1), decision(2, "b"), decision(3, "a", 1), decision(4, "a", 3), {"n": 1}, {"n": 1}]
    more = {
        "twice": [decision(2, "c")],
        "absent": [decision(5, "a", 9)],
        "later": [decision(5, "a", 6), decision(6)],
        "another's": [decision(5, "b", 4)],
        "again": [decision(5, "a", 3)],
        "a number": [decision(5, "a") | {"supersedes": 5}],
    }[wrong]
    with AuditLog.open(tmp_path / "log") as log:
        for body in honest:
            log.write_blocking("decision", body)
    assert_verifies(tmp_path / "log")
    with AuditLog.open(tmp_path / "log") as log:
        for body in more:
            log.write_blocking("decision", body)
    found = verify(tmp_path / "log")
    assert found.problem is not None and found.count == 6
    assert (found.problem.seq, found.problem.what) == (7, "same-decision" if wrong == "twice" else "false-supersedes")
    lines = lines_of(tmp_path / "log")
    put(tmp_path / "log", [*lines[:3], *lines[4:]])
    found = verify(tmp_path / "log")
    assert found.problem is not None and found.problem.what == "missing", "the first one is named"
    if shutil.which("node") is not None:
        put(tmp_path / "log", lines)
        asked: list[dict[str, object]] = [{"log": str(tmp_path / "log"), "keys": [], "anchors": None}]
        assert in_javascript(asked) == [{"good": False, "count": 6}]


def test_decision_that_a_disk_lost_may_be_superseded(tmp_path: Path) -> None:
    body = {"decision_id": "2" * 32, "merchant_biz_id": "a", "supersedes": "1" * 32}
    for lost in (0, 1):
        with AuditLog.open(tmp_path / str(lost), checkpoints=Checkpoints()) as log:
            log._committer.chain.dropped = lost
            log.write_blocking("decision", body)
        assert verify(tmp_path / str(lost)).is_good == bool(lost)
        if shutil.which("node") is not None:
            asked: list[dict[str, object]] = [{"log": str(tmp_path / str(lost)), "keys": [], "anchors": None}]
            assert in_javascript(asked)[0]["good"] == bool(lost)


def test_signature_that_is_only_a_member_of_that_name_is_found(tmp_path: Path) -> None:
    write_log(tmp_path / "log", 2)
    first, second = lines_of(tmp_path / "log")
    log, last = first[HASH].decode(), second[HASH].decode()
    says = {"log": log, "count": 2, "last": last, "gap": 0, "every": 5, "signature": "x"}
    put(tmp_path / "log", [first, second, encode("checkpoint", 3, last.encode(), encode_body(says))[0]])
    problem = verify(tmp_path / "log").problem
    assert problem is not None and (problem.seq, problem.what) == (3, "unsigned")
    if shutil.which("node") is not None:
        asked: list[dict[str, object]] = [{"log": str(tmp_path / "log"), "keys": [], "anchors": None}]
        assert in_javascript(asked) == [{"good": False, "count": 2}]


def test_verify_names_what_came_over_without_proof(tmp_path: Path, signer: Signer) -> None:
    log = lay(tmp_path / "log", [write_log(tmp_path / "bare", 3)])
    with AuditLog.open(log, checkpoints=Checkpoints(signer=signer), adopted_by="ann"):
        pass
    assert "3 of them were adopted without proof" in render(verify(log, keys=[signer.public]))


def test_key_of_macs_from_a_file_and_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mac"
    path.write_text("0f" * 32 + "\n")
    with pytest.raises(AuditUnavailable, match="chmod 600"):
        mac_key_from_file(path)
    path.chmod(0o600)
    monkeypatch.setenv("THE_MAC", "0F" * 32)
    assert mac_key_from_file(path) == mac_key_from_environment("THE_MAC") == b"\x0f" * 32
    monkeypatch.setenv("THE_MAC", "hunter2")
    with pytest.raises(AuditUnavailable) as error:
        mac_key_from_environment("THE_MAC")
    assert "hunter2" not in str(error.value) and "openssl rand -hex 32" in str(error.value)
    monkeypatch.delenv("THE_MAC")
    with pytest.raises(AuditUnavailable, match="THE_MAC, a key of the audit log, is not set"):
        mac_key_from_environment("THE_MAC")


def test_nobody_waits_for_a_pipe_in_the_place_of_a_key_or_an_anchor(tmp_path: Path, signer: Signer) -> None:
    run(tmp_path / "log", signer, 1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for read_key in (signer_from_file, mac_key_from_file):
        with pytest.raises(AuditUnavailable, match="is not a regular file"):
            read_key(pipe)
    with pytest.raises(AuditUnavailable, match="is not a regular file"):
        AuditLog.open(tmp_path / "log", checkpoints=Checkpoints(signer=signer), anchors=[FileAnchor(pipe)])
    with pytest.raises(OSError, match=r"No such device|is not a regular file"):
        FileAnchor(pipe).write(b"a line\n")
    os.mkfifo(tmp_path / "log" / "fingerprint.key", 0o600)
    with pytest.raises(AuditUnavailable, match="is not a regular file"):
        AuditTrail.open(tmp_path / "log", checkpoints=Checkpoints(signer=signer))
    with opened(tmp_path / "new", signer) as log:
        write(log, 1)
        os.mkfifo(tmp_path / "new" / "audit-000002.jsonl")
        with capture_logs(), pytest.raises(AuditUnavailable):
            log.write_blocking("decision", {"n": "x" * 3000})
        os.unlink(tmp_path / "new" / "audit-000002.jsonl")
        write(log, 1)
