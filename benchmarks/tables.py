"""A table of 10,000 rows beside one of 500: loading it, and deciding by it."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

from adjudge import Policy, load_policy
from benchmarks.timing import per_call_us

COUNTRIES = [one + other for one in "ABCDEFGHIJ" for other in "KLMNOPQRST"]
POLICY = f"""policy_language: 1
policy: limits
inputs:
  country: {{type: enum, values: [{", ".join(COUNTRIES)}]}}
  mcc: string
  amount: {{type: double, range: [0, 1000000]}}
  tries: int
  score: {{type: double, range: [0, 1]}}
tables:
  limits: {{file: limits.csv}}
rules:
  - {{id: high, when: score >= 0.9, then: reject}}
"""
Request = dict[str, Any]


def table(count: int, folder: Path) -> Path:
    """Write a policy with a table of so many rows: by country, trade and amount."""
    draw = random.Random(count)
    rows = ["country,mcc,amount >=,amount <,tries in,then"]
    for at in range(count):
        low = draw.randrange(90_000) / 10
        tries = '"1, 2, 3"' if at % 3 == 0 else ""
        then = "review" if at % 4 else "reject"
        rows.append(f"{COUNTRIES[at % 100]},{1000 + at // 100},{low:.2f},{low + 1000:.2f},{tries},{then}")
    (folder / "limits.csv").write_text("\n".join(rows) + "\n")
    (folder / "limits.yaml").write_text(POLICY)
    return folder / "limits.yaml"


def requests(count: int) -> tuple[Request, ...]:
    """Return 2,000 different requests for a table of so many rows."""
    draw = random.Random(7)
    return tuple(
        {
            "country": draw.choice(COUNTRIES),
            "mcc": str(1000 + draw.randrange(count // 100)),
            "amount": draw.randrange(1_000_000) / 100,
            "tries": draw.randrange(5),
            "score": draw.random(),
        }
        for _ in range(2000)
    )


def deciding(policy: Policy, given: tuple[Request, ...]) -> Callable[[], int]:
    """Return a run over requests, each of which was decided once before."""
    evaluate = policy.evaluate

    def run() -> int:
        for one in given:
            evaluate(one)
        return len(given)

    run()
    return run


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the table: what, figure, at most."""
    runs: list[Callable[[], int]] = []
    took = 0.0
    for count in (500, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            path = table(count, Path(folder))
            start = process_time()
            policy = load_policy(path)
            took = process_time() - start
        runs.append(deciding(policy, requests(count)))
    yield "loading a policy with a table of 10,000 rows", f"{took:.2f} s", "≤ 2 s"
    few, many = per_call_us(runs)
    yield f"evaluate, a table of 10,000 rows: {many:.2f} µs, of 500 rows {few:.2f} µs", f"{many / few:.2f}×", "≤ 2×"


if __name__ == "__main__":
    for what, figure, most in rows():
        print(f"| {what} | {figure} | {most} |")
