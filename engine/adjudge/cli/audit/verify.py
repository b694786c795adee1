"""`adjudge audit verify` and `keygen`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from adjudge.audit.signing import generate
from adjudge.audit.verify import render, verify_files
from adjudge.cli.audit.records import log_argument
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.output import JSON, format_option, print_json, say, say_text
from adjudge.errors import AuditUnavailable

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("verify")
@log_argument
@click.option("--key", "keys", type=_file, multiple=True, help="A file of public keys; all signatures are checked.")
@click.option("--anchors", type=_file, help="Checkpoints that were kept elsewhere.")
@click.option("--expect-last", metavar="HASH", help="The hash of the last record, from an outside witness.")
@click.option("--expect-count", metavar="N", type=int, help="The number of records, from an outside witness.")
@format_option
def verify_command(
    log: Path,
    keys: tuple[Path, ...],
    anchors: Path | None,
    expect_last: str | None,
    expect_count: int | None,
    form: str,
) -> int:
    """Check every record, and name the first that is wrong."""
    try:
        findings = verify_files(log, keys, anchors, expect_last, expect_count)
    except ValueError as error:
        raise AuditUnavailable(str(error)) from None
    print_json(asdict(findings)) if form == JSON else say_text(render(findings))
    return FINE if findings.is_good else FINDINGS


@click.command("keygen")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def keygen_command(file: Path) -> int:
    """Make a key that signs checkpoints.

    The private one goes to FILE, for the configuration; the public one to FILE.pub, for the auditor.
    """
    signer = generate(file)
    say(f"key {signer.key_id}: the private one in {file}, the public one in {file}.pub")
    return FINE
