"""What the commands on a log share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from adjudge.audit.read import UnfinishedLine
from adjudge.audit.record import Record
from adjudge.errors import AuditBroken

log_argument = click.argument("log", type=click.Path(exists=True, path_type=Path))


def finished(records: Iterator[Record]) -> Iterator[Record]:
    """Yield records up to a last line that its writer has not finished yet."""
    try:
        yield from records
    except UnfinishedLine:
        return


def broken(log: Path, record: Record, error: Exception) -> AuditBroken:
    """Return the error of a record that is not of its kind."""
    return AuditBroken(f"{log}: record {record.seq} is no {record.kind}: {error}")
