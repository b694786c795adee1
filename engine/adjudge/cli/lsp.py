"""`adjudge lsp`: a language server for policies, over the standard input and output."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib.metadata import version
from typing import BinaryIO, cast

import click

from adjudge.cli.extras import extra
from adjudge.cli.group import FINE
from adjudge.cli.settings import Settings
from adjudge.cli.streams import Undelivered, standard_input, standard_output

MESSAGE_MAX_BYTES = 64 * 1024 * 1024
"""Of one message of an editor: many times the longest policy."""
HEADER_MAX_BYTES = 1024
"""Of one line before a message."""


@click.command("lsp")
@click.pass_obj
def command(settings: Settings) -> int:
    """Serve an editor over standard input and output, for writing policies.

    Diagnostics, completion, hover, definitions, references, renaming, quick fixes, formatting and an outline.
    """
    with extra("lsp"):
        from adjudge.authoring.language_server.server import build_server
    messages, answers = Messages(standard_input()), Answers(standard_output().write_bytes)
    server = build_server(settings.catalogue(), version("adjudge"))
    server.start_io(cast(BinaryIO, messages), cast(BinaryIO, answers))
    if answers.lost is not None:
        raise answers.lost
    return FINE


class Messages(io.BufferedIOBase):
    """What an editor sends, of which no more is read than a message may have."""

    def __init__(self, stream: BinaryIO) -> None:
        """stream: the bytes that come in."""
        self.stream = stream

    def read(self, size: int | None = -1) -> bytes:
        """Read a message of so many bytes. Raises click.UsageError where those are too many."""
        if size is None or not 0 <= size <= MESSAGE_MAX_BYTES:
            raise click.UsageError(f"a message of the editor is longer than {MESSAGE_MAX_BYTES:,} bytes")
        return self.stream.read(size)

    def readline(self, size: int | None = -1) -> bytes:
        """Read a line before a message. Raises click.UsageError where it is too long."""
        line = self.stream.readline(HEADER_MAX_BYTES + 1)
        if len(line) > HEADER_MAX_BYTES:
            raise click.UsageError(f"a line before a message of the editor is longer than {HEADER_MAX_BYTES:,} bytes")
        return line


class Answers(io.BufferedIOBase):
    """What an editor is answered. Where that is lost the server ends, and `lost` says why.

    The server's library takes an error of writing for one to be told, which it writes, and so on for ever; what ends
    a process it lets through.
    """

    def __init__(self, write: Callable[[bytes], None]) -> None:
        """write: raises Undelivered."""
        self._write = write
        self.lost: Undelivered | None = None

    def write(self, data: bytes) -> int:  # type: ignore[override]  # the server writes nothing but bytes
        """Write all and hand it on. Raises SystemExit where it cannot be written."""
        try:
            self._write(data)
        except Undelivered as error:
            self.lost = error
            raise SystemExit from error
        return len(data)
