"""Where an engine lives: the event loop that all its work runs on, who may come in, and how it ends.

Whoever calls is answered. An engine that is not open, is closed, was forked, or whose loop has ended says so in an
EngineError; nobody waits for a loop that does not run.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, wait
from math import inf
from time import monotonic
from typing import Any, TypeVar

from adjudge.errors import EngineError
from adjudge.events import Events

LOOK_EVERY_S = 1.0
"""Seconds after which a caller who waits looks whether the loop still runs."""
EXIT_WITHIN_S = 30.0
"""Seconds that an engine which nobody closed has for closing when the process ends."""

_T = TypeVar("_T")
Work = Callable[[], Coroutine[Any, Any, _T]]

_ENDED = "the event loop that the engine was opened on has ended; what was under way may be recorded: ask again"
_FORKED = (
    "the engine was created before this process was forked, and does not survive that: fork first, then create one"
    " in each process"
)

_events = Events("adjudge.engine")


class Home:
    """The event loop of one engine: its caller's, or one in a thread of its own."""

    def __init__(self, close: Work[None], let_go: Callable[[], None]) -> None:
        """close: what to do on the loop when the engine is closed. let_go: what is left to do where the loop ended."""
        self._close, self._let_go = close, let_go
        self._process = os.getpid()
        self._gate = threading.RLock()  # nobody comes in while the engine closes; a signal's handler may close it
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._calls: set[Future[Any]] = set()
        self._is_closed = self._is_over = False

    def check_process(self) -> None:
        """Raise EngineError in a process that was forked: threads are missing here, and locks may be held for ever."""
        if self._is_elsewhere:
            raise EngineError(_FORKED)

    def check_not_over(self) -> None:
        """Raise EngineError where the engine is closed, or another process's."""
        self.check_process()
        if self._is_closed:
            raise EngineError("the engine is closed")

    def check_not_begun(self) -> None:
        """Raise EngineError where the engine is open, or was."""
        self.check_not_over()
        if self._loop is not None:
            raise EngineError("the engine is open already")

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop. Raises EngineError where the engine is not open here."""
        if os.getpid() != self._process:
            raise EngineError(_FORKED)
        if self._loop is None:
            how = "is closed" if self._is_closed else "is not open: use it as `async with engine:` or `with engine:`"
            raise EngineError(f"the engine {how}")
        return self._loop

    async def run(self, work: Work[_T]) -> _T:
        """Do work on the loop, for a caller on any loop. Raises EngineError, and what the work raises."""
        if asyncio.get_running_loop() is self.loop():
            return await work()
        loop, call = self._call(work)
        answer = asyncio.wrap_future(call)
        try:
            while not (await asyncio.wait({answer}, timeout=LOOK_EVERY_S))[0]:
                self._look(loop)
        except BaseException:
            answer.cancel()  # what others wait for goes on
            raise
        if answer.cancelled():
            raise EngineError(_ENDED)
        return answer.result()

    def run_blocking(self, work: Work[_T]) -> _T:
        """Do work on the loop, for a thread that has none; as `run` otherwise."""
        loop, call = self._call(work)
        while True:
            try:
                return call.result(timeout=LOOK_EVERY_S)
            except TimeoutError:
                if call.done():
                    raise  # the work's own
                self._look(loop)
            except CancelledError:
                raise EngineError(_ENDED) from None

    def _call(self, work: Work[_T]) -> tuple[asyncio.AbstractEventLoop, Future[_T]]:
        self.check_process()
        with self._gate:
            loop = self.loop()
            self._look(loop)
            call = _begun(work(), loop)
            self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return loop, call

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Raise EngineError where nobody runs the loop."""
        if not self._lives(loop):
            raise EngineError(_ENDED)

    def _lives(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether somebody runs the loop; its own thread never lets it end."""
        return self._thread is not None or loop.is_running()

    def open(self) -> None:
        """Live on the running loop. Raises EngineError where the engine was opened before."""
        self._begin(asyncio.get_running_loop(), None)

    def open_thread(self) -> None:
        """Live on a loop in a thread of its own. Raises EngineError where the engine was opened before."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._live, args=(loop,), name="adjudge-engine", daemon=True)
        try:
            self._begin(loop, thread)
        except EngineError:
            loop.close()
            raise
        thread.start()

    async def begin(self, work: Work[None]) -> None:
        """Do what comes first on the loop that was just opened; where that fails, the engine is closed."""
        try:
            await work()
        except BaseException:
            await self.close()
            raise

    def begin_blocking(self, work: Work[None]) -> None:
        """Do what comes first, for a thread that has no loop; as `begin` otherwise."""
        try:
            self.run_blocking(work)
        except BaseException:
            self.close_blocking()
            raise

    def _begin(self, loop: asyncio.AbstractEventLoop, thread: threading.Thread | None) -> None:
        self.check_process()
        with self._gate:
            if self._loop is not None or self._is_closed:
                how = "was closed: create another one" if self._is_closed else "is open already"
                raise EngineError(f"the engine {how}")
            self._loop, self._thread = loop, thread
        atexit.register(self._at_exit)

    def _live(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run the loop until the engine has closed; what a plugin throws through it, or its `stop`, does not end it."""
        while not self._is_over:
            try:
                loop.run_forever()
            except BaseException:  # the one who waits for that task has it too; the others' work goes on
                _events.exception("loop_interrupted")

    @property
    def is_open(self) -> bool:
        """Whether there is a loop of this process to close."""
        return self._loop is not None and not self._is_elsewhere

    async def close(self) -> None:
        """Close where the caller is on some loop; what is closed stays so, and what was never opened is let go.

        In a process that was forked, nothing is this one's to close.
        """
        loop = self._leave()
        if loop is None:
            return
        try:
            if asyncio.get_running_loop() is loop:
                await self._closing()
            elif (closing := self._begin_closing(loop)) is not None:
                answer = asyncio.wrap_future(closing)
                try:
                    while not (await asyncio.wait({answer}, timeout=LOOK_EVERY_S))[0] and self._lives(loop):
                        pass
                except BaseException:
                    answer.cancel()
                    raise
                self._finish(closing, loop)
        finally:
            self._end_thread(loop, None)

    def close_blocking(self, *, within_s: float | None = None) -> None:
        """Close for a thread that has no loop; as `close` otherwise. within_s: seconds after which the rest is left."""
        loop = self._leave()
        if loop is None:
            return
        until = inf if within_s is None else monotonic() + within_s
        try:
            if (closing := self._begin_closing(loop)) is not None:
                while (left_s := until - monotonic()) > 0 and self._lives(loop):
                    if wait({closing}, timeout=min(left_s, LOOK_EVERY_S)).done:
                        break
                self._finish(closing, loop)
        finally:
            self._end_thread(loop, within_s)

    def _begin_closing(self, loop: asyncio.AbstractEventLoop) -> Future[None] | None:
        """Begin to close on the loop; where nobody runs it, let go of everything, and return None."""
        if self._lives(loop):
            try:
                return _begun(self._closing(), loop)
            except EngineError:
                pass  # it was closed just now
        self._let_go()
        return None

    def _finish(self, closing: Future[None], loop: asyncio.AbstractEventLoop) -> None:
        """Raise what closing raised; where it did not come to its end, let go of everything.

        Raises TimeoutError where its loop still runs.
        """
        is_over, lives = closing.done(), self._lives(loop)
        if is_over and not closing.cancelled():
            closing.result()
            return
        if not is_over and not lives and not loop.is_closed():
            closing.cancel()
        self._let_go()
        if not is_over and lives:
            raise TimeoutError

    async def _closing(self) -> None:
        """Let those who came in before be answered, and close."""
        await asyncio.gather(*map(asyncio.wrap_future, tuple(self._calls)), return_exceptions=True)
        await self._close()

    def _leave(self) -> asyncio.AbstractEventLoop | None:
        """Let nobody in any more, and return the loop that is to be closed: None where it is so, or was never open."""
        if self._is_elsewhere:
            return None
        with self._gate:
            loop, self._loop = self._loop, None
            was_closed, self._is_closed = self._is_closed, True
        if loop is not None:
            atexit.unregister(self._at_exit)
        elif not was_closed:
            self._let_go()
        return loop

    def _end_thread(self, loop: asyncio.AbstractEventLoop, within_s: float | None) -> None:
        if self._thread is not None:
            self._is_over = True
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join(within_s)
            if not self._thread.is_alive():
                loop.close()

    def _at_exit(self) -> None:
        """Close where the process ends and nobody has closed: the log gets its closing checkpoint."""
        try:
            self.close_blocking(within_s=EXIT_WITHIN_S)
        except BaseException:  # a process that ends has nobody to raise it to
            _events.exception("not_closed")

    @property
    def _is_elsewhere(self) -> bool:
        """Whether the engine is another process's: this one was forked from it."""
        return os.getpid() != self._process


def _begun(work: Coroutine[Any, Any, _T], loop: asyncio.AbstractEventLoop) -> Future[_T]:
    """Begin work on a loop that runs elsewhere. Raises EngineError where that was closed."""
    try:
        return asyncio.run_coroutine_threadsafe(work, loop)
    except RuntimeError:
        work.close()
        raise EngineError(_ENDED) from None
