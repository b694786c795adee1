"""Shapes of requests that two readers could take apart differently: refused, or read as the standard says.

Behind each stands a second request. Whoever refuses the first closes the connection, and never sees it.
"""

from __future__ import annotations

import logging
import re
import resource
import socket
from collections.abc import Callable, Iterator

import h11
import httpx
import pytest

from adjudge.service import protocol, room
from adjudge.service.access.rates import Rates
from adjudge.service.access.refusals import TOLD_PER_S
from client.serving import served, serving
from engine.engines import engine

POST, GET = b"POST /v1/labels HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\n"
HOST = b"host: localhost\r\n"
SECOND = b"GET /smuggled HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
NONE = b"\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"

REFUSED = {
    "two lengths": GET + HOST + b"content-length: 0\r\ncontent-length: 3\r\n\r\n",
    "a list of lengths": GET + HOST + b"content-length: 0, 44\r\n\r\n",
    "a length with a sign": GET + HOST + b"content-length: +0\r\n\r\n",
    "a negative length": GET + HOST + b"content-length: -0\r\n\r\n",
    "a length in hex": GET + HOST + b"content-length: 0x0\r\n\r\n",
    "a length with a separator": GET + HOST + b"content-length: 0_0\r\n\r\n",
    "no length in a length": GET + HOST + b"content-length: \r\n\r\n",
    "a length of another script": GET + HOST + "content-length: ٠\r\n\r\n".encode(),
    "a vertical tab before a length": GET + HOST + b"content-length: \x0b0\r\n\r\n",
    "a length of thirty digits": GET + HOST + b"content-length: " + b"9" * 30 + b"\r\n\r\n",
    "a blank before the colon": GET + HOST + b"content-length : 0\r\n\r\n",
    "a length and chunks": GET + HOST + b"content-length: 5\r\n" + CHUNKED + b"0\r\n\r\n",
    "chunks and a length": GET + HOST + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "a length and chunks of no route": b"GET /no HTTP/1.1\r\n"
    + HOST
    + b"content-length: 5\r\n"
    + CHUNKED
    + b"0\r\n\r\n",
    "chunks in HTTP/1.0": b"GET /healthz HTTP/1.0\r\n" + HOST + CHUNKED + b"0\r\n\r\n",
    "chunks, then not": GET + HOST + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "two codings": GET + HOST + b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "compressed chunks": GET + HOST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": GET + HOST + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a quoted coding": GET + HOST + b'transfer-encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "a vertical tab before a coding": GET + HOST + b"transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a blank behind a coding's name": GET + HOST + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded line in front": GET + b" x: y\r\n" + HOST + NONE,
    "a bare return": GET + HOST + b"x: a\rcontent-length: 5\r\n\r\n",
    "a NUL in a value": GET + HOST + b"x: a\0b\r\n\r\n",
    "a NUL in a name": GET + HOST + b"x\0y: b\r\n\r\n",
    "a blank in a name": GET + HOST + b"x y: b\r\n\r\n",
    "no name": GET + HOST + b": b\r\n\r\n",
    "a line without a colon": GET + HOST + b"content-length 2\r\n\r\n",
    "no host": GET + NONE,
    "two hosts": GET + HOST + b"host: evil.example\r\n\r\n",
    "the same host twice": GET + HOST + HOST + NONE,
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/2.0": b"GET /healthz HTTP/2.0\r\n" + HOST + NONE,
    "HTTP/1.2": b"GET /healthz HTTP/1.2\r\n" + HOST + NONE,
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "two blanks": b"GET  /healthz HTTP/1.1\r\n" + HOST + NONE,
    "tabs": b"GET\t/healthz\tHTTP/1.1\r\n" + HOST + NONE,
    "a blank in the path": b"GET /healthz x HTTP/1.1\r\n" + HOST + NONE,
    "a NUL in the path": b"GET /health\0z HTTP/1.1\r\n" + HOST + NONE,
    "a path that is not ASCII": "GET /healthz/é HTTP/1.1\r\n".encode() + HOST + NONE,
    "a long head": GET + HOST + b"x: " + b"a" * 100_000 + b"\r\n\r\n",
    "a long path": b"GET /healthz?" + b"a" * 40_000 + b" HTTP/1.1\r\n" + HOST + NONE,
    "thousands of headers": GET + HOST + b"x: a\r\n" * 10_000 + b"\r\n",
    "an encoded slash": b"GET /v1%2Fpolicies HTTP/1.1\r\n" + HOST + NONE,
    "an encoded slash before a last part": b"GET /v1/decisions/0%2fexplanation HTTP/1.1\r\n" + HOST + NONE,
    "a chunk with a sign": POST + HOST + CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n",
    "a chunk in 0x": POST + HOST + CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk with a separator": POST + HOST + CHUNKED + b"0_2\r\n{}\r\n0\r\n\r\n",
    "a chunk whose line ends otherwise": POST + HOST + CHUNKED + b"2\n{}\n0\n\n",
    "a chunk that is longer than it says": POST + HOST + CHUNKED + b"2\r\n{}XX0\r\n\r\n",
}
READ = {
    "one length twice": GET + HOST + b"content-length: 2\r\ncontent-length: 2\r\n\r\n{}",
    "a list of one length": GET + HOST + b"content-length: 2, 2\r\n\r\n{}",
    "zeros before a length": GET + HOST + b"content-length: 002\r\n\r\n{}",
    "a folded line": GET + HOST + b"x: y\r\n transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n{}",
    "a body of a GET": GET + HOST + b"content-length: 2\r\n\r\n{}",
    "chunks": GET + HOST + CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
    "an extension of a chunk": GET + HOST + CHUNKED + b"2;x=y\r\n{}\r\n0\r\n\r\n",
    "a trailer": GET + HOST + CHUNKED + b"2\r\n{}\r\n0\r\ncontent-length: 9\r\n\r\n",
    "a change to HTTP/2": GET + HOST + b"connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n",
    "a change to a socket": GET
    + HOST
    + b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n",
}


@pytest.fixture(scope="module")
def at() -> Iterator[tuple[str, int]]:
    with served(engine(), over_tcp=True) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        yield host, int(port)


def answers(at: tuple[str, int], sent: bytes) -> tuple[list[int], bytes]:
    """Send bytes and a second request, and return the statuses of all answers, and what was said."""
    said = b""
    with socket.create_connection(at) as raw:
        raw.settimeout(120)
        try:
            raw.sendall(sent + SECOND)
            while piece := raw.recv(65536):
                said += piece
        except ConnectionError:  # closed while there was more to read
            pass
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)], said


@pytest.mark.parametrize("name", REFUSED)
def test_shape_is_refused_and_what_stands_behind_it_is_never_read(at: tuple[str, int], name: str) -> None:
    statuses, said = answers(at, REFUSED[name])
    assert len(statuses) == 1 and statuses[0] in (400, 415, 431), said
    assert b"connection: close" in said.lower()


@pytest.mark.parametrize("name", READ)
def test_shape_is_read_as_the_standard_says(at: tuple[str, int], name: str) -> None:
    statuses, said = answers(at, READ[name])
    assert statuses == [200, 404], said


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_told_as_a_problem(at: tuple[str, int], name: str) -> None:
    _, said = answers(at, REFUSED[name])
    codes = (b"head-too-large", b"malformed-http", b"media-type")
    assert any(b'"code":"%b"' % code in said for code in codes) and b"x-request-id: " in said.lower(), said
    assert b"application/problem+json" in said


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /nowhere HTTP/1.1\r\n" + HOST + CHUNKED + b"ZZ\r\n",
        b"POST /v1/decisions HTTP/1.1\r\nhost: evil.example\r\n" + CHUNKED + b"ZZ\r\n",
    ],
    ids=["no route", "another host"],
)
def test_body_that_breaks_off_while_it_is_answered_is_no_fault(
    at: tuple[str, int], begun: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    statuses, _ = answers(at, begun)
    assert len(statuses) == 1
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_body_that_breaks_off_after_its_answer_is_no_fault(
    at: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(at) as raw:
        raw.settimeout(120)
        raw.sendall(GET + HOST + CHUNKED)
        said = raw.recv(65536)
        while b"}" not in said:
            said += raw.recv(65536)
        raw.sendall(b"ZZ\r\n")
        assert raw.recv(65536) == b""
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_what_strangers_can_have_logged_is_bounded_and_says_nothing_of_theirs(
    at: tuple[str, int], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol.BOUNDED, "rates", Rates(clock=lambda: 0.0))  # a second that does not end
    for _ in range(20):
        answers(at, b"CANARY / HTTP/9\r\nx: CANARY\r\n\r\n")
    told = [record.getMessage() for record in caplog.records if record.name.startswith("uvicorn")]
    assert told == ["Invalid HTTP request received."] * TOLD_PER_S


@pytest.mark.parametrize("begun", [b"", b"G", GET + HOST + b"x: a"], ids=["nothing", "a letter", "some headers"])
def test_connection_that_brings_no_head_is_closed(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_WITHIN_S", 0.1)
    with served(engine(), over_tcp=True) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.settimeout(120)
            raw.sendall(begun)
            assert raw.recv(65536) == b""


def test_connection_that_brings_one_head_and_a_part_of_the_next_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_WITHIN_S", 1.0)
    with served(engine(), over_tcp=True) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.settimeout(120)
            raw.sendall(GET + HOST + NONE)
            said = raw.recv(65536)
            while b"}" not in said:
                said += raw.recv(65536)
            raw.sendall(b"G")  # which ends the time that a connection may idle
            assert said.startswith(b"HTTP/1.1 200 ") and raw.recv(65536) == b""


def test_connection_that_never_ends_a_body_which_was_answered_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_WITHIN_S", 1.0)
    with served(engine(), over_tcp=True) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.settimeout(120)
            raw.sendall(GET + HOST + b"content-length: 1000\r\n\r\n")
            said = raw.recv(65536)
            while b"}" not in said:
                said += raw.recv(65536)
            raw.sendall(b"a")  # which ends the time that a connection may idle
            assert said.startswith(b"HTTP/1.1 200 ") and raw.recv(65536) == b""


def test_caller_who_does_not_read_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "UNREAD_WITHIN_S", 0.5)
    with serving(engine(), over_tcp=True) as (url, service):
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(120)
            raw.connect((host, int(port)))
            try:
                while True:  # until nothing more is taken, as nothing is read
                    raw.sendall(b"GET /openapi.json HTTP/1.1\r\n" + HOST + NONE)
            except ConnectionError:
                pass
        assert not service._server.server_state.connections


def test_caller_who_reads_slowly_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = protocol.Connection.__new__(protocol.Connection)
    left = iter([100_000, 80_000, 80_000, 60_000, 60_000, 59_000])
    looks: list[Callable[[], None]] = []

    class Transport:
        is_aborted = False

        def get_write_buffer_size(self) -> int:
            return next(left)

        def abort(self) -> None:
            self.is_aborted = True

    class Loop:
        def call_later(self, after_s: float, look: Callable[[], None]) -> None:
            looks.append(look)

    transport = Transport()
    connection.transport, connection.loop = transport, Loop()  # type: ignore[assignment]
    connection._wait()
    for is_aborted in (False, False, True):
        looks[-1]()
        assert transport.is_aborted is is_aborted


@pytest.mark.parametrize(("length", "first"), [(b"content-length", b""), (None, b"HTTP/1.1 200 \r\n")])
def test_head_goes_with_the_body_only_where_its_length_is_known(length: bytes | None, first: bytes) -> None:
    connection = protocol._InOne(h11.SERVER)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert isinstance(connection.next_event(), h11.Request)
    head = connection.send(h11.Response(status_code=200, headers=[(length, b"2")] if length else []))
    assert head[:15] == first[:15], "a caller may wait for the head of what is streamed"
    whole = head + connection.send(h11.Data(data=b"{}")) + connection.send(h11.EndOfMessage())
    assert whole.startswith(b"HTTP/1.1 200") and whole.count(b"HTTP/1.1") == whole.count(b"{}") == 1


def test_connection_for_which_there_is_no_room_is_told_so(at: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "connections_max", lambda: 0)
    statuses, said = answers(at, GET + HOST + NONE)
    assert statuses == [503] and b'"code":"overloaded"' in said and b"retry-after: 1" in said.lower()


def test_what_is_refused_before_it_is_a_request_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(engine(), over_tcp=True) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        place = host, int(port)
        answers(place, b"GET / HTTP/1.1\r\nhost : x\r\n\r\n")
        answers(place, GET + HOST + b"x: " + b"y" * 70_000 + NONE)
        with monkeypatch.context() as full:
            full.setattr(protocol, "connections_max", lambda: 0)
            answers(place, GET + HOST + NONE)
        figures = httpx.get(f"{url}/metrics").text
    for code, count in (("malformed-http", 2), ("overloaded", 1)):
        assert f'adjudge_http_problems_total{{code="{code}",method="none",route="none"}} {count}.0' in figures
    assert 'adjudge_http_turned_away_total{full="connections"} 1.0' in figures


@pytest.mark.parametrize("soft", [64, 256, 1024, 65_536, resource.RLIM_INFINITY])
def test_descriptors_are_left_for_the_log(soft: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (soft, resource.RLIM_INFINITY))
    found = room.DESCRIPTORS_WANTED if soft == resource.RLIM_INFINITY else soft
    assert room.connections_max() + room.backlog() <= found * 3 // 4


@pytest.mark.parametrize(
    ("soft", "hard", "wanted"),
    [(1024, 4096, 4096), (1024, resource.RLIM_INFINITY, 65_536), (100_000, 200_000, None), (4096, 4096, None)],
)
def test_descriptors_are_raised_as_far_as_they_may_be(
    soft: int, hard: int, wanted: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda what: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: given.append(limits))
    room.raise_descriptors()
    assert given == ([] if wanted is None else [(wanted, hard)])


def test_lack_of_descriptors_is_not_logged_for_each_connection(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol.BOUNDED_ACCEPTS, "rates", Rates(clock=lambda: 0.0))
    for _ in range(100):
        logging.getLogger("asyncio").error("socket.accept() out of system resource")
    assert len(caplog.records) == TOLD_PER_S
