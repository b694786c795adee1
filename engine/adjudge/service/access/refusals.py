"""Who was not let in: counted always, and told as events no more often than an operator can read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from adjudge.errors import NotAllowed, NotAuthenticated, RateLimited
from adjudge.events import Events
from adjudge.service.access.rates import Rates

TOLD_PER_S = 5
"""Events of a second for each code of a problem; of what is more, the next such event has the number."""
NOT_TAKEN = "this key or token is not taken"
_events = Events("adjudge.service")


class Unauthenticated(NotAuthenticated):
    """A request of nobody known. The caller is told the same whatever the reason, which is for the operator.

    key: the id of the key that was tried, where it has one; never the key.
    """

    def __init__(self, reason: str, *, key: str = "") -> None:
        super().__init__("send a key or a token: `Authorization: Bearer KEY`" if reason == "none" else NOT_TAKEN)
        self.reason, self.key = reason, key


class Denied(NotAllowed):
    """A caller without a scope. caller: their name."""

    def __init__(self, message: str, *, caller: str) -> None:
        super().__init__(message)
        self.reason, self.caller = "scope", caller


class TooOften(RateLimited):
    """A caller who asks more often than they may, or an address that tries keys. caller: the name, where it has one."""

    def __init__(self, *, retry_after_s: float, reason: str, rate: int, caller: str = "") -> None:
        said = f"`{caller}` may ask" if caller else "whoever has no valid key may try"
        super().__init__(f"{said} {rate:,} times a second", retry_after_s=retry_after_s)
        self.reason, self.caller = reason, caller


@dataclass(slots=True)
class Refusals:
    """counts: how often each code of a problem was answered for each reason; both are few, whoever asks."""

    clock: Callable[[], float] = monotonic
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _rates: Rates = field(init=False)
    _untold: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._rates = Rates(self.clock)

    def count(self, code: str, reason: str, **facts: str) -> None:
        """Count a refusal, and tell it. facts: such as `key`, its id; never a secret."""
        self.counts[code, reason] += 1
        if self._rates.wait_s(code, TOLD_PER_S):
            self._untold[code] += 1
            return
        untold = self._untold.pop(code, 0)
        more = {"untold": untold} if untold else {}
        _events.warning("request_refused", code=code, reason=reason, **{k: v for k, v in facts.items() if v}, **more)
