"""What a route is: the one table of what the service answers is made of these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from adjudge.config.service import Scope
from adjudge.frozen import frozen
from adjudge.service.asked import Asked


@frozen(kw_only=True)
class Route:
    """A method of a path, and who answers it.

    scope: what its caller must be allowed; None where whoever asks is answered, however much is under way.
    parameters: the names of the query that mean something.
    """

    method: str
    path: str
    answer: Callable[[Asked], Awaitable[Response]]
    scope: Scope | None
    parameters: tuple[str, ...] = ()
