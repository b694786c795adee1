"""The service beside a route that does nothing, over the same server, and under load. Traffic on 127.0.0.1 only.

`python -m benchmarks.service`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from adjudge import Face
from adjudge_plugins.aliyun.client import Client
from adjudge_plugins.aliyun.endpoint import parse_endpoint
from adjudge_plugins.aliyun.signing import SANDBOX_CREDENTIALS
from adjudge_plugins.http_exchange import connect
from benchmarks.load import Load, at_rate, full_speed, post
from benchmarks.media import picture
from benchmarks.postgres import PROGRAMS, Server, migrated
from benchmarks.served import Served, nothing, service
from benchmarks.vendor import DETECTION, FLYING, LATENCY_S, sandbox
from benchmarks.vendor import POLICY as VENDOR_POLICY
from benchmarks.workload import workload

CONNECTIONS = 16
REQUESTS, ROUNDS, PACED, TURNS, REPLACED_S = 2000, 5, 3000, 3, 6
SHADOW = "rollouts: {candidates: {next: next.yaml}}\n"
UNLIMITED = """deadline: 60s
allow: {{hosts: ["{host}"]}}
providers: {{aliyun.deepfake: {{rate: 1000000, in_flight: 1000, attempts: 1, breaker: {{failures: 1000, pause: 1s}}}}}}
"""
_numbers = count(1)


def documents(number: int) -> list[bytes]:
    """Return request documents, each with an id of its own and every signal supplied."""
    asked = workload(50).requests
    return [_document(asked[at % len(asked)]) for at in range(number)]


def _document(given: dict[str, Any]) -> bytes:
    inputs = {name: value for name, value in given.items() if not isinstance(value, dict)}
    signals = {name: value for name, value in given.items() if isinstance(value, dict)}
    said = {"merchant_biz_id": f"{next(_numbers):032d}", "scene_code": "bench00001"}
    return json.dumps({**said, "inputs": inputs, "signals": signals}).encode()


def configured(folder: Path, more: str = "", policies: dict[str, str] | None = None) -> Path:
    """Write a configuration with the policy of 50 rules, and return its path. more: further lines of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (policies or {"bench": workload(50).policy}).items():
        (folder / f"{name}.yaml").write_text(text)
    names = ", ".join(f"{name}.yaml" for name in policies or {"bench": ""})
    config = folder / "adjudge.yaml"
    config.write_text(f"policies: [{names}]\naudit: {{directory: audit}}\n{more}")
    return config


def sent(served: Served, number: int = REQUESTS, path: str = "/v1/decisions") -> tuple[Load, float]:
    """Send requests at full speed; return what came of it, and the server's microseconds of CPU a request."""
    requests = [post(served.url, path, body) for body in documents(number)]
    before = served.cpu_s()
    load = asyncio.run(full_speed(served.url, requests, CONNECTIONS))
    return load, (served.cpu_s() - before) / number * 1e6


def beside_nothing(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Compare rates, CPU and the 99th percentile with those of a route that does nothing."""
    with service(configured(folder)) as ours:
        first = asyncio.run(full_speed(ours.url, [post(ours.url, "/v1/decisions", documents(1)[0])], 1, keep=True))
        answer = folder / "answer.json"
        answer.write_bytes(first.bodies[0])
        with nothing(answer) as none:
            rates: list[list[float]] = [[], []]
            cpu: list[list[float]] = [[], []]
            for _ in range(ROUNDS):
                for at, served in enumerate((ours, none)):
                    load, took = sent(served)
                    assert not load.failed, load.statuses
                    rates[at].append(load.rate)
                    cpu[at].append(took)
            mine, theirs = (median(of[1:]) for of in rates)
            yield (
                f"decisions over HTTP, fsync, one worker: {mine:,.0f}/s, a route that does nothing {theirs:,.0f}/s",
                f"{mine / theirs:.2f}×",
                "≥ 0.4×",
            )
            ours_us, none_us = (median(of[1:]) for of in cpu)
            yield (
                f"the server's CPU a request: {ours_us:.0f} µs, {none_us:.0f} µs",
                f"{ours_us / none_us:.1f}×",
                "≤ 2.2×",
            )
            tails: list[list[float]] = [[], []]
            for _ in range(3):
                for at, served in enumerate((ours, none)):
                    requests = [post(served.url, "/v1/decisions", body) for body in documents(PACED)]
                    paced = asyncio.run(at_rate(served.url, requests, mine / 2, CONNECTIONS * 4))
                    assert not paced.failed, paced.statuses
                    tails[at].append(paced.at(0.99) * 1000)
            ours_ms, none_ms = (median(of) for of in tails)
            yield (
                f"99th percentile at {mine / 2:,.0f} requests a second: {ours_ms:.1f} ms, {none_ms:.1f} ms",
                f"{ours_ms / none_ms:.1f}×",
                "≤ 4×",
            )


def replaced(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Replace the policy every second under load, beside the same load without that."""
    text = workload(50).policy
    config = configured(folder, "policies_every: 200ms\n")
    with service(config) as ours:
        rate = sent(ours)[0].rate / 2
        tails: list[list[float]] = [[], []]
        failed, changes = 0, count()
        for _ in range(TURNS):
            for is_replaced in (False, True):
                requests = [post(ours.url, "/v1/decisions", body) for body in documents(int(rate * REPLACED_S))]
                over = threading.Event()

                def replace(over: threading.Event = over) -> None:
                    while not over.wait(1.0):
                        (folder / "bench.new").write_text(f"{text}# {next(changes)}\n")
                        (folder / "bench.new").rename(folder / "bench.yaml")

                beside = threading.Thread(target=replace)
                if is_replaced:
                    beside.start()
                load = asyncio.run(at_rate(ours.url, requests, rate, CONNECTIONS * 4))
                over.set()
                if is_replaced:
                    beside.join()
                failed += load.failed
                tails[is_replaced].append(load.at(0.99) * 1000)
        taken = sum(one.read_bytes().count(b"activation") for one in (folder / "audit").glob("*.jsonl"))
        assert taken > TURNS, "the policy was not replaced"
        still, moving = (median(of) for of in tails)
        yield (
            f"a new policy of 50 rules every second, {rate:,.0f} requests a second: {failed} failed,"
            f" 99th percentile {moving:.1f} ms, without {still:.1f} ms",
            f"{moving / still:.2f}×",
            "0 failed, ≤ 1.5×",
        )


def shadowed(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Judge a shadow of 50 rules beside each decision, and compare the server's CPU with that of none."""
    alone, beside = configured(folder / "alone"), configured(folder / "beside", SHADOW)
    (folder / "beside" / "next.yaml").write_text(workload(50, seed=8).policy)
    with service(alone) as one, service(beside) as other:
        start = ["rollout", "start", "watch", "--mode", "shadow", "--candidate", "next", "--by", "benchmark"]
        subprocess.run(
            [sys.executable, "-m", "adjudge", *start, "--service", other.url], check=True, capture_output=True
        )
        cpu: list[list[float]] = [[], []]
        for _ in range(ROUNDS):
            for at, served in enumerate((one, other)):
                cpu[at].append(sent(served)[1])
        without, with_it = (median(of[1:]) for of in cpu)
        yield (
            f"the server's CPU a request with a shadow of 50 rules: {with_it:.0f} µs, without {without:.0f} µs",
            f"{with_it / without:.2f}×",
            "≤ 1.15×",
        )


def flying(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Decide for many faces at once, beside bare httpx making the same calls: what fails, memory, and how fast."""
    images = [base64.b64encode(b"\xff\xd8\xff\xfe\x00\x0a%08d" % at + picture()[2:]).decode() for at in range(FLYING)]
    with sandbox() as vendor:
        policies = {"onboarding": VENDOR_POLICY.format(url=vendor)}
        with service(configured(folder, UNLIMITED.format(host=urlsplit(vendor).netloc), policies)) as ours:
            rates: list[list[float]] = [[], []]
            for _ in range(TURNS):
                requests = [post(ours.url, "/v1/decisions", _face(image)) for image in images]
                load = asyncio.run(full_speed(ours.url, requests, FLYING, keep=True))
                unknown = sum(not json.loads(body)["settled"] for body in load.bodies)
                rates[0].append(load.rate)
                rates[1].append(asyncio.run(_bare_calls(vendor)))
            mine, theirs = (median(of) for of in rates)
            yield (
                f"{FLYING} faces of 100 KB at once over HTTP, provider {LATENCY_S} s: {load.failed + unknown} failed,"
                f" the service's memory at its peak {ours.peak_mb():.0f} MB",
                f"{mine / theirs:.2f}× bare httpx ({theirs:.0f}/s)",
                "≥ 0.7×, ≤ 500 MB",
            )


def _face(image: str) -> bytes:
    said = {"merchant_biz_id": f"{next(_numbers):032d}", "scene_code": "bench00001"}
    return json.dumps({**said, "face": {"base64": image}}).encode()


async def _bare_calls(vendor: str) -> float:
    """Return how many calls a second bare httpx makes of the vendor, as many at once."""
    async with connect(loopback=True) as http:
        client = Client(http=http, endpoint=parse_endpoint(vendor))
        faces = [Face.from_bytes(picture()) for _ in range(FLYING)]
        start = perf_counter()
        prepared = [client.request(DETECTION, face, SANDBOX_CREDENTIALS) for face in faces]
        answers = await asyncio.gather(
            *(http.post(str(one.url), headers=dict(one.headers), content=one.content, timeout=60) for one in prepared)
        )
        took = perf_counter() - start
    if any(answer.status_code != 200 for answer in answers):
        raise RuntimeError("the sandbox refused a bare call")
    return FLYING / took


def two_workers(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Compare one and two services over one PostgreSQL."""
    if PROGRAMS is None:
        yield "two services over one PostgreSQL", "skipped: no PostgreSQL is installed here", "≥ 1.5×"
        return
    server = Server()
    try:
        dsn = migrated(server)
        key = folder / "fingerprint.key"
        folder.mkdir()
        key.write_bytes(os.urandom(32))
        ledger = f'ledger: {{postgres: {{dsn: "{dsn}", fingerprint_key: {{file: "{key}"}}}}}}\n'
        with service(_over_postgres(folder / "a", ledger)) as one, service(_over_postgres(folder / "b", ledger)) as two:
            rates: list[list[float]] = [[], []]
            for _ in range(ROUNDS):
                rates[0].append(sent(one, 1000)[0].rate)
                rates[1].append(asyncio.run(_sent_to_both(one, two)))
            alone, both = (median(of[1:]) for of in rates)
            yield (
                f"two services over one PostgreSQL: {both:,.0f}/s, one {alone:,.0f}/s",
                f"{both / alone:.2f}×",
                "≥ 1.5×",
            )
    finally:
        server.close()


def _over_postgres(folder: Path, ledger: str) -> Path:
    config = configured(folder)
    config.write_text(f"policies: [bench.yaml]\n{ledger}")
    return config


async def _sent_to_both(*workers: Served) -> float:
    """Return answers a second of all workers together."""
    asked = [[post(one.url, "/v1/decisions", body) for body in documents(1000)] for one in workers]
    start = perf_counter()
    loads = await asyncio.gather(
        *(full_speed(one.url, requests, CONNECTIONS) for one, requests in zip(workers, asked, strict=True))
    )
    assert not any(load.failed for load in loads)
    return sum(len(load.latencies) for load in loads) / (perf_counter() - start)


def rows() -> Iterator[tuple[str, str, str]]:
    """Measure every row of the service."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        yield from beside_nothing(folder / "nothing")
        yield from replaced(folder / "replaced")
        yield from shadowed(folder / "shadowed")
        yield from flying(folder / "flying")
        yield from two_workers(folder / "workers")


def main(found: Sequence[tuple[str, str, str]] | None = None) -> None:
    """Print the rows."""
    for what, figure, least in found or rows():
        print(f"| {what} | {figure} | {least} |", flush=True)


if __name__ == "__main__":
    main()
