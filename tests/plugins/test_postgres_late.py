"""Answers that come later over PostgreSQL: any worker takes one, and of two at once one decides."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

psycopg = pytest.importorskip("psycopg", reason="needs the extra `postgres`")

from postgres_server import PROGRAMS, Server, migrated  # noqa: E402

from adjudge.replay.decisions import replay  # noqa: E402
from adjudge_plugins.postgres.reading import PostgresLog  # noqa: E402

pytestmark = [
    pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL: apt-get install postgresql"),
    pytest.mark.xdist_group("postgres"),
]
HANGS_S = 300.0


def begun(dsn: str, *do: str) -> subprocess.Popen[str]:
    """Begin a worker, a process of its own."""
    here = Path(__file__)
    path = os.pathsep.join([str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
    program = [sys.executable, str(here.with_name("late_worker.py")), dsn, *do]
    return subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})


def said(worker: subprocess.Popen[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(worker.communicate(timeout=HANGS_S)[0])
    return found


def test_any_worker_takes_the_answer_and_one_decides(server: Server) -> None:
    dsn = migrated(server)
    first = said(begun(dsn, "decide"))
    assert first["outcome"] == "review"
    (ticket,) = first["calls"]
    assert said(begun(dsn, "answer", ticket[:-4] + "0000", "fraud"))["code"] == "unknown-call"
    one, two = (
        said(worker) for worker in [begun(dsn, "answer", ticket, "fraud"), begun(dsn, "answer", ticket, "fraud")]
    )
    assert one["id"] == two["id"] and one["supersedes"] == two["supersedes"] == first["id"]
    assert one["outcome"] == "reject"
    assert said(begun(dsn, "answer", ticket, "clean"))["code"] == "answered-otherwise"
    again = said(begun(dsn, "decide"))
    assert (again["id"], again["calls"]) == (one["id"], [])
    assert [each.answer for each in replay(PostgresLog(dsn))] == ["identical"] * 2


def test_two_different_answers_at_once_leave_one(server: Server) -> None:
    dsn = migrated(server)
    (ticket,) = said(begun(dsn, "decide"))["calls"]
    found = [said(worker) for worker in [begun(dsn, "answer", ticket, "fraud"), begun(dsn, "answer", ticket, "clean")]]
    assert sorted(each.get("code", "decided") for each in found) == ["answered-otherwise", "decided"]
