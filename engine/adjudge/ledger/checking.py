"""Whether a ledger would answer now, asked so that it costs little and writes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from adjudge.plugin import NAMED, DecisionLedger

NOBODYS = "0" * 32
"""An id that no decision has."""


async def check_ledger(ledger: DecisionLedger) -> None:
    """Raise what a ledger would raise now. It may know how to tell, and is asked something cheap otherwise."""
    check: Callable[[], Awaitable[None]] | None = getattr(ledger, "check", None)
    if check is not None:
        await check()
    elif hasattr(ledger, "noted"):
        await ledger.noted(NAMED[0])
    else:
        await ledger.find(decision_id=NOBODYS)
