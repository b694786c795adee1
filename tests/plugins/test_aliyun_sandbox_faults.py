"""What a client sees of each fault, and whether the sandbox says that it was billed."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import httpx
import pytest
from sandbox_calls import PARAMETERS, Caller, calling, connected, everything, raw_request

from adjudge_plugins.aliyun.sandbox import Sandbox, delivery
from adjudge_plugins.aliyun.sandbox.reaction import FAULTS
from adjudge_plugins.aliyun.sandbox.scenario import Reaction, Scenario


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def call(sandbox: Sandbox) -> Iterator[Caller]:
    with calling(sandbox) as caller:
        yield caller


def raw(sandbox: Sandbox, fault: str, *, delay_s: float | None = None) -> tuple[bytes, bytes]:
    """Return head and body of an answer as they came, until the sandbox closed the connection."""
    sandbox.scenario = Scenario(default=Reaction(fault=fault, delay_s=delay_s))
    with connected(sandbox) as connection:
        connection.sendall(raw_request(headers={"connection": "close"}))
        head, _, body = everything(connection).partition(b"\r\n\r\n")
        return head, body


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_billed_where_the_table_says_so(sandbox: Sandbox, fault: str) -> None:
    sandbox.scenario = Scenario(default=Reaction(fault=fault))
    with connected(sandbox) as connection:
        connection.sendall(raw_request())
        while not (stats := sandbox.stats())["calls"]:
            time.sleep(0.002)

    assert (stats["billed"], stats["by_end"]) == (int(FAULTS[fault]), {f"fault {fault}": 1})


@pytest.mark.parametrize(("fault", "billed"), [("close", 0), ("lose", 1)])
def test_fault_close_and_lose_end_without_a_byte(sandbox: Sandbox, fault: str, billed: int) -> None:
    assert raw(sandbox, fault) == (b"", b"")
    assert sandbox.stats()["billed"] == billed


def test_fault_lose_is_lost_once_where_the_order_says_so(sandbox: Sandbox, call: Caller) -> None:
    """The case that costs money: the answer is lost, and a second try is billed again."""
    sandbox.scenario = Scenario(order=(Reaction(fault="lose"),))
    with pytest.raises(httpx.RemoteProtocolError):
        call()

    assert call.code() == "Success"
    assert sandbox.stats()["billed"] == 2


def test_fault_waits_for_its_delay(sandbox: Sandbox) -> None:
    started = time.monotonic()
    raw(sandbox, "lose", delay_s=0.2)

    assert time.monotonic() - started >= 0.2


def test_fault_reset_comes_in_the_middle_of_the_answer(sandbox: Sandbox) -> None:
    sandbox.scenario = Scenario(default=Reaction(fault="reset"))
    with connected(sandbox) as connection:
        connection.sendall(raw_request())
        came: list[bytes] = []
        with pytest.raises(ConnectionResetError):
            came.extend(iter(lambda: connection.recv(65_536), b""))

    head, _, body = b"".join(came).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length"))
    assert 0 < len(body) < length


def test_fault_black_hole_says_nothing_until_the_client_leaves(sandbox: Sandbox) -> None:
    sandbox.scenario = Scenario(default=Reaction(fault="black_hole"))
    with connected(sandbox) as connection:
        connection.settimeout(0.3)
        connection.sendall(raw_request())
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert sandbox.stats()["in_flight"] == 1
    wait_until_nobody_is_left(sandbox)


def test_fault_black_hole_ends_with_the_sandbox() -> None:
    with Sandbox(scenario=Scenario(default=Reaction(fault="black_hole"))) as sandbox:
        connection = socket.create_connection(("127.0.0.1", sandbox.port), timeout=120)
        connection.sendall(raw_request())
        while not sandbox.stats()["in_flight"]:
            time.sleep(0.002)
    with connection:
        assert connection.recv(1) == b""


def test_fault_drip_is_the_whole_answer_in_single_bytes(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "DRIP_INTERVAL_S", 0.001)
    sandbox.scenario = Scenario(default=Reaction(fault="drip"))
    with connected(sandbox) as connection:
        connection.sendall(raw_request(headers={"connection": "close"}))
        parts = [*iter(lambda: connection.recv(65_536), b"")]

    assert json.loads(b"".join(parts).partition(b"\r\n\r\n")[2])["Code"] == "Success"
    assert len(parts) > len(b"".join(parts)) / 3


def test_fault_drip_takes_longer_than_a_patient_client(sandbox: Sandbox) -> None:
    _, body = raw(sandbox, "wrong_type")

    assert len(body) * delivery.DRIP_INTERVAL_S > 10, "the SDK waits ten seconds"
    assert delivery.DRIP_INTERVAL_S < 1, "no read of it waits long"


def test_fault_truncate_is_cut_json_of_the_length_it_says(sandbox: Sandbox, call: Caller) -> None:
    head, body = raw(sandbox, "truncate")

    assert f"content-length: {len(body)}".encode() in head
    assert body.startswith(b'{"RequestId": ')
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


@pytest.mark.parametrize(("fault", "status"), [("html", 502), ("html_200", 200)])
def test_fault_html_is_a_page_that_somebody_else_wrote(sandbox: Sandbox, fault: str, status: int) -> None:
    head, body = raw(sandbox, fault)

    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"content-type: text/html" in head
    assert body.startswith(b"<html>")


def test_fault_wrong_type_is_good_json_that_says_it_is_text(sandbox: Sandbox) -> None:
    head, body = raw(sandbox, "wrong_type")

    assert b"content-type: text/plain" in head
    assert json.loads(body)["Code"] == "Success"


def test_fault_garbage_says_it_is_json_and_is_not(sandbox: Sandbox) -> None:
    head, body = raw(sandbox, "garbage")

    assert b"content-type: application/json" in head
    assert body.startswith(b'{"RequestId": ')
    with pytest.raises(UnicodeDecodeError):
        body.decode()
    with pytest.raises(json.JSONDecodeError):
        json.loads(body.decode("latin-1"))


def test_fault_huge_is_good_json_after_all(sandbox: Sandbox, call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "HUGE_BYTES", 3_000_000)
    sandbox.scenario = Scenario(default=Reaction(fault="huge"))

    assert call.code() == "Success"
    assert call.answered is not None
    assert call.answered.headers["transfer-encoding"] == "chunked"
    assert len(call.answered.content) > 3_000_000


def test_fault_huge_stops_when_the_client_leaves(sandbox: Sandbox) -> None:
    assert delivery.HUGE_BYTES == 200_000_000
    sandbox.scenario = Scenario(default=Reaction(fault="huge"))
    with connected(sandbox) as connection:
        connection.sendall(raw_request())
        took = 0
        while took < 1_000_000:
            took += len(connection.recv(65_536))
    wait_until_nobody_is_left(sandbox)


def test_fault_of_media_that_are_refused_is_the_refusal_where_the_work_would_have_been_done(call: Caller) -> None:
    """The vendor looks at the media before anything is billed, and so before an answer can be lost."""
    call.sandbox.scenario = Scenario(default=Reaction(fault="lose"))

    given = {name: value for name, value in PARAMETERS.items() if name != "FaceUrl"}

    assert call.code(given, form={"FaceBase64": "iVBORw0KGgo="}) == "UnqualifiedPhoto"


def wait_until_nobody_is_left(sandbox: Sandbox) -> None:
    end = time.monotonic() + 120
    while sandbox.stats()["in_flight"]:
        assert time.monotonic() < end, "it goes on although the client left"
        time.sleep(0.01)
