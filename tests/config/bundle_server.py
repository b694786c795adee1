"""A place on loopback that bundles come from: it has what it is given, and counts who asks."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Place:
    """content: what is there. answer: a status and headers in its place. asked: the headers of each request."""

    content: bytes = b""
    etag: str = ""
    answer: tuple[int, dict[str, str]] | None = None
    cut: int = 0
    asked: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    port: int = 0

    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/risk.tar.gz"


@contextmanager
def bundle_server(tls: ssl.SSLContext | None = None) -> Iterator[Place]:
    place = Place(scheme="https" if tls is not None else "http")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = {name.lower(): value for name, value in self.headers.items()}
            place.asked.append(asked)
            status, headers = place.answer or (200, {})
            if place.answer is None and place.etag:
                headers = {"etag": place.etag}
                status = 304 if asked.get("if-none-match") == place.etag else 200
            body = place.content if status == 200 else b""
            place.statuses.append(status)
            self.send_response(status)
            for name, value in {"content-length": str(len(body) + place.cut), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    place.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield place
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
