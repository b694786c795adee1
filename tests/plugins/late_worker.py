"""A worker over PostgreSQL that does one thing: `late_worker.py DSN decide`, or `DSN answer TICKET BODY`."""

from __future__ import annotations

import asyncio
import json
import sys

from adjudge.engine import Engine
from adjudge.errors import AdjudgeError
from adjudge.registry import parse_policy
from adjudge_plugins.postgres.ledger import PostgresLedger
from signals.late_vendor import POLICY, SIGNED, LateProvider, registry, request


async def main(dsn: str, do: str, *given: str) -> None:
    vendor = LateProvider()
    lent = registry(vendor)
    policy = parse_policy(POLICY, registry=lent)
    async with Engine([policy], registry=lent, ledger=PostgresLedger(dsn, b"k" * 32, answer_for_s=3600)) as engine:
        try:
            if do == "decide":
                decision = await engine.decide(request())
            else:
                decision = await engine.answer(given[0], given[1].encode(), SIGNED)
        except AdjudgeError as error:
            print(json.dumps({"code": error.code}))
            return
    said = {"id": decision.decision_id, "outcome": decision.outcome.value, "supersedes": decision.supersedes}
    print(json.dumps({**said, "calls": vendor.calls}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
