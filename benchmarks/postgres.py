"""The ledger in PostgreSQL beside what the database itself takes for the same bytes: commits, and COPY in groups.

Needs a PostgreSQL that is installed here; it starts a server of its own in a temporary folder. What is compared takes
turns within the run. `python -m benchmarks.postgres`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "plugins")]  # the tests' server

from postgres_server import KEY, PROGRAMS, Server, migrated  # noqa: E402

from adjudge import Engine, Request  # noqa: E402
from adjudge.registry import Registry, parse_policy  # noqa: E402

if TYPE_CHECKING:
    from adjudge_plugins.postgres.database import Connection

CALLERS = 64
ROUNDS, ONE_AT_A_TIME, MANY_S = 7, 150, 1.5
"""Rounds of all that is compared; decisions of one caller in each, and seconds of many callers."""
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
_TABLE = b"create table bare (seq bigint generated always as identity primary key, line bytea not null)"


def opened(dsn: str) -> Engine:
    """Return an engine over a database, not yet open."""
    from adjudge_plugins.postgres.ledger import PostgresLedger

    registry = Registry()
    policy = parse_policy(POLICY, registry=registry)
    return Engine([policy], registry=registry, ledger=PostgresLedger(dsn, KEY, answer_for_s=3600))


def request(number: int) -> Request:
    """Return the request with a number."""
    return Request(
        merchant_biz_id=f"{number:032d}",
        scene_code="long",
        inputs={"country": "SG", "amount": number % 5000},
        signals={"device": {"score": number % 70, "emulator": False}},
    )


async def decided(engine: Engine, numbers: Iterator[int], until: float) -> int:
    """Let many callers decide until a time of `time.time()`, and return how many decisions they made."""
    made = 0

    async def caller() -> None:
        nonlocal made
        while time.time() < until:
            await engine.decide(request(next(numbers)))
            made += 1

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return made


async def process(dsn: str, first: int) -> None:
    """Be one of several processes: each line of input is when to begin; each of output is how many were made."""
    numbers = count(first)
    async with opened(dsn) as engine:
        await engine.decide(request(next(numbers)))
        print("open", flush=True)
        for line in sys.stdin:
            begin = float(line)
            await asyncio.sleep(max(0.0, begin - time.time()))
            print(await decided(engine, numbers, begin + MANY_S), flush=True)


async def one_at_a_time(dsn: str) -> tuple[float, float, int]:
    """Return microseconds of a bare commit and of a decision, and the bytes of a record."""
    numbers, took = count(1), ([], [])  # type: tuple[count[int], tuple[list[float], list[float]]]
    async with opened(dsn) as engine, _Bare(dsn) as bare:
        await engine.decide(request(next(numbers)))
        line = await _line(bare)

        async def commit() -> None:
            await bare.execute(b"insert into bare (line) values (%s)", (line,))

        async def decide() -> None:
            await engine.decide(request(next(numbers)))

        work: tuple[Callable[[], Awaitable[None]], ...] = (commit, decide)
        for _ in range(ROUNDS):
            for at, one in enumerate(work):
                for _ in range(ONE_AT_A_TIME):
                    start = perf_counter()
                    await one()
                    took[at].append(perf_counter() - start)
    return median(took[0]) * 1e6, median(took[1]) * 1e6, len(line)


async def many(dsn: str) -> tuple[float, float, float, float]:
    """Return what 64 callers bring about in a second.

    Rows by COPY in groups of 64; by COPY in a transaction that also asks something, as one has to that checks claims;
    by arrays; and decisions.
    """
    numbers, rates = count(10_000_000), ([], [], [], [])  # type: tuple[count[int], tuple[list[float], ...]]
    async with opened(dsn) as engine, _Bare(dsn) as bare:
        await engine.decide(request(next(numbers)))
        lines = [await _line(bare)] * CALLERS

        async def copied() -> None:
            async with bare.cursor() as cursor, cursor.copy(b"copy bare (line) from stdin (format binary)") as copy:
                copy.set_types(["bytea"])
                for line in lines:
                    await copy.write_row((line,))

        async def fenced() -> None:
            async with bare.transaction():
                await bare.execute(b"select 1")
                await copied()

        async def listed() -> None:
            await bare.execute(b"insert into bare (line) select unnest(%s::bytea[])", (lines,))

        for _ in range(ROUNDS):
            for at, one in enumerate((copied, fenced, listed)):
                start, done = perf_counter(), 0
                while perf_counter() - start < MANY_S / 3:
                    await one()
                    done += CALLERS
                rates[at].append(done / (perf_counter() - start))
            start = perf_counter()
            made = await decided(engine, numbers, time.time() + MANY_S)
            rates[3].append(made / (perf_counter() - start))
    copy, checked, arrays, decisions = (median(one) for one in rates)
    return copy, checked, arrays, decisions


def processes(dsn: str) -> tuple[float, float]:
    """Return decisions a second of one process, and of two at once."""
    code = "import asyncio, sys; from benchmarks.postgres import *; asyncio.run(process(sys.argv[1], int(sys.argv[2])))"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, dsn, str(first)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for first in (100_000_000, 200_000_000)
    ]
    one_s, two_s = [], []
    try:
        for each in both:
            assert each.stdout is not None and each.stdout.readline() == "open\n"
        for turn in range(ROUNDS):
            alone = both[turn % 2]
            one_s.append(_made([alone]) / MANY_S)
            two_s.append(_made(both) / MANY_S)
    finally:
        for each in both:
            each.kill()
            each.wait()
    return median(one_s), median(two_s)


def _made(workers: list[subprocess.Popen[str]]) -> int:
    begin = time.time() + 0.2
    for each in workers:
        assert each.stdin is not None
        each.stdin.write(f"{begin}\n")
        each.stdin.flush()
    return sum(int(each.stdout.readline()) for each in workers if each.stdout is not None)


class _Bare:
    """A connection to a table of bytes."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def __aenter__(self) -> Connection:
        from adjudge_plugins.postgres.database import connect

        self._connection = await connect(self._dsn)
        await self._connection.execute(b"drop table if exists bare")
        await self._connection.execute(_TABLE)
        return self._connection

    async def __aexit__(self, *how: object) -> None:
        await self._connection.close()


async def _line(connection: Connection) -> bytes:
    """Return the newest decision's record."""
    newest = b"select line from adjudge.records where kind = 'decision' order by recorded_at desc limit 1"
    rows: list[tuple[Any, ...]] = await (await connection.execute(newest)).fetchall()
    return bytes(rows[0][0])


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the table: what, figure, at least."""
    if PROGRAMS is None:
        yield "the ledger in PostgreSQL", "skipped: PostgreSQL is not installed", "–"
        return
    server = Server()
    try:
        dsn = migrated(server)
        bare, decision, size = asyncio.run(one_at_a_time(dsn))
        what = f"PostgreSQL, one decision: {decision:.0f} µs, a bare commit of its {size} bytes {bare:.0f} µs"
        yield what, f"{decision / bare:.2f}×", "≤ 2.5×"
        copy, checked, arrays, decisions = asyncio.run(many(dsn))
        what = f"PostgreSQL, {CALLERS} callers: {decisions:.0f} decisions/s, COPY in groups {copy:.0f} rows/s"
        yield what, f"{decisions / copy:.2f}×", "≥ 0.4×"
        what = (
            f"{CALLERS} rows as arrays in a statement: {arrays:.0f} rows/s, COPY beside a check of claims {checked:.0f}"
        )
        yield what, f"{arrays / checked:.2f}×", "–"
        one, two = processes(dsn)
        what = f"two processes over one PostgreSQL: {two:.0f} decisions/s, one {one:.0f}"
        yield what, f"{two / one:.2f}×", "≥ 1.5×"
    finally:
        server.close()


if __name__ == "__main__":
    for what, figure, least in rows():
        print(f"| {what} | {figure} | {least} |", flush=True)
