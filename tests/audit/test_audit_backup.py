"""A log is copied while it is written, as docs/audit.md says, and goes on from the copy."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path

from adjudge.audit.bodies import DecisionBody
from adjudge.audit.custody import check_vault
from adjudge.audit.file import Segments
from adjudge.audit.kinds import bodies, records
from adjudge.audit.trail import KEY_FILE, AuditTrail
from adjudge.audit.vault import KEYS, VAULT
from adjudge.audit.verify import segments, verify
from adjudge.engine import Engine
from adjudge.model import Decision, Request
from adjudge.registry import parse_policy
from adjudge.replay.decisions import replay
from adjudge.testing import registry_of

POLICY = """
policy_language: 1
policy: shop
inputs: {email: {type: string, personal: true}}
rules: [{id: bad-mail, when: 'email.endsWith("@bad")', then: review}]
"""
SMALL = Segments(max_bytes=20_000)


def engine_of(log: Path) -> Engine:
    registry = registry_of([])
    policy = parse_policy(POLICY, registry=registry)
    return Engine([policy], registry=registry, trail=AuditTrail.open(log, segments=SMALL))


def request(number: int) -> Request:
    return Request(merchant_biz_id=f"{number:032}", scene_code="shop", inputs={"email": f"a{number}@bad"})


def back_up(log: Path, copy: Path) -> None:
    """Copy in the order that the page names: segments, signposts, values, keys of values, fingerprints' key."""
    copy.mkdir()
    for file in [*segments(log), *sorted(log.glob("*.archived"))]:
        shutil.copyfile(file, copy / file.name)
    for name in (VAULT, KEYS):
        source, target = sqlite3.connect(log / name), sqlite3.connect(copy / name)
        source.backup(target)
        source.close()
        target.close()
    shutil.copy(log / KEY_FILE, copy)


def test_a_log_that_is_copied_under_load_is_whole_and_goes_on(tmp_path: Path) -> None:
    log, copies = tmp_path / "log", [tmp_path / f"copy-{number}" for number in range(4)]
    decided: list[Decision] = []
    stop = threading.Event()

    def load(engine: Engine, first: int) -> None:
        number = first
        while not stop.is_set():
            decided.append(engine.decide_sync(request(number)))
            number += 2

    with engine_of(log) as engine:
        threads = [threading.Thread(target=load, args=(engine, first)) for first in (0, 1)]
        for thread in threads:
            thread.start()
        try:
            for number, copy in enumerate(copies):
                while len(decided) < 40 * (number + 1):
                    stop.wait(0.01)
                back_up(log, copy)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    by_id = {one.merchant_biz_id: one for one in decided}
    for number, copy in enumerate(copies):
        with engine_of(copy) as engine:  # which cuts a line that was copied in half
            kept = [body for _, body in bodies(copy, DecisionBody)]
            assert len(kept) >= 40 * (number + 1) - 2
            again = engine.decide_sync(request(int(kept[-1].merchant_biz_id)))
            assert (again.decision_id, again.status) == (by_id[again.merchant_biz_id].decision_id, "duplicate")
            assert engine.decide_sync(request(10**6)).status == "fresh"
        assert verify(copy).is_good and check_vault(copy).is_good
        assert {one.answer for one in replay(copy)} == {"identical"}
        lines = [record.line for record in records(log)]
        assert [record.line for record in records(copy)][: len(kept)] == lines[: len(kept)]
    assert len(segments(copies[-1])) > 1, "some were copied while the log had gone on"
