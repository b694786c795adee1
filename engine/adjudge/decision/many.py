"""Many pieces of work, so many at a time: each result comes in its turn, and no more is taken in than there is room."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


async def in_order(
    items: AsyncIterable[_T] | Iterable[_T], work: Callable[[_T], Awaitable[_R]], *, at_once: int
) -> AsyncGenerator[_R]:
    """Yield the result of work for each item, in the order of the items.

    Of items, the next one is asked for while at most `at_once` are worked on or wait to be taken. Who stops taking
    results stops all of it. Raises what an item or its work raises, once every result before it was taken.
    """
    coming: AsyncIterator[_T] = aiter(items) if isinstance(items, AsyncIterable) else _async(items)
    under_way: deque[asyncio.Task[_R]] = deque()
    reading: asyncio.Task[_T] | None = None
    is_over = False
    try:
        while True:
            if reading is None and not is_over and len(under_way) < at_once:
                reading = asyncio.ensure_future(_next(coming))
            waited = [task for task in (reading, under_way[0] if under_way else None) if task is not None]
            if not waited:
                return
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if reading is not None and reading.done() and not (is_over := reading.exception() is not None):
                under_way.append(asyncio.ensure_future(_awaited(work(reading.result()))))
                reading = None
            while under_way and under_way[0].done():
                yield under_way.popleft().result()
            if is_over and not under_way and reading is not None:
                with suppress(_NoMore):
                    reading.result()
                return
    finally:
        left = [task for task in (reading, *under_way) if task is not None]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if isinstance(coming, AsyncGenerator):
            await coming.aclose()


class _NoMore(Exception):
    """There are no more items."""


async def _next(items: AsyncIterator[_T]) -> _T:
    try:
        return await anext(items)
    except StopAsyncIteration:
        raise _NoMore from None


async def _awaited(work: Awaitable[_R]) -> _R:
    return await work


async def _async(items: Iterable[_T]) -> AsyncIterator[_T]:
    for item in items:
        yield item
