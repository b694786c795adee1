"""What a configuration says of reviews; all that happens to one stands in the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from adjudge.frozen import frozen
from adjudge.model import Outcome

HELD_FOR_S = 30 * 60.0
WITHIN_S = 24 * 3600.0


@frozen(kw_only=True)
class ReviewSettings:
    """How reviews are held.

    held_for_s: seconds after which a claim lapses. within_s: seconds after a decision within which a person is to have
    decided. second: the share of reviews, 0 to 1, at which a second person looks.
    reasons: the codes with which one may pass or reject; any for an outcome that is not there.
    """

    held_for_s: float = HELD_FOR_S
    within_s: float = WITHIN_S
    second: float = 0.0
    reasons: Mapping[Outcome, tuple[str, ...]] = field(default_factory=dict)
