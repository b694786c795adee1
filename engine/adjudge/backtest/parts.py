"""A part of an export: decisions that stand together in a log, as Parquet files, one for each policy and day."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from adjudge.audit.bodies import DecisionBody, Reveal
from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.kinds import Block
from adjudge.audit.vault import Vault
from adjudge.backtest.narrow import Narrow
from adjudge.backtest.state import make_folder
from adjudge.backtest.table import Columns
from adjudge.errors import DataError

Place = tuple[Columns, str] | str
"""The columns and the folder of a policy's decisions, or why there are none."""


def write_decisions(out: Path, blocks: Sequence[Block], places: Mapping[str, Place], log: AnyLog | None) -> list[str]:
    """Write decisions as parts, one for each policy and day, and return them. log: whose vault is asked."""
    vault = Vault.of(log) if log is not None else None
    reveal: Reveal = vault.reveal if vault is not None else lambda commitment: None
    tables: dict[tuple[str, str], list[pa.Table]] = {}
    ends: dict[tuple[str, str], list[int]] = {}
    narrow = Narrow(place[0] for place in places.values() if not isinstance(place, str))
    try:
        for block in blocks:
            for (digest, day), (seqs, bodies) in _groups(block, narrow).items():
                place = places.get(digest, "the log does not hold it")
                if isinstance(place, str):
                    raise DataError(f"the policy {bodies[0].policy} {digest[:12]} of record {seqs[0]}: {place}")
                key = (f"{place[1]}/day={day.isoformat()}", digest)
                tables.setdefault(key, []).append(place[0].table(seqs, bodies, reveal))
                ends.setdefault(key, []).extend((seqs[0], seqs[-1]))
    finally:
        if vault is not None:
            vault.close()
    written = []
    for key, found in tables.items():
        part = f"{key[0]}/part-{min(ends[key])}-{max(ends[key])}.parquet"
        write_part(out / part, pa.concat_tables(found).combine_chunks())
        written.append(part)
    return written


def _groups(block: Block, narrow: Narrow) -> dict[tuple[str, date], tuple[Sequence[int], Sequence[DecisionBody]]]:
    """Return decisions by policy and day, in order; most often all are of one."""
    bodies = narrow.decode(block)
    keys = [(body.policy_digest, body.at.date()) for body in bodies]
    if keys.count(keys[0]) == len(keys):
        return {keys[0]: (block.seqs, bodies)}
    groups: dict[tuple[str, date], tuple[list[int], list[DecisionBody]]] = {}
    for key, seq, body in zip(keys, block.seqs, bodies, strict=True):
        seqs, found = groups.setdefault(key, ([], []))
        seqs.append(seq)
        found.append(body)
    return {**groups}


def write_part(path: Path, table: pa.Table) -> None:
    """Write a file, as a whole or not at all."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}")
    temporary.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            pq.write_table(table, file, compression="zstd")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
