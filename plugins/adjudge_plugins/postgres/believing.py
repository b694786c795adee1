"""What a worker believes of the records in the database: those that are what was written, and the newest."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from adjudge.ledger.kit import DecisionBody, MalformedLine, Proof, decision_of, decode, following, parse
from adjudge.plugin import AuditBroken, CallBody, Decision
from adjudge_plugins.postgres.database import Connections

_VERIFY = "`adjudge audit verify` says what was changed in the database"
_ROWS = 500
_BEHIND = (
    "select n.line from adjudge.records r join adjudge.records n on n.writer = r.writer"
    " where r.merchant_biz_id = %s and r.line = %s and n.seq > %s order by n.seq limit %s"
)


async def require_proof(connections: Connections, proof: Proof, line: bytes, of: str, what: str) -> None:
    """Raise AuditBroken where no key proves a record, nor one that follows it in its chain.

    of: the MerchantBizId that it is of. what: it is the record of, for the message.
    """
    record = end = parse(line)
    while not proof.holds(end):
        rows = await connections.rows(_BEHIND, (of, record.line, end.seq, _ROWS))
        for (behind,) in rows:
            later = following(behind, end.seq + 1, end.hash)
            if later is None:
                rows = []
                break
            end = later
            if proof.holds(end):
                return
        if not rows:
            why = "somebody else wrote it or changed it, or a worker did without `key` and `mac`"
            raise AuditBroken(f"no key proves the record of {what}: {why}; an earlier key belongs under `retired`")


def require_newest(decision: Decision, others: Sequence[bytes]) -> None:
    """Raise AuditBroken where another decision took the place of the one that answers. others: records of its id."""
    for line in others:
        other = body_of(line, decision.merchant_biz_id)
        if other.supersedes == decision.decision_id:
            said = f"the database answers MerchantBizId {decision.merchant_biz_id} with {decision.decision_id}"
            raise AuditBroken(f"{said}, though {other.decision_id} has superseded it: somebody put it back")


def body_of(line: bytes, of: str | None) -> DecisionBody:
    """Take the record of a decision apart, which has to be of the id that was asked for. Raises AuditBroken."""
    try:
        body = decision_of(parse(line))
    except (MalformedLine, AuditBroken) as error:
        raise AuditBroken(f"the record of the decision of {of} is not what was written: {error}; {_VERIFY}") from None
    if of not in (None, body.merchant_biz_id, body.decision_id):
        raise AuditBroken(f"the database has another's record for the decision of {of}; {_VERIFY}")
    return body


def call_of(line: bytes, of: str | None = None, prints: Collection[str | None] = ()) -> CallBody:
    """Take the record of a call apart, which has to be for a request where one is given. Raises AuditBroken.

    of, prints: the MerchantBizId and the fingerprints of the request.
    """
    try:
        record = parse(line)
        if record.kind != "call":
            raise AuditBroken(f"its kind is {record.kind}")
        call = decode(CallBody, record.seq, record.body)
    except (MalformedLine, AuditBroken) as error:
        raise AuditBroken(f"the record of a call is not what was written: {error}; {_VERIFY}") from None
    if of is not None and (call.merchant_biz_id != of or call.fingerprint not in prints):
        raise AuditBroken(f"the database has another's record for a call of {of}; {_VERIFY}")
    return call
