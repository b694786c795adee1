"""A webhook's other side on loopback: remembers what it was sent, and answers as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Sent:
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def merchant_biz_id(self) -> str:
        found: str = self.said["decision"].get("merchant_biz_id", "")
        return found


@dataclass
class HookServer:
    """answer: a status, or a status with headers, for what was sent."""

    answer: Callable[[Sent], int | tuple[int, dict[str, str]]] = lambda sent: 200
    taken: list[Sent] = field(default_factory=list)
    tried: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        outer, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                sent = Sent({name.lower(): value for name, value in self.headers.items()}, body)
                with lock:
                    outer.tried.append(sent)
                    said = outer.answer(sent)
                    status, headers = said if isinstance(said, tuple) else (said, {})
                    if 200 <= status < 300:
                        outer.taken.append(sent)
                self.send_response(status)
                for name, value in {"content-length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)
