"""Searching decisions: what a ledger offers for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Protocol, runtime_checkable

from adjudge.errors import RequestError
from adjudge.frozen import frozen
from adjudge.model import DecisionPage, DecisionQuery


@runtime_checkable
class SearchableLedger(Protocol):
    """What a ledger may offer beside: without it, decisions are found by their ids alone."""

    async def search(self, query: DecisionQuery, after: str | None) -> DecisionPage:
        """Return decisions in the order in which they were recorded, newest first.

        after: the `next` of the page before; whatever was recorded since then is not on the pages that follow.
        Raises RequestError for one that is none, as `bad_cursor` makes it; AuditUnavailable and AuditBroken.
        """
        ...


@frozen(kw_only=True)
class Evidence:
    """What a log has of a decision, for saying why it came out so.

    decision, policy: their records; policy is None where the ledger keeps none. values: the personal values of the
    decision that are still kept, by their commitments. is_confirmed: whether its newest label confirms it.
    """

    decision: bytes = field(repr=False)
    policy: bytes | None = field(default=None, repr=False)
    values: Mapping[str, object] = field(default_factory=dict, repr=False)
    is_confirmed: bool = False


@runtime_checkable
class ExplainableLedger(Protocol):
    """What a ledger may offer beside: without it, its decisions are explained by the command line alone."""

    async def evidence(self, decision_id: str) -> Evidence | None:
        """Return what there is of a decision; None where there is none. Raises AuditUnavailable and AuditBroken."""
        ...


def bad_cursor() -> RequestError:
    """Return what to raise for a `next` that no page of this search had."""
    return RequestError("is none that a page of this search ended with", where="cursor")


def no_search() -> RequestError:
    """Return what to raise where a ledger is no SearchableLedger."""
    return RequestError("this ledger finds decisions by their ids alone", where="search")
