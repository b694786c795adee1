"""`adjudge audit keygen` and `rekey`."""

from __future__ import annotations

from pathlib import Path

import click

from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.kinds import records
from adjudge.audit.log import AuditLog
from adjudge.audit.proof import Found
from adjudge.audit.signing import generate, signer_from_file
from adjudge.cli.group import FINE
from adjudge.cli.output import counted, say

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("keygen")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def keygen_command(file: Path) -> int:
    """Make a key that signs checkpoints and proves records.

    The private one goes to FILE, for the configuration; the public one to FILE.pub, for the auditor.
    """
    signer = generate(file)
    say(f"key {signer.key_id}: the private one in {file}, the public one in {file}.pub")
    return FINE


@click.command("rekey")
@click.argument("log", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--key", required=True, type=_file, help="The private key that is to sign from now on.")
@click.option("--old-key", type=_file, help="The private key that signed until now; it proves what it has written.")
@click.option("--by", help="Who takes over what no key proves; it is recorded.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rekey_command(log: Path, key: Path, old_key: Path | None, by: str | None, yes: bool) -> int:
    """Give a log its first key, or another one in place of an old one.

    With the --old-key, all that it wrote is proven first. Without, records that no key proves are taken over as they
    stand, and a checkpoint says so for ever: look at them before.
    """
    signer = signer_from_file(key)
    points = Checkpoints(signer=signer, retiring=signer_from_file(old_key) if old_key is not None else None)
    found = Found(points.proof)
    for record in records(log):
        found.take(record)
    assert found.end is not None
    unproven = found.end.seq - found.proven_seq
    if unproven and old_key is None:
        if by is None:
            raise click.UsageError(
                f"nothing proves {counted(unproven, 'record')} of this log: give the --old-key, or say --by whom they"
                " are taken over as they stand"
            )
        if not yes:
            asked = f"take over {counted(unproven, 'record')} that nothing proves, up to hash {found.end.hash}?"
            click.confirm(asked, abort=True, err=True)
    with AuditLog.open(log, checkpoints=points, adopted_by=by if old_key is None else None) as opened:
        if old_key is not None:
            opened.require_proof()
        seq = opened.seq
    taken = f", {counted(unproven, 'record')} taken over without proof" if unproven else ""
    say(f"key {signer.key_id} signs from record {seq + 1} on{taken}")
    return FINE
