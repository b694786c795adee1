"""Ctrl-C while the database works: a KeyboardInterrupt however it was asked, and a connection still of use."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

pytest.importorskip("duckdb", reason="needs the extra `backtest`")

_CHILD = """
import os, signal, sys, threading, time
from adjudge.backtest.duck import connect, executed, fetched, in_batches

ENDLESS = "select sum(hash(i)) as total from range(1_000_000_000_000) t(i)"
ASK = {
    "executed": lambda: executed(connection, f"create temp table kept as {ENDLESS}"),
    "fetched": lambda: fetched(connection, ENDLESS),
    "in_batches": lambda: list(in_batches(connection, ENDLESS)),
}

def press():
    while connection.query_progress() < 0:  # -1 until a query runs
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)

connection = connect()
threading.Thread(target=press, daemon=True).start()
try:
    ASK[sys.argv[1]]()
except BaseException as error:
    print(type(error).__name__)
print(fetched(connection, "select 7"))
"""


@pytest.mark.parametrize("asked", ["executed", "fetched", "in_batches"])
def test_ctrl_c_ends_a_query(asked: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _CHILD, asked],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    assert (ended.stdout.splitlines(), ended.stderr) == (["KeyboardInterrupt", "[(7,)]"], "")
