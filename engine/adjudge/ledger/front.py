"""The newest decisions of a ledger, in memory, as bytes.

They lie in two plain dicts. A dict of texts and bytes is nothing to the garbage collector, where an ordered one, or one
of objects, is gone through each time.
"""

from __future__ import annotations

from collections.abc import Iterator


class Front:
    """Keeps records' lines by MerchantBizId, up to a number of bytes: those that came or were asked for last.

    What is new or asked for is young. When the young ones fill half of the room, they are the old ones, and those that
    were old go.
    """

    def __init__(self, max_bytes: int) -> None:
        """Keep nothing yet. hits, misses: how often what was asked for was here.

        max_bytes: of lines; what keeping them costs beside that is about 150 bytes each.
        """
        self._half = max_bytes // 2
        self._young: dict[str, bytes] = {}
        self._old: dict[str, bytes] = {}
        self._size = 0  # of the young ones
        self.hits = self.misses = 0

    def get(self, merchant_biz_id: str) -> bytes | None:
        """Return the line that was put last for an id, if it is still here."""
        line = self._young.get(merchant_biz_id)
        if line is None and (line := self._old.get(merchant_biz_id)) is not None:
            self.put(merchant_biz_id, line)
        if line is None:
            self.misses += 1
        else:
            self.hits += 1
        return line

    def put(self, merchant_biz_id: str, line: bytes) -> None:
        """Keep a line in place of any other of its id."""
        before = self._young.get(merchant_biz_id)
        self._size += len(line) - (len(before) if before is not None else 0)
        self._young[merchant_biz_id] = line
        if self._size > self._half:
            self._old, self._young, self._size = self._young, {}, 0

    def values(self) -> Iterator[bytes]:
        """Yield the lines, newer ones of an id before older ones."""
        yield from self._young.values()
        yield from self._old.values()

    def __contains__(self, merchant_biz_id: object) -> bool:
        return merchant_biz_id in self._young or merchant_biz_id in self._old

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
