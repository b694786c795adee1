"""The events of a service as a process: each a line, of JSON or of text, with the ids to find the rest by."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from adjudge.texts import is_hidden
from service.test_service import JSON

POLICY = """policy_language: 1
policy: selfie
inputs: {country: string, mail: {type: string, personal: true}}
signals:
  score:
    provider: http.json
    with: {url: "http://127.0.0.1:9/x", body: {id: merchant_biz_id}}
    fields: {score: double}
rules: [{id: high, when: score.score > 0.5, then: reject}]
"""
CONFIG = "policies: [policy.yaml]\naudit: {directory: audit}\nallow: {hosts: [127.0.0.1]}\n"
CANARY = "canary-7f3a9c@example.com"


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[httpx.Client, list[str]]]:
    """Run `adjudge serve`, and yield a client and the lines of its stderr, which are there once it has ended."""
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "adjudge.yaml").write_text(CONFIG)
    command = [sys.executable, "-m", "adjudge", "serve", "adjudge.yaml", "--port", "0", *options]
    lines: list[str] = []
    with (folder / "stderr").open("w+") as errors:
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ
        )
        with process:
            try:
                assert process.stdout is not None
                url = process.stdout.readline().split()[-1]
                with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
                    yield http, lines
            finally:
                process.terminate()
        errors.seek(0)
        lines += errors.read().splitlines()


def decide(http: httpx.Client, n: int, request_id: str, **inputs: Any) -> httpx.Response:
    document = {"merchant_biz_id": f"{n:032x}", "scene_code": "onboard001", "inputs": inputs}
    return http.post("/v1/decisions", content=json.dumps(document), headers={**JSON, "x-request-id": request_id})


def garble(http: httpx.Client) -> None:
    """Send what is no HTTP, and what no header may hold."""
    for sent in (b"\x1b[31mFORGED\r\n\r\n", b"GET / HTTP/1.1\r\nhost: x\r\nx-request-id: a\x1b[2J\x9b\r\n\r\n"):
        with socket.create_connection((http.base_url.host, http.base_url.port or 0), timeout=60) as raw:
            raw.sendall(sent)
            raw.recv(65536)


def test_events_are_json_with_the_ids_of_request_and_decision(tmp_path: Path) -> None:
    with serving(tmp_path, "--log-format", "json", "--log-level", "info") as (http, lines):
        made = decide(http, 1, "request-1", mail=CANARY).json()
        assert decide(http, 1, "request-2", mail="other@example.com").status_code == 409
        http.get(f"/v1/decisions/{made['decision_id']}?mail={CANARY}", headers={"x-request-id": "a b"})
        garble(http)
    events = [json.loads(line) for line in lines]
    assert all([*event][:3] == ["timestamp", "level", "event"] for event in events)
    assert all(line.isascii() and line.isprintable() for line in lines) and CANARY not in "".join(lines)

    def of(request_id: str) -> list[dict[str, Any]]:
        return [event for event in events if event.get("request_id") == request_id]

    failed, answered = of("request-1")
    assert failed["event"] == "signal_failed" and failed["merchant_biz_id"] == f"{1:032x}"
    assert failed["decision_id"] == answered["decision_id"] == made["decision_id"]
    assert answered.pop("duration_ms") > 0 and answered.pop("timestamp").endswith("Z")
    assert answered == {
        "level": "info", "event": "request_answered", "request_id": "request-1", "method": "POST",
        "route": "/v1/decisions", "status": 200, "caller": "engine", "decision_id": made["decision_id"],
        "outcome": "review",
    }  # fmt: skip
    [refused] = of("request-2")
    assert (refused["event"], refused["status"], refused["code"]) == (
        "request_answered",
        409,
        "merchant-biz-id-conflict",
    )
    assert [event["route"] for event in events if event.get("code") == "request"] == ["/v1/decisions/{decision_id}"]
    assert [event for event in events if event["event"] == "library_warned"], "the server's own warnings are events"
    assert [event["event"] for event in events if event["level"] == "warning"].count("served_without_keys") == 1


def test_events_are_lines_of_text_and_requests_are_told_where_wanted(tmp_path: Path) -> None:
    with serving(tmp_path) as (http, lines):
        assert decide(http, 1, "request-1").is_success
        garble(http)
    assert not [line for line in lines if any(is_hidden(char) for char in line) or "request_answered" in line]
    assert [line for line in lines if "signal_failed" in line and "request_id=request-1" in line]
    assert [line for line in lines if "library_warned" in line]

    (more := tmp_path / "more").mkdir()
    with serving(more, "--log-level", "info") as (http, lines):
        assert decide(http, 1, "request-1").is_success
    assert [line for line in lines if "request_answered" in line and "route=/v1/decisions" in line]


def test_fault_is_told_with_its_request_and_without_its_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from structlog.testing import capture_logs

    from client.serving import served
    from engine.engines import engine

    door = engine()

    async def fail(**asked: object) -> None:
        raise RuntimeError(CANARY)

    door.find = fail  # type: ignore[method-assign, assignment]
    with (
        capture_logs() as events,
        served(door, over_tcp=True) as url,
        httpx.Client(base_url=url, trust_env=False) as http,
    ):
        assert http.get(f"/v1/decisions/{'0' * 32}", headers={"x-request-id": "r1"}).status_code == 500
    failed, answered = (event for event in events if event.get("request_id") == "r1")
    assert (failed["event"], failed["log_level"], failed["error"]) == ("request_failed", "error", "RuntimeError")
    assert (answered["event"], answered["log_level"], answered["code"]) == ("request_answered", "warning", "fault")
    assert CANARY not in f"{events} {caplog.text}"


def test_library_that_logs_an_exception_says_its_kind_alone() -> None:
    import logging

    from structlog.testing import capture_logs

    from adjudge.cli.telling import libraries_told

    with capture_logs() as events, libraries_told():
        log = logging.getLogger("some.library")
        try:
            raise ValueError(CANARY)
        except ValueError:
            log.exception("went wrong\nlocals: %s", CANARY)
        log.info("nothing to worry about")
    logging.getLogger("some.library").warning("told no more")
    assert [event.pop("at").split(":")[0] for event in events if "at" in event] == ["test_service_events.py"]
    said = {"event": "library_warned", "library": "some.library", "said": "went wrong", "error": "ValueError"}
    assert events == [{**said, "log_level": "error"}]


@pytest.mark.parametrize("form", ["text", "json"])
def test_event_is_one_line_that_steers_nothing_whatever_it_holds(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    from adjudge.cli.telling import tell_events
    from adjudge.events import Events

    hostile = 'a\r\nlevel=error event="FORGED"\x1b[2J\x1b]0;x\x07\x9b31m\u202e\u2028\x85\x00'
    tell_events(level=0, form=form)
    Events("adjudge.test").warning("tried", said=hostile, more=[hostile], inner={"x": hostile}, kind=ValueError)
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and told.endswith("\n")
    assert not [char for char in told[:-1] if is_hidden(char)]
    if form == "json":
        assert json.loads(told)["said"] == hostile
