"""Answers of vendors that come later, to the webhook that they were given."""

from __future__ import annotations

from typing import Annotated, Any

from starlette.responses import Response

from adjudge.documents.terms import said
from adjudge.engine import Engine
from adjudge.errors import UnknownCall
from adjudge.service.answers import JSON
from adjudge.service.asked import Asked
from adjudge.service.route import Route, parameter
from adjudge.signals.tickets import TICKET_MAX

LATE_MAX_BYTES = 1024 * 1024
Call = Annotated[
    str, said("", "WyIwMTIz~9f2c", minLength=1, maxLength=TICKET_MAX, pattern="^[A-Za-z0-9_-]+~[0-9a-f]+$")
]


async def answer_call(asked: Asked) -> Response:
    """Take a late answer. Whoever sends it learns nothing of the decision."""
    engine = asked.shared.engine
    body = await asked.held.read(asked.request, max_bytes=LATE_MAX_BYTES)
    try:
        if not isinstance(engine, Engine):  # a client of another service, which has no providers
            raise UnknownCall
        decision = await engine.answer(asked.part("call"), body, asked.request.headers)
    except UnknownCall:
        asked.shared.gate.check_tries(asked.request)
        raise
    asked.note(decision_id=decision.decision_id, outcome=decision.outcome.value)
    return Response(status_code=204)


ROUTES = (
    Route(
        method="POST",
        path="/v1/signals/{call}",
        answer=answer_call,
        scope=None,
        is_signed=True,
        summary="Give the answer to a call of a provider that answers later",
        parameters=(parameter("call", Call, "What the provider was given when it was called.", place="path"),),
        takes={JSON: dict[str, Any]},
        is_repeatable=True,
        gives={204: {}},
        problems=("answered-otherwise", "unknown-call"),
    ),
)
