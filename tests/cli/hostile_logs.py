"""Logs that verify and yet hold what no writer of ours writes, and the commands that read logs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cli_documents import BIZ_ID

from adjudge.audit.record import FIRST_PREV, encode, parse

SEGMENT = "audit-000001.jsonl"
CHAIN = frozenset({"schema", "seq", "prev", "kind", "hash", "mac"})

READERS: dict[str, tuple[str, ...]] = {
    "replay": ("replay", "LOG"),
    "replay with several processes": ("replay", "LOG", "--jobs", "2"),
    "what if": ("replay", "LOG", "--policy", "policy.yaml"),
    "compare": ("compare", "policy.yaml", "policy.yaml", "--log", "LOG"),
    "explain": ("explain", "LOG", "DECISION"),
    "show": ("audit", "show", "LOG"),
    "show as a table": ("audit", "show", "LOG", "--format", "csv"),
    "show some": ("audit", "show", "LOG", "--since", "2020-01-01"),
    "show one": ("audit", "show", "LOG", "DECISION"),
    "show a request": ("audit", "show", "LOG", f"{BIZ_ID}3"),
    "tail": ("audit", "tail", "LOG"),
    "calls": ("audit", "calls", "LOG"),
    "export": ("audit", "export", "LOG", "out"),
    "drift": ("audit", "drift", "LOG", "--before", "2020-01-01"),
    "backtest": ("backtest", "policy.yaml", "LOG"),
    "label": ("audit", "label", "LOG", "DECISION", "fraud", "--source", "x"),
}
"""Every command that reads a log, by what it is for."""


def arguments(reader: str, log: Path, decision_id: str = "0" * 32) -> list[str]:
    """Return the arguments of one of the readers."""
    return [{"LOG": str(log), "DECISION": decision_id}.get(one, one) for one in READERS[reader]]


def members(log: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the kinds and members of a log's records."""
    for line in (log / SEGMENT).read_bytes().splitlines():
        record = json.loads(line)
        yield record["kind"], {name: value for name, value in record.items() if name not in CHAIN}


def write_chained(log: Path, records: list[tuple[str, dict[str, Any]]]) -> None:
    """Write records as a log that verifies."""
    prev, lines = FIRST_PREV, []
    for seq, (kind, held) in enumerate(records, 1):
        text = json.dumps(held, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        line, prev = encode(kind, seq, prev, b"," + text[1:-1] if held else b"")
        parse(line)
        lines.append(line)
    (log / SEGMENT).write_bytes(b"".join(lines))


def changed(
    records: list[tuple[str, dict[str, Any]]], at: int, change: Callable[[dict[str, Any]], None]
) -> list[tuple[str, dict[str, Any]]]:
    """Return records of which one is otherwise."""
    copied = json.loads(json.dumps(records))
    change(copied[at][1])
    return [(kind, held) for kind, held in copied]
