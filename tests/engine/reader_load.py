"""Fork engines that decide with two readers, until one of these kills its process in the middle of a record.

Reads lines `DIRECTORY FIRST AT PART` and forks an engine for each, which decides requests from number FIRST on. Of the
records that a reader takes in this run, it kills the process at number AT: `copy` after PART bytes of its line, if PART
is not negative; `noted` after it noted the record and before it remembered the position, if it is. Prints its process
id, and `ended` once it is gone.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from engines import device, engine, face, request

from adjudge.decision import feed, feeds
from adjudge.plugin import LogRecord, Position, PositionFile

feeds.LOOK_EVERY_S = 0.002
feed.RECORDS_MAX = 7


class Copy:
    """A file of lines, which says by itself what it holds. at, part: where it dies; -1 for nowhere."""

    def __init__(self, path: Path, at: int = -1, part: int = 0) -> None:
        self.path, self.left, self.part = path, at, part

    def open(self, end: Position) -> Position | None:
        if not self.path.exists():
            return None
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        os.truncate(self.path, len(whole))
        lines = [json.loads(line) for line in whole.splitlines()]
        return Position(log=lines[0]["hash"], seq=lines[-1]["seq"], hash=lines[-1]["hash"]) if lines else None

    def take(self, records: Sequence[LogRecord]) -> None:
        with self.path.open("ab", buffering=0) as file:
            for record in records:
                self.left -= 1
                if self.left == 0:
                    file.write(record.line[: self.part])
                    os.kill(os.getpid(), signal.SIGKILL)
                file.write(record.line)

    def close(self) -> None: ...


class Noted:
    """A place that cannot say what it holds, and a file beside it that can. at: where it dies."""

    def __init__(self, path: Path, at: int = -1) -> None:
        self.path, self.left = path, at
        self.positions = PositionFile(path.with_suffix(".positions"))

    def open(self, end: Position) -> Position | None:
        return self.positions.of(end.log)

    def take(self, records: Sequence[LogRecord]) -> None:
        with self.path.open("ab", buffering=0) as file:
            for record in records:
                file.write(f"{record.log} {record.seq}\n".encode())
                self.left -= 1
                if self.left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        self.positions.put(records[-1].position)

    def close(self) -> None: ...


def readers(directory: Path, at: int = -1, part: int = 0) -> dict[str, Copy | Noted]:
    """Return both readers of a directory's log; one of them is to die."""
    copy, noted = directory.with_suffix(".copy"), directory.with_suffix(".noted")
    if part < 0:
        return {"copy": Copy(copy), "noted": Noted(noted, at)}
    return {"copy": Copy(copy, at, part), "noted": Noted(noted)}


def main() -> None:
    for line in sys.stdin:
        directory, first, at, part = line.split()
        process = os.fork()
        if process == 0:
            log = Path(directory)
            asked = [face({"score": 0.1}), device({"emulator": False})]
            with engine(asked, at=log, readers=readers(log, int(at), int(part))) as door:
                for number in itertools.count(int(first)):
                    door.decide_sync(request(number))
        print(process, flush=True)
        os.waitpid(process, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
