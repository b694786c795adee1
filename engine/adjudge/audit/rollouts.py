"""What is recorded of rollouts: how each stands after what was done with it, and what was counted meanwhile."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from adjudge.model import Mode
from adjudge.plugin import NamedBody

Action = Literal["start", "ramp", "promote", "abort", "fall-back"]
ROLLOUT, TALLY = "rollout", "rollout_tally"
ENGINE = "adjudge"
"""Who did it, where nobody did: as `by` of a record."""


class Counts(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an arm's decisions came out.

    passed, review, reject: by the verdict's outcome. unknown: not settled. errors: a signal or deciding had failed.
    Of a shadow, against the answer: agree; harder or softer, whatever is unknown; undetermined, where what it lacked
    leaves that open; errors: it could not be evaluated.
    """

    decisions: int = 0
    passed: int = 0
    review: int = 0
    reject: int = 0
    unknown: int = 0
    errors: int = 0
    agree: int = 0
    harder: int = 0
    softer: int = 0
    undetermined: int = 0

    def plus(self, other: Counts) -> Counts:
        """Return the sum of both."""
        return Counts(*(getattr(self, name) + getattr(other, name) for name in Counts.__struct_fields__))


class RolloutBody(NamedBody, frozen=True, omit_defaults=True, kw_only=True):
    """How a rollout stands since this record. Each is complete, so the newest of a name says it all.

    at: aware UTC. by: who did it, `adjudge` where the engine did by itself; reason: why.
    policy: the name that callers know; candidate: what the configuration calls the other version, and digest: of it.
    champion: the digest of the version that answered when it was started. share: 0 to 1.
    status: `ended` after an abort or a fall-back. begun: the number of the record that started it.
    shares: the share since each number, in order. base: of a promotion, the digest that the configuration had then:
    where it still has that one, the candidate answers. generation: of a promotion, higher than those before of that
    policy.
    arms: what had been counted, by arm, where it ended or was promoted.
    """

    at: datetime
    by: str
    action: Action
    mode: Mode
    policy: str
    candidate: str
    digest: str
    champion: str
    share: float
    status: Literal["running", "promoted", "ended"]
    begun: int
    reason: str = ""
    shares: tuple[tuple[int, float], ...] = ()
    base: str = ""
    generation: int = 0
    arms: dict[str, Counts] = msgspec.field(default_factory=dict)


class TallyBody(NamedBody, frozen=True, omit_defaults=True, kw_only=True):
    """What all workers have counted of a rollout up to now.

    begun: as of the rollout: what was counted of an earlier one of the same name is over. stages: the counts by arm, by
    the number of the rollout's record that was in force.
    """

    at: datetime
    begun: int
    stages: dict[int, dict[str, Counts]] = msgspec.field(default_factory=dict)
