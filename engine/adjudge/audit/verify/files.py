"""What `segment` records say of the files of a log, held against what was read of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .lines import HASH, Lines
from .problem import Wrong


@dataclass(slots=True)
class _File:
    first: int
    last: int = 0
    last_hash: bytes = b""
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def said(self) -> dict[str, object]:
        """Return what a record of it says."""
        return {
            "first": self.first,
            "last": self.last,
            "last_hash": self.last_hash.decode("latin-1"),
            "bytes": self.size,
            "sha256": self.digest.hexdigest(),
        }


class Files:
    """The files that were read so far. vouched: the names of those that a record describes."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._path: Path | Lines | None = None
        self._now = _File(0)
        self.vouched: set[str] = set()

    def take(self, path: Path | Lines, seq: int, line: bytes) -> None:
        """Take note of a good line."""
        if path is not self._path:
            self._path, self._now = path, _File(seq)
            self._files[path.name] = self._now
        now = self._now
        now.last, now.last_hash, now.size = seq, line[HASH], now.size + len(line)
        now.digest.update(line)

    def check(self, said: Mapping[str, Any]) -> None:
        """Hold a `segment` record against the file that it names, if that still has these records. Raises Wrong."""
        found = self._files.get(str(said.get("name")))
        if found is None or (found.first, found.last) != (said.get("first"), said.get("last")):
            return
        if found.said() != {name: said.get(name) for name in found.said()}:
            raise Wrong("false-segment", f"what the record says of {said.get('name')} is wrong")
        self.vouched.add(str(said.get("name")))

    def unvouched(self, away: int) -> int:
        """Return how many files that are closed no record describes.

        away: the number of the last record that is elsewhere; of a file before it a record may stand there.
        """
        closed = list(self._files.items())[:-1]
        return sum(file.last > away and name not in self.vouched for name, file in closed)
