"""The store of one process: the newest decisions, each for a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

from cachetools import TLRUCache

from adjudge.model import Decision

DEFAULT_TTL_S = 24 * 3600.0
DEFAULT_SIZE = 100_000


class MemoryStore:
    """Keeps decisions in memory; the least recently used go when it is full. Free to use from many threads."""

    def __init__(
        self, *, ttl_s: float = DEFAULT_TTL_S, size: int = DEFAULT_SIZE, timer: Callable[[], float] = monotonic
    ) -> None:
        """Make an empty store.

        ttl_s: seconds for which a decision answers its MerchantBizId. size: how many are kept, about 2 KB each.
        timer: seconds that only grow.
        """
        self.ttl_s = ttl_s
        self._timer = timer
        self._kept: TLRUCache[str, tuple[float, Decision]] = TLRUCache(size, lambda _, kept, __: kept[0], timer)
        self._lock = threading.Lock()

    def get(self, merchant_biz_id: str) -> Decision | None:
        """Return the newest decision whose time-to-live has not ended."""
        with self._lock:
            kept = self._kept.get(merchant_biz_id)
        return kept[1] if kept is not None else None

    def put(self, decision: Decision, *, age_s: float = 0.0) -> None:
        """Keep a decision in place of any older one of its MerchantBizId. age_s: seconds since it was made."""
        with self._lock:
            self._kept[decision.merchant_biz_id] = (self._timer() + self.ttl_s - age_s, decision)
