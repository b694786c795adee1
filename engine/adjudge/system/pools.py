"""Threads for work that blocks: a bounded few for each purpose, so that what hangs holds up nothing but its own kind.

The event loop's default executor is shared by everybody, and the end of a process waits for it. A `Pool` has a name, a
bound and deadlines, and no process waits for it to end.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

_T = TypeVar("_T")


class NoThread(RuntimeError):
    """The system starts no thread any more, as when the process ends."""


class Pool:
    """At most `threads` threads, made when they are needed. Any number of threads and event loops may share it."""

    def __init__(self, name: str, threads: int) -> None:
        """Name what the threads are for, as in `adjudge-lists`."""
        self.name = name
        self.threads = threads
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._waiting: OrderedDict[Future[Any], Callable[[], Any]] = OrderedDict()
        self._started = 0
        self._idle = 0
        self._is_closed = False

    async def run(self, work: Callable[[], _T], *, deadline_s: float) -> _T:
        """Do work in one of the threads and return what it returns, or raise what it raises.

        deadline_s: seconds from now, the wait for a thread among them. Work that has not begun by then is dropped, and
        so is that of a caller who is cancelled; work that has begun goes on, and its result is lost.
        Raises TimeoutError after the deadline, RuntimeError as `submit`.
        """
        import asyncio  # whoever runs no loop, such as most commands, has no need of it

        future = self.submit(work)
        try:
            async with asyncio.timeout(deadline_s) as deadline:
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if not deadline.expired():
                raise  # the work's own
            raise TimeoutError(f"{self.name}: no answer within {deadline_s:g} s") from None

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        """Queue work. A future that is cancelled before its work has begun leaves the queue.

        Raises RuntimeError where the pool is closed, NoThread where it has no thread and can start none.
        """
        if self._process != os.getpid():  # a fork has none of the threads
            self._begin()
        future: Future[_T] = Future()
        future.add_done_callback(self._forget)
        with self._changed:
            if self._is_closed:
                raise RuntimeError(f"{self.name}: the pool is closed")
            self._waiting[future] = partial(copy_context().run, work)  # its events know of whose decision they are
            if self._idle >= len(self._waiting):
                self._changed.notify()
            elif self._started < self.threads:
                name = f"{self.name}-{self._started + 1}"
                try:
                    threading.Thread(target=self._work, name=name, daemon=True).start()
                except RuntimeError as error:
                    if not self._started:
                        del self._waiting[future]
                        raise NoThread(f"{self.name}: {error}") from None
                else:
                    self._started += 1
        return future

    def close(self) -> None:
        """Take no more work, and let the threads end once the queue is empty. Waits for nobody."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _forget(self, future: Future[Any]) -> None:
        with self._changed:
            self._waiting.pop(future, None)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                self._idle -= 1
                if not self._waiting:
                    return
                future, work = self._waiting.popitem(last=False)
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:
                    future.set_exception(error)
            del future, work  # an idle thread keeps nothing alive
