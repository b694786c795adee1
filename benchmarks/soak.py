"""The service for an hour, or minutes in CI: requests at a rate, faults at random, and nothing may leak or be lost.

`python -m benchmarks.soak --minutes 60 --rate 200`. A vendor answers, is slow, breaks off and refuses; callers repeat
ids, contradict themselves, send nonsense and hang up; the policy changes every few seconds. In the end:

- no answer is a fault of the service, and its events have none;
- its memory has stopped growing: the line through what was measured once everything that is bounded is full is flat. A
  run that is too short for that bounds the peak alone;
- every acknowledged decision stands in the log, which verifies, and each id has one answer.

Ends with status 1 where one of these is not so. Traffic on 127.0.0.1 only.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import linear_regression
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import click

from adjudge.audit.verify import verify
from benchmarks.load import connect, post
from benchmarks.served import Served, service
from benchmarks.vendor import server

POLICY = """
policy_language: 1
policy: soak
when_unknown: review
inputs: {{country: string, amount: {{type: double, range: [0, 1000000]}}, email: {{type: string, personal: true}}}}
signals:
  face: {{provider: aliyun.deepfake, timeout: 2s, with: {{endpoint: "{url}"}}}}
  device: {{fields: {{score: {{type: double, range: [0, 100]}}}}}}
rules:
  - {{id: sanctioned, when: 'country in ["IR", "KP"]', then: reject}}
  - {{id: forged, when: face.result == "high", then: reject}}
  - {{id: large, when: amount > {amount}, then: review}}
"""
CONFIG = """
policies: [policy.yaml]
policies_every: 1s
audit: {{directory: audit}}
deadline: 3s
allow: {{hosts: ["{host}"]}}
providers:
  aliyun.deepfake: {{rate: 100000, in_flight: 500, attempts: 1, breaker: {{failures: 100000, pause: 1s}}}}
"""
SCENARIO = {
    "default": {"result": "low"},
    "random": {"seed": 7},
    "latency": "20ms",
    "jitter": "60ms",
    "shares": [
        {"share": "2%", "code": "NoFaceDetected"},
        {"share": "1%", "fault": "lose"},
        {"share": "1%", "fault": "reset"},
        {"share": "0.5%", "fault": "black_hole"},
        {"share": "1%", "fault": "truncate"},
        {"share": "1%", "fault": "html"},
        {"share": "1%", "fault": "garbage"},
    ],
}
EXPECTED = {200, 400, 409, 503}
"""503 is Overloaded alone: see `Soak.wrong`."""
MEASURED_EVERY_S, POLICY_EVERY_S, CONNECTIONS = 5.0, 7.0, 256
WARM_UP_REQUESTS, MEASURED_LEAST = 60_000, 20
GROWTH_MAX_MB_PER_1000, PEAK_MAX_MB = 0.1, 250
"""Of memory for each thousand requests after the warm-up: a small part of what keeping them would take."""


@dataclass
class Soak:
    """What came of it. acknowledged: decision ids by MerchantBizId; memory: (requests so far, MB)."""

    draw: random.Random
    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: dict[str, set[str]] = field(default_factory=dict)
    memory: list[tuple[float, float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def bodies(self) -> Iterator[bytes]:
        """Return requests without an end: new ids, old ids again, the same with other inputs, and nonsense."""
        asked: list[dict[str, Any]] = []
        number = 0
        while True:
            kind = self.draw.random()
            if kind < 0.02:
                yield self.draw.choice((b"{", b"[]", b'{"merchant_biz_id": 3}', b"\xff" * 50, b"[" * 5000))
                continue
            if kind < 0.08 and asked:
                yield json.dumps(self.draw.choice(asked)).encode()
                continue
            if kind < 0.10 and asked:
                one = self.draw.choice(asked)
                yield json.dumps({**one, "inputs": {**one["inputs"], "country": "XX"}}).encode()
                continue
            number += 1
            said = self._request(number)
            asked = [*asked[-199:], said]
            yield json.dumps(said).encode()

    def _request(self, number: int) -> dict[str, Any]:
        inputs: dict[str, Any] = {"country": self.draw.choice(("SG", "MY", "KP")), "amount": self.draw.random() * 9000}
        if self.draw.random() < 0.1:
            inputs["email"] = f"{number}@example.com"
        said: dict[str, Any] = {"merchant_biz_id": f"{number:032}", "scene_code": "soak000001", "inputs": inputs}
        if self.draw.random() < 0.8:
            said["signals"] = {"device": {"score": self.draw.random() * 100}}
        if self.draw.random() < 0.9:
            said["face"] = {"url": f"https://faces.example/{number}.jpg"}
        return said

    def take(self, status: int, body: bytes) -> None:
        """Take note of an answer."""
        self.statuses[status] += 1
        if status == 200:
            said = json.loads(body)
            self.acknowledged.setdefault(said["merchant_biz_id"], set()).add(said["decision_id"])
        elif status not in EXPECTED or (status == 503 and b'"overloaded"' not in body):
            self.wrong.append(f"answered {status}: {body[:200]!r}")


async def _ask(soak: Soak, served: Served, minutes: float, rate: float, folder: Path) -> None:
    bodies, numbered = soak.bodies(), count()
    start = perf_counter()
    end = start + minutes * 60

    async def work() -> None:
        (connection,) = await connect(served.url, 1)
        for number in numbered:
            if (early := start + number / rate - perf_counter()) > 0:
                await asyncio.sleep(early)
            if perf_counter() > end:  # a busy machine does less, and not longer
                break
            request = post(served.url, "/v1/decisions", next(bodies))
            if soak.draw.random() < 0.005:  # somebody hangs up, before or after all is sent
                connection.send(request[: soak.draw.randrange(len(request) + 1)])
                connection.close()
                (connection,) = await connect(served.url, 1)
                continue
            try:
                soak.take(*await connection.ask(request))
            except ConnectionError:  # after a body that was not read to its end
                (connection,) = await connect(served.url, 1)
        connection.close()

    async def measure() -> None:
        while True:
            await asyncio.sleep(min(MEASURED_EVERY_S, minutes * 60 / 40))
            soak.memory.append((soak.statuses.total(), served.resident_mb()))

    async def replace(url: str) -> None:
        for amount in range(10**9):
            await asyncio.sleep(POLICY_EVERY_S)
            (folder / "policy.new").write_text(POLICY.format(url=url, amount=5000 + amount % 2))
            (folder / "policy.new").rename(folder / "policy.yaml")

    url = (folder / "vendor").read_text()
    beside = [asyncio.create_task(measure()), asyncio.create_task(replace(url))]
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    for task in beside:
        task.cancel()


def _held_against_the_log(soak: Soak, folder: Path) -> None:
    """Look whether what was acknowledged stands in the log, and once."""
    if (found := verify(folder / "audit")).problem is not None:
        soak.wrong.append(f"the log does not verify: {found.problem}")
    recorded: dict[str, set[str]] = {}
    for segment in sorted((folder / "audit").glob("*.jsonl")):
        for line in segment.open("rb"):
            record = json.loads(line)
            if record["kind"] == "decision":
                recorded.setdefault(record["merchant_biz_id"], set()).add(record["decision_id"])
    lost = [one for merchant, ids in soak.acknowledged.items() for one in ids - recorded.get(merchant, set())]
    soak.wrong += [f"acknowledged and not recorded: {one}" for one in lost[:5]]


def _growth(memory: list[tuple[float, float]]) -> float | None:
    """Return MB a thousand requests, over the part after the warm-up; None where that was too short to tell."""
    late = [one for one in memory if one[0] > WARM_UP_REQUESTS]
    return linear_regression(*zip(*late, strict=True)).slope * 1000 if len(late) >= MEASURED_LEAST else None


@click.command()
@click.option("--minutes", type=click.FloatRange(0.2, 24 * 60), default=60.0, show_default=True)
@click.option("--rate", type=click.FloatRange(1, 5000), default=200.0, show_default=True, help="Requests a second.")
@click.option("--seed", type=int, default=0, show_default=True)
def main(minutes: float, rate: float, seed: int) -> None:
    """Soak the service."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "scenario.json").write_text(json.dumps(SCENARIO))
        soak = Soak(random.Random(seed))
        with server("adjudge", "sandbox", "--port", "0", "--scenario", str(folder / "scenario.json")) as url:
            (folder / "vendor").write_text(url)
            (folder / "policy.yaml").write_text(POLICY.format(url=url, amount=5000))
            (folder / "adjudge.yaml").write_text(CONFIG.format(host=urlsplit(url).netloc))
            with service(folder / "adjudge.yaml") as served:
                asyncio.run(_ask(soak, served, minutes, rate, folder))
                peak = served.peak_mb()
        events = (folder / "service.log").read_text()
        soak.wrong += [line for line in events.splitlines() if "request_failed" in line or "Traceback" in line][:5]
        _held_against_the_log(soak, folder)
        growth = _growth(soak.memory)
        if growth is not None and growth > GROWTH_MAX_MB_PER_1000:
            soak.wrong.append(f"memory grows by {growth:.2f} MB a thousand requests: {soak.memory[::8]}")
        if peak > PEAK_MAX_MB:
            soak.wrong.append(f"memory reached {peak:.0f} MB: {soak.memory[::8]}")
        said = ", ".join(f"{status}: {count:,}" for status, count in sorted(soak.statuses.items()))
        print(f"{minutes:g} minutes at {rate:g} a second; answers {said}; decisions {len(soak.acknowledged):,};")
        grown = f"growth {growth:+.3f} MB a thousand requests" if growth is not None else "too short to tell its growth"
        print(f"memory {soak.memory[-1][1]:.0f} MB, at its peak {peak:.0f}, {grown}")
        for line in soak.wrong[:10]:
            print(f"wrong: {line}", file=sys.stderr)
        sys.exit(1 if soak.wrong else 0)


if __name__ == "__main__":
    main()
