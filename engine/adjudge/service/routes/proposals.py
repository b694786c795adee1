"""Proposals: how they stand, and what is done with them."""

from __future__ import annotations

from starlette.responses import Response

from adjudge.documents.proposals import (
    SIZE_MAX,
    Name,
    ProposalCommand,
    ProposalDocument,
    ProposalsDocument,
    decode_command,
)
from adjudge.service.answers import JSON, document
from adjudge.service.asked import Asked
from adjudge.service.route import Route, parameter

PROPOSAL_MAX_BYTES = 4 * SIZE_MAX


async def list_proposals(asked: Asked) -> Response:
    """Say how proposals stand."""
    return document(ProposalsDocument(await asked.shared.engine.proposals()))


async def find_proposal(asked: Asked) -> Response:
    """Give a proposal, with its text."""
    return document(await asked.shared.engine.find_proposal(asked.part("name")))


async def act_on_proposal(asked: Asked) -> Response:
    """Do something with a proposal."""
    said = decode_command(await asked.json(max_bytes=PROPOSAL_MAX_BYTES))
    done = await asked.shared.engine.proposal(
        said.action,
        said.name,
        seen=said.seen,
        text=said.text,
        lists=said.lists,
        tests=said.tests,
        how=said.how,
        share=said.share,
        reason=said.reason,
        by=asked.caller.named(said.by),
    )
    return document(done)


ROUTES = (
    Route(
        method="GET",
        path="/v1/proposals",
        answer=list_proposals,
        scope="read",
        summary="Say how proposals stand",
        gives={200: {JSON: ProposalsDocument}},
    ),
    Route(
        method="GET",
        path="/v1/proposals/{name}",
        answer=find_proposal,
        scope="read",
        summary="Find a proposal, with its text",
        parameters=(parameter("name", Name, "The proposal.", place="path"),),
        gives={200: {JSON: ProposalDocument}},
    ),
    Route(
        method="POST",
        path="/v1/proposals",
        answer=act_on_proposal,
        scope="approve",
        summary="Make, comment, approve, send back, activate, roll back or withdraw a proposal",
        takes={JSON: ProposalCommand},
        gives={200: {JSON: ProposalDocument}},
        problems=("overtaken",),
    ),
)
