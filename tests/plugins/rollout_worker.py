"""A worker over PostgreSQL that takes part in rollouts, and does what it is told, line by line."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from adjudge.engine import Engine
from adjudge.errors import AdjudgeError
from adjudge.model import Request
from adjudge.registry import Registry, parse_policy
from adjudge.rollouts.guard_rails import GuardRails
from adjudge.rollouts.settings import RolloutSettings
from adjudge_plugins.postgres.ledger import PostgresLedger

POLICY = "{policy_language: 1, policy: onboarding, inputs: {n: int}, rules: [{id: r, when: n > LIMIT, then: reject}]}"
CHAMPION, OTHER = (parse_policy(POLICY.replace("LIMIT", limit), registry=Registry()) for limit in ("70", "20"))


def engine(dsn: str, look_every_s: float = 0.05) -> Engine:
    """Return a worker's engine, not open yet."""
    rails = GuardRails(limits={"reject": 1.25}, enough=50)
    settings = RolloutSettings(
        candidates={"other": OTHER}, rails=rails, look_every_s=look_every_s, tally_every_s=look_every_s
    )
    ledger = PostgresLedger(dsn, b"k" * 32, answer_for_s=3600)
    return Engine([CHAMPION], registry=Registry(), ledger=ledger, rollouts=settings)


async def done(one: Engine, do: str, **said: Any) -> Any:
    """Do one thing, and return what there is to say of it."""
    if do == "decide":
        requests = (
            Request(merchant_biz_id=f"{n:032d}", scene_code="a", inputs={"n": n % 100}) for n in range(*said["numbers"])
        )
        made = await asyncio.gather(*(one.decide(request) for request in requests))
        return [[each.decision_id, each.arm.name if each.arm else None, each.status] for each in made]
    if do == "status":
        return {each.name: [each.status, each.share, each.action] for each in await one.rollouts()}
    return (await one.rollout(do, **said)).status


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
