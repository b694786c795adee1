"""After a restart: what the end of the log still answers."""

from __future__ import annotations

from datetime import datetime

from msgspec import structs

from adjudge.audit.annotations import LabelBody
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
        if isinstance(body, LabelBody):
            kept = store.get(body.merchant_biz_id) if store is not None and body.confirms else None
            if store is not None and kept is not None and kept.decision_id == body.decision_id and not kept.final:
                age_s = max(0.0, (now - kept.decided_at).total_seconds())
                store.put(structs.replace(kept, final=True), age_s=age_s)
            continue
        calls.decided(body.merchant_biz_id, body.fingerprint)
        age_s = max(0.0, (now - body.at).total_seconds())
        if store is not None and age_s <= store.ttl_s:
            store.put(trail.restored(body), age_s=age_s)
