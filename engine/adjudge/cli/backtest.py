"""`adjudge backtest`: policies over millions of decisions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from adjudge.cli.extras import extra
from adjudge.cli.files import check_folder, write_file
from adjudge.cli.group import FINE
from adjudge.cli.logs import is_log
from adjudge.cli.mapping import mapping_text
from adjudge.cli.output import JSON, TEXT, print_exact, print_json, say
from adjudge.cli.progress import progress_bar
from adjudge.cli.settings import Settings
from adjudge.cli.slices import slice_options
from adjudge.cli.tables import Table, table_options
from adjudge.errors import NothingRead
from adjudge.policy.loading.load import read_policy_file
from adjudge.policy.policy import Policy
from adjudge.policy.slices import Slice
from adjudge.texts import in_json

HTML = "html"


@click.command("backtest")
@click.argument(
    "paths", metavar="POLICY... DATA", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
@click.option("--map-from", type=click.Path(exists=True, path_type=Path), metavar="DATA",
              help="Print a guess of the mapping of DATA's columns, to save as map.yaml, and run nothing.")  # fmt: skip
@table_options
@slice_options
@click.option("--plots", is_flag=True, help="Also what each threshold would do elsewhere; html always has it.")
@click.option("--format", "form", type=click.Choice([TEXT, JSON, HTML]), default=TEXT, show_default=True,
              help="json is for programs, html a page with plots.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to this file.")
@click.pass_obj
def command(
    settings: Settings,
    paths: tuple[Path, ...],
    map_from: Path | None,
    table: Table,
    wanted: Slice,
    plots: bool,
    form: str,
    output: Path | None,
) -> int:
    """Run policies over past decisions: counts, frauds caught, what changes.

    DATA is an export (adjudge audit export), an audit log, or a Parquet or CSV file of anybody's, or a folder of them.
    The policies are held against the first of them, and that against what was recorded.
    """
    with extra("backtest"):
        from adjudge.backtest.report import data as as_data
        from adjudge.backtest.report import page, text
        from adjudge.backtest.report.study import study
    if map_from is not None:
        policies = [path for path in paths if path != map_from]
        print_exact(_guessed(settings, table, policies, map_from))
        return FINE
    *policies, data = paths
    if not policies:
        raise click.UsageError(f"name a policy, and then the data: adjudge backtest POLICY {data}")
    check_folder(output)
    catalogue = settings.catalogue()
    loaded = [Policy(read_policy_file(path, catalogue), catalogue.overloads()) for path in policies]
    titles = titled(policies, loaded)
    with table.connected() as connection, table.opened(
        connection, settings.registry(), loaded, data, wanted
    ) as datasets, progress_bar("backtesting", 1) as bar:  # fmt: skip
        found = study(
            connection,
            list(zip(titles, loaded, strict=True)),
            datasets,
            plots=plots or form == HTML,
            by=wanted.by,
            progress=bar,
        )
    if not found.backtests[0].rows:
        slice_ = datasets[0].sliced
        raise NothingRead(f"{data}: holds no rows" if slice_ is None else f"{data}: no row is in the slice {slice_}")
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


def _guessed(settings: Settings, table: Table, paths: Sequence[Path], data: Path) -> str:
    """Return a mapping of data for policies, as a file."""
    from adjudge.backtest.guess import guess

    if not paths:
        raise click.UsageError(f"name the policy too: adjudge backtest POLICY --map-from {data}")
    if is_log(data):
        raise click.UsageError(f"{data} is a log: it needs no mapping")
    catalogue = settings.catalogue()
    policies = [read_policy_file(path, catalogue) for path in paths]
    with table.connected() as connection:
        return mapping_text(guess(connection, data, policies), " ".join(map(str, paths)), data)


def titled(paths: Sequence[Path], policies: Sequence[Policy]) -> list[str]:
    """Return what to call policies: by their names where these differ, else by their files."""
    names = [policy.name for policy in policies]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]
