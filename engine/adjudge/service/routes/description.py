"""What the service says of its own routes."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from adjudge.service.answers import JSON
from adjudge.service.asked import Asked
from adjudge.service.route import Route


async def describe(asked: Asked) -> Response:
    """Give the OpenAPI document."""
    return Response(asked.shared.description(), media_type=JSON)


ROUTES = (
    Route(
        method="GET",
        path="/openapi.json",
        answer=describe,
        scope=None,
        summary="Describe the service: this document",
        gives={200: {JSON: dict[str, Any]}},
    ),
)
