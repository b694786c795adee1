"""The ledger of an engine without an audit log: decisions answer while memory holds them, and nothing is recorded."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from adjudge.audit.bodies import DecisionBody, PolicyBody
from adjudge.audit.record import FIRST_PREV, Record, encode, encode_body, parse
from adjudge.errors import AuditUnavailable
from adjudge.ledger.local import LocalLedger
from adjudge.ledger.memory_records import MemoryRecords
from adjudge.ledger.restoring import decision_of
from adjudge.ledger.searching import whole
from adjudge.plugin import Body, DecisionQuery, NamedRecord, Receipt

_NAMES_MAX = 10_000
"""Names of which all records are kept."""
_LOOSE = 10_000
"""Ids beyond twice those in the front whose personal values may be kept: some are being decided."""

_POLICIES = 100
"""Policies whose newest records are kept."""


class MemoryLedger(LocalLedger):
    """Keeps the newest decisions in memory. Its records are chained as in a log, and forgotten."""

    durability = "none"
    notes: tuple[str, ...] = ("not recorded: the engine has no audit log",)
    lost = 0
    is_immediate = True

    def __init__(self, **parts: Any) -> None:
        """parts: as of LocalLedger."""
        super().__init__(**parts)
        self.key = secrets.token_bytes(32)
        self._seq, self._hash = 0, FIRST_PREV
        self._personal: dict[str, dict[str, object]] = {}
        self._records: MemoryRecords | None = None
        self._policies: dict[str, bytes] = {}
        self._histories: dict[tuple[str, str], list[bytes]] = {}

    async def open(self) -> None:
        """Do nothing: there is nothing to wait for."""

    async def aclose(self) -> None:
        """Do nothing: there is nothing to let go."""

    def close(self) -> None:
        """Do nothing: there is nothing to let go."""

    async def record(self, kind: str, body: Body) -> Receipt:
        """Chain a record, and keep it for readers alone."""
        line, self._hash = encode(kind, self._seq + 1, self._hash, encode_body(body))
        self._seq += 1
        if isinstance(body, PolicyBody):
            self._policies.pop(body.digest, None)
            self._policies[body.digest] = line
            if len(self._policies) > _POLICIES:
                del self._policies[next(iter(self._policies))]
        if self._records is not None:
            self._records.add(kind, self._seq, self._hash.decode(), line)
        return Receipt(seq=self._seq, hash=self._hash.decode(), line=line)

    def records(self) -> MemoryRecords:
        """Keep the newest records for readers from now on, and hand them out."""
        if self._records is None:
            self._records = MemoryRecords()
        return self._records

    async def label(self, decision_id: str, merchant_biz_id: str, record: Body, *, confirms: bool) -> None:
        """Refuse: a label is for a log."""
        raise AuditUnavailable("the engine has no audit log, and so no place for labels")

    @asynccontextmanager
    async def sealed(self, subject: str, values: Mapping[str, object]) -> AsyncIterator[Mapping[str, str]]:
        """Keep personal values of a MerchantBizId as long as its decision, and give their commitments."""
        if len(self._personal) > 2 * len(self._front) + _LOOSE:  # the front has let many decisions go
            self._personal = {one: self._personal[one] for one in self._personal if one in self._front}
        commitments = {name: f"memory:{secrets.token_hex(16)}" for name in values}
        kept = self._personal.setdefault(subject, {})
        kept.update((commitments[name], value) for name, value in values.items())
        yield commitments

    async def erase(self, merchant_biz_id: str, record: Callable[[tuple[str, ...]], Body]) -> int:
        """Forget the personal values of a MerchantBizId."""
        return len(self._personal.pop(merchant_biz_id, {}))

    def _by_name(self, kind: str, name: str) -> Sequence[Record]:
        return [parse(line) for line in self._histories.get((kind, name), ())]

    def _took(self, record: NamedRecord) -> None:
        if (record.kind, record.name) not in self._histories and len(self._histories) >= _NAMES_MAX:
            del self._histories[next(iter(self._histories))]  # the oldest
        self._histories.setdefault((record.kind, record.name), []).append(record.line)

    def _lines_of(self, decision_id: str) -> tuple[bytes, None] | None:
        sought = f'"decision_id":"{decision_id}"'.encode()
        found = (line for line in [*self._front.values()] if sought in line)
        return next(((line, None) for line in found if decision_of(parse(line)).decision_id == decision_id), None)

    def _policy_of(self, digest: str) -> bytes | None:
        return self._policies.get(digest)

    def _newest_first(self, query: DecisionQuery, before: int) -> Iterator[tuple[int, bytes]]:
        kept = [*self._front.values()]  # before a thread goes through them
        return (one for one in _sorted(kept) if one[0] < before)

    def _checked(self, place: int, line: bytes) -> DecisionBody:
        return decision_of(whole(line))

    def _stored(self, merchant_biz_id: str) -> None:
        return None

    def _decision(self, decision_id: str) -> DecisionBody | None:
        for line in self._front.values():
            if decision_id.encode() in line and (body := decision_of(parse(line))).decision_id == decision_id:
                return body
        return None

    def _is_confirmed(self, body: DecisionBody) -> bool:
        return False

    async def _revealed(self, merchant_biz_id: str, commitments: Sequence[str]) -> dict[str, object]:
        kept = self._personal.get(merchant_biz_id, {})
        return {one: kept[one] for one in commitments if one in kept}


def _sorted(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield records by their number, newest first."""
    yield from sorted({parse(line).seq: line for line in lines}.items(), reverse=True)
