"""The routes of the service: each reads a document, asks the engine, and answers with a document."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection
from math import ceil

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from adjudge import model
from adjudge.decision.door import Door
from adjudge.documents.annotations import decode_erasure, decode_label
from adjudge.documents.decisions import decision_document
from adjudge.documents.problems import CONTENT_TYPE, FAULT, NO_DECISION, Problem, fault, problem, problem_of
from adjudge.documents.requests import DOCUMENT_MAX_BYTES, decode_request
from adjudge.errors import (
    NAME_SHOWN,
    AdjudgeError,
    EngineError,
    Overloaded,
    RequestError,
    did_you_mean,
    listed,
)
from adjudge.events import Events, bound
from adjudge.patterns import late
from adjudge.service.admission import RETRY_AFTER_S, Admission, Held, Refused
from adjudge.system.pools import Pool

SMALL_BYTES = 128 * 1024
"""Of a document that is read on the event loop; a longer one is read in a thread beside it."""
READ_WITHIN_S = 60.0
ANNOTATION_MAX_BYTES = 64 * 1024

UNREAD = frozenset({"body-too-large", "body-too-slow", "host", "media-type", "overloaded"})
"""Problems after which a part of the body may be on its way still: nobody waits for it."""

_REQUEST_ID = late(r"[!-~]{1,128}")
_DEADLINE = late(r"[1-9][0-9]{0,8}")
_BOOLS = {"true": True, "false": False}
_JSON = "application/json"

_events = Events("adjudge.service")

Handler = Callable[[Request, Held], Awaitable[Response]]


def make_app(engine: Door, *, admission: Admission | None = None, hosts: Collection[str] | None = None) -> Starlette:
    """Return the application that serves an engine, which is open while it runs.

    hosts: the names that it goes by; None for any. A page of another site can have a browser ask a service of this
    machine under a name of its own.
    """
    service = _Service(engine, admission or Admission(), hosts)
    routes = [
        Route("/v1/decisions", service.answering(service.decide), methods=["POST"]),
        Route("/v1/decisions", service.answering(service.find), methods=["GET"]),
        Route("/v1/decisions/{decision_id}", service.answering(service.find_one), methods=["GET"]),
        Route("/v1/labels", service.answering(service.label), methods=["POST"]),
        Route("/v1/subjects/{merchant_biz_id}", service.answering(service.erase), methods=["DELETE"]),
        Route("/healthz", service.health, methods=["GET"]),
        Route("/readyz", service.ready, methods=["GET"]),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _no_route})
    app.router.redirect_slashes = False
    return app


class _Service:
    def __init__(self, engine: Door, admission: Admission, hosts: Collection[str] | None) -> None:
        self._engine, self._admission, self._hosts = engine, admission, hosts
        self._readers = Pool("adjudge-documents", 2)

    def answering(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that lets a request in, and turns whatever is raised into a problem document."""

        async def answer(request: Request) -> Response:
            request_id = _request_id(request)
            with bound(request_id=request_id):
                try:
                    self._check_host(request)
                    with self._admission.admitted() as held:
                        response = await handler(request, held)
                except Refused as refused:
                    response = _told(refused.problem, request_id)
                except EngineError as error:
                    response = _told(problem("service-unavailable", str(error)), request_id)
                except AdjudgeError as error:
                    said = problem_of(error)
                    if said.code == FAULT:
                        _events.exception("request_failed")
                    response = _told(said, request_id)
                except ClientDisconnect:
                    response = Response(status_code=400)  # nobody reads it
                except Exception:
                    _events.exception("request_failed")
                    response = _told(fault(), request_id)
            response.headers["x-request-id"] = request_id
            return response

        return answer

    def _check_host(self, request: Request) -> None:
        if self._hosts is not None and _host(request) not in self._hosts:
            raise Refused(problem("host", "ask by the name that the service was started with"))

    async def decide(self, request: Request, held: Held) -> Response:
        """Decide a request."""
        _check_json(request)
        _check_parameters(request, "anew")
        anew, deadline_s = _anew(request), _deadline_s(request)
        body = await held.read(request, max_bytes=DOCUMENT_MAX_BYTES)
        asked = decode_request(body) if len(body) <= SMALL_BYTES else await self._read(body)
        return _document(decision_document(await self._engine.decide(asked, anew=anew, deadline_s=deadline_s)))

    async def _read(self, body: bytes) -> model.Request:
        """Read a long document in a thread, so that nobody else waits for it."""
        try:
            return await self._readers.run(lambda: decode_request(body), deadline_s=READ_WITHIN_S)
        except TimeoutError:
            raise Overloaded("other long documents are being read", retry_after_s=RETRY_AFTER_S) from None

    async def find(self, request: Request, held: Held) -> Response:
        """Give the newest decision of a MerchantBizId, in a list, which is empty where there is none."""
        _check_parameters(request, "merchant_biz_id")
        found = await self._engine.find(merchant_biz_id=_only(request, "merchant_biz_id"))
        return _document({"decisions": [] if found is None else [decision_document(found)], "next": None})

    async def find_one(self, request: Request, held: Held) -> Response:
        """Give the decision of an id."""
        _check_parameters(request)
        found = await self._engine.find(decision_id=request.path_params["decision_id"])
        if found is None:
            raise Refused(problem(NO_DECISION, "there is no decision of this id"))
        return _document(decision_document(found))

    async def label(self, request: Request, held: Held) -> Response:
        """Record a label."""
        _check_json(request)
        _check_parameters(request)
        said = decode_label(await held.read(request, max_bytes=ANNOTATION_MAX_BYTES))
        await self._engine.label(**{name: getattr(said, name) for name in said.__struct_fields__})
        return Response(status_code=204)

    async def erase(self, request: Request, held: Held) -> Response:
        """Erase a subject."""
        _check_parameters(request)
        said = decode_erasure(await held.read(request, max_bytes=ANNOTATION_MAX_BYTES))
        erased = await self._engine.erase(request.path_params["merchant_biz_id"], reason=said.reason, by=said.by)
        return _document({"erased": erased})

    async def health(self, request: Request) -> Response:
        """Say that the process lives, however much is under way."""
        return _document({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """Say that requests are taken."""
        return _document({"ready": True, "in_flight": self._engine.in_flight})


def _document(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type=_JSON)


def _told(said: Problem, request_id: str) -> Response:
    headers = {}
    if said.retry_after_s is not None:
        headers["retry-after"] = str(max(1, ceil(said.retry_after_s)))
    if said.code in UNREAD:
        headers["connection"] = "close"
    document = msgspec.json.encode(msgspec.structs.replace(said, request_id=request_id))
    return Response(document, status_code=said.status, media_type=CONTENT_TYPE, headers=headers)


def _no_route(request: Request, error: Exception) -> Response:
    """Answer what no route takes."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        said = problem("no-method", f"this path takes {(error.headers or {}).get('Allow', 'other methods')}")
    else:
        said = problem("no-route", "this version of the service has nothing at this path")
    request_id = _request_id(request)
    response = _told(said, request_id)
    response.headers.update({**(error.headers or {}), "x-request-id": request_id})
    return response


def _request_id(request: Request) -> str:
    """Return what the caller calls the request, or a name for it."""
    given: str = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def _host(request: Request) -> str:
    """Return the host that was asked for, without its port."""
    given: str = request.headers.get("host", "").lower()
    host, at, port = given.rpartition(":")
    return host if at and port.isascii() and port.isdigit() else given


def _check_json(request: Request) -> None:
    """Refuse what is not said to be JSON: a page of another site can have a browser send all else unasked."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
        raise Refused(problem("media-type", f"send `Content-Type: {_JSON}`"))
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refused(problem("media-type", "send the body as it is, without `Content-Encoding`"))


def _check_parameters(request: Request, *known: str) -> None:
    """Refuse a parameter that means nothing: it was meant to mean something."""
    for name in request.query_params:
        if name not in known:
            said = name[:NAME_SHOWN]
            hint = did_you_mean(said, known) or (f"it takes {listed(known)}" if known else "it takes none")
            raise RequestError("unknown parameter", where=said, hint=hint)


def _anew(request: Request) -> bool:
    given = request.query_params.getlist("anew") or ["false"]
    if len(given) > 1 or given[0] not in _BOOLS:
        raise RequestError("must be true or false", where="anew")
    return _BOOLS[given[0]]


def _deadline_s(request: Request) -> float | None:
    given = request.headers.getlist("x-deadline-ms")
    if not given:
        return None
    if len(given) > 1 or not _DEADLINE.fullmatch(given[0]):
        raise RequestError("must be a whole number of milliseconds above 0", where="X-Deadline-Ms")
    return int(given[0]) / 1000


def _only(request: Request, name: str) -> str:
    given: list[str] = request.query_params.getlist(name)
    if len(given) != 1:
        raise RequestError("is missing" if not given else "is given twice", where=name)
    return given[0]
