"""Records on their way into the audit log, and everybody who waits for them."""

from __future__ import annotations

import asyncio
import threading

from adjudge.audit.file import Head
from adjudge.errors import AuditBroken, AuditUnavailable


class Batch:
    """Records that share one write and one sync, and everybody who waits for them."""

    __slots__ = ("done", "failure", "futures", "head", "lines", "records", "size", "taken")

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.records = 0  # without checkpoints that come along with one
        self.size = 0
        self.taken = 0  # records whose callers have been told yes already
        self.head = Head()
        self.futures: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        self.done: threading.Event | None = None
        self.failure: BaseException | None = None

    def future(self) -> tuple[asyncio.Future[None], bool]:
        """Return what a coroutine waits for, and whether it is its loop's first. To be called under the log's lock."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        waiting = self.futures.get(loop)
        if waiting is None:
            self.futures[loop] = [future]
        else:
            waiting.append(future)
        return future, waiting is None

    def event(self) -> threading.Event:
        """Return what a thread waits for. To be called under the log's lock."""
        self.done = self.done or threading.Event()
        return self.done

    def settle(self) -> None:
        """Wake everybody who waits. To be called without the lock, once nobody can join any more."""
        if self.done:
            self.done.set()
        here = asyncio._get_running_loop()
        for loop, futures in self.futures.items():
            if loop is here:
                _resolve(futures)
                continue
            try:
                loop.call_soon_threadsafe(_resolve, futures)
            except RuntimeError:
                pass  # the loop was closed under its waiters: nobody is left to tell

    def raise_failure(self) -> None:
        """Raise what went wrong, as an exception of the caller's own."""
        if isinstance(self.failure, AuditBroken):
            raise AuditBroken(str(self.failure)) from self.failure
        if self.failure is not None:
            raise AuditUnavailable(str(self.failure) or repr(self.failure)) from self.failure


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
