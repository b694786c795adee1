"""An entry of a list that has ended, or is about to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

from adjudge.authoring.lint.finding import LintFinding, Severity
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.policy.typed import ListEntry

CODE = "expired-entry"
SOON = timedelta(days=14)
_SHOWN_MAX = 5


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find entries whose `until` has passed, and those whose passes within two weeks."""
    today = datetime.combine(subject.today, time(), UTC)
    for name, entries in subject.typed.entries.items():
        ending = sorted(entries, key=lambda entry: entry.until)
        over = [entry for entry in ending if entry.until <= today]
        soon = [entry for entry in ending if today < entry.until <= today + SOON]
        kinds: tuple[tuple[list[ListEntry], Severity, str], ...] = (
            (over, "warning", "ended on"), (soon, "note", "ends on"),
        )  # fmt: skip
        for found, severity, said in kinds:
            for at, entry in enumerate(found[:_SHOWN_MAX], 1):
                whose = f", by {entry.by}" if entry.by else ""
                message = f"`{entry.value}` in the list `{name}` {said} {entry.until.date()}{whose}"
                if at == _SHOWN_MAX < len(found):
                    message += f"; {len(found) - _SHOWN_MAX:,} more of the list do so"
                hint = "delete it, or move its `until`" if found is over else "if it is to stay, move its `until`"
                yield LintFinding(
                    code=CODE,
                    severity=severity,
                    message=message,
                    source=entry.source or subject.typed.source,
                    span=entry.span,
                    hint=hint,
                )
