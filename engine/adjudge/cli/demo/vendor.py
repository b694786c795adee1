"""The vendor of the demo: the command `sandbox` of a plugin, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from adjudge.errors import PluginError
from adjudge.frozen import frozen

COMMAND = "sandbox"
READY = "listening on "
START_MAX_S = 30.0


@frozen
class Vendor:
    """A running sandbox."""

    url: str
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """End it, so that nobody answers at its address any more."""
        self.process.terminate()
        self.process.wait()


@contextmanager
def running_sandbox(scenario: Path, *, offered: Container[str]) -> Iterator[Vendor]:
    """Run a sandbox on a free port of this machine.

    offered: the commands that plugins offer. Raises PluginError where there is none, or where it does not start.
    """
    if COMMAND not in offered:
        raise PluginError("no plugin that was loaded offers the command `sandbox`; the demo needs it", plugin="aliyun")
    # -P: what lies in the working directory is not to be imported
    arguments = [sys.executable, "-P", "-m", "adjudge", COMMAND, "--port", "0", "--scenario", str(scenario)]
    process = subprocess.Popen(  # noqa: S603  # our own command
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    with process:
        too_late = threading.Timer(START_MAX_S, process.kill)
        too_late.start()
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            too_late.cancel()
            if not said.startswith(READY):
                raise PluginError("its sandbox did not start", plugin="aliyun")
            yield Vendor(said.removeprefix(READY).strip(), process)
        finally:
            too_late.cancel()
            process.terminate()
