"""Billed calls in the log: a record before each, a record after it, and which of them nobody knows the end of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

import msgspec

from adjudge.model import Signal

Billed = Literal["yes", "no", "unknown"]


class CallBody(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A call that costs money: `begun` before it is made, `ended` once it is known how it went.

    call_id: joins the two. fingerprint: of the request, as in its decision. attempt: 1 for the first try.
    at: aware UTC. price: of one such call, a string in JSON.
    The rest stands in the second record. status: as of a signal. billed: `unknown` where an answer was lost.
    answer: the signal, where there was an answer; a crash before the decision then loses nothing that was paid for.
    personal: full names of its fields that stand here as commitments.
    """

    call_id: str
    stage: Literal["begun", "ended"]
    merchant_biz_id: str
    fingerprint: str
    policy_digest: str
    signal: str
    provider: str
    version: str
    attempt: int
    price: Decimal
    currency: str
    at: datetime
    status: str | None = None
    billed: Billed | None = None
    reason: str | None = None
    reason_code: str | None = None
    request_id: str | None = None
    latency_ms: float | None = None
    answer: Signal | None = None
    personal: tuple[str, ...] = ()

    @property
    def is_in_doubt(self) -> bool:
        """Whether it may have been paid for without an answer."""
        return self.stage == "begun" or self.billed == "unknown"


@dataclass(slots=True)
class DaySpend:
    """Calls of one provider that were or may have been paid for, on one day of UTC."""

    calls: int = 0
    spent: Decimal = Decimal(0)


@dataclass(slots=True)
class OpenCalls:
    """Calls that no decision has taken up yet, and what each day cost. Feed it a log's records in order.

    spent: by provider and day. A day has one tally, however often the clock came by.
    """

    spent: dict[tuple[str, date], DaySpend] = field(default_factory=dict)
    _open: dict[tuple[str, str], dict[str, CallBody]] = field(default_factory=dict)

    def add(self, body: CallBody) -> None:
        """Take a record of a call."""
        request = (body.merchant_biz_id, body.fingerprint)
        calls = self._open.setdefault(request, {})
        begun = calls.get(body.call_id)
        if body.stage == "begun":
            self._count(body, 1)
        elif body.billed == "no" and begun is not None:  # where not, it was never counted: its record is too old
            self._count(begun, -1)
        calls[body.call_id] = body
        if body.billed == "no":
            del calls[body.call_id]
            if not calls:
                del self._open[request]

    def decided(self, merchant_biz_id: str, fingerprint: str) -> None:
        """Take note of a decision: it holds what the calls before it brought."""
        self._open.pop((merchant_biz_id, fingerprint), None)

    def of(self, merchant_biz_id: str, fingerprint: str) -> dict[str, CallBody]:
        """Return a request's calls that no decision holds, by signal: the answered one, or else one in doubt."""
        found: dict[str, CallBody] = {}
        for body in self._open.get((merchant_biz_id, fingerprint), {}).values():
            if body.answer is not None or body.signal not in found:
                found[body.signal] = body
        return found

    def undecided(self) -> Iterator[CallBody]:
        """Return the calls that no decision holds, in the order of their beginning."""
        for calls in self._open.values():
            yield from calls.values()

    def _count(self, body: CallBody, sign: int) -> None:
        tally = self.spent.setdefault((body.provider, body.at.astimezone(UTC).date()), DaySpend())
        tally.calls += sign
        tally.spent += sign * body.price


@dataclass(slots=True)
class Paid:
    """What calls of one provider on one day of UTC came to. paid: in `currency`, without those in doubt."""

    calls: int = 0
    billed: int = 0
    in_doubt: int = 0
    paid: Decimal = Decimal(0)
    doubtful: Decimal = Decimal(0)


@dataclass(slots=True)
class Bill:
    """The calls of a whole log, for people. Feed it records in order.

    days: by day, provider and currency. in_doubt: by call_id, with the number of the newest record.
    """

    days: dict[tuple[date, str, str], Paid] = field(default_factory=dict)
    in_doubt: dict[str, tuple[int, CallBody]] = field(default_factory=dict)
    _begun: dict[str, date] = field(default_factory=dict)

    def add(self, seq: int, body: CallBody) -> None:
        """Take a record of a call; it counts for the day on which it was begun."""
        if body.call_id not in self._begun:  # its beginning, or the whole of it where a part of the log is read
            self._begun[body.call_id] = body.at.date()
            paid = self._paid(body)
            paid.calls += 1
            paid.in_doubt += 1
            paid.doubtful += body.price
        paid = self._paid(body)
        if body.is_in_doubt:
            self.in_doubt[body.call_id] = (seq, body)
        else:
            self.in_doubt.pop(body.call_id, None)
            paid.in_doubt -= 1
            paid.doubtful -= body.price
        if body.billed == "yes":
            paid.billed += 1
            paid.paid += body.price
        if body.stage == "ended":
            del self._begun[body.call_id]

    def _paid(self, body: CallBody) -> Paid:
        return self.days.setdefault((self._begun[body.call_id], body.provider, body.currency), Paid())
