"""`adjudge audit show` and `tail`."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from adjudge.audit.kinds import body_of, records
from adjudge.audit.record import Record
from adjudge.cli.audit.dossier import Dossier
from adjudge.cli.audit.lines import COLUMNS, row, summary
from adjudge.cli.audit.select import Selection, selection_options
from adjudge.cli.group import FINE
from adjudge.cli.logs import log_argument
from adjudge.cli.output import JSON, TEXT, format_option, print_exact, say
from adjudge.texts import in_csv

POLL_S = 0.5
CSV = "csv"


@click.command("show")
@log_argument
@click.argument("one_id", metavar="[DECISION_ID|MERCHANT_BIZ_ID]", required=False)
@selection_options
@click.option("--last", metavar="N", type=click.IntRange(min=1), help="Only the newest N of these.")
@click.option("--count", is_flag=True, help="Only say how many.")
@click.option("--format", "form", type=click.Choice([TEXT, JSON, CSV]), default=TEXT, show_default=True,
              help="json is for programs, csv for spreadsheets.")  # fmt: skip
def show_command(log: Path, one_id: str | None, last: int | None, count: bool, form: str, **asked: Any) -> int:
    """Show the records, those that are asked for, or all about one decision or request.

    Beside a decision stand the calls before it with their prices, its labels, erasures, and what it supersedes or is
    superseded by. With `--format json` each record is printed as it stands in the log.
    """
    selection = Selection(**asked)
    if one_id is not None:
        if not selection.is_all or last is not None or count:
            raise click.UsageError("name a decision or a request, or say which records: not both")
        dossier = Dossier.find(log, one_id)
        if dossier is None:
            raise click.UsageError(f"there is no decision or MerchantBizId {one_id} in {log}")
        say(*dossier.lines()) if form == TEXT else _print(dossier.related(), form)
        return FINE
    if last is not None and selection.is_all:
        found: Iterable[tuple[Record, msgspec.Struct | None]] = _decoded(log, records(log, newest=last))
    else:
        found = (one for one in _decoded(log, records(log)) if selection.has(one[0].kind, one[1]))
    if last is not None:
        found = list(found)[-last:]
    if count:
        say(str(sum(1 for _ in found)))
    else:
        _print(found, form)
    selection.check()
    return FINE


@click.command("tail")
@log_argument
@click.option("--last", metavar="N", type=click.IntRange(min=0), default=10, show_default=True)
@click.option("--follow", is_flag=True, help="Go on with new records until Ctrl-C.")
@format_option
def tail_command(log: Path, last: int, follow: bool, form: str) -> int:
    """Show the newest records, and follow the log."""
    newest = list(records(log, newest=max(last, 1)))
    _print(_decoded(log, newest[-last:] if last else ()), form)
    seen = newest[-1].seq
    while follow:
        time.sleep(POLL_S)
        new = _since(log, seen)
        _print(_decoded(log, new), form)
        seen = new[-1].seq if new else seen
    return FINE


def _since(log: Path, seq: int) -> list[Record]:
    """Return the records after one, reading no more of the log's end than is needed."""
    wanted = 64
    while True:
        found = list(records(log, newest=wanted))
        if not found or found[0].seq <= seq + 1 or len(found) < wanted:
            return [record for record in found if record.seq > seq]
        wanted *= 8


def _decoded(log: Path, found: Iterable[Record]) -> Iterator[tuple[Record, msgspec.Struct | None]]:
    """Yield records with what they hold; None of kinds that this version does not know."""
    return ((record, body_of(log, record)) for record in found)


def _print(found: Iterable[tuple[Record, msgspec.Struct | None]], form: str) -> None:
    if form == CSV:
        line = io.StringIO()
        writer = csv.DictWriter(line, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for record, body in found:
            writer.writerow({name: in_csv(str(value)) for name, value in row(record, body).items()})
            print_exact(line.getvalue())
            line.seek(0)
            line.truncate()
        print_exact(line.getvalue())
        return
    for record, body in found:
        print_exact(record.line.decode()) if form == JSON else say(summary(record, body))
