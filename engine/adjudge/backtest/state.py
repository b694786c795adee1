"""How far an export is: the file that stands beside its parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import structs

from adjudge.audit.record import Record
from adjudge.backtest.columns import DataError
from adjudge.backtest.layout import LAYOUT
from adjudge.system.files import replace_file

STATE = "adjudge-export.json"
LABELS = "labels"


@dataclass(slots=True)
class State:
    """How far an export is.

    log: its first record's hash; seq, hash: of its last record that is exported. chains: the same of each by its name,
    in a log of several. folders: columns with their types, by folder. parts: files, from the export's folder.
    slice: which decisions it holds, where not all.
    """

    log: str = ""
    seq: int = 0
    hash: str = ""
    personal: bool = False
    folders: dict[str, dict[str, str]] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)
    slice: str = ""
    layout: int = LAYOUT
    chains: dict[str, tuple[int, str]] = field(default_factory=dict)

    def end(self, chain: str) -> tuple[int, str]:
        """Return number and hash of the last record of a chain that is exported; that of a log of files has no name."""
        return self.chains.get(chain, (0, "")) if chain else (self.seq, self.hash)

    def note(self, record: Record) -> Record:
        """Take note of a record that is exported now, and return it with its place among all that were."""
        if not record.chain:
            self.seq, self.hash = record.seq, record.hash
            return record
        self.chains[record.chain] = (record.seq, record.hash)
        self.seq += 1
        return structs.replace(record, order=self.seq)

    def folder(self, policy: str, columns: Mapping[str, str]) -> str:
        """Return the folder of a policy's decisions: another one from where a column changes its type."""
        number = 2 if policy == LABELS else 1  # that folder is taken
        while True:
            name = policy if number == 1 else f"{policy}~{number}"
            known = self.folders.setdefault(name, {})
            if all(known.get(column, type_) == type_ for column, type_ in columns.items()):
                known |= columns
                return name
            number += 1


def read_state(out: Path) -> State:
    """Return how far an export is. Raises DataError."""
    try:
        state = msgspec.json.decode((out / STATE).read_bytes(), type=State)
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(f"{out / STATE}: cannot be read: {error}") from None
    if state.layout != LAYOUT:
        raise DataError(f"{out}: is an export in layout {state.layout}; this version knows {LAYOUT}")
    gone = [part for part in state.parts if not (out / part).is_file()]
    if gone:
        raise DataError(f"{out}: {len(gone)} of its files are missing, such as {gone[0]}", "delete it, and export anew")
    return state


def save_state(out: Path, state: State) -> None:
    """Write how far an export is, as a whole or not at all."""
    make_folder(out)
    text = json.dumps(msgspec.to_builtins(state), indent=2, sort_keys=True)
    replace_file(out / STATE, f"{text}\n".encode(), mode=0o600)


def make_folder(folder: Path) -> None:
    """Make a folder of an export, and those above it, for their owner alone. Raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
