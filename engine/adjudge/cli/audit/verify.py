"""`adjudge audit verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from adjudge.audit.custody import check_vault
from adjudge.audit.verify import render, verify_files
from adjudge.cli.audit.custody import lines
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.logs import archive_option, with_archives
from adjudge.cli.output import JSON, format_option, print_json, say, say_text
from adjudge.errors import AuditUnavailable

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("verify")
@click.argument("log", type=click.Path(exists=True, path_type=Path))
@archive_option
@click.option("--key", "keys", type=_file, multiple=True, help="A file of public keys; all signatures are checked.")
@click.option(
    "--mac-key",
    "mac_keys",
    type=_file,
    multiple=True,
    help="The private key that signs, or the key of macs; what came after the last signature is checked.",
)
@click.option("--vault", is_flag=True, help="Hold the vault against the log too: does it have what it should, and"
              " nothing that was erased?")  # fmt: skip
@click.option(
    "--closed",
    is_flag=True,
    help="Demand that nothing follows the last signature, or an orderly close that a mac proves.",
)
@click.option("--anchors", type=_file, help="Checkpoints that were kept elsewhere.")
@click.option("--expect-last", metavar="HASH", help="The hash of the last record, from an outside witness.")
@click.option("--expect-count", metavar="N", type=int, help="The number of records, from an outside witness.")
@format_option
def verify_command(
    log: Path,
    archives: tuple[Path | str, ...],
    keys: tuple[Path, ...],
    mac_keys: tuple[Path, ...],
    vault: bool,
    closed: bool,
    anchors: Path | None,
    expect_last: str | None,
    expect_count: int | None,
    form: str,
) -> int:
    """Check every record, and name the first that is wrong."""
    whole = with_archives(log, archives)
    try:
        findings = verify_files(
            whole,
            key=keys,
            mac_key=mac_keys,
            closed=closed,
            anchors=anchors,
            expect_last=expect_last,
            expect_count=expect_count,
        )
    except ValueError as error:
        raise AuditUnavailable(str(error)) from None
    custody = check_vault(whole) if vault and findings.is_good else None
    if form == JSON:
        print_json(asdict(findings) | ({"vault": asdict(custody) if custody is not None else None} if vault else {}))
    else:
        say_text(render(findings))
        if vault:
            say(*lines(custody))
    return FINE if findings.is_good and (custody is None or custody.is_good) else FINDINGS
