"""The command line. Only what stands here reads the environment and sets up operational logging."""

from __future__ import annotations

from adjudge.cli.group import adjudge


def main() -> None:
    """Run the command that the process's arguments name, and end the process with its status."""
    adjudge(prog_name="adjudge")
