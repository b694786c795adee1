"""A worker over PostgreSQL to which versions are proposed, and that does what it is told, line by line."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from adjudge.authoring import checks
from adjudge.engine import Engine
from adjudge.errors import AdjudgeError
from adjudge.model import Request
from adjudge.proposals.settings import ProposalSettings
from adjudge.registry import Registry, parse_policy
from adjudge.rollouts.settings import RolloutSettings
from adjudge_plugins.postgres.ledger import PostgresLedger

POLICY = "{policy_language: 1, policy: onboarding, inputs: {n: int}, rules: [{id: r, when: n > LIMIT, then: reject}]}"


def engine(dsn: str) -> Engine:
    """Return a worker's engine, not open yet."""
    champion = parse_policy(POLICY.replace("LIMIT", "70"), registry=Registry())
    return Engine(
        [champion],
        registry=Registry(),
        ledger=PostgresLedger(dsn, b"k" * 32, answer_for_s=3600),
        rollouts=RolloutSettings(look_every_s=0.05, tally_every_s=0.05),
        proposals=ProposalSettings(four_eyes=True),
    )


async def done(one: Engine, do: str, **said: Any) -> Any:
    """Do one thing, and return what there is to say of it."""
    if do == "decide":
        request = Request(merchant_biz_id=f"{said['number']:032d}", scene_code="a", inputs={"n": said["n"]})
        return (await one.decide(request)).outcome.value
    if do == "status":
        return {each.name: [each.status, each.step, each.live] for each in await one.proposals()}
    if "limit" in said:
        said["text"] = POLICY.replace("LIMIT", str(said.pop("limit")))
    found = await one.proposal(do, **said)
    return [found.name, found.status, found.step, found.live]


async def main(dsn: str) -> None:
    """Do what standard input says until it ends."""
    checks._compared = lambda base, proposed: (None, "not here")  # it is tested where it is done
    async with engine(dsn) as one:
        print(json.dumps("open"), flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            try:
                answer = await done(one, **json.loads(line))
            except AdjudgeError as error:
                answer = f"{error.code}: {error}"
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
