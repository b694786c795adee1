"""Where each decision stands in the log, kept in a file that is derived from it.

Lines that came to stand in the log are taken note of in memory, and written down by a thread, many at a time and
seldom. What the thread has not written yet is found in memory; what it has not written when the process ends is read
from the log at the next open. Whatever is found is held against the log by its user.
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from adjudge.audit.bodies import DecisionBody
from adjudge.audit.calls import OpenCalls
from adjudge.audit.kinds import decode
from adjudge.audit.log import AuditLog
from adjudge.audit.read import first_hash, lines_back, lines_on, segment_number, whole
from adjudge.audit.record import MAX_LINE, MalformedLine, Record, parse
from adjudge.audit.shelf import is_url
from adjudge.audit.verify import ARCHIVED, Away, carried, segments
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.events import Events
from adjudge.ledger.away import Lacked, Sources, sources
from adjudge.ledger.heaps import Heaps
from adjudge.ledger.index_file import (
    FILE,
    Changes,
    IndexFile,
    Position,
    StaleIndex,
    is_spoilt,
    key_of,
    made,
    place_of,
    segment_of,
)
from adjudge.ledger.index_lines import (
    BY_NAME_KINDS,
    FIRST_NAMED,
    NAMED_KINDS,
    RECORD,
    decision_text,
    decoded,
    looked_at,
    named_text,
    parsed,
    policy_text,
    text_of_name,
)
from adjudge.ledger.index_places import Places
from adjudge.ledger.known import Known
from adjudge.ledger.named import named_record
from adjudge.ledger.searching import SegmentsOf
from adjudge.plugin import NAMED, CallBody

GATHER_S = 5.0
"""Seconds for which records gather before they are written down together."""
GATHERED = 20_000
"""Records that are written down at once: so many an open reads again from the log, at the most, after a kill."""
GATHERED_BYTES = 32 * 1024 * 1024
"""Bytes of records that are written down at once, as well."""
AGAIN_S = 1.0
"""Seconds after which writing, or making the index anew, is tried again where it failed; twice as many each time."""
_DOUBLED_MOST = 6
_FILL = 100_000
"""Records that are written down together while the log is read."""
_PAUSE_S = 0.001
_HASH = slice(-67, -3)

_events = Events("adjudge.ledger")


class Index:
    """The index of the log of one process. `calls`: which were open when it was opened, and what each day cost."""

    def __init__(self, log: AuditLog, *, since: Callable[[], float]) -> None:
        """Open the index of a log that nobody writes to yet, and let it catch up.

        since: gives seconds since 1970; where the index has to be made anew, segments that end before are left out.
        Raises AuditUnavailable where the log cannot be read.
        """
        self._directory, self._since, self._keys = log.directory, since, log.keys
        self._reading = Places(log, since)
        self._log = first_hash(log.directory) if log.seq else ""
        self._gathering = threading.Lock()
        self._pending = Changes()  # what gathers
        self._writing = Changes()  # and what the thread is writing down of it
        self._backlog: list[tuple[int, bytes]] | None = None  # in place of what gathers, while the index is made anew
        self._wake, self._hurry, self._closing = threading.Event(), threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._tally, self._known, self._is_failing, self._failures = OpenCalls(), Known(), False, 0
        self._taken = 0  # up to where lines were taken in
        self._noted = 0  # and up to where the log stands
        self._newest = 0, b""  # the last line that was taken note of, and where it stands
        self.losses = 0  # how often the log went back
        self._went_back, self._segment_noted, self._base = False, Path(), 0
        self._lacked: tuple[Lacked, ...] = ()
        self._file: IndexFile | None = None
        self._earlier_by_name: tuple[int, dict[str, list[Record]]] = (1, {})  # before the file's first segment
        try:
            self._file = self._opened(log.hash if log.seq else None)
        except OSError as error:
            raise AuditUnavailable(f"{self._directory}: {error.strerror or error}") from error
        self._noted = self._taken
        self.calls = self._tally.copy()
        if not self._known.is_whole:
            self._start()

    def note(self, file: Path, start: int, lines: Sequence[bytes]) -> None:
        """Take note of lines that came to stand in the log."""
        with self._gathering:
            if file is not self._segment_noted:
                self._segment_noted, self._base = file, place_of(segment_number(file), 0)
            place = self._base + start
            if place < self._noted:  # a disk has lost what `flush` or `async` had taken
                self._went_back, self._taken = True, place
                self.losses += 1
            changes = self._pending
            for line in lines:
                if self._backlog is None:
                    self._note(changes, place, line)
                else:
                    self._backlog.append((place, line))
                place += len(line)
            self._noted = place
            is_full = changes.records >= GATHERED or changes.size >= GATHERED_BYTES or self._went_back
            if self._thread is None:
                self._start()
        if not self._wake.is_set():
            self._wake.set()
        if is_full and not self._hurry.is_set():
            self._hurry.set()

    def records(self, text: str, *, after: str = "") -> Iterator[Record]:
        """Yield the records that stand where a text may be found, newest first; the caller looks at what they hold.

        after: where this text is found, older ones are not wanted.
        Raises AuditUnavailable where nobody can tell: also where a segment may hold a newer one that the index lacks.
        """
        oldest = segment_of(next(self._places(after), 0))[0] if after and self._lacked else 0
        for place in self._places(text):
            self.require_whole(max(oldest, segment_of(place)[0]))
            if (record := self.at(place)) is not None:
                yield record
        self.require_whole(oldest)

    def lines(
        self, before: int, text: str | None = None, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """Yield lines of the log that begin before a place, newest first, each with its own place; for a thread.

        text: only what is found by it, and all of the segments that the index does not have. Segments that are away are
        left out, and those that begin a day after `until` or end a day before `since`: clocks may go wrong for hours.
        Raises AuditUnavailable and AuditBroken.
        """
        before = min(before, self._noted)  # what follows is not durable yet
        try:
            if text is not None:
                first = place_of(self._file.first_segment if self._file is not None else 0, 0)
                for place in self._places(text):
                    if first <= place < before and (record := self.at(place)) is not None:
                        yield place, record.line
                before = min(before, first)
            is_wanted = SegmentsOf(since, until).has
            for file, start, line in lines_back(self._directory, segment_of(before), is_wanted=is_wanted):
                yield place_of(segment_number(file), start), line
        except OSError as error:
            raise AuditUnavailable(f"{self._directory}: {error.strerror or error}") from error

    def policy(self, digest: str, *, before: int) -> bytes | None:
        """Return the newest record of a policy with a smaller number; for a thread. Raises as `records`.

        One that was archived stands in the signpost of its segment.
        """
        sought = f'"digest":"{digest}"'.encode()
        for record in self.records(policy_text(digest)):
            if record.kind == "policy" and record.seq < before and sought in record.line:
                return record.line
        # An index that is older than policies in it, or begins later than the policy:
        kept = (line for _, line in self.lines(place_of(2**20, 0)))
        for line in itertools.chain(kept, *(carried(away) for away in reversed(whole(self._directory).away))):
            if sought in line and (record := parsed(line)).kind == "policy" and record.seq < before:
                return line
        return None

    def require_whole(self, after: int = 0) -> None:
        """Raise AuditUnavailable while a segment after one is lacked that may hold what counts."""
        for one in self._lacked:
            if one.number > after and one.until > self._since():
                raise AuditUnavailable(
                    f"{self._directory / one.name}: was archived to {one.to}, may hold what still answers a"
                    f" MerchantBizId, and {FILE} was made anew without it; copy it back and start again"
                )

    def check(self) -> None:
        """Raise AuditUnavailable where nobody can tell now whether an id is new."""
        if self._file is None:
            raise self._made_anew()
        self.require_whole()

    def _made_anew(self) -> AuditUnavailable:
        return AuditUnavailable(f"{self._directory / FILE}: is being made anew from the log; ask again")

    def _places(self, text: str) -> Iterator[int]:
        """Yield where a text may be found, newest first. Raises AuditUnavailable."""
        key, file = key_of(text.encode()), self._file
        # What gathers is written down, and then in the file: in this order nothing is missed, and no lock is needed.
        for changes in (self._pending, self._writing):
            if key in changes.places:
                yield from changes.of(key)
        if file is not None and self._known.lacks(key) and file is self._file:
            return
        if file is None:
            raise self._made_anew()
        try:
            places = file.places(key)
        except sqlite3.Error as error:
            self._let_go(file, str(error))
            raise AuditUnavailable(f"{self._directory / FILE}: {error}; it is made anew from the log") from None
        if file is not self._file:  # it was let go, and what gathered for it as well
            raise self._made_anew()
        yield from places

    def older(self, member: str, text: str) -> Record | None:
        """Return the newest decision with a text in one of its ids that was moved away, or that the index lacks.

        member: `decision_id` or `merchant_biz_id`. Reads the segments that the index does not have through; for a
        thread. Raises AuditBroken; AuditUnavailable, also where the segment cannot be read where it went.
        """
        first, sought = self._file.first_segment if self._file is not None else 0, f'"{member}":"{text}"'.encode()
        for moved in self._moved(decision_text(text) if member == "decision_id" else text):
            if moved.kind == "decision" and sought in moved.line:
                return moved
        for path in reversed(segments(self._directory)):
            found = None
            if segment_number(path) < first:
                with path.open("rb", buffering=1024 * 1024) as file:
                    start = 0
                    for line in file:
                        if sought in line and (record := self._scanned(path, start)) is not None:
                            found = record if record.kind == "decision" else found
                        start += len(line)
            if found is not None:
                return found
        return None

    def _moved(self, text: str) -> Iterator[Record]:
        """Yield the records where a text may be found in segments that were moved away, newest first."""
        away = {one.name: one for one in whole(self._directory).away}
        for place in self._places(text):
            if (one := away.get(self._reading.segment(place)[0].name)) is None:
                continue
            file = None if is_url(one.to) else Path(one.to) / one.name
            if file is None or not file.exists():
                said = f"{self._directory / one.name}: was archived to {one.to}, and cannot be read there"
                raise AuditUnavailable(f"{said}; copy it back into the log's folder")
            try:
                record = self._reading.read(place, {one.name: file})
            except MalformedLine as error:
                raise AuditBroken(f"{file}: where a record was written: {error}") from None
            if record is not None:
                yield record

    def named(self) -> Iterator[Record]:
        """Yield records of NAMED kinds, the newest of each name among them, wherever the log is. Raises as `records`.

        The index finds them in its segments, and signposts have kept them of those that were moved away; earlier
        segments are read through, which is due only where the index had to be made anew, or is spoilt.
        """
        if not self._log:
            return
        moved = {away.name: away for away in whole(self._directory).away}
        found = [record for away in moved.values() for record in self._carried(away)]
        try:
            found += self._named_by_index(moved, found)
        except (AuditUnavailable, sqlite3.Error):  # it was spoilt, and is being made anew, or has yet to be checked
            for path in segments(self._directory):
                found += self._of_kinds(NAMED_KINDS, path)
        yield from found

    def _named_by_index(self, moved: Mapping[str, Away], kept: Sequence[Record]) -> list[Record]:
        """Return the named records that the index leads to, and those of earlier segments.

        kept: by signposts; of their names there may be newer ones.
        """
        first = self._file.first_segment if self._file is not None else 0
        found = [record for place in self._places(FIRST_NAMED) if (record := self._here(place, moved)) is not None]
        for path in segments(self._directory):
            if segment_number(path) < first:
                found += self._of_kinds(NAMED_KINDS, path)
        for text in {named_text(one) for record in [*kept, *found] if (one := named_record(record)) is not None}:
            newest = next(self._places(text), None)
            if newest is not None and (record := self._here(newest, moved)) is not None:
                found.append(record)
        return found

    def _here(self, place: int, moved: Mapping[str, Away]) -> Record | None:
        """Return the record at a place; None where it was moved away, and its signpost has kept it."""
        away = moved.get(self._reading.segment(place)[0].name)
        if away is None:
            return self.at(place)
        if away.signpost is None:
            way = f"restore {Path(away.name).with_suffix(ARCHIVED)} from {away.to}"
            raise AuditBroken(f"{self._directory}: what was kept of {away.name} is not there: {way}")
        return None

    def _carried(self, away: Away) -> Iterator[Record]:
        """Yield the named records that a signpost has kept.

        Raises AuditBroken where it lacks what it says to keep, or no key proves what it says.
        """
        if away.signpost is None:
            return
        try:
            kept = [parse(line) for line in carried(away)]
            with away.signpost.open("rb") as file:
                says = parse(file.readline(MAX_LINE))
        except MalformedLine as error:
            raise AuditBroken(f"{away.signpost}: {error}") from None
        if len(kept) < len(away.policies):
            raise AuditBroken(f"{away.signpost}: lacks records that were kept here; restore it from a copy")
        named = [record for record in kept if record.kind in NAMED]
        keys = self._keys
        if named and keys is not None and not (keys.holds(says) or all(map(keys.holds, named))):
            raise AuditBroken(f"{away.signpost}: no key proves it: somebody else wrote it or changed it")
        yield from named

    def _of_kinds(self, kinds: Collection[bytes], path: Path) -> Iterator[Record]:
        """Yield the records of some kinds of a segment, which is read through."""
        start = 0
        with path.open("rb", buffering=1024 * 1024) as file:
            for line in file:
                found = RECORD.match(line)
                if found is not None and found[1] in kinds:
                    record = self._scanned(path, start)
                    if record is not None:
                        yield record
                start += len(line)

    def by_name(self, kind: str, name: str) -> list[Record]:
        """Return the records of a name of one of BY_NAME; for a thread. Raises as `records`.

        Segments that the index does not have are read through, once for all names; and what was moved away, where it
        went.
        """
        text = text_of_name(kind, name)
        away = {one.name for one in whole(self._directory).away}
        places = [place for place in self._places(text) if self._reading.segment(place)[0].name not in away]
        found = [record for record in (*map(self.at, places), *self._moved(text)) if record and record.kind == kind]
        self.require_whole()
        first = self._file.first_segment if self._file is not None else 0
        if first <= 1:
            return found
        known, earlier = self._earlier_by_name
        if known != first:
            earlier = {}
            for path in segments(self._directory):
                if segment_number(path) < first:
                    for record in self._of_kinds(BY_NAME_KINDS, path):
                        if (named := named_record(record)) is not None:
                            earlier.setdefault(named_text(named), []).append(record)
            self._earlier_by_name = first, earlier
        return found + earlier.get(text, [])

    @property
    def is_whole(self) -> bool:
        """Whether it has each segment that the log ever had, and each of them is here. Raises OSError."""
        file = self._file
        if file is None or file.first_segment > 1:
            return False
        numbers = [segment_number(path) for path in segments(self._directory)]
        return numbers == [*range(1, len(numbers) + 1)]

    @property
    def noted(self) -> int:
        """The place up to which the log is durable."""
        return self._noted

    @property
    def lag_records(self) -> int:
        """How many records of the log are not written down yet."""
        backlog = self._backlog
        return self._pending.records + self._writing.records + (len(backlog) if backlog is not None else 0)

    def close(self) -> None:
        """Write down what is left, and let the file go."""
        self._closing.set()
        self._hurry.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        if self._file is not None:
            self._file.close()

    def require_checked(self) -> None:
        """Raise AuditUnavailable while it is not known whether the file is whole: what it says may be wrong.

        Once that is known, whatever does not fit is the log's, or another text's that has the same number.
        """
        if not self._known.is_whole:
            raise AuditUnavailable(f"{self._directory / FILE}: is being held against what was written to it; ask again")

    def at(self, place: int) -> Record | None:
        """Return the record at a place; None where the segment was moved away long ago.

        Raises AuditBroken where the log has no good record there; AuditUnavailable.
        """
        try:
            return self._reading.read(place)
        except MalformedLine as error:
            self.require_checked()
            raise self._broken(place, error) from None

    def _scanned(self, path: Path, start: int) -> Record | None:
        """Return the record that begins at a byte of a segment which is read through. Raises as `at`."""
        place = place_of(segment_number(path), start)
        try:
            return self._reading.read(place)
        except MalformedLine as error:
            raise self._broken(place, error) from None

    def _broken(self, place: int, error: MalformedLine) -> AuditBroken:
        path, start = self._reading.segment(place)
        said = f"{path}: at byte {start}, where a record was written: {error}"
        return AuditBroken(f"{said}; `adjudge audit verify` looks through the log")

    def _opened(self, end: str | None) -> IndexFile:
        """Open the file and catch up; one that is of no use is made anew, in memory where the disk does not let it.

        end: the hash of the log's last record.
        """
        path = self._directory / FILE
        try:
            file = IndexFile(path, self._log)
        except (StaleIndex, sqlite3.Error, OSError) as error:
            return self._made(str(error), end)
        try:
            position = file.position
            gone = self._gone(file, position)
            if position is not None and not gone:
                self._load(file)
                self._taken = position.place + 1
                self._fill(file, position.place, end)
                return file
            if position is None and not self._log:
                self._known.is_whole = True
                return file
            reason = gone or "it is new"
        except (StaleIndex, sqlite3.Error, ValueError, ArithmeticError) as error:
            reason = str(error)
        except BaseException:
            file.close()
            raise
        file.close()
        return self._made(reason, end)

    def _made(self, reason: str, end: str | None) -> IndexFile:
        """Make the index anew from the newest segments. end: as for `_opened`; None for what was taken note of."""
        found = sources(self._directory, self._since())
        files, lacked = found.files, {one.name: one for one in found.lacked}
        if end is None:  # what its calls cost is known only from the start
            lacked |= {one.name: one for one in self._lacked}
        size = sum(each.stat().st_size for each in files)
        if self._log:
            _events.info("index_made_anew", directory=str(self._directory), reason=reason, bytes=size)
        path: Path | None = self._directory / FILE
        for where in (path, None):
            try:
                with made(where, self._log) as file:
                    self._tally, self._known, self._taken = OpenCalls(), Known(), 0
                    if files:
                        first = segment_number(files[0])
                        file.begin_at(first, [one.name for one in found.lacked])
                        self._fill(file, place_of(first, 0), end, Heaps(), {each.name: each for each in files})
                self._lacked = tuple(lacked.values())
                self._known.is_whole = True
                return file if where is None else IndexFile(where, self._log)
            except (StaleIndex, sqlite3.Error, OSError) as error:
                if where is None:
                    raise AuditUnavailable(f"{self._directory}: {error}") from error
                _events.warning("index_in_memory", directory=str(self._directory), reason=str(error))
        raise AssertionError("one of the two was made")

    def _gone(self, file: IndexFile, position: Position | None) -> str:
        """Say why an index cannot go on from where it ends; and learn what it lacks. Empty where it can."""
        if position is None:
            return ""
        away = [one.name for one in whole(self._directory).away]
        end, _ = self._reading.segment(position.place)
        if any(segment_number(Path(name)) >= segment_number(end) for name in away):
            return "segments were archived that it does not have"
        try:
            record = self._reading.read(position.place)
        except MalformedLine:
            record = None
        if record is None or record.hash != position.hash:
            return "the log does not have the record that it ends with"
        if names := file.lacked:
            found = sources(self._directory, self._since())
            if any(each.name in names for each in found.files):
                return "a segment is there that it lacks"
            self._lacked = tuple(one for one in found.lacked if one.name in names)
        return ""

    def _load(self, file: IndexFile) -> None:
        """Take up the calls and the spending that the file knows."""
        self._tally, places = OpenCalls(spent=file.spent()), file.open_calls()
        names = {path.name for path, _ in map(self._reading.segment, places) if not path.exists()}
        found = sources(self._directory, self._since()) if names else Sources((), ())
        lacked = {one.name: one for one in found.lacked if one.name in names}
        self._lacked += tuple(one for one in lacked.values() if one not in self._lacked)
        elsewhere = {each.name: each for each in found.files}
        for place in places:
            if self._reading.segment(place)[0].name in lacked:
                continue
            try:
                record = self._reading.read(place, elsewhere)
            except MalformedLine as error:
                raise StaleIndex(f"where an open call was written, {error}") from None
            if record is not None and record.kind == "call":
                self._tally.restore(decode(CallBody, record.seq, record.body))

    def _fill(
        self,
        file: IndexFile,
        since: int,
        end: str | None,
        heaps: Heaps | None = None,
        elsewhere: Mapping[str, Path] = MappingProxyType({}),
    ) -> None:
        """Read the log from a record on, up to the one that its writer found last, and write down what it says.

        end: that one's hash; None where the writer has gone on, and all that was taken note of is read. heaps: where
        places gather while an index is made. elsewhere: where segments are that were moved away, by name.
        Raises AuditBroken where the log is not as its writer found it.
        """
        changes, place, line, segment, base = Changes(), 0, b"", Path(), 0
        last = end.encode() if end is not None else None
        begin, at = self._reading.segment(since)
        for path, start, line in lines_on(self._directory, elsewhere.get(begin.name, begin), at, elsewhere):
            if path is not segment:
                segment, base = path, place_of(segment_number(path), 0)
            place = base + start
            if last is None and place >= self._noted:
                break
            try:
                self._take(changes, place, line)
            except AuditBroken as error:
                raise AuditBroken(f"{path}: at byte {start}: {error}") from None
            if line[_HASH] == last:
                break
            if changes.records >= _FILL:
                self._put(file, changes, place, line, heaps)
                changes = Changes()
        if last is not None and line[_HASH] != last:
            raise AuditBroken(f"{self._directory}: its last record is not the one that was found at the start")
        if changes.records:
            self._put(file, changes, place, line, heaps)
        if heaps is not None:
            file.pack(heaps)

    def _put(self, file: IndexFile, changes: Changes, place: int, line: bytes, heaps: Heaps | None) -> None:
        """Write down what was read, up to a line; or let its places gather in heaps."""
        if heaps is not None:
            heaps.add(changes.places, changes.earlier)
            changes.places, changes.earlier = {}, []
            if heaps.is_full:
                file.pack(heaps)
        changes.position = _position(place, line)
        file.write(changes)

    def _note(self, changes: Changes, place: int, line: bytes) -> None:
        """Take in a line that gathers."""
        try:
            self._take(changes, place, line)
        except AuditBroken:
            pass  # which is for its readers to say
        self._newest = place, line

    def _take(self, changes: Changes, place: int, line: bytes) -> None:
        """Take in one line of the log, once. Raises AuditBroken."""
        if place < self._taken:
            return
        self._taken = place + len(line)
        changes.records += 1
        changes.size += len(line)
        kind, texts = looked_at(line)
        keys = [key_of(text) for text in texts]
        changes.add(keys, place)
        self._known.add(keys)
        if kind == b"call":
            call = decoded(CallBody, line)
            self._tally.add(call)
            changes.calls[call.call_id] = None if call.billed == "no" else place
            changes.spent |= {of: spent for of, spent in self._tally.spent.items() if of[0] == call.provider}
        elif kind == b"decision" and (not texts or self._tally.has(texts[1].decode())):
            body = decoded(DecisionBody, line)
            changes.calls |= dict.fromkeys(self._tally.decided(body.merchant_biz_id, body.fingerprint))

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="adjudge-index", daemon=True)
        self._thread.start()

    def _know(self, file: IndexFile) -> None:
        """Learn which keys the file has, a few at a time: meanwhile it is asked for each."""
        known = self._known
        for keys in file.all_keys():
            if self._closing.wait(_PAUSE_S):
                return
            known.add(keys)
        known.is_whole = True

    def _run(self) -> None:
        """Be the thread: write down what gathers, until the index is closed."""
        file = self._file
        if file is not None and not self._known.is_whole:
            try:
                self._know(file)
            except (StaleIndex, sqlite3.Error) as error:  # perhaps because somebody else let it go
                self._let_go(file, str(error))
        while True:
            self._wake.wait()
            if self._is_failing:
                self._closing.wait(AGAIN_S * 2 ** min(self._failures, _DOUBLED_MOST))
            else:
                self._hurry.wait(GATHER_S)
            is_last = self._closing.is_set()
            self._hurry.clear()
            self._wake.clear()
            file = self._file
            if file is not None and self._went_back:
                self._let_go(file, "the disk has lost records")
            elif file is not None:
                self._write(file)
            if self._file is None:
                self._make_again()
            if is_last:
                return

    def _write(self, file: IndexFile) -> None:
        """Write down what gathered; what could not be written before comes first."""
        while True:
            with self._gathering:
                if not self._writing.records and self._pending.records:
                    self._pending.position = _position(*self._newest)
                    self._writing, self._pending = self._pending, Changes()
            changes = self._writing
            if not changes.records:
                return
            if not self._log:
                self._log = changes.log = first_hash(self._directory)
            try:
                file.write(changes)
            except sqlite3.Error as error:
                if not self._is_failing:
                    _events.warning("index_not_written", directory=str(self._directory), reason=str(error))
                self._is_failing = True
                self._failures += 1
                if is_spoilt(error):
                    self._let_go(file, str(error))
                self._wake.set()
                return
            self._writing, was_failing, self._is_failing = Changes(), self._is_failing, False
            self._failures = 0
            if not was_failing:
                return

    def _let_go(self, file: IndexFile, reason: str) -> None:
        """Let a file go that is of no use; the thread makes it anew from the log."""
        with self._gathering:
            if self._file is not file:
                return
            self._file, self._backlog = None, []
        _events.warning("index_spoilt", directory=str(self._directory), reason=reason)
        with suppress(sqlite3.Error):
            file.close()
        self._hurry.set()
        self._wake.set()

    def _make_again(self) -> None:
        """Make the index anew while the log is written to: what comes meanwhile is taken in when that is done."""
        with self._gathering:
            self._backlog, self._went_back, was_failing, self._is_failing = [], False, self._is_failing, False
            self._pending, self._writing = Changes(), Changes()
        try:
            self._log = first_hash(self._directory)
            file = self._made("it could not be read", None)
        except (AuditUnavailable, AuditBroken, OSError) as error:
            if not was_failing:
                _events.warning("index_not_written", directory=str(self._directory), reason=str(error))
            self._is_failing = True
            self._failures += 1
            self._wake.set()
            return
        self._failures = 0
        with self._gathering:
            if self._went_back:  # meanwhile
                file.close()
                self._wake.set()
                return
            for place, line in self._backlog:
                self._note(self._pending, place, line)
            self._backlog, self._file = None, file


def _position(place: int, line: bytes) -> Position:
    return Position(place, line[_HASH].decode("ascii", "replace"))
