"""An engine served at a Unix socket in this process, for whoever asks it over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from adjudge.config.service import ServiceSettings
from adjudge.decision.door import Door
from adjudge.service.admission import Admission
from adjudge.service.listening import listening_at, listening_on
from adjudge.service.server import Service


@contextlib.contextmanager
def folder_for_sockets() -> Iterator[Path]:
    """A folder with a short name: the path of a socket has some hundred bytes, and that of a test more."""
    with tempfile.TemporaryDirectory(prefix="adj-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def served(
    engine: Door, *, admission: Admission | None = None, settings: ServiceSettings | None = None, over_tcp: bool = False
) -> Iterator[str]:
    """Serve an engine from a thread, and yield its address."""
    with serving(engine, admission=admission, settings=settings, over_tcp=over_tcp) as (address, _):
        yield address


@contextlib.contextmanager
def serving(
    engine: Door, *, admission: Admission | None = None, settings: ServiceSettings | None = None, over_tcp: bool = False
) -> Iterator[tuple[str, Service]]:
    """Serve an engine from a thread, and yield its address and the service."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(folder_for_sockets())
        listening = stack.enter_context(
            listening_on("127.0.0.1", 0, settings) if over_tcp else listening_at(folder / "s")
        )
        service = Service(engine, listening, admission=admission, settings=settings)
        ready = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(service.run(ready.set)), daemon=True)
        thread.start()
        stack.callback(thread.join, 60)
        stack.callback(service.end)
        assert ready.wait(60)
        yield listening.name.removeprefix("unix:"), service
