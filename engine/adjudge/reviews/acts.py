"""What may be done with a review, and the record that it leads to."""

from __future__ import annotations

from datetime import datetime, timedelta

from adjudge.audit.reviews import Act, ReviewBody
from adjudge.audit.rollouts import ENGINE
from adjudge.documents.reviews import ReviewCommand
from adjudge.errors import RequestError, listed
from adjudge.model import Outcome
from adjudge.patterns import late
from adjudge.reviews.settings import ReviewSettings
from adjudge.reviews.state import Review

ACTS_MAX = 200
"""Of one review."""
_REASON = late("[A-Z][A-Z0-9_]{0,63}")


def is_reason(code: str) -> bool:
    """Whether a text can be the code of why a person decided."""
    return _REASON.fullmatch(code) is not None


def next_act(
    command: ReviewCommand, by: str, review: Review, merchant_biz_id: str, settings: ReviewSettings, now: datetime
) -> ReviewBody:
    """Return the record of an act other than the one that ends a review. Raises RequestError where it cannot be done.

    now: aware UTC.
    """
    if by == ENGINE:
        raise RequestError(f"`{ENGINE}` is what the engine itself is called in records", where="by")
    if command.action != "decide":
        for name in ("outcome", "reason"):
            if getattr(command, name):
                raise RequestError("is for `decide` alone", where=name)
    if review.number >= ACTS_MAX and command.action != "decide":
        raise RequestError(f"the review has {ACTS_MAX} acts: decide", where="decision_id")

    def act(kind: Act, **said: object) -> ReviewBody:
        return ReviewBody(
            name=command.decision_id,
            number=review.number + 1,
            at=now,
            act=kind,
            by=by,
            merchant_biz_id=merchant_biz_id,
            **said,  # type: ignore[arg-type]
        )

    match command.action:
        case "claim":
            require_open_to(review, by)
            _require_not_held(review, by, now)
            return act("claimed", until=now + timedelta(seconds=settings.held_for_s))
        case "release":
            if review.held_by(now) != by:
                raise RequestError(f"`{by}` does not hold the review", where="decision_id")
            return act("released")
        case "note":
            if not command.note.strip():
                raise RequestError("must say something", where="note")
            return act("noted", note=command.note)
        case "decide":
            outcome = require_decision(command, review, by, settings, now)
            kind: Act = "decided" if review.decided is None else "second"
            return act(kind, outcome=outcome, reason=command.reason, note=command.note)
        case _:
            raise RequestError(f"`{command.action}` is not claim, note, release or decide", where="action")


def require_open_to(review: Review, by: str) -> None:
    """Raise RequestError where nothing is left to be decided by a person."""
    first = review.decided
    if first is None:
        return
    if not review.awaits_second:
        done = review.second or first
        raise RequestError(f"was decided by `{done.by}` at {done.at:%Y-%m-%d %H:%M} UTC", where="decision_id")
    if first.by == by:
        raise RequestError("you decided it: the second look is another person's", where="decision_id")


def _require_not_held(review: Review, by: str, now: datetime) -> None:
    holder = review.held_by(now)
    if holder is not None and holder != by:
        raise RequestError(f"is held by `{holder}` until {review.until:%Y-%m-%d %H:%M} UTC", where="decision_id")


def require_decision(
    command: ReviewCommand, review: Review, by: str, settings: ReviewSettings, now: datetime
) -> Outcome:
    """Return what a person decides. Raises RequestError where that is no decision, or not theirs to make."""
    require_open_to(review, by)
    if review.held_by(now) != by:
        _require_not_held(review, by, now)
        raise RequestError("claim the review first", where="decision_id")
    if command.outcome not in (Outcome.PASS, Outcome.REJECT):
        raise RequestError("must be pass or reject", where="outcome")
    outcome = Outcome(command.outcome)
    known = settings.reasons.get(outcome)
    if known and command.reason not in known:
        raise RequestError(f"must be {listed(known)}", where="reason")
    if not is_reason(command.reason):
        raise RequestError("must be a code of 1 to 64 capitals, digits and `_`, such as FORGED_PICTURE", where="reason")
    return outcome
