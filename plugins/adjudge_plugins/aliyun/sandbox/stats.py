"""What a sandbox counts: calls, what they cost, how they ended, and what was refused before it was one."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

IDS_KEPT = 100_000
"""The newest ids that are counted one by one; a run under load has millions."""


@dataclass(slots=True)
class _Count:
    calls: int = 0
    billed: int = 0

    def add(self, billed: bool) -> None:
        self.calls += 1
        self.billed += billed


@dataclass(slots=True)
class Stats:
    """Counts of a run; safe for many threads at once.

    A call is one of the three operations that was genuine. It is billed where the work was done, whether or not its
    answer arrived.
    """

    total: _Count = field(default_factory=_Count)
    by_operation: dict[str, _Count] = field(default_factory=dict)
    by_merchant_biz_id: dict[str, _Count] = field(default_factory=dict)
    by_end: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    uploads: Counter[str] = field(default_factory=Counter)
    misplaced: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(
        self, operation: str, merchant_biz_id: str, end: str, *, billed: bool, misplaced: Iterable[str] = ()
    ) -> None:
        """Count a call. end: `Success`, a return code, or `fault …`."""
        with self.lock:
            while merchant_biz_id not in self.by_merchant_biz_id and len(self.by_merchant_biz_id) >= IDS_KEPT:
                del self.by_merchant_biz_id[next(iter(self.by_merchant_biz_id))]
            self.total.add(billed)
            self.by_operation.setdefault(operation, _Count()).add(billed)
            self.by_merchant_biz_id.setdefault(merchant_biz_id, _Count()).add(billed)
            self.by_end[end] += 1
            self.misplaced.update(f"{operation} {name}" for name in misplaced)

    def refuse(self, code: str) -> None:
        """Count a request that the gateway refused."""
        with self.lock:
            self.refused[code] += 1

    def upload(self, step: str) -> None:
        """Count a step of an upload: `authorized`, `stored`, or `refused …`."""
        with self.lock:
            self.uploads[step] += 1

    def document(self) -> dict[str, Any]:
        """Return all counts."""

        def shown(count: _Count) -> dict[str, int]:
            return {"calls": count.calls, "billed": count.billed}

        with self.lock:
            return {
                **shown(self.total),
                "by_operation": {name: shown(count) for name, count in self.by_operation.items()},
                "by_merchant_biz_id": {name: shown(count) for name, count in self.by_merchant_biz_id.items()},
                "by_end": dict(self.by_end),
                "refused": dict(self.refused),
                "uploads": dict(self.uploads),
                "misplaced": dict(self.misplaced),
            }
