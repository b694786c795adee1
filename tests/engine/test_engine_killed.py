"""The engine dies by SIGKILL under load, at random moments, again and again on one log."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from engine_load import TASKS
from engines import engine, recorded, request
from structlog.testing import capture_logs

from adjudge.errors import MerchantBizIdConflict
from adjudge.replay.decisions import replay
from audit.audit_logs import assert_verifies

ROUNDS = int(os.environ.get("ADJUDGE_KILLS", "8"))  # 300 in the long form, which is run by hand


def test_engine_killed_under_load_keeps_every_answer_it_gave(tmp_path: Path) -> None:
    directory, notes = tmp_path / "log", tmp_path / "notes"
    draw = random.Random()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    answered: dict[int, str] = {}
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("engine_load.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as nursery:
        assert nursery.stdin
        assert nursery.stdout
        for number in itertools.count():
            if number >= ROUNDS and len(answered) > 8:
                break  # a slow machine takes more rounds
            notes.write_text("")
            first = max(max(answered, default=0) - 2 * TASKS, 0)  # goes over what was answered before it died
            nursery.stdin.write(f"{directory} {notes} {first}\n")
            nursery.stdin.flush()
            process = int(nursery.stdout.readline())
            given_up = time.monotonic() + 300
            while not notes.stat().st_size:  # the round waits until there is load at all
                assert time.monotonic() < given_up, "the engine does not get there"
                time.sleep(0.002)
            time.sleep(draw.uniform(0, 0.1))
            os.kill(process, signal.SIGKILL)
            assert nursery.stdout.readline() == "ended\n"
            for line in notes.read_text().splitlines():
                number, decision_id = line.split()
                assert answered.setdefault(int(number), decision_id) == decision_id, "a retry gets the answer it had"
        nursery.stdin.close()
    assert_verifies(directory)
    assert set(answered.values()) <= {body.decision_id for body in recorded(directory)}
    assert all(replayed.answer == "identical" for replayed in replay(directory))
    with capture_logs(), engine([], policies=[WITHOUT_PROVIDERS], at=directory) as door:
        for number, decision_id in answered.items():
            found = door.find_sync(merchant_biz_id=request(number).merchant_biz_id)
            assert found is not None and found.decision_id == decision_id
            claim = door._ledger.claim(found.merchant_biz_id, "0" * 64, again=False, lease_s=60)
            with pytest.raises(MerchantBizIdConflict):
                asyncio.run(claim)


WITHOUT_PROVIDERS = "{policy_language: 1, policy: p, inputs: {n: int}, rules: [{id: r, when: n > 1, then: review}]}"
