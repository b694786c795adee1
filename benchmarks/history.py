"""Logs of any size, as an engine writes them, for what reads logs."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path

from adjudge import Engine, Registry, parse_policy
from adjudge.journal import Journal
from benchmarks.decide import request
from benchmarks.workload import workload


def make_log(directory: Path, decisions: int, rules: int = 20) -> Path:
    """Write a log of so many decisions, all of one policy, and return its folder."""
    work = workload(rules)
    policy = parse_policy(work.policy)
    numbers = iter(range(decisions))

    async def run() -> None:
        journal = Journal.open(str(directory), durability="flush")
        async with Engine([policy], registry=Registry(), journal=journal) as engine:
            while batch := list(islice(numbers, 1000)):
                await asyncio.gather(
                    *(engine.decide(request(at, work.requests[at % len(work.requests)])) for at in batch)
                )

    asyncio.run(run())
    return directory
