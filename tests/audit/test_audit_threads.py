"""Threads that write and sync while the disk fails at random: the log verifies, and what was acknowledged stands."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from audit_logs import FaultyDisk, assert_verifies
from structlog.testing import capture_logs

from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.file import Segments
from adjudge.audit.log import AuditLog, Durability
from adjudge.audit.read import read
from adjudge.errors import AuditUnavailable
from depth import examples

How = Literal["error", "half", "short", "dropped"]
WAYS: list[How] = ["error", "half", "short", "dropped"]
DURABILITIES: list[Durability] = ["fsync", "flush", "async"]


class Life:
    """One run of a log under threads. acknowledged: the `n` of records that were promised to be on disk."""

    def __init__(self, log: AuditLog, disk: FaultyDisk, name: str, draw: random.Random) -> None:
        self.log, self.disk, self.name = log, disk, name
        self.acknowledged: list[str] = []
        self._seeds = [draw.getrandbits(32) for _ in range(4)]
        self._is_over = threading.Event()

    def run(self) -> None:
        """Write from three threads, sync from another and fail from a fifth; raise what they did not expect."""
        wrong: list[BaseException] = []

        def kept(work: object, *given: object) -> None:
            try:
                work(*given)  # type: ignore[operator]
            except BaseException as error:
                wrong.append(error)

        writers = [threading.Thread(target=kept, args=(self._write, n)) for n in range(3)]
        others = [threading.Thread(target=kept, args=(work,)) for work in (self._sync, self._fail)]
        for thread in (*writers, *others):
            thread.start()
        for thread in writers:
            thread.join()
        self._is_over.set()
        for thread in others:
            thread.join()
        if wrong:
            raise wrong[0]

    def _write(self, writer: int) -> None:
        draw = random.Random(self._seeds[writer])
        for n in range(40):
            body = {"n": f"{self.name}-{writer}-{n}"}
            with suppress(AuditUnavailable):
                if draw.random() < 0.2:
                    self.log.write_settled("decision", body)
                else:
                    self.log.write_blocking("decision", body)
                    if self.log.durability != "fsync":
                        continue
                self.acknowledged.append(body["n"])

    def _sync(self) -> None:
        while not self._is_over.is_set():
            if self.log.durability != "fsync":
                self.log._committer.sync()
            time.sleep(0.0005)

    def _fail(self) -> None:
        draw = random.Random(self._seeds[3])
        while not self._is_over.is_set():
            self.disk.failing = frozenset(len(self.disk.calls) + draw.randint(1, 4) for _ in range(2))
            time.sleep(draw.random() * 0.004)
        self.disk.failing = frozenset()


@pytest.mark.parametrize(("how", "durability"), list(product(WAYS, DURABILITIES)))
def test_log_verifies_and_what_was_acknowledged_stands(tmp_path: Path, how: How, durability: Durability) -> None:
    for seed in range(examples(3)):
        draw = random.Random(seed)
        checkpoints = draw.choice([None, Checkpoints(every=2), Checkpoints(every=50)])
        segments = Segments(max_bytes=draw.choice([3_000, 10**8]))
        directory, acknowledged = tmp_path / str(seed), list[str]()
        for name in ("a", "b"):
            disk = FaultyDisk(how=how)
            with capture_logs():
                log = AuditLog.open(
                    directory, durability=durability, disk=disk, checkpoints=checkpoints, segments=segments
                )
                life = Life(log, disk, name, draw)
                life.run()
                with suppress(AuditUnavailable):
                    log.close()
            assert_verifies(directory)
            acknowledged += life.acknowledged
        stands = {record.decode().get("n") for record in read(directory)}
        assert [n for n in acknowledged if n not in stands] == []
