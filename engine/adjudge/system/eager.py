"""Waiting in time for what is usually there already: then no timer is set and no other task runs in between."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


async def within(work: Coroutine[Any, Any, _T], seconds: float) -> _T:
    """Return what a coroutine returns. Raises what it raises, and TimeoutError where it takes longer."""
    try:
        awaited = work.send(None)
    except StopIteration as done:
        found: _T = done.value
        return found
    async with asyncio.timeout(seconds):
        return await _rest(work, awaited)


@coroutine
def _rest(work: Coroutine[Any, Any, _T], awaited: Any) -> Generator[Any, Any, _T]:
    """Go on with a coroutine that waits for something, as `yield from` would."""
    try:
        while True:
            try:
                sent = yield awaited
            except BaseException as error:
                awaited = work.throw(error)
            else:
                awaited = work.send(sent)
    except StopIteration as done:
        found: _T = done.value
        return found
