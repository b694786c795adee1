"""What a configuration says of rollouts; all that moves stands in the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from adjudge.frozen import frozen
from adjudge.policy.policy import Policy
from adjudge.rollouts.guard_rails import USUAL, GuardRails

LOOK_EVERY_S = 1.0
TALLY_EVERY_S = 5.0


@frozen(kw_only=True)
class RolloutSettings:
    """What may take part, and what keeps a canary in bounds.

    candidates: other versions of the policies, by names of your own. look_every_s: seconds between two looks whether
    other workers have done something. tally_every_s: seconds after which what was counted is recorded.
    """

    candidates: Mapping[str, Policy] = field(default_factory=dict)
    rails: GuardRails = USUAL
    look_every_s: float = LOOK_EVERY_S
    tally_every_s: float = TALLY_EVERY_S
