"""Which keys may be in the index: a bitmap in memory, by which most ids that are new are known to be so at once.

To ask SQLite costs several microseconds each time, and lets go of the interpreter's lock, which on an event loop with
many callers makes it take turns with the thread that commits.
"""

from __future__ import annotations

from collections.abc import Iterable

_BYTES = 8 * 1024 * 1024


class Known:
    """One bit for each of so many parts of all keys: a bit that is not set says that there is no such key.

    is_whole: whether every key of the index was added; until then nothing can be said.
    """

    __slots__ = ("_bits", "is_whole")

    def __init__(self) -> None:
        self._bits = bytearray(_BYTES)
        self.is_whole = False

    def add(self, keys: Iterable[int]) -> None:
        """Add keys. Nobody takes one back: one that is gone from the index is asked for once too often."""
        bits = self._bits
        for key in keys:
            bits[(key >> 3) % _BYTES] |= 1 << (key & 7)

    def lacks(self, key: int) -> bool:
        """Whether a key is known not to be in the index."""
        return self.is_whole and not self._bits[(key >> 3) % _BYTES] & 1 << (key & 7)
