"""The ledger of files on long logs: opening, memory, garbage collection, and whether every id is still answered.

`python -m benchmarks.ledger [DECISIONS]` is the long form for one log: it is made, opened, and every thousandth id is
asked again, with the same request and with another country.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from typing import cast

from adjudge import Engine, MerchantBizIdConflict, Request
from adjudge.audit.read import read
from adjudge.audit.record import encode
from adjudge.decision.fingerprint import fingerprint
from adjudge.ledger.file import FileLedger

POLICY = """
policy_language: 1
policy: long
inputs: {country: string, amount: int}
signals: {device: {fields: {score: int, emulator: bool}}}
rules:
  - {id: abroad, when: country != "SG", then: review}
  - {id: large, when: amount > 5000, then: review}
  - {id: risky, when: device.score > 70 || device.emulator, then: reject}
"""
CONFIG = "policies: [policy.yaml]\naudit: {directory: log}\nplugins: []\n"
SEGMENT = 256 * 1024 * 1024
ASKED = 1000
"""Of so many decisions one is asked again."""


def request(number: int, country: str = "SG") -> Request:
    """Return the request with a number."""
    return Request(
        merchant_biz_id=f"{number:032d}",
        scene_code="long",
        inputs={"country": country, "amount": number % 5000},
        signals={"device": {"score": number % 70, "emulator": False}},
    )


def make_log(folder: Path, count: int) -> None:
    """Write a log of so many decisions in the last day, chained as an engine does, and let its index be made."""
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "adjudge.yaml").write_text(CONFIG)
    with Engine.open(folder / "adjudge.yaml") as engine:
        first = engine.decide_sync(request(0))
        name = next(iter(engine.policies))
    log = folder / "log"
    *_, last = records = list(read(log))
    line = next(record.line for record in records if record.kind == "decision")
    body = line[line.index(b',"decision_id"') : -76]
    at = first.decided_at.isoformat().replace("+00:00", "Z").encode()
    for part in (first.decision_id, first.merchant_biz_id, first.fingerprint):
        body = body.replace(part.encode(), b"\0", 1)
    parts = body.replace(at, b"\0", 1).split(b"\0")
    assert len(parts) == 5, "a decision has its ids, its fingerprint and its time once each"
    key = (log / "fingerprint.key").read_bytes()
    seq, digest, number = last.seq, last.hash.encode(), 1
    file = (log / f"audit-{number:06}.jsonl").open("ab", buffering=1024 * 1024)
    begun = datetime.now(UTC) - timedelta(days=1)
    for n in range(1, count):
        asked = request(n) if n % ASKED == 0 else None
        mark = fingerprint(asked, asked.inputs, name, key) if asked is not None else f"{n:064x}"
        when = (begun + timedelta(days=n / count)).isoformat().replace("+00:00", "Z")
        values = (f"{n:032x}", f"{n:032d}", mark, when)
        members = parts[0] + b"".join(value.encode() + part for value, part in zip(values, parts[1:], strict=True))
        seq += 1
        line, digest = encode("decision", seq, digest, members)
        if file.tell() + len(line) > SEGMENT:
            file.close()
            number += 1
            file = (log / f"audit-{number:06}.jsonl").open("ab", buffering=1024 * 1024)
        file.write(line)
    file.close()
    Engine.open(folder / "adjudge.yaml")._ledger.close()


def ask(folder: Path, count: int) -> tuple[Counter[str], float]:
    """Ask every thousandth id again, as it was and with another country; return what came, and the memory in MB."""
    came: Counter[str] = Counter()
    with Engine.open(folder / "adjudge.yaml") as engine:
        for n in range(0, count, ASKED):
            came[engine.decide_sync(request(n)).status] += 1
            try:
                came[engine.decide_sync(request(n, "US")).status] += 1
            except MerchantBizIdConflict:
                came["conflict"] += 1
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return came, resident


def open_s(folder: Path, turns: int = 7) -> float:
    """Return seconds of `Engine.open`, the median of turns."""
    took = []
    for _ in range(turns):
        start = perf_counter()
        engine = Engine.open(folder / "adjudge.yaml")
        took.append(perf_counter() - start)
        engine._ledger.close()
    return median(took)


def collect_ms(folder: Path, count: int) -> tuple[float, float]:
    """Return milliseconds of a full garbage collection, without decisions in memory and with so many."""
    (folder / "adjudge.yaml").write_text(CONFIG + "cache: {megabytes: 1000}\n")
    with Engine.open(folder / "adjudge.yaml") as engine:
        ledger = cast(FileLedger, engine._ledger)
        before = _collection_ms()
        for n in range(1, count):
            ledger._newest(f"{n:032d}")  # reads it from the log, and keeps it
        assert len(ledger._front) >= count - 1
        after = _collection_ms()
    (folder / "adjudge.yaml").write_text(CONFIG)
    return before, after


def _collection_ms() -> float:
    """Return milliseconds of CPU of a full collection, of the thread that makes it: the index's may be at work."""
    took = []
    for _ in range(25):
        start = thread_time()
        gc.collect()
        took.append((thread_time() - start) * 1000)
    return min(took)


def rows(counts: tuple[int, ...] = (10_000, 1_000_000)) -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the table: what, figure, at least."""
    opened: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        for count in counts:
            folder = Path(directory) / str(count)
            folder.mkdir()
            make_log(folder, count)
            opened[count] = open_s(folder)
        few, many = counts[0], counts[-1]
        said = ", ".join(f"{seconds * 1000:.0f} ms at {count:,}" for count, seconds in opened.items())
        yield f"`Engine.open`: {said} decisions", f"{opened[many] / opened[few]:.2f}×", "≤ 1.5×, ≤ 0.5 s"
        folder = Path(directory) / str(many)
        program = f"from benchmarks.ledger import *; print(*ask(Path({str(folder)!r}), {many}), sep='; ')"
        out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
        came, resident = out.split("; ")
        what = f"memory with {many:,} decisions in the last day; every thousandth asked again: {came}"
        yield what, f"{float(resident):.0f} MB", "≤ 150 MB"
        held = min(100_000, many)
        before, after = collect_ms(folder, held)
        what = f"full garbage collection: {before:.1f} ms, with {held:,} decisions in memory {after:.1f} ms"
        yield what, f"{after - before:+.1f} ms", "≤ 5 ms"


if __name__ == "__main__":
    for what, figure, least in rows(tuple(int(one) for one in sys.argv[1:]) or (10_000, 1_000_000)):
        print(f"| {what} | {figure} | {least} |", flush=True)
