"""What workers over one PostgreSQL share: budgets, the end of one of them, who waits, erasures; and a pooler."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import pytest

psycopg = pytest.importorskip("psycopg", reason="needs the extra `postgres`")

import test_postgres_ledger as direct  # noqa: E402  # by name, its tests would be collected here too
from postgres_server import KEY, POOLER, PROGRAMS, Pooler, Server, migrated, with_connection  # noqa: E402

import adjudge_plugins.postgres.ledger  # noqa: E402
from adjudge.audit.annotations import erasure_body  # noqa: E402
from adjudge.audit.record import encode_body  # noqa: E402
from adjudge.engine import Engine  # noqa: E402
from adjudge.errors import AuditUnavailable, LostClaim, QuotaReached  # noqa: E402
from adjudge.model import Decision, Request  # noqa: E402
from adjudge.plugin import Answer, Body, Busy, Claim, Context, Limits  # noqa: E402
from adjudge.registry import parse_policy  # noqa: E402
from adjudge.signals.admission import Guards  # noqa: E402
from adjudge.testing import fake_provider, registry_of  # noqa: E402
from adjudge.testing.ledgers import FIRST, ID, Process, call_of, decision_and_record, note_of, quota_of  # noqa: E402
from adjudge_plugins.postgres.database import connect  # noqa: E402
from adjudge_plugins.postgres.ledger import PostgresLedger  # noqa: E402
from adjudge_plugins.postgres.personal import KEEP  # noqa: E402
from adjudge_plugins.postgres.writer import Wanted, quota_text  # noqa: E402
from audit.audit_logs import assert_verifies  # noqa: E402

pytestmark = [
    pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL: apt-get install postgresql"),
    pytest.mark.xdist_group("postgres"),
]
LONG_S = 600.0
WITHIN_S = 300.0
"""A lease that does not lapse during a test, and how long a test waits at most for what takes no time."""


WAITS = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
"""Asks who waits for somebody's commit."""


@pytest.fixture
def dsn(server: Server) -> str:
    return migrated(server)


@pytest.fixture
def own() -> Iterator[Server]:
    """Return a server that may be stopped."""
    server = Server()
    yield server
    server.close()


def program(dsn: str) -> str:
    return (
        "from adjudge_plugins.postgres.ledger import PostgresLedger\n"
        f"ledger = PostgresLedger({dsn!r}, {KEY!r}, answer_for_s=3600)"
    )


class Opened:
    """A ledger that is open for a while."""

    def __init__(self, dsn: str) -> None:
        self._ledger = PostgresLedger(dsn, KEY, answer_for_s=3600)

    async def __aenter__(self) -> PostgresLedger:
        await self._ledger.open()
        return self._ledger

    async def __aexit__(self, *how: object) -> None:
        await self._ledger.aclose()


async def claim(ledger: PostgresLedger, merchant_biz_id: str = ID, lease_s: float = LONG_S) -> Claim | Decision | Busy:
    return await ledger.claim(merchant_biz_id, FIRST, again=False, lease_s=lease_s)


async def claimed(ledger: PostgresLedger, merchant_biz_id: str = ID, lease_s: float = LONG_S) -> Claim:
    found = await claim(ledger, merchant_biz_id, lease_s)
    assert isinstance(found, Claim), found
    return found


async def busy(ledger: PostgresLedger) -> Busy:
    found = await claim(ledger)
    assert isinstance(found, Busy), found
    return found


# the end of a worker


def test_claims_of_a_killed_worker_are_free_at_once_and_those_of_a_stopped_one_are_not(dsn: str) -> None:
    async def taken_over(holder: Process) -> None:
        async with Opened(dsn) as ledger:
            held = await busy(ledger)
            holder.stop()
            assert await busy(ledger) == held, "it may go on"
            holder.kill()
            await ledger.wait(held, monotonic() + WITHIN_S)
            found = await claimed(ledger)
            assert found.token > held.token and found.calls["device"].is_in_doubt
            await ledger.conclude(found, *decision_and_record(ledger))

    with Process(program(dsn)) as holder:
        assert holder.do("claim", lease_s=LONG_S) == "claimed"
        assert holder.do("begin") == "begun"
        asyncio.run(taken_over(holder))


def test_worker_whose_session_broke_is_fenced_and_begins_another(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjudge_plugins.postgres.session.AGAIN_S", 0.01)

    async def main() -> None:
        async with Opened(dsn) as first, Opened(dsn) as second:
            lost = await claimed(first)
            connection, begun, is_away = first._session._connection, first._session._begun, True
            assert connection is not None

            async def away(writer: int) -> bool:
                if is_away:
                    raise AuditUnavailable("away")
                return await begun(writer)

            first._session._begun = away  # type: ignore[method-assign]
            ended = "select pg_terminate_backend(%s)"
            await first._asked.rows(ended, (connection.info.backend_pid,))
            won = await taken(second)
            with pytest.raises(LostClaim):
                await first.conclude(lost, *decision_and_record(first))
            decision, record = decision_and_record(second, decision_id="e" * 32)
            await second.conclude(won, decision, record)
            assert await claim(first) == decision
            is_away = False
            while not first._session.is_up or first._session._connection is connection:
                await asyncio.sleep(0.01)
            await claimed(first, "B" * 32)
            assert isinstance(await claim(second, "B" * 32), Busy), "it is known to live again"

    async def taken(ledger: PostgresLedger) -> Claim:
        while isinstance(found := await claim(ledger), Busy):
            await asyncio.sleep(0.01)
        assert isinstance(found, Claim)
        return found

    asyncio.run(asyncio.wait_for(main(), WITHIN_S))


def test_same_token_of_another_holder_is_no_claim(dsn: str) -> None:
    """After a crash a sequence may give a token again that was lost with its claim."""

    async def main() -> None:
        async with Opened(dsn) as first, Opened(dsn) as second:
            lost = await claimed(first)
            await second._asked.rows("delete from adjudge.claims")
            await second._asked.rows("select setval('adjudge.tokens', %s, false)", (lost.token,))
            won = await claimed(second)
            assert won.token == lost.token
            for late in (
                lambda: first.conclude(lost, *decision_and_record(first)),
                lambda: first.begin_call(lost, call_of(lost)),
            ):
                with pytest.raises(LostClaim):
                    await late()
            await first.release(lost)
            decision, record = decision_and_record(second, decision_id="e" * 32)
            await second.conclude(won, decision, record)
            await second.release(won)
            assert await claim(first) == decision
            kept = await claimed(first, "B" * 32)
            await first.release(kept)
            assert await claimed(second, "B" * 32), "what ended with a decision is not confused with what did not"

    asyncio.run(main())


def test_presumed_claim_that_stayed_behind_is_of_nobody(dsn: str) -> None:
    """The first who presumes such an id to be new only clears it away; two would make two decisions."""

    async def main() -> None:
        async with Opened(dsn) as one, Opened(dsn) as two:
            await one._asked.rows("insert into adjudge.claims values (%s, 'x', null, 0, '', now())", (ID,))
            other = await connect(dsn)  # stops the first after it looked, and before it writes
            await other.execute(b"begin")
            await other.execute(b"select from adjudge.writers where writer = %s for update", (one._writer.number,))
            ends = []
            for n, each in enumerate((one, two)):
                presumed = each.presume(ID, FIRST)
                assert presumed is not None
                made = decision_and_record(each, decision_id=f"{n}" * 32)
                ends.append(asyncio.ensure_future(each.conclude(presumed, *made)))
                while len(await two._asked.rows(WAITS)) <= n and not ends[-1].done():
                    await asyncio.sleep(0.01)
            await other.execute(b"commit")
            await other.close()
            said = await asyncio.gather(*ends, return_exceptions=True)
            assert [isinstance(each, LostClaim) for each in said] == [True, False], said
            assert await one._asked.rows("select count(*) from adjudge.claims") == [(0,)]

    asyncio.run(asyncio.wait_for(main(), WITHIN_S))


def test_presumed_claims_beside_what_is_refused_do_not_stay(dsn: str) -> None:
    async def main() -> None:
        async with Opened(dsn) as ledger:
            presumed = ledger.presume("B" * 32, FIRST)
            assert presumed is not None
            decision, record = decision_and_record(ledger, "B" * 32)
            gone = Wanted(kind="call", members=b"", merchant_biz_id=ID, sealed=["sha256:0"])
            new = Wanted(
                kind="decision",
                members=encode_body(record),
                merchant_biz_id="B" * 32,
                decision_id=decision.decision_id,
                claim=presumed,
            )
            _, said = await ledger._writer._committed([new, gone])
            assert said == {1: ("erased", 0.0)}
            assert await ledger._asked.rows("select count(*) from adjudge.claims") == [(0,)]

    asyncio.run(main())


def test_snapshot_of_before_decides_nothing(dsn: str) -> None:
    """A transaction that sees no commit of others cannot tell whether an id is new."""
    levels = ("repeatable read", "serializable")
    for level in levels:
        with psycopg.connect(dsn, autocommit=True) as connection:
            name = connection.info.dbname
            connection.execute(f"alter database {name} set default_transaction_isolation = '{level}'".encode())

        async def main() -> None:
            async with Opened(dsn):
                pass

        with pytest.raises(AuditUnavailable, match="read committed"):
            asyncio.run(main())


def test_record_is_on_the_disk_also_where_the_database_waits_for_no_commit(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set synchronous_commit = off".encode())
        connection.execute(
            "create function adjudge.note_it() returns trigger language plpgsql as $$ begin insert into"
            " adjudge.settings values ('seen', current_setting('synchronous_commit')) on conflict do nothing;"
            " return null; end $$; create trigger noting after insert on adjudge.records for each row execute"
            " function adjudge.note_it()"
        )

    async def main() -> None:
        async with Opened(dsn) as ledger:
            assert await ledger._asked.rows("select value from adjudge.settings where name = 'seen'") == [("on",)]

    asyncio.run(main())


def test_named_record_may_hold_any_character(dsn: str) -> None:
    async def main() -> None:
        async with Opened(dsn) as ledger:
            for number, said in enumerate(("\0", "\\u0000", "\\\0\\"), 1):
                await ledger.note("rollout", note_of("one", number, said))
            assert (await ledger.newest("rollout"))["one"].number == 3

    asyncio.run(main())


def test_id_that_was_asked_for_here_is_not_presumed_new(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adjudge_plugins.postgres.ledger, "_KNOWN_MAX", 2)

    async def main() -> None:
        async with Opened(dsn) as ledger, Opened(dsn) as other:
            for name in "ABC":
                presumed = ledger.presume(name * 32, FIRST)
                assert presumed is not None
                await ledger.conclude(presumed, *decision_and_record(ledger, name * 32, decision_id=name.lower() * 32))
            assert [ledger.presume(name * 32, FIRST) is None for name in "ABC"] == [False, True, True]
            assert isinstance(await claim(other, "A" * 32), Decision)
            assert [other.presume(name * 32, FIRST) is None for name in "ABC"] == [True, False, False]

    asyncio.run(main())


def test_claim_that_is_lost_with_the_server_decides_nothing(own: Server) -> None:
    """Its commit was not waited for. A call that it began is not lost, and then neither is the claim."""
    database = migrated(own)

    async def main() -> None:
        async with Opened(database) as ledger:
            held = {name * 32: await claimed(ledger, name * 32, lease_s=1) for name in "ABCDEF"}
            begun = held["A" * 32]
            await ledger.begin_call(begun, call_of(begun))
            held |= {name * 32: await claimed(ledger, name * 32, lease_s=1) for name in "UVWXYZ"}
            own.stop("immediate")
            own.start()
            async with Opened(database) as other:
                taken = {name: await taken_over(other, name) for name in held}
                assert taken["A" * 32].calls["device"].is_in_doubt
                assert not any(one.calls for name, one in taken.items() if name != "A" * 32)
                for name, late in held.items():
                    with pytest.raises((LostClaim, AuditUnavailable)):
                        await ledger.conclude(late, *decision_and_record(ledger, name))
                    decision, record = decision_and_record(other, name, decision_id=name.lower())
                    await other.conclude(taken[name], decision, record)
                    assert await other.find(merchant_biz_id=name) == decision

    async def taken_over(ledger: PostgresLedger, name: str) -> Claim:
        while isinstance(found := await claim(ledger, name), Busy):
            await ledger.wait(found, monotonic() + WITHIN_S)
        assert isinstance(found, Claim)
        return found

    asyncio.run(asyncio.wait_for(main(), WITHIN_S))


# claims that are asked for together


def test_claims_of_many_are_one_statement_and_each_has_its_own_answer(dsn: str) -> None:
    async def main() -> None:
        async with Opened(dsn) as ledger, Opened(dsn) as other:
            await ledger.conclude(await claimed(ledger), *decision_and_record(ledger))
            await claimed(other, "B" * 32)
            asked: list[str] = []
            rows = ledger._asked.rows

            async def counted(query: str, parameters: Any = ()) -> Any:
                asked.append(query)
                return await rows(query, parameters)

            ledger._asked.rows = counted  # type: ignore[method-assign]
            found = await asyncio.gather(
                claim(ledger, "C" * 32),
                claim(ledger, "B" * 32),
                claim(ledger),
                claim(ledger, "A" * 32),
                claim(ledger, "C" * 32),
                ledger.claim(ID, "9" * 64, again=False, lease_s=LONG_S),
                return_exceptions=True,
            )
            kinds = [type(one).__name__ for one in found]
            assert kinds == ["Claim", "Busy", "Decision", "Claim", "Busy", "MerchantBizIdConflict"]
            assert sum("adjudge.claim(" in query for query in asked) == 1

    asyncio.run(main())


def test_claim_whose_caller_is_gone_is_given_back(dsn: str) -> None:
    async def main() -> None:
        async with Opened(dsn) as ledger, Opened(dsn) as other:
            asking = asyncio.ensure_future(claim(ledger))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            asking.cancel()
            while await other._asked.rows("select from adjudge.claims") or not ledger._claims._task:
                await asyncio.sleep(0.01)
            task = ledger._claims._task
            await asyncio.wait([task])
            assert not await other._asked.rows("select from adjudge.claims")

    asyncio.run(asyncio.wait_for(main(), WITHIN_S))


# who waits


@pytest.mark.parametrize("how", ["conclude", "release", "aclose"])
def test_who_waits_is_told_of_the_end(dsn: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without looking again: its next look would come long after the test."""
    monkeypatch.setattr(adjudge_plugins.postgres.ledger, "_POLL_S", (3600.0, 3600.0))

    async def main() -> None:
        async with Opened(dsn) as waiter:
            holder = PostgresLedger(dsn, KEY, answer_for_s=3600)
            await holder.open()
            held = await claimed(holder)
            waiting = asyncio.ensure_future(waiter.wait(await busy(waiter), monotonic() + LONG_S))
            while not await is_awaited(waiter):
                await asyncio.sleep(0.01)
            if how == "conclude":
                await holder.conclude(held, *decision_and_record(holder))
            elif how == "release":
                await holder.release(held)
            await holder.aclose()
            await asyncio.wait_for(waiting, WITHIN_S)

    async def is_awaited(ledger: PostgresLedger) -> bool:
        return bool(await ledger._asked.rows("select from adjudge.claims where awaited"))

    asyncio.run(main())


# budgets


def test_engines_keep_to_one_budget_and_say_why(dsn: str) -> None:
    """Of two workers together, each with guards of its own as another process has them."""
    asked: list[str] = []

    async def vendor(context: Context) -> Answer:
        asked.append(context.request.merchant_biz_id)
        await asyncio.sleep(0)
        return {"score": 0.1}

    async def main() -> Counter[str | None]:
        spend = Decimal("0.75")
        async with engine(dsn, vendor, daily_spend=spend) as one, engine(dsn, vendor, daily_spend=spend) as two:
            deciding = ((one, two)[n % 2].decide(request(n)) for n in range(20))
            made = await asyncio.gather(*deciding)
            assert sum(each.usage()["acme.face"].refused for each in (one, two)) == 13
        return Counter(decision.signals["face"].reason_code for decision in made)

    assert asyncio.run(main()) == {None: 7, "DAILY_SPEND_REACHED": 13}
    assert len(asked) == 7


def test_last_call_of_a_budget_is_waited_for(dsn: str) -> None:
    """While another worker's commit that takes it is on its way, nobody else is let through."""

    async def main() -> None:
        quota = quota_of(daily_calls=2)
        taken = b"select bound from adjudge.admit(%s::jsonb)"
        async with Opened(dsn) as ledger:
            held = await claimed(ledger)
            assert await ledger.admit(quota, held, None) == 0
            other = await connect(dsn)
            await other.execute(b"begin")
            await other.execute(taken, (msgspec.json.encode([quota_text(quota)]).decode(),))
            asking = [asyncio.ensure_future(ledger.admit(quota, held, call)) for call in (None, call_of(held))]
            while len(await ledger._asked.rows(WAITS)) < len(asking):
                await asyncio.sleep(0.01)
            await other.execute(b"commit")
            await other.close()
            for one in asking:
                with pytest.raises(QuotaReached):
                    await one
            assert not await ledger.spent(), "nothing is recorded of it"

    asyncio.run(asyncio.wait_for(main(), WITHIN_S))


def test_budget_is_exact_whoever_is_killed(dsn: str, tmp_path: Path) -> None:
    """Two processes, each killed while it asks: what is counted is what may have been paid for, and it is all used."""
    budget, draw = 40, random.Random()
    bill, notes = tmp_path / "bill", tmp_path / "notes"

    def start() -> subprocess.Popen[bytes]:
        script = Path(__file__).with_name("postgres_load.py")
        with (tmp_path / "errors").open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, script, dsn, bill, notes, str(budget)],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=errors,
                stderr=errors,
            )

    def asked() -> int:
        return len(bill.read_text().splitlines()) if bill.exists() else 0

    workers = [start(), start()]
    try:
        for at in (0, 1):
            before, until = asked(), monotonic() + WITHIN_S
            while asked() < before + draw.randint(2, 6) and workers[at].poll() is None and monotonic() < until:
                time.sleep(0.01)
            workers[at].kill()
            workers[at].wait()
            workers[at] = start()
        for each in workers:
            assert each.wait(timeout=4 * WITHIN_S) == 0, (tmp_path / "errors").read_text()[-4000:]
    finally:
        for each in workers:
            each.kill()
            each.wait()
    counts = "select (select sum(calls) from adjudge.days), count(*) from adjudge.calls"
    sums = f"{counts} where billed is distinct from 'no'"

    async def counted(connection: Any) -> list[tuple[int, int]]:
        return list(await (await connection.execute(sums)).fetchall())

    assert asyncio.run(with_connection(dsn, counted)) == [(budget, budget)]
    assert asked() <= budget


def engine(dsn: str, vendor: Any, **bounds: Any) -> Engine:
    provider = fake_provider("acme.face", {"score": "double"}, vendor, price=Decimal("0.10"))
    registry = registry_of([provider])
    policy = parse_policy(
        "{policy_language: 1, policy: shared, inputs: {email: {type: string, personal: true}},"
        " signals: {face: {provider: acme.face}}, rules: [{id: forged, when: face.score >= 0.9, then: reject}]}",
        registry=registry,
    )
    return Engine(
        [policy],
        registry=registry,
        ledger=PostgresLedger(dsn, KEY, answer_for_s=3600),
        limits={"acme.face": Limits(**bounds)},
        guards=Guards(),
    )


def request(number: int, **inputs: object) -> Request:
    return Request(merchant_biz_id=f"{number:032d}", scene_code="onboard001", inputs=inputs)


# erasure


def test_erasure_is_of_all_workers_once_it_is_acknowledged(dsn: str) -> None:
    async def vendor(context: Context) -> Answer:
        return {"score": 0.1}

    async def main() -> None:
        async with engine(dsn, vendor) as one, engine(dsn, vendor) as two:
            asked = request(1, email="alice@example.org")
            first = await one.decide(asked)
            assert (await two.decide(asked)).decision_id == first.decision_id
            assert await one.erase(asked.merchant_biz_id) == 1
            for each in (one, two):
                found = await each.find(merchant_biz_id=asked.merchant_biz_id)
                assert found is not None and "alice" not in repr(found)

    asyncio.run(main())
    left = asyncio.run(with_connection(dsn, tables))
    assert left == [0, 0]


async def tables(connection: Any) -> list[int]:
    counts = []
    for table in ("subject_keys", "personal"):
        ((count,),) = await (await connection.execute(f"select count(*) from adjudge.{table}")).fetchall()
        counts.append(count)
    return counts


def test_record_that_an_erasure_overtakes_is_not_written(dsn: str, tmp_path: Path) -> None:
    """Decided again, it is decided after the erasure: no record names what is gone before it was written."""

    def body(names: tuple[str, ...]) -> Body:
        return erasure_body(ID, names, by="test")

    async def main() -> None:
        async with Opened(dsn) as writer, Opened(dsn) as eraser:
            held = await claimed(writer, lease_s=0.01)  # an erasure waits for one that holds
            async with writer.sealed(ID, {"device.owner": "alice"}) as sealed:
                assert await eraser.erase(ID, body) == 1
                with pytest.raises(LostClaim):
                    await writer.conclude(held, *decision_and_record(writer, owner=sealed["device.owner"]))
            assert await with_connection(dsn, tables) == [0, 0]
            held = await claimed(writer)
            async with writer.sealed(ID, {"device.owner": "alice"}) as sealed:
                await writer.conclude(held, *decision_and_record(writer, owner=sealed["device.owner"]))
            assert await eraser.erase(ID, body) == 1
            assert await with_connection(dsn, tables) == [0, 0]

    asyncio.run(main())
    for log in direct.exported(dsn, tmp_path / "chains"):
        assert_verifies(log)


def test_what_was_read_before_an_erasure_is_not_written_after_it(dsn: str) -> None:
    """A worker that claims the id while it is erased has read the values of the decision before."""

    async def main() -> None:
        async with Opened(dsn) as writer, Opened(dsn) as eraser:
            held = await claimed(writer)
            async with writer.sealed(ID, {"device.owner": "alice"}) as sealed:
                await writer.conclude(held, *decision_and_record(writer, owner=sealed["device.owner"]))
            write = eraser._writer.write

            async def slow(wanted: Any) -> Any:
                nonlocal held
                if wanted.kind == "erasure":  # nobody had claimed it, when that was asked
                    again = await writer.claim(ID, FIRST, again=True, lease_s=LONG_S)
                    assert isinstance(again, Claim)
                    held = again
                return await write(wanted)

            eraser._writer.write = slow  # type: ignore[method-assign]
            assert await eraser.erase(ID, lambda names: erasure_body(ID, names, by="test")) == 1
            async with writer.sealed(ID, {"device.owner": "alice"}) as sealed:
                with pytest.raises(LostClaim):
                    await writer.conclude(held, *decision_and_record(writer, owner=sealed["device.owner"]))

    asyncio.run(asyncio.wait_for(main(), WITHIN_S))


def test_erasure_waits_for_values_that_are_on_their_way(dsn: str) -> None:
    async def main() -> None:
        names: list[tuple[str, ...]] = []

        def body(erased: tuple[str, ...]) -> Body:
            names.append(erased)
            return erasure_body(ID, erased, by="test")

        async with Opened(dsn) as ledger:
            async with ledger.sealed(ID, {"first": "alice"}):
                pass
            ((key,),) = await ledger._asked.rows("select key from adjudge.subject_keys")
            other = await connect(dsn)
            await other.execute(b"begin")
            await other.execute(KEEP.encode(), (ID, key, ["second"], ["sha256:0"], [b"sealed"]))
            erasing = asyncio.ensure_future(ledger.erase(ID, body))
            while not await ledger._asked.rows(WAITS):
                await asyncio.sleep(0.01)
            await other.execute(b"commit")
            await other.close()
            assert await erasing == 2
        assert names == [("first",), ("first", "second")]
        assert await with_connection(dsn, tables) == [0, 0]

    asyncio.run(asyncio.wait_for(main(), WITHIN_S))


def test_erasure_waits_for_what_another_worker_is_deciding(dsn: str) -> None:
    async def main() -> None:
        async with Opened(dsn) as writer, Opened(dsn) as eraser:
            held = await claimed(writer)
            erasing = asyncio.ensure_future(eraser.erase(ID, lambda names: erasure_body(ID, names, by="test")))
            while not await eraser._asked.rows("select from adjudge.claims where awaited") and not erasing.done():
                await asyncio.sleep(0.01)
            async with writer.sealed(ID, {"device.owner": "alice"}) as sealed:
                await writer.conclude(held, *decision_and_record(writer, owner=sealed["device.owner"]))
            assert await erasing == 1
        assert await with_connection(dsn, tables) == [0, 0]

    asyncio.run(asyncio.wait_for(main(), WITHIN_S))


def test_erasures_and_sealings_at_once_leave_no_value_without_its_key(dsn: str) -> None:
    def body(names: tuple[str, ...]) -> Body:
        return erasure_body(ID, names, by="test")

    async def main() -> None:
        async with Opened(dsn) as one, Opened(dsn) as two:

            async def seal(each: PostgresLedger, n: int) -> None:
                async with each.sealed(ID, {f"name{n}": "alice"}):
                    pass

            both = (one, two)
            await asyncio.gather(
                *(seal(both[n % 2], n) for n in range(40)), *(both[n % 2].erase(ID, body) for n in range(10))
            )
            orphans = (
                "select count(*) from adjudge.personal where subject not in (select subject from adjudge.subject_keys)"
            )
            assert await one._asked.rows(orphans) == [(0,)]
            await one.erase(ID, body)
        assert await with_connection(dsn, tables) == [0, 0]

    asyncio.run(main())


# behind a pooler


@pytest.mark.skipif(POOLER is None, reason="needs PgBouncer: apt-get install pgbouncer")
class TestBehindPgBouncer(direct.TestPostgresLedger):
    """The whole contract, with connections that are shared by transaction."""

    @pytest.fixture
    def port(self, server: Server) -> Iterator[int]:
        pooler = Pooler(server)
        yield pooler.port
        pooler.close()


@pytest.mark.skipif(POOLER is None, reason="needs PgBouncer: apt-get install pgbouncer")
def test_session_behind_a_pooler_is_none(server: Server, dsn: str) -> None:
    async def main() -> None:
        async with Opened(dsn.replace(str(server.port), str(pooler.port))) as ledger, Opened(dsn) as plain:
            assert (ledger._session.is_up, plain._session.is_up) == (False, True)

    pooler = Pooler(server)
    try:
        asyncio.run(main())
    finally:
        pooler.close()
