"""What the audit log costs on this disk: `python benchmarks/audit.py [DIRECTORY]`.

Every ratio is taken in one run, its two sides by turns, because disks change their mind from minute to minute.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.log import AuditLog
from adjudge.audit.record import encode_body
from adjudge.audit.verify import verify

SIGNAL = {"status": "ok", "fields": {"score": {"SuspectRemake": 0.12, "SuspectPSFace": 0.3}}, "duration_ms": 213.4}
BODY = {
    "decided_at": "2026-01-02T03:04:05.123456Z",
    "fingerprint": hashlib.sha256(b"").hexdigest(),
    "inputs": {"country": "SG", "document_match": 0.99},
    "signals": {f"signal_{number}": SIGNAL for number in range(12)},
    "verdict": {"outcome": "review", "matched": ["new-risk-tag"], "reasons": ["NEW_RISK_TAG"], "settled": True},
}


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


async def alone(log: AuditLog, bare: Path, rounds: int) -> None:
    """Compare one `await write` with an append and an fdatasync of the same bytes."""
    line = (await log.write("decision", BODY)).line
    ours, theirs = [], []
    with bare.open("ab", buffering=0) as file:
        for _ in range(rounds):
            theirs.append(seconds(lambda: (file.write(line), os.fdatasync(file.fileno()))))
            begun = time.perf_counter()
            await log.write("decision", BODY)
            ours.append(time.perf_counter() - begun)
    ratio = median(ours) / median(theirs)
    print(f"fsync, one caller: {median(ours) * 1e6:.0f} us a record of {len(line)} bytes, ", end="")
    print(f"bare append and fdatasync {median(theirs) * 1e6:.0f} us: {ratio:.2f}x")


async def together(log: AuditLog, bare: Path, writers: int, rounds: int) -> None:
    """Take 64 callers at once, and what a record costs beyond its share of the sync."""

    async def writer() -> None:
        for _ in range(rounds):
            await log.write("decision", BODY)

    line = (await log.write("decision", BODY)).line
    with bare.open("ab", buffering=0) as file:
        block = line * writers
        sync = median(seconds(lambda: (file.write(block), os.fdatasync(file.fileno()))) for _ in range(rounds))
    begun = time.perf_counter()
    await asyncio.gather(*(writer() for _ in range(writers)))
    each = (time.perf_counter() - begun) / (writers * rounds)
    encoding = seconds(lambda: [encode_body(BODY) for _ in range(1000)]) / 1000
    print(f"fsync, {writers} callers: {each * 1e6:.1f} us a record, {1 / each:.0f} a second; ", end="")
    print(f"share of a bare sync {sync / writers * 1e6:.1f}, JSON {encoding * 1e6:.1f}, ", end="")
    print(f"the rest {(each - sync / writers - encoding) * 1e6:.1f} us")


def inline(log: AuditLog, records: int, said: str = "") -> None:
    """Measure a write that only reaches the operating system, or only the queue."""
    encoding = seconds(lambda: [encode_body(BODY) for _ in range(records)]) / records
    each = seconds(lambda: [log.write_blocking("decision", BODY) for _ in range(records)]) / records
    print(f"{log.durability}{said}: {each * 1e6:.1f} us a record, of which JSON {encoding * 1e6:.1f} us")


def main() -> None:
    """Run all measurements."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        place = Path(name)
        with AuditLog.open(place / "fsync") as log:
            asyncio.run(alone(log, place / "bare", 400))
            asyncio.run(together(log, place / "bare", 64, 50))
        with AuditLog.open(place / "flush", durability="flush") as log:
            inline(log, 20_000)
        keys = Checkpoints(mac_key=bytes(32))
        with AuditLog.open(place / "proven", durability="flush", checkpoints=keys) as log:
            inline(log, 20_000, " with a key")
        with AuditLog.open(place / "async", durability="async") as log:
            inline(log, 10_000)
        size = (place / "flush" / "audit-000001.jsonl").stat().st_size
        taken = seconds(lambda: verify(place / "flush"))
        data = b"x" * 2**20
        hashing = seconds(lambda: [hashlib.sha256(data) for _ in range(100)]) / 100
        print(f"verify: {size / taken / 1e6:.0f} MB/s; hashing alone {2**20 / hashing / 1e6:.0f} MB/s")


if __name__ == "__main__":
    main()
