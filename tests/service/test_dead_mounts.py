"""Files on a file system that gives no answer: whoever asks for them hangs in the kernel, and the service goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adjudge.config.service import Tls
from adjudge.service.access.certificate import Certificate
from adjudge.service.access.watched import SILENT, Watched


class Mount:
    """Where files are. Unless it is `alive`, whatever asks for the state of one hangs for ten seconds.

    ended: how often that has come to its end.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.alive = threading.Event()
        self.alive.set()
        self.ended = 0

    def stat(self, path: Path, *given: Any, **named: Any) -> Any:
        if path.parent == self.folder and not self.alive.is_set():
            self.alive.wait(10)
            self.ended += 1
        return _stat(path, *given, **named)


_stat = Path.stat


@pytest.fixture
def mount(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Mount]:
    made = Mount(tmp_path)
    monkeypatch.setattr(Path, "stat", lambda *given, **named: made.stat(*given, **named))
    yield made
    made.alive.set()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 10
        return self.now


def test_file_that_gives_no_answer_holds_up_no_request_and_counts_again_when_it_does(
    mount: Mount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adjudge.service.access.watched.WAITED_S", 0.05)
    file = tmp_path / "keys"
    file.write_text("old")

    async def asked() -> None:
        watched = Watched(file, Path.read_text, "", clock=Clock())
        mount.alive.clear()
        for _ in range(50):
            assert await watched.current() == "old"
            assert (mount.ended, watched.trouble) == (0, SILENT), "while it still hangs"
        mount.alive.set()
        file.write_text("new")
        for _ in range(200):
            if await watched.current() == "new":
                break
            await asyncio.sleep(0.01)
        assert (await watched.current(), watched.trouble) == ("new", "")

    asyncio.run(asked())


def test_same_file_is_good_again_when_it_answers(mount: Mount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjudge.service.access.watched.WAITED_S", 0.05)
    file = tmp_path / "keys"
    file.write_text("old")

    async def asked() -> None:
        watched = Watched(file, Path.read_text, "", clock=Clock())
        mount.alive.clear()
        assert (await watched.current(), watched.trouble) == ("old", SILENT)
        mount.alive.set()
        for _ in range(200):
            await watched.current()
            if not watched.trouble:
                break
            await asyncio.sleep(0.01)
        assert (await watched.current(), watched.trouble) == ("old", "")

    asyncio.run(asked())


def test_certificate_that_gives_no_answer_holds_up_no_connection(mount: Mount, tmp_path: Path) -> None:
    import trustme

    issued = trustme.CA().issue_cert("localhost")
    tls = Tls(tmp_path / "service.pem", tmp_path / "service.key")
    issued.cert_chain_pems[0].write_to_path(str(tls.certificate))
    issued.private_key_pem.write_to_path(str(tls.key))
    certificate = Certificate(tls, clock=Clock())

    class Connection:
        context: object = None

    shown = certificate._shown
    mount.alive.clear()
    for _ in range(20):
        connection = Connection()
        certificate._show(connection, None, certificate.context)  # type: ignore[arg-type]
        assert connection.context is shown
        assert (mount.ended, certificate.trouble) == (0, SILENT), "while it still hangs"
