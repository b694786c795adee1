"""Billed calls in the log: a record before each, a record after it, and which of them nobody knows the end of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import Decimal

from adjudge.audit.record import Place
from adjudge.plugin import CallBody, DaySpend


@dataclass(slots=True)
class OpenCalls:
    """Calls that no decision has taken up yet, and what each day cost. Feed it a log's records in order.

    spent: by provider and day. A day has one tally, however often the clock came by.
    """

    spent: dict[tuple[str, date], DaySpend] = field(default_factory=dict)
    _open: dict[str, dict[str, CallBody]] = field(default_factory=dict)

    def add(self, body: CallBody) -> None:
        """Take a record of a call."""
        calls = self._open.setdefault(body.merchant_biz_id, {})
        begun = calls.get(body.call_id)
        if body.stage == "begun":
            self._count(body, 1)
        elif body.billed == "no" and begun is not None:  # where not, it was never counted: its record is too old
            self._count(begun, -1)
        self.restore(body)

    def restore(self, body: CallBody) -> None:
        """Take the newest record of a call that is counted in `spent` already."""
        calls = self._open.setdefault(body.merchant_biz_id, {})
        calls[body.call_id] = body
        if body.billed == "no":
            self._drop(body.merchant_biz_id, [body.call_id])

    def decided(self, merchant_biz_id: str, fingerprint: str) -> list[str]:
        """Take note of a decision, which holds what the calls before it brought, and return their ids."""
        calls = self._open.get(merchant_biz_id, {})
        taken_up = [call_id for call_id, body in calls.items() if body.fingerprint == fingerprint]
        self._drop(merchant_biz_id, taken_up)
        return taken_up

    def has(self, merchant_biz_id: str) -> bool:
        """Whether there are calls of an id that no decision holds."""
        return merchant_biz_id in self._open

    def of(self, merchant_biz_id: str, fingerprint: str) -> dict[str, CallBody]:
        """Return a request's calls that no decision holds, by signal: the answered one, or else one in doubt."""
        found: dict[str, CallBody] = {}
        for body in self._open.get(merchant_biz_id, {}).values():
            if body.fingerprint == fingerprint and (body.answer is not None or body.signal not in found):
                found[body.signal] = body
        return found

    def undecided(self) -> Iterator[CallBody]:
        """Return the calls that no decision holds, in the order of their beginning."""
        for calls in self._open.values():
            yield from calls.values()

    def copy(self) -> OpenCalls:
        """Return the same calls and days, to go on from."""
        spent = {of: DaySpend(tally.calls, tally.spent) for of, tally in self.spent.items()}
        return OpenCalls(spent, {of: dict(calls) for of, calls in self._open.items()})

    def _drop(self, merchant_biz_id: str, call_ids: Iterable[str]) -> None:
        calls = self._open.get(merchant_biz_id, {})
        for call_id in call_ids:
            del calls[call_id]
        if not calls:
            self._open.pop(merchant_biz_id, None)

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

    days: by day, provider and currency. in_doubt: by call_id, with the place of the newest record.
    """

    days: dict[tuple[date, str, str], Paid] = field(default_factory=dict)
    in_doubt: dict[str, tuple[Place, CallBody]] = field(default_factory=dict)
    _begun: dict[str, date] = field(default_factory=dict)

    def add(self, place: Place, body: CallBody) -> None:
        """Take a record of a call; it counts for the day on which it was begun."""
        if body.call_id not in self._begun:  # its beginning, or the whole of it where a part of the log is read
            self._begun[body.call_id] = body.at.date()
            paid = self._paid(body)
            paid.calls += 1
            paid.in_doubt += 1
            paid.doubtful += body.price
        paid = self._paid(body)
        if body.is_in_doubt:
            self.in_doubt[body.call_id] = (place, body)
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
