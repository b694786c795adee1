"""What keeps the service running asks for: whether it lives, and takes requests."""

from __future__ import annotations

from starlette.responses import Response

from adjudge.documents.operations import HealthDocument, ReadinessDocument
from adjudge.service.answers import JSON, document
from adjudge.service.asked import Asked
from adjudge.service.route import Route


async def health(asked: Asked) -> Response:
    """Say that the process lives, however much is under way."""
    return document(HealthDocument(status="ok"))


async def ready(asked: Asked) -> Response:
    """Say that requests are taken."""
    return document(ReadinessDocument(ready=True, in_flight=asked.shared.engine.in_flight))


ROUTES = (
    Route(
        method="GET",
        path="/healthz",
        answer=health,
        scope=None,
        summary="Whether the process lives",
        gives={200: {JSON: HealthDocument}},
    ),
    Route(
        method="GET",
        path="/readyz",
        answer=ready,
        scope=None,
        summary="Whether requests are taken",
        gives={200: {JSON: ReadinessDocument}},
    ),
)
