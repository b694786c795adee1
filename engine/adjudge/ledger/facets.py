"""Decisions by outcome, rule, reason, tag and so on: what a search reads in place of the log.

A thread reads the log and keeps what can be asked of its decisions in blocks (`facet_block`), in a file beside the log
(`facet_file`). It starts with the first search that could use it, or as the log is opened if the file is there. It
begins with the newest segment, and keeps up. What it has not read yet, and what is not what was written, is read from
the log. Whatever is found is held against the log: nothing in the file is evidence.
"""

from __future__ import annotations

import sqlite3
import threading
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from io import FileIO
from itertools import islice
from pathlib import Path
from time import monotonic

from adjudge.audit.read import first_hash, lines_within, segment_number
from adjudge.audit.record import MAX_LINE
from adjudge.audit.verify import segments
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.events import Events
from adjudge.frozen import frozen
from adjudge.ledger.facet_block import Block, KeptBlock, OpenBlock, SpoiltBlock, places_in, wanted_in
from adjudge.ledger.facet_file import FILE, FacetFile, StaleFacets
from adjudge.ledger.index_file import place_of, segment_of
from adjudge.ledger.searching import SegmentsOf, TagsOf, is_decision, is_wanted
from adjudge.ledger.tags import KnownTags, UnknownTags
from adjudge.plugin import DecisionQuery

FIRST_S = 2.0
"""Seconds after the log was opened: a process that ends before makes nothing."""
KEEP_UP_S = 1.0
"""Seconds after which the thread looks how far the log is."""
AGAIN_S = 60.0
"""Seconds after which it is tried again where it failed."""
_READ = 128 * 1024
"""Bytes that are read at once; then the thread rests for as long as that took."""
_REST_S = 0.05
_TURN_S = 1.0
"""Seconds after which the thread looks whether there is something newer to read."""
_HEADS = 256
"""Heads of blocks that are held in memory: some ten kilobytes each."""

_LINE = 16 * 1024
"""Bytes of most records, which are read at once."""

_events = Events("adjudge.ledger")


@frozen
class _Found:
    """What is wanted in a block. of: where the block begins. begin, end: the stretch that was looked through."""

    of: int
    begin: int
    end: int
    starts: Sequence[int]


class Facets:
    """What a log's decisions can be searched by. Searches and the thread take turns."""

    def __init__(self, directory: Path, end: Callable[[], int], losses: Callable[[], int]) -> None:
        """directory: of the log. end: gives the place up to which it is durable; losses: how often it went back."""
        self._directory, self._path, self._end, self._losses = directory, directory / FILE, end, losses
        self._lock = threading.RLock()
        self._closing, self._wake = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._file: FacetFile | None = None
        self._stretches: list[tuple[int, int, int]] = []
        self._heads: OrderedDict[tuple[int, int], KeptBlock] = OrderedDict()
        self._open: dict[int, OpenBlock] = {}
        self._proved: set[tuple[int, int]] = set()
        self._stuck: dict[int, int] = {}  # segments with a line that has no end, and how long they were
        self._lost, self._is_failing = losses(), False
        if self._path.exists():
            self._start(FIRST_S)

    def lines(self, query: DecisionQuery, before: int, tags: KnownTags) -> Iterator[tuple[int, bytes]]:
        """Yield lines that may be wanted and begin before a place, newest first, each with its place; for a thread.

        Raises AuditUnavailable and AuditBroken.
        """
        self._prepare(query)
        before = min(before, self._end())  # what follows is not durable yet
        is_of_the_time = SegmentsOf(query.since, query.until).has
        number, end = segment_of(before)
        try:
            for file in reversed(segments(self._directory)):
                of = segment_number(file)
                if of > number or not is_of_the_time(file):
                    continue
                with suppress(FileNotFoundError):  # it is moved away just now
                    stop = min(end, file.stat().st_size) if of == number else file.stat().st_size
                    for start, line in self._lines_of(file, of, query, stop, tags):
                        yield place_of(of, start), line
        except OSError as error:
            raise AuditUnavailable(f"{self._directory}: {error.strerror or error}") from error

    def policy(self, digest: str) -> bytes | None:
        """Return a record of a policy; None where none was noted. Raises OSError. Its user looks at what it is."""
        with self._lock:
            for segment, block in [*self._open.items()]:
                if digest in block.policies:
                    return self._line(segment, block.policies[digest])
            for segment, begin, _ in reversed(self._stretches):
                with suppress(SpoiltBlock, sqlite3.Error):
                    found = self._file.head(segment, begin).policies if self._file is not None else {}
                    if digest in found:
                        return self._line(segment, found[digest])
        return None

    def _line(self, segment: int, start: int) -> bytes:
        with (self._directory / f"audit-{segment:06}.jsonl").open("rb") as opened:
            opened.seek(start)
            return opened.readline(MAX_LINE + 1)

    @property
    def is_whole(self) -> bool:
        """Whether everything that is durable has been read."""
        with self._lock:
            return self._file is not None and not self._is_failing and self._next() is None

    def close(self) -> None:
        """Let the file go."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            with suppress(sqlite3.Error, OSError):
                for block in [*self._open.values()]:  # so that the next start need not read that again
                    self._keep(block)
            self._let_go()

    def _lines_of(
        self, file: Path, segment: int, query: DecisionQuery, end: int, tags: KnownTags
    ) -> Iterator[tuple[int, bytes]]:
        """Yield lines of a segment that begin before one of its bytes, newest first."""
        while end > 0:
            found = self._found_in(file, segment, query, end, tags)
            if found is None:
                yield from lines_within(file, 0, end)
                return
            yield from lines_within(file, found.end, end)
            end = found.end
            try:
                for start, line in _at(file, found.starts):
                    if not is_wanted(query, line, tags):
                        raise SpoiltBlock("a decision is not what it says")
                    yield start, line
                    end = start
            except SpoiltBlock as spoilt:
                self._drop(segment, found.of, spoilt)
                yield from lines_within(file, found.begin, end)
            end = found.begin

    def _found_in(self, file: Path, segment: int, query: DecisionQuery, before: int, tags: KnownTags) -> _Found | None:
        """Look for what is wanted in the newest block before a byte, a page of it at most; None where there is none."""
        while True:
            try:
                return self._looked(file, segment, query, before, tags.known)
            except UnknownTags as unknown:
                tags(unknown.digest)  # which may read much of the log, so without the lock

    def _looked(self, file: Path, segment: int, query: DecisionQuery, before: int, tags: TagsOf) -> _Found | None:
        with self._lock:
            while (found := self._block_before(file, segment, before)) is not None:
                begin, end, block = found
                try:
                    places = places_in(block, wanted_in(block, query, before, tags))
                    starts = [*islice(places, query.limit)]
                except (SpoiltBlock, sqlite3.Error) as spoilt:
                    self._drop(segment, begin, spoilt)
                    continue
                is_all = len(starts) < query.limit
                return _Found(begin, begin if is_all else starts[-1], min(end, before), starts)
        return None

    def _block_before(self, file: Path, segment: int, before: int) -> tuple[int, int, Block] | None:
        """Return the newest block that begins before a byte, with its stretch; None where there is none."""
        self._note_losses()
        of = self._open.get(segment)
        if of is not None and of.begin < before and of.count and not self._goes_further(of):
            return of.begin, of.end, of
        while self._file is not None and (at := bisect_left(self._stretches, (segment, before, 0)) - 1) >= 0:
            found, begin, end = self._stretches[at]
            if found != segment:
                return None
            try:
                return begin, end, self._kept(file, segment, begin)
            except (SpoiltBlock, sqlite3.Error) as spoilt:
                self._drop(segment, begin, spoilt)
        return None

    def _kept(self, file: Path, segment: int, begin: int) -> KeptBlock:
        """Return a block that is kept. Raises SpoiltBlock, also where the log does not have the record it ends with."""
        assert self._file is not None
        key = segment, begin
        found = self._heads.get(key)
        if found is None:
            found = self._heads[key] = KeptBlock(self._file.head(segment, begin), self._file)
            if len(self._heads) > _HEADS:
                self._heads.popitem(last=False)
        self._heads.move_to_end(key)
        if key not in self._proved:
            head = found.head
            with file.open("rb", buffering=0) as opened:
                opened.seek(head.last)
                line = opened.read(min(max(head.end - head.last, 0), MAX_LINE + 1))
            if not line.endswith(f'"hash":"{head.hash}"}}\n'.encode()) or b"\n" in line[:-1]:
                raise SpoiltBlock("the log does not have the record that it ends with")
            self._proved.add(key)
        return found

    def _drop(self, segment: int, begin: int, reason: Exception) -> None:
        """Let a block go that is of no use, and those after it in its segment: the thread reads on from there."""
        with self._lock:
            _events.warning("facets_spoilt", directory=str(self._directory), segment=segment, reason=str(reason))
            self._open.pop(segment, None)
            gone = [one for one in self._stretches if one[0] == segment and one[1] >= begin]
            try:
                for _, start, _ in gone if self._file is not None else ():
                    self._file.drop(segment, start)  # type: ignore[union-attr]
            except sqlite3.Error:
                self._let_go()
                with suppress(OSError):
                    FacetFile.remove(self._path)
            self._forget(gone)
        self._wake.set()

    def _forget(self, gone: list[tuple[int, int, int]]) -> None:
        lost = {(segment, begin) for segment, begin, _ in gone}
        self._stretches = [one for one in self._stretches if one[:2] not in lost]
        self._proved -= lost
        for key in lost:
            self._heads.pop(key, None)

    def _let_go(self) -> None:
        if self._file is not None:
            with suppress(sqlite3.Error):
                self._file.close()
        self._file = None
        self._forget(self._stretches)
        self._open.clear()

    def _note_losses(self) -> None:
        """Forget what was read of a log whose disk has lost records since: others may stand there now."""
        if (lost := self._losses()) != self._lost:
            self._lost = lost
            self._open.clear()
            self._proved.clear()

    def _prepare(self, query: DecisionQuery) -> None:
        """See to it that the file is open if it is there, and is made if a search could use it."""
        with self._lock, suppress(sqlite3.Error, OSError, StaleFacets, AuditUnavailable, AuditBroken):
            if self._thread is None and _has_facets(query):
                self._start(0.0)
            if self._file is None and self._end() and not self._closing.is_set() and self._path.exists():
                self._open_file()
                self._wake.set()

    def _start(self, after_s: float) -> None:
        with self._lock:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, args=(after_s,), name="adjudge-facets", daemon=True)
                self._thread.start()

    def _run(self, after_s: float) -> None:
        """Be the thread: read the log, and keep up with it until it is closed."""
        self._wake.wait(after_s)
        begun, has_been_through = monotonic(), False
        while not self._closing.is_set():
            pause_s = KEEP_UP_S
            self._wake.clear()
            try:
                while self._read_on():
                    pass
                if not (self._closing.is_set() or has_been_through) and self._file is not None:
                    has_been_through = True
                    _events.info("facets_noted", directory=str(self._directory), seconds=round(monotonic() - begun, 1))
                self._is_failing = False
            except (sqlite3.Error, OSError, StaleFacets, SpoiltBlock, AuditUnavailable, AuditBroken) as error:
                if not self._is_failing:
                    _events.warning("facets_not_written", directory=str(self._directory), reason=str(error))
                is_spoilt = FacetFile.is_spoilt(error)
                if is_spoilt:
                    with self._lock, suppress(OSError):
                        self._let_go()
                        FacetFile.remove(self._path)
                pause_s = KEEP_UP_S if is_spoilt and not self._is_failing else AGAIN_S
                self._is_failing = True
            self._wake.wait(pause_s)

    def _read_on(self) -> bool:
        """Read for a while, the newest that was not read yet. Return whether there may be more."""
        with self._lock:
            if self._closing.is_set() or not self._end():
                return False
            if self._file is None:
                self._open_file()
            here = {segment_number(path) for path in segments(self._directory)}
            for segment, begin, _ in (gone := [one for one in self._stretches if one[0] not in here]):
                self._file.drop(segment, begin)  # type: ignore[union-attr]
            self._forget(gone)
            found = self._next()
        if found is None:
            return False
        path, limit, is_over = found
        until = monotonic() + _TURN_S
        with path.open("rb", buffering=0) as opened:
            while True:
                begun = monotonic()
                if self._closing.is_set() or begun > until or not self._read(opened, path, limit, is_over=is_over):
                    return True
                self._closing.wait(min(monotonic() - begun, _REST_S))

    def _open_file(self) -> None:
        log = first_hash(self._directory)
        try:
            self._file = FacetFile(self._path, log)
        except (StaleFacets, sqlite3.Error) as error:
            if not FacetFile.is_spoilt(error):
                raise
            FacetFile.remove(self._path)
            self._file = FacetFile(self._path, log)
        self._stuck.clear()
        self._stretches = self._file.stretches()
        if not self._stretches:
            size = sum(path.stat().st_size for path in segments(self._directory))
            _events.info("facets_begun", directory=str(self._directory), bytes=size)

    def _next(self) -> tuple[Path, int, bool] | None:
        """Return what to read next: a segment, up to where, and whether that is its end; None where all is read."""
        newest, byte = segment_of(self._end())
        for path in reversed(segments(self._directory)):
            number = segment_number(path)
            if number > newest:
                continue
            limit = byte if number == newest else path.stat().st_size
            is_over = number < newest
            if self._stuck.get(number) != limit and (
                self._upto(path, number) < limit or (is_over and number in self._open)
            ):
                return path, limit, is_over
        return None

    def _upto(self, path: Path, number: int) -> int:
        """Return up to where a segment was read."""
        if number in self._open:
            return self._open[number].end
        while (at := bisect_left(self._stretches, (number + 1, -1, -1)) - 1) >= 0:
            segment, begin, end = self._stretches[at]
            if segment != number:
                break
            try:
                if (segment, begin) not in self._proved:
                    self._kept(path, segment, begin)
            except (SpoiltBlock, sqlite3.Error) as spoilt:
                self._drop(segment, begin, spoilt)
                continue
            return end
        return 0

    def _begin(self, path: Path, number: int) -> int:
        """Return where to read a segment from: a last block that has room is made again, and is used until then."""
        end = self._upto(path, number)
        at = bisect_left(self._stretches, (number, end, -1)) - 1
        if not end or self._stretches[at][0] != number:
            return end
        begin = self._stretches[at][1]
        return begin if self._kept(path, number, begin).has_room else end

    def _goes_further(self, of: OpenBlock) -> bool:
        """Whether a block is kept that is being made again, and has more yet."""
        at = bisect_left(self._stretches, (of.segment, of.begin, 0))
        return (
            at < len(self._stretches)
            and self._stretches[at] > (of.segment, of.begin, of.end)
            and (self._stretches[at][:2] == (of.segment, of.begin))
        )

    def _read(self, opened: FileIO, path: Path, limit: int, *, is_over: bool) -> bool:
        """Read some of a segment, up to a byte; is_over: which is its end. Return whether there is more."""
        with self._lock:
            self._note_losses()
            segment = segment_number(path)
            if segment not in self._open:
                self._open[segment] = OpenBlock(segment, self._begin(path, segment))
            block = self._open[segment]
            opened.seek(block.end)
            data = opened.read(min(_READ, limit - block.end))
            while (
                b"\n" not in data
                and len(data) <= MAX_LINE
                and (more := opened.read(min(_READ, limit - block.end - len(data))))
            ):
                data += more
            lines = data.split(b"\n")
            if len(lines) == 1 and block.end < limit:  # a line without an end: its writer or `verify` will say
                self._stuck[segment] = limit
                return False
            for line in lines[:-1]:
                if block.is_full:
                    self._keep(block)
                    block = self._open[segment] = OpenBlock(segment, block.end)
                block.add(line + b"\n")
            if block.end < limit:
                return True
            if is_over:
                self._keep(block)
            return False

    def _keep(self, block: OpenBlock) -> None:
        """Put a block into the file, in place of the one that it makes again."""
        self._open.pop(block.segment, None)
        if self._file is None or self._losses() != self._lost or block.begin == block.end or self._goes_further(block):
            return
        head, parts = block.closed()
        self._file.add(head, parts)
        self._forget([one for one in self._stretches if one[:2] == (head.segment, head.begin)])
        insort(self._stretches, (head.segment, head.begin, head.end))


def _has_facets(query: DecisionQuery) -> bool:
    """Whether a search would have to read much of a log without this."""
    return any(
        (query.outcome, query.policy, query.rule, query.reason, query.missing, query.tag, query.waiver, query.unknown)
    )


def _at(file: Path, starts: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that begin at some bytes. Raises SpoiltBlock where no decision does."""
    with file.open("rb", buffering=_LINE) as opened:
        for start in starts:
            opened.seek(max(start - 1, 0))
            if start and opened.read(1) != b"\n":
                raise SpoiltBlock("no record begins where it says")
            line = opened.readline(MAX_LINE + 1)
            if not is_decision(line):
                raise SpoiltBlock("no decision is where it says")
            yield start, line
