"""What other policies would have come to, on the signals that the answer was made of; nobody is asked for more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Literal

from adjudge.audit.bodies import ShadowBody
from adjudge.events import Events
from adjudge.model import Outcome, Request, Signal, SignalStatus
from adjudge.policy.policy import Policy
from adjudge.policy.slots import REQUEST, parts_of

Compared = Literal["agree", "harder", "softer", "undetermined"]
_events = Events("adjudge.rollouts")


def judged(
    shadows: Sequence[tuple[str, Policy]],
    champion: Policy,
    request: Request,
    inputs: Mapping[str, object],
    signals: Mapping[str, Signal],
    now: datetime,
) -> tuple[ShadowBody, ...]:
    """Return what each shadow, by the name of its rollout, would have come to; never raises for what one of them does.

    champion: whose signals these are. One that cannot be evaluated is told as an event, and left out.
    """
    known = {name: signal.fields for name, signal in signals.items() if signal.status is SignalStatus.OK}
    given: Mapping[str, object] = {**inputs, **known}
    found = []
    for rollout, policy in shadows:
        try:
            # most policies read no such part, and need no copy of it all then
            taken = {**given, REQUEST: parts_of(request)} if policy.typed.of_request else given
            found.append(shadow_of(rollout, policy, champion, taken, now))
        except Exception:
            _events.exception("shadow_failed", rollout=rollout, policy=policy.digest)
    return tuple(found)


def shadow_of(rollout: str, policy: Policy, champion: Policy, given: Mapping[str, object], now: datetime) -> ShadowBody:
    """Return what a policy comes to on what was given to another one.

    given: as `Policy.as_taken` takes it. What the two ask of different providers is unknown to it.
    """
    foreign = _foreign(policy, champion)
    if foreign:
        given = {name: value for name, value in given.items() if name not in foreign}
    verdict = policy.evaluate(policy.as_taken(given), now=now)
    return ShadowBody(rollout, policy.digest, verdict.outcome, verdict.lower, verdict.upper)


def compared(answer: Outcome, shadow: ShadowBody) -> Compared:
    """Say how a shadow differs from the outcome that was decided, whatever it is that it lacked."""
    if shadow.lower is shadow.upper is answer:
        return "agree"
    if shadow.lower > answer:
        return "harder"
    return "softer" if shadow.upper < answer else "undetermined"


@lru_cache(maxsize=64)
def _foreign(policy: Policy, champion: Policy) -> frozenset[str]:
    """Return the signals that have one name in both, and another source."""
    signals = champion.typed.signals
    return frozenset(
        name
        for name, declared in policy.typed.signals.items()
        if name in signals and (declared.provider, declared.config) != (signals[name].provider, signals[name].config)
    )
