"""A batch: a line for each line, in order, in bounded memory; one bad line is that line's problem alone."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from adjudge.model import Request
from adjudge.service import reading
from adjudge.service.admission import Admission
from adjudge.service.routes import batch
from adjudge.testing import Slow
from client.serving import served
from engine.engines import CLEAN, device, engine, face

TYPE = {"content-type": "application/x-ndjson"}
PATH = "/v1/decisions:batch"


def document(n: int, **more: Any) -> dict[str, Any]:
    return {"merchant_biz_id": f"{n:032}", "scene_code": "onboard001", "inputs": CLEAN, **more}


def lines(*documents: Any, end: str = "\n") -> bytes:
    return end.join([one if isinstance(one, str) else json.dumps(one) for one in documents]).encode() + end.encode()


def answers(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200 and response.headers["content-type"] == "application/x-ndjson", response.text
    return [json.loads(line) for line in response.text.splitlines()]


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        served(engine(at=tmp_path_factory.mktemp("log")), over_tcp=True) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=60, headers=TYPE) as client,
    ):
        yield client


def test_each_line_has_its_answer_in_order(http: httpx.Client) -> None:
    body = lines(
        document(1),
        "",
        "{",
        document(2, inputs={"contry": "SG"}),
        '{"merchant_biz_id": "a\\r\\nb"}',
        document(1),
        '{"merchant_biz_id": 1, "merchant_biz_id": 2}',
        "[" * 500,
        "\x00",
        document(1, inputs={**CLEAN, "country": "KP"}),
        document(3),
    )[:-1]
    found = answers(http.post(PATH, content=body))
    assert [one["line"] for one in found] == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    told = {one["line"]: one["problem"]["code"] for one in found if "problem" in one}
    assert told == {**dict.fromkeys((3, 4, 5, 7, 8, 9), "request"), 10: "merchant-biz-id-conflict"}
    assert [found[0]["decision"]["status"], found[4]["decision"]["status"]] == ["fresh", "duplicate"]
    assert [one.get("merchant_biz_id") for one in found] == [
        f"{1:032}", None, f"{2:032}", None, f"{1:032}", None, None, None, f"{1:032}", f"{3:032}"]  # fmt: skip
    assert found[2]["problem"]["where"] == "inputs.contry" and not any("ended" in one for one in found)


def test_many_lines_are_answered_in_order(http: httpx.Client) -> None:
    found = answers(http.post(PATH, content=lines(*(document(n) for n in range(100, 400)), end="\r\n")))
    assert [int(one["decision"]["merchant_biz_id"]) for one in found] == [*range(100, 400)]
    assert answers(http.post(PATH, content=b"")) == [] and answers(http.post(PATH, content=b"\n \n")) == []


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_body_that_a_page_could_send_unasked_is_refused(http: httpx.Client, kind: str) -> None:
    said = http.post(PATH, content=lines(document(1)), headers={"content-type": kind}).json()
    assert said["code"] == "media-type"


def test_line_that_is_too_long_is_that_lines_problem(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "LINE_MAX_BYTES", 2000)
    long = "x" * 300_000
    found = answers(http.post(PATH, content=lines(document(500), long, document(501), long)[:-1]))
    assert [one.get("problem", {}).get("code") for one in found] == [None, "body-too-large", None, "body-too-large"]


def test_memory_of_lines_is_bounded_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is under way stays below a bound, and what a batch took is there again, however it ends."""
    monkeypatch.setattr(batch, "HELD_MAX_BYTES", 200_000)
    admission, most, under_way = Admission(), 0, 0
    door = engine()
    body = lines(*(document(n, inputs={**CLEAN, "country": "S" * 50_000}) for n in range(40)))
    real = reading.read_request

    async def looked(readers: Any, line: bytes) -> Request:
        nonlocal most, under_way
        under_way += 1
        for _ in range(300):  # time enough for reading more than there is room for
            await asyncio.sleep(0)
        most = max(most, under_way)
        under_way -= 1
        return await real(readers, line)

    monkeypatch.setattr(batch, "read_request", looked)
    with served(door, admission=admission, over_tcp=True) as url, httpx.Client(base_url=url, timeout=60) as client:
        assert len(answers(client.post(PATH, content=body, headers=TYPE))) == 40
        assert 0 < most < 20 < batch.AT_ONCE  # 4 that there is room for, and what came with them in one piece
    assert (admission.held_bytes, admission.requests) == (0, 0)
    small = Admission(held_max_bytes=10_000)
    with served(engine(), admission=small, over_tcp=True) as url:
        found = answers(httpx.post(url + PATH, content=body, headers=TYPE, timeout=60))
        assert found[-1]["problem"]["code"] == "overloaded" and found[-1]["ended"] is True
    assert (small.held_bytes, small.requests) == (0, 0)


def connected(url: str, more: str = "") -> socket.socket:
    host, _, port = url.removeprefix("http://").rpartition(":")
    found = socket.create_connection((host, int(port)), timeout=30)
    found.sendall(
        f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-ndjson\r\n"
        f"Transfer-Encoding: chunked\r\n{more}\r\n".encode()
    )
    return found


def until_nobody_asks(admission: Admission) -> None:
    for _ in range(3000):
        if not admission.requests:
            return
        threading.Event().wait(0.02)
    raise AssertionError("a request is under way still")


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def test_answers_come_while_the_body_is_still_on_its_way() -> None:
    with served(engine(), over_tcp=True) as url, connected(url) as asked:
        answered = asked.makefile("rb")
        for n in range(3):
            asked.sendall(chunk(lines(document(n))))
            while b'"line":' not in (line := answered.readline()):
                assert line
            assert f'"line":{n + 1},' in line.decode()
        asked.sendall(b"0\r\n\r\n")


def test_caller_who_waits_for_leave_to_send_gets_it() -> None:
    with served(engine(), over_tcp=True) as url, connected(url, "Expect: 100-continue\r\n") as asked:
        answered = asked.makefile("rb")
        assert answered.readline().startswith(b"HTTP/1.1 100 "), "and no answer before"
        asked.sendall(chunk(lines(document(1))) + b"0\r\n\r\n")
        assert b'"line":1,' in answered.read()


def test_body_that_stops_is_cut_and_says_so() -> None:
    admission = Admission(body_within_s=0.2)
    with served(engine(), admission=admission, over_tcp=True) as url, connected(url) as asked:
        asked.sendall(chunk(lines(document(1))) + chunk(b'{"merchant'))
        found = asked.makefile("rb").read().decode()
        assert '"code":"body-too-slow"' in found and '"ended":true' in found and '"line":2,' in found
    assert (admission.held_bytes, admission.requests) == (0, 0)


def test_connection_that_breaks_stops_the_rest() -> None:
    admission, begun, gone = Admission(), threading.Event(), threading.Event()

    door = engine([face(), device()])
    real, decided = door.decide, []

    async def decide(request: Request, **how: Any) -> Any:
        decided.append(request.merchant_biz_id)
        begun.set()
        while not gone.is_set():
            await asyncio.sleep(0.01)
        return await real(request, **how)

    door.decide = decide
    with served(door, admission=admission, over_tcp=True) as url:
        asked = connected(url)
        asked.sendall(b"".join(chunk(lines(document(n))) for n in range(100)))
        assert begun.wait(30)
        asked.close()
        gone.set()
        until_nobody_asks(admission)
    assert admission.held_bytes == 0 and len(decided) < 100


def test_reader_who_is_slow_slows_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a body without an end, only so much is decided as there is room for answers that nobody reads."""
    monkeypatch.setattr("adjudge.service.streams.SENT_WITHIN_S", 1.0)
    admission = Admission()
    with capture_logs() as events, served(engine(), admission=admission, over_tcp=True) as url:
        asked = connected(url)
        asked.settimeout(0.5)
        sent = 0
        try:
            while sent < 200_000:
                asked.sendall(chunk(lines(*(document(n) for n in range(sent, sent + 50)))))
                sent += 50
        except (TimeoutError, OSError):
            pass
        assert sent < 200_000, "the body was read although nobody reads the answers"
        until_nobody_asks(admission)
        asked.close()
    assert "answer_not_read" in [event["event"] for event in events]


def test_engine_that_is_full_is_waited_for() -> None:
    door = engine([face(*[Slow(0.01, {"score": 0.1})] * 20), device()], max_in_flight=2)
    with served(door, over_tcp=True) as url:
        found = answers(
            httpx.post(url + PATH, content=lines(*(document(n) for n in range(12))), headers=TYPE, timeout=60)
        )
    assert [one.get("problem") for one in found] == [None] * 12


def test_fault_of_ours_is_one_lines_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    door = engine()
    real = door.decide

    async def decide(request: Request, **how: Any) -> Any:
        if int(request.merchant_biz_id) == 1:
            raise LookupError("CANARY-SECRET")
        return await real(request, **how)

    door.decide = decide
    with capture_logs() as events, served(door, over_tcp=True) as url:
        response = httpx.post(url + PATH, content=lines(*(document(n) for n in range(3))), headers=TYPE)
        found = answers(response)
    assert [one.get("problem", {}).get("code") for one in found] == [None, "fault", None]
    (told,) = [event for event in events if event["event"] == "request_failed"]
    assert told["request_id"] == response.headers["x-request-id"]
    assert "CANARY" not in response.text + str(events)
