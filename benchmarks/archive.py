"""What it takes to put old segments away: `python benchmarks/archive.py [GIGABYTES] [DIRECTORY]`.

Each segment is first copied by `cp` and read by `sha256sum`, which syncs nothing and finds the copy in memory. The
two take turns because disks change their mind from minute to minute.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adjudge.audit.archive import archive
from adjudge.audit.disk import forget_cached
from adjudge.audit.log import AuditLog
from adjudge.audit.verify import WithArchive, segments, verify

PADDING = "x" * 20_000


def make(folder: Path, size: float) -> None:
    """Write a log of about so many bytes."""
    with AuditLog.open(folder, durability="flush") as log:
        while log.seq * 20_300 < size:
            log.write_blocking("decision", {"n": log.seq, "at": datetime.now(UTC), "padding": PADDING})


def _next(rest: Iterator[Path], work: Callable[[Path], None]) -> None:
    for file in rest:
        work(file)
        return


def main() -> None:
    """Run the measurement."""
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 2.5
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as root:
        folder, to, by_hand = Path(root) / "log", Path(root) / "old", Path(root) / "by-hand"
        by_hand.mkdir()
        make(folder, gigabytes * 1e9)
        closed = segments(folder)[:-1]
        size = sum(file.stat().st_size for file in closed)
        theirs = 0.0

        def by_hand_too(file: Path) -> None:
            nonlocal theirs
            forget_cached(file)
            begun = time.perf_counter()
            subprocess.run(["cp", file, by_hand / file.name], check=True)
            subprocess.run(["sha256sum", by_hand / file.name], check=True, stdout=subprocess.DEVNULL)
            theirs += time.perf_counter() - begun
            (by_hand / file.name).unlink()
            forget_cached(file)

        rest = iter(closed)
        by_hand_too(next(rest))
        first = theirs
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with AuditLog.open(folder) as log:
            begun = time.perf_counter()
            tomorrow = datetime.now(UTC).date() + timedelta(days=1)
            archive(log, to, before=tomorrow, by="the benchmark", tell=lambda _: _next(rest, by_hand_too))
            ours = time.perf_counter() - begun - (theirs - first)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        assert verify(folder).is_good and verify(WithArchive(folder, (to,))).is_good
        print(f"archive {size / 1e9:.2f} GB: {size / 1e6 / ours:.0f} MB/s, ", end="")
        print(f"cp and sha256sum {size / 1e6 / theirs:.0f} MB/s: {theirs / ours:.2f}x; {grown:.0f} MB more memory")


if __name__ == "__main__":
    main()
