"""Searches of decisions as the parameters of a URL, to them and from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from adjudge.documents.reviews import QUEUE_LIMIT, ReviewQuery
from adjudge.errors import EvaluationError, RequestError
from adjudge.model import SEARCH_LIMIT, DecisionQuery, Outcome
from adjudge.patterns import late
from adjudge.values.literals import format_timestamp, parse_timestamp

_TEXTS = ("merchant_biz_id", "policy", "rule", "reason", "missing", "tag", "waiver", "unknown")
PARAMETERS = (*_TEXTS, "outcome", "since", "until", "limit")
REVIEW_PARAMETERS = ("status", "policy", "reason", "holder", "since", "limit")
_LIMIT = late(r"[1-9][0-9]{0,4}")


def encode_query(query: DecisionQuery) -> dict[str, str]:
    """Return the parameters of a search."""
    said = {name: getattr(query, name) for name in PARAMETERS}
    return {name: _text(value) for name, value in said.items() if value is not None}


def decode_query(given: Mapping[str, str]) -> DecisionQuery:
    """Return the search that parameters ask for. Raises RequestError."""
    limit = given.get("limit", str(SEARCH_LIMIT))
    if not _LIMIT.fullmatch(limit):
        raise RequestError("must be a whole number above 0", where="limit")
    return DecisionQuery(
        **{name: given.get(name) for name in _TEXTS},
        outcome=cast(Outcome | None, given.get("outcome")),  # which DecisionQuery looks at
        since=_time(given, "since"),
        until=_time(given, "until"),
        limit=int(limit),
    )


def encode_review_query(query: ReviewQuery) -> dict[str, str]:
    """Return the parameters of a look at the queue of reviews."""
    said = {name: getattr(query, name) for name in REVIEW_PARAMETERS}
    return {name: _text(value) for name, value in said.items() if value is not None}


def decode_review_query(given: Mapping[str, str]) -> ReviewQuery:
    """Return the reviews that parameters ask for. Raises RequestError."""
    limit = given.get("limit", str(QUEUE_LIMIT))
    if not _LIMIT.fullmatch(limit):
        raise RequestError("must be a whole number above 0", where="limit")
    return ReviewQuery(
        status=given.get("status"),
        policy=given.get("policy"),
        reason=given.get("reason"),
        holder=given.get("holder"),
        since=_time(given, "since"),
        limit=int(limit),
    )


def _text(value: object) -> str:
    return format_timestamp(value) if isinstance(value, datetime) else str(value)


def _time(given: Mapping[str, str], name: str) -> datetime | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        return parse_timestamp(text, exact=False)
    except EvaluationError:
        way = "write it as 2026-01-31T00:00:00Z"
        raise RequestError("must be a time with a zone", where=name, hint=way) from None
