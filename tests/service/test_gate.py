"""Who gets in: holders of keys that are valid now, each for what it allows; all others are told the same."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from adjudge.config.scopes import SCOPES, Scope
from adjudge.config.service import ServiceSettings
from adjudge.errors import PolicyErrors, SetupError
from adjudge.service.access import ring as ring_module
from adjudge.service.access import watched
from adjudge.service.access.gate import TRIES_PER_S, Gate
from adjudge.service.access.key_file import change_keys
from adjudge.service.access.keys import Key, new_key
from adjudge.service.access.rates import Rates
from adjudge.service.access.refusals import TOLD_PER_S
from adjudge.service.app import make_app
from adjudge.system.files import AT_REST_NS, FileState
from client.serving import served
from engine.engines import engine

PATH = f"/v1/decisions?merchant_biz_id={'0' * 32}"
Asking = Callable[[httpx.AsyncClient], Awaitable[Any]]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys.yaml")


class Keys:
    """A file of keys, and what they are."""

    def __init__(self, file: Path) -> None:
        self.file = file
        change_keys(file, lambda _: {})

    def new(self, *scopes: Scope, name: str = "flow", **facts: Any) -> str:
        key, text = new_key(name, scopes or SCOPES, **facts)
        change_keys(self.file, lambda keys: {**keys, key.id: key})
        return text

    def change(self, **facts: Any) -> None:
        """Change all keys."""

        def changed(keys: Mapping[str, Key]) -> Mapping[str, Key]:
            from dataclasses import replace

            return {key_id: replace(key, **facts) for key_id, key in keys.items()}

        change_keys(self.file, changed)

    def gate(self, **settings: Any) -> Gate:
        return Gate(ServiceSettings(keys=self.file, **settings))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Unbounded(Rates):
    def wait_s(self, name: str, rate: int) -> float:
        return 0.0


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def asking(gate: Gate, ask: Asking, client: tuple[str, int] | None = ("192.0.2.1", 5)) -> Any:
    """Ask a service behind a gate. client: the address that requests come from."""

    async def main() -> Any:
        async with engine() as door:
            app = make_app(door, gate=gate)
            transport = httpx.ASGITransport(app=app, client=client)  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
                return await ask(http)

    return asyncio.run(main())


def answers(gate: Gate, *headers: Any, path: str = PATH) -> list[httpx.Response]:
    async def ask(http: httpx.AsyncClient) -> list[httpx.Response]:
        return [await http.get(path, headers=one) for one in headers]

    found: list[httpx.Response] = asking(gate, ask)
    return found


def statuses(gate: Gate, *headers: Any) -> list[int]:
    return [answer.status_code for answer in answers(gate, *headers)]


def test_key_that_is_valid_lets_its_holder_in(keys: Keys) -> None:
    text = keys.new("read")
    assert statuses(keys.gate(), bearer(text)) == [200]


def test_nobody_else_gets_in_and_all_are_told_the_same(keys: Keys) -> None:
    good, expired, revoked = keys.new(), keys.new(), keys.new()
    now = datetime.now(UTC)
    change_keys(
        keys.file,
        lambda old: {
            **old,
            expired[4:20]: _with(old[expired[4:20]], expires=now),
            revoked[4:20]: _with(old[revoked[4:20]], revoked=now),
        },
    )
    unknown, wrong = new_key("x", ["read"])[1], _of_id(good[4:20])
    gate = keys.gate()
    found = answers(gate, *map(bearer, (expired, revoked, unknown, wrong, good[:-1], good + "0", "x")))
    assert {answer.status_code for answer in found} == {401}
    assert len({answer.json()["detail"] for answer in found}) == 1
    assert {answer.headers["www-authenticate"] for answer in found} == {'Bearer realm="adjudge"'}
    assert all(answer.headers["connection"] == "close" for answer in found)
    assert {reason: n for (_, reason), n in gate.refusals.counts.items()} == {
        "expired": 1,
        "revoked": 1,
        "unknown": 1,
        "wrong": 1,
        "malformed": 3,
    }


def _with(key: Key, **facts: Any) -> Key:
    from dataclasses import replace

    return replace(key, **facts)


def _of_id(key_id: str) -> str:
    """Return a whole key of an id, with another secret."""
    from adjudge.service.access.keys import _check

    start = f"adj_{key_id}_{'5' * 64}"
    return start + _check(start)


def test_refusing_takes_the_same_work_whatever_the_reason(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    good = keys.new()
    work: list[tuple[str, ...]] = []
    digest_of, compare = ring_module.digest_of, hmac.compare_digest
    monkeypatch.setattr(ring_module, "digest_of", lambda text: work.append(("digest",)) or digest_of(text))

    def compared(one: str, other: str) -> bool:
        work.append(("compare", f"{len(one)} {len(other)}"))
        return compare(one, other)

    monkeypatch.setattr(ring_module, "compare_digest", compared)
    done = []
    for text in (good, new_key("x", ["read"])[1], _of_id(good[4:20]), good[:-1] + "x"):
        work.clear()
        answers(keys.gate(), bearer(text))
        done.append(tuple(work))
    assert set(done) == {(("digest",), ("compare", "64 64"))}


GOOD_FORMS = ("Bearer {}", "bearer {}", "BEARER {}", "Bearer  {}")
BAD_FORMS = (
    *("{}", "Basic {}", "Bearer{}", "Bearer\t{}", "Bearer {} x", "Bearer {},Bearer {}", "Bearer '{}'", "Bearer {}\xa0"),
    *("Bearer", "Bearer ", "", "Token {}", "Bearer Bearer {}", "Bearer {}.", "Bearer /{}", "Bearer =", "Bearer {}%20"),
)


def test_authorization_is_read_in_one_way(keys: Keys) -> None:
    text = keys.new("read")
    forms = [{"authorization": form.format(text, text).encode("latin-1")} for form in (*GOOD_FORMS, *BAD_FORMS)]
    gate = keys.gate()
    gate._tries = Unbounded()
    found = statuses(gate, *forms)
    assert found == [200] * len(GOOD_FORMS) + [401] * len(BAD_FORMS)


def test_two_authorizations_are_none(keys: Keys) -> None:
    text = keys.new("read")
    twice = [("authorization", f"Bearer {text}"), ("authorization", f"Bearer {text}")]
    other = [("authorization", "Bearer x"), ("authorization", f"Bearer {text}")]
    elsewhere = {"x-api-key": text, "cookie": f"key={text}", "proxy-authorization": f"Bearer {text}"}
    gate = keys.gate()
    assert statuses(gate, twice, other, elsewhere, bearer("x" * 9000)) == [401] * 4
    assert answers(gate, {}, path=f"{PATH}&key={text}&access_token={text}")[0].status_code == 401


def test_key_is_for_its_scopes(keys: Keys) -> None:
    text = keys.new("decide", "label")
    gate = keys.gate()
    (answer,) = answers(gate, bearer(text))
    assert (answer.status_code, answer.json()["detail"]) == (403, "this needs the scope `read`")
    assert gate.refusals.counts == {("not-allowed", "scope"): 1}


def test_decisions_of_others_are_not_told_from_none(keys: Keys) -> None:
    """Whoever may not read learns of no id whether there is a decision of it."""
    decide, other = keys.new("decide"), keys.new("label")

    async def ask(http: httpx.AsyncClient) -> list[Any]:
        document = {"merchant_biz_id": "0" * 32, "scene_code": "onboard001"}
        made = await http.post("/v1/decisions", json=document, headers=bearer(decide))
        found = []
        for decision_id in (made.json()["decision_id"], "f" * 32, "x"):
            for headers in (bearer(decide), bearer(other), {}):
                answer = await http.get(f"/v1/decisions/{decision_id}", headers=headers)
                found.append((answer.status_code, {**answer.json(), "request_id": ""}))
        return found

    found = asking(keys.gate(), ask)
    assert found[:3] == found[3:6] == found[6:]
    assert [status for status, _ in found[:3]] == [403, 403, 401]


def test_file_of_keys_is_taken_as_it_changes(keys: Keys) -> None:
    clock = Clock()
    old = keys.new("read", name="flow")
    gate = keys.gate()
    _look_by(gate, clock)

    async def ask(http: httpx.AsyncClient) -> None:
        async def status(text: str) -> int:
            clock.now += 1.5
            return (await http.get(PATH, headers=bearer(text))).status_code

        assert await status(old) == 200
        new = keys.new("read", name="flow")
        assert [await status(old), await status(new)] == [200, 200], "both, until the old one is revoked"
        now = datetime.now(UTC)
        change_keys(keys.file, lambda found: {**found, old[4:20]: _with(found[old[4:20]], revoked=now)})
        assert [await status(old), await status(new)] == [401, 200]
        good, told = keys.file.read_text(), list[str]()
        for broken in ("keys: [", "", "keys: [{id: 5}]", f"keys: [{{id: {new}}}]"):
            keys.file.write_text(broken)
            with capture_logs() as events:
                assert [await status(old), await status(new), await status(new)] == [401, 200, 200], "the last good one"
            told += [event["event"] for event in events if event["event"].startswith("file")]
            assert new not in str(events) and gate.note() and new not in str(gate.note())
        assert set(told) == {"file_unusable"} and 3 <= len(told) <= 4, "once for each trouble"
        keys.file.chmod(0o622)
        keys.file.write_text(good)
        with capture_logs() as events:
            assert await status(new) == 200 and gate.note()
        assert "others than its owner" in str(events)
        keys.file.chmod(0o600)
        os.utime(keys.file)
        assert (await status(new), gate.note()) == (200, None)
        keys.file.unlink()
        assert [await status(old), await status(new)] == [401, 401], "without a file, nobody"
        said = "`keys` not usable as they are now: see the events"
        assert (await http.get("/readyz")).json()["notes"] == {"access": said}
        keys.file.write_text(good)
        keys.file.chmod(0o600)
        assert (await status(new), gate.note()) == (200, None)

    asking(gate, ask)


def _look_by(gate: Gate, clock: Clock) -> None:
    assert gate._ring is not None
    gate._ring._file._clock = clock
    gate._ring._file._next = 0.0
    gate._tries = Unbounded()


def test_file_that_was_written_just_now_is_read_again(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second change within a tick of the file system's clock may look like the first."""
    clock, text = Clock(), keys.new("read")
    gate = keys.gate()
    _look_by(gate, clock)
    same = FileState.of(keys.file.stat())
    now_ns = [same.changed + 10]
    monkeypatch.setattr(watched.FileState, "of", lambda status: same)
    monkeypatch.setattr(watched.time, "time_ns", lambda: now_ns[0])
    assert statuses(gate, bearer(text)) == [200]
    keys.change(revoked=datetime.now(UTC))
    clock.now += 2
    assert statuses(gate, bearer(text)) == [401]
    now_ns[0] += 2 * AT_REST_NS
    clock.now += 2
    statuses(gate, bearer(text))
    keys.change(revoked=None)
    clock.now += 2
    assert statuses(gate, bearer(text)) == [401], "what looks the same is not read"


def test_file_is_looked_at_once_a_second_at_most(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, text = Clock(), keys.new("read")
    gate = keys.gate()
    _look_by(gate, clock)
    assert gate._ring is not None
    looks: list[float] = []
    monkeypatch.setattr(gate._ring._file, "_state", lambda: looks.append(clock.now))
    clock.now = 0.5
    statuses(gate, *[bearer(text)] * 50)
    assert looks == [0.5]


def test_key_expires_while_the_service_runs(keys: Keys) -> None:
    text = keys.new("read", expires=datetime.now(UTC) + timedelta(hours=1))
    gate = keys.gate()
    assert gate._ring is not None
    assert statuses(gate, bearer(text)) == [200]
    gate._ring._now = lambda: datetime.now(UTC) + timedelta(hours=1, seconds=1)
    assert statuses(gate, bearer(text)) == [401]


@pytest.mark.parametrize("text", [None, "keys: [", "keys: [{}]"])
def test_service_does_not_begin_with_a_file_that_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "k").write_text(text)
    with pytest.raises(PolicyErrors if text else SetupError):
        Gate(ServiceSettings(keys=tmp_path / "k"))


def test_caller_who_has_left_is_no_caller_over_a_socket(keys: Keys) -> None:
    """The server knows no address of somebody who closed the connection, as of everybody at a Unix socket."""

    async def ask(http: httpx.AsyncClient) -> httpx.Response:
        return await http.get(PATH)

    assert asking(keys.gate(keys_on_socket=False), ask, client=None).status_code == 401


@pytest.mark.parametrize(("asked", "status"), [(True, 401), (False, 200)])
def test_key_is_asked_for_at_a_socket_unless_configured_otherwise(keys: Keys, asked: bool, status: int) -> None:
    settings = ServiceSettings(keys=keys.file, keys_on_socket=asked)
    with (
        served(engine(), settings=settings) as path,
        httpx.Client(transport=httpx.HTTPTransport(uds=path), base_url="http://x") as http,
    ):
        assert http.get(PATH).status_code == status
        assert http.get("/healthz").status_code == 200
    with served(engine(), settings=settings, over_tcp=True) as url:
        assert httpx.get(url + PATH).status_code == 401


def test_each_caller_has_a_rate_of_their_own(keys: Keys) -> None:
    clock = Clock()
    plain, fast = keys.new("read", name="plain"), keys.new("read", name="fast", rate=5)
    again = keys.new("read", name="plain")
    gate = keys.gate(rate=2)
    gate._rates = Rates(clock)
    found = answers(gate, *[bearer(text) for text in (plain, again, plain, *[fast] * 6)])
    assert [answer.status_code for answer in found] == [200, 200, 429, *[200] * 5, 429]
    assert found[2].json()["code"] == "rate-limited" and found[2].headers["retry-after"] == "1"
    clock.now = 0.5
    assert statuses(gate, bearer(plain), bearer(plain)) == [200, 429]
    assert gate.refusals.counts == {("rate-limited", "rate"): 3}


def test_trying_keys_is_slowed_down_by_address_and_holds_up_no_holder_of_one(keys: Keys) -> None:
    clock, good = Clock(), keys.new("read")
    gate = keys.gate()
    gate._tries = Rates(clock)
    tries = [bearer(new_key("x", ["read"])[1]) for _ in range(TRIES_PER_S + 5)]
    found = answers(gate, *tries, bearer(good), tries[0])
    assert [answer.status_code for answer in found] == [401] * TRIES_PER_S + [429] * 5 + [200, 429]

    for n in range(3):
        assert statuses(gate, {**tries[0], "x-forwarded-for": f"198.51.100.{n}"}) == [429], "an address that he writes"

    async def ask(http: httpx.AsyncClient) -> int:
        return (await http.get(PATH)).status_code

    assert asking(gate, ask, client=("192.0.2.2", 1)) == 401, "another address"


def test_refusals_are_told_without_the_secret_and_no_faster_than_can_be_read(keys: Keys) -> None:
    clock, good = Clock(), keys.new("decide", name="flow")
    gate = keys.gate()
    gate.refusals._rates, gate._tries = Rates(clock), Unbounded()
    unknown = new_key("x", ["read"])[1]
    with capture_logs() as events:
        statuses(gate, {**bearer(unknown), "x-request-id": "r-1"}, bearer(good))
        statuses(gate, *[bearer(f"CANARY{n}") for n in range(50)])
        clock.now = 10.0
        statuses(gate, {})
    told = [event for event in events if event["event"] == "request_refused"]
    assert len(told) == TOLD_PER_S + 2 and sum(gate.refusals.counts.values()) == 53
    assert told[0] == {
        "event": "request_refused",
        "log_level": "warning",
        "code": "unauthenticated",
        "reason": "unknown",
        "key": unknown[4:20],
        "client": "192.0.2.1",
        "request_id": "r-1",
    }
    assert (told[1]["code"], told[1]["reason"], told[1]["caller"]) == ("not-allowed", "scope", "flow")
    assert told[-1]["untold"] == 53 - len(told), "those of one code keep none of another from being told"
    said = str(events)
    assert "CANARY" not in said and unknown[21:] not in said and good[21:] not in said
