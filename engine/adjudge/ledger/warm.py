"""After a restart: what the end of the log still answers."""

from __future__ import annotations

from datetime import datetime

from adjudge.audit.calls import CallBody, OpenCalls
from adjudge.audit.trail import AuditTrail
from adjudge.ledger.memory import MemoryStore


def warm(trail: AuditTrail, store: MemoryStore | None, calls: OpenCalls, now: datetime) -> None:
    """Fill a store from the end of the log, so that a retry after a crash gets the answer it was given.

    store: None where another one keeps decisions. calls: takes the calls that no decision holds. now: aware UTC.
    Raises AuditBroken, and AuditUnavailable where the log or the vault cannot be read.
    """
    for body in trail.recent():
        if isinstance(body, CallBody):
            calls.add(body)
            continue
        calls.decided(body.merchant_biz_id, body.fingerprint)
        age_s = max(0.0, (now - body.at).total_seconds())
        if store is not None and age_s <= store.ttl_s:
            store.put(trail.restored(body), age_s=age_s)
