"""Operational events: what an operator sees, and never more."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pytest
import structlog
from structlog.testing import capture_logs

from adjudge.events import Events, bound
from adjudge.system.pools import Pool

events = Events("adjudge.test")


def test_events_carry_their_facts_and_level() -> None:
    with capture_logs() as seen:
        events.info("opened", file="x")
        events.warning("late", ms=5)
    assert seen == [
        {"event": "opened", "file": "x", "log_level": "info"},
        {"event": "late", "ms": 5, "log_level": "warning"},
    ]


def test_events_know_what_is_bound_around_them_in_tasks_and_threads_too() -> None:
    """Whoever reads an event finds the decision that it belongs to; nested facts go before outer ones."""

    async def main() -> None:
        with bound(decision_id="d1", of="outer"):
            later = asyncio.create_task(tell())
            with bound(of="inner"):
                events.info("here")
            pool = Pool("adjudge-events", 1)
            await pool.run(lambda: events.info("in a thread"), deadline_s=60)
            pool.close()
        await later
        events.info("outside")

    async def tell() -> None:
        await asyncio.sleep(0)
        events.info("in a task", of="its own")

    with capture_logs() as seen:
        asyncio.run(main())
    found = {event["event"]: (event.get("decision_id"), event.get("of")) for event in seen}
    assert found == {
        "here": ("d1", "inner"),
        "in a thread": ("d1", "outer"),
        "in a task": ("d1", "its own"),
        "outside": (None, None),
    }


def test_events_print_nothing_to_standard_output_by_themselves() -> None:
    """Warnings reach standard error through Python's logging, as a library's do, until a service configures either."""
    program = "from adjudge.events import Events\nEvents('adjudge.test').warning('late', ms=5)\n"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert (ended.stdout, ended.stderr) == ("", "late ms=5\n")


def test_events_exception_tells_kind_and_place_never_the_text() -> None:
    with capture_logs() as seen:
        try:
            raise ValueError("hunter2")
        except ValueError:
            events.exception("failed", part="x")
        events.exception("outside")
    at = seen[0].pop("at")
    assert at.startswith("test_events.py:")
    assert seen[0] == {"event": "failed", "part": "x", "error": "ValueError", "log_level": "error"}
    assert (seen[1]["error"], seen[1]["at"]) == ("NoneType", "")


def test_events_go_to_logging_where_nobody_configured_structlog(caplog: pytest.LogCaptureFixture) -> None:
    structlog.reset_defaults()
    events.warning("late", ms=5)
    events.exception("failed")
    assert [(one.name, one.levelname) for one in caplog.records] == [
        ("adjudge.test", "WARNING"),
        ("adjudge.test", "ERROR"),
    ]
    assert caplog.records[0].getMessage() == "late ms=5"


@pytest.mark.parametrize("is_configured", [True, False])
def test_events_that_cannot_be_told_stop_nothing(monkeypatch: pytest.MonkeyPatch, is_configured: bool) -> None:
    def closed(*names: str) -> None:
        raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(structlog, "is_configured", lambda: is_configured)
    monkeypatch.setattr(structlog, "get_logger", closed)
    monkeypatch.setattr(logging, "getLogger", closed)
    events.warning("late")
    monkeypatch.undo()
