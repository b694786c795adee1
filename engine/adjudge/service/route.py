"""What a route is: the one table of what the service answers is made of these, and the OpenAPI document is made of it.

A new route is a row, in which all that is said of it stands; `tests/service/test_openapi.py` holds the answers to it:

    Route(
        method="GET",
        path="/v1/things/{thing_id}",
        answer=find_thing,
        scope="read",
        summary="Find a thing",                                  # a line without a full stop
        parameters=(parameter("thing_id", ThingId, "The thing's id", place="path"),),
        gives={200: {JSON: ThingDocument}},                      # what it answers: a form for each media type
        problems=("no-thing",),                                  # codes, beside those of all routes with a scope
    )

and `takes={JSON: ThingDocument}` where it has a body. A form is a struct of `adjudge.documents`, whose members say with
`documents.terms.said` what they mean; `str` is text. A name in the query that is not in `parameters` is refused. A new
problem is a row of `documents.problems.KINDS` and a section of `docs/problems.md`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from starlette.responses import Response

from adjudge.config.scopes import Scope
from adjudge.frozen import frozen
from adjudge.service.asked import Asked

Place = Literal["query", "path", "header"]
Contents = Mapping[str, Any]
"""Forms by media type."""

OF_ALL = ("fault", "head-too-large", "malformed-http")
OF_ADMITTED = (
    "audit-broken",
    "audit-unavailable",
    "host",
    "log-in-use",
    "not-allowed",
    "nothing-read",
    "overloaded",
    "rate-limited",
    "request",
    "service-unavailable",
    "unauthenticated",
)
"""Problems of a request that had to be let in."""
OF_SIGNED = tuple(code for code in OF_ADMITTED if code not in ("not-allowed", "unauthenticated"))
OF_BODIES = ("body-too-large", "body-too-slow", "media-type")


@frozen
class Parameter:
    """What a request says beside its body. form: a type that msgspec knows, such as `bool` or `MerchantBizId`."""

    name: str
    form: Any
    description: str
    place: Place
    is_required: bool


def parameter(name: str, form: Any, description: str, *, place: Place = "query", required: bool = False) -> Parameter:
    """Return a parameter; one of the path is always required."""
    return Parameter(name, form, description, place, required or place == "path")


@frozen(kw_only=True)
class Route:
    """A method of a path, who answers it, and what is said of it.

    scope: what its caller must be allowed; None where whoever asks is answered, however much is under way.
    summary: what it does, in a line. takes: the body. gives: answers by status, {} for an empty one.
    is_repeatable: whether asking twice does no more than asking once; a client may try again by itself. GET always is.
    problems: codes of `documents.problems.KINDS` beside those that every such route has.
    is_always: answered however much is under way. is_signed: without a scope, and not for everybody: its provider knows
    by a signature who sends it.
    """

    method: str
    path: str
    answer: Callable[[Asked], Awaitable[Response]]
    scope: Scope | None
    summary: str
    gives: Mapping[int, Contents]
    parameters: tuple[Parameter, ...] = ()
    takes: Contents | None = None
    is_body_required: bool = True
    is_repeatable: bool = False
    problems: tuple[str, ...] = ()
    is_always: bool = False
    is_signed: bool = False

    @property
    def query(self) -> tuple[str, ...]:
        """The names of the query that mean something."""
        return tuple(one.name for one in self.parameters if one.place == "query")

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of all problems that it may answer with."""
        admitted = OF_ADMITTED if self.scope is not None else OF_SIGNED if self.is_signed else ()
        return tuple(sorted({*OF_ALL, *admitted, *(OF_BODIES if self.takes else ()), *self.problems}))
