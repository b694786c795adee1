"""`adjudge backtest`: policies over millions of decisions."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from adjudge.cli.extras import extra
from adjudge.cli.files import check_folder, write_file
from adjudge.cli.group import FINE
from adjudge.cli.logs import is_log, told
from adjudge.cli.output import JSON, TEXT, print_exact, print_json, say
from adjudge.cli.progress import progress_bar, size_of
from adjudge.cli.settings import Settings
from adjudge.errors import NothingRead
from adjudge.policy.loading.load import read_policy_file
from adjudge.policy.policy import Policy
from adjudge.registry import Registry
from adjudge.texts import in_json

if TYPE_CHECKING:
    import duckdb

    from adjudge.backtest.dataset import Dataset

HTML = "html"

map_option = click.option(
    "--map", "mapped", multiple=True, metavar="SLOT=COLUMN",
    help="Read a field, or id, at, label, cost, outcome (@id … where a field has that name), from this column;"
    " may be given several times.",
)  # fmt: skip
memory_option = click.option("--memory", default="1GB", show_default=True, help="As much as the database may use.")
threads_option = click.option("--threads", type=click.IntRange(min=1), help="[default: one for each processor]")


@click.command("backtest")
@click.argument("policies", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@map_option
@click.option("--plots", is_flag=True, help="Also what each threshold would do elsewhere; html always has it.")
@memory_option
@threads_option
@click.option("--format", "form", type=click.Choice([TEXT, JSON, HTML]), default=TEXT, show_default=True,
              help="json is for programs, html a page with plots.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to this file.")
@click.pass_obj
def command(
    settings: Settings,
    policies: tuple[Path, ...],
    data: Path,
    mapped: tuple[str, ...],
    plots: bool,
    memory: str,
    threads: int | None,
    form: str,
    output: Path | None,
) -> int:
    """Run policies over past decisions: counts, frauds caught, what changes.

    DATA is an export (adjudge audit export), an audit log, or a Parquet or CSV file of anybody's, or a folder of them.
    The policies are held against the first of them, and that against what was recorded.
    """
    with extra("backtest"):
        from adjudge.backtest.duck import connect
        from adjudge.backtest.report import data as as_data
        from adjudge.backtest.report import page, text
        from adjudge.backtest.report.study import study
    check_folder(output)
    catalogue = settings.catalogue()
    loaded = [Policy(read_policy_file(path, catalogue), catalogue.overloads()) for path in policies]
    titles = titled(policies, loaded)
    with connect(memory=memory, threads=threads) as connection, opened(
        connection, settings.registry(), loaded, data, mapping_of(mapped)
    ) as datasets, progress_bar("backtesting", 1) as bar:  # fmt: skip
        found = study(
            connection,
            list(zip(titles, loaded, strict=True)),
            datasets,
            plots=plots or form == HTML,
            progress=bar,
        )
    if not found.backtests[0].rows:
        raise NothingRead(f"{data}: holds no rows")
    if form == JSON and output is None:
        print_json(as_data.data(found))
        return FINE
    if form == JSON:
        report = in_json(as_data.data(found), indent=2) + "\n"
    else:
        report = page.page(found) if form == HTML else text.text(found) + "\n"
    if output is None:
        print_exact(report)
    else:
        write_file(output, report)
        say(f"wrote {output}")
    return FINE


def titled(paths: Sequence[Path], policies: Sequence[Policy]) -> list[str]:
    """Return what to call policies: by their names where these differ, else by their files."""
    names = [policy.name for policy in policies]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def mapping_of(mapped: Sequence[str]) -> dict[str, str]:
    """Return `slot=column` texts as a mapping."""
    pairs = [one.partition("=") for one in mapped]
    for slot, sign, column in pairs:
        if not (slot and sign and column):
            raise click.UsageError(f"--map {slot}{sign}{column}: write SLOT=COLUMN, such as --map amount=AMT_TOTAL")
    return {slot: column for slot, _, column in pairs}


@contextmanager
def opened(
    connection: duckdb.DuckDBPyConnection,
    registry: Registry,
    policies: Sequence[Policy],
    data: Path,
    mapping: dict[str, str],
) -> Iterator[list[Dataset]]:
    """Open data for each policy; a log becomes an export first, which is forgotten afterwards."""
    from adjudge.backtest.dataset import open_dataset
    from adjudge.backtest.export import export

    name = policies[0].name  # one set of rows for all
    if not is_log(data):
        yield [open_dataset(connection, data, policy.typed, mapping=mapping, name=name) for policy in policies]
        return
    personal = any(field.personal for policy in policies for field in policy.typed.slots.values())
    with _ended_by_sigterm(), tempfile.TemporaryDirectory(prefix="adjudge-backtest-") as folder:
        out = Path(folder) / "export"
        with progress_bar("reading the log", size_of(told(data))) as bar:
            export(data, out, functions=registry.catalogue().functions, with_personal=personal, progress=bar)
        found = [open_dataset(connection, out, policy.typed, mapping=mapping, name=name) for policy in policies]
        yield [replace(one, path=data) for one in found]


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does, so that nothing of a log stays behind."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
