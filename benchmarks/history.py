"""What logs cost to read, and policies to try on millions of decisions."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

from adjudge import Engine, Registry, parse_policy
from adjudge.audit.trail import AuditTrail
from adjudge.audit.verify import verify
from adjudge.replay.logs import replay_all
from benchmarks.decide import request
from benchmarks.workload import COUNTRIES, NUMBERS, workload

DECISIONS = 200_000
LARGE, SMALL = 10_000_000, 1_000_000
THREADS = 2


def make_log(directory: Path, decisions: int, rules: int = 20) -> Path:
    """Write a log of so many decisions, all of one policy, as an engine does, and return its folder."""
    work = workload(rules)
    policy = parse_policy(work.policy)
    numbers = iter(range(decisions))

    async def run() -> None:
        trail = AuditTrail.open(str(directory), durability="flush")
        async with Engine([policy], registry=Registry(), trail=trail) as engine:
            while batch := list(islice(numbers, 1000)):
                await asyncio.gather(
                    *(engine.decide(request(at, work.requests[at % len(work.requests)])) for at in batch)
                )

    asyncio.run(run())
    return directory


def make_rows(path: Path, rows: int) -> Path:
    """Write so many rows of the workload's fields, 2% of them unknown, a year of days, a third of them labelled."""
    import duckdb

    numbers = [
        f'case when random() >= 0.02 then random() * random() * {top!r} end as "{name}"'
        for name, top in NUMBERS.items()
    ]
    words = ", ".join(f"'{country}'" for country in COUNTRIES)
    with duckdb.connect() as connection:
        connection.execute(f"set threads = {THREADS}")
        connection.execute(
            f"copy (select {', '.join(numbers)}, [{words}][1 + (random() * {len(COUNTRIES)} - 0.5)::int] as country,"
            " random() < 0.05 as \"device.emulator\", ['low', 'low', 'suspicious', 'high'][1 + (random() * 3)::int]"
            " as \"deepfake.result\", timestamp '2026-01-01' + interval (r // 20) second as at,"
            " case when random() < 0.01 then 'fraud' when random() < 0.3 then 'genuine' end as label"
            f" from range({rows}) t(r)) to '{path}'"
        )
    return path


def best(work: Callable[[], object], rounds: int = 3) -> float:
    """Return seconds, the least of some rounds."""
    took = []
    for _ in range(rounds):
        begun = perf_counter()
        work()
        took.append(perf_counter() - begun)
    return min(took)


def by_hand(rules: tuple[tuple[str, int], ...], relation: str) -> str:
    """Return what a person would write for the same counts: by day, each rule true and known, and the outcomes."""
    texts = []
    for text, _ in rules:
        for name in ("device.emulator", "deepfake.result", *(one for one in NUMBERS if "." in one)):
            text = text.replace(name, f"`{name}`")
        text = text.replace('"', "'").replace("`", '"').replace("==", "=").replace("&&", "and").replace("||", "or")
        texts.append(text.replace("[", "(").replace("]", ")").replace("!(", "not ("))
    rejects = " or ".join(f"r{at}" for at, (_, outcome) in enumerate(rules) if outcome == 2)
    every = " or ".join(f"r{at}" for at in range(len(rules)))
    inner = ", ".join(f"({text}) as r{at}" for at, text in enumerate(texts))
    counts = ", ".join(f"count_if(r{at}), count(r{at})" for at in range(len(rules)))
    return (
        f"select day, label, count(*), count_if({rejects}), count_if({every}), count({rejects}), count({every}),"
        f' {counts} from (select cast("at" as date) as day, label, {inner} from {relation}) group by day, label'
    )


def backtests(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Measure backtests, in this process: its peak of memory is one of the figures."""
    from adjudge.backtest.dataset import open_dataset
    from adjudge.backtest.duck import connect
    from adjudge.backtest.run import Runner

    large, small = make_rows(folder / "large.parquet", LARGE), make_rows(folder / "small.parquet", SMALL)
    work, work500 = workload(50), workload(500)
    policy, policy500 = parse_policy(work.policy), parse_policy(work500.policy)
    with connect(threads=THREADS) as connection:
        runner = Runner(connection, policy, open_dataset(connection, large, policy.typed))
        columns = [f'count("{name}")' for name in (*NUMBERS, "country", "device.emulator", "deepfake.result", "label")]
        scan = f"select {', '.join(columns)}, max(\"at\") from '{large}'"
        hand = by_hand(work.rules, f"'{large}'")
        ranges = {name: field for name, field in policy.typed.slots.items() if name in NUMBERS}
        within = (
            f'case when "{name}" between {field.minimum} and {field.maximum} then "{name}" end as "{name}"'
            for name, field in ranges.items()
        )
        checked = by_hand(work.rules, f"(select * replace ({', '.join(within)}) from '{large}')")
        runs = (
            lambda: connection.execute(scan).fetchall(),
            lambda: connection.execute(hand).fetchall(),
            lambda: connection.execute(checked).fetchall(),
            lambda: runner.backtest(),
        )
        for run in runs:
            run()
        scanned, written, careful, ours = (best(run) for run in runs)
        found = runner.backtest()
        ((rows, trues),) = connection.execute(
            f"select sum(column2), sum(column7) from ({hand}) t("
            + ", ".join(f"column{at}" for at in range(7 + 2 * 50))
            + ")"
        ).fetchall()
        assert rows == found.rows == LARGE and trues == found.rules[0].true, "they count the same"
        begun, looked = perf_counter(), 0
        for at, one in enumerate(work.requests):
            policy.evaluate(one)
            looked = at + 1
        fetched = best(lambda: connection.execute(f"select * from '{small}' limit 20000").fetchall(), 1) / 20_000
        loop = ((perf_counter() - begun) / looked + fetched) * LARGE
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        what = f"backtest of 50 rules, {LARGE:,} rows, {THREADS} threads: {ours:.1f} s"
        yield what, f"{written / ours:.2f}× as fast as SQL by hand ({written:.1f} s)", "≥ 1×"
        yield (
            f"the same over SQL by hand that checks ranges too ({careful:.1f} s)",
            f"{careful / ours:.2f}× as fast",
            "–",
        )
        yield "the same over a loop of `evaluate` over fetched rows", f"{loop / ours:.0f}× as fast", "≥ 100×"
        yield f"the same over scanning the columns ({scanned:.2f} s)", f"{ours / scanned:.1f}×", "≤ 5×"
        yield "its peak of memory, all of the above included", f"{peak:.0f} MB", "≤ 1,000 MB"
        some = Runner(connection, policy, open_dataset(connection, small, policy.typed))
        many = Runner(connection, policy500, open_dataset(connection, small, policy500.typed))
        few_s, many_s = best(lambda: some.backtest()), best(lambda: many.backtest())
        yield (
            f"backtest of 500 rules, {SMALL:,} rows: {many_s:.1f} s, of 50 rules {few_s:.2f} s",
            f"{many_s / few_s:.1f}×",
            "< 10×",
        )


def logs(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Measure what reads a log."""
    from adjudge.backtest.export import export

    log = make_log(folder / "log", DECISIONS)
    size = sum(file.stat().st_size for file in log.glob("*.jsonl"))
    checked = best(lambda: verify(log))
    yield (
        f"verify, {size / 1e6:.0f} MB of records of {size // DECISIONS} bytes",
        f"{size / checked / 1e6:.0f} MB/s",
        "≥ 150 MB/s",
    )
    again = best(lambda: replay_all(log), 2)
    yield "replay, one process", f"{DECISIONS / again:,.0f} decisions/s", "≥ 20,000"
    both = best(lambda: replay_all(log, jobs=2), 2)
    yield "replay, two processes", f"{DECISIONS / both:,.0f} decisions/s", "–"
    for jobs in (1, 2):
        out = iter(range(9))
        took = best(lambda jobs=jobs, out=out: export(log, folder / f"out{jobs}-{next(out)}", jobs=jobs), 2)  # type: ignore[misc]
        yield (
            f"export to Parquet, {jobs} process{'es' if jobs > 1 else ''}",
            f"{DECISIONS / took:,.0f} records/s",
            "≥ 100,000",
        )


def appends(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Measure 64 callers that append at once, against writing the same bytes in the same batches."""
    from adjudge.audit.log import AuditLog
    from benchmarks.audit import BODY

    rounds, writers = 100, 64

    async def together(log: AuditLog) -> float:
        async def writer() -> None:
            for _ in range(rounds):
                await log.write("decision", BODY)

        begun = perf_counter()
        await asyncio.gather(*(writer() for _ in range(writers)))
        return writers * rounds / (perf_counter() - begun)

    ours, bare = [], []
    with AuditLog.open(folder / "appends") as log, (folder / "bare").open("ab", buffering=0) as file:
        block = log.write_blocking("decision", BODY).line * writers
        for _ in range(5):
            begun = perf_counter()
            for _ in range(rounds):
                file.write(block)
                os.fdatasync(file.fileno())
            bare.append(writers * rounds / (perf_counter() - begun))
            ours.append(asyncio.run(together(log)))
    rate, ratio = median(ours), median(one / other for one, other in zip(ours, bare, strict=True))
    yield (
        f"append with fsync, {writers} writers: {rate:,.0f} records/s",
        f"{ratio:.2f}× bare batches",
        "≥ 20,000/s or ≥ 0.5×",
    )


def rows() -> Iterator[tuple[str, str, str]]:
    """Return every row; backtests run in a process of their own, so that the peak of memory is theirs."""
    with tempfile.TemporaryDirectory() as name:
        ran = subprocess.run(
            [sys.executable, "-m", "benchmarks.history", name], capture_output=True, text=True, check=True
        )
        for line in ran.stdout.splitlines():
            what, figure, wanted = line.split(" | ")
            yield what, figure, wanted
        yield from logs(Path(name))
        yield from appends(Path(name))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        for row in backtests(Path(sys.argv[1])):
            print(" | ".join(row), flush=True)
    else:
        for what_, figure_, wanted_ in rows():
            print(f"| {what_} | {figure_} | {wanted_} |", flush=True)
