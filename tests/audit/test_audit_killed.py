"""The writer dies by SIGKILL under load, at random moments, again and again on one log."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from audit_load import OFTEN, SMALL
from audit_logs import assert_verifies
from structlog.testing import capture_logs

from adjudge.audit.log import AuditLog
from adjudge.audit.read import read, tail
from adjudge.audit.verify import segments

ROUNDS = 50


def test_log_killed_under_load_fifty_times_keeps_every_acknowledged_record(tmp_path: Path) -> None:
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
        for number in range(ROUNDS):
            notes.write_text("")
            nursery.stdin.write(f"{directory} {notes}\n")
            nursery.stdin.flush()
            process = int(nursery.stdout.readline())
            if number == 0:
                while not notes.stat().st_size:  # the first round waits until there is load at all
                    time.sleep(0.005)
            time.sleep(draw.uniform(0, 0.12))
            os.kill(process, signal.SIGKILL)
            assert nursery.stdout.readline() == "ended\n"

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
    assert_verifies(directory)
    assert acknowledged.items() <= {record.seq: record.hash for record in read(directory)}.items()
    assert len(acknowledged) > ROUNDS
    assert len(segments(directory)) > 2
