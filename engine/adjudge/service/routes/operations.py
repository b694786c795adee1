"""What keeps the service running asks for: whether it lives, and takes requests."""

from __future__ import annotations

from starlette.responses import Response

from adjudge.service.answers import document
from adjudge.service.asked import Asked
from adjudge.service.route import Route


async def health(asked: Asked) -> Response:
    """Say that the process lives, however much is under way."""
    return document({"status": "ok"})


async def ready(asked: Asked) -> Response:
    """Say that requests are taken."""
    return document({"ready": True, "in_flight": asked.shared.engine.in_flight})


ROUTES = (
    Route(method="GET", path="/healthz", answer=health, scope=None),
    Route(method="GET", path="/readyz", answer=ready, scope=None),
)
