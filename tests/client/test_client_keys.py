"""A client shows its key to the service alone: in no repr, error or event, and to no other machine in the clear."""

from __future__ import annotations

import logging
import ssl
import traceback
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adjudge.client import Engine as Client
from adjudge.config.service import ServiceSettings
from adjudge.documents.problems import KINDS
from adjudge.errors import NotAllowed, NotAuthenticated, Overloaded, RateLimited, ServiceUnavailable, SetupError
from adjudge.service.access.key_file import change_keys
from adjudge.service.access.keys import new_key
from client.serving import served
from engine.engines import engine, request


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """Keys by name, in a file."""
    made = {
        "flow": new_key("flow", ["decide"]),
        "slow": new_key("slow", ["decide"], rate=1),
        "unknown": new_key("unknown", ["decide"]),
    }
    change_keys(tmp_path / "keys.yaml", lambda _: {key.id: key for key, _ in made.values() if key.name != "unknown"})
    return {name: text for name, (_, text) in made.items()}


@pytest.mark.parametrize("over_tcp", [False, True])
def test_key_lets_a_client_do_what_it_is_for(keys: dict[str, str], tmp_path: Path, over_tcp: bool) -> None:
    settings = ServiceSettings(keys=tmp_path / "keys.yaml")
    with served(engine(), settings=settings, over_tcp=over_tcp) as address:
        with Client(address, key=keys["flow"]) as client:
            decision = client.decide_sync(request())
            with pytest.raises(NotAllowed, match="this needs the scope `read`"):
                client.find_sync(decision_id=decision.decision_id)
        for key in (keys["unknown"], None):
            with Client(address, key=key) as client, pytest.raises(NotAuthenticated):
                client.decide_sync(request())
        with Client(address, key=keys["slow"]) as client:
            client.decide_sync(request())
            with pytest.raises(RateLimited) as raised:
                client.decide_sync(request())
        assert isinstance(raised.value, Overloaded) and 0 < raised.value.retry_after_s <= 1


def test_function_gives_a_key_for_each_question(keys: dict[str, str], tmp_path: Path) -> None:
    given = [keys["unknown"], keys["flow"]]
    with (
        served(engine(), settings=ServiceSettings(keys=tmp_path / "keys.yaml")) as address,
        Client.open(address, key=lambda: given.pop(0)) as client,
    ):
        with pytest.raises(NotAuthenticated):
            client.decide_sync(request())
        assert client.decide_sync(request()).status == "fresh"
        with pytest.raises(SetupError, match="`key` is a function that raised IndexError"):
            client.decide_sync(request())
        given[:] = ["a b"]
        with pytest.raises(SetupError, match="must be one key or token"):
            client.decide_sync(request())


@pytest.mark.parametrize(
    "key",
    ["", " ", "CANARY\n", " CANARY", "CANARY x", "CANARY\r\nx: y", "CANARYé", "CANARY\0", "C" * 8193, 5, b"CANARY"],
)
def test_key_that_a_header_cannot_hold_is_refused_and_not_repeated(key: Any) -> None:
    with pytest.raises(SetupError) as raised:
        Client("s", key=key)
    assert "CANARY" not in str(raised.value)


@pytest.mark.parametrize("address", ["http://10.0.0.7:80", "http://risk.internal", "http://localhost.evil.example"])
def test_key_goes_to_no_other_machine_in_the_clear(address: str) -> None:
    with pytest.raises(SetupError, match="in the clear"):
        Client(address, key="CANARY")
    Client(address, key="CANARY", plain_http=True)
    Client(address)


@pytest.mark.parametrize(
    "address", ["https://risk.internal", "http://127.0.0.2:1", "http://[::1]:1", "http://localhost", "s"]
)
def test_key_goes_where_nobody_else_reads_it(address: str) -> None:
    Client(address, key="CANARY")


def test_key_stands_in_no_repr_error_or_event(
    keys: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    with capture_logs() as events, served(engine(), settings=ServiceSettings(keys=tmp_path / "keys.yaml")) as address:
        for where in (address, "http://127.0.0.1:1"):
            with Client(where, key=keys["unknown"]) as client:
                said += [repr(client), repr(vars(client)), repr(client._credential), repr(client._exchange)]
                try:
                    client.decide_sync(request())
                except (NotAuthenticated, ServiceUnavailable) as error:
                    said += [repr(error), *traceback.format_exception(error)]
    assert len(said) > 8
    ours = [*said, str(events), *(record.getMessage() for record in caplog.records)]
    assert not any(keys["unknown"][:30] in one for one in ours)


def test_no_key_is_read_from_the_environment(
    keys: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ADJUDGE_KEY", "ADJUDGE_API_KEY"):
        monkeypatch.setenv(name, keys["flow"])
    with (
        served(engine(), settings=ServiceSettings(keys=tmp_path / "keys.yaml")) as address,
        Client(address) as client,
        pytest.raises(NotAuthenticated),
    ):
        client.decide_sync(request())


@pytest.mark.parametrize(("text", "said"), [(None, "no such file"), ("x", "there are no certificates")])
def test_authorities_that_are_none_are_told(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "ca").write_text(text)
    with pytest.raises(SetupError, match=said):
        Client("https://risk.internal", authorities=tmp_path / "ca")
    assert ssl.OPENSSL_VERSION


def test_each_problem_of_access_has_an_error_of_its_own() -> None:
    found = {code: KINDS[code].error for code in ("unauthenticated", "not-allowed", "rate-limited")}
    assert found == {"unauthenticated": NotAuthenticated, "not-allowed": NotAllowed, "rate-limited": RateLimited}
