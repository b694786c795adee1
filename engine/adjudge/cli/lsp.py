"""`adjudge lsp`: a language server for policies, over the standard input and output."""

from __future__ import annotations

import sys
from importlib.metadata import version

import click

from adjudge.cli.extras import extra
from adjudge.cli.group import FINE
from adjudge.cli.settings import Settings
from adjudge.cli.streams import standard_input


@click.command("lsp")
@click.pass_obj
def command(settings: Settings) -> int:
    """Serve an editor that writes policies, over the standard input and output.

    Diagnostics, completion, hover, definitions, references, renaming, quick fixes, formatting and an outline.
    """
    with extra("lsp"):
        from adjudge.authoring.language_server.server import build_server
    build_server(settings.catalogue(), version("adjudge")).start_io(standard_input(), sys.stdout.buffer)
    return FINE
