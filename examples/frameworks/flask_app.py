"""Flask under gunicorn: each worker opens a client at its first request, whether the application is preloaded or not.

adjudge serve adjudge.yaml --uds adjudge.sock &
ADJUDGE_SERVICE=adjudge.sock gunicorn flask_app:app --workers 4 --threads 8 --preload
"""

from __future__ import annotations

import os
from functools import cache
from threading import Lock

import msgspec
from flask import Flask, request
from flask.typing import ResponseReturnValue

from adjudge import AdjudgeError
from adjudge.client import Engine
from adjudge.documents import decode_request, problem_of

app = Flask(__name__)
_opening = Lock()


@cache
def opened() -> Engine:
    return Engine.open(os.environ["ADJUDGE_SERVICE"]).__enter__()  # it closes itself when the process ends


def engine() -> Engine:
    """The client of this process. Not opened at import: gunicorn forks its workers after that with `--preload`."""
    with _opening:
        return opened()


@app.post("/checks")
def check() -> ResponseReturnValue:
    try:
        decision = engine().decide_sync(decode_request(request.get_data()))
    except AdjudgeError as error:
        said = problem_of(error)
        return msgspec.to_builtins(said), said.status
    return {"outcome": decision.outcome, "decision_id": decision.decision_id}
