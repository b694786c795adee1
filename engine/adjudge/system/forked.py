"""Work in a process of its own, which begins with all that this one has: nothing has to be sent there."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

CAN_FORK = hasattr(os, "fork")

_Found = TypeVar("_Found")


class Forked(Generic[_Found]):
    """A piece of work, begun at once. What it returns or raises comes back, and must be such as can be pickled."""

    def __init__(self, work: Callable[[], _Found]) -> None:
        """Begin. work: opens what files it needs itself."""
        context = get_context("fork")
        self._answer, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_answer, args=(theirs, work))
        self._process.start()
        theirs.close()

    def result(self) -> _Found:
        """Wait for what it returns, or raise what it raises. Raises ChildProcessError where it died."""
        found = self._ended()
        if found is None:
            raise ChildProcessError(f"a process of this command died with status {self._process.exitcode}")
        is_good, answer = found
        if not is_good:
            raise answer
        returned: _Found = answer
        return returned

    def join(self) -> None:
        """Wait until it has ended, whatever comes of it."""
        self._ended()

    def _ended(self) -> tuple[bool, Any] | None:
        try:
            found: tuple[bool, Any] = self._answer.recv()  # it cannot end before somebody takes its answer
        except EOFError:
            return None
        finally:
            self._answer.close()
            self._process.join()
        return found


def _answer(answer: Connection, work: Callable[[], object]) -> None:
    """Run in the new process. Whoever began it may have gone, or given up."""
    gc.disable()  # it ends soon, and shares its memory until it looks at all of it
    try:
        found: tuple[bool, object] = (True, work())
    except BaseException as error:
        found = (False, error)
    try:
        answer.send(found)
    except OSError:
        pass
