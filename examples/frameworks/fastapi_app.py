"""FastAPI: the engine lives as long as the application, in its event loop.

uvicorn fastapi_app:app                                # one process: an engine of its own, and its files
ADJUDGE_SERVICE=adjudge.sock uvicorn fastapi_app:app --workers 4      # several: each asks `adjudge serve`
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from adjudge import AdjudgeError, Engine
from adjudge.client import Engine as Client
from adjudge.documents import decode_request, problem_of


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    service = os.environ.get("ADJUDGE_SERVICE")
    async with Client.open(service) if service else Engine.open("adjudge.yaml") as engine:
        app.state.engine = engine
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/checks")
async def check(request: Request) -> JSONResponse:
    try:
        decision = await request.app.state.engine.decide(decode_request(await request.body()))
    except AdjudgeError as error:
        said = problem_of(error)
        return JSONResponse(msgspec.to_builtins(said), said.status)
    return JSONResponse({"outcome": decision.outcome, "decision_id": decision.decision_id})
