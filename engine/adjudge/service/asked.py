"""One request that was let in, and the strict reading of what it says beside its body."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.types import Scope

from adjudge.documents.problems import problem
from adjudge.errors import NAME_SHOWN, RequestError, did_you_mean, listed
from adjudge.patterns import late
from adjudge.service.access.caller import Caller
from adjudge.service.admission import Held, Refused
from adjudge.service.answers import JSON
from adjudge.service.shared import Shared

_REQUEST_ID = late(r"[!-~]{1,128}")
_ids = Random()  # noqa: S311  # seeded by the system in each process; unique, not secret
_DEADLINE = late(r"[1-9][0-9]{0,8}")
_NOTED = "adjudge.noted"
_NO_QUERY = QueryParams()
_BOOLS = {"true": True, "false": False}


class Heads(Headers):
    """The headers of a request, sorted once: Starlette's own look through all of them for each that is asked for."""

    def __init__(self, scope: Scope) -> None:
        self._list = scope["headers"]
        self._by_name: dict[str, list[str]] = {}
        for name, value in self._list:
            self._by_name.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))

    def __getitem__(self, name: str) -> str:
        """Return the first of a name."""
        return self._by_name[name.lower()][0]

    def __contains__(self, name: object) -> bool:
        """Whether there is one of a name."""
        return isinstance(name, str) and name.lower() in self._by_name

    def get(self, name: str, default: Any = None) -> Any:
        """Return the first of a name, if there is one."""
        found = self._by_name.get(name) or self._by_name.get(name.lower())
        return found[0] if found else default

    def getlist(self, name: str) -> list[str]:
        """Return all of a name."""
        return list(self._by_name.get(name.lower(), ()))


class Incoming(Request):
    """A request whose headers are sorted once, and whose query is looked at where there is one."""

    @cached_property
    def headers(self) -> Heads:
        """The headers."""
        return Heads(self.scope)

    @property
    def query_params(self) -> QueryParams:
        """The parameters of the query."""
        return super().query_params if self.scope["query_string"] else _NO_QUERY


@dataclass(slots=True)
class Asked:
    """A request that was let in. caller: whose it is. held: of the memory for bodies. shared: by all routes."""

    request: Request
    caller: Caller
    held: Held
    shared: Shared

    def note(self, **facts: object) -> None:
        """Have the event of the request say something more, such as the decision that it is about."""
        note(self.request, **facts)

    async def json(self, *, max_bytes: int) -> bytes:
        """Return a body that is said to be JSON. Raises Refused, and Overloaded."""
        self.check_type(JSON)
        return await self.held.read(self.request, max_bytes=max_bytes)

    @property
    def media_type(self) -> str:
        """What the body is said to be, in lower case, without parameters."""
        said: str = self.request.headers.get("content-type", "")
        return said.partition(";")[0].strip().lower()

    def check_type(self, media_type: str) -> None:
        """Refuse a body that is not said to be JSON of a kind: a page of another site can have a browser send all else.

        Raises Refused.
        """
        headers = self.request.headers
        if self.media_type != media_type:
            raise Refused(problem("media-type", f"send `Content-Type: {media_type}`"))
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise Refused(problem("media-type", "send the body as it is, without `Content-Encoding`"))

    def part(self, name: str) -> str:
        """Return a part of the path."""
        found: str = self.request.path_params[name]
        return found

    def given(self) -> dict[str, str]:
        """Return the parameters of the query. Raises RequestError for one that is given twice."""
        found: dict[str, str] = {}
        for name, value in self.request.query_params.multi_items():
            if name in found:
                raise RequestError("is given twice", where=name)
            found[name] = value
        return found

    def flag(self, name: str) -> bool:
        """Return a parameter that says true or false; false where it is left out. Raises RequestError."""
        given = self.request.query_params.getlist(name) or ["false"]
        if len(given) > 1 or given[0] not in _BOOLS:
            raise RequestError("must be true or false", where=name)
        return _BOOLS[given[0]]

    def deadline_s(self) -> float | None:
        """Return the seconds that the caller gives for signals. Raises RequestError."""
        given = self.request.headers.getlist("x-deadline-ms")
        if not given:
            return None
        if len(given) > 1 or not _DEADLINE.fullmatch(given[0]):
            raise RequestError("must be a whole number of milliseconds above 0", where="X-Deadline-Ms")
        return int(given[0]) / 1000


def note(request: Request, **facts: object) -> None:
    """Have the event of a request say something more."""
    request.scope.setdefault(_NOTED, {}).update(facts)


def noted(request: Request) -> dict[str, object]:
    """Return what the event of a request says beside what every one does."""
    found: dict[str, object] = request.scope.get(_NOTED, {})
    return found


def request_id_of(request: Request) -> str:
    """Return what the caller calls the request, or a name for it, which stays."""
    given: str = request.headers.get("x-request-id", "")
    if given and _REQUEST_ID.fullmatch(given):
        return given
    if (name := request.scope.get("adjudge.request_id")) is None:
        name = request.scope["adjudge.request_id"] = made_up_id()
    found: str = name
    return found


def made_up_id() -> str:
    """Return a name for a request whose caller gave it none."""
    return f"{_ids.getrandbits(128):032x}"


def host_of(request: Request) -> str:
    """Return the host that was asked for, without its port."""
    given: str = request.headers.get("host", "").lower()
    host, at, port = given.rpartition(":")
    return host if at and port.isascii() and port.isdigit() else given


def check_parameters(request: Request, known: Collection[str]) -> None:
    """Refuse a parameter that means nothing: it was meant to mean something. Raises RequestError."""
    for name in request.query_params:
        if name not in known:
            said = name[:NAME_SHOWN]
            hint = did_you_mean(said, known) or (f"it takes {listed(known)}" if known else "it takes none")
            raise RequestError("unknown parameter", where=said, hint=hint)
