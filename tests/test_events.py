"""Operational events: what an operator sees, and never more."""

from __future__ import annotations

import logging

import pytest
import structlog
from structlog.testing import capture_logs

from adjudge.events import Events

events = Events("adjudge.test")


def test_events_carry_their_facts_and_level() -> None:
    with capture_logs() as seen:
        events.info("opened", file="x")
        events.warning("late", ms=5)
    assert seen == [
        {"event": "opened", "file": "x", "log_level": "info"},
        {"event": "late", "ms": 5, "log_level": "warning"},
    ]


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
