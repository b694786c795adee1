"""A PostgreSQL server of the tests' own on loopback, a pooler before it, and a way to it that can be cut."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from ports import reserved_port

KEY = b"k" * 32
"""Of fingerprints."""

_PLACES = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/local/bin"), Path("/usr/bin"))
PROGRAMS = next((place for place in _PLACES if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)
"""Where the server's programs are; None where it is not installed."""


class Server:
    """A server with nothing in it, which asks a role `stranger` for a password, and nobody else."""

    def __init__(self) -> None:
        assert PROGRAMS is not None
        self.root = Path(tempfile.mkdtemp(prefix="adjudge-postgres-"))
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # it refuses to run as root
        if self._as:
            shutil.chown(self.root, "postgres", "postgres")
        self._reserved = ExitStack()
        self.port = self._reserved.enter_context(reserved_port())
        self._made = 0
        self.template: str | None = None
        self._run(
            "initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"
        )
        rules = Path(self.data) / "pg_hba.conf"
        rules.write_text(f"host all stranger 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        self.start()

    @property
    def data(self) -> str:
        return str(self.root / "data")

    def start(self) -> None:
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.root} -c max_connections=60"
        )
        self._run("pg_ctl", "start", "-w", "-D", self.data, "-o", options, "-l", str(self.root / "log"))

    def stop(self, mode: str = "fast") -> None:
        """mode: `immediate` is what a power cut does."""
        self._run("pg_ctl", "stop", "-w", "-D", self.data, "-m", mode)

    def close(self) -> None:
        with suppress(subprocess.CalledProcessError):
            self.stop("immediate")
        shutil.rmtree(self.root, ignore_errors=True)
        self._reserved.close()

    def dsn(self, database: str, port: int | None = None) -> str:
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{database}"

    def database(self, template: str = "template1") -> str:
        """Make a database like another, empty unless given, and return its name."""
        import psycopg

        self._made += 1
        name = f"ledger_{self._made}"
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name} template {template}")
        return name

    def _run(self, program: str, *arguments: str) -> None:
        assert PROGRAMS is not None
        command = [*self._as, str(PROGRAMS / program), *arguments]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/", timeout=300)


def migrated(server: Server) -> str:
    """Return the connection string of a new database that has the tables."""
    from adjudge_plugins.postgres.migrate import migrate

    if server.template is None:
        name = server.database()
        asyncio.run(with_connection(server.dsn(name), migrate))
        server.template = name
    return server.dsn(server.database(server.template))


async def with_connection(dsn: str, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    from adjudge_plugins.postgres.database import connect

    connection = await connect(dsn)
    try:
        return await work(connection)
    finally:
        await connection.close()


POOLER = next((one for one in (Path("/usr/sbin/pgbouncer"), Path("/usr/bin/pgbouncer")) if one.exists()), None)
"""The pooler's program; None where it is not installed."""


class Pooler:
    """PgBouncer before a server: it shares a few connections by transaction."""

    def __init__(self, server: Server, connections: int = 8) -> None:
        assert POOLER is not None
        self._reserved = ExitStack()
        self.port = self._reserved.enter_context(reserved_port())
        self.settings = server.root / f"pooler-{self.port}.ini"
        self.settings.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port} user=postgres\n[pgbouncer]\nlisten_addr=127.0.0.1\n"
            f"listen_port={self.port}\nauth_type=any\npool_mode=transaction\ndefault_pool_size={connections}\n"
            f"unix_socket_dir=\nlogfile={server.root}/pooler-{self.port}.log\n"
        )
        self._process = subprocess.Popen(
            [str(POOLER), "-q", str(self.settings)],
            user="postgres" if os.geteuid() == 0 else None,  # it refuses to run as root
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        for _ in range(2400):  # two minutes
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        self.close()
        raise AssertionError("the pooler does not start")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=120)
        self._reserved.close()


class Way:
    """A port on loopback that leads to the server, until it is cut.

    swallow: the next answer of the server is lost, with its connection. drop: so is the next question.
    """

    swallow = drop = False

    def __init__(self, port: int) -> None:
        self._to = port
        self.is_cut = False
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and let none be made until it is mended."""
        self.is_cut = True
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_cut:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._to))
            self._open |= {client, server}
            for fault, here, there in (("drop", client, server), ("swallow", server, client)):
                threading.Thread(target=self._pass_on, args=(fault, here, there), daemon=True).start()

    def _pass_on(self, fault: str, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while data := here.recv(65536):
                if getattr(self, fault):
                    setattr(self, fault, False)
                    break
                there.sendall(data)
        for one in (here, there):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.discard(here)
        here.close()
