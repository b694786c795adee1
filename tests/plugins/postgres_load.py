"""An engine over PostgreSQL that decides the same ids as others beside it, until it is killed.

`python postgres_load.py DSN BILL NOTES [DAILY_CALLS]`: appends each id to BILL where its vendor is asked, and `NUMBER
DECISION_ID COMPLETE` of each answer to NOTES. Ends by itself once every id has an answer. With a budget, the vendor
refuses every fourth call, which costs nothing.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal

import adjudge.engine
from adjudge.engine import Engine
from adjudge.errors import AuditUnavailable, SignalFailed
from adjudge.model import Request
from adjudge.plugin import Answer, Context, Limits
from adjudge.registry import parse_policy
from adjudge.testing import fake_provider, registry_of
from adjudge_plugins.postgres.ledger import PostgresLedger

IDS, CALLERS = 300, 3
PLAIN = range(1000, 1300)
"""Ids whose policy asks nobody; the others' asks a vendor."""
KEY = b"k" * 32
POLICY = """
policy_language: 1
policy: shared
signals: {face: {provider: acme.face}}
scenes: [onboard001]
rules: [{id: forged, when: face.score >= 0.9, then: reject}]
"""
PLAIN_POLICY = """
policy_language: 1
policy: plain
scenes: [plain]
inputs: {country: string}
rules: [{id: abroad, when: country != "SG", then: review}]
"""


def vendor(bill: int, refuses: bool) -> Callable[[Context], Awaitable[Answer]]:
    async def asked(context: Context) -> Answer:
        if refuses and random.random() < 0.25:
            raise SignalFailed("refused", billed=False)
        os.write(bill, f"{context.request.merchant_biz_id}\n".encode())
        await asyncio.sleep(random.uniform(0, 0.2))
        return {"score": 0.1}

    return asked


async def main(dsn: str, bill: str, notes: str, daily_calls: str = "") -> None:
    adjudge.engine.RECORDED_WITHIN_S = 0.5  # so that a killed holder's claims lapse soon
    billed, noted = (os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) for path in (bill, notes))
    provider = fake_provider(
        "acme.face",
        {"score": {"type": "double", "range": [0, 1]}},
        vendor(billed, bool(daily_calls)),
        price=Decimal("0.10"),
    )
    registry = registry_of([provider])
    policies = [parse_policy(text, registry=registry) for text in (POLICY, PLAIN_POLICY)]
    ledger = PostgresLedger(dsn, KEY, answer_for_s=3600)
    limits = {"acme.face": Limits(daily_calls=int(daily_calls) if daily_calls else None)}
    numbers = [*range(IDS // 3)] if daily_calls else [*range(IDS), *PLAIN]
    async with Engine(policies, registry=registry, ledger=ledger, deadline_s=1, limits=limits) as engine:

        async def work() -> None:
            for number in random.sample(numbers, len(numbers)):
                plain = {"scene_code": "plain", "inputs": {"country": "SG"}}
                asked = plain if number in PLAIN else {"scene_code": "onboard001"}
                request = Request(merchant_biz_id=f"{number:032d}", **asked)
                while True:
                    try:
                        decision = await engine.decide(request)
                        break
                    except AuditUnavailable:
                        await asyncio.sleep(0.05)
                os.write(noted, f"{number} {decision.decision_id} {decision.complete}\n".encode())

        await asyncio.gather(*(work() for _ in range(CALLERS)))


if __name__ == "__main__":
    while True:
        try:
            asyncio.run(main(*sys.argv[1:]))
            break
        except AuditUnavailable:  # at the start: whoever runs it starts it again
            time.sleep(0.2)
