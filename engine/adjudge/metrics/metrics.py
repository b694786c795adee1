"""One registry, and the reader of the log that counts decisions in it."""

from __future__ import annotations

from collections.abc import Sequence

from adjudge.metrics.decisions import Decisions
from adjudge.metrics.engines import Engines, Watched
from adjudge.plugin import LogRecord, Position

READER = "prometheus"
"""Its name among the readers of an engine that nobody gave one."""


class Metrics:
    """Counts decisions in a registry of its own. Free to use by many engines: it is a reader of their logs.

    Counted are the decisions that this process records from its start on.
    """

    of_process = True

    def __init__(self) -> None:
        """Make the counters. Raises ImportError where prometheus-client is missing."""
        from prometheus_client import CollectorRegistry

        self.registry = CollectorRegistry()
        self._decisions = Decisions(self.registry)
        self._engines = Engines()
        self.registry.register(self._engines)
        self._held: dict[str, Position] = {}

    def open(self, end: Position) -> Position:
        """Say that all is counted up to what was counted last, and of a log that is new here, up to its end."""
        return self._held.get(end.log, end)

    def take(self, records: Sequence[LogRecord]) -> None:
        """Count the decisions among records."""
        for record in records:
            if record.kind == "decision":
                self._decisions.count(record.line)
            self._held[record.log] = record.position

    def watch_engine(self, engine: Watched) -> None:
        """Show what an engine has to show, as long as that lives."""
        self._engines.add(engine)

    def close(self) -> None:
        """Do nothing: what was counted stays, for other engines too."""
