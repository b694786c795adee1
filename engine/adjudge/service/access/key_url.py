"""The keys of an issuer at a URL: fetched when they are needed, kept, and not fetched again for whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from adjudge.config.jwt import Algorithm
from adjudge.errors import Overloaded, SetupError
from adjudge.events import Events
from adjudge.service.access.key_set import SET_MAX_BYTES, KeySet, PublicKey, read_key_set
from adjudge.system.cloud_metadata import leads_to_keys

FRESH_S = 600.0
"""Seconds after which keys are fetched again, while those that there are serve."""
AGAIN_S = 30.0
"""Seconds between two attempts, for a name of a key that is not known too: anybody can write one into a token."""
FIRST_S = 2.0
"""The same while there are no keys yet."""
STALE_S = 86_400.0
"""Seconds for which keys serve that cannot be fetched again."""
WITHIN_S = 5.0
WAITING_MAX = 32
"""Requests that wait for keys at a time; others are told to come again."""
_events = Events("adjudge.service")


class KeysAtUrl:
    """trouble: why keys could not be fetched the last time; empty where they could."""

    def __init__(self, url: str, *, clock: Callable[[], float] = monotonic) -> None:
        self._url, self._clock = url, clock
        self.trouble = ""
        self._keys: KeySet | None = None
        self._fetched = self._next = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._waiting = 0

    async def find(self, kid: str | None, algorithm: Algorithm) -> PublicKey | None:
        """Return the key for a token, None where there is none. Raises Overloaded where there are no keys now."""
        age_s = self._clock() - self._fetched
        found = self._keys.find(kid, algorithm) if self._keys is not None else None
        if self._keys is not None and found is not None and age_s < FRESH_S:
            return found
        fetching = self._fetch_in_time()
        if (found is None or age_s >= STALE_S) and fetching is not None:
            await self._wait(fetching)
        if self._keys is None or self._clock() - self._fetched >= STALE_S:
            raise Overloaded("tokens cannot be verified: their keys cannot be fetched", retry_after_s=FIRST_S)
        return self._keys.find(kid, algorithm)

    def _fetch_in_time(self) -> asyncio.Task[None] | None:
        """Begin to fetch, unless that was tried just now; return what is under way."""
        if (self._fetching is None or self._fetching.done()) and self._clock() >= self._next:
            self._next = self._clock() + (AGAIN_S if self._keys is not None else FIRST_S)
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching if self._fetching is not None and not self._fetching.done() else None

    async def _wait(self, fetching: asyncio.Task[None]) -> None:
        if self._waiting >= WAITING_MAX:
            raise Overloaded("others wait for the keys of tokens", retry_after_s=1.0)
        self._waiting += 1
        try:
            await asyncio.wait({fetching})  # whoever leaves takes it from nobody else
        finally:
            self._waiting -= 1

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(WITHIN_S):
                keys = read_key_set(await _body(self._url))
        except Exception as error:  # whatever answers there, the keys that there are serve on
            trouble = str(error) if isinstance(error, SetupError) else f"cannot be fetched: {type(error).__name__}"
            if trouble != self.trouble:
                _events.error("token_keys_unusable", trouble=trouble)
            self.trouble = trouble
        else:
            if self.trouble or keys != self._keys:
                _events.info("token_keys_read", count=len(keys.keys))
            self._keys, self._fetched, self.trouble = keys, self._clock(), ""


async def _body(url: str) -> bytes:
    """Return what is at a URL: with no proxy, no redirect, nothing unpacked, and bounded. Raises SetupError."""
    import httpx

    async def looked_at(event: str, facts: Mapping[str, Any]) -> None:
        if event.endswith("connect_tcp.complete"):
            peer = facts["return_value"].get_extra_info("server_addr")
            if isinstance(peer, tuple) and leads_to_keys(httpx.URL(url).host, str(peer[0])):
                await facts["return_value"].aclose()
                raise SetupError("the host of `jwks` leads to where a cloud hands out this machine's keys")

    headers = {"accept": "application/json", "accept-encoding": "identity", "connection": "close"}
    async with (
        httpx.AsyncClient(trust_env=False, headers=headers, timeout=WITHIN_S) as client,
        client.stream("GET", url, extensions={"trace": looked_at}) as response,
    ):
        if response.status_code != 200:
            raise SetupError(f"`jwks` answers with status {response.status_code}")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise SetupError("`jwks` answers with what is compressed, which was not asked for")
        found = bytearray()
        async for piece in response.aiter_raw():
            found += piece
            if len(found) > SET_MAX_BYTES:
                raise SetupError(f"`jwks` answers with more than {SET_MAX_BYTES // 1024} KiB")
    return bytes(found)
