"""`adjudge audit export`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from adjudge.audit.elsewhere import AnyLog, write_files
from adjudge.audit.verify import LogPath
from adjudge.cli.extras import extra
from adjudge.cli.group import FINE
from adjudge.cli.logs import log_argument
from adjudge.cli.output import JSON, counted, format_option, print_json, say
from adjudge.cli.progress import progress_bar, size_of
from adjudge.cli.settings import Settings
from adjudge.cli.slices import slice_options
from adjudge.policy.slices import Slice
from adjudge.replay.segment_report import segment_data, segment_lines

SMALL = 64 * 2**20
"""A log of fewer bytes is exported before other processes would have started."""


@click.command("export")
@log_argument
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--jsonl", is_flag=True, help="Write the chains of a database as logs of files, OUT/CHAIN/*.jsonl, which"
              " every verifier reads.")  # fmt: skip
@click.option("--with-personal", is_flag=True, help="Write personal fields too, as the vault still has them.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Processes that write.  [default: one for each processor]")
@slice_options
@format_option
@click.pass_obj
def export_command(
    settings: Settings,
    log: AnyLog,
    out: Path,
    jsonl: bool,
    with_personal: bool,
    jobs: int | None,
    wanted: Slice,
    form: str,
) -> int:
    """Write a log's decisions and labels to Parquet, for backtests and for any warehouse.

    OUT is a folder: OUT/POLICY/day=YYYY-MM-DD/*.parquet and OUT/labels/*.parquet. Once more, and what is new is added.
    """
    if jsonl:
        if with_personal or jobs is not None or not wanted.is_all or wanted.by is not None:
            raise click.UsageError("--jsonl writes the chains as they stand: leave the other options out")
        return _as_files(log, out, form)
    with extra("backtest"):
        from adjudge.backtest.export import export
    size = size_of(log)
    jobs = jobs or (1 if size < SMALL else os.cpu_count() or 1)
    functions = settings.registry().catalogue().functions
    with progress_bar("exporting", size) as bar:
        done = export(
            log, out, functions=functions, with_personal=with_personal, jobs=jobs, wanted=wanted, progress=bar
        )
    if form == JSON:
        found = {name: value for name, value in asdict(done).items() if name not in ("sliced", "segments")}
        if done.sliced is not None:
            found["slice"] = asdict(done.sliced)
        if wanted.by is not None:
            found |= {"by": wanted.by, "segments": segment_data(done.segments)}
        print_json(found)
        return FINE
    say(f"{counted(done.decisions, 'decision')} and {counted(done.labels, 'label')} more, in {out}")
    say(f"  up to record {done.seq}; policies: {', '.join(done.folders) or 'none yet'}")
    if done.sliced is not None:
        say(f"  slice {done.sliced}")
    if wanted.by is not None:
        say(*segment_lines(wanted.by, done.segments, has_moved=False))
    return FINE


def _as_files(log: AnyLog, out: Path, form: str) -> int:
    if isinstance(log, LogPath):
        raise click.UsageError(f"{log} is a log of such files already: copy it")
    written = write_files(log, out)
    if form == JSON:
        print_json({"chains": {str(folder): count for folder, count in written.items()}})
    else:
        say(*(f"{folder}: {counted(count, 'record')}" for folder, count in written.items()))
    return FINE
