"""Logs that are not in files: what a plugin gives of them to whoever reads a log, by a URL in place of its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal, Protocol

from adjudge.frozen import frozen


@frozen(kw_only=True)
class LogChain:
    """One of the chains of records that a log consists of, as whoever keeps it says.

    name: such as `writer-3`. count: the number of its last record; last_hash: that record's, in lower-case hex.
    """

    name: str
    count: int
    last_hash: str


class LogLook(Protocol):
    """A log as it stood at one moment. Raises AuditUnavailable. What it says is not believed."""

    def chains(self) -> Sequence[LogChain]:
        """Return the chains in the order in which they were begun; those without a record are left out."""
        ...

    def lines(self, chain: str, first: int = 1, last: int | None = None) -> Iterator[bytes]:
        """Yield the lines of one chain in order, as they were written, in constant memory.

        first, last: the numbers of records; all from the first on unless given.
        """
        ...

    def merged(self, *, newest: int | None = None) -> Iterator[tuple[str, bytes]]:
        """Yield the lines of all chains as they were committed, each with its chain, in constant memory.

        Those of a chain are always in its order. newest: only so many, the newest ones, which may be kept in memory.
        """
        ...

    def archived(self) -> Iterator[bytes]:
        """Yield the lines of all `archive` records: of parts of chains that were moved elsewhere."""
        ...

    def lost(self, moved: Mapping[str, Sequence[tuple[int, int]]]) -> Mapping[str, int] | None:
        """Return by chain how many ids still name a decision there whose record is gone; None where nobody may look.

        moved: by chain, the first and the last of records that were archived, which do not count.
        """
        ...

    def size(self) -> int:
        """Return about how many bytes the lines have."""
        ...


class KeptValues(Protocol):
    """Personal values beside a log, by their commitments. Raises AuditUnavailable."""

    def reveal(self, commitment: str) -> object:
        """Return the value of a commitment as its JSON reads; None where it is gone."""
        ...

    def standing(self, commitment: str) -> Literal["held", "absent", "unreadable"]:
        """Return whether the value of a commitment can be had."""
        ...

    def is_filed(self, commitment: str, subject: str, name: str) -> bool:
        """Whether a value stands where an erasure of its subject finds it."""
        ...

    def close(self) -> None:
        """Let go of what was opened."""
        ...

    def __enter__(self) -> KeptValues: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class LogSource(Protocol):
    """A log that is not in files. Nothing is opened before it is looked at, and nothing is ever written there."""

    def __str__(self) -> str:
        """Return what to call it in messages and reports: its URL without any secret."""
        ...

    def look(self) -> AbstractContextManager[LogLook]:
        """Look at the log as it stands now. Raises AuditUnavailable, and PluginError where a package is missing."""
        ...

    def values(self) -> KeptValues:
        """Return the personal values beside it, which are opened when one is first asked for."""
        ...
