"""The application: who is let in, and how whatever is raised becomes a problem document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import cache, partial
from time import perf_counter

import msgspec
from starlette import routing
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from adjudge.decision.door import Door
from adjudge.documents.problems import FAULT, Problem, problem
from adjudge.events import Events, bind, bound
from adjudge.metrics.metrics import Metrics
from adjudge.service.access.caller import NOBODY
from adjudge.service.access.gate import Gate
from adjudge.service.admission import Admission, Refused
from adjudge.service.answers import NOT_LET_IN, told
from adjudge.service.asked import Asked, Incoming, check_parameters, host_of, note, noted, request_id_of
from adjudge.service.failures import problem_from
from adjudge.service.framing import malformed
from adjudge.service.openapi import openapi_document
from adjudge.service.route import Route
from adjudge.service.routes import ROUTES
from adjudge.service.seen import RouteSeen, Seen
from adjudge.service.shared import Shared
from adjudge.spans import continued, trace_id

_events = Events("adjudge.service")
Refusal = Callable[[Request, Problem], Response]

Answer = Callable[[Request], Awaitable[Response]]


def make_app(
    engine: Door,
    *,
    admission: Admission | None = None,
    hosts: Collection[str] | None = None,
    gate: Gate | None = None,
    metrics: Metrics | None = None,
    tells_requests: bool = True,
) -> App:
    """Return the application that serves an engine, which is open while it runs.

    hosts: the names that it goes by; None for any. A page of another site can have a browser ask a service of this
    machine under a name of its own. gate: says who asks; left out, whoever does is let in. metrics: where decisions are
    counted, and requests are to be. tells_requests: whether each is told as an event.
    """
    admission, gate = admission or Admission(), gate or Gate()
    seen = Seen(metrics or Metrics(), admission, gate.refusals, tells_requests=tells_requests)
    shared = Shared(engine, admission, seen, hosts, gate, _description)
    answers = [(route, _answering(shared, route)) for route in ROUTES]
    routes = [
        routing.Route(route.path, answer, methods=[route.method], name=route.answer.__name__)
        for route, answer in answers
    ]
    of_none = shared.seen.of()
    others = Starlette(routes=routes, exception_handlers={HTTPException: partial(_no_route, of_none)})
    others.router.redirect_slashes = False
    direct = {(route.method, route.path): answer for route, answer in answers if "{" not in route.path}
    return App(shared, direct, others, partial(_of_no_route, of_none))


class App:
    """The application. A path without parts goes straight to what answers it, which takes three layers less."""

    def __init__(
        self, shared: Shared, direct: Mapping[tuple[str, str], Answer], others: Starlette, refuse: Refusal
    ) -> None:
        """direct: answers by method and path. others: takes all other requests. refuse: answers what is malformed."""
        self.shared = shared
        self._direct, self._others, self._refuse = direct, others, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        is_http = scope["type"] == "http"
        if is_http and (said := malformed(scope)) is not None:
            await self._refuse(Request(scope), said)(scope, receive, send)
            return
        answer = self._direct.get((scope["method"], scope["path"])) if is_http else None
        if answer is None:
            await self._others(scope, receive, send)
            return
        response = await answer(Incoming(scope, receive))
        await response(scope, receive, send)


@cache
def _description() -> bytes:
    """Return the OpenAPI document, made when it is first asked for."""
    return msgspec.json.encode(openapi_document(ROUTES))


def _answering(shared: Shared, route: Route) -> Answer:
    """Return an endpoint that lets a request in, and turns whatever is raised into a problem document."""

    seen = shared.seen.of(route.method, route.path)

    async def answer(request: Request) -> Response:
        begun, request_id = perf_counter(), request_id_of(request)
        with continued(request.headers), bound(**_ids_of(request_id)):
            response = await _answer(shared, route, request, request_id)
            seen.answered(response, perf_counter() - begun, noted(request))
        response.headers["x-request-id"] = request_id
        return response

    return answer


def _ids_of(request_id: str) -> dict[str, str]:
    """Return what the events of a request are found by."""
    trace = trace_id()
    return {"request_id": request_id, "trace_id": trace} if trace else {"request_id": request_id}


async def _answer(shared: Shared, route: Route, request: Request, request_id: str) -> Response:
    """Answer a request, in any case."""
    try:
        return await _admitted(shared, route, request)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it
    except Exception as error:
        said = problem_from(error)
        if said.code == FAULT:
            _events.exception("request_failed")
        elif said.code in NOT_LET_IN:
            shared.gate.refused(request, said.code, error)
        return told(said, request_id)


async def _admitted(shared: Shared, route: Route, request: Request) -> Response:
    """Answer a request that may come in. Raises Refused, and whatever its route raises."""
    if route.scope is None and not route.is_signed:
        return await route.answer(Asked(request, NOBODY, shared.admission.uncounted(), shared))
    if shared.hosts is not None and host_of(request) not in shared.hosts:
        raise Refused(problem("host", "ask by the name that the service was started with"))
    with shared.admission.uncounted() if route.is_always else shared.admission.admitted() as held:
        caller = await shared.gate.admit(request, route.scope) if route.scope is not None else NOBODY
        note(request, caller=caller.name)
        bind(caller=caller.name)
        check_parameters(request, route.query)
        return await route.answer(Asked(request, caller, held, shared))


def _no_route(seen: RouteSeen, request: Request, error: Exception) -> Response:
    """Answer what no route takes."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        said = problem("no-method", f"this path takes {(error.headers or {}).get('Allow', 'other methods')}")
    else:
        said = problem("no-route", "this version of the service has nothing at this path")
    response = _of_no_route(seen, request, said)
    response.headers.update(error.headers or {})
    return response


def _of_no_route(seen: RouteSeen, request: Request, said: Problem) -> Response:
    """Answer a request that no route gets."""
    request_id = request_id_of(request)
    response = told(said, request_id)
    response.headers["x-request-id"] = request_id
    with continued(request.headers), bound(**_ids_of(request_id)):
        seen.answered(response, 0.0, {})
    return response
