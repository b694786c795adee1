"""Work on many things: in order, so many at a time, and none of it goes on when nobody takes results."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge.decision.many import in_order


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 5), st.integers(0, 3))
def test_results_come_in_order_and_no_more_is_taken_in_than_there_is_room(
    pauses: list[int], at_once: int, reader_pauses: int
) -> None:
    async def main() -> None:
        taken = given_out = most = 0

        async def items() -> AsyncIterator[int]:
            nonlocal given_out
            for n in range(len(pauses)):
                for _ in range(random.randint(0, 2)):  # any order of events will do
                    await asyncio.sleep(0)
                given_out += 1
                yield n

        async def work(n: int) -> int:
            for _ in range(pauses[n]):
                await asyncio.sleep(0)
            return n

        found = []
        async for n in in_order(items(), work, at_once=at_once):
            taken += 1
            most = max(most, given_out - taken)
            found.append(n)
            for _ in range(reader_pauses):
                await asyncio.sleep(0)
        assert found == [*range(len(pauses))]
        assert most <= at_once + 1

    asyncio.run(main())


@pytest.mark.parametrize("fails", ["item", "work"])
def test_failure_comes_after_all_results_before_it(fails: str) -> None:
    async def items() -> AsyncIterator[int]:
        for n in range(5):
            if n == 3 and fails == "item":
                raise LookupError
            yield n

    async def work(n: int) -> int:
        await asyncio.sleep(0.001 * (5 - n))
        if n == 3:
            raise LookupError
        return n

    async def main() -> None:
        found = in_order(items(), work, at_once=4)
        assert [await anext(found) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(LookupError):
            await anext(found)

    asyncio.run(main())


def test_who_stops_taking_results_stops_the_work() -> None:
    ended: list[object] = []

    async def items() -> AsyncIterator[int]:
        try:
            for n in range(100):
                yield n
        finally:
            ended.append("items")

    async def work(n: int) -> int:
        try:
            await asyncio.sleep(0 if n == 0 else 3600)
        finally:
            ended.append(n)
        return n

    async def main() -> None:
        found = in_order(items(), work, at_once=3)
        assert await anext(found) == 0
        for _ in range(5):
            await asyncio.sleep(0)
        await found.aclose()
        assert len(asyncio.all_tasks()) == 1 and "items" in ended

    asyncio.run(main())
