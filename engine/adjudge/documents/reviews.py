"""Reviews as JSON: what waits for a person, and what is to be done with it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

from adjudge.documents.annotations import decoded
from adjudge.documents.terms import DecisionId, MerchantBizId, PolicyName, Text, Timestamp, Who, said
from adjudge.errors import JsonError, RequestError
from adjudge.frozen import frozen

_T = TypeVar("_T")
ACTIONS = ("claim", "note", "release", "decide")
STATUSES = ("open", "claimed", "second", "decided")
QUEUE_LIMIT, QUEUE_LIMIT_MAX = 100, 2000
WITHIN_DAYS, WITHIN_DAYS_MAX = 14, 400
TEXT_MAX_CHARS = 512
Reason = Annotated[str, said("The code of why.", "FORGED_PICTURE", maxLength=64)]


class ReviewCommand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is to be done with a review."""

    action: Annotated[str, said("What to do.", "claim", enum=ACTIONS)]
    decision_id: DecisionId
    outcome: Annotated[str | None, said("To decide: what is to happen.", "pass", enum=["pass", "reject", None])] = None
    reason: Annotated[Reason, said("To decide: the code of why.")] = ""
    note: Text = ""
    by: Annotated[Who | None, said("Who does it, where that is not the caller.")] = None


class NoteDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wrote beside a review."""

    at: Timestamp
    by: Who
    note: Text


class LookDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What one person decided."""

    at: Timestamp
    by: Who
    outcome: Annotated[str, said("What is to happen.", "pass", enum=["pass", "reject"])]
    reason: Reason


class ReviewDocument(msgspec.Struct, frozen=True, kw_only=True):
    """How a review stands."""

    decision_id: DecisionId
    merchant_biz_id: MerchantBizId
    policy: PolicyName
    decided_at: Timestamp
    due: Annotated[Timestamp, said("When a person is to have decided.")]
    outcome: Annotated[str, said("What the policy came to: `reject` where a person has to confirm it.", "review")]
    reasons: Annotated[tuple[str, ...], said("Why a person is to look: reason codes.", ["DEVICE_SCORE"])]
    status: Annotated[str, said("How it stands; `second` waits for another person.", "open", enum=STATUSES)]
    holder: Annotated[Who | None, said("Who has claimed it.")] = None
    until: Annotated[Timestamp | None, said("When that claim lapses.")] = None
    notes: tuple[NoteDocument, ...] = ()
    first: Annotated[LookDocument | None, said("What was decided; hidden while a second person is to look.")] = None
    second: Annotated[LookDocument | None, said("What a second person decided, without being told of the first.")] = (
        None
    )
    decision: Annotated[DecisionId | None, said("The decision that took its place.")] = None
    agrees: Annotated[bool | None, said("Whether both decided the same.")] = None


class ReviewsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for a person, the oldest first."""

    reviews: tuple[ReviewDocument, ...]
    since: Annotated[Timestamp, said("Decisions before this were not looked for.")]
    complete: Annotated[bool, said("Whether all since then were looked at; there may be older ones otherwise.")]


@frozen(kw_only=True)
class ReviewQuery:
    """Which reviews are wanted; what is left out does not matter. Raises RequestError.

    status: one of STATUSES, or `due` for what is late; without it all that waits. policy, reason: of the decision.
    holder: who has claimed it. since: of when the decision was made, aware; 14 days ago unless given. limit: at most.
    """

    status: str | None = None
    policy: str | None = None
    reason: str | None = None
    holder: str | None = None
    since: datetime | None = None
    limit: int = QUEUE_LIMIT

    def __post_init__(self) -> None:
        if self.status not in (None, "due", *STATUSES):
            raise RequestError("must be open, claimed, second, decided or due", where="status")
        for name in ("policy", "reason", "holder"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and 0 < len(value) <= TEXT_MAX_CHARS):
                raise RequestError(f"must be a text of 1 to {TEXT_MAX_CHARS} characters", where=name)
        if self.since is not None and not (isinstance(self.since, datetime) and self.since.tzinfo is not None):
            raise RequestError("must be a time with a zone", where="since")
        if type(self.limit) is not int or not 1 <= self.limit <= QUEUE_LIMIT_MAX:
            raise RequestError(f"must be a whole number from 1 to {QUEUE_LIMIT_MAX}", where="limit")


def decode_act(document: bytes) -> ReviewCommand:
    """Return what a document asks for. Raises RequestError."""
    return decoded(document, ReviewCommand, "review")


def decode_reviews(document: bytes) -> ReviewsDocument:
    """Return the reviews that a document lists. Raises JsonError."""
    return _said(document, ReviewsDocument)


def decode_review(document: bytes) -> ReviewDocument:
    """Return the review that a document describes. Raises JsonError."""
    return _said(document, ReviewDocument)


def _said(document: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(document, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise JsonError(f"says nothing of reviews: {str(error)[:200].lower()}") from None
