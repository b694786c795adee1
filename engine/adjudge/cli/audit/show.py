"""`adjudge audit show` and `tail`."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

import click
import msgspec

from adjudge.audit.bodies import DecisionBody
from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.kinds import body_of, records
from adjudge.audit.record import Record
from adjudge.audit.vault import Vault
from adjudge.audit.verify import LogPath
from adjudge.cli.audit.dossier import Dossier
from adjudge.cli.audit.lines import COLUMNS, row, summary
from adjudge.cli.audit.select import Selection, selection_options
from adjudge.cli.files import check_folder
from adjudge.cli.group import FINE
from adjudge.cli.logs import log_argument
from adjudge.cli.output import JSON, TEXT, format_option, print_exact, print_json, say
from adjudge.cli.rows import Column, check_rows, write_rows
from adjudge.cli.settings import Settings
from adjudge.cli.slices import slice_options
from adjudge.model import OUTCOMES
from adjudge.policy.slices import Slice, title_of
from adjudge.replay.segment_report import segment_data, segment_lines
from adjudge.replay.slices import LogSlice, told_segments
from adjudge.texts import in_csv

POLL_S = 0.5
CSV = "csv"


@click.command("show")
@log_argument
@click.argument("one_id", metavar="[DECISION_ID|MERCHANT_BIZ_ID]", required=False)
@selection_options
@slice_options
@click.option("--last", metavar="N", type=click.IntRange(min=1), help="Only the newest N of these.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the records to this .csv, .xlsx or .parquet file.")  # fmt: skip
@click.option("--count", is_flag=True, help="Only say how many.")
@click.option("--format", "form", type=click.Choice([TEXT, JSON, CSV]), default=TEXT, show_default=True,
              help="json is for programs, csv for spreadsheets.")  # fmt: skip
@click.pass_obj
def show_command(
    settings: Settings,
    /,
    log: AnyLog,
    one_id: str | None,
    last: int | None,
    count: bool,
    output: Path | None,
    form: str,
    wanted: Slice,
    **asked: Any,
) -> int:
    """Show the records, those that are asked for, or all about one decision or request.

    Beside a decision stand the calls before it with their prices, its labels, erasures, and what it supersedes or is
    superseded by. With `--format json` each record is printed as it stands in the log.
    """
    if output is not None:
        check_folder(output)
        check_rows(output)
    is_sliced = wanted.where is not None or wanted.by is not None  # else no plugin is needed, and no vault
    functions = settings.catalogue().functions if is_sliced else {}
    with Vault.of(log) if is_sliced else nullcontext() as vault:
        slice_ = LogSlice(wanted, functions) if is_sliced else None
        reveal = vault.reveal if vault is not None else lambda commitment: None
        selection = Selection(wanted=wanted, slice=slice_, reveal=reveal, functions=functions, **asked)
        if one_id is not None:
            if not selection.is_all or wanted.by is not None or last is not None or count or output is not None:
                raise click.UsageError("name a decision or a request, or say which records: not both")
            return _show_one(log, one_id, form)
        if last is not None and selection.is_all:
            found: Iterable[_Found] = _decoded(log, records(log, newest=last))
        else:
            found = (one for one in _decoded(log, records(log)) if selection.has(one[0].kind, one[1]))
        if last is not None:
            found = list(found)[-last:]
        if slice_ is not None and wanted.by is not None:
            _print_segments(slice_, selection, found, form)
        elif output is not None:
            cells = (row(record, body) for record, body in found)
            columns = [Column(name) for name in COLUMNS]
            say(write_rows(output, columns, ([_text(one.get(name)) for name in COLUMNS] for one in cells)))
        elif count:
            say(str(sum(1 for _ in found)))
        else:
            _print(found, form)
        selection.check()
    if slice_ is not None and (slice_.count.unknown or slice_.count.foreign):
        say(f"slice {slice_.count.sliced(wanted)}", err=True)
    return FINE


_Found = tuple[Record, msgspec.Struct | None]


def _show_one(log: AnyLog, one_id: str, form: str) -> int:
    dossier = Dossier.find(log, one_id)
    if dossier is None:
        raise click.UsageError(f"there is no decision or MerchantBizId {one_id} in {log}")
    say(*dossier.lines()) if form == TEXT else _print(dossier.related(), form)
    return FINE


def _print_segments(slice_: LogSlice, selection: Selection, found: Iterable[_Found], form: str) -> None:
    """Print how many decisions there are by the values of a field, in place of the decisions."""
    for _, body in found:
        if isinstance(body, DecisionBody):
            slice_.put(body, selection.given(body), body.outcome, body.outcome)
    by = str(slice_.wanted.by)
    if form == JSON:
        print_json({"by": by, "segments": segment_data(slice_.segments)}, indent=None)
    elif form == CSV:
        _print_csv([by, "decisions", *OUTCOMES], (
            [title_of(value, others), one.total, *(one.count(new=outcome) for outcome in OUTCOMES)]
            for value, others, one in told_segments(slice_.segments)
        ))  # fmt: skip
    else:
        say(*segment_lines(by, slice_.segments, has_moved=False))


@click.command("tail")
@log_argument
@click.option("--last", metavar="N", type=click.IntRange(min=0), default=10, show_default=True)
@click.option("--follow", is_flag=True, help="Go on with new records until Ctrl-C.")
@format_option
def tail_command(log: AnyLog, last: int, follow: bool, form: str) -> int:
    """Show the newest records, and follow the log."""
    seen = _ends(log) if follow else {}
    newest = list(records(log, newest=max(last, 1)))
    _print(_decoded(log, newest[-last:] if last else ()), form)
    seen |= {record.chain: record.seq for record in newest}
    while follow:
        time.sleep(POLL_S)
        new = _since(log, seen)
        _print(_decoded(log, new), form)
        seen |= {record.chain: record.seq for record in new}
    return FINE


def _ends(log: AnyLog) -> dict[str, int]:
    """Return the number of the last record of each chain, in a log of several."""
    if isinstance(log, LogPath):
        return {}
    with log.look() as look:
        return {chain.name: chain.count for chain in look.chains()}


def _since(log: AnyLog, seen: Mapping[str, int]) -> list[Record]:
    """Return the records after those that were seen, reading no more of the log's end than is needed."""
    wanted = 64
    while True:
        found = list(records(log, newest=wanted))
        if not found or found[0].seq <= seen.get(found[0].chain, 0) + 1 or len(found) < wanted:
            return [record for record in found if record.seq > seen.get(record.chain, 0)]
        wanted *= 8


def _decoded(log: AnyLog, found: Iterable[Record]) -> Iterator[tuple[Record, msgspec.Struct | None]]:
    """Yield records with what they hold; None of kinds that this version does not know."""
    return ((record, body_of(log, record)) for record in found)


def _print(found: Iterable[tuple[Record, msgspec.Struct | None]], form: str) -> None:
    if form == CSV:
        cells = (row(record, body) for record, body in found)
        _print_csv(COLUMNS, ([one.get(name, "") for name in COLUMNS] for one in cells))
        return
    for record, body in found:
        print_exact(record.line.decode()) if form == JSON else say(summary(record, body))


def _text(cell: object) -> str | None:
    return None if cell is None or cell == "" else str(cell)


def _print_csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    for cells in chain([head], rows):
        writer.writerow([in_csv(str(cell)) for cell in cells])
        print_exact(line.getvalue())
        line.seek(0)
        line.truncate()
