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
    """Say whether requests are taken, and what is in the way."""
    readiness = asked.shared.readiness
    reasons = await readiness.reasons()
    said = ReadinessDocument(
        ready=not reasons, in_flight=asked.shared.engine.in_flight, reasons=reasons, notes=readiness.noted()
    )
    return document(said, status=503 if reasons else 200)


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
        summary="Whether requests are taken, and what is in the way",
        gives={200: {JSON: ReadinessDocument}, 503: {JSON: ReadinessDocument}},
        problems=("service-unavailable",),
    ),
)
