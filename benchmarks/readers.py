"""Readers of the log: what one costs a decision, and how fast one that comes late catches up."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter, process_time

from adjudge import Engine, Policy, Registry, parse_policy
from adjudge.audit.log import AuditLog
from adjudge.audit.read import read
from adjudge.audit.trail import AuditTrail
from adjudge.plugin import LogReader, LogRecord, Position
from adjudge_plugins.metrics import Metrics
from benchmarks.decide import COUNT, request
from benchmarks.workload import workload

RECORDS, BYTES = 100_000, 1300


class Passing:
    """Takes everything and keeps nothing; from now on, or from the beginning."""

    def __init__(self, *, from_now: bool) -> None:
        """Hold nothing."""
        self.from_now = from_now
        self.held: Position | None = None
        self.left = RECORDS
        self.done = threading.Event()

    def open(self, end: Position) -> Position | None:
        """Say what was taken last."""
        return self.held or (end if self.from_now else None)

    def take(self, records: Sequence[LogRecord]) -> None:
        """Remember the position."""
        self.held = records[-1].position
        self.left -= len(records)
        if self.left <= 0:
            self.done.set()

    def close(self) -> None:
        """Do nothing."""


async def cpu(policy: Policy, registry: Registry, reader: LogReader | None, turns: int = 5) -> float:
    """Return microseconds of CPU a decision of the whole process, readers included, the least of turns."""
    asked, took = workload(50).requests, []
    with tempfile.TemporaryDirectory() as directory:
        trail = AuditTrail.open(directory)
        readers = {"one": reader} if reader is not None else {}
        async with Engine([policy], registry=registry, trail=trail, readers=readers) as engine:
            for turn in range(turns):
                requests = iter([request(turn * COUNT + at, asked[at % len(asked)]) for at in range(COUNT)])

                async def work(mine: Iterator[object] = requests) -> None:
                    for one in mine:
                        await engine.decide(one)  # type: ignore[arg-type]

                start = process_time()
                await asyncio.gather(*(work() for _ in range(64)))
                while any(state.lag_records for state in engine.readers()):  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(0.02)
                took.append((process_time() - start) / COUNT * 1e6)
    return min(took[1:])


def caught_up() -> tuple[float, float]:
    """Return the seconds in which a reader takes 100,000 records, and those in which they are read and verified."""
    registry = Registry()
    policy = parse_policy(workload(50).policy, registry=registry)
    with tempfile.TemporaryDirectory() as directory:
        AuditTrail.open(directory).close()
        with AuditLog.open(Path(directory), durability="async") as log:
            for number in range(RECORDS):
                log.write_blocking("note", {"n": number, "x": "y" * BYTES})
        start = perf_counter()
        count = sum(1 for _ in read(Path(directory)))
        reading = perf_counter() - start
        assert count >= RECORDS
        reader = Passing(from_now=False)
        trail = AuditTrail.open(directory)
        with Engine([policy], registry=registry, trail=trail, readers={"one": reader}):
            start = perf_counter()
            reader.done.wait()
            return perf_counter() - start, reading


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the table: what, figure, at least."""
    registry = Registry()
    policy = parse_policy(workload(50).policy, registry=registry)
    least: dict[str, float] = {}
    for _ in range(3):
        for name, reader in (("none", None), ("passing", Passing(from_now=True)), ("metrics", Metrics())):
            took = asyncio.run(cpu(policy, registry, reader))
            least[name] = min(took, least.get(name, took))
    none = least["none"]
    yield (
        f"CPU of a decision with a reader of the log: {least['passing']:.0f} µs, without {none:.0f} µs",
        (f"{least['passing'] / none:.2f}×"),
        "–",
    )
    yield f"the same with `prometheus`: {least['metrics']:.0f} µs", f"{least['metrics'] / none:.2f}×", "–"
    took, reading = caught_up()
    rate = RECORDS / took
    yield (
        f"a reader takes {RECORDS:,} records of {BYTES} bytes that it lacks: {took:.1f} s, {rate:,.0f} a second",
        (f"{took / reading:.2f}× reading them"),
        "–",
    )
