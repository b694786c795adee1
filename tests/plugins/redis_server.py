"""A Redis server of the tests' own on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, suppress

from ports import reserved_port

PROGRAM = shutil.which("redis-server")
"""The server's program; None where it is not installed."""


class RedisServer:
    """A server with nothing in it, which keeps nothing on disk."""

    def __init__(self) -> None:
        assert PROGRAM is not None
        self._reserved = ExitStack()
        self.port = self._reserved.enter_context(reserved_port())
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        assert PROGRAM is not None
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(
            [PROGRAM, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/tmp",
        )
        for _ in range(2400):  # two minutes
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        self.close()
        raise AssertionError("Redis does not start")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(timeout=60)

    def close(self) -> None:
        self.stop()
        self._reserved.close()
