"""One message to one URL: the address is looked at before it is connected, the answer is bounded in time and size."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from adjudge.plugin import Pool, ProviderConfigError, TargetRefused, public_addresses
from adjudge_plugins.webhook.message import SIGNATURE, Message, signature
from adjudge_plugins.webhook.settings import Settings, read_url

if TYPE_CHECKING:
    import httpx

REDIRECTS_MAX = 3
ANSWER_MAX_BYTES = 64 * 1024
_REPEATED = frozenset((307, 308))
"""Redirects that keep the method and the body."""
_LATER = frozenset((401, 403, 404, 408, 425, 429))
"""Statuses below 500 that tell of how the webhook is set up or of its load, and not of the message."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message was not taken. is_of_message: whether it would be refused again. retry_after_s: as asked for."""

    why: str
    is_of_message: bool = False
    retry_after_s: float | None = None


class Delivery:
    """The connections of one webhook, used on one event loop."""

    def __init__(self, settings: Settings) -> None:
        """Connect to nothing yet."""
        import httpx

        limits = httpx.Limits(max_connections=settings.parallel, keepalive_expiry=20.0)
        self._settings = settings
        self._secrets = settings.secrets
        self._resolvers = Pool("adjudge-webhook-names", 2)
        self._client = httpx.AsyncClient(timeout=None, trust_env=False, follow_redirects=False, limits=limits)  # noqa: S113  # the whole of it is bounded below

    async def aclose(self) -> None:
        """Close all connections."""
        self._resolvers.close()
        await self._client.aclose()

    def read_secrets(self) -> None:
        """Sign with the secrets as they are by now; where they cannot be read, with those that were read last."""
        if self._settings.read_secrets is not None:
            with suppress(ProviderConfigError):
                self._secrets = self._settings.read_secrets()

    async def send(self, message: Message, *, tries: int) -> Refusal | None:
        """Send a message, and return why it was not taken; None where it was. tries: made before this one."""
        import httpx

        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await self._send(message, tries)
        except TimeoutError:
            return Refusal(f"no answer within {self._settings.timeout_s:g} s")
        except TargetRefused as error:
            return Refusal(str(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return Refusal(f"no connection, or no HTTP: {type(error).__name__}")  # its text may quote the URL

    async def _send(self, message: Message, tries: int) -> Refusal | None:
        url = self._settings.url
        for _ in range(REDIRECTS_MAX + 1):
            status, headers = await self._post(url, message, tries)
            if status not in _REPEATED:
                return _refusal(status, headers)
            target = urljoin(url, headers.get("location", ""))
            if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
                return Refusal("it redirects from https to another scheme")
            try:
                url = read_url(target)
            except ProviderConfigError:
                return Refusal("it redirects to what is no URL of https")
        return Refusal(f"it redirects more than {REDIRECTS_MAX} times")

    async def _post(self, url: str, message: Message, tries: int) -> tuple[int, httpx.Headers]:
        """Post to the address that was looked at, under the name of the URL."""
        import httpx

        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        find = partial(self._addresses, host, port)
        addresses = await self._resolvers.run(find, deadline_s=self._settings.timeout_s)
        target = httpx.URL(url).copy_with(host=addresses[0])
        headers = {
            "host": parts.netloc,
            "content-type": "application/json",
            "accept-encoding": "identity",
            "user-agent": "adjudge-webhook",
            "adjudge-event-id": message.event_id,
            "adjudge-attempt": str(tries + 1),
            SIGNATURE: signature(message.body, self._secrets, int(time.time())),
        }
        request = self._client.build_request("POST", target, content=message.body, headers=headers)
        request.extensions = {**request.extensions, "sni_hostname": host}
        response = await self._client.send(request, stream=True)
        try:
            size = 0
            async for piece in response.aiter_raw():  # so that the connection can be used again
                size += len(piece)
                if size > ANSWER_MAX_BYTES:
                    break
        finally:
            await response.aclose()
        return response.status_code, response.headers

    def _addresses(self, host: str, port: int) -> list[str]:
        local = {"localhost", "127.0.0.1", "::1"} if urlsplit(self._settings.url).scheme == "http" else set()
        return public_addresses(host, port, allowed=self._settings.allow | local)


def _refusal(status: int, headers: httpx.Headers) -> Refusal | None:
    if 200 <= status < 300:
        return None
    later = headers.get("retry-after", "")
    after_s = float(later) if later.isascii() and later.isdecimal() and len(later) < 8 else None
    is_of_message = 400 <= status < 500 and status not in _LATER
    return Refusal(f"it answered {status}", is_of_message=is_of_message, retry_after_s=after_s)
