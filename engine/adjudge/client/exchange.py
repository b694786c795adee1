"""One question to a service and its answer over HTTP: bounded in time and size, tried again where that is safe."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from random import Random
from time import monotonic
from typing import TYPE_CHECKING

from adjudge.client.address import Address
from adjudge.client.credential import Credential
from adjudge.documents.problems import CONTENT_TYPE, Problem, decode_problem
from adjudge.errors import AdjudgeError, ServiceMismatch, ServiceUnavailable, SetupError
from adjudge.frozen import frozen
from adjudge.spans import propagated
from adjudge.system.given import check_path

if TYPE_CHECKING:
    import ssl

    import httpx

JSON = "application/json"
ANSWER_MAX_BYTES = 16 * 1024 * 1024
"""The longest answer that is read."""
CONNECT_WITHIN_S = 5.0
IDLE_S = 20.0
"""Seconds after which a connection that nobody uses is closed: before the service does."""
DEADLINE_MAX_S = 86_400.0
"""A day: more than any service allows for gathering signals."""
TRIES = 3
_OF_PROXIES = (502, 503, 504)
WAIT_S = 0.1
"""Seconds before the second try, at most; each further one waits twice as long."""


@frozen(kw_only=True)
class Question:
    """is_safe: whether asking twice does no more than asking once. deadline_s: for signals, from when it is asked.

    gives: the media type of a success.
    """

    method: str
    path: str
    body: bytes | None = None
    query: Mapping[str, str] | None = None
    is_safe: bool = False
    deadline_s: float | None = None
    gives: str = JSON


@frozen
class Answer:
    """What a service said: the body of a success, or a problem. is_bare: it says so with its status alone."""

    body: bytes
    problem: Problem | None = None
    is_bare: bool = False


class Exchange:
    """The connections to one service, of one event loop."""

    def __init__(
        self,
        address: Address,
        connections: int,
        *,
        credential: Credential | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        import httpx  # it costs as much as all else together, and whoever never asks has no need of it

        self._httpx, self._address, self._credential = httpx, address, credential
        limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=IDLE_S
        )
        verify = tls or address.url.startswith("https://")  # certificates are looked for only where they are needed
        transport = httpx.AsyncHTTPTransport(uds=address.socket, limits=limits, verify=verify, trust_env=False)
        timeout = httpx.Timeout(None, connect=CONNECT_WITHIN_S)
        headers = {"accept": f"{JSON}, {CONTENT_TYPE}", "accept-encoding": "identity"}
        self._http = httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False, headers=headers)
        self._random = Random()  # noqa: S311  # when to try again is no secret

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def ask(self, question: Question, *, within_s: float) -> Answer:
        """Ask, and return the answer. within_s: seconds in all. Raises ServiceUnavailable and ServiceMismatch."""
        begun, wait_s = monotonic(), WAIT_S
        try:
            async with asyncio.timeout(within_s) as limit:
                for left in reversed(range(TRIES)):
                    try:
                        return await self._try(question, monotonic() - begun)
                    except self._httpx.TransportError as error:
                        is_unsent = isinstance(error, self._httpx.ConnectError | self._httpx.ConnectTimeout)
                        if not left or not (is_unsent or question.is_safe):
                            raise self._failed(error) from None
                    await asyncio.sleep(wait_s * (0.5 + self._random.random() / 2))
                    wait_s *= 2
        except TimeoutError:
            if not limit.expired():
                raise
            said = f"the service at {self._address.name} gave no answer within {within_s:g} s"
            raise ServiceUnavailable(said) from None
        raise AssertionError("the last try returns or raises")

    async def _try(self, question: Question, passed_s: float) -> Answer:
        headers = {} if question.body is None else {"content-type": JSON}
        if self._credential is not None:
            headers["authorization"] = self._credential.header()
        headers |= propagated()
        if question.deadline_s is not None:
            headers["x-deadline-ms"] = str(_milliseconds(min(question.deadline_s, DEADLINE_MAX_S) - passed_s))
        request = self._http.build_request(
            question.method,
            self._address.url + question.path,
            content=question.body,
            params=question.query,
            headers=headers,
        )
        response = await self._http.send(request, stream=True)
        try:
            return self._read(response, await self._body(response), question.gives)
        finally:
            await response.aclose()

    async def _body(self, response: httpx.Response) -> bytes:
        found = bytearray()
        async for piece in response.aiter_raw():  # what is compressed, though nobody asked for that, stays so
            found += piece
            if len(found) > ANSWER_MAX_BYTES:
                raise self._mismatch(f"answered with more than {ANSWER_MAX_BYTES // 2**20} MiB")
        return bytes(found)

    def _read(self, response: httpx.Response, body: bytes, gives: str) -> Answer:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code in (200, 202, 204):
            if body and kind != gives:
                raise self._mismatch(f"answered with what is not {'JSON' if gives == JSON else gives}")
            return Answer(body, is_bare=response.status_code == 204)
        said = decode_problem(body) if kind == CONTENT_TYPE else None
        if said is None and response.status_code in _OF_PROXIES:
            raise ServiceUnavailable(
                f"what stands before the service at {self._address.name} answered with status {response.status_code}"
            )
        if said is None or said.status != response.status_code:
            raise self._mismatch(f"answered with status {response.status_code}, and no problem document")
        return Answer(b"", said)

    def _failed(self, error: httpx.TransportError) -> AdjudgeError:
        """Return what to raise for a connection that failed. What was sent or read stands in no message."""
        httpx, name = self._httpx, self._address.name
        if isinstance(error, httpx.ConnectTimeout):
            return ServiceUnavailable(f"the service at {name} takes no connection within {CONNECT_WITHIN_S:g} s")
        if isinstance(error, httpx.ConnectError):
            return ServiceUnavailable(f"no service answers at {name}: {_reason(error)}")
        if isinstance(error, httpx.RemoteProtocolError):
            return ServiceUnavailable(f"the service at {name} broke off its answer, or does not speak HTTP")
        return ServiceUnavailable(f"the connection to the service at {name} was lost: {type(error).__name__}")

    def _mismatch(self, did: str) -> ServiceMismatch:
        return ServiceMismatch(f"what is at {self._address.name} is no service of this version: it {did}")


def trusting(authorities: str | Path) -> ssl.SSLContext:
    """Return how to meet a service that these certificates vouch for. Raises SetupError."""
    import ssl

    check_path("authorities", authorities)
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:
        why = "there are no certificates" if isinstance(error, ssl.SSLError) else (error.strerror or str(error)).lower()
        raise SetupError(f"cannot read `{authorities}`: {why}") from None


def _milliseconds(seconds: float) -> int:
    """Return a time as it is sent, which is never none."""
    return max(1, round(seconds * 1000))


def _reason(error: BaseException) -> str:
    """Return why no connection was made, in the system's words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return str(error).lower() or "it cannot be connected"
