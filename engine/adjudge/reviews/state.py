"""How a review stands: folded from its records, and from nothing else."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import datetime

from adjudge.audit.reviews import ReviewBody, ReviewNote
from adjudge.frozen import frozen


@frozen(kw_only=True)
class Review:
    """How a review stands after its acts.

    number: of the newest act; 0 before the first. holder, until: who claimed it last and has not given it back; the
    claim counts until then. decided: what the first person decided, and second: what another one did.
    """

    number: int = 0
    holder: str | None = None
    until: datetime | None = None
    notes: tuple[ReviewNote, ...] = ()
    decided: ReviewBody | None = None
    second: ReviewBody | None = None

    def held_by(self, now: datetime) -> str | None:
        """Return who holds it. now: aware."""
        return self.holder if self.until is not None and now < self.until else None

    @property
    def awaits_second(self) -> bool:
        """Whether a second person is to look."""
        return self.decided is not None and self.decided.again and self.second is None

    @property
    def agrees(self) -> bool | None:
        """Whether both decided the same; None where there is only one."""
        if self.decided is None or self.second is None:
            return None
        return self.decided.outcome is self.second.outcome


def folded(acts: Iterable[ReviewBody]) -> Review:
    """Return how a review stands after its acts, in whatever order they come.

    What cannot follow what was before it, which nobody writes here, changes nothing: a second `decided`, and a `second`
    by nobody else.
    """
    number, holder, until = 0, None, None
    notes: list[ReviewNote] = []
    decided: ReviewBody | None = None
    second: ReviewBody | None = None
    for act in sorted(acts, key=lambda one: one.number):
        number = act.number
        if act.note:
            notes.append(ReviewNote(act.at, act.by, act.note))
        if act.act == "claimed":
            holder, until = act.by, act.until
        elif act.act == "released":
            holder, until = None, None
        elif act.act == "decided" and decided is None:
            decided, holder, until = act, None, None
        elif act.act == "second" and decided is not None and second is None and act.by != decided.by:
            second, holder, until = act, None, None
    return Review(number=number, holder=holder, until=until, notes=tuple(notes), decided=decided, second=second)


def is_drawn(key: bytes, merchant_biz_id: str, share: float) -> bool:
    """Whether a second person is to look at the review of an id: always, or never, at the same share.

    key: a secret of this installation, so that nobody can tell beforehand whose reviews are looked at twice.
    """
    digest = hmac.digest(key, b"review\0" + merchant_biz_id.encode(), "sha256")
    return int.from_bytes(digest[:7], "big") / 2**56 < share
