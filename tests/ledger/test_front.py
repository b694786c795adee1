"""What a ledger keeps in memory is bounded by bytes, and goes when it was asked for longest ago."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adjudge.ledger.front import Front


def test_front_keeps_what_was_put_or_asked_for_last() -> None:
    front = Front(40)
    front.put("a", b"1" * 10)
    front.put("b", b"2" * 11)
    front.put("c", b"3" * 10)
    assert front.get("a") == b"1" * 10
    front.put("d", b"4" * 10)
    assert [name for name in "abcd" if name in front] == ["a", "c", "d"]


def test_front_gives_the_newest_of_an_id_and_none_larger_than_its_room() -> None:
    front = Front(40)
    front.put("a", b"old")
    front.put("a", b"new")
    assert front.get("a") == b"new" and list(front.values()) == [b"new"]
    front.put("a", b"x" * 100)
    front.put("b", b"x" * 100)
    assert "a" not in front


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 30), st.booleans())))
def test_front_never_holds_more_than_its_room_and_one_line(steps: list[tuple[str, int, bool]]) -> None:
    front, newest = Front(60), dict[str, bytes]()
    for name, size, is_asked in steps:
        if is_asked:
            assert front.get(name) in (None, newest.get(name))
        else:
            newest[name] = bytes(size)
            front.put(name, newest[name])
            assert front.get(name) == newest[name]
        assert sum(map(len, front.values())) <= 60 + 30
