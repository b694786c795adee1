"""The policies that answer."""

from __future__ import annotations

from starlette.responses import Response

from adjudge.documents.policies import PoliciesDocument, PolicyDocument, policies_document, policy_document
from adjudge.documents.problems import NO_POLICY, problem
from adjudge.documents.terms import PolicyName
from adjudge.service.admission import Refused
from adjudge.service.answers import JSON, document
from adjudge.service.asked import Asked
from adjudge.service.route import Route, parameter


async def list_policies(asked: Asked) -> Response:
    """Say which policies answer now."""
    return document(policies_document(await asked.shared.engine.served()))


async def find_policy(asked: Asked) -> Response:
    """Give a policy that answers now, with its text."""
    found = await asked.shared.engine.find_policy(asked.part("name"))
    if found is None:
        raise Refused(problem(NO_POLICY, "no policy of this name answers"))
    return document(policy_document(found))


ROUTES = (
    Route(
        method="GET",
        path="/v1/policies",
        answer=list_policies,
        scope="read",
        summary="List the policies that answer now",
        gives={200: {JSON: PoliciesDocument}},
    ),
    Route(
        method="GET",
        path="/v1/policies/{name}",
        answer=find_policy,
        scope="read",
        summary="Find a policy that answers now, with its text",
        parameters=(parameter("name", PolicyName, "The policy.", place="path"),),
        gives={200: {JSON: PolicyDocument}},
        problems=(NO_POLICY,),
    ),
)
