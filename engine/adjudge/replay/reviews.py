"""What a log has of reviews: what waited, what people decided, how long it took, and how often two agreed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from adjudge.audit.bodies import DecisionBody
from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.kinds import bodies
from adjudge.audit.reviews import ReviewBody
from adjudge.model import Outcome
from adjudge.reviews.state import folded


@dataclass(slots=True)
class ReviewReport:
    """waiting: decisions for a person that neither a person nor another decision has followed.

    decided: by outcome and reason code; people: by who decided. waited_s: seconds until each was decided.
    second: reviews at which a second person looked, and agreed: of these, with the same outcome; apart: decision_ids of
    the others, the first ones alone.
    """

    waiting: int = 0
    decided: Counter[tuple[Outcome, str]] = field(default_factory=Counter)
    people: Counter[str] = field(default_factory=Counter)
    waited_s: list[float] = field(default_factory=list)
    second: int = 0
    agreed: int = 0
    apart: list[str] = field(default_factory=list)

    @property
    def median_s(self) -> float | None:
        """Seconds until half of what was decided was decided; None where nothing was."""
        return median(self.waited_s) if self.waited_s else None


_APART_MAX = 20


def review_report(log: AnyLog) -> ReviewReport:
    """Count the reviews of a log. Raises as `records`. Keeps an entry for each decision that is for a person."""
    found = ReviewReport()
    waiting: dict[str, datetime] = {}
    acts: dict[str, list[ReviewBody]] = {}
    for _, body in bodies(log, DecisionBody, ReviewBody):
        if isinstance(body, ReviewBody):
            acts.setdefault(body.name, []).append(body)
            continue
        since = waiting.pop(body.supersedes, None) if body.supersedes is not None else None
        if body.reviewed is not None:
            found.decided[body.reviewed.then, body.reviewed.reason] += 1
            found.people[body.reviewed.by] += 1
            if since is not None:
                found.waited_s.append((body.at - since).total_seconds())
        elif body.outcome is Outcome.REVIEW or not body.final:
            waiting[body.decision_id] = body.at
    found.waiting = len(waiting)
    for decision_id, those in acts.items():
        review = folded(those)
        if review.agrees is not None:
            found.second += 1
            found.agreed += review.agrees
            if not review.agrees and len(found.apart) < _APART_MAX:
                found.apart.append(decision_id)
    return found
