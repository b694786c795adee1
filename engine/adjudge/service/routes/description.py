"""What the service says of its own routes."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from starlette.responses import Response

from adjudge.service.answers import JSON
from adjudge.service.asked import Asked
from adjudge.service.openapi import openapi_document
from adjudge.service.route import Route


@cache
def _description() -> bytes:
    from adjudge.service.routes import ROUTES  # the table has the row below, too

    return msgspec.json.encode(openapi_document(ROUTES))


async def describe(asked: Asked) -> Response:
    """Give the OpenAPI document."""
    return Response(_description(), media_type=JSON)


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
