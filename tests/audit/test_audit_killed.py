"""The writer dies by SIGKILL under load, at random moments, again and again on one log; another hand writes its end."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from audit_load import OFTEN, SIGNER, SMALL
from structlog.testing import capture_logs

from adjudge.audit.log import AuditLog
from adjudge.audit.read import read, tail
from adjudge.audit.record import encode, encode_body
from adjudge.audit.verify import segments, verify
from adjudge.errors import AuditBroken

ROUNDS = int(os.environ.get("ADJUDGE_KILLS", "16"))  # 300 in the long form, which is run by hand


def assert_forged_end_is_refused(directory: Path) -> None:
    """Put a forged record in the place of the last one, see that nobody goes on with it, and put all back."""
    path = segments(directory)[-1]
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    whole = [line for line in lines if line.endswith(b"\n")]
    if len(whole) < 2:
        return
    seq = int(whole[-2].split(b'"seq":')[1].split(b",")[0]) + 1
    members = encode_body({"n": "forged", "mac_of": "nobody"}) + b',"mac":"%b"' % os.urandom(32).hex().encode()
    path.write_bytes(b"".join([*whole[:-1], encode("decision", seq, whole[-2][-67:-3], members)[0]]))
    with capture_logs(), pytest.raises(AuditBroken, match=f"record {seq}: its mac was not made with the key"):
        AuditLog.open(directory, segments=SMALL, checkpoints=OFTEN)
    path.write_bytes(data)


def test_log_killed_under_load_again_and_again_keeps_every_acknowledged_record(tmp_path: Path) -> None:
    directory, notes = tmp_path / "log", tmp_path / "notes"
    draw = random.Random()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    acknowledged: dict[int, str] = {}
    size = 0
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("audit_load.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as nursery:
        assert nursery.stdin
        assert nursery.stdout
        for number in itertools.count():
            if number >= ROUNDS and len(acknowledged) > ROUNDS and len(segments(directory)) > 2:
                break  # a slow machine takes more rounds
            notes.write_text("")
            nursery.stdin.write(f"{directory} {notes}\n")
            nursery.stdin.flush()
            process = int(nursery.stdout.readline())
            if number % 2 == 0:
                given_up = time.monotonic() + 300
                while not notes.stat().st_size:  # every other round waits until there is load at all
                    assert time.monotonic() < given_up, "the writer does not get there"
                    time.sleep(0.005)
            time.sleep(draw.uniform(0, 0.12))
            os.kill(process, signal.SIGKILL)
            assert nursery.stdout.readline() == "ended\n"

            assert_forged_end_is_refused(directory)
            with capture_logs(), AuditLog.open(directory, segments=SMALL, checkpoints=OFTEN) as log:
                last = log.seq
            lines = notes.read_text().splitlines()
            round_acknowledged = {int(seq): digest for seq, digest in map(str.split, lines)}
            grown = sum(file.stat().st_size for file in segments(directory)) - size
            found = {record.seq: record.hash for record in tail(directory, max_bytes=grown)}
            assert round_acknowledged.items() <= found.items()
            assert max(round_acknowledged, default=0) <= last
            acknowledged |= round_acknowledged
            size += grown
        nursery.stdin.close()
    found = verify(directory, keys=[SIGNER.public], mac_keys=[SIGNER.mac_key], closed=True)
    assert (found.problem, found.is_closed) == (None, True)
    assert acknowledged.items() <= {record.seq: record.hash for record in read(directory)}.items()
