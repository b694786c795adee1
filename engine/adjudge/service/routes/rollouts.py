"""Rollouts: how they stand, and what is done with them."""

from __future__ import annotations

from starlette.responses import Response

from adjudge.documents.rollouts import RolloutCommand, RolloutDocument, RolloutsDocument, decode_command
from adjudge.service.answers import JSON, document
from adjudge.service.asked import Asked
from adjudge.service.route import Route
from adjudge.service.routes.labels import ANNOTATION_MAX_BYTES


async def look(asked: Asked) -> Response:
    """Say how rollouts stand."""
    return document(RolloutsDocument(await asked.shared.engine.rollouts()))


async def do(asked: Asked) -> Response:
    """Do something with a rollout."""
    said = decode_command(await asked.json(max_bytes=ANNOTATION_MAX_BYTES))
    done = await asked.shared.engine.rollout(
        said.action,
        said.name,
        mode=said.mode,
        candidate=said.candidate,
        share=said.share,
        reason=said.reason,
        by=asked.caller.named(said.by),
    )
    return document(done)


ROUTES = (
    Route(
        method="GET",
        path="/v1/rollouts",
        answer=look,
        scope="read",
        summary="Say how rollouts stand",
        gives={200: {JSON: RolloutsDocument}},
    ),
    Route(
        method="POST",
        path="/v1/rollouts",
        answer=do,
        scope="approve",
        summary="Start, ramp, promote or abort a rollout",
        takes={JSON: RolloutCommand},
        gives={200: {JSON: RolloutDocument}},
    ),
)
