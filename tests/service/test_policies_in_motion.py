"""Policies that change under a service: nobody is turned away meanwhile, and what was refused is told."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from adjudge.config.file import assemble, read_config
from adjudge.engine import Engine
from client.serving import served

POLICY = """\
policy_language: 1
policy: one
inputs: {n: int}
rules: [{id: much, when: n > LIMIT, then: reject}]
"""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    (tmp_path / "risk").mkdir()
    write(tmp_path, 5)
    (tmp_path / "adjudge.yaml").write_text("policies: [risk/]\naudit: {directory: log, durability: flush}")
    return assemble(read_config(tmp_path / "adjudge.yaml"), policies_every_s=0.02)


def write(folder: Path, limit: int) -> None:
    (folder / "risk" / "one.yaml").write_text(POLICY.replace("LIMIT", str(limit)))


def ask(http: httpx.Client, number: int, n: int = 4) -> httpx.Response:
    return http.post("/v1/decisions", json={"merchant_biz_id": f"{number:032}", "scene_code": "s", "inputs": {"n": n}})


def wait_for(engine: Engine, until: Any) -> None:
    for _ in range(6000):
        if engine.activation is not None and until(engine.activation):
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came")


def test_no_request_is_turned_away_while_policies_change(engine: Engine, tmp_path: Path) -> None:
    answers: list[tuple[int, str]] = []
    ended = threading.Event()
    with served(engine, over_tcp=True) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as http:

        def go_on(worker: int) -> None:
            number = worker * 10**6
            while not ended.is_set():
                number += 1
                answer = ask(http, number)
                answers.append((answer.status_code, answer.json().get("outcome", answer.text)))

        threads = [threading.Thread(target=go_on, args=(worker,), daemon=True) for worker in range(1, 4)]
        for thread in threads:
            thread.start()
        for limit in (3, 6, 2):
            wait_for(engine, lambda newest: newest.accepted)
            before = engine.activation
            write(tmp_path, limit)
            wait_for(engine, lambda newest, before=before: newest is not before)
        ended.set()
        for thread in threads:
            thread.join(60)
        assert ask(http, 1).json()["outcome"] == "reject"
    assert {status for status, _ in answers} == {200}
    assert {outcome for _, outcome in answers} == {"pass", "reject"}


def test_refused_policies_are_a_note_and_requests_are_taken(engine: Engine, tmp_path: Path) -> None:
    with served(engine, over_tcp=True) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        assert http.get("/readyz").json()["notes"] == {}
        (tmp_path / "risk" / "one.yaml").write_text("policy_language: 1\nrules: [secret-thing")
        wait_for(engine, lambda newest: not newest.accepted)
        ready = http.get("/readyz")
        assert ready.status_code == 200 and "were refused" in ready.json()["notes"]["policies"]
        assert "secret-thing" not in ready.text
        assert ask(http, 1).json()["outcome"] == "pass"
        write(tmp_path, 3)
        wait_for(engine, lambda newest: newest.accepted)
        assert http.get("/readyz").json()["notes"] == {}
        assert ask(http, 2).json()["outcome"] == "reject"


def test_closing_while_policies_change_ends_in_order(engine: Engine, tmp_path: Path) -> None:
    async def work() -> None:
        async with engine:
            write(tmp_path, 3)
            await asyncio.sleep(0.03)

    asyncio.run(asyncio.wait_for(work(), 60))
