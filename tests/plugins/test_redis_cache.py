"""Copies in a real Redis: whatever it does, what comes back is what was put, or nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

redis = pytest.importorskip("redis", reason="needs the extra `redis`")

from redis_server import PROGRAM, RedisServer  # noqa: E402

from adjudge.plugin import PluginError  # noqa: E402
from adjudge_plugins.redis import cache as cache_module  # noqa: E402
from adjudge_plugins.redis.cache import MAX_BYTES, Cache  # noqa: E402

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="needs Redis: apt-get install redis-server"),
    pytest.mark.xdist_group("redis"),
]
KEY = b"k" * 32


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may be slow, and is asked again at once."""
    monkeypatch.setattr(cache_module, "DEADLINE_S", 20.0)
    monkeypatch.setattr(cache_module, "PAUSE_S", 0.0)


def run(work: Callable[[Cache, Any], Coroutine[Any, Any, None]], server: RedisServer, **more: Any) -> None:
    async def main() -> None:
        raw = redis.asyncio.Redis.from_url(server.url)
        await raw.flushall()
        cache = Cache(server.url, KEY, **more)
        try:
            await work(cache, raw)
        finally:
            await cache.aclose()
            await raw.aclose()

    asyncio.run(main())


def test_what_is_put_comes_back_to_all_who_have_the_key(server: RedisServer) -> None:
    async def work(cache: Cache, raw: Any) -> None:
        await cache.put("a", b"one", 60)
        await cache.put("a", b"two", 60)
        twin, stranger = Cache(server.url, KEY), Cache(server.url, b"q" * 32)
        assert await cache.get("a") == await twin.get("a") == b"two"
        assert await stranger.get("a") is None and await cache.get("b") is None
        await twin.aclose()
        await stranger.aclose()

    run(work, server)


def test_redis_holds_neither_names_nor_values_in_plain(server: RedisServer) -> None:
    async def work(cache: Cache, raw: Any) -> None:
        await cache.put("answer 0123456789", b"the country is SG", 60)
        (name,) = await raw.keys("*")
        held = name + await raw.get(name)
        assert b"0123456789" not in held and b"country" not in held
        assert 0 < await raw.pttl(name) <= 60_000

    run(work, server)


def test_what_was_mixed_up_changed_kept_too_long_or_is_of_another_type_is_nothing(server: RedisServer) -> None:
    now = [1000.0]

    async def work(cache: Cache, raw: Any) -> None:
        await cache.put("a", b"of a", 60)
        (at_a,) = await raw.keys("*")
        of_a = await raw.get(at_a)
        await cache.put("b", b"of b", 60)
        (at_b,) = {*await raw.keys("*")} - {at_a}
        await raw.set(at_b, of_a)
        assert await cache.get("b") is None, "a value of another name"
        for wrong in (b"", b"x", of_a[:-1], of_a + b"x", of_a[:-1] + bytes([of_a[-1] ^ 1]), b"\xff" * len(of_a)):
            await raw.set(at_a, wrong)
            assert await cache.get("a") is None
        await raw.set(at_a, of_a)
        now[0] += 59
        assert await cache.get("a") == b"of a"
        now[0] += 2
        assert await cache.get("a") is None, "its time is over, though Redis has it still"
        await raw.delete(at_a)
        await raw.rpush(at_a, "a list")
        assert await cache.get("a") is None

    with capture_logs():
        run(work, server, clock=lambda: now[0])


def test_what_is_too_large_is_neither_put_nor_taken(server: RedisServer) -> None:
    async def work(cache: Cache, raw: Any) -> None:
        await cache.put("a", b"x" * (MAX_BYTES + 1), 60)
        assert await raw.dbsize() == 0
        await cache.put("a", b"x" * MAX_BYTES, 60)
        assert await cache.get("a") == b"x" * MAX_BYTES
        (at,) = await raw.keys("*")
        await raw.append(at, b"x" * 5000)
        assert await cache.get("a") is None

    run(work, server)


def test_a_server_that_hangs_or_is_gone_is_nothing_and_is_not_asked_for_a_while(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(cache: Cache, raw: Any) -> None:
        await cache.put("a", b"one", 60)
        monkeypatch.setattr(cache_module, "DEADLINE_S", 0.05)
        monkeypatch.setattr(cache_module, "PAUSE_S", 3600.0)
        server.process.send_signal(signal.SIGSTOP)
        try:
            with capture_logs() as said:
                assert [await cache.get("a") for _ in range(50)] == [None] * 50
                await cache.put("a", b"two", 60)
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert [one["event"] for one in said] == ["redis_away"], "asked once"
        monkeypatch.setattr(cache_module, "DEADLINE_S", 20.0)
        monkeypatch.setattr(cache_module, "PAUSE_S", 0.0)
        cache._away_until = 0.0
        assert await cache.get("a") in (b"one", b"two")

    run(work, server)

    async def gone(cache: Cache, raw: Any) -> None:
        server.stop()
        try:
            with capture_logs() as said:
                assert await cache.get("a") is None
                await cache.put("a", b"one", 60)
            assert said
        finally:
            server.start()
        await cache.put("a", b"one", 60)
        assert await cache.get("a") == b"one"

    run(gone, server)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:6379", ""])
def test_a_url_that_is_none_is_one_clear_error(url: str) -> None:
    with pytest.raises(PluginError, match="`redis`"):
        Cache(url, KEY)
