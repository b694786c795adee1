"""The store of one process: newest decisions, each for a time."""

from __future__ import annotations

from msgspec.structs import replace

from adjudge.ledger.memory import MemoryStore
from adjudge.testing import MERCHANT_BIZ_ID, FakeClock, StoreContract, decide_once

DECISION = decide_once("{policy_language: 1, policy: p, inputs: {n: int}, rules: [{id: r, when: n > 1, then: review}]}")


class TestMemoryStore(StoreContract):
    def open_store(self) -> MemoryStore:
        return MemoryStore()


def numbered(n: int) -> str:
    return f"{n:032d}"


def test_memory_store_decision_answers_until_its_time_ends() -> None:
    clock = FakeClock()
    store = MemoryStore(ttl_s=60, timer=clock.timer)
    store.put(DECISION)
    clock.advance(59.9)
    assert store.get(MERCHANT_BIZ_ID) is DECISION, "and reading does not extend it"
    clock.advance(0.2)
    assert store.get(MERCHANT_BIZ_ID) is None


def test_memory_store_age_counts_against_the_time_to_live() -> None:
    clock = FakeClock()
    store = MemoryStore(ttl_s=60, timer=clock.timer)
    store.put(DECISION, age_s=50)
    clock.advance(9)
    assert store.get(MERCHANT_BIZ_ID) is DECISION
    clock.advance(2)
    assert store.get(MERCHANT_BIZ_ID) is None
    store.put(DECISION, age_s=61)
    assert store.get(MERCHANT_BIZ_ID) is None


def test_memory_store_newer_decision_gets_a_time_of_its_own() -> None:
    clock = FakeClock()
    store = MemoryStore(ttl_s=60, timer=clock.timer)
    store.put(DECISION)
    clock.advance(50)
    newer = replace(DECISION, decision_id="f" * 32)
    store.put(newer)
    clock.advance(50)
    assert store.get(MERCHANT_BIZ_ID) is newer


def test_memory_store_expired_newer_decision_does_not_uncover_the_older() -> None:
    clock = FakeClock()
    store = MemoryStore(ttl_s=60, timer=clock.timer)
    store.put(DECISION)
    store.put(replace(DECISION, decision_id="f" * 32), age_s=100)
    assert store.get(MERCHANT_BIZ_ID) is None


def test_memory_store_full_lets_the_least_recently_used_go() -> None:
    store = MemoryStore(size=3)
    for n in range(3):
        store.put(replace(DECISION, merchant_biz_id=numbered(n)))
    assert store.get(numbered(0)) is not None
    store.put(replace(DECISION, merchant_biz_id=numbered(3)))
    assert [store.get(numbered(n)) is not None for n in range(4)] == [True, False, True, True]
