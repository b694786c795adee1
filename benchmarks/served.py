"""Servers of the benchmarks, each in a process of its own: `adjudge serve`, and a route that does nothing."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ENDED_WITHIN_S = 90
TICKS = os.sysconf("SC_CLK_TCK")

_NOTHING = """
import socket, sys
import msgspec, uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
answer = open(sys.argv[1], "rb").read()
async def decide(request: Request) -> Response:
    msgspec.json.decode(await request.body())
    return Response(answer, media_type="application/json")
app = Starlette(routes=[Route("/v1/decisions", decide, methods=["POST"])])
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY by this
listener.bind(("127.0.0.1", 0))
listener.listen(1024)
print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
config = uvicorn.Config(app, http="h11", lifespan="off", ws="none", log_config=None, access_log=False)
uvicorn.Server(config).run([listener])
"""


@dataclass(slots=True)
class Served:
    """A server that takes requests. url: `http://HOST:PORT`."""

    url: str
    process: subprocess.Popen[str]

    def cpu_s(self) -> float:
        """Return the seconds of processor time that it took so far, of all its threads."""
        parts = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / TICKS

    def resident_mb(self) -> float:
        """Return its resident memory, in MB of 10^6 bytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6

    def peak_mb(self) -> float:
        """Return the most memory that it ever had, in MB of 10^6 bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


@contextmanager
def _started(command: list[str], errors: Path) -> Iterator[Served]:
    with errors.open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        try:
            said = process.stdout.readline()
            if not said.startswith("listening on "):
                raise RuntimeError(f"the server did not start: {errors.read_text()[-2000:]}")
            yield Served(said.removeprefix("listening on ").strip(), process)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(ENDED_WITHIN_S)
            finally:
                process.kill()
                process.stdout.close()


@contextmanager
def service(config: Path) -> Iterator[Served]:
    """Serve a configuration on a free port, its events in `service.log` beside it."""
    command = [sys.executable, "-m", "adjudge", "serve", os.fspath(config), "--port", "0"]
    with _started(command, config.parent / "service.log") as served:
        yield served


@contextmanager
def nothing(answer: Path) -> Iterator[Served]:
    """Serve a route that reads JSON and always says what is in a file."""
    with _started([sys.executable, "-c", _NOTHING, os.fspath(answer)], answer.with_suffix(".log")) as served:
        yield served
