"""`adjudge audit export`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from adjudge.audit.elsewhere import AnyLog
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
@click.option("--with-personal", is_flag=True, help="Write personal fields too, as the vault still has them.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Processes that write.  [default: one for each processor]")
@slice_options
@format_option
@click.pass_obj
def export_command(
    settings: Settings, log: AnyLog, out: Path, with_personal: bool, jobs: int | None, wanted: Slice, form: str
) -> int:
    """Write a log's decisions and labels to Parquet, for backtests and for any warehouse.

    OUT is a folder: OUT/POLICY/day=YYYY-MM-DD/*.parquet and OUT/labels/*.parquet. Once more, and what is new is added.
    """
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
