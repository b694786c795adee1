"""Cursors of searches: where a page ended and of which search, as one text that its bearer need not understand."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import fields
from hashlib import blake2b

from adjudge.patterns import late
from adjudge.plugin import DecisionPage, DecisionQuery, SearchableLedger, bad_cursor, no_search

_FORM = late(r"[0-9A-Za-z_-]{12,256}")
_DIGEST_BYTES = 8


async def searched(ledger: object, query: DecisionQuery, cursor: str | None) -> DecisionPage:
    """Return a page of a ledger, whose `next` is a cursor. Raises RequestError where it cannot be searched."""
    if not isinstance(ledger, SearchableLedger):
        raise no_search()
    page = await ledger.search(query, position_of(query, cursor))
    return DecisionPage(decisions=page.decisions, next=cursor_of(query, page.next))


def cursor_of(query: DecisionQuery, position: str | None) -> str | None:
    """Return the cursor of a ledger's position; None where there are no more pages."""
    if position is None:
        return None
    return urlsafe_b64encode(_digest(query) + position.encode()).decode().rstrip("=")


def position_of(query: DecisionQuery, cursor: str | None) -> str | None:
    """Return the ledger's position of a cursor. Raises RequestError for one that is none, or another search's."""
    if cursor is None:
        return None
    if not isinstance(cursor, str) or not _FORM.fullmatch(cursor):
        raise bad_cursor()
    try:
        found = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        position = found[_DIGEST_BYTES:].decode("ascii")
    except ValueError:
        raise bad_cursor() from None
    if not position.isprintable() or cursor_of(query, position) != cursor:  # of this search, in the one form
        raise bad_cursor()
    return position


def _digest(query: DecisionQuery) -> bytes:
    """Return what tells searches apart; how long a page is may change from one to the next."""
    said = [repr(getattr(query, one.name)) for one in fields(query) if one.name != "limit"]
    return blake2b("\n".join(said).encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
