"""Telling operational events on stderr: as lines for people or JSON for programs, none of which can forge another."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from adjudge.cli.output import JSON, TEXT
from adjudge.events import Events, configure_late, kind_and_place
from adjudge.texts import one_line

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_MESSAGE_MAX = 300
_Event = MutableMapping[str, Any]
_events = Events("adjudge.libraries")


def tell_events(*, level: int, form: str = TEXT) -> None:
    """Have operational events of a level, and of those above it, told on stderr.

    structlog is imported with the first of them: most runs have none, and it brings more along than all else together.
    """
    configure_late(partial(_configure_structlog, level, form))


@contextmanager
def libraries_told() -> Iterator[None]:
    """Have what libraries warn of told as events meanwhile, so that every line of a log has its form."""
    handler, root = _AsEvents(logging.WARNING), logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


def _configure_structlog(level: int, form: str) -> None:
    import structlog

    is_json = form == JSON
    rendered: Callable[..., Any] = _in_json if is_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso" if is_json else "%H:%M:%S", utc=is_json),
            *([] if is_json else [_one_line_each]),  # JSON hides nothing by itself
            rendered,  # without colours: what colours a line could also forge one
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def _one_line_each(logger: object, method: str, event: _Event) -> _Event:
    """Keep what others wrote from beginning a line of its own."""
    return {key: one_line(value) if isinstance(value, str) else value for key, value in event.items()}


def _in_json(logger: object, method: str, event: _Event) -> str:
    """Return an event as one line of ASCII: time, level and name first."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "event") if name in event}
    return json.dumps({**first, **event}, default=str)


class _AsEvents(logging.Handler):
    """Tells what a library logs: the first line of its message, and of an exception its kind and place alone."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            said = record.getMessage().partition("\n")[0][:_MESSAGE_MAX]  # what no log is to hold may stand below
        except Exception:
            said = "what cannot be shown"
        facts: dict[str, object] = {"library": record.name, "said": said}
        if record.exc_info and record.exc_info[1] is not None:
            facts |= kind_and_place(record.exc_info[1])
        (_events.error if record.levelno >= logging.ERROR else _events.warning)("library_warned", **facts)
