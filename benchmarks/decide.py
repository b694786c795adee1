"""`engine.decide` with signals supplied by the caller, and what it costs in memory."""

from __future__ import annotations

import asyncio
import os
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, Literal

from adjudge import Engine, Policy, Registry, Request, parse_policy
from adjudge.audit.trail import AuditTrail
from benchmarks.workload import workload

Durability = Literal["fsync", "flush", "async"]
COUNT = 1500


def request(number: int, given: dict[str, Any]) -> Request:
    """Return a request with an id of its own."""
    inputs = {name: value for name, value in given.items() if not isinstance(value, dict)}
    signals = {name: value for name, value in given.items() if isinstance(value, dict)}
    return Request(merchant_biz_id=f"{number:032d}", scene_code="bench00001", inputs=inputs, signals=signals)


async def decide(
    policy: Policy,
    registry: Registry,
    durability: Durability,
    callers: int,
    rounds: int = 7,
    clock: Callable[[], float] = perf_counter,
) -> float:
    """Return microseconds a decision, the median of rounds."""
    asked = workload(50).requests
    took = []
    with tempfile.TemporaryDirectory() as directory:
        trail = AuditTrail.open(directory, durability=durability)
        async with Engine([policy], registry=registry, trail=trail) as engine:
            for turn in range(rounds):
                requests = iter([request(turn * COUNT + at, asked[at % len(asked)]) for at in range(COUNT)])

                async def work(mine: Iterator[Request] = requests) -> None:
                    for one in mine:
                        await engine.decide(one)

                start = clock()
                await asyncio.gather(*(work() for _ in range(callers)))
                took.append((clock() - start) / COUNT * 1e6)
    return median(took[1:])


def personal(text: str, registry: Registry, turns: int = 3) -> tuple[float, float]:
    """Return microseconds of CPU a decision, without and with a personal input, the least of turns."""
    least = []
    for form in ("string", "{type: string, personal: true}"):
        policy = parse_policy(text.replace("country: string", f"country: {form}"), registry=registry)
        runs = (asyncio.run(decide(policy, registry, "fsync", 64, clock=process_time)) for _ in range(turns))
        least.append(min(runs))
    return least[0], least[1]


def bare_append(line: bytes, count: int = 300) -> float:
    """Return microseconds of one append and fdatasync of a line, the median of calls."""
    took = []
    with tempfile.TemporaryDirectory() as directory:
        file = os.open(Path(directory) / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for _ in range(count):
            start = perf_counter()
            os.write(file, line)
            os.fdatasync(file)
            took.append((perf_counter() - start) * 1e6)
        os.close(file)
    return median(took)


async def cached_megabytes(policy: Policy, registry: Registry, count: int = 10_000) -> float:
    """Return what so many cached decisions hold in memory, in MB of 10^6 bytes."""
    asked = workload(50).requests
    async with Engine([policy], registry=registry) as engine:
        await engine.decide(request(count, asked[0]))
        tracemalloc.start()
        for at in range(count):
            await engine.decide(request(at, {**asked[at % len(asked)]}))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return held / 1e6


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the table: what, figure, at least."""
    registry = Registry()
    policy = parse_policy(workload(50).policy, registry=registry)
    quick = asyncio.run(decide(policy, registry, "flush", 1))
    yield "decide, audit without sync, one caller", f"{quick:.0f} µs", "≤ 60 µs"
    crowd = asyncio.run(decide(policy, registry, "flush", 64))
    yield "decide, audit without sync, 64 concurrent callers", f"{crowd:.0f} µs", "≤ 40 µs"
    line = b"x" * 1400 + b"\n"
    before = bare_append(line)
    synced = asyncio.run(decide(policy, registry, "fsync", 1))
    bare = (before + bare_append(line)) / 2
    yield (
        f"decide, audit with fsync: {synced:.0f} µs, bare append + fdatasync {bare:.0f} µs",
        f"{synced / bare:.2f}×",
        "≤ 1.3×",
    )
    yield (
        "decide, audit with fsync, 64 concurrent callers",
        f"{asyncio.run(decide(policy, registry, 'fsync', 64)):.0f} µs",
        "≤ 40 µs",
    )
    without, with_one = personal(workload(50).policy, registry)
    yield (
        f"CPU of a decision with one personal input, fsync, 64 callers: {with_one:.0f} µs, without {without:.0f} µs",
        f"{with_one / without:.2f}×",
        "≤ 1.5×",
    )
    yield "10,000 cached decisions", f"{asyncio.run(cached_megabytes(policy, registry)):.1f} MB", "≤ 40 MB"
    start = perf_counter()
    parse_policy(workload(500).policy, registry=registry).evaluate({})
    yield "loading and compiling a policy of 500 rules", f"{perf_counter() - start:.2f} s", "≤ 1 s"


if __name__ == "__main__":
    for what, figure, least in rows():
        print(f"| {what} | {figure} | {least} |")
