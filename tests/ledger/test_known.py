"""The bitmap of keys: it may ask once too often, and never lacks a key that was added."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adjudge.ledger.known import Known

KEYS = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(KEYS), KEYS)
def test_key_that_was_added_is_never_lacking(keys: list[int], other: int) -> None:
    known = Known()
    known.add(keys)
    assert not known.lacks(other), "nothing can be said before all were added"
    known.is_whole = True
    assert not any(map(known.lacks, keys))
    assert known.lacks(other) or keys, "an empty one has nothing"


def test_most_keys_that_were_not_added_are_lacking() -> None:
    known = Known()
    known.add(key * 0x9E3779B97F4A7C15 % 2**64 - 2**63 for key in range(0, 20_000, 2))
    known.is_whole = True
    others = [key * 0x9E3779B97F4A7C15 % 2**64 - 2**63 for key in range(1, 20_000, 2)]
    assert sum(map(known.lacks, others)) > 9_900
