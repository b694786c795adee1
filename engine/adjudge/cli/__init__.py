"""The command line. Only what stands here reads the environment and sets up operational logging."""

from __future__ import annotations

from adjudge.cli.group import adjudge
from adjudge.cli.streams import hold_descriptors


def main() -> None:
    """Run the command that the process's arguments name, and end the process with its status."""
    hold_descriptors()
    adjudge(prog_name="adjudge")
