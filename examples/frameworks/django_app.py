"""Django, with a view of each kind: one client a process serves both.

adjudge serve adjudge.yaml --uds adjudge.sock &
ADJUDGE_SERVICE=adjudge.sock gunicorn django_app:application --workers 4
ADJUDGE_SERVICE=adjudge.sock uvicorn django_app:asgi_application --workers 4
"""

from __future__ import annotations

import os
from functools import cache
from threading import Lock

import msgspec
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from adjudge import AdjudgeError, Decision
from adjudge.client import Engine
from adjudge.documents import decode_request, problem_of

_opening = Lock()


@cache
def opened() -> Engine:
    """Open it with a thread of its own: then any thread, and any event loop, may ask it."""
    return Engine.open(os.environ["ADJUDGE_SERVICE"]).__enter__()


def engine() -> Engine:
    """The client of this process; not opened at import, nor in `AppConfig.ready`, which may run before a fork."""
    with _opening:
        return opened()


def check(request: HttpRequest) -> JsonResponse:
    try:
        return told(engine().decide_sync(decode_request(request.body)))
    except AdjudgeError as error:
        return refused(error)


async def acheck(request: HttpRequest) -> JsonResponse:
    try:
        return told(await engine().decide(decode_request(request.body)))
    except AdjudgeError as error:
        return refused(error)


def told(decision: Decision) -> JsonResponse:
    return JsonResponse({"outcome": decision.outcome, "decision_id": decision.decision_id})


def refused(error: AdjudgeError) -> JsonResponse:
    said = problem_of(error)
    return JsonResponse(msgspec.to_builtins(said), status=said.status)


urlpatterns = [path("checks", check), path("acheck", acheck)]
settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of this example",
    DATA_UPLOAD_MAX_MEMORY_SIZE=8 * 1024 * 1024,  # a face as Base64; Django's own bound is 2.5 MB
)
application = get_wsgi_application()
asgi_application = get_asgi_application()
