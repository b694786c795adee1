"""Checkpoints come when they must, say what is so, are signed with the right key, and reach their witnesses."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from audit_logs import GatedDisk, assert_verifies
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from adjudge.audit.checkpoints import Anchors, CheckpointBody, Checkpoints, FileAnchor
from adjudge.audit.file import Segments
from adjudge.audit.log import AuditLog, Durability
from adjudge.audit.read import read
from adjudge.audit.signing import generate, read_signer, signer_from_environment, signer_from_file
from adjudge.audit.verify import read_keys, segments, signs, verify
from adjudge.errors import AuditUnavailable

pytestmark = pytest.mark.usefixtures("closed_segments_stay_undescribed")

EVERY_WAY: list[Durability] = ["fsync", "flush", "async"]


def points(directory: Path) -> list[int]:
    """Return the numbers of a log's checkpoints."""
    return [record.seq for record in read(directory) if record.kind == "checkpoint"]


def write(log: AuditLog, count: int) -> None:
    for n in range(count):
        log.write_blocking("decision", {"n": n})


@pytest.mark.parametrize("durability", EVERY_WAY)
def test_checkpoint_comes_after_so_many_records_and_at_close(tmp_path: Path, durability: Durability) -> None:
    with AuditLog.open(tmp_path, durability=durability, checkpoints=Checkpoints(every=4)) as log:
        write(log, 10)
    assert points(tmp_path) == [5, 10, 13]
    last = list(read(tmp_path))[-1]
    body = last.decode(CheckpointBody)
    assert (body.count, body.last, body.gap, body.every) == (12, last.prev, 0, 4)
    assert body.log == next(read(tmp_path)).hash
    with AuditLog.open(tmp_path, durability=durability, checkpoints=Checkpoints(every=4)):
        pass
    assert points(tmp_path) == [5, 10, 13], "nothing new was to be told"
    assert_verifies(tmp_path)


@pytest.mark.parametrize("durability", EVERY_WAY)
def test_checkpoint_comes_by_itself_after_some_time(tmp_path: Path, durability: Durability) -> None:
    with AuditLog.open(tmp_path, durability=durability, checkpoints=Checkpoints(seconds=0.05)) as log:
        write(log, 2)
        for _ in range(6000):  # two minutes: only a log that never writes one takes as long
            if log.seq == 3:
                break
            time.sleep(0.02)
        assert points(tmp_path) == [3]


def test_first_record_after_a_crash_stands_behind_a_checkpoint(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path) as log:  # this one writes none, as if it had died before
        write(log, 3)
    with AuditLog.open(tmp_path, checkpoints=Checkpoints()) as log:
        write(log, 2)
    assert points(tmp_path) == [4, 7]


def test_longer_interval_is_told_before_it_is_used(tmp_path: Path) -> None:
    for every in (3, 50):
        with AuditLog.open(tmp_path, checkpoints=Checkpoints(every=every)) as log:
            write(log, 9)
    assert_verifies(tmp_path)


def test_promised_checkpoint_that_does_not_come_is_found(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path, checkpoints=Checkpoints(every=3)) as log:
        write(log, 3)
    with AuditLog.open(tmp_path) as log:
        write(log, 4)
    problem = verify(tmp_path).problem
    assert problem is not None and (problem.what, problem.seq) == ("no-checkpoint", 8)


def test_signed_log_does_not_go_on_without_its_key(tmp_path: Path) -> None:
    signer = generate(tmp_path / "a.key")
    with AuditLog.open(tmp_path / "log", checkpoints=Checkpoints(signer=signer)) as log:
        write(log, 1)
    with pytest.raises(AuditUnavailable, match="this log is signed"):
        AuditLog.open(tmp_path / "log", checkpoints=Checkpoints())
    with AuditLog.open(tmp_path / "log", checkpoints=Checkpoints(signer=signer)) as log:
        write(log, 1)
    assert verify(tmp_path / "log", keys=[signer.public]).problem is None


def test_log_goes_on_in_new_segments_by_size_and_age_and_reads_as_one(tmp_path: Path) -> None:
    now = [1_000_000.0]
    rotation = Segments(max_bytes=2000, max_age_s=60, clock=lambda: now[0])
    with AuditLog.open(tmp_path, segments=rotation) as log:
        write(log, 12)
        by_size = len(segments(tmp_path))
        now[0] -= 3600  # a clock that goes backwards starts nothing
        write(log, 1)
        assert len(segments(tmp_path)) == by_size
        now[0] += 3600 + 61
        write(log, 2)
    assert by_size > 1 and len(segments(tmp_path)) == by_size + 1
    assert all(file.stat().st_size <= 2000 for file in segments(tmp_path))
    assert [record.seq for record in read(tmp_path)] == list(range(1, 16))
    assert_verifies(tmp_path)


def test_age_of_a_segment_is_known_after_a_restart(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path) as log:
        log.write_blocking("decision", {"at": "2026-11-24T10:00:00Z"})
    later = 1795514400.0 + 86400 + 5  # 2026-11-24T10:00:00Z and a day
    with AuditLog.open(tmp_path, segments=Segments(max_age_s=86400, clock=lambda: later)) as log:
        write(log, 1)
    assert len(segments(tmp_path)) == 2


def test_writer_that_died_as_it_began_a_segment_goes_on_in_the_one_before(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path, segments=Segments(max_bytes=600)) as log:
        write(log, 2)
    (tmp_path / "audit-000002.jsonl").touch()
    with AuditLog.open(tmp_path, segments=Segments(max_bytes=600)) as log:
        write(log, 4)
    assert [record.seq for record in read(tmp_path)] == [1, 2, 3, 4, 5, 6]
    assert_verifies(tmp_path)


class Sink:
    def __init__(self, failing: int = 0) -> None:
        self.taken: list[bytes] = []
        self.failing = failing

    def write(self, line: bytes) -> None:
        self.failing -= 1
        if self.failing >= 0:
            raise OSError("elsewhere is down")
        self.taken.append(line)


@pytest.mark.parametrize("durability", EVERY_WAY)
def test_anchors_get_checkpoints_and_their_faults_change_nothing(tmp_path: Path, durability: Durability) -> None:
    bad, good = Sink(failing=1), Sink()
    with capture_logs() as events:
        checkpoints = Checkpoints(every=3)
        with AuditLog.open(tmp_path, durability=durability, checkpoints=checkpoints, anchors=[bad, good]) as log:
            write(log, 9)
    lines = [record.line for record in read(tmp_path) if record.kind == "checkpoint"]
    assert good.taken[-1] == bad.taken[-1] == lines[-1]
    assert set(good.taken) <= set(lines) and set(bad.taken) <= set(lines)
    assert [event["event"] for event in events] == ["anchor_failed"]
    assert verify(tmp_path, anchors=good.taken).anchored == len(good.taken)


def test_anchor_that_did_not_take_a_checkpoint_gets_it_with_the_next() -> None:
    sink = Sink(failing=2)
    with capture_logs():
        anchors = Anchors([sink])
        for line in (b"1\n", b"2\n", b"3\n"):
            anchors.show(line)
        anchors.close()
    assert sink.taken == [b"2\n", b"3\n"]


def test_anchor_is_shown_only_what_is_on_disk(tmp_path: Path) -> None:
    disk, sink = GatedDisk(free=1), Sink()
    log = AuditLog.open(tmp_path, durability="async", disk=disk, checkpoints=Checkpoints(every=1), anchors=[sink])
    write(log, 1)
    assert disk.waiting.wait(120)
    assert sink.taken == []
    disk.gate.set()
    log.close()
    assert len(sink.taken) == 1


def test_file_anchor_cuts_what_a_crash_left_of_a_line(tmp_path: Path) -> None:
    anchor = FileAnchor(tmp_path / "anchors")
    with AuditLog.open(tmp_path / "log", checkpoints=Checkpoints(every=2), anchors=[anchor]) as log:
        write(log, 2)
    with anchor.path.open("ab") as file:
        file.write(b'{"schema":1,"se')
    with AuditLog.open(tmp_path / "log", checkpoints=Checkpoints(every=2), anchors=[anchor]) as log:
        write(log, 2)
    kept = anchor.path.read_bytes().splitlines(keepends=True)
    assert kept == [record.line for record in read(tmp_path / "log") if record.kind == "checkpoint"]


def test_key_from_environment_and_from_openssl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = generate(tmp_path / "a.key")
    monkeypatch.setenv("THE_KEY", (tmp_path / "a.key").read_text())
    assert signer_from_environment("THE_KEY").key_id == signer.key_id
    assert read_keys((tmp_path / "a.key.pub").read_text()) == [signer.public]
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    try:
        made = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("needs the program openssl")
    assert len(read_signer(made.stdout, "openssl").public) == 32


def test_key_that_cannot_be_used_is_told_without_a_word_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.key"
    generate(path)
    with pytest.raises(AuditUnavailable, match="never overwritten"):
        generate(path)
    path.chmod(0o644)
    with pytest.raises(AuditUnavailable, match="chmod 600"):
        signer_from_file(path)
    with pytest.raises(AuditUnavailable, match="no such file"):
        signer_from_file(tmp_path / "none")
    with pytest.raises(AuditUnavailable, match="THE_KEY"):
        signer_from_environment("THE_KEY")
    monkeypatch.setenv("THE_KEY", "hunter2")
    with pytest.raises(AuditUnavailable) as error:
        signer_from_environment("THE_KEY")
    assert "hunter2" not in str(error.value)
    other = tmp_path / "rsa.key"
    try:
        subprocess.run(["openssl", "genpkey", "-algorithm", "rsa", "-out", other], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("needs the program openssl")
    other.chmod(0o600)
    with pytest.raises(AuditUnavailable, match="another kind of key"):
        signer_from_file(other)


def test_verifier_in_a_process_without_packages_reads_keys_and_anchors(tmp_path: Path) -> None:
    signer, anchor = generate(tmp_path / "a.key"), FileAnchor(tmp_path / "anchors")
    with AuditLog.open(tmp_path / "log", checkpoints=Checkpoints(signer=signer), anchors=[anchor]) as log:
        write(log, 3)
    source = Path(sys.modules[verify.__module__].__file__ or "").parent
    asked = [sys.executable, "-I", "-S", source, tmp_path / "log", "--key", f"{tmp_path}/a.key.pub"]
    done = subprocess.run([*asked, "--anchors", anchor.path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"signed up to record 4 with {signer.key_id}\n1 anchor agrees\n" in done.stdout
    for bad in ("a.key", "log"):
        done = subprocess.run([*asked, "--key", tmp_path / bad], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith(f"{tmp_path}/{bad}: ")
    (tmp_path / "wrong").write_text("{}\n")
    done = subprocess.run([*asked, "--anchors", tmp_path / "wrong"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, f"{tmp_path}/wrong: line 1 is not a checkpoint\n")


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 511), st.binary(min_size=32, max_size=32))
def test_plain_ed25519_agrees_with_a_library(message: bytes, bit: int, seed: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert signs(public, message, signature)
    assert not signs(public, message + b"x", signature)
    wrong = bytearray(signature)
    wrong[bit // 8] ^= 1 << bit % 8
    assert not signs(public, message, bytes(wrong))
    assert not signs(public, message, signature[:63])
    other = bytearray(public)
    other[bit // 16] ^= 1 << bit % 8
    assert not signs(bytes(other), message, signature)


def test_ed25519_as_its_rfc_has_it() -> None:
    """RFC 8032, 7.1, TEST 2."""
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert signs(public, b"\x72", signature)


def test_key_of_others_permissions_is_checked_on_the_open_file(tmp_path: Path) -> None:
    generate(tmp_path / "a.key")
    os.chmod(tmp_path / "a.key", 0o640)
    with pytest.raises(AuditUnavailable, match="others may read"):
        signer_from_file(tmp_path / "a.key")


@pytest.mark.parametrize(("mode", "is_ours", "is_read"), [
    (0o600, True, True), (0o440, True, False), (0o440, False, True), (0o640, False, True), (0o444, False, False),
    (0o460, False, False),
])  # fmt: skip
def test_key_of_a_volume_is_read_by_its_group(
    mode: int, is_ours: bool, is_read: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An orchestrator mounts secrets as its own files, and lets the pod's group read them."""
    path = tmp_path / "audit.key"
    generate(path)
    path.chmod(mode)
    monkeypatch.setattr("os.geteuid", lambda: path.stat().st_uid + (0 if is_ours else 1))
    if is_read:
        signer_from_file(path)
    else:
        with pytest.raises(AuditUnavailable, match="others may read this key"):
            signer_from_file(path)
