"""Two services over one PostgreSQL, each a process of its own: each shows what it did, and sums are right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("psycopg", reason="needs the extra `postgres`")
pytest.importorskip("starlette", reason="needs the extra `serve`")

from postgres_server import PROGRAMS, Server, migrated

from service.exposition import once, total, value

pytestmark = [
    pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL: apt-get install postgresql"),
    pytest.mark.xdist_group("postgres"),
]

POLICY = """policy_language: 1
policy: selfie
inputs: {country: string}
rules: [{id: abroad, when: 'country == "KP"', then: reject}]
"""
DECIDE = {"method": "POST", "route": "/v1/decisions"}


@contextmanager
def worker(folder: Path) -> Iterator[httpx.Client]:
    """Run a service in a process of its own."""
    command = [sys.executable, "-m", "adjudge", "serve", "adjudge.yaml", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
                yield http
        finally:
            process.terminate()


def decide(http: httpx.Client, n: int, country: str = "SG") -> Any:
    document = {"merchant_biz_id": f"{n:032x}", "scene_code": "onboard001", "inputs": {"country": country}}
    body = json.dumps(document).encode()
    return http.post("/v1/decisions", content=body, headers={"content-type": "application/json"}).json()


def test_workers_show_their_own_and_their_sum_is_all(server: Server, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "fingerprint.key").write_text("00" * 32)
    ledger = {"dsn": migrated(server), "fingerprint_key": {"file": str(tmp_path / "fingerprint.key")}}
    config = {"policies": ["policy.yaml"], "ledger": {"postgres": ledger}}
    (tmp_path / "adjudge.yaml").write_text(json.dumps(config))
    with ExitStack() as stack:
        first, second = (stack.enter_context(worker(tmp_path)) for _ in range(2))
        for n in range(5):
            assert decide(first if n < 3 else second, n)["status"] == "fresh"
        assert decide(second, 0)["status"] == "duplicate"
        assert decide(second, 1, "KP")["code"] == "merchant-biz-id-conflict"
        pages = [
            once(http, lambda found, count=count: total(found, "adjudge_decisions_total") == count)  # type: ignore[misc]
            for http, count in ((first, 3), (second, 2))
        ]
    requests = [value(page, "adjudge_http_requests_total", status="200", **DECIDE) for page in pages]
    assert requests == [3, 3]
    assert [value(page, "adjudge_duplicates_total") for page in pages] == [0, 1]
    assert [total(page, "adjudge_refused_total", code="merchant-biz-id-conflict") for page in pages] == [0, 1]
    workers = {dict(has)["worker"] for page in pages for name, has in page if name == "adjudge_worker_info"}
    assert len(workers) == 2
