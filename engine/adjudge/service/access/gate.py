"""The gate of the service: each request is somebody's who may ask it, or is refused, counted and told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

from adjudge.config.jwt import JwtSettings
from adjudge.config.scopes import Scope
from adjudge.config.service import ServiceSettings
from adjudge.patterns import late
from adjudge.service.access.caller import LOCAL, Caller
from adjudge.service.access.certificate import Certificate
from adjudge.service.access.clients import Clients, neighbourhood
from adjudge.service.access.keys import PREFIX
from adjudge.service.access.rates import Rates
from adjudge.service.access.refusals import Refusals, TooOften, Unauthenticated
from adjudge.service.access.ring import KeyRing

if TYPE_CHECKING:
    from adjudge.service.access.tokens import Tokens

CREDENTIAL_MAX = 8192
"""Characters of a key or token; a longer one is not looked at."""
TRIES_PER_S = 10
"""Requests without a key that is taken, from one address; what is more is told to come again."""
_BEARER = late(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")


def _tokens(settings: JwtSettings) -> Tokens:
    """Return what takes tokens; who has only keys has no need of it."""
    from adjudge.service.access.tokens import Tokens

    return Tokens(settings)


class Gate:
    """Says whose a request is. Without keys it is a caller of this machine, who may do everything."""

    def __init__(self, settings: ServiceSettings | None = None, *, at_socket: bool = False) -> None:
        """Read the files that the settings name. at_socket: whether all callers come over a Unix socket.

        Raises PolicyErrors and SetupError.
        """
        said = settings or ServiceSettings()
        self.refusals = Refusals()
        self._is_open = said.is_open or (at_socket and not said.keys_on_socket)
        self._ring = KeyRing(said.keys) if said.keys is not None and not self._is_open else None
        self._tokens = _tokens(said.jwt) if said.jwt is not None and not self._is_open else None
        self.certificate = Certificate(said.tls) if said.tls is not None and not at_socket else None
        self._rate = said.rate
        self._rates, self._tries = Rates(), Rates()
        self._clients = Clients(said.trusted_proxies, at_socket=at_socket)

    def note(self) -> str | None:
        """Return which of `keys`, `jwt` and `tls` is not usable as it is now; None where all are.

        Whoever asks is told so, and no more than that: the events say what is wrong, and where.
        """
        parts = {"keys": self._ring, "jwt": self._tokens, "tls": self.certificate}
        wrong = [f"`{name}`" for name, part in parts.items() if part is not None and part.trouble]
        return f"{' and '.join(wrong)} not usable as they are now: see the events" if wrong else None

    async def admit(self, request: Request, scope: Scope) -> Caller:
        """Return who asks, and may. Raises NotAuthenticated, NotAllowed and RateLimited."""
        try:
            caller = await self.caller_of(request)
        except Unauthenticated:
            self.check_tries(request)
            raise
        rate = caller.rate or self._rate
        if rate is not None and (wait_s := self._rates.wait_s(caller.name, rate)):
            raise TooOften(retry_after_s=wait_s, reason="rate", rate=rate, caller=caller.name)
        caller.require(scope)
        return caller

    def check_tries(self, request: Request) -> None:
        """Count a try of somebody who is not known. Raises RateLimited where there are too many from one address."""
        wait_s = self._tries.wait_s(neighbourhood(self._clients.address_of(request)), TRIES_PER_S)
        if wait_s:
            raise TooOften(retry_after_s=wait_s, reason="tries", rate=TRIES_PER_S) from None

    async def caller_of(self, request: Request) -> Caller:
        """Return whose key or token a request has. Raises NotAuthenticated."""
        if self._is_open:
            return LOCAL
        given = request.headers.getlist("authorization")
        if not given:
            raise Unauthenticated("none")
        found = _BEARER.fullmatch(given[0]) if len(given) == 1 and len(given[0]) <= CREDENTIAL_MAX else None
        text = found.group(1) if found is not None else ""
        if self._ring is not None and text.startswith(PREFIX):
            return await self._ring.caller_of(text)
        if self._tokens is not None and text.count(".") == 2:
            return await self._tokens.caller_of(text)
        raise Unauthenticated("malformed")

    def refused(self, request: Request, code: str, error: Exception | None = None) -> None:
        """Count that a request was not let in, and tell it. code: of the problem."""
        self.refusals.count(
            code,
            getattr(error, "reason", code),
            key=getattr(error, "key", ""),
            caller=getattr(error, "caller", ""),
            client=self._clients.address_of(request),
            proto=self._clients.proto_of(request),
        )
