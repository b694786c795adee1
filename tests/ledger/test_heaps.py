"""Heaps of places: what was added is found under its key, and nothing else is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adjudge.ledger.heaps import Heaps, keys_in, places_in, rows_of

NUMBERS = st.integers(-(2**63), 2**63 - 1)
FEW = st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63), 0x0101010101010101, 256, 2**40])
"""Some of which look like the end of one and the beginning of another."""


@given(st.lists(st.lists(st.tuples(FEW | NUMBERS, FEW | NUMBERS), max_size=20), max_size=5), FEW | NUMBERS)
def test_every_place_is_found_under_its_key_alone(groups: list[list[tuple[int, int]]], other: int) -> None:
    heaps = Heaps()
    rows: dict[int, bytes] = {}
    for group in groups:
        heaps.add(dict(group), [pair for pair in group if dict(group)[pair[0]] != pair[1]])
        taken = dict(heaps.take())
        assert not taken.keys() & rows.keys()
        rows |= taken
    pairs = {pair for group in groups for pair in group}
    for key in {other, *(key for key, _ in pairs)}:
        first, last = rows_of(key)
        found = [place for at, data in rows.items() if first <= at <= last for place in places_in(data, key)]
        assert set(found) == {place for one, place in pairs if one == key}
    assert {key for data in rows.values() for key in keys_in(data)} == {key for key, _ in pairs}
