"""Searching a long log: `python -m benchmarks.search [DECISIONS [FOLDER]]`, with room for 1.3 KB a decision. A log
that is there already is taken.

The log is one that an engine wrote, whose decisions are written again and again under other ids and later times.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import msgspec

from adjudge import DecisionQuery, Engine, Registry, parse_policy
from adjudge.audit.file import SEGMENT_BYTES
from adjudge.audit.read import read
from adjudge.audit.record import FIRST_PREV, encode
from adjudge.audit.trail import AuditTrail
from adjudge.ledger.file import FileLedger
from benchmarks.decide import request
from benchmarks.workload import workload

DECISIONS, KINDS = 10_000_000, 2_000
BEGUN, APART, HOUR = datetime(2025, 1, 1, tzinfo=UTC), timedelta(seconds=3), timedelta(hours=1)
RARE = (
    (20, b'"outcome":"reject"', b'"outcome":"review"'),
    (200, b'"outcome":"reject"', b'"outcome":"pass"'),
    (500_000, b'"status":"ok"', b'"status":"timeout"'),
    (1_000_000, b'"waived":[]', b'"waived":["r7"]'),
)
"""What some decisions have, one in so many: these are all rejected."""


def make_long_log(directory: Path, decisions: int) -> None:
    """Write a log of so many decisions, three seconds apart."""
    head, kinds = _kinds()
    prev, size, number = FIRST_PREV, SEGMENT_BYTES, 0
    file = None

    def lines() -> Iterator[tuple[str, bytes]]:
        yield "policy", head
        for n in range(decisions):
            decision_id, merchant_biz_id, at, body = kinds[n * 48_271 % 65_537 % len(kinds)]
            when = (BEGUN + n * APART).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
            body = body.replace(decision_id, b"%032x" % n, 1).replace(merchant_biz_id, b"%032d" % n, 1)
            for every, of, other in RARE:
                if n % every == every // 2:
                    body = body.replace(of, other, 1)
            yield "decision", body.replace(at, when, 1)

    for seq, (kind, body) in enumerate(lines(), 1):
        line, prev = encode(kind, seq, prev, body)
        if size + len(line) > SEGMENT_BYTES:
            number, size = number + 1, 0
            if file is not None:
                file.close()
            file = (directory / f"audit-{number:06}.jsonl").open("wb")
        assert file is not None
        file.write(line)
        size += len(line)
    assert file is not None
    file.close()


def _kinds() -> tuple[bytes, list[tuple[bytes, bytes, bytes, bytes]]]:
    """Return the members of a policy's record, and of decisions, each with what is different in every one."""
    work = workload(50)
    policy = parse_policy(work.policy.replace("{id: r7,", "{id: r7, tags: [aml],"))

    async def decide(directory: str) -> None:
        async with Engine(
            [policy], registry=Registry(), trail=AuditTrail.open(directory, durability="flush")
        ) as engine:
            for n in range(KINDS):
                await engine.decide(request(n, work.requests[n % len(work.requests)]))

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(decide(directory))
        found = [one for one in read(Path(directory)) if one.kind in ("policy", "decision")]
        bodies = [(one, one.line[one.members_at : one.members_end]) for one in found]
    decided = []
    for record, body in bodies[1:]:
        members: dict[str, object] = msgspec.json.decode(record.line)
        said = [str(members[name]).encode() for name in ("decision_id", "merchant_biz_id", "at")]
        decided.append((said[0], said[1], said[2], body))
    return bodies[0][1], decided


@contextmanager
def opened(directory: Path) -> Iterator[FileLedger]:
    """Open a log as an engine does."""
    ledger = FileLedger(AuditTrail.open(directory, durability="flush", fingerprint_key=bytes(32)))
    try:
        yield ledger
    finally:
        ledger.close()


def measure(directory: Path, decisions: int) -> Iterator[tuple[str, str]]:
    """Yield what was measured."""
    middle = BEGUN + decisions // 2 * APART
    queries: dict[str, dict[str, Any]] = {
        "no filter": {},
        "review, 1 in 20": {"outcome": "review"},
        "a rule, 1 in 36": {"rule": "r7"},
        "a tag and pass, 1 in 7,000": {"tag": "aml", "outcome": "pass"},
        "an unknown signal, 1 in 500,000": {"unknown": "device"},
        "a waiver, 1 in 1,000,000, and an outcome": {"waiver": "r7", "outcome": "reject"},
        "a reason that none has": {"reason": "none"},
        "review within an hour in the middle": {"outcome": "review", "since": middle, "until": middle + HOUR},
        "a rule and pass before the middle": {"rule": "r7", "outcome": "pass", "until": middle},
        "500 of a rule and a reason": {"reason": "R7", "rule": "r39", "limit": 500},
    }
    with opened(directory) as ledger:
        begun = perf_counter()
        page = asyncio.run(ledger.search(DecisionQuery(reason="none"), None))
        yield "a page before anything was noted", f"{perf_counter() - begun:.2f} s, next: {page.next is not None}"
        while not ledger._facets.is_whole:
            sleep(1)
        yield "noting what all decisions have", f"{perf_counter() - begun:.0f} s"
    size = (directory / "facets.sqlite").stat().st_size
    yield "the file", f"{size / 1e6:.0f} MB, {size / decisions:.0f} bytes a decision"
    for what, asked in queries.items():
        query = DecisionQuery(**asked)
        with opened(directory) as ledger:
            took = []
            for _ in range(3):
                begun = perf_counter()
                page = asyncio.run(ledger.search(query, None))
                took.append(perf_counter() - begun)
            said = f"first {took[0] * 1000:.0f} ms, again {min(took[1:]) * 1000:.0f} ms"
            yield what, f"{said}; {len(page.decisions)} found, next: {page.next is not None}"


def main() -> None:
    """Print what was measured."""
    decisions = int(sys.argv[1]) if len(sys.argv) > 1 else DECISIONS
    with ExitStack() as stack:
        directory = Path(sys.argv[2] if len(sys.argv) > 2 else stack.enter_context(tempfile.TemporaryDirectory()))
        if not [*directory.glob("audit-*.jsonl")]:
            begun = perf_counter()
            make_long_log(directory, decisions)
            print(f"{decisions} decisions written in {perf_counter() - begun:.0f} s", flush=True)
        for what, figure in measure(directory, decisions):
            print(f"| {what} | {figure} |", flush=True)


if __name__ == "__main__":
    main()
