"""Workers over PostgreSQL, each a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

HANGS_S = 300.0


class Worker:
    """A process of its own, which does what it is told, and answers each time."""

    def __init__(self, dsn: str, program: str) -> None:
        """program: beside this file."""
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(program)), dsn],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.answer() == "open"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *how: object) -> None:
        self._process.kill()
        self._process.communicate()

    def tell(self, do: str, **said: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **said}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def do(self, do: str, **said: Any) -> Any:
        self.tell(do, **said)
        return self.answer()

    def end(self) -> None:
        """End it as a service ends."""
        self._process.communicate(timeout=HANGS_S)
