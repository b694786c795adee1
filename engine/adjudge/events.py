"""Operational events, told to structlog: what an operator watches. The audit log is another thing.

structlog is imported with the first event: it brings much along that a quiet process never needs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Events:
    """Tells events of one part of the engine. Values are facts for machines, never secrets or pictures."""

    logger: str

    def info(self, event: str, **facts: object) -> None:
        """Tell that something happened."""
        self._tell("info", event, facts)

    def warning(self, event: str, **facts: object) -> None:
        """Tell that something went wrong and was dealt with."""
        self._tell("warning", event, facts)

    def exception(self, event: str, **facts: object) -> None:
        """Tell that something raised, with its traceback; only inside an `except`."""
        self._tell("exception", event, facts)

    def _tell(self, level: str, event: str, facts: dict[str, object]) -> None:
        import structlog

        getattr(structlog.get_logger(self.logger), level)(event, **facts)
