"""Fork engines that ask a sandbox of the vendor for many callers at once, until they are killed.

`python vendor_load.py URL ON_IN_DOUBT` reads lines `DIRECTORY NOTES SPREAD_S` and forks an engine for each. Its
callers begin within SPREAD_S seconds, work through the same ids, each in an order of its own, append
`NUMBER DECISION_ID` of each answer to NOTES, and then wait for the end. Prints the engine's process id, and `ended`
once it is gone.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import sys
from pathlib import Path

from PIL import Image

from adjudge.audit.trail import AuditTrail
from adjudge.engine import Engine
from adjudge.model import Face, Request
from adjudge.plugin import Limits
from adjudge.registry import parse_policy
from adjudge.testing import registry_of
from adjudge_plugins.aliyun.provider import DEEPFAKE
from adjudge_plugins.http_exchange import connect

CALLERS = 200
IDS = 50
NOTE_BYTES = len("NN ") + 32 + len("\n")
LIMITS = Limits(rate=None, in_flight=None, attempts=3)

POLICY = """
policy_language: 1
policy: onboarding
signals:
  face:
    provider: aliyun.deepfake
    when_billing_unknown: {when_billing_unknown}
    timeout: 15s
    with: {{endpoint: "{url}"}}
rules:
  - {{id: forged, when: face.result == "high", then: reject}}
"""


def merchant_biz_id(number: int) -> str:
    return f"{number:032d}"


def requests() -> list[Request]:
    """Return the request of every id, each with a portrait of its own."""
    made = []
    for number in range(IDS):
        written = io.BytesIO()
        Image.new("L", (480, 640), number).save(written, "JPEG")
        face = Face.from_bytes(written.getvalue())
        made.append(Request(merchant_biz_id=merchant_biz_id(number), scene_code="onboard001", face=face))
    return made


async def load(policy: str, asked: list[Request], directory: Path, notes: str, spread_s: float) -> None:
    """Have every caller decide every request once; never ends by itself."""
    noted = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    draw = random.Random()
    registry = registry_of([DEEPFAKE])
    engine = Engine(
        [parse_policy(policy, registry=registry)],
        registry=registry,
        trail=AuditTrail.open(directory),
        limits={DEEPFAKE.name: LIMITS},
    )

    async def call() -> None:
        await asyncio.sleep(draw.uniform(0, spread_s))
        for number in draw.sample(range(IDS), IDS):
            decision = await engine.decide(asked[number])
            os.write(noted, f"{number:02d} {decision.decision_id}\n".encode())

    async with engine:
        await asyncio.gather(*(call() for _ in range(CALLERS)))
        await asyncio.Event().wait()


async def import_all(url: str) -> None:
    """Send one request that is no call: the modules that it needs are then there for every engine."""
    async with connect(loopback=True) as client:
        await client.get(f"{url}/_sandbox/stats")


def main() -> None:
    url, when_billing_unknown = sys.argv[1:]
    asyncio.run(import_all(url))
    policy, asked = POLICY.format(url=url, when_billing_unknown=when_billing_unknown), requests()
    for line in sys.stdin:
        directory, notes, spread_s = line.split()
        process = os.fork()
        if process == 0:
            asyncio.run(load(policy, asked, Path(directory), notes, float(spread_s)))
        print(process, flush=True)
        os.waitpid(process, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
