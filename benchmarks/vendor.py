"""What the vendor's client adds to a call, and what many calls at once take of memory. Traffic on 127.0.0.1 only."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter
from typing import Any

import httpx

from adjudge import Engine, Face, Request, parse_policy
from adjudge.audit.trail import AuditTrail
from adjudge.plugin import Context, Limits, ProviderClient
from adjudge.testing import registry_of
from adjudge_plugins.aliyun.client import Client, Detection
from adjudge_plugins.aliyun.endpoint import parse_endpoint
from adjudge_plugins.aliyun.provider import DEEPFAKE
from adjudge_plugins.aliyun.signing import SANDBOX_CREDENTIALS
from adjudge_plugins.aliyun.vocabulary import DETECT
from adjudge_plugins.http_exchange import connect
from benchmarks.media import picture

CALLS, WARM_UP = 400, 20
FLYING = 500
LATENCY_S = 1
DEADLINE_S = 40.0
DETECTION = Detection(operation=DETECT, merchant_biz_id=f"{0:032d}", scene_code="bench00001")
UNLIMITED = Limits(rate=None, in_flight=None, attempts=1)
POLICY = """
policy_language: 1
policy: onboarding
signals:
  face: {{provider: aliyun.deepfake, timeout: 40s, with: {{endpoint: "{url}"}}}}
rules:
  - {{id: forged, when: face.result == "high", then: reject}}
"""
_BODY = json.dumps(
    {
        "RequestId": "0A1B2C3D-0000-4000-8000-000000000000",
        "Code": "Success",
        "Message": "success",
        "ResultObject": {"Result": "0", "RiskTag": "SuspectRemake", "RiskScore": {"SuspectRemake": "0.0126"}},
    }
).encode()
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


class Bare(asyncio.Protocol):
    """Takes each request's bytes, looks at nothing but their number, and says what it always says."""

    def __init__(self) -> None:
        self.head = b""
        self.open = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.open == 0:
            self.head += data
            head, end, rest = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
            self.head, self.open, data = b"", int(length.partition(b":")[2]), rest
        self.open -= len(data)
        if self.open == 0:
            self.transport.write(ANSWER)


async def serve_bare() -> None:
    """Serve on a free port, which is printed, until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


@contextmanager
def server(*arguments: str) -> Iterator[str]:
    """Run a server as a process of its own, `python -m …`; gives its URL, the last word of the first line it prints."""
    with subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


@contextmanager
def sandbox() -> Iterator[str]:
    """Run the sandbox with its latency; gives its URL."""
    with tempfile.TemporaryDirectory() as directory:
        scenario = Path(directory) / "scenario.yaml"
        scenario.write_text(f"{{default: {{result: low}}, latency: {LATENCY_S}s}}", "utf-8")
        with server("adjudge", "sandbox", "--port", "0", "--scenario", str(scenario)) as url:
            yield url


async def in_turn_us(runs: Sequence[Callable[[], Awaitable[object]]]) -> list[float]:
    """Return microseconds of a call of each, the median; they take turns, so drift hits all."""
    took: list[list[float]] = [[] for _ in runs]
    for _ in range(CALLS + WARM_UP):
        for at, run in enumerate(runs):
            start = perf_counter()
            await run()
            took[at].append((perf_counter() - start) * 1e6)
    return [median(times[WARM_UP:]) for times in took]


def context_of(number: int, face: Face) -> Context:
    """Return what a provider is given for a request with an id of its own."""
    request = Request(merchant_biz_id=f"{number:032d}", scene_code="bench00001", face=face)
    return Context(request=request, signal="face", deadline=monotonic() + DEADLINE_S, now=datetime.now(UTC))


def engine_of(url: str, trail: AuditTrail | None = None) -> Engine:
    """Put an engine together that asks the vendor at a URL, without limits."""
    registry = registry_of([DEEPFAKE])
    policy = parse_policy(POLICY.format(url=url), registry=registry)
    return Engine([policy], registry=registry, trail=trail, deadline_s=DEADLINE_S, limits={DEEPFAKE.name: UNLIMITED})


async def overhead(url: str, face: Face) -> list[float]:
    """Return microseconds of a bare post, `Client.detect`, the provider's fetch, and a recorded decision."""
    numbers = count()
    with tempfile.TemporaryDirectory() as directory:
        trail = AuditTrail.open(directory, durability="flush")
        async with connect(loopback=True) as bare, connect(loopback=True) as http, engine_of(url, trail) as engine:
            client, plugged = Client(http=http, endpoint=parse_endpoint(url)), DEEPFAKE.open({"endpoint": url})
            prepared = client.request(DETECTION, face, SANDBOX_CREDENTIALS)
            target, headers, content = str(prepared.url), dict(prepared.headers), prepared.content

            async def post() -> None:
                response = await bare.post(target, headers=headers, content=content)
                if response.content != _BODY:
                    raise RuntimeError("the bare server says something else")

            async def detect() -> None:
                await client.detect(DETECTION, face, SANDBOX_CREDENTIALS, deadline=monotonic() + DEADLINE_S)

            async def fetch() -> None:
                await plugged.fetch(context_of(next(numbers), face))

            async def decide() -> None:
                request = Request(merchant_biz_id=f"{next(numbers):032d}", scene_code="bench00001", face=face)
                if not (await engine.decide(request)).verdict.settled:
                    raise RuntimeError("the provider did not answer")

            try:
                return await in_turn_us([post, detect, fetch, decide])
            finally:
                await plugged.aclose()


def faces(number: int) -> list[Face]:
    """Return so many pictures of 100 KB, each with a comment of its own."""
    first, rest = picture()[:2], picture()[2:]
    comments = (b"\xff\xfe\x00\x0a%08d" % at for at in range(number))
    return [Face.from_bytes(first + comment + rest) for comment in comments]


def memory_bytes(what: str) -> int:
    """Return what the process holds in memory: `VmRSS` now, `VmHWM` at its peak.

    Not `ru_maxrss`, which in a process started by another is never less than what that one held.
    """
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:"))


async def run(url: str, through: str) -> dict[str, float]:
    """Ask for many faces at once, and return how many failed, and by how many bytes memory grew at its peak.

    through: `provider` or `engine`. The growth is that of the peak over what was held when all faces were there and
    one call had been made. To be run in a process that has done nothing else.
    """
    async with engine_of(url) as engine:
        plugged: ProviderClient = DEEPFAKE.open({"endpoint": url})

        async def ask(number: int, face: Face) -> bool:
            if through == "engine":
                request = Request(merchant_biz_id=f"{number:032d}", scene_code="bench00001", face=face)
                return (await engine.decide(request)).verdict.settled
            return (await plugged.fetch(context_of(number, face)))["result"] == "low"

        try:
            asked = faces(FLYING + 1)
            await ask(FLYING, asked.pop())
            before = memory_bytes("VmRSS")
            start = perf_counter()
            said = await asyncio.gather(*map(ask, range(FLYING), asked), return_exceptions=True)
            took_s = perf_counter() - start
            peak = memory_bytes("VmHWM")
        finally:
            await plugged.aclose()
    async with connect(loopback=True) as http:
        client = Client(http=http, endpoint=parse_endpoint(url))
        body = len(client.request(DETECTION, asked[0], SANDBOX_CREDENTIALS).content)
    failed = sum(one is not True for one in said)
    return {"failed": failed, "grown": peak - before, "body": body, "took_s": took_s}


def flown(through: str) -> dict[str, Any]:
    """Run `fly` in a fresh process against a sandbox in another."""
    with sandbox() as url:
        command = [sys.executable, "-m", "benchmarks.vendor", "fly", url, through]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        stats = httpx.get(f"{url}/_sandbox/stats", trust_env=False).json()
    return {**said, "at_once": stats["most_in_flight"]}


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the table: what, figure, at most."""
    kinds = {"a FaceUrl": Face.from_url("https://m.example/face.jpg"), "100 KB as Base64": Face.from_bytes(picture())}
    for name in [name for name in os.environ if name.startswith(("ADJUDGE_ALIYUN_", "ALIBABA_CLOUD_"))]:
        del os.environ[name]  # an address or a key of the operator's has no business here
    with server("benchmarks.vendor", "serve") as url:
        for kind, face in kinds.items():
            bare, detect, fetch, decide = asyncio.run(overhead(url, face))
            yield f"`Client.detect`, {kind}, over bare httpx's {bare:.0f} µs", f"{detect - bare:.0f} µs", "≤ 500 µs"
            yield "the provider's whole fetch, with preflight, over the same", f"{fetch - bare:.0f} µs", "–"
            yield "the whole decision, calls and audit without sync, over the same", f"{decide - bare:.0f} µs", "–"
    for through in ("provider", "engine"):
        said = flown(through)
        each = said["grown"] / FLYING
        yield (
            f"{FLYING} calls of 100 KB at once by {through}, latency {LATENCY_S} s: {said['failed']} failed,"
            f" {said['at_once']} there at once, {each / 1000:.0f} KB of memory a call, in {said['took_s']:.1f} s",
            f"{each / said['body']:.2f}× its body",
            "≤ 3×",
        )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            asyncio.run(serve_bare())
        case ["fly", address, way]:
            print(json.dumps(asyncio.run(run(address, way))))
        case _:
            for what, figure, most in rows():
                print(f"| {what} | {figure} | {most} |")
