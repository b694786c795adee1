"""The ledger in PostgreSQL keeps its contract with Redis in front of it, whatever Redis makes of what it was given."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

psycopg = pytest.importorskip("psycopg", reason="needs the extra `postgres`")
redis = pytest.importorskip("redis", reason="needs the extra `redis`")

from postgres_server import KEY, PROGRAMS, Server, migrated  # noqa: E402
from redis_server import PROGRAM, RedisServer  # noqa: E402
from structlog.testing import capture_logs  # noqa: E402

from adjudge.audit.annotations import label_body  # noqa: E402
from adjudge.plugin import (  # noqa: E402
    AuditBroken,
    AuditUnavailable,
    Claim,
    Decision,
    DecisionLedger,
    LedgerSettings,
    Quota,
    QuotaReached,
)
from adjudge.testing import SharedLedgerContract  # noqa: E402
from adjudge.testing.ledgers import FIRST, ID, OTHER, decision_and_record  # noqa: E402
from adjudge_plugins.postgres import _made as made_from  # noqa: E402
from adjudge_plugins.postgres.ledger import PostgresLedger  # noqa: E402
from adjudge_plugins.redis import cache as cache_module  # noqa: E402
from adjudge_plugins.redis.cache import Cache  # noqa: E402
from adjudge_plugins.redis.ledger import FrontedLedger  # noqa: E402

pytestmark = [
    pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL: apt-get install postgresql"),
    pytest.mark.skipif(PROGRAM is None, reason="needs Redis: apt-get install redis-server"),
    pytest.mark.xdist_group("postgres"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def front() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may be slow, and is asked again at once."""
    monkeypatch.setattr(cache_module, "DEADLINE_S", 20.0)
    monkeypatch.setattr(cache_module, "PAUSE_S", 0.0)


class Fronted(FrontedLedger):
    """A ledger with another holder of the same database and Redis beside it."""

    def __init__(self, dsn: str, url: str) -> None:
        super().__init__(dsn, KEY, cache=Cache(url, KEY), answer_for_s=3600)
        self.twin = FrontedLedger(dsn, KEY, cache=Cache(url, KEY), answer_for_s=3600)

    async def open(self) -> None:
        await super().open()
        await self.twin.open()

    async def aclose(self) -> None:
        await self.twin.aclose()
        await super().aclose()

    async def settle(self) -> None:
        """Wait until what was to be copied is."""
        await asyncio.gather(*self._putting, *self.twin._putting)


class Vandal:
    """Mixes up, brings back, cuts and drops what Redis holds, all the time."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url)
        self._seen: dict[bytes, list[bytes]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Vandal:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self._redis.close()

    def _run(self) -> None:
        draw = random.Random(7)
        while not self._over.wait(0.002):
            for name in self._redis.keys("*"):
                value = self._redis.get(name)
                if value:
                    self._seen.setdefault(name, []).append(value)
            if not self._seen:
                continue
            name = draw.choice([*self._seen])
            match draw.randrange(5):
                case 0:
                    self._redis.set(name, draw.choice(self._seen[name]))  # what it was once
                case 1:
                    self._redis.set(name, draw.choice(self._seen[draw.choice([*self._seen])]))  # of another name
                case 2:
                    self._redis.set(name, self._seen[name][-1][: draw.randrange(200)])
                case 3:
                    self._redis.flushall()
                case _:
                    self._redis.delete(name)


class TestFrontedLedger(SharedLedgerContract):
    @pytest.fixture(autouse=True)
    def _served(self, server: Server, front: RedisServer) -> Iterator[None]:
        self.server, self.url, self.dsn = server, front.url, ""
        with capture_logs(), Vandal(front.url):
            yield

    def begin(self) -> None:
        self.dsn = migrated(self.server)

    def ledger(self, clock: Callable[[], datetime]) -> DecisionLedger:
        return Fronted(self.dsn, self.url)

    def another(self, ledger: DecisionLedger) -> DecisionLedger:
        assert isinstance(ledger, Fronted)
        return ledger.twin

    def program(self) -> str:
        return (
            "from adjudge_plugins.redis.cache import Cache\n"
            "from adjudge_plugins.redis.ledger import FrontedLedger\n"
            f"ledger = FrontedLedger({self.dsn!r}, {KEY!r}, cache=Cache({self.url!r}, {KEY!r}), answer_for_s=3600)"
        )


def using(work: Callable[[Fronted, Any], Awaitable[None]], server: Server, front: RedisServer) -> None:
    dsn = migrated(server)

    async def main() -> None:
        raw = redis.asyncio.Redis.from_url(front.url)
        await raw.flushall()
        ledger = Fronted(dsn, front.url)
        await ledger.open()
        try:
            await work(ledger, raw)
        finally:
            await ledger.aclose()
            await raw.aclose()

    asyncio.run(main())


async def concluded(ledger: PostgresLedger, **more: Any) -> Decision:
    claim = await ledger.claim(ID, FIRST, again=bool(more), lease_s=60)
    assert isinstance(claim, Claim)
    decision, record = decision_and_record(ledger, **more)
    await ledger.conclude(claim, decision, record)
    return decision


def test_a_retry_reads_its_record_from_redis_and_asks_postgresql_whether_it_stands(
    server: Server, front: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(ledger: Fronted, raw: Any) -> None:
        decision = await concluded(ledger)
        await ledger.settle()
        asked: list[str] = []
        rows = ledger._asked.rows

        async def noted(query: str, parameters: Any = ()) -> Any:
            asked.append(query)
            return await rows(query, parameters)

        monkeypatch.setattr(ledger._asked, "rows", noted)
        assert await ledger.claim(ID, FIRST, again=False, lease_s=60) == decision
        assert await ledger.find(merchant_biz_id=ID) == decision
        assert await ledger.find(decision_id=decision.decision_id) == decision
        assert len(asked) == 3 and not any("line" in one or "adjudge.claim(" in one for one in asked)
        assert ledger.twin.presume(ID, FIRST) is not None
        assert await ledger.twin.claim(ID, FIRST, again=False, lease_s=60) == decision
        assert ledger.twin.presume(ID, FIRST) is None, "what was asked for here is not presumed to be new"
        with pytest.raises(Exception, match="came before with another"):
            await ledger.claim(ID, OTHER, again=False, lease_s=60)

    using(work, server, front)


def test_an_old_copy_of_a_decision_that_was_superseded_is_not_the_answer(server: Server, front: RedisServer) -> None:
    async def work(ledger: Fronted, raw: Any) -> None:
        await concluded(ledger)
        await ledger.settle()
        old = {name: await raw.get(name) for name in await raw.keys("*")}
        newer = await concluded(ledger.twin, decision_id="e" * 32, supersedes="d" * 32, status="supersedes")
        await ledger.settle()
        for name, value in old.items():
            await raw.set(name, value)
        found = await ledger.claim(ID, FIRST, again=False, lease_s=60)
        assert isinstance(found, Decision) and found.decision_id == newer.decision_id
        await raw.flushall()
        for name, value in old.items():
            await raw.set(name, value)
        assert await ledger.twin.find(merchant_biz_id=ID) == newer

    using(work, server, front)


def test_older_decision_that_somebody_put_back_is_no_answer_either(server: Server, front: RedisServer) -> None:
    async def work(ledger: Fronted, raw: Any) -> None:
        await concluded(ledger)
        await ledger.settle()
        copies = {name: await raw.get(name) for name in await raw.keys("*")}
        place = "select decision_id, recorded_at, writer, seq from adjudge.answers"
        (older,) = await ledger._asked.rows(place)
        await concluded(ledger, decision_id="e" * 32, supersedes="d" * 32, status="supersedes")
        await ledger.settle()
        await ledger._asked.rows(
            "update adjudge.answers set (decision_id, recorded_at, writer, seq) = (%s, %s, %s, %s)", older
        )
        for name, value in copies.items():
            await raw.set(name, value)
        with pytest.raises(AuditBroken, match="has superseded it"):
            await ledger.claim(ID, FIRST, again=False, lease_s=60)
        with pytest.raises(AuditBroken, match="has superseded it"):
            await ledger.find(merchant_biz_id=ID)

    using(work, server, front)


def test_copy_of_a_record_that_is_gone_from_the_database_is_no_answer(server: Server, front: RedisServer) -> None:
    async def work(ledger: Fronted, raw: Any) -> None:
        decision = await concluded(ledger)
        await ledger.settle()
        await ledger._asked.rows("delete from adjudge.records where kind = 'decision'")
        assert await ledger.find(decision_id=decision.decision_id) is None
        assert await ledger.find(merchant_biz_id=ID) is None
        with pytest.raises((AuditUnavailable, AuditBroken)):
            await ledger.claim(ID, FIRST, again=False, lease_s=60)

    using(work, server, front)


def test_what_a_person_confirmed_since_is_known(server: Server, front: RedisServer) -> None:
    async def work(ledger: Fronted, raw: Any) -> None:
        decision = await concluded(ledger, decision_id="e" * 32, final=False)
        await ledger.settle()
        body = label_body(decision.decision_id, ID, "fraud", source="review", by="kim", found_on=None, note="")
        await ledger.twin.label(decision.decision_id, ID, body, confirms=True)
        found = [
            await ledger.claim(ID, FIRST, again=False, lease_s=60),
            await ledger.find(merchant_biz_id=ID),
            await ledger.find(decision_id=decision.decision_id),
        ]
        assert all(isinstance(one, Decision) and one.final for one in found)

    using(work, server, front)


def test_a_rate_that_leaves_no_room_is_asked_about_once_in_a_while(
    server: Server, front: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = Quota(
        provider="p", account="a", price=Decimal(0), rate=0.001, daily_calls=None, daily_spend=None, within_s=500.0
    )
    asked = 0

    async def work(ledger: Fronted, raw: Any) -> None:
        nonlocal asked
        claim = await ledger.claim(ID, FIRST, again=False, lease_s=60)
        assert isinstance(claim, Claim)
        rows = ledger._asked.rows

        async def counted(query: str, parameters: Any = ()) -> Any:
            nonlocal asked
            asked += "adjudge.admit(" in query
            return await rows(query, parameters)

        monkeypatch.setattr(ledger._asked, "rows", counted)
        monkeypatch.setattr("adjudge_plugins.redis.ledger.REACHED_S", 3600.0)
        assert await ledger.admit(quota, claim, None) == 0.0
        for _ in range(20):
            with pytest.raises(QuotaReached) as caught:
                await ledger.admit(quota, claim, None)
            assert caught.value.bound == "rate"
        assert asked == 2, "one that was let through, and one that was not"
        await raw.flushall()
        with pytest.raises(QuotaReached):
            await ledger.admit(quota, claim, None)
        assert asked == 3
        with pytest.raises(QuotaReached):
            await ledger.admit(replace(quota, within_s=5.0), claim, None)
        assert asked == 3, "who waits for less finds no room either"
        with pytest.raises(QuotaReached):
            await ledger.admit(replace(quota, within_s=501.0), claim, None)
        assert asked == 4, "who waits for longer may find some"
        assert await ledger.admit(replace(quota, account="b"), claim, None) == 0.0, "the rate of another account"

    using(work, server, front)


def test_settings_name_redis_and_no_password_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ADJUDGE_KEY", "k" * 32)
    monkeypatch.setenv("ADJUDGE_REDIS", "redis://:secret@127.0.0.1:1/0")
    given = {"dsn": "x", "fingerprint_key": {"env": "ADJUDGE_KEY"}, "redis": {"env": "ADJUDGE_REDIS"}}
    made = made_from(of(given))
    assert isinstance(made, FrontedLedger) and "secret" not in repr(made)
    plain = {name: value for name, value in given.items() if name != "redis"}
    assert not isinstance(made_from(of(plain)), FrontedLedger)


def of(settings: dict[str, Any]) -> LedgerSettings:
    return LedgerSettings(settings=settings, answer_for_s=60.0, clock=lambda: datetime.now(UTC))
