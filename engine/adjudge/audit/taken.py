"""How far `flush` and `async` have said yes: two numbers in a file that outlive the process.

What they took and a crash then lost is known by it at the next start, and counted in the gap that checkpoints admit.
"""

from __future__ import annotations

import os
from pathlib import Path
from struct import Struct

FILE = "audit.taken"
_NUMBERS = Struct("<QQ")


class Taken:
    """The file of one log. gap: how many records were taken and then lost, up to now, as far as it knows."""

    def __init__(self, directory: Path, end: int, *, is_kept: bool) -> None:
        """Look at the file. Raises OSError.

        end: the number of the last record that was found. is_kept: whether the log takes what is not yet on disk.
        """
        path = directory / FILE
        self._file: int | None = None
        self.gap = 0
        if not is_kept and not path.exists():
            return
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            found = os.pread(self._file, _NUMBERS.size, 0)
            if len(found) == _NUMBERS.size:
                seq, gap = _NUMBERS.unpack(found)
                self.gap = gap + max(0, seq - end)
            self.put(end, self.gap)
            if not is_kept:
                self.close()
        except BaseException:
            self.close()
            raise

    def put(self, seq: int, gap: int) -> None:
        """Note that all up to a record is taken, and what was lost so far."""
        if self._file is not None:
            os.pwrite(self._file, _NUMBERS.pack(seq, gap), 0)

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
