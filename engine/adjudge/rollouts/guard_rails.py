"""Whether a canary does worse than the champion: a sequential test that may be looked at after every decision.

Worse is more of something, or less of what is to be stopped: then the two change places.

An event, such as a reject, falls to the canary or to the champion. While the canary has them no more than `limit` times
as often, each is the canary's with a probability of at most share * limit / (share * limit + 1 - share), at whatever
time of day, however the traffic drifts, because a hash of the id assigns the arm. Against that stands the likelihood of
the same events under alternatives, in which the canary has them `MULTIPLES` times as often again. The mean of these
ratios is a nonnegative supermartingale that begins with 1, so by Ville's inequality it ever reaches 1/alpha with a
probability of at most alpha, however often anybody looks. See Robbins, "Statistical methods related to the law of the
iterated logarithm" (1970), and Lindon and Malek, "Anytime-valid inference for multinomial count data" (2022).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import exp, inf, lgamma, log

from adjudge.audit.rollouts import Counts
from adjudge.frozen import frozen

MULTIPLES = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
FEWER = {"fewer_stopped": ("review", "reject"), "fewer_rejects": ("reject",)}
"""Rails against a canary that lets go what the champion stops or rejects, and what they count."""
RAILS = ("review", "reject", "unknown", "errors", *FEWER)
_STEPS = 50


@frozen(kw_only=True)
class GuardRails:
    """What a canary may do before it falls back.

    limits: by rail, times the champion's share that are fine; of those in FEWER, times the canary's that the champion
    may have. false_alarm: the probability, 0 to 1, that a canary within all limits ever falls back.
    enough: decisions of the canary before any rail acts.
    """

    limits: Mapping[str, float]
    false_alarm: float = 0.01
    enough: int = 100

    @property
    def threshold(self) -> float:
        """The natural logarithm of the evidence at which a rail acts."""
        return log(len(self.limits) / self.false_alarm) if self.limits else inf


USUAL = GuardRails(limits={name: 2.0 if name in FEWER else 1.25 for name in RAILS})


@frozen(kw_only=True)
class Rail:
    """How a canary stands against one limit.

    evidence: against the canary being within the limit, as a natural logarithm. near: of what it needs to act, 0 to 1.
    canary, champion: events in each arm. acts: whether it is reached.
    """

    name: str
    limit: float
    canary: int
    champion: int
    evidence: float
    near: float
    acts: bool


Stages = Iterable[tuple[float, Counts, Counts]]
"""Of each stage the share, and what the canary and the champion came to meanwhile."""


def rails_of(rails: GuardRails, stages: Stages) -> tuple[Rail, ...]:
    """Return how a canary stands against each limit."""
    those = tuple(stages)
    decided = sum(canary.decisions for _, canary, _ in those)
    return tuple(_rail(rails, name, limit, those, decided) for name, limit in rails.limits.items())


def _rail(
    rails: GuardRails, name: str, limit: float, stages: Sequence[tuple[float, Counts, Counts]], decided: int
) -> Rail:
    ways = FEWER.get(name, (name,))
    events = [(share, _sum(canary, ways), _sum(champion, ways)) for share, canary, champion in stages]
    found = evidence([(1 - share, other, one) for share, one, other in events] if name in FEWER else events, limit)
    near = min(1.0, max(0.0, found / rails.threshold))
    return Rail(
        name=name,
        limit=limit,
        canary=sum(one for _, one, _ in events),
        champion=sum(other for _, _, other in events),
        evidence=found,
        near=near,
        acts=found >= rails.threshold and decided >= rails.enough,
    )


def _sum(counts: Counts, ways: Sequence[str]) -> int:
    return sum(getattr(counts, way) for way in ways)


def evidence(events: Iterable[tuple[float, int, int]], limit: float) -> float:
    """Return the logarithm of the evidence that the canary has an event more than `limit` times as often.

    events: of each stage the share, and how many fell to the canary and to the champion. At a share of 1 there is
    nobody to compare with, and nothing is said.
    """
    stages = [(share, canary, champion) for share, canary, champion in events if 0 < share < 1]
    logs = [sum(_ratio(*stage, limit, multiple) for stage in stages) for multiple in MULTIPLES]
    most = max(logs)
    return most + log(sum(exp(one - most) for one in logs) / len(logs))


def _ratio(share: float, canary: int, champion: int, limit: float, multiple: float) -> float:
    odds = share * limit / (1 - share)  # of an event to be the canary's, at the limit
    # q = odds * multiple / (1 + odds * multiple), over the same without `multiple`
    return canary * log(multiple) - (canary + champion) * log((1 + odds * multiple) / (1 + odds))


def interval(count: int, total: int, miss: float = 0.05) -> tuple[float, float]:
    """Return the bounds of a share that hold at every look, all together, but for a probability of `miss`.

    A mixture over all shares (Robbins, 1970): wider than an interval for one look, and honest about many.
    """
    if not total:
        return 0.0, 1.0
    mixed = lgamma(count + 1) + lgamma(total - count + 1) - lgamma(total + 2)

    def is_out(share: float) -> bool:
        likelihood = _times_log(count, share) + _times_log(total - count, 1 - share)
        return mixed - likelihood >= -log(miss)

    middle = count / total
    low, high = (0.0, middle), (middle, 1.0)
    for _ in range(_STEPS):
        half = sum(low) / 2
        low = (half, low[1]) if is_out(half) else (low[0], half)
        half = sum(high) / 2
        high = (high[0], half) if is_out(half) else (half, high[1])
    return (low[0] if is_out(0.0) else 0.0), (high[1] if is_out(1.0) else 1.0)


def _times_log(count: int, share: float) -> float:
    return 0.0 if not count else -inf if share <= 0 else count * log(share)
