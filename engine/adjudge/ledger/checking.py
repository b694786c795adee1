"""Whether a ledger would answer now, asked so that it costs little, and writes no record."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from adjudge.errors import AuditUnavailable
from adjudge.plugin import NAMED, DecisionLedger
from adjudge.system.pools import NoThread, Pool

PROBE, PROBE_BYTES, PROBED_WITHIN_S = ".adjudge-probe", 4096, 2.0
"""A file that is written and removed beside a log that could not be written, to know whether it can be again."""

_probes = Pool("adjudge-probe", 1)

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


async def require_writable(folder: Path) -> None:
    """Raise AuditUnavailable where a file in a folder cannot be written now."""
    try:
        await _probes.run(lambda: _write(folder / PROBE), deadline_s=PROBED_WITHIN_S)
    except TimeoutError:
        raise AuditUnavailable("the disk of the log does not answer") from None
    except (OSError, NoThread) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise AuditUnavailable(f"the log cannot be written: {(why or type(error).__name__).lower()}") from None


def _write(path: Path) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, bytes(PROBE_BYTES))
            os.fsync(handle)
        finally:
            os.close(handle)
    finally:
        with suppress(OSError):
            path.unlink()
