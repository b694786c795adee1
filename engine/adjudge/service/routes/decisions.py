"""Decisions: made, and found again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, cast

from msgspec import Meta
from starlette.responses import Response

from adjudge.decision.door import Audience
from adjudge.documents.decisions import DecisionDocument, DecisionsDocument, decision_document, page_document
from adjudge.documents.explanations import ExplanationDocument
from adjudge.documents.forms import FormDocument, RequestDocument
from adjudge.documents.problems import NO_DECISION, problem
from adjudge.documents.queries import decode_query
from adjudge.documents.requests import DOCUMENT_MAX_BYTES
from adjudge.documents.terms import Cursor, DecisionId, MerchantBizId, said
from adjudge.model import SEARCH_LIMIT_MAX, SEARCH_TEXT_MAX_CHARS, Outcome
from adjudge.service.admission import Refused
from adjudge.service.answers import JSON, document
from adjudge.service.asked import Asked
from adjudge.service.reading import DEADLINE, FORM, FORM_HEADER, read_form, read_request
from adjudge.service.route import Route, parameter

Name = Annotated[str, said("", "device.score", minLength=1, maxLength=SEARCH_TEXT_MAX_CHARS)]
Limit = Annotated[int, said("", 100, minimum=1, maximum=SEARCH_LIMIT_MAX)]
Locale = Annotated[str, said("", "pt-BR", pattern="^[A-Za-z0-9]{1,8}([_-][A-Za-z0-9]{1,8}){0,4}$")]
Time = Annotated[datetime, Meta(tz=True, examples=["2026-01-31T09:30:00Z"])]


async def decide(asked: Asked) -> Response:
    """Decide a request."""
    anew, deadline_s = asked.flag("anew"), asked.deadline_s()
    if asked.media_type == FORM:
        request = await read_form(asked)
    else:
        request = await read_request(asked.shared.readers, await asked.json(max_bytes=DOCUMENT_MAX_BYTES))
    decision = await asked.shared.engine.decide(request, anew=anew, deadline_s=deadline_s)
    asked.note(decision_id=decision.decision_id, outcome=decision.outcome.value)
    if not decision.awaits:
        return document(decision_document(decision))
    response = document(decision_document(decision), status=202)
    response.headers["location"] = f"/v1/decisions?merchant_biz_id={decision.merchant_biz_id}"
    return response


async def search(asked: Asked) -> Response:
    """Give a page of the decisions that are asked for, newest first."""
    given = asked.given()
    cursor = given.pop("cursor", None)
    page = await asked.shared.engine.search(decode_query(given), cursor=cursor)
    return document(page_document(page))


async def find_one(asked: Asked) -> Response:
    """Give the decision of an id."""
    found = await asked.shared.engine.find(decision_id=asked.part("decision_id"))
    if found is None:
        raise Refused(problem(NO_DECISION, "there is no decision of this id"))
    return document(decision_document(found))


async def explain(asked: Asked) -> Response:
    """Say why a decision came out so, and what would have changed it."""
    given = asked.given()
    audience = cast(Audience, given.get("audience", "team"))  # which the engine looks at
    locale = given.get("locale", "en")
    found = await asked.shared.engine.explain(asked.part("decision_id"), locale=locale, audience=audience)
    if found is None:
        raise Refused(problem(NO_DECISION, "there is no decision of this id"))
    return document(found)


ROUTES = (
    Route(
        method="POST",
        path="/v1/decisions",
        answer=decide,
        scope="decide",
        summary="Decide a request, or give the answer that its MerchantBizId has already",
        parameters=(
            parameter("anew", bool, "Whether to decide again although there is an answer, which is superseded then."),
            DEADLINE,
            parameter(FORM_HEADER, Literal["1"], "Must be there with a form, unless there is a key.", place="header"),
        ),
        takes={JSON: RequestDocument, FORM: FormDocument},
        is_repeatable=True,  # but for `anew`
        gives={200: {JSON: DecisionDocument}, 202: {JSON: DecisionDocument}},
        problems=("merchant-biz-id-conflict",),
    ),
    Route(
        method="GET",
        path="/v1/decisions",
        answer=search,
        scope="read",
        summary="Search past decisions, newest first, a page at a time",
        parameters=(
            parameter("merchant_biz_id", MerchantBizId, "The check."),
            parameter("outcome", Outcome, "What was to happen."),
            parameter("policy", Name, "The name of the policy that decided."),
            parameter("rule", Name, "A rule that is true."),
            parameter("reason", Name, "A code of the rules that decided."),
            parameter("missing", Name, "A field or signal that was unknown and would have been needed."),
            parameter("tag", Name, "A tag of a rule that is true."),
            parameter("waiver", Name, "A rule that was in doubt, and that the policy let pass."),
            parameter("unknown", Name, "A signal that was wanted and did not answer."),
            parameter("since", Time, "When it was decided, at the earliest."),
            parameter("until", Time, "Before when it was decided."),
            parameter("limit", Limit, "Decisions on a page; 50 unless given."),
            parameter("cursor", Cursor, "The `next` of the page before, of the same search."),
        ),
        gives={200: {JSON: DecisionsDocument}},
    ),
    Route(
        method="GET",
        path="/v1/decisions/{decision_id}",
        answer=find_one,
        scope="read",
        summary="Find the decision of an id",
        parameters=(parameter("decision_id", DecisionId, "The decision.", place="path"),),
        gives={200: {JSON: DecisionDocument}},
        problems=(NO_DECISION,),
    ),
    Route(
        method="GET",
        path="/v1/decisions/{decision_id}/explanation",
        answer=explain,
        scope="read",
        summary="Say why a decision came out so, and what would have changed it",
        parameters=(
            parameter("decision_id", DecisionId, "The decision.", place="path"),
            parameter("locale", Locale, "Of the policy's texts; `en` unless given."),
            parameter("audience", Audience, "Who it is for; `applicant` says only what an applicant may be told."),
        ),
        gives={200: {JSON: ExplanationDocument}},
        problems=(NO_DECISION,),
    ),
)
