"""Figures for those who watch the service."""

from __future__ import annotations

from starlette.responses import Response

from adjudge.errors import Overloaded
from adjudge.service.admission import RETRY_AFTER_S
from adjudge.service.asked import Asked
from adjudge.service.route import Route
from adjudge.service.seen import CONTENT_TYPE


async def metrics(asked: Asked) -> Response:
    """Give everything that is counted, in the text format of Prometheus, however much is under way."""
    try:
        page = await asked.shared.seen.page()
    except TimeoutError:
        raise Overloaded("the figures are not to be had in time", retry_after_s=RETRY_AFTER_S) from None
    return Response(page, headers={"content-type": CONTENT_TYPE})


ROUTES = (
    Route(
        method="GET",
        path="/metrics",
        answer=metrics,
        scope="read",
        summary="What is counted of requests, decisions and providers, for Prometheus",
        gives={200: {"text/plain": str}},
        is_always=True,
    ),
)
