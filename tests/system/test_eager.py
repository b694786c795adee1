"""Waiting in time: without a timer for what is there, and as an ordinary wait for what is not."""

from __future__ import annotations

import asyncio

import pytest

from adjudge.system.eager import within


async def there(value: object) -> object:
    return value


async def wrong() -> None:
    raise KeyError("x")


def test_what_is_there_is_returned_at_once_whatever_the_time() -> None:
    async def main() -> object:
        return await within(there(7), 0.0)

    assert asyncio.run(main()) == 7


def test_what_comes_later_is_waited_for() -> None:
    async def main() -> object:
        gate = asyncio.Event()

        async def work() -> int:
            await asyncio.sleep(0)
            await gate.wait()
            return 7

        task = asyncio.create_task(within(work(), 60))
        for _ in range(3):
            await asyncio.sleep(0)
        gate.set()
        return await task

    assert asyncio.run(main()) == 7


def test_what_does_not_come_is_a_timeout_and_is_ended() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def main() -> None:
        await within(work(), 0.001)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert ended == [True]


def test_errors_and_cancellations_come_through() -> None:
    async def main() -> None:
        with pytest.raises(KeyError):
            await within(wrong(), 60)
        task = asyncio.create_task(within(asyncio.Event().wait(), 60))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
