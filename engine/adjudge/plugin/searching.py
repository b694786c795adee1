"""Searching decisions: what may be asked for, the page that comes back, and what a ledger offers for it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable

from adjudge.errors import RequestError
from adjudge.frozen import frozen
from adjudge.model import Decision, Outcome, check_merchant_biz_id

LIMIT, LIMIT_MAX = 50, 500
"""Decisions on a page, unless asked for otherwise, and at most."""
TEXT_MAX_CHARS = 512
"""Of the names that are searched for; no policy has longer ones."""


@frozen(kw_only=True)
class DecisionQuery:
    """Which decisions are wanted; what is left out does not matter. Raises RequestError.

    outcome: of the decision, which is not the verdict's where it was drawn for review. rule: matched. reason: a reason
    code. missing: a field or signal that was unknown and mattered, such as `device.score`.
    since, until: of when it was decided, aware; the first included, the second not. limit: decisions on a page.
    """

    merchant_biz_id: str | None = None
    outcome: Outcome | None = None
    policy: str | None = None
    rule: str | None = None
    reason: str | None = None
    missing: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = LIMIT

    def __post_init__(self) -> None:
        if self.merchant_biz_id is not None:
            check_merchant_biz_id(self.merchant_biz_id)
        if self.outcome is not None:
            try:
                object.__setattr__(self, "outcome", Outcome(self.outcome))  # a text will do
            except ValueError:
                raise RequestError("must be pass, review or reject", where="outcome") from None
        for name in ("policy", "rule", "reason", "missing"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and 0 < len(value) <= TEXT_MAX_CHARS):
                raise RequestError(f"must be a text of 1 to {TEXT_MAX_CHARS} characters", where=name)
        for name in ("since", "until"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, datetime) and value.tzinfo is not None):
                raise RequestError("must be a time with a zone", where=name)
        if type(self.limit) is not int or not 1 <= self.limit <= LIMIT_MAX:
            raise RequestError(f"must be a whole number from 1 to {LIMIT_MAX}", where="limit")


@frozen(kw_only=True)
class DecisionPage:
    """Decisions that were found, newest first. next: goes on behind them; None where there is nothing more.

    A page may hold fewer than `limit`, or none, and still have a `next`: so many records were looked at.
    """

    decisions: tuple[Decision, ...] = ()
    next: str | None = None


@runtime_checkable
class SearchableLedger(Protocol):
    """What a ledger may offer beside: without it, decisions are found by their ids alone."""

    async def search(self, query: DecisionQuery, after: str | None) -> DecisionPage:
        """Return decisions in the order in which they were recorded, newest first.

        after: the `next` of the page before; whatever was recorded since then is not on the pages that follow.
        Raises RequestError for one that is none, as `bad_cursor` makes it; AuditUnavailable and AuditBroken.
        """
        ...


def bad_cursor() -> RequestError:
    """Return what to raise for a `next` that no page of this search had."""
    return RequestError("is none that a page of this search ended with", where="cursor")


def no_search() -> RequestError:
    """Return what to raise where a ledger is no SearchableLedger."""
    return RequestError("this ledger finds decisions by their ids alone", where="search")
