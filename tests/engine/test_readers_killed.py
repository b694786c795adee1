"""A process dies by SIGKILL at any record that a reader takes; what follows is sent after the next start, all of it."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from pathlib import Path

from engines import engine
from reader_load import readers

from adjudge.audit.read import read
from audit.audit_logs import assert_verifies

ROUNDS = int(os.environ.get("ADJUDGE_KILLS", "6"))  # 300 in the long form, which is run by hand


def test_reader_killed_at_any_record_is_sent_every_record_in_order(tmp_path: Path) -> None:
    log = tmp_path / "log"
    draw = random.Random()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("reader_load.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as nursery:
        assert nursery.stdin
        assert nursery.stdout
        for number in range(ROUNDS):
            at, part = draw.randint(1, 25), draw.choice([-1, 0, 1, 200, 10**6])
            nursery.stdin.write(f"{log} {number * 1000} {at} {part}\n")
            nursery.stdin.flush()
            nursery.stdout.readline()
            assert nursery.stdout.readline() == "ended\n"
        nursery.stdin.close()
    with engine(at=log, readers=readers(log)) as door:
        pass
    assert [state.lag_records for state in door.readers()] == [0, 0]
    assert_verifies(log)
    records = list(read(log))
    assert len(records) > ROUNDS
    assert log.with_suffix(".copy").read_bytes() == b"".join(record.line for record in records), "no line twice"
    noted = log.with_suffix(".noted").read_text().splitlines()
    came = [f"{records[0].hash} {record.seq}" for record in records]
    assert list(dict.fromkeys(noted)) == came, "each at least once, in order, and none was skipped"
    assert all(int(b.split()[1]) - int(a.split()[1]) <= 1 for a, b in itertools.pairwise(noted))
