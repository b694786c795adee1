"""A worker over PostgreSQL whose reviews people decide, as it is told, line by line."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import msgspec

from adjudge.engine import Engine
from adjudge.errors import AdjudgeError
from adjudge.model import Request
from adjudge.registry import Registry, parse_policy
from adjudge.reviews.settings import ReviewSettings
from adjudge_plugins.postgres.ledger import PostgresLedger

POLICY = parse_policy(
    "{policy_language: 1, policy: onboarding, inputs: {n: int, mail: {type: string, personal: true}},"
    " rules: [{id: r, when: n > 50, then: review}]}",
    registry=Registry(),
)


def engine(dsn: str) -> Engine:
    """Return a worker's engine, not open yet."""
    ledger = PostgresLedger(dsn, b"k" * 32, answer_for_s=3600)
    return Engine([POLICY], registry=Registry(), ledger=ledger, reviews=ReviewSettings())


async def done(one: Engine, do: str, **said: Any) -> Any:
    """Do one thing, and return what there is to say of it."""
    if do == "decide_request":
        inputs = {"n": 60, "mail": "a@example.com"}
        made = await one.decide(
            Request(merchant_biz_id=f"{said['n']:032d}", scene_code="a", inputs=inputs), anew=said.get("anew", False)
        )
        return [made.decision_id, made.outcome.value, made.status]
    if do == "erase":
        return await one.erase(f"{said['n']:032d}", by="dpo")
    if do == "queue":
        return [[each.decision_id, each.status, each.holder] for each in (await one.reviews()).reviews]
    return msgspec.to_builtins(await one.review(do, **said))


async def main(dsn: str) -> None:
    """Do what standard input says until it ends."""
    async with engine(dsn) as one:
        print(json.dumps("open"), flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            try:
                answer = await done(one, **json.loads(line))
            except AdjudgeError as error:
                answer = f"{type(error).__name__}: {error}"
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
