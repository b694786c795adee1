"""Ctrl-C in the middle of a long command: it ends at once, says nothing wrong, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pytest.importorskip("pyarrow", reason="needs the extra `backtest`")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux' /proc to see a query begin")
@pytest.mark.parametrize("command", ["backtest", "tune"])
def test_interrupted_command_leaves_nothing(tmp_path: Path, command: str) -> None:
    import duckdb

    rules = "".join(
        f"  - {{id: r{at}, when: 'd{at % 4} >= 0.{50 + at} && d{(at + 1) % 4} > 0.{10 + at}', then: review}}\n"
        for at in range(40)
    )
    inputs = "".join(f"  d{at}: double\n" for at in range(4))
    (tmp_path / "policy.yaml").write_text(f"policy_language: 1\npolicy: long\ninputs:\n{inputs}rules:\n{rules}")
    columns = ", ".join(f"random() as d{at}" for at in range(4))
    duckdb.sql(
        f"copy (select {columns}, timestamp '2026-01-01' + interval (i // 100) second as at, random() < 0.1 as label"
        f" from range(4000000) t(i)) to '{tmp_path}/data.parquet'"
    )
    arguments = {
        "backtest": ["backtest", "policy.yaml", "data.parquet", "--plots"],
        "tune": ["tune", "policy.yaml", "data.parquet", "--max-review", "5%"],
    }[command]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    before = sorted(tmp_path.iterdir())
    with subprocess.Popen(
        [sys.executable, "-m", "adjudge", *arguments],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    ) as process:
        tasks = Path(f"/proc/{process.pid}/task")
        for _ in range(6000):  # until a query runs in a thread of its own, beside those of the database
            if process.poll() is not None or len(list(tasks.iterdir())) > 2:
                break
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=300)
    assert process.returncode == 130, stderr.decode()
    assert b"Traceback" not in stderr
    assert sorted(tmp_path.iterdir()) == before
    assert list(temporary.iterdir()) == []
