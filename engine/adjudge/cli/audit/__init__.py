"""`adjudge audit`: verify, read, export, mark, erase in and archive an audit log, and say what drifts."""

from __future__ import annotations

import click

from adjudge.cli.audit.annotations import erase_command, label_command
from adjudge.cli.audit.archive import archive_command
from adjudge.cli.audit.calls import calls_command
from adjudge.cli.audit.drift import drift_command
from adjudge.cli.audit.export import export_command
from adjudge.cli.audit.keys import keygen_command, rekey_command
from adjudge.cli.audit.show import show_command, tail_command
from adjudge.cli.audit.verify import verify_command


@click.group("audit")
def command() -> None:
    """Verify, read, export, label, erase in and archive an audit log, and find what drifts.

    LOG is the log's folder, or one of its files.
    """


_COMMANDS = (
    verify_command,
    show_command,
    tail_command,
    calls_command,
    export_command,
    drift_command,
    label_command,
    erase_command,
    archive_command,
    keygen_command,
    rekey_command,
)
for one in _COMMANDS:
    command.add_command(one)
