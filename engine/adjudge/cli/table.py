"""`adjudge table`: a policy's tables as CSV or XLSX, and back."""

from __future__ import annotations

from pathlib import Path

import click

from adjudge.authoring.exchange import (
    Rows,
    as_csv,
    as_workbook,
    read_rows,
    replaced,
    rows_of,
    table_named,
    written_tables,
)
from adjudge.cli.files import check_folder, write_file
from adjudge.cli.group import FINE
from adjudge.cli.output import counted, print_exact, say
from adjudge.cli.settings import Settings
from adjudge.cli.streams import Undelivered
from adjudge.errors import PolicyErrors, TableFault
from adjudge.policy.loading.load import read_policy, read_policy_file, read_source
from adjudge.policy.text import yaml
from adjudge.policy.text.workbook import SUFFIXES
from adjudge.policy.text.yaml import read_yaml
from adjudge.system.files import replace_file

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("table")
def command() -> None:
    """Bring a policy's tables into spreadsheets, and back.

    No character of a cell changes on the way: `0.60` stays `0.60`, and what a spreadsheet would calculate is a text.
    """


@command.command("export")
@click.argument("policy", type=_FILE)
@click.argument("tables", nargs=-1)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A .csv or .xlsx file.")
def export_command(policy: Path, tables: tuple[str, ...], output: Path | None) -> int:
    """Write tables as CSV, or as XLSX with a sheet for each; all of them unless TABLES are named.

    POLICY is a policy or a fragment. Without -o, CSV is printed.
    """
    check_folder(output)
    found = [table_named(policy, name) for name in tables] if tables else list(written_tables(policy).values())
    rows: dict[str, Rows] = {table.name: rows_of(table) for table in found}
    if not rows:
        raise click.UsageError(f"{policy} has no table")
    if output is not None and output.suffix.lower() in SUFFIXES:
        _write(output, as_workbook(rows))
    elif len(rows) > 1:
        raise click.UsageError(f"CSV holds one table: name one of {', '.join(rows)}, or write -o tables.xlsx")
    elif output is None:
        print_exact(as_csv(next(iter(rows.values()))))
        return FINE
    else:
        write_file(output, as_csv(next(iter(rows.values()))))
    for name, cells in rows.items():
        say(f"wrote {counted(len(cells) - 1, 'row')} of {name} to {output}")
    return FINE


@command.command("import")
@click.argument("policy", type=_FILE)
@click.argument("table")
@click.argument("file", type=_FILE)
@click.option("--sheet", help="The sheet of an XLSX file; the table's, or else the first, by default.")
@click.pass_obj
def import_command(settings: Settings, policy: Path, table: str, file: Path, sheet: str | None) -> int:
    """Take a table's rows from a CSV or XLSX file.

    They go where the table has them: into the policy, or into the file that it names. Nothing is written where the
    policy would not load with them.
    """
    written = table_named(policy, table)
    rows = read_rows(file, sheet)
    if not rows:
        raise TableFault(f"{file} is empty", "its first row holds the headers")
    place = written.file if written.file is not None else policy
    if place.exists() and rows_of(written) == rows:
        say(f"{table} in {place} is the same already")
        return FINE
    target, data = replaced(written, rows)
    before = target.read_bytes() if target.exists() else None
    if target == policy:
        text = data.decode("utf-8")
        if _is_policy(policy):
            read_policy(text, str(policy), folder=policy.parent, catalogue=settings.catalogue())
        write_file(policy, text)
    else:
        _write(target, data)
        try:
            if _is_policy(policy):
                read_policy_file(policy, settings.catalogue())
        except PolicyErrors:
            if before is None:
                target.unlink()
            else:
                _write(target, before)
            raise
    say(f"took {counted(len(rows) - 1, 'row')} of {table} into {target}")
    return FINE


def _is_policy(document: Path) -> bool:
    """Whether a document is a whole policy, and no fragment, which loads only inside one."""
    root, _ = read_yaml(read_source(document, "policy"))
    return isinstance(root, yaml.Mapping) and root.get("policy") is not None


def _write(file: Path, data: bytes) -> None:
    try:
        replace_file(file, data)
    except OSError as error:
        raise Undelivered(file, error) from None
