"""`adjudge audit verify`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from adjudge.audit.chains import lost_elsewhere, verify_elsewhere
from adjudge.audit.custody import check_vault
from adjudge.audit.verify import Findings, LogPath, render, verify_files
from adjudge.cli.audit.custody import lines
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.logs import Data, DataType, archive_option, with_archives
from adjudge.cli.output import JSON, counted, format_option, print_json, say, say_text
from adjudge.errors import AuditUnavailable

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("verify")
@click.argument("log", type=DataType())
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
    log: Data,
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
    asked: dict[str, Any] = {
        "key": keys,
        "mac_key": mac_keys,
        "closed": closed,
        "anchors": anchors,
        "expect_last": expect_last,
        "expect_count": expect_count,
    }
    try:
        found = verify_files(whole, **asked) if isinstance(whole, LogPath) else verify_elsewhere(whole, **asked)
    except ValueError as error:
        raise AuditUnavailable(str(error)) from None
    if not isinstance(whole, LogPath):
        for line in lost_elsewhere(whole):
            say(line, err=True)
    is_good = found.is_good if isinstance(found, Findings) else all(one.is_good for one in found.values())
    custody = check_vault(whole) if vault and is_good else None
    if form == JSON:
        said = asdict(found) if isinstance(found, Findings) else _data(found)
        print_json(said | ({"vault": asdict(custody) if custody is not None else None} if vault else {}))
    else:
        say_text(render(found) if isinstance(found, Findings) else _text(found))
        if vault:
            say(*lines(custody))
    return FINE if is_good and (custody is None or custody.is_good) else FINDINGS


def _data(found: Mapping[str, Findings]) -> dict[str, Any]:
    return {
        "is_good": all(one.is_good for one in found.values()),
        "problem": next((asdict(one.problem) for one in found.values() if one.problem is not None), None),
        "chains": {name: asdict(one) for name, one in found.items() if name},
    }


def _text(found: Mapping[str, Findings]) -> str:
    """Return each chain's name and findings, and a last line about all."""
    lines = []
    for name, one in found.items():
        lines += [name] * bool(name) + [f"  {line}" if name else line for line in render(one, "there").split("\n")]
    wrong = sum(not one.is_good for name, one in found.items() if name)
    records = sum(one.count for one in found.values())
    said = f"{counted(records, 'record')} in {counted(len(found) - ('' in found), 'chain')}"
    return "\n".join([*lines, f"{said}: {wrong} wrong" if wrong else f"{said}"])
