"""Named records in PostgreSQL: who writes the next one of a name has claimed that name, so that one of many does."""

from __future__ import annotations

from adjudge.ledger.kit import encode_body, in_order, named_record, overtaken, whole
from adjudge.plugin import Claim, LostClaim, NamedBody, NamedRecord
from adjudge_plugins.postgres.database import Connections
from adjudge_plugins.postgres.writer import Wanted, Writer

LEASE_S = 30.0
"""Seconds after which another holder may write the next record of a name."""
_NEWEST = "select name, number, line from adjudge.named where kind = %s and (%s::text is null or name = %s)"
_NOTED = "select coalesce(sum(number), 0)::bigint from adjudge.named where kind = %s"
_HISTORY = "select line from adjudge.records where merchant_biz_id = %s and kind = %s"


async def newest(asked: Connections, kind: str, name: str | None = None) -> dict[str, NamedRecord]:
    """Return the newest record of each name, or of one. Raises AuditUnavailable."""
    rows = await asked.rows(_NEWEST, (kind, name, name))
    return {one: NamedRecord(kind=kind, name=one, number=number, line=bytes(line)) for one, number, line in rows}


async def history(asked: Connections, kind: str, name: str) -> tuple[NamedRecord, ...]:
    """Return all records of a name that are here, by their numbers. Raises AuditUnavailable and AuditBroken."""
    rows = await asked.rows(_HISTORY, (f"{kind}:{name}", kind))
    found = (named_record(whole(bytes(line))) for (line,) in rows)
    return in_order(one for one in found if one is not None and one.name == name)


async def noted(asked: Connections, kind: str) -> int:
    """Return how many records of a kind there are. Raises AuditUnavailable."""
    ((count,),) = await asked.rows(_NOTED, (kind,))
    return int(count)


async def write_next(asked: Connections, writer: Writer, claim: Claim, kind: str, record: NamedBody) -> NamedRecord:
    """Write a record, if it is the next one of a name that is claimed.

    Raises Overtaken, AuditUnavailable and AuditBroken.
    """
    known = (await newest(asked, kind, record.name)).get(record.name)
    if record.number != (1 if known is None else known.number + 1):
        raise overtaken(kind, record.name)
    wanted = Wanted(kind=kind, members=encode_body(record), merchant_biz_id=claim.merchant_biz_id, claim=claim)
    try:
        written = await writer.write(wanted)
    except LostClaim:  # whoever has it now may write another
        raise overtaken(kind, record.name) from None
    return NamedRecord(kind=kind, name=record.name, number=record.number, line=written.receipt.line)
