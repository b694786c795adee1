"""`adjudge audit keygen` and `rekey`, and the keys of commands that write into a log."""

from __future__ import annotations

from pathlib import Path

import click

from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.kinds import records
from adjudge.audit.log import AuditLog
from adjudge.audit.proof import Found, signature_of
from adjudge.audit.signing import Mac, generate, mac_key_from_file, signer_from_file
from adjudge.cli.group import FINE
from adjudge.cli.logs import FolderType
from adjudge.cli.output import counted, say

_file = click.Path(exists=True, dir_okay=False, path_type=Path)
key_option = click.option("--key", type=_file, help="The private key, of a log that is signed.")
mac_key_option = click.option("--mac-key", type=_file, help="The key of macs, of a log that has one of its own.")


def checkpoints_by(
    key: Path | None, mac_key: Path | None, old_key: Path | None = None, old_mac_key: Path | None = None
) -> Checkpoints:
    """Return how a command writes checkpoints with the keys in these files. Raises AuditUnavailable."""
    return Checkpoints(
        signer=signer_from_file(key) if key is not None else None,
        mac_key=mac_key_from_file(mac_key) if mac_key is not None else None,
        retiring=signer_from_file(old_key) if old_key is not None else None,
        retiring_mac_key=mac_key_from_file(old_mac_key) if old_mac_key is not None else None,
    )


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
@click.argument("log", type=FolderType())
@click.option("--key", type=_file, help="The private key that is to sign from now on.")
@mac_key_option
@click.option("--old-key", type=_file, help="The private key that signed until now; it proves what it has written.")
@click.option("--old-mac-key", type=_file, help="The key of macs until now, where it had one of its own.")
@click.option("--by", help="Who adopts what no key proves; it is recorded.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rekey_command(
    log: Path,
    key: Path | None,
    mac_key: Path | None,
    old_key: Path | None,
    old_mac_key: Path | None,
    by: str | None,
    yes: bool,
) -> int:
    """Give a log its first key, or another one in place of an old one.

    With the --old-key, or the --old-mac-key, all that it wrote is proven first. Without, records that no key proves are
    adopted as they are, and a checkpoint says so for ever: look at them first.
    """
    if key is None and mac_key is None:
        raise click.UsageError("name the new --key, or the --mac-key of a log that nobody signs")
    points, has_old = checkpoints_by(key, mac_key, old_key, old_mac_key), bool(old_key or old_mac_key)
    old_mac = Mac(points.retiring_mac_key) if points.retiring_mac_key is not None else None
    found, signed, new_seq, old_seq = Found(points.proof), dict[str, None](), 0, 0
    for record in records(log):
        found.take(record)
        if old_mac is not None and record.is_by(old_mac):
            old_seq = record.seq
        elif old_mac is not None and points.mac is not None and record.is_by(points.mac):
            new_seq = record.seq
        if (signature := signature_of(record)) is not None:
            signed[signature[0]] = None
    assert found.end is not None, "a log without records is read as none"
    if points.signer is not None and points.signer.key_id in [*signed][:-1]:
        raise click.UsageError(
            f"the key {points.signer.key_id} signed this log before another took its place: a key that is retired stays"
            " so. Make a new one with `adjudge audit keygen`"
        )
    if 0 < new_seq < old_seq:
        raise click.UsageError(
            "the new key made the macs of this log before another took its place: a key that is"
            " retired stays so; `openssl rand -hex 32` makes a new one"
        )
    unproven = found.end.seq - found.proven_seq
    if unproven and not has_old:
        if by is None:
            raise click.UsageError(
                f"nothing proves {counted(unproven, 'record')} of this log: give the --old-key or the --old-mac-key, or"
                " say --by whom they are adopted as they are"
            )
        if not yes:
            asked = f"adopt {counted(unproven, 'record')} that nothing proves, up to hash {found.end.hash}?"
            click.confirm(asked, abort=True, err=True)
    with AuditLog.open(log, checkpoints=points, adopted_by=None if has_old else by) as opened:
        if has_old:
            opened.require_proof()
        seq = opened.seq
    taken = f", {counted(unproven, 'record')} adopted without proof" if unproven else ""
    whose = f"key {points.signer.key_id} signs" if points.signer is not None else "macs prove the log"
    say(f"{whose} from record {seq + 1} on{taken}")
    return FINE
