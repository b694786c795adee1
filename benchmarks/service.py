"""The service beside a route that does nothing, over the same server, and under load. Traffic on 127.0.0.1 only.

`python -m benchmarks.service`.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.load import Load, at_rate, full_speed, post
from benchmarks.served import Served, nothing, service
from benchmarks.workload import workload

CONNECTIONS = 16
REQUESTS, ROUNDS, PACED = 2000, 5, 3000
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


def rows() -> Iterator[tuple[str, str, str]]:
    """Measure every row of the service."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        yield from beside_nothing(folder / "nothing")


def main(found: Sequence[tuple[str, str, str]] | None = None) -> None:
    """Print the rows."""
    for what, figure, least in found or rows():
        print(f"| {what} | {figure} | {least} |", flush=True)


if __name__ == "__main__":
    main()
