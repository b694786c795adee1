"""A provider asked as an engine asks it, and a loopback server that says whatever a test wants."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pictures import portrait

from adjudge.model import Face, Request
from adjudge.plugin import Answer, Context, Provider

MERCHANT_BIZ_ID = "0123456789abcdef0123456789abcdef"


JPEG = portrait()
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 500


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "ALIBABA_CLOUD_SECURITY_TOKEN",
        "ALIBABA_CLOUD_CREDENTIALS_FILE",
        "ADJUDGE_ALIYUN_ENDPOINT",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def jpeg() -> bytes:
    return JPEG


@pytest.fixture
def mp4() -> bytes:
    return MP4


@pytest.fixture
def request_of() -> Callable[..., Request]:
    def make(face: Face | None = None, **changes: Any) -> Request:
        return Request(
            **{"merchant_biz_id": MERCHANT_BIZ_ID, "scene_code": "onboard001", "face": face or Face(data=JPEG)}
            | changes
        )

    return make


@pytest.fixture
def ask() -> Callable[..., Answer]:
    """Open a provider, ask it once, close it."""

    def run(
        provider: Provider, config: Mapping[str, Any], request: Request, *, seconds: float = 120.0, **facts: Any
    ) -> Answer:
        async def once() -> Answer:
            client = provider.open(config)
            context = Context(
                request=request, signal="s", deadline=time.monotonic() + seconds, now=datetime.now(UTC), **facts
            )
            try:
                return await client.fetch(context)
            finally:
                await client.aclose()

        return asyncio.run(once())

    return run


@dataclass
class Seen:
    """A request that reached the server."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Endpoint:
    """A loopback server: answers every request with `status`, `headers` and `body`; a `body` of None hangs up."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = b"{}"
    delay_s: float = 0.0
    seen: list[Seen] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    shown = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            shown.seen.append(Seen(self.command, self.path, headers, body))
            shown.ended.wait(shown.delay_s)
            self.close_connection = True
            if shown.body is None:
                return
            self.send_response(shown.status)
            for name, value in ({"content-length": str(len(shown.body))} | shown.headers).items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(shown.body)
            except OSError:  # the client had enough
                pass

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shown.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield shown
    finally:
        shown.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
