"""Many places at once, as an index that is made anew has them: in some thousand heaps by key, each in no order.

Rows of a tree would have to be written in its order, or each page of it again and again. A heap is only added to, and
is looked through in a few microseconds. It is a row for each time that it was written down, and its rows lie together.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from operator import xor
from struct import Struct

TABLE = "create table heaps (id integer primary key, data blob);"
OF_A_HEAP = "select data from heaps where id between ? and ?"
SOME = "select id, data from heaps where id > ? order by id limit 8"
ADD = "insert into heaps values (?, ?)"
_HEAPS = 4096
_ROWS = 2**20
_HELD = 2_000_000
"""Places that are held in memory before they are written down: 32 MB."""
_number = Struct("=q")


class Heaps:
    """Gathers places until there are enough to write down."""

    def __init__(self) -> None:
        self._heaps = [array("q") for _ in range(_HEAPS)]
        self._held = self._written = 0

    def add(self, places: Mapping[int, int], earlier: Iterable[tuple[int, int]]) -> None:
        """Add places by key."""
        heaps = self._heaps
        for key, place in places.items():
            heap = heaps[key % _HEAPS]
            heap.append(key)
            heap.append(place)
        for pair in earlier:
            heaps[pair[0] % _HEAPS].extend(pair)
        self._held += len(places)

    @property
    def is_full(self) -> bool:
        """Whether it is time to write down what is held."""
        return self._held >= _HELD

    def take(self) -> Iterator[tuple[int, bytes]]:
        """Yield the rows of what is held, which is held no more."""
        held, self._heaps, self._held = self._heaps, [array("q") for _ in range(_HEAPS)], 0
        yield from ((n * _ROWS + self._written, heap.tobytes()) for n, heap in enumerate(held) if heap)
        self._written += 1


def rows_of(key: int) -> tuple[int, int]:
    """Return the first and the last id that a row with a key may have."""
    first = key % _HEAPS * _ROWS
    return first, first + _ROWS - 1


def places_in(data: bytes, key: int) -> Iterator[int]:
    """Yield the places of a key in a row."""
    sought = _number.pack(key)
    at = data.find(sought)
    while at >= 0:
        if at % 16 == 0:  # not where a place happens to look like it
            yield _number.unpack_from(data, at + 8)[0]
        at = data.find(sought, at + 1)


def keys_in(data: bytes) -> array[int]:
    """Return the keys in a row."""
    return array("q", data)[::2]


def sum_of(data: bytes) -> int:
    """Return the sum over a row's places, each with its key."""
    pairs = array("q", data)
    return sum(map(xor, pairs[::2], pairs[1::2]))
