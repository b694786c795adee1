"""Reviews: what waits for a person, and what people do with it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta
from starlette.responses import Response

from adjudge.documents.queries import decode_review_query
from adjudge.documents.reviews import (
    QUEUE_LIMIT_MAX,
    TEXT_MAX_CHARS,
    ReviewCommand,
    ReviewDocument,
    ReviewsDocument,
    decode_act,
)
from adjudge.documents.terms import DecisionId, said
from adjudge.service.answers import JSON, document
from adjudge.service.asked import Asked
from adjudge.service.route import Route, parameter
from adjudge.service.routes.labels import ANNOTATION_MAX_BYTES

Name = Annotated[str, said("", "DEVICE_SCORE", minLength=1, maxLength=TEXT_MAX_CHARS)]
Limit = Annotated[int, said("", 100, minimum=1, maximum=QUEUE_LIMIT_MAX)]
Time = Annotated[datetime, Meta(tz=True, examples=["2026-01-31T09:30:00Z"])]
Status = Literal["open", "claimed", "second", "decided", "due"]


async def list_reviews(asked: Asked) -> Response:
    """Say what waits for a person."""
    return document(await asked.shared.engine.reviews(decode_review_query(asked.given()), by=asked.caller.name))


async def find_review(asked: Asked) -> Response:
    """Say how the review of a decision stands."""
    return document(await asked.shared.engine.find_review(asked.part("decision_id"), by=asked.caller.name))


async def review(asked: Asked) -> Response:
    """Do something with a review."""
    command = decode_act(await asked.json(max_bytes=ANNOTATION_MAX_BYTES))
    done = await asked.shared.engine.review(
        command.action,
        command.decision_id,
        outcome=command.outcome,
        reason=command.reason,
        note=command.note,
        by=asked.caller.named(command.by),
    )
    return document(done)


ROUTES = (
    Route(
        method="GET",
        path="/v1/reviews",
        answer=list_reviews,
        scope="review",
        summary="Say what waits for a person, the oldest first",
        parameters=(
            parameter("status", Status, "How it stands; `due` is what is late. All that waits unless given."),
            parameter("policy", Name, "The name of the policy that decided."),
            parameter("reason", Name, "A code of the rules that decided."),
            parameter("holder", Name, "Who has claimed it."),
            parameter("since", Time, "When it was decided, at the earliest; 14 days ago unless given."),
            parameter("limit", Limit, "Reviews at most; 100 unless given."),
        ),
        gives={200: {JSON: ReviewsDocument}},
    ),
    Route(
        method="GET",
        path="/v1/reviews/{decision_id}",
        answer=find_review,
        scope="review",
        summary="Say how the review of a decision stands",
        parameters=(parameter("decision_id", DecisionId, "The decision.", place="path"),),
        gives={200: {JSON: ReviewDocument}},
    ),
    Route(
        method="POST",
        path="/v1/reviews",
        answer=review,
        scope="review",
        summary="Claim a review, note something, give it back, or decide",
        takes={JSON: ReviewCommand},
        gives={200: {JSON: ReviewDocument}},
    ),
)
