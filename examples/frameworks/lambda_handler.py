"""A function that a cloud starts, freezes and drops: it asks a service, and keeps nothing.

Its disk goes with it, and its threads stand still between two calls. So no engine with files of its own runs here. The
client is opened once for each instance, outside of the handler, and its deadline is what the platform leaves.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from adjudge import AdjudgeError
from adjudge.client import Engine
from adjudge.documents import decode_request, problem_of

LEFT_S = 1.0
"""Seconds of the platform's limit that are left for the answer to arrive."""

engine = Engine(os.environ["ADJUDGE_SERVICE"], answer_within_s=5.0).__enter__()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    deadline_s = max(0.1, context.get_remaining_time_in_millis() / 1000 - LEFT_S)
    try:
        decision = engine.decide_sync(decode_request(event["body"].encode()), deadline_s=deadline_s)
    except AdjudgeError as error:
        said = problem_of(error)
        return {"statusCode": said.status, "body": msgspec.json.encode(said).decode()}
    answer = {"outcome": decision.outcome, "decision_id": decision.decision_id}
    return {"statusCode": 200, "body": msgspec.json.encode(answer).decode()}
