"""A file that is watched while it is used: a new one counts within a second, a broken one leaves the last good one."""

from __future__ import annotations

import asyncio
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
WAITED_S = 1.0
"""Seconds that one request waits for a look; nobody waits for a file that gave no answer before."""
READ_WITHIN_S = 30.0
SILENT = "it gives no answer: its file system may be gone"

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
        self._looking: asyncio.Task[None] | None = None

    async def current(self) -> _T:
        """Return what the file says, or said when it was good. A file that gives no answer holds up nobody for long."""
        is_looking = self._looking is not None and not self._looking.done()
        if self._clock() >= self._next and not is_looking:
            self._next = self._clock() + LOOK_S  # who comes meanwhile gets what there is
            self._looking = asyncio.create_task(self._look())
            await asyncio.wait({self._looking}, timeout=0 if self.trouble == SILENT else WAITED_S)
            if not self._looking.done():
                self._tell(SILENT)
        return self._said

    async def _look(self) -> None:
        """Look at the file in a thread: where its file system is gone, whatever asks for it hangs."""
        state: FileState | None = None
        try:
            state, is_new = await self._pool.run(self._glance, deadline_s=READ_WITHIN_S)
            if not is_new and self.trouble != SILENT:
                return
            said = await self._pool.run(lambda: self._read(self._path), deadline_s=READ_WITHIN_S)
        except TimeoutError:
            self._tell(SILENT)
        except (FileNotFoundError, NotADirectoryError):
            self._said, self._seen = self._nothing, None
            self._tell("it is gone")
        except Exception as error:  # whatever is wrong with it, the last good one serves on
            self._seen = state if isinstance(error, AdjudgeError) else None
            self._tell(_said_of(error))
        else:
            if self.trouble or said != self._said:
                _events.info("file_read", file=self._path.name)
            self._said, self._seen, self.trouble = said, state, ""

    def _glance(self) -> tuple[FileState | None, bool]:
        """Return the state of the file, and whether it has to be read. Raises OSError."""
        state = self._state()
        return state, state is None or state != self._seen

    def _state(self) -> FileState | None:
        """Return what tells the file from a later one; None where it is too new to tell. Raises OSError."""
        now = time.time_ns()
        state = FileState.of(self._path.stat())
        return state if state.is_at_rest(now) else None

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            _events.error("file_unusable", file=self._path.name, trouble=trouble)
        self.trouble = trouble


def _said_of(error: Exception) -> str:
    """Return what is wrong without repeating what stands in the file."""
    if isinstance(error, PolicyErrors):
        first = error.errors[0]
        return f"line {first.line}, column {first.column}: {first.code}"
    why = error.strerror if isinstance(error, OSError) else None
    return str(error) if isinstance(error, AdjudgeError) else (why or "it cannot be read").lower()
