"""A file that is watched while it is used: a new one counts within a second, a broken one leaves the last good one."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from adjudge.errors import AdjudgeError, PolicyErrors
from adjudge.events import Events
from adjudge.system.files import FileState
from adjudge.system.pools import Pool

LOOK_S = 1.0
"""Seconds between two looks at a file that is used."""
READ_WITHIN_S = 30.0

_T = TypeVar("_T")
_events = Events("adjudge.service")


class Watched(Generic[_T]):
    """What a file says. Where the file is gone, it says `nothing`, which lets nobody in.

    trouble: what is wrong with the file as it is now, without a word of its contents; empty where nothing is.
    """

    def __init__(
        self, path: Path, read: Callable[[Path], _T], nothing: _T, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the file. Raises what `read` raises. clock: in seconds."""
        self._path, self._read, self._nothing, self._clock = path, read, nothing, clock
        self.trouble = ""
        self._seen: FileState | None = None
        with suppress(OSError):  # which `read` tells better
            self._seen = self._state()
        self._said = read(path)
        self._next = clock() + LOOK_S
        self._pool = Pool("adjudge-access", 1)

    async def current(self) -> _T:
        """Return what the file says, or said when it was good."""
        if self._clock() >= self._next:
            self._next = self._clock() + LOOK_S  # who comes meanwhile gets what there is
            await self._look()
        return self._said

    async def _look(self) -> None:
        try:
            state = self._state()
            if state is not None and state == self._seen:
                return
            said = await self._pool.run(lambda: self._read(self._path), deadline_s=READ_WITHIN_S)
        except (FileNotFoundError, NotADirectoryError):
            self._said, self._seen = self._nothing, None
            self._tell("it is gone")
        except (AdjudgeError, OSError) as error:
            self._seen = None if isinstance(error, OSError) else state
            self._tell(_said_of(error))
        else:
            if self.trouble or said != self._said:
                _events.info("file_read", file=self._path.name)
            self._said, self._seen, self.trouble = said, state, ""

    def _state(self) -> FileState | None:
        """Return what tells the file from a later one; None where it is too new to tell. Raises OSError."""
        now = time.time_ns()
        state = FileState.of(self._path.stat())
        return state if state.is_at_rest(now) else None

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            _events.error("file_unusable", file=self._path.name, trouble=trouble)
        self.trouble = trouble


def _said_of(error: AdjudgeError | OSError) -> str:
    """Return what is wrong without repeating what stands in the file."""
    if isinstance(error, PolicyErrors):
        first = error.errors[0]
        return f"line {first.line}, column {first.column}: {first.code}"
    return str(error) if isinstance(error, AdjudgeError) else (error.strerror or "it cannot be read").lower()
