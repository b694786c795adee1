"""A service that is not there, is another, lies, breaks off or hangs: one error in words each, and never a decision."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from serving import folder_for_sockets, served

from adjudge.client import Engine as Client
from adjudge.client import exchange
from adjudge.documents import decision_document
from adjudge.errors import (
    AuditUnavailable,
    Overloaded,
    RequestError,
    ServiceMismatch,
    ServiceUnavailable,
    SetupError,
)
from adjudge.model import Decision, Face
from adjudge.testing import Slow
from engine.engines import MEDIA, device, engine, face, request

Script = Callable[[socket.socket], None]


class Scripted:
    """A server that plays one script a connection, the last one again and again, and keeps what it was asked."""

    def __init__(self, path: Path, scripts: Sequence[Script]) -> None:
        self.scripts, self.asked = list(scripts), []  # type: tuple[list[Script], list[bytes]]
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._play, args=(connection,), daemon=True).start()

    def _play(self, connection: socket.socket) -> None:
        with connection:
            whole = b""
            while b"\r\n\r\n" not in whole:
                whole += connection.recv(65536)
            head, _, body = whole.partition(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
            )
            while len(body) < length:
                body += connection.recv(65536)
            self.asked.append(head + b"\r\n\r\n" + body)
            script = self.scripts[min(len(self.asked), len(self.scripts)) - 1]
            try:
                script(connection)
            except OSError:
                pass  # the client has seen enough


@contextmanager
def scripted(*scripts: Script) -> Iterator[tuple[str, Scripted]]:
    with folder_for_sockets() as folder:
        server = Scripted(folder / "s", scripts)
        try:
            yield str(folder / "s"), server
        finally:
            server.listener.close()


def says(data: bytes) -> Script:
    return lambda connection: connection.sendall(data)


def answer(body: bytes, *, status: str = "200 OK", kind: str = "application/json", head: str = "") -> bytes:
    lines = (
        f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{head}\r\n"
    )
    return lines.encode() + body


def hangs(connection: socket.socket) -> None:
    connection.recv(1)  # until the client goes


def good() -> dict[str, Any]:
    with engine() as door:
        return decision_document(door.decide_sync(request()))


GOOD = good()


def decision(**changes: object) -> bytes:
    return answer(json.dumps({**GOOD, **changes}).encode())


def problem(code: str, status: int, **members: object) -> bytes:
    document = {"type": f"/problems/{code}", "title": "t", "status": status, "code": code, "detail": "d", **members}
    return answer(json.dumps(document).encode(), status=f"{status} X", kind="application/problem+json")


WRONG: dict[str, bytes] = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "half a body": answer(b"{}")[:-1],
    "half a decision": decision()[:-200],
    "a page": answer(b"<html>hello</html>", kind="text/html"),
    "a page that says it is JSON": answer(b"<html>hello</html>"),
    "an empty body": answer(b""),
    "other JSON": answer(b'{"status": "ok", "outcome": "pass"}'),
    "a list": answer(b"[]"),
    "deep": answer(b"[" * 100_000),
    "no UTF-8": answer(b'{"outcome": "\xff"}'),
    "an outcome that is none": decision(outcome="approve"),
    "an unknown status": decision(status="fine"),
    "no bounds": decision(lower=None),
    "bounds the wrong way round": decision(lower="reject", upper="pass"),
    "an outcome below its bounds": decision(outcome="pass", lower="review", upper="review"),
    "settled though it is not": decision(lower="pass", upper="reject", settled=True),
    "the decision of another": decision(merchant_biz_id="f" * 32),
    "a time without a zone": decision(decided_at="2026-01-01T00:00:00"),
    "another version": answer(json.dumps({k: v for k, v in GOOD.items() if k != "unresolved"}).encode()),
    "a redirect": answer(b"", status="307 Temporary Redirect", head="location: http://127.0.0.1:1/\r\n"),
    "created": answer(b"{}", status="201 Created"),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a page of a proxy": answer(b"<html>bad gateway</html>", status="502 Bad Gateway", kind="text/html"),
    "a page not found": answer(b"<html>not found</html>", status="404 Not Found", kind="text/html"),
    "a problem of another status": problem("request", 400).replace(b"400 X", b"500 X"),
    "a problem of no code": problem("new-kind", 418),
    "a problem that is none": answer(b"{}", status="400 X", kind="application/problem+json"),
    "no such route": problem("no-route", 404),
    "a fault": problem("fault", 500),
    "compressed": answer(gzip.compress(json.dumps(GOOD).encode()), head="content-encoding: gzip\r\n"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_answer_is_an_error_and_never_a_decision(name: str) -> None:
    with scripted(says(WRONG[name])) as (address, _), Client(address) as client:
        with pytest.raises(ServiceUnavailable) as raised:
            client.decide_sync(request())
        assert address in str(raised.value) or str(raised.value) in (
            "d",
            "the service answered 418 with a problem of another version: d",
        )
        assert "\n" not in str(raised.value)
        for work in (
            lambda: client.find_sync(merchant_biz_id="0" * 32),
            lambda: client.erase_sync("0" * 32),
            lambda: client.label_sync("0" * 32, "0" * 32, "fraud", source="x"),
        )[: 2 if name == "no content" else 3]:  # which is what is said of a label
            with pytest.raises(ServiceUnavailable):
                work()


def test_answer_that_is_good_is_taken() -> None:
    """So that what is wrong with the others is what they are named for."""
    with scripted(says(decision())) as (address, _), Client(address) as client:
        assert isinstance(client.decide_sync(request()), Decision)


def test_answer_of_any_length_is_read_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "ANSWER_MAX_BYTES", 100_000)

    def long(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        connection.sendall(b" " * 2_000_000)

    with (
        scripted(long) as (address, _),
        Client(address) as client,
        pytest.raises(ServiceMismatch, match="more than"),
    ):
        client.decide_sync(request())


@pytest.mark.parametrize("deadline_s", [None, 0.1])
def test_service_that_hangs_is_left(deadline_s: float | None) -> None:
    with scripted(hangs) as (address, server), Client(address, answer_within_s=0.2) as client:
        with pytest.raises(ServiceUnavailable, match=r"gave no answer within 0\.[23] s"):
            client.decide_sync(request(), deadline_s=deadline_s)
        assert client.in_flight == 0
        assert len(server.asked) <= 1


CUT = says(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n{")


def test_decision_is_asked_for_again_with_the_same_words_where_an_answer_was_lost() -> None:
    with scripted(CUT, says(b""), says(decision(status="duplicate"))) as (address, server), Client(address) as client:
        assert client.decide_sync(request()).status == "duplicate"
    bodies = {asked.partition(b"\r\n\r\n")[2] for asked in server.asked}
    assert (len(server.asked), len(bodies)) == (3, 1)


def test_tries_end() -> None:
    broken = pytest.raises(ServiceUnavailable, match="broke off its answer")
    with scripted(CUT) as (address, server), Client(address) as client, broken:
        client.decide_sync(request())
    assert len(server.asked) == exchange.TRIES


@pytest.mark.parametrize(
    "work",
    [
        lambda client: client.decide_sync(request(), anew=True),
        lambda client: client.label_sync("0" * 32, "0" * 32, "fraud", source="x"),
        lambda client: client.erase_sync("0" * 32),
    ],
)
def test_what_is_not_the_same_twice_is_asked_once(work: Callable[[Client], object]) -> None:
    lost = pytest.raises(ServiceUnavailable)
    with scripted(CUT, says(decision())) as (address, server), Client(address) as client, lost:
        work(client)
    assert len(server.asked) == 1


@pytest.mark.parametrize("code", ["overloaded", "audit-unavailable", "request"])
def test_refusals_are_not_tried_again(code: str) -> None:
    errors = {"overloaded": Overloaded, "audit-unavailable": AuditUnavailable, "request": RequestError}
    with scripted(says(problem(code, 503, retry_after_s=-1))) as (address, server), Client(address) as client:
        with pytest.raises(errors[code]) as raised:
            client.decide_sync(request())
        assert getattr(raised.value, "retry_after_s", 1.0) == 1.0
        assert len(server.asked) == 1


def test_deadline_is_sent_in_milliseconds_and_shrinks_with_each_try() -> None:
    with scripted(CUT, says(decision())) as (address, server), Client(address) as client:
        client.decide_sync(request(), deadline_s=100)
    first, second = (
        int(line.partition(b": ")[2])
        for asked in server.asked
        for line in asked.lower().split(b"\r\n")
        if line.startswith(b"x-deadline-ms")
    )
    assert second < first <= 100_000


@pytest.mark.parametrize("address", ["/nowhere/at/all", "http://127.0.0.1:1", "file"])
def test_service_that_is_not_there_is_told_with_its_address(address: str, tmp_path: Path) -> None:
    if address == "file":
        (tmp_path / "file").touch()
        address = str(tmp_path / "file")
    with Client(address) as client:
        with pytest.raises(ServiceUnavailable, match=f"no service answers at {address}: ") as raised:
            client.decide_sync(request())
        assert isinstance(raised.value, AuditUnavailable), "a caller who handles that handles this"


def test_client_lives_on_while_its_service_is_started_anew(tmp_path: Path) -> None:
    with folder_for_sockets() as folder, Client(folder / "s") as client:
        with pytest.raises(ServiceUnavailable):
            client.decide_sync(request())
        from adjudge.service.listening import listening_at
        from adjudge.service.server import Service

        statuses = []
        for _ in range(2):
            with listening_at(folder / "s") as listening:
                service = Service(engine(at=tmp_path), listening)
                thread = threading.Thread(target=lambda service=service: asyncio.run(service.run()))  # type: ignore[misc]  # bound now
                thread.start()
                statuses.append(client.decide_sync(request()).status)
                service.end()
                thread.join(60)
        assert statuses == ["fresh", "duplicate"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "must be"),
        ("a\0b", "must be"),
        (3, "must be"),
        ("ftp://host", "must be `http"),
        ("http://", "must be `http"),
        ("http://a b", "must be `http"),
        ("http://host:0", "must be `http"),
        ("http://host:99999", "must be `http"),
        ("http://[::1", "must be `http"),
        ("http://host\r\nx: y", "must be `http"),
        ("https://user:secret@host", "no user"),
        ("http://host/?a=b", "no user"),
        ("x" * 200, "at most 107 bytes"),
    ],
)
def test_address_that_is_none_is_refused(address: Any, said: str) -> None:
    with pytest.raises(SetupError, match=said) as raised:
        Client.open(address)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("how", [{"answer_within_s": 0}, {"answer_within_s": "1"}, {"connections": 0}])
def test_settings_that_are_none_are_refused(how: dict[str, Any]) -> None:
    with pytest.raises(SetupError):
        Client("s", **how)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_forked_client_says_so_at_once(tmp_path: Path) -> None:
    program = """
        import asyncio, os, sys
        from adjudge import AdjudgeError, Request
        from adjudge.client import Engine
        request = Request(merchant_biz_id="0" * 32, scene_code="a")
        with Engine("/nowhere") as client:
            if (child := os.fork()) == 0:
                for work in (
                    lambda: client.decide_sync(request), lambda: asyncio.run(client.decide(request)),
                    lambda: client.erase_sync("0" * 32), lambda: client.find_sync(merchant_biz_id="0" * 32),
                ):
                    try:
                        work()
                    except AdjudgeError as error:
                        print(error.code, "fork first" in str(error))
                sys.exit(0)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    lines = "\n".join(line[8:] for line in program.split("\n"))
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", lines], capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n")[:5] == ["engine True"] * 4 + ["0"], done.stderr


def test_closing_waits_for_what_is_under_way() -> None:
    begun = threading.Event()

    def begin(context: object) -> Slow:
        begun.set()
        return Slow(0.2, {"score": 0.1})

    async def main(address: str) -> Decision:
        async with Client(address) as client:
            asked = asyncio.create_task(client.decide(request()))
            while not begun.is_set():
                await asyncio.sleep(0.01)
        return await asked

    with served(engine([face(begin), device()])) as address:
        assert asyncio.run(main(address)).status == "fresh"


def test_face_and_what_was_asked_stand_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever fails, and however much is logged."""
    caplog.set_level(logging.DEBUG)
    canary = b"CANARY-FACE-7f3a9c"
    assert canary in MEDIA
    asked = request(inputs={"country": "CANARY-INPUT"}, face=Face.from_bytes(MEDIA * 3))
    for script in (CUT, says(WRONG["a page"]), says(problem("fault", 500))):
        with scripted(script) as (address, _), Client(address) as client:
            with pytest.raises(ServiceUnavailable) as raised:
                client.decide_sync(asked)
            with pytest.raises(ServiceUnavailable):
                client.erase_sync("0" * 32, reason="CANARY-REASON")
            assert "CANARY" not in repr(raised.value)
    assert "CANARY" not in caplog.text
