"""Copies in Redis: sealed, short-lived, and never waited for longer than a moment."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from struct import Struct
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from adjudge.ledger.kit import seal, unsealed
from adjudge.plugin import Events, PluginError

if TYPE_CHECKING:
    from redis.asyncio import Redis

DEADLINE_S = 0.05
"""Seconds that Redis is waited for: it is asked instead of a database that is about as fast."""
PAUSE_S = 1.0
"""Seconds in which it is not asked after it failed."""
MAX_BYTES = 1024 * 1024
"""Of a copy; larger ones are not kept."""
_COMMITMENT = len("sha256:") + 64
_ENDS = Struct("<d")
_events = Events("adjudge_plugins.redis")


class Cache:
    """Copies by name. No method raises, and each comes to its end in a moment, whatever Redis does.

    A copy is sealed together with its name and its end: a value of another name, an old one, one that was changed or
    that somebody else wrote there is none. Names are digests, so nobody reads a MerchantBizId there.
    """

    def __init__(self, url: str, key: bytes, *, clock: Callable[[], float] = time) -> None:
        """url: as redis-py takes it, such as `redis://127.0.0.1:6379/0`. key: a secret of all who share the copies.

        clock: seconds since 1970. Connects nothing yet. Raises PluginError for a URL that is none, and where redis-py
        is missing.
        """
        try:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError:
            said = 'redis is not installed: pip install "adjudge[redis]"'
            raise PluginError(said, plugin="postgres") from None
        self._key = hmac.digest(key, b"adjudge copies in redis", "sha256")
        self._clock = clock
        self._away_until = 0.0
        self.hits = self.misses = 0
        try:
            self._redis: Redis = Redis.from_url(
                url,
                socket_connect_timeout=DEADLINE_S,
                socket_timeout=DEADLINE_S,
                retry=Retry(NoBackoff(), 0),
                health_check_interval=0,
                max_connections=16,
            )
        except ValueError as error:
            raise PluginError(f"`redis`: {error}", plugin="postgres") from None

    async def get(self, name: str) -> bytes | None:
        """Return what was put under a name, if it is here and its time is not over."""
        found = await self._done(lambda: self._redis.getrange(self._place(name), 0, MAX_BYTES + 1024))
        data = self._opened(name, found) if isinstance(found, bytes) and found else None
        if data is None:
            self.misses += 1
        else:
            self.hits += 1
        return data

    async def put(self, name: str, data: bytes, for_s: float) -> None:
        """Keep data under a name for some seconds, if that can be done at once."""
        if len(data) > MAX_BYTES:
            return
        plain = _ENDS.pack(self._clock() + for_s) + name.encode() + b"\0" + data
        commitment, sealed = seal(self._key, plain)
        await self._done(
            lambda: self._redis.set(self._place(name), commitment.encode() + sealed, px=max(1, int(for_s * 1000)))
        )

    async def aclose(self) -> None:
        """Let the connections go."""
        try:
            await self._redis.aclose()
        except Exception:  # noqa: S110  # nothing that anybody needs is there
            pass

    def _place(self, name: str) -> str:
        return "adjudge:" + hmac.digest(self._key, name.encode(), "sha256").hex()[:40]

    def _opened(self, name: str, found: bytes) -> bytes | None:
        try:
            commitment = found[:_COMMITMENT].decode("ascii")
        except UnicodeDecodeError:
            return None
        plain = unsealed(self._key, commitment, found[_COMMITMENT:])
        head = name.encode() + b"\0"
        if plain is None or plain[_ENDS.size : _ENDS.size + len(head)] != head:
            return None
        (ends,) = _ENDS.unpack_from(plain)
        return plain[_ENDS.size + len(head) :] if self._clock() < ends else None

    async def _done(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Return what Redis says; None where it fails, and then it is not asked for a while."""
        if monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await work()
        except Exception as error:
            if monotonic() >= self._away_until:
                _events.warning("redis_away", error=type(error).__name__, asked_again_after_s=PAUSE_S)
            self._away_until = monotonic() + PAUSE_S
            return None
