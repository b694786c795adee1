"""`adjudge backtest`: policies over millions of decisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from adjudge.cli.extras import extra
from adjudge.cli.files import check_folder, write_file
from adjudge.cli.gates import gate_lines, gate_option, gates_of
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.logs import Data, DataType, is_log
from adjudge.cli.mapping import mapping_text
from adjudge.cli.output import JSON, TEXT, print_exact, say
from adjudge.cli.progress import progress_bar
from adjudge.cli.rows import Column, Kind, check_rows, is_rows, write_rows
from adjudge.cli.settings import Settings
from adjudge.cli.slices import slice_options
from adjudge.cli.tables import Table, table_options
from adjudge.errors import NothingRead
from adjudge.model import OUTCOMES
from adjudge.policy.loading.load import read_policy_file
from adjudge.policy.policy import Policy
from adjudge.policy.slices import Slice
from adjudge.replay.gates import failed_gates
from adjudge.texts import in_json

if TYPE_CHECKING:
    from adjudge.backtest.report.study import Study

HTML = "html"


@click.command("backtest")
@click.argument("paths", metavar="POLICY... DATA", nargs=-1, required=True, type=DataType())
@click.option("--map-from", type=DataType(), metavar="DATA",
              help="Print a guess of the mapping of DATA's columns, to save as map.yaml, and run nothing.")  # fmt: skip
@table_options
@slice_options
@click.option("--plots", is_flag=True, help="Also what each threshold would do elsewhere; html always has it.")
@click.option("--format", "form", type=click.Choice([TEXT, JSON, HTML]), default=TEXT, show_default=True,
              help="json is for programs, html a page with plots.")  # fmt: skip
@click.option("-o", "--output", "outputs", multiple=True, type=click.Path(dir_okay=False, path_type=Path),
              help="Write the report to this file; or single rows, if it ends with .csv, .xlsx or .parquet. May be"
              " given several times.")  # fmt: skip
@click.option("--rows", "which", type=click.Choice(["moved", "all", *(one.value for one in OUTCOMES)]),
              default="moved", show_default=True,
              help="Which rows -o writes: those that move, all, or those with an outcome.")  # fmt: skip
@gate_option
@click.pass_obj
def command(
    settings: Settings,
    paths: tuple[Data, ...],
    map_from: Data | None,
    table: Table,
    wanted: Slice,
    plots: bool,
    form: str,
    outputs: tuple[Path, ...],
    which: str,
    fail_if: tuple[str, ...],
) -> int:
    """Run policies over past decisions: counts, frauds caught, what changes.

    DATA is an export (adjudge audit export), an audit log, or a Parquet or CSV file of anybody's, or a folder of them.
    The policies are held against the first of them, and that against what was recorded.
    """
    with extra("backtest"):
        from adjudge.backtest.gated import KNOWN, values_of
        from adjudge.backtest.report import data as as_data
        from adjudge.backtest.report import page, text
        from adjudge.backtest.report.study import study
    if map_from is not None:
        print_exact(_guessed(settings, table, _files(path for path in paths if path != map_from), map_from))
        return FINE
    *named, data = paths
    policies = _files(named)
    if not policies:
        raise click.UsageError(f"name a policy, and then the data: adjudge backtest POLICY {data}")
    for output in outputs:
        check_folder(output)
        if is_rows(output):
            check_rows(output)
    gates = gates_of(fail_if, KNOWN)
    reports = [(output, _form_of(output, form)) for output in outputs if not is_rows(output)]
    catalogue = settings.catalogue()
    loaded = [Policy(read_policy_file(path, catalogue), catalogue.overloads()) for path in policies]
    titles = titled(policies, loaded)
    with table.connected() as connection, table.opened(
        connection, settings.registry(), loaded, data, wanted
    ) as datasets:  # fmt: skip
        with progress_bar("backtesting", 1) as bar:
            found = study(
                connection,
                list(zip(titles, loaded, strict=True)),
                datasets,
                plots=plots or HTML in (form, *(one for _, one in reports)),
                by=wanted.by,
                progress=bar,
            )
        if not found.backtests[0].rows:
            left = datasets[0].sliced
            raise NothingRead(f"{data}: holds no rows" if left is None else f"{data}: no row is in the slice {left}")
        written = [_write_rows(found, output, which) for output in outputs if is_rows(output)]
    failed = failed_gates(gates, values_of(found)) if gates else ()

    def report(form: str) -> str:
        if form == JSON:
            return in_json({**as_data.data(found), "failed_gates": list(failed)}, indent=2) + "\n"
        return page.page(found, made=datetime.now(UTC)) if form == HTML else text.text(found) + "\n"

    for output, one in reports:
        write_file(output, report(one))
        written.append(f"wrote {output}")
    if not reports:
        print_exact(report(form))
    if written or failed:
        say(*written, *gate_lines(failed), err=not reports and form != TEXT)
    return FINDINGS if failed else FINE


def _files(paths: Iterable[Data]) -> list[Path]:
    """Return the files of policies. Raises a usage error for what is none."""
    found = list(paths)
    for path in found:
        if not isinstance(path, Path):
            raise click.UsageError(f"{path} is a log, where a policy is named: the log comes last")
    return [path for path in found if isinstance(path, Path)]


def _form_of(output: Path, form: str) -> str:
    """Return what a report is written as: what its ending says, unless another form is asked for."""
    endings = {".html": HTML, ".json": JSON}
    return endings.get(output.suffix.lower(), form) if form == TEXT else form


def _write_rows(found: Study, output: Path, which: str) -> str:
    """Write rows of the last policy to a file, and return what to say of it."""
    from adjudge.backtest.rows import FIRST, fields_of, single_rows

    runner, first = found.runners[-1], found.runners[0]
    before = first if len(found.runners) > 1 else None
    if which == "moved" and before is None and "outcome" not in runner.dataset.roles:
        hint = "name two policies, or say which rows: --rows all"
        raise click.UsageError(f"no row moves, for the data has no outcome to compare with; {hint}")
    fields = fields_of(runner.policy.typed, runner.dataset)
    columns = [Column(name, cast(Kind, kind)) for name, kind in {**FIRST, **fields}.items()]
    return write_rows(output, columns, single_rows(runner, before, which))


def _guessed(settings: Settings, table: Table, paths: Sequence[Path], data: Data) -> str:
    """Return a mapping of data for policies, as a file."""
    from adjudge.backtest.guess import guess

    if not paths:
        raise click.UsageError(f"name the policy too: adjudge backtest POLICY --map-from {data}")
    if not isinstance(data, Path) or is_log(data):
        raise click.UsageError(f"{data} is a log: it needs no mapping")
    catalogue = settings.catalogue()
    policies = [read_policy_file(path, catalogue) for path in paths]
    with table.connected() as connection:
        return mapping_text(guess(connection, data, policies), " ".join(map(str, paths)), data)


def titled(paths: Sequence[Path], policies: Sequence[Policy]) -> list[str]:
    """Return what to call policies: by their names where these differ, else by their files."""
    names = [policy.name for policy in policies]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]
