"""Operational events, told to structlog: what an operator watches. The audit log is another thing.

Where nobody has configured structlog, events go to Python's own logging: an embedded library prints nothing by itself.
structlog is imported with the first event: it brings much along that a quiet process never needs.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import PurePath

from adjudge.frozen import frozen

_configure: list[Callable[[], None]] = []
"""What configures structlog for a program of ours, once there is something to tell."""
_bound: ContextVar[Mapping[str, object]] = ContextVar("adjudge_bound", default={})  # noqa: B039  # nobody changes it


def configure_late(configure: Callable[[], None]) -> None:
    """Have structlog configured when the first event is told, or at `configured`; with what was given last."""
    _configure[:] = [configure]


def configured() -> None:
    """Configure structlog now, if that is still to be done."""
    while _configure:
        _configure.pop()()


class bound:  # noqa: N801  # it is used as a function is, and twice as fast as one of contextlib
    """Add facts, such as a decision_id, to every event that is told inside, in the tasks begun there too."""

    __slots__ = ("_before", "_facts")

    def __init__(self, **facts: object) -> None:
        self._facts = facts

    def __enter__(self) -> None:
        outer = _bound.get()
        self._before = _bound.set({**outer, **self._facts} if outer else self._facts)

    def __exit__(self, *how: object) -> None:
        _bound.reset(self._before)


def bind(**facts: object) -> None:
    """Add facts to every event that is told from here on, until the `bound` around this ends."""
    _bound.set({**_bound.get(), **facts})


def kind_and_place(error: BaseException | None) -> dict[str, str]:
    """Return what an event says of an error."""
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    at = f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return {"error": type(error).__name__, "at": at}


@frozen
class Events:
    """Tells events of one part of the engine. Values are facts for machines, never secrets or pictures.

    Telling never raises: an operational log that fails, such as a closed stdout, must stop nothing.
    """

    logger: str

    def info(self, event: str, **facts: object) -> None:
        """Tell that something happened."""
        self._tell("info", event, facts)

    def warning(self, event: str, **facts: object) -> None:
        """Tell that something went wrong and was dealt with."""
        self._tell("warning", event, facts)

    def error(self, event: str, **facts: object) -> None:
        """Tell that something is wrong that a person has to mend."""
        self._tell("error", event, facts)

    def exception(self, event: str, **facts: object) -> None:
        """Tell that something raised: what kind of error, and where; only inside an `except`.

        An exception's text, and the variables that a traceback can show, may hold secrets and personal data.
        """
        self._tell("error", event, {**facts, **kind_and_place(sys.exception())})

    def _tell(self, level: str, event: str, facts: dict[str, object]) -> None:
        facts = {**_bound.get(), **facts}
        try:
            import structlog

            configured()
            if structlog.is_configured():
                getattr(structlog.get_logger(self.logger), level)(event, **facts)
            else:
                said = " ".join(f"{name}={value!r}" for name, value in facts.items())
                getattr(logging.getLogger(self.logger), level)("%s %s", event, said)
        except Exception:  # noqa: S110  # there is nobody left to tell
            pass
