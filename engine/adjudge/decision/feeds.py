"""The readers of an engine: each fed in a thread of its own, and one thread that looks how far the log is.

Nothing of it is on the way of a decision: the log's end is looked at every tenth of a second, and what is new is read
from the log.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import TypeVar

from adjudge.decision.feed import Feed
from adjudge.errors import AdjudgeError, AuditUnavailable, SetupError
from adjudge.events import Events
from adjudge.plugin import (
    DecisionLedger,
    LogReader,
    Position,
    ReaderState,
    RecordSource,
    WatchesEngine,
    WatchesReaders,
)
from adjudge.system.faults import is_operators
from adjudge.system.pools import NoThread, Pool

LOOK_EVERY_S = 0.1
"""Seconds between two looks at the log, unless it wants to be asked less often."""
OPEN_S = 30.0
CLOSE_S = 5.0
"""Seconds that readers have, when the engine closes, for what they still lack; the rest comes after the next start."""

_Reader = TypeVar("_Reader", bound=LogReader)
_events = Events("adjudge.readers")


class Feeds:
    """All readers of one engine, by their names."""

    def __init__(self, readers: Mapping[str, LogReader]) -> None:
        """Start nothing yet. Raises SetupError for what is no reader, or has no name."""
        if not isinstance(readers, Mapping) or not all(isinstance(name, str) and name for name in readers):
            raise SetupError("`readers` must be a mapping of names of yours to readers, such as {'cases': reader}")
        for name, reader in readers.items():
            for method in ("open", "take", "close"):
                if not callable(getattr(reader, method, None)):
                    raise SetupError(f"the reader `{name}` has no method `{method}`")
        self._readers, self._is_wanted = dict(readers), bool(readers)
        self._feeds: list[Feed] = []
        self._source: RecordSource | None = None
        self._is_over = threading.Event()
        self._is_told = False
        self._watcher: threading.Thread | None = None

    def reader_of(self, make: type[_Reader], name: str) -> _Reader:
        """Return the reader of a class; where there is none, one is made, and fed if records are handed out at all."""
        for reader in self._readers.values():
            if isinstance(reader, make):
                return reader
        while name in self._readers:
            name += "-2"
        self._readers[name] = made = make()
        return made

    async def open(self, ledger: DecisionLedger, engine: object) -> None:
        """Begin to feed from a ledger that is open. engine: whose readers they are.

        Raises SetupError where it hands out no records; AuditUnavailable and AuditBroken where they cannot be read.
        """
        if not self._readers:
            return
        source = ledger.records()
        if source is None and not self._is_wanted:
            return
        if source is None:
            raise SetupError("the ledger hands out no records, so readers cannot be fed: leave `readers` out")
        self._source = source
        feeds = [Feed(name, reader, source) for name, reader in self._readers.items()]
        pool = Pool("adjudge-readers-open", 1)
        try:
            kinds = {feed.is_of_process for feed in feeds}
            ends = await pool.run(lambda: {own: _ends(source, own=own) for own in kinds}, deadline_s=OPEN_S)
        except AdjudgeError:
            raise
        except Exception as error:  # of a plugin's ledger; its text may hold a password
            raise AuditUnavailable(f"the records cannot be read for readers: {type(error).__name__}") from error
        finally:
            pool.close()
        self._feeds = feeds
        for feed in feeds:
            feed.start(ends[feed.is_of_process])
        for name, reader in self._readers.items():
            if isinstance(reader, WatchesReaders | WatchesEngine):
                try:
                    if isinstance(reader, WatchesReaders):
                        reader.watch(self.states)
                    if isinstance(reader, WatchesEngine):
                        reader.watch_engine(engine)
                except BaseException as error:
                    if is_operators(error):
                        raise
                    _events.exception("reader_not_watching", reader=name)
        self._watcher = threading.Thread(target=self._watch, name="adjudge-readers", daemon=True)
        self._watcher.start()

    def states(self) -> list[ReaderState]:
        """Return how each reader stands."""
        return [feed.state() for feed in self._feeds]

    def close(self, within_s: float = CLOSE_S) -> None:
        """Let readers take what is durable by now; who needs longer goes on after the next start, and that is told."""
        if self._source is None or self._is_over.is_set():
            return
        self._is_over.set()
        until = monotonic() + within_s
        if self._watcher is not None:
            self._watcher.join(within_s)
        self._look()
        for feed in self._feeds:
            feed.close()
        for feed in self._feeds:
            is_over = feed.join(max(0.0, until - monotonic()))
            feed.give_up()
            state = feed.state()
            if not is_over or state.lag_records or state.reason:
                why = state.reason or "it is slow"
                _events.warning("reader_left", reader=feed.name, lag_records=state.lag_records, why=why)
        try:
            self._source.close()
        except BaseException as error:  # all that was to be sent is
            if is_operators(error):
                raise
            _events.exception("readers_not_closed")

    async def aclose(self) -> None:
        """Close, in a thread of its own; as `close`."""
        if self._source is None:
            return
        pool = Pool("adjudge-readers-close", 1)
        try:
            await pool.run(self.close, deadline_s=2 * CLOSE_S)
        except NoThread:
            self.close()
        except TimeoutError:
            _events.warning("readers_left", why="their records cannot be read")
        finally:
            pool.close()

    def let_go(self) -> None:
        """End at once, where nobody waits any more."""
        self._is_over.set()
        for feed in self._feeds:
            feed.give_up()

    def _watch(self) -> None:
        assert self._source is not None
        while not self._is_over.wait(max(LOOK_EVERY_S, self._source.look_every_s)):
            self._look()
            for feed in self._feeds:
                feed.look()

    def _look(self) -> None:
        """See how far the logs are; a ledger that does not say so is told once, and asked again."""
        assert self._source is not None
        ends: dict[bool, Sequence[Position]] = {}
        try:
            for feed in self._feeds:
                if feed.is_of_process not in ends:
                    ends[feed.is_of_process] = _ends(self._source, own=feed.is_of_process)
                feed.see(ends[feed.is_of_process])
            self._is_told = False
        except BaseException as error:
            if not self._is_told:
                why = str(error) if isinstance(error, AdjudgeError) else type(error).__name__
                _events.error("readers_unfed", why=why)
            self._is_told = True


def _ends(source: RecordSource, *, own: bool) -> Sequence[Position]:
    """Return the ends of logs. Raises TypeError where a plugin's ledger gives something else."""
    ends = tuple(source.ends(own=own))
    if not all(isinstance(end, Position) for end in ends):
        raise TypeError("the end of a log must be a Position")
    return ends
