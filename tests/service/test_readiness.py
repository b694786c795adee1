"""Whether requests are taken, and why not: however many ask, the ledger is asked once, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import functools
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from adjudge.config.service import ServiceSettings
from adjudge.documents.operations import Reason
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.ledger.guarded import guarded
from adjudge.ledger.memory import MemoryLedger
from adjudge.service import readiness
from adjudge.service.readiness import Readiness
from client.serving import served, serving
from engine.engines import CLEAN, engine, request


def alone(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on an event loop of its own."""

    @functools.wraps(test)
    def run(**given: Any) -> None:
        asyncio.run(test(**given))

    return run


class Asked:
    """An engine of which only this is asked."""

    def __init__(self, answer: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.answer, self.times = answer, 0

    async def check_ready(self) -> None:
        self.times += 1
        await self.answer()


async def fine() -> None:
    pass


def raising(error: Exception) -> Callable[[], Coroutine[Any, Any, None]]:
    async def fail() -> None:
        raise error

    return fail


@alone
async def test_many_who_ask_have_the_ledger_asked_once() -> None:
    now, asked = [0.0], Asked(fine)
    ready = Readiness(asked, timer=lambda: now[0])  # type: ignore[arg-type]
    assert await asyncio.gather(*(ready.reasons() for _ in range(200))) == [()] * 200
    assert asked.times == 1
    now[0] = readiness.KEPT_S / 2
    await ready.reasons()
    assert asked.times == 1
    now[0] = readiness.KEPT_S
    asked.answer = raising(AuditUnavailable("the database is down"))
    assert await ready.reasons() == (Reason("ledger", "audit-unavailable", "the database is down"),)
    assert asked.times == 2


@alone
async def test_ledger_that_says_nothing_is_not_waited_for_nor_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "WITHIN_S", 0.0)
    now, silent = [0.0], asyncio.Event()

    async def wait() -> None:
        await silent.wait()

    asked = Asked(wait)
    ready = Readiness(asked, timer=lambda: now[0])  # type: ignore[arg-type]
    for _ in range(5):
        now[0] += 10
        (reason,) = await ready.reasons()
        assert reason == Reason("ledger", "audit-unavailable", "gave no answer in time")
    assert asked.times == 1
    silent.set()
    await asyncio.sleep(0)
    monkeypatch.setattr(readiness, "WITHIN_S", 60.0)
    assert await ready.reasons() == ()


@alone
async def test_question_that_nobody_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "ENDED_WITHIN_S", 0.0)
    ready = Readiness(Asked(asyncio.Event().wait))  # type: ignore[arg-type]
    assert [one.detail for one in await ready.reasons()] == ["gave no answer in time"]


@alone
async def test_text_of_a_fault_is_told_to_nobody() -> None:
    ready = Readiness(Asked(raising(RuntimeError("CANARY"))))  # type: ignore[arg-type]
    assert await ready.reasons() == (Reason("ledger", "fault", "RuntimeError"),)


def test_log_that_does_not_verify_is_in_the_way(tmp_path: Path) -> None:
    door = engine(at=tmp_path)
    with served(door, over_tcp=True) as url:
        door._ledger._trail.log._file.give_up(AuditBroken("record 3 does not follow"))  # type: ignore[attr-defined]
        answer = httpx.get(f"{url}/readyz", trust_env=False)
        assert answer.status_code == 503
        assert [one["code"] for one in answer.json()["reasons"]] == ["audit-broken"]


def test_log_that_cannot_be_written_is_in_the_way_until_it_can(tmp_path: Path) -> None:
    log, away = tmp_path / "log", tmp_path / "away"
    document = {"merchant_biz_id": "7" * 32, "scene_code": "onboard001", "inputs": CLEAN}
    with served(engine(at=log), over_tcp=True) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        assert http.post("/v1/decisions", json=document).is_success
        log.rename(away)
        document["merchant_biz_id"] = "8" * 32
        assert http.post("/v1/decisions", json=document).status_code == 503
        assert [one["code"] for one in until(http, 503)["reasons"]] == ["audit-unavailable"]
        away.rename(log)
        assert until(http, 200)["ready"], "a load balancer sends the next decision, and that one is recorded"
        assert http.post("/v1/decisions", json=document).is_success
        assert not list(log.glob(".adjudge-probe"))


def until(http: httpx.Client, status: int) -> dict[str, Any]:
    """Ask whether it is ready until the answer has a status: the ledger is asked once a second at most."""
    for _ in range(600):
        answer = http.get("/readyz")
        if answer.status_code == status:
            return dict(answer.json())
        time.sleep(0.1)
    raise AssertionError(f"still {answer.status_code}: {answer.text}")


def test_readyz_says_what_is_in_the_way(tmp_path: Path) -> None:
    door = engine(at=tmp_path)
    with served(door, over_tcp=True) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        assert http.get("/readyz").json() == {"ready": True, "in_flight": 0, "reasons": [], "notes": {}}
    broken = engine(at=tmp_path / "broken")
    broken._ledger.check = raising(AuditBroken("record 3 does not follow"))  # type: ignore[method-assign]
    with served(broken, over_tcp=True) as url:
        answer = httpx.get(f"{url}/readyz", trust_env=False)
        assert answer.status_code == 503 and answer.json()["ready"] is False
        assert answer.json()["reasons"] == [
            {"part": "ledger", "code": "audit-broken", "detail": "record 3 does not follow"}
        ]
        assert httpx.get(f"{url}/healthz", trust_env=False).json() == {"status": "ok"}, "the process lives"


@alone
async def test_index_that_is_made_anew_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with engine(at=tmp_path) as door:
        await door.decide(request())
        await door.check_ready()
        with monkeypatch.context() as patch:
            patch.setattr(door._ledger._index, "_file", None)  # type: ignore[attr-defined]
            with pytest.raises(AuditUnavailable, match="is being made anew"):
                await door.check_ready()
        await door.check_ready()


@alone
async def test_ledger_that_knows_no_question_of_its_own_is_asked_what_it_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger, asked = MemoryLedger(answer_for_s=1), []
    monkeypatch.setattr(ledger, "noted", lambda kind: asked.append(kind) or fine())
    await guarded(ledger).check()
    assert len(asked) == 1

    class Before:
        """A ledger of a plugin that was written before there were named records."""

        async def find(self, *, decision_id: str | None = None, merchant_biz_id: str | None = None) -> None:
            raise ConnectionError("CANARY")

    with pytest.raises(AuditUnavailable, match="ConnectionError"):
        await guarded(Before()).check()  # type: ignore[arg-type]


def test_service_that_is_ending_says_so_while_it_still_takes_requests() -> None:
    with (
        serving(engine(), over_tcp=True, settings=ServiceSettings(notice_s=300)) as (url, service),
        httpx.Client(base_url=url, trust_env=False, timeout=60) as http,
    ):
        service.end()
        answer = http.get("/readyz")
        assert (answer.status_code, answer.json()["reasons"][0]["detail"]) == (503, "the service is stopping")
        document = {"merchant_biz_id": "0" * 32, "scene_code": "onboard001"}
        assert http.post("/v1/decisions", json=document).is_success, "the notice is for who sends requests here"
        # leaving ends it a second time: it does not wait for 300 s


def test_signal_is_given_notice_of_and_a_second_one_ends_at_once() -> None:
    with serving(engine(), settings=ServiceSettings(notice_s=300)) as (_, service):
        server = service._server
        server.handle_exit(signal.SIGTERM, None)
        assert service._readiness.is_ending and not server.should_exit
        server.handle_exit(signal.SIGTERM, None)
        assert server.should_exit and not server.force_exit
        server.handle_exit(signal.SIGINT, None)
        assert server.force_exit
