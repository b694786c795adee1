"""`adjudge audit archive`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import msgspec

from adjudge.audit.archive import archive, ended
from adjudge.audit.closed import ArchiveBody
from adjudge.audit.verify import segments
from adjudge.cli.audit.annotations import by_option, folder_argument, writing
from adjudge.cli.audit.keys import key_option, mac_key_option
from adjudge.cli.group import FINE
from adjudge.cli.output import JSON, counted, format_option, print_json, say

RETRIES = timedelta(hours=48)
"""So long a caller may ask again and expect the same answer, unless it is configured otherwise."""


@click.command("archive")
@folder_argument
@click.option("--to", required=True, metavar="DIR|URL",
              help="The folder to move to, or storage, such as s3://bucket/logs.")  # fmt: skip
@click.option("--before", required=True, type=click.DateTime(["%Y-%m-%d"]), metavar="DAY",
              help="Move segments whose last record is older than this day, in UTC.")  # fmt: skip
@by_option
@key_option
@mac_key_option
@format_option
def archive_command(
    log: Path, to: str, before: datetime, by: str, key: Path | None, mac_key: Path | None, form: str
) -> int:
    """Move closed segments of a log to another folder, or to object storage.

    Each is copied, synced, read again and compared, recorded as moved, and then deleted here. If that is interrupted,
    run it again. Readers take the place as --archive; without it they go on from what stays.
    """
    moved: list[ArchiveBody] = []

    def tell(body: ArchiveBody) -> None:
        moved.append(body)
        if form != JSON:
            say(f"{body.name}  records {body.first} to {body.last}, {body.bytes:,} bytes, sha256 {body.sha256}")

    with writing(log, key, mac_key) as opened:
        recent = datetime.now(UTC) - RETRIES
        if any(recent <= ended(file) and ended(file).date() < before.date() for file in segments(log)[:-1]):
            say(
                "decisions of the last 48 hours go too: who asks for one again gets no answer while it is away",
                err=True,
            )
        archive(opened, to, before=before.date(), by=by, tell=tell)
    if form == JSON:
        print_json([msgspec.to_builtins(body) for body in moved])
    else:
        say(f"{counted(len(moved), 'segment')} moved to {to}")
    return FINE
