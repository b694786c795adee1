"""One HTTP request and its answer: bounded, never redirected, every failure a SignalFailed that tells no secret.

What httpx says of a failure is not passed on: it can quote a header or a URL.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adjudge.plugin import JsonError, SignalFailed, leads_to_keys, read_json

if TYPE_CHECKING:
    import httpx

ANSWER_MAX_BYTES = 1024 * 1024
CONNECT_MAX_S = 5.0
CONNECT_SHARE = 0.45
"""Seconds for a connection, and again for its TLS, at most; and as a share of the time that there is for all."""
SLICED_ABOVE_BYTES = 256 * 1024

_is_ours: ContextVar[bool] = ContextVar("adjudge_exchange", default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer as it came, at most ANSWER_MAX_BYTES of it. headers: by lower-case name."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def connect(*, loopback: bool = False) -> httpx.AsyncClient:
    """Make a client for `exchange`: TLS verified, no redirects, and a connection of its own for each request.

    What a server or proxy says after an answer would be the answer to the next request on that connection: a forged
    face would pass by the genuine one before it. And one that was idle may be gone when it is used: nobody knows then
    whether the request, which costs money, has arrived.
    loopback: never through the proxy that the machine may have for everything else.
    """
    import httpx

    from adjudge_plugins.http_proxy import Proxies, Routes

    logging.getLogger("httpx").addFilter(_is_of_others)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.AsyncClient(
        transport=None if loopback else Routes(Proxies.of_environment(), limits),
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # noqa: S113  # `exchange` bounds the whole of it, which httpx cannot
        limits=limits,
    )


def _is_of_others(record: logging.LogRecord) -> bool:
    """Whether httpx tells of somebody else's request: of ours it would tell the URL, with what applicants said."""
    return not _is_ours.get()


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine and nothing else."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def exchange(client: httpx.AsyncClient, request: httpx.Request, *, deadline: float) -> Reply:
    """Send a request and read the whole answer, whatever its status.

    deadline: `time.monotonic()` seconds. The request must ask for `accept-encoding: identity`: the bound is on what
    arrives, so nothing is unpacked.
    Raises SignalFailed, with `billed=False` where not even the request's first line was sent.
    """
    import asyncio

    import httpx

    sent = False

    async def trace(event: str, facts: Mapping[str, Any]) -> None:
        nonlocal sent
        # a CONNECT goes to a proxy, and says nothing of the request behind it
        if event.endswith("send_request_headers.started") and facts["request"].method != b"CONNECT":
            sent = True
        elif event.endswith("connect_tcp.complete"):
            await _refuse_metadata(request.url.host, facts["return_value"])

    remaining_s = max(0.0, deadline - time.monotonic())
    # connecting, and then TLS, have a time each that ends them: httpcore leaves a handshake open that is cancelled
    connect_s = min(CONNECT_MAX_S, remaining_s * CONNECT_SHARE)
    request.extensions = {**request.extensions, "trace": trace, "timeout": {"connect": connect_s}}
    request.headers["connection"] = "close"
    if len(request.content) > SLICED_ABOVE_BYTES:
        from adjudge_plugins.http_slices import Slices

        request.stream = Slices(request.content)
    ours = _is_ours.set(True)
    try:
        async with asyncio.timeout(remaining_s):
            return await _exchange(client, request)
    except (TimeoutError, httpx.ConnectTimeout):
        said = "no answer in time" if sent else "no connection in time"
        failure = SignalFailed(said, kind="timeout", reason_code="TIMEOUT" if sent else "CONNECT_TIMEOUT")
    except SignalFailed as failed:
        failure = failed
    finally:
        _is_ours.reset(ours)
    failure.billed = None if sent else False
    raise failure


async def _exchange(client: httpx.AsyncClient, request: httpx.Request) -> Reply:
    import httpx

    try:
        response = await client.send(request, stream=True)
        try:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise SignalFailed("the answer is compressed, which was not asked for", reason_code="BAD_ANSWER")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > ANSWER_MAX_BYTES:
                    raise SignalFailed("the answer is larger than 1 MiB", reason_code="ANSWER_TOO_LARGE")
        finally:
            await response.aclose()
    except httpx.ConnectTimeout:
        raise
    except (httpx.HTTPError, ValueError) as error:  # a length of thousands of digits is a ValueError of Python's
        reason = _transport_reason(error)
        raise SignalFailed(reason, kind="unavailable", reason_code="CONNECTION_FAILED") from None
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(status=response.status_code, body=bytes(body), headers=headers)


async def _refuse_metadata(host: str, stream: Any) -> None:
    """Close a new connection to where a cloud hands out keys, before anything is sent. Raises SignalFailed.

    A policy names a host, and a resolver says where it is, at any time something else.
    """
    try:
        peer = stream.get_extra_info("server_addr")
    except OSError:  # it is closed already
        return
    if isinstance(peer, tuple) and leads_to_keys(host, str(peer[0])):
        await stream.aclose()
        said = f"the name {host} leads to the address where a cloud hands out this machine's keys"
        raise SignalFailed(said, kind="misconfigured", reason_code="NOT_ALLOWED")


def read_answer(body: bytes) -> object:
    """Return what an answer of JSON says. Raises SignalFailed, in words, where it is none or says a key twice."""
    try:
        return read_json(body, max_bytes=ANSWER_MAX_BYTES)
    except JsonError as error:
        said = error.message if error.message.startswith("is ") else f"cannot be read: {error.message}"
        raise SignalFailed(f"the answer {said}", reason_code="BAD_ANSWER") from None


def _transport_reason(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case ssl.SSLError():
                return "TLS failed"
            case socket.gaierror():
                return "the host's name is not found"
            case ConnectionRefusedError():
                return "the connection was refused"
        cause = cause.__cause__ or cause.__context__
    return "the connection failed"
