"""Which ledger an engine has. What a ledger of files needs is imported only where there is one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from adjudge.errors import SetupError
from adjudge.ledger.local import LocalLedger
from adjudge.ledger.memory import MemoryLedger
from adjudge.plugin import DecisionLedger
from adjudge.system.given import check_kind, kind_of

if TYPE_CHECKING:
    from adjudge.audit.trail import AuditTrail


def ledger_for(
    ledger: DecisionLedger | None, trail: AuditTrail | None, answer_for_s: float, clock: Callable[[], datetime]
) -> DecisionLedger:
    """Return the ledger that was given, guarded where it is a plugin's; or one over a trail, or else in memory.

    Raises SetupError where both are given; AuditUnavailable and AuditBroken where the trail cannot be read.
    """
    if ledger is not None:
        if trail is not None:
            raise SetupError("a `ledger` has its own log: give it or a `trail`")
        if isinstance(ledger, LocalLedger):
            return ledger
        if not callable(getattr(ledger, "claim", None)):
            raise SetupError(f"`ledger` must be a DecisionLedger, not {kind_of(ledger)}")
        from adjudge.ledger.guarded import guarded

        return guarded(ledger)
    if trail is None:
        return MemoryLedger(answer_for_s=answer_for_s, clock=clock)
    from adjudge.audit.trail import AuditTrail
    from adjudge.ledger.file import FileLedger

    check_kind("trail", trail, AuditTrail, "an AuditTrail, such as `AuditTrail.open(directory)`")
    return FileLedger(trail, answer_for_s=answer_for_s, clock=clock)
