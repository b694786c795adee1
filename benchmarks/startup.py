"""What a process pays before it does anything: imports, and `adjudge check` of a small policy."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from benchmarks.workload import workload

RULES = 20
IMPORT = "from adjudge import Engine, load_policy"


def cpu_ms(runs: Sequence[Sequence[str]], rounds: int = 15) -> list[float]:
    """Return milliseconds of CPU of each command line of Python, the median of rounds taken in turn.

    The first round is left out: it compiles modules, and files of them are written for the others.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    took: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds + 1):
        for at, arguments in enumerate(runs):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL)
            assert done.returncode < 2, "1 is findings, as a policy of random rules has them"
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            took[at].append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000)
    return [median(times[1:]) for times in took]


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the table: what, figure, at most."""
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text(workload(RULES).policy, "utf-8")
        bare, package, engine, check = cpu_ms(
            [("-c", "pass"), ("-c", "import adjudge"), ("-c", IMPORT), ("-m", "adjudge", "check", str(policy))]
        )
    yield "`import adjudge` over bare Python, of CPU", f"{package - bare:.0f} ms", "≤ 150 ms"
    yield f"`{IMPORT}`", f"{engine - bare:.0f} ms", "(≤ 150 ms)"
    yield f"`adjudge check` of {RULES} rules, all of it", f"{check / 1000:.2f} s", "≤ 0.3 s"


if __name__ == "__main__":
    for what, figure, most in rows():
        print(f"| {what} | {figure} | {most} |")
