"""The keys of an issuer are fetched politely, kept, and believed for a bounded time; a hostile place costs no more."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from issuing import EC, ED, key_set
from structlog.testing import capture_logs

from adjudge.errors import Overloaded
from adjudge.service.access import key_url
from adjudge.service.access.key_set import SET_MAX_BYTES
from adjudge.service.access.key_url import AGAIN_S, FRESH_S, STALE_S, WAITING_MAX, KeysAtUrl

Answer = Callable[[BaseHTTPRequestHandler], None]


def says(content: object, status: int = 200, **headers: str) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(2000):  # 128 MB
            handler.wfile.write(b" " * 65536)
            served["bytes"] = served.get("bytes", 0) + 65536
    except OSError:
        pass


served: dict[str, int] = {}


class Place:
    """A server of keys on this machine: what it answers, and how often it was asked."""

    def __init__(self) -> None:
        self.answer: Answer = says(key_set(EC))
        self.asked = 0
        self.url = ""


@pytest.fixture
def place() -> Iterator[Place]:
    found = Place()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # as the base class names it
            found.asked += 1
            found.answer(self)

        def log_message(self, *said: Any) -> None: ...

    with _running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        found.url = f"http://127.0.0.1:{port}/jwks.json"
        yield found


@contextmanager
def _running(server: ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(60)
        server.server_close()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_keys_are_fetched_once_and_again_for_a_new_name_but_not_for_each(place: Place) -> None:
    clock = Clock()
    keys = KeysAtUrl(place.url, clock=clock)

    async def main() -> None:
        for _ in range(2):
            assert await keys.find("ec", "ES256") is not None
        for n in range(50):
            assert await keys.find(f"unknown-{n}", "ES256") is None
        assert place.asked == 1, "a name that nobody knows is asked for no more than every so often"
        place.answer = says(key_set(ED))
        clock.now += AGAIN_S
        assert await keys.find("ed", "EdDSA") is not None and await keys.find("ec", "ES256") is None
        for n in range(50):
            assert await keys.find(f"unknown-{n}", "ES256") is None
        assert place.asked == 2
        clock.now += FRESH_S
        assert await keys.find("ed", "EdDSA") is not None, "nobody waits for what is only refreshed"
        assert keys._fetching is not None
        await keys._fetching
        assert place.asked == 3

    asyncio.run(main())


def test_keys_serve_on_while_their_place_fails_but_not_for_ever(place: Place) -> None:
    clock = Clock()
    keys = KeysAtUrl(place.url, clock=clock)

    async def main() -> None:
        assert await keys.find("ec", "ES256") is not None
        place.answer = says({}, 500)
        clock.now += STALE_S - 1
        with capture_logs() as events:
            assert await keys.find("ec", "ES256") is not None
            assert keys._fetching is not None
            await keys._fetching
            clock.now += 2
            with pytest.raises(Overloaded, match="cannot be fetched"):
                await keys.find("ec", "ES256")
        assert [event["event"] for event in events] == ["token_keys_unusable"] and "status 500" in keys.trouble
        place.answer = says(key_set(EC))
        clock.now += AGAIN_S
        assert await keys.find("ec", "ES256") is not None and not keys.trouble

    asyncio.run(main())


HOSTILE: dict[str, Answer] = {
    "an error": says(key_set(EC), 503),
    "a redirect": says(b"", 302, location="http://169.254.169.254/latest/meta-data/"),
    "a page": says(b"<html>"),
    "nothing": says(b""),
    "no keys": says({"keys": []}),
    "a secret": says({"keys": [EC.as_dict(private=True)]}),
    "too much": says(b" " * (SET_MAX_BYTES + 1)),
    "compressed": says(b"\x1f\x8b", content_encoding="gzip"),
    "endless": endless,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_place_that_gives_no_keys_lets_nobody_in(place: Place, name: str) -> None:
    place.answer = HOSTILE[name]
    keys = KeysAtUrl(place.url)

    async def main() -> None:
        for _ in range(3):
            with pytest.raises(Overloaded) as raised:
                await keys.find("ec", "ES256")
            assert 0 < raised.value.retry_after_s <= AGAIN_S

    asyncio.run(main())
    assert place.asked == 1 and keys.trouble
    assert served.get("bytes", 0) < 64 * 1024 * 1024, "what is too long is not read to its end"


def test_place_that_hangs_holds_up_a_bounded_few(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    place.answer = lambda handler: let_go.wait(60) and None
    monkeypatch.setattr(key_url, "WITHIN_S", 0.5)
    keys = KeysAtUrl(place.url)

    async def main() -> list[str]:
        found = await asyncio.gather(
            *(keys.find("ec", "ES256") for _ in range(WAITING_MAX + 5)), return_exceptions=True
        )
        return [str(one) for one in found]

    said = asyncio.run(main())
    let_go.set()
    assert [one.startswith("others wait") for one in said] == [False] * WAITING_MAX + [True] * 5
    assert place.asked == 1


def test_one_who_leaves_takes_the_keys_from_nobody(place: Place) -> None:
    keys = KeysAtUrl(place.url)

    async def main() -> None:
        leaves = asyncio.create_task(keys.find("ec", "ES256"))
        stays = asyncio.create_task(keys.find("ec", "ES256"))
        await asyncio.sleep(0)
        leaves.cancel()
        assert await stays is not None

    asyncio.run(main())
    assert place.asked == 1


def test_name_that_leads_to_where_a_cloud_hands_out_keys_is_asked_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_url, "leads_to_keys", lambda host, peer: peer == "127.0.0.1")
    keys = KeysAtUrl(place.url)

    async def main() -> None:
        with pytest.raises(Overloaded):
            await keys.find("ec", "ES256")

    asyncio.run(main())
    assert place.asked == 0 and "hands out this machine's keys" in keys.trouble


def test_no_proxy_is_used_because_a_variable_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    keys = KeysAtUrl(place.url)

    async def main() -> object:
        return await keys.find("ec", "ES256")

    assert asyncio.run(main()) is not None
