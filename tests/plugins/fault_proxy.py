"""A proxy on loopback in front of one server, which can be told while it runs what is to go wrong.

A fault is a function of a Connection whose request's head has been read; it decides what becomes of that request.
One thread for each connection, which blocks; whatever waits ends when the client leaves, or when the proxy stops.
"""

from __future__ import annotations

import json
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

PATIENCE_S = 120.0
"""Seconds after which whatever waits gives up, so that no test hangs."""

_HEAD_MAX_BYTES = 256 * 1024
_CHUNK = 64 * 1024
_SEND_BUFFER_BYTES = 64 * 1024
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*([0-9]+)[ \t]*\r$")


class Ended(Exception):
    """The conversation is over, one way or the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request that arrived at the proxy. at: `time.monotonic()` when its head had been read."""

    merchant_biz_id: str
    action: str
    at: float


class Connection:
    """One client's connection, and the request on it whose turn it is."""

    def __init__(self, proxy: FaultProxy, client: socket.socket) -> None:
        self.proxy = proxy
        self.client = client
        self.head = b""
        self._buffer = b""
        self._body: bytes | None = None

    def serve(self) -> None:
        """Give every request to the fault that is its turn."""
        while self._next_head():
            self.proxy._next_fault(self.head)(self)
            self.read_body()

    def read_body(self) -> bytes:
        """Read the rest of the request, and return its body."""
        if self._body is None:
            found = _LENGTH.search(self.head)
            length = int(found[1]) if found else 0
            while len(self._buffer) < length:
                self._receive()
            self._body, self._buffer = self._buffer[:length], self._buffer[length:]
        return self._body

    def forward(self) -> bytes:
        """Let the server do its work, and return its whole answer."""
        request = self.head + self.read_body()
        with socket.create_connection(("127.0.0.1", self.proxy.upstream_port), timeout=PATIENCE_S) as upstream:
            upstream.sendall(request)
            answer = b""
            while (length := _answer_length(answer)) is None or len(answer) < length:
                part = upstream.recv(_CHUNK)
                if not part:
                    break
                answer += part
        return answer

    def send(self, data: bytes) -> None:
        """Send to the client, and count what it took."""
        view = memoryview(data)
        while view:
            try:
                sent = self.client.send(view)
            except OSError as error:
                raise Ended from error
            self.proxy._count_sent(sent)
            view = view[sent:]

    def reset(self) -> None:
        """End the connection by a reset."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Ended

    def close(self) -> None:
        """End the connection in order."""
        raise Ended

    def wait(self, seconds: float) -> None:
        """Wait, but not longer than the client does. Raises Ended where it left."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self.client], [], [], left)[0]:
                self._receive()

    def until_left(self) -> None:
        """Wait until the client leaves."""
        self.wait(PATIENCE_S)
        raise Ended

    def wait_for_a_byte(self) -> None:
        """Wait until the client has begun to speak."""
        while not self._buffer:
            self._receive()

    def _next_head(self) -> bool:
        self._body = None
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _HEAD_MAX_BYTES:
                return False
            self._receive()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        self.head = head + b"\r\n\r\n"
        return True

    def _receive(self) -> None:
        try:
            part = self.client.recv(_CHUNK)
        except OSError as error:
            raise Ended from error
        if not part:
            raise Ended
        self._buffer += part


Fault = Callable[[Connection], None]


def passed(connection: Connection) -> None:
    """Pass the request on, and the answer back."""
    connection.send(connection.forward())


def reset_in_request(connection: Connection) -> None:
    """Reset before the body of the request was read: the server never sees it."""
    connection.reset()


def reset_in_answer(connection: Connection) -> None:
    """Reset after half of the answer: the server has done its work."""
    answer = connection.forward()
    connection.send(answer[: len(answer) - _body_length(answer) // 2])
    connection.reset()


def reset_before_answer(connection: Connection) -> None:
    """Reset after the server has done its work, without a byte of its answer."""
    connection.forward()
    connection.reset()


def hung_up(connection: Connection) -> None:
    """Read the request and close without an answer; the server never sees it."""
    connection.read_body()
    connection.close()


def black_hole(connection: Connection) -> None:
    """Read everything and say nothing."""
    connection.read_body()
    connection.until_left()


def unread(connection: Connection) -> None:
    """Read no more of the request and say nothing, as long as the fault lasts."""
    connection.proxy.over.wait(PATIENCE_S)
    connection.until_left()


def dripped(interval_s: float) -> Fault:
    """Send the answer in single bytes with a pause before each."""

    def drip(connection: Connection) -> None:
        for byte in connection.forward():
            connection.wait(interval_s)
            connection.send(bytes((byte,)))

    return drip


def early_hints(interval_s: float) -> Fault:
    """Say again and again that an answer is about to come."""

    def hint(connection: Connection) -> None:
        connection.read_body()
        while True:
            connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            connection.wait(interval_s)

    return hint


def truncated(*, keeps_length: bool, stalls: bool = False) -> Fault:
    """Cut the answer's body in half. keeps_length: as its head says. stalls: and leave the connection open."""

    def truncate(connection: Connection) -> None:
        answer = connection.forward()
        head, _, body = answer.partition(b"\r\n\r\n")
        body = body[: len(body) // 2]
        if not keeps_length:
            head = re.sub(rb"(?i)(content-length: *)[0-9]+", rb"\g<1>%d" % len(body), head)
        connection.send(head + b"\r\n\r\n" + body)
        if stalls:
            connection.until_left()
        if keeps_length:
            connection.close()

    return truncate


def typed(content_type: str) -> Fault:
    """Pass the answer back with another content-type."""

    def retype(connection: Connection) -> None:
        head, _, body = connection.forward().partition(b"\r\n\r\n")
        head = re.sub(rb"(?im)^content-type:.*?\r$", b"content-type: " + content_type.encode() + b"\r", head)
        connection.send(head + b"\r\n\r\n" + body)

    return retype


def granted(connection: Connection) -> None:
    """Pass the permission for an upload back, with the proxy's own port for the place of the file."""
    head, _, body = connection.forward().partition(b"\r\n\r\n")
    body = body.replace(b"0.0.1:%d" % connection.proxy.upstream_port, b"0.0.1:%d" % connection.proxy.port)
    head = re.sub(rb"(?i)(content-length: *)[0-9]+", rb"\g<1>%d" % len(body), head)
    connection.send(head + b"\r\n\r\n" + body)


def replaced(status: int, body: bytes, content_type: str, **headers: str) -> Fault:
    """Answer in the server's place. headers: with `_` for `-`."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    given = {"content-type": content_type, "content-length": str(len(body)), **more}
    lines = [f"HTTP/1.1 {status} Said By The Proxy", *(f"{name}: {value}" for name, value in given.items())]
    answer = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def replace(connection: Connection) -> None:
        connection.read_body()
        connection.send(answer)

    return replace


def page(status: int) -> Fault:
    """Answer with a page for people, as proxies do."""
    return replaced(status, b"<html><body><h1>adjudge-sandbox-secret</h1></body></html>", "text/html; charset=utf-8")


def answered(status: int, code: str | None, **headers: str) -> Fault:
    """Answer as the vendor's gateway does where it refuses. code: None leaves it out."""
    document = {"RequestId": "9F2A-REFUSED", "Message": "adjudge-sandbox-secret"} | ({"Code": code} if code else {})
    return replaced(status, json.dumps(document).encode(), "application/json", **headers)


def raw(data: bytes) -> Fault:
    """Answer with bytes of any kind, and close."""

    def say(connection: Connection) -> None:
        connection.read_body()
        connection.send(data)
        connection.close()

    return say


def followed(extra: Callable[[bytes], bytes]) -> Fault:
    """Pass the answer back and, in the same breath, say more. extra: made of the answer."""

    def follow(connection: Connection) -> None:
        answer = connection.forward()
        connection.send(answer + extra(answer))

    return follow


def endless(total: int, *, chunked: bool, in_head: bool = False) -> Fault:
    """Answer with `total` bytes of blanks after the server has done its work, as long as the client takes them."""
    length = "transfer-encoding: chunked" if chunked else f"content-length: {total}"
    start = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{length}\r\n".encode()
    blanks = b" " * _CHUNK
    part = b"%x\r\n%b\r\n" % (_CHUNK, blanks) if chunked and not in_head else blanks

    def pour(connection: Connection) -> None:
        connection.forward()
        connection.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        connection.send(start + (b"x-padding: " if in_head else b"\r\n"))
        for _ in range(total // _CHUNK):
            connection.send(part)
        connection.close()

    return pour


def held(release: threading.Event) -> Fault:
    """Let the server do its work at once, and pass its answer back only when told to."""

    def hold(connection: Connection) -> None:
        answer = connection.forward()
        release.wait(PATIENCE_S)
        connection.send(answer)

    return hold


def tunnelled(port: int) -> Fault:
    """Do what CONNECT asks for, to a port on this machine."""

    def tunnel(connection: Connection) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as far:
            connection.send(b"HTTP/1.1 200 Connected\r\n\r\n")
            both = {connection.client: far, far: connection.client}
            while True:
                for one in select.select([*both], [], [], PATIENCE_S)[0]:
                    if not (part := one.recv(_CHUNK)):
                        raise Ended
                    both[one].sendall(part)

    return tunnel


def together(count: int, each: Fault) -> Fault:
    """Wait until so many requests are here, and only then do to each what the fault does."""
    return waiting(threading.Barrier(count), each)


def waiting(barrier: threading.Barrier, then: Fault) -> Fault:
    """Wait for others at a barrier first."""

    def wait(connection: Connection) -> None:
        connection.read_body()
        barrier.wait(PATIENCE_S)
        then(connection)

    return wait


class FaultProxy:
    """A running proxy: `with FaultProxy(upstream_port) as proxy: proxy.url`.

    It passes everything on until told otherwise. tls: how it greets from now on; may be changed while it runs.
    at_accept: a fault of the connection itself, before TLS and any request.
    over: set when the present plan ends. seen: the requests so far. sent: bytes that clients took.
    most_open: connections at once.
    """

    def __init__(self, upstream_port: int) -> None:
        self.upstream_port = upstream_port
        self.tls: ssl.SSLContext | None = None
        self.at_accept: Fault | None = None
        self.seen: list[Seen] = []
        self.sent = 0
        self.most_open = 0
        self.over = threading.Event()
        self._changed = threading.Condition()
        self._next: deque[Fault] = deque()
        self._then: Fault = passed
        self._open: dict[int, socket.socket] = {}
        self._threads: list[threading.Thread] = []
        self._fillers: list[socket.socket] = []
        self._listener = _bound(0)
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """The address to set as `endpoint`, for plain HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """How many connections are open."""
        with self._changed:
            return len(self._open)

    def __enter__(self) -> FaultProxy:
        self._listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.over.set()
        self._stop_listening()
        self.hang_up()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), "a connection did not end"
        self._listener.close()

    # what is to go wrong

    def plan(self, *faults: Fault, then: Fault = passed) -> None:
        """Do these to the next requests, one to each, and `then` to all that follow."""
        with self._changed:
            self._next, self._then = deque(faults), then
            self.over.set()
            self.over = threading.Event()

    def refuse(self) -> None:
        """Refuse every connection, and end those there are; the port stays ours."""
        self._stop_listening()
        self._listener.close()
        self.hang_up()
        self._listener = _bound(self.port)

    def deafen(self) -> None:
        """Let connections wait for ever for being accepted: so many wait already that the system takes no more."""
        self.refuse()
        self._listener.listen(0)
        while True:
            filler = socket.socket()
            self._fillers.append(filler)
            filler.settimeout(0.1)
            try:
                filler.connect(("127.0.0.1", self.port))
            except TimeoutError:
                return

    def ignore(self) -> None:
        """Let the system accept connections of which the proxy takes no notice."""
        self.refuse()
        self._listener.listen(128)

    def mend(self) -> None:
        """End whatever goes wrong."""
        self.plan()
        self.at_accept = None
        if not self._is_listening:
            for filler in self._fillers:
                filler.close()
            self._fillers.clear()
            self._listener.close()  # and with it whatever waits there
            self._listener = _bound(self.port)
            self._listen()

    def hang_up(self) -> None:
        """End every open connection."""
        with self._changed:
            for client in self._open.values():
                _shut(client)

    # what was seen

    def arrived(self, count: int) -> None:
        """Wait until so many requests came in all."""
        self._await(lambda: len(self.seen) >= count, f"{count} requests")

    def emptied(self, *, within_s: float = 5.0) -> None:
        """Wait until no connection is open; fails where one stays."""
        self._await(lambda: not self._open, "no open connection", within_s)

    def _await(self, is_so: Callable[[], bool], what: str, within_s: float = PATIENCE_S) -> None:
        with self._changed:
            if not self._changed.wait_for(is_so, within_s):
                raise AssertionError(f"waited for {what}: {len(self.seen)} requests, {len(self._open)} open")

    def ids(self) -> list[str]:
        """Return the MerchantBizIds of the requests so far."""
        with self._changed:
            return [seen.merchant_biz_id for seen in self.seen]

    # the threads

    @property
    def _is_listening(self) -> bool:
        return any(thread.name == "fault-proxy" and thread.is_alive() for thread in self._threads)

    def _listen(self) -> None:
        self._listener.listen(128)
        thread = threading.Thread(target=self._accept, args=(self._listener,), name="fault-proxy", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _stop_listening(self) -> None:
        _shut(self._listener)  # wakes `accept`, which closing alone does not
        for thread in self._threads:
            if thread.name == "fault-proxy":
                thread.join(PATIENCE_S)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.settimeout(PATIENCE_S)
            with self._changed:
                self._open[id(client)] = client
                self.most_open = max(self.most_open, len(self._open))
            thread = threading.Thread(target=self._serve, args=(client,), name="fault-connection", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, accepted: socket.socket) -> None:
        client = accepted
        try:
            if self.at_accept is not None:
                self.at_accept(Connection(self, client))
            if self.tls is not None:
                client = self.tls.wrap_socket(accepted, server_side=True)
                with self._changed:
                    self._open[id(accepted)] = client
            Connection(self, client).serve()
        except (Ended, OSError, threading.BrokenBarrierError):
            pass
        finally:
            client.close()
            accepted.close()
            with self._changed:
                del self._open[id(accepted)]
                self._changed.notify_all()

    def _next_fault(self, head: bytes) -> Fault:
        with self._changed:
            self.seen.append(_read_head(head))
            self._changed.notify_all()
            return self._next.popleft() if self._next else self._then

    def _count_sent(self, count: int) -> None:
        with self._changed:
            self.sent += count


def _bound(port: int) -> socket.socket:
    """Return a socket that has a port and does not listen: who connects is refused."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(one, socket.SHUT_RDWR)  # that of an SSLSocket would change it under its thread


def _read_head(head: bytes) -> Seen:
    line, *headers = head.decode("latin-1").split("\r\n")
    named = dict(_pairs(headers))
    query = parse_qs(urlsplit(line.split(" ")[1]).query)
    return Seen(
        merchant_biz_id=query.get("MerchantBizId", [""])[0],
        action=named.get("x-acs-action", ""),
        at=time.monotonic(),
    )


def _pairs(headers: Iterable[str]) -> Iterable[tuple[str, str]]:
    for header in headers:
        name, _, value = header.partition(":")
        yield name.lower(), value.strip()


def _answer_length(answer: bytes) -> int | None:
    """Return how long an answer is in all, or None while its head is not there."""
    head, end, _ = answer.partition(b"\r\n\r\n")
    if not end:
        return None
    found = _LENGTH.search(head + b"\r")
    return len(head) + len(end) + (int(found[1]) if found else 0)


def _body_length(answer: bytes) -> int:
    return len(answer.partition(b"\r\n\r\n")[2])
