"""What an engine answered without a new record, which no reader of the log can count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from adjudge.errors import AdjudgeError, AuditUnavailable
from adjudge.model import Decision


@dataclass(slots=True)
class Tally:
    """Of one engine, since it was made.

    duplicates: requests that were answered with a decision that there was. refused: requests for decisions that ended
    in an error, by its code. is_recording: False from when the log could not be written or read until it could.
    """

    duplicates: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    is_recording: bool = True

    def answered(self, decision: Decision) -> None:
        """Take note of an answer."""
        if decision.status == "duplicate":
            self.duplicates += 1
        else:
            self.is_recording = True

    def raised(self, error: AdjudgeError) -> None:
        """Take note of an error."""
        self.refused[error.code] += 1
        if isinstance(error, AuditUnavailable):
            self.is_recording = False
