"""From a log to Parquet: `POLICY/day=2026-11-25/part-1-32768.parquet`, labels beside them, and a state to go on from.

Parts are written under other names and renamed, the state comes last, and parts beyond the state are none of the
export's; so whatever stops an export, the next one goes on where the state says.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from functools import partial
from pathlib import Path

from adjudge.audit.annotations import LabelBody
from adjudge.audit.bodies import DecisionBody, PolicyBody
from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.kinds import Block, decode, records
from adjudge.audit.record import Record
from adjudge.audit.vault import Vault
from adjudge.audit.verify import LogPath
from adjudge.backtest.columns import DataError
from adjudge.backtest.state import LABELS, STATE, State, make_folder, read_state, save_state
from adjudge.errors import MissingExtra
from adjudge.frozen import frozen
from adjudge.plugin import Function
from adjudge.policy.slices import ALL, Slice, Sliced
from adjudge.replay.decisions import known_of, load_recorded
from adjudge.replay.slices import LogSlice, Segments, check_fits
from adjudge.system.forked import CAN_FORK, Forked

try:
    import pyarrow as pa

    from adjudge.backtest.parts import Place, write_decisions, write_part
    from adjudge.backtest.table import Columns
except ModuleNotFoundError as error:
    if error.name != "pyarrow":
        raise
    raise MissingExtra("backtest", "pyarrow") from None

PART_ROWS = 32_768
PROGRESS_EVERY = 1000
_PART = re.compile(r"\.?part-[0-9]+-[0-9]+\.parquet")
_BLOCK = 256
"""So many decisions are taken apart at a time: more do not fit into a processor's cache."""

Progress = Callable[[float], None]
"""Told how many bytes of the log were read, every thousand records."""


@frozen
class Exported:
    """What one export added. records: read, those of earlier exports too. seq: of the last record that is exported.

    sliced: which decisions were asked for, where not all were. segments: of these, where they were asked for.
    """

    records: int
    decisions: int
    labels: int
    parts: int
    seq: int
    folders: tuple[str, ...]
    sliced: Sliced | None = None
    segments: Segments = field(default_factory=dict)


def export(
    log: AnyLog,
    out: Path,
    *,
    functions: Mapping[str, Function] | None = None,
    with_personal: bool = False,
    jobs: int = 1,
    wanted: Slice = ALL,
    progress: Progress | None = None,
) -> Exported:
    """Write what a log holds beyond an earlier export of it. Raises AuditBroken, AuditUnavailable, DataError.

    wanted: which decisions; labels are written all the same.

    functions: of plugins, for policies that call them. with_personal: what the vault still holds too.
    jobs: processes that write parts; where none can be forked, one.
    """
    with _locked(out):
        state = _opened(out, with_personal, str(wanted))
        slice_ = LogSlice(wanted, functions or {}) if not wanted.is_all or wanted.by is not None else None
        known = frozenset(state.parts)
        writer = _Writer(log, out, state, functions or {}, jobs if CAN_FORK else 1, slice_)
        try:
            count = _feed(writer, log, out, state, progress)
            check_fits(wanted, writer.policies.values(), functions or {})
            writer.finish()
            state.parts += writer.written
            save_state(out, state)
        except BaseException:
            writer.stop()
            _clear(out, known)
            raise
        finally:
            writer.close()
    return Exported(
        count,
        writer.decisions,
        writer.labels,
        len(writer.written),
        state.seq,
        tuple(sorted(state.folders)),
        slice_.count.sliced(wanted) if slice_ is not None and not wanted.is_all else None,
        slice_.segments if slice_ is not None else {},
    )


def _feed(writer: _Writer, log: AnyLog, out: Path, state: State, progress: Progress | None) -> int:
    """Give what is new in a log to a writer, and return how many records there are."""
    done, count, size = {chain: state.end(chain) for chain in ("", *state.chains)}, 0, 0
    if state.seq and isinstance(log, LogPath) == bool(state.chains):
        raise DataError(f"{out}: is an export of another log", "name a folder of its own for each log")
    ends: dict[str, int] = {}
    for record in records(log):
        count, size = count + 1, size + len(record.line)
        if progress is not None and count % PROGRESS_EVERY == 0:
            progress(size)
        end = done.get(record.chain, (0, ""))
        ends[record.chain] = record.seq
        _hold(out, state, record, end)
        is_new = record.seq > end[0]
        if is_new:
            record = state.note(record)
        if record.kind == "policy":
            writer.policy(decode(PolicyBody, record.seq, record.body))
        elif is_new and record.kind == "decision":
            writer.decision(record)
        elif is_new and record.kind == "label":
            writer.label(record.place.position, decode(LabelBody, record.seq, record.body))
    for chain in [*state.chains] or [""]:
        if ends.get(chain, 0) < done.get(chain, (0, ""))[0]:
            said = f"holds {done[chain][0]} records of a log that has {ends.get(chain, 0)} now"
            raise DataError(f"{out}: {said}", "has the log been cut?")
    return count


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Make a folder, and keep other exports out of it."""
    try:
        make_folder(out)
        handle = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise DataError(f"{out}: cannot be written: {error.strerror}", "name a folder that can be made") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise DataError(f"{out}: another export is at work there") from None
    finally:
        os.close(handle)


def _hold(out: Path, state: State, record: Record, done: tuple[int, str]) -> None:
    """Hold a record against what was exported before. done: the end of that, in the record's chain."""
    if record.seq == 1 and not record.chain:
        if state.log not in ("", record.hash):
            raise DataError(f"{out}: is an export of another log", "name a folder of its own for each log")
        state.log = record.hash
    if record.seq == done[0] and record.hash != done[1]:
        raise DataError(f"{out}: is an export of another log: record {record.place} was another one")


def _opened(out: Path, with_personal: bool, wanted: str) -> State:
    """Return the state of an export, and clear away what an interrupted one left."""
    if not (out / STATE).exists():
        if out.is_dir() and any(out.iterdir()):
            raise DataError(f"{out}: is not empty, and no export", "name a new folder")
        return State(personal=with_personal, slice=wanted)
    state = read_state(out)
    if state.personal != with_personal:
        said = "holds" if state.personal else "does not hold"
        raise DataError(f"{out}: {said} personal fields", "name another folder for an export that is otherwise")
    if state.slice != wanted:
        said = f"holds {state.slice or 'all decisions'}"
        raise DataError(f"{out}: {said}", "name a folder of its own for each slice")
    _clear(out, frozenset(state.parts))
    return state


def _clear(out: Path, known: Collection[str]) -> None:
    """Delete parts that are none of the export's, as one that was interrupted leaves them, and empty folders."""
    for part in out.rglob("*part-*.parquet"):
        if _PART.fullmatch(part.name) and str(part.relative_to(out)) not in known:
            part.unlink()
    folders = [folder for folder in out.rglob("*") if folder.is_dir()]
    for folder in [*sorted(folders, reverse=True), out]:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


class _Writer:
    """Takes records and writes them as parts, in this process or in others."""

    def __init__(
        self,
        log: AnyLog,
        out: Path,
        state: State,
        functions: Mapping[str, Function],
        jobs: int,
        slice_: LogSlice | None,
    ) -> None:
        self._out, self._state, self._functions, self._jobs = out, state, functions, jobs
        self._vault = log if state.personal else None
        self._slice = slice_
        self._own_vault = Vault.of(log) if slice_ is not None else None
        self.policies: dict[str, PolicyBody] = {}
        self._places: dict[str, Place] = {}
        self._records: list[Record] = []
        self._blocks: list[Block] = []
        self._labels: list[tuple[int, LabelBody]] = []
        self._waiting: list[Forked[list[str]]] = []
        self.decisions = self.labels = 0
        self.written: list[str] = []

    def policy(self, body: PolicyBody) -> None:
        """Take a policy: the decisions after it may be its own."""
        if body.is_same(self.policies.get(body.digest)):
            return
        self.policies[body.digest] = body
        if self._slice is not None:
            self._slice.learn(body)
        policy = load_recorded(body, self._functions)
        if isinstance(policy, str):
            self._places[body.digest] = policy
            return
        columns = Columns.of(policy.typed, with_personal=self._state.personal)
        folder = self._state.folder(body.policy, {name: str(type_) for name, type_ in columns.types().items()})
        self._places[body.digest] = (columns, folder)

    def decision(self, record: Record) -> None:
        """Take a decision, if it is wanted."""
        if self._slice is not None and not self._is_wanted(self._slice, decode(DecisionBody, record.seq, record.body)):
            return
        self.decisions += 1
        self._records.append(record)
        if self.decisions % PART_ROWS == 0:
            self._flush()
        elif len(self._records) >= _BLOCK:
            self._put_together()

    def _is_wanted(self, slice_: LogSlice, body: DecisionBody) -> bool:
        assert self._own_vault is not None
        given, _ = known_of(body, self._own_vault.reveal)
        is_wanted = slice_.takes(body, given)
        if is_wanted:
            slice_.put(body, given, body.verdict.outcome, body.verdict.outcome)
        return is_wanted

    def close(self) -> None:
        """Let go of the vault."""
        if self._own_vault is not None:
            self._own_vault.close()

    def label(self, seq: int, body: LabelBody) -> None:
        """Take a label."""
        self.labels += 1
        self._labels.append((seq, body))
        if len(self._labels) >= PART_ROWS:
            self._flush_labels()

    def finish(self) -> None:
        """Write what is left, and wait until all of it is written."""
        self._flush()
        self._flush_labels()
        self._wait(0)

    def stop(self) -> None:
        """Wait for what is under way, so that nothing is written any more."""
        for one in self._waiting:
            one.join()

    def _put_together(self) -> None:
        """While they are in a processor's cache."""
        if self._records:
            self._blocks.append(Block.of(self._records))
            self._records = []

    def _flush(self) -> None:
        self._put_together()
        blocks, self._blocks = self._blocks, []
        if not blocks:
            return
        write = partial(write_decisions, self._out, blocks, self._places, self._vault)
        if self._jobs <= 1:
            self.written += write()
            return
        self._wait(self._jobs - 1)
        self._waiting.append(Forked(write))

    def _flush_labels(self) -> None:
        labels, self._labels = self._labels, []
        if not labels:
            return
        made = {"seq": pa.array([seq for seq, _ in labels])}
        for name in LabelBody.__struct_fields__:
            made[name] = pa.array([getattr(body, name) for _, body in labels])
        made["at"] = made["at"].cast(pa.timestamp("us", "UTC"))
        part = f"{LABELS}/part-{labels[0][0]}-{labels[-1][0]}.parquet"
        write_part(self._out / part, pa.table(made))
        self.written.append(part)

    def _wait(self, most: int) -> None:
        """Wait until at most so many parts are under way."""
        while len(self._waiting) > most:
            self.written += self._waiting.pop(0).result()
