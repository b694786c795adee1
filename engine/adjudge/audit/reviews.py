"""What is recorded of reviews: who took one, what they noted, and what they decided."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from adjudge.model import Outcome
from adjudge.plugin import NamedBody

REVIEW = "review"
Act = Literal["claimed", "noted", "released", "decided", "second"]


class ReviewBody(NamedBody, frozen=True, omit_defaults=True, kw_only=True):
    """One act of a review. name: the decision_id of what is reviewed. number: of its acts, from 1.

    at: aware UTC. by: who did it. until: of `claimed`, when the claim lapses.
    outcome, reason: of `decided` and `second`: what the person decided, and the code of why.
    decision: of `decided`, the decision that took the place of the reviewed one. again: of `decided`, whether a second
    person is to look, without being told what the first one decided. note: of `noted`, `decided` and `second`.
    """

    at: datetime
    act: Act
    by: str
    merchant_biz_id: str
    until: datetime | None = None
    outcome: Outcome | None = None
    reason: str = ""
    decision: str = ""
    again: bool = False
    note: str = ""


class ReviewNote(msgspec.Struct, frozen=True):
    """What somebody wrote beside a review."""

    at: datetime
    by: str
    note: str
