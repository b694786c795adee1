"""Readers fed from the chains of a shared ledger: all chains, each in order, by one worker at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

psycopg = pytest.importorskip("psycopg", reason="needs the extra `postgres`")

from postgres_server import PROGRAMS, Server, Way  # noqa: E402
from structlog.testing import capture_logs  # noqa: E402

from adjudge.decision import feed as feed_module  # noqa: E402
from adjudge.decision import feeds as feeds_module  # noqa: E402
from adjudge.engine import Engine  # noqa: E402
from adjudge.errors import AuditBroken, AuditUnavailable, WrongPosition  # noqa: E402
from adjudge.model import Request  # noqa: E402
from adjudge.plugin import BEFORE_FIRST, LogRecord, Position  # noqa: E402
from adjudge.registry import Registry, parse_policy  # noqa: E402
from adjudge_plugins.postgres import records as records_module  # noqa: E402
from adjudge_plugins.postgres.database import connect  # noqa: E402
from adjudge_plugins.postgres.ledger import PostgresLedger  # noqa: E402
from adjudge_plugins.postgres.migrate import migrate  # noqa: E402
from adjudge_plugins.postgres.records import PostgresRecords  # noqa: E402

pytestmark = [
    pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL: apt-get install postgresql"),
    pytest.mark.xdist_group("postgres"),
]

KEY = b"k" * 32
POLICY = "{policy_language: 1, policy: p, inputs: {n: int}, rules: [{id: r, when: n > 1, then: review}]}"


@pytest.fixture
def dsn(server: Server) -> str:
    """The connection string of a new database that has the tables."""
    made = server.dsn(server.database())

    async def prepare() -> None:
        connection = await connect(made)
        await migrate(connection)
        await connection.close()

    asyncio.run(prepare())
    return made


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(feed_module, "LONGEST_PAUSE_S", 0.02)
    monkeypatch.setattr(feed_module, "ELSEWHERE_S", 0.02)
    monkeypatch.setattr(feeds_module, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(records_module, "LEASE_S", 600.0)
    monkeypatch.setattr(PostgresRecords, "look_every_s", 0.01)


class Place:
    """What readers of several workers bring their records to, as a table would hold it."""

    def __init__(self) -> None:
        self.taken: list[LogRecord] = []

    def lines(self, log: str) -> list[bytes]:
        return [one.line for one in self.taken if one.log == log]


class Keeping:
    """A reader of a place."""

    def __init__(self, place: Place, of_process: bool = False) -> None:
        self.place, self.of_process = place, of_process

    def open(self, end: Position) -> Position | None:
        held = [one.position for one in self.place.taken if one.log == end.log]
        return held[-1] if held else None

    def take(self, records: Sequence[LogRecord]) -> None:
        self.place.taken += records

    def close(self) -> None: ...


def worker(dsn: str, **readers: Keeping) -> Engine:
    registry = Registry()
    ledger = PostgresLedger(dsn, KEY, answer_for_s=3600)
    return Engine([parse_policy(POLICY, registry=registry)], registry=registry, ledger=ledger, readers=readers)


def decide(door: Engine, *numbers: int) -> None:
    for number in numbers:
        door.decide_sync(Request(merchant_biz_id=f"{number:032}", scene_code="test", inputs={"n": number}))


def until(condition: Callable[[], object]) -> None:
    """Wait for what has to come, at most a minute."""
    for _ in range(12000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("it did not come")


def chains(dsn: str) -> list[list[bytes]]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("select writer, line from adjudge.records order by writer, seq").fetchall()
    return [[bytes(line) for of, line in rows if of == writer] for writer in sorted({row[0] for row in rows})]


def whole(place: Place, dsn: str) -> bool:
    """Whether a place has every chain, each record once, in order."""
    names = list(dict.fromkeys(one.log for one in place.taken))
    return sorted(place.lines(name) for name in names) == sorted(chains(dsn))


def test_chains_of_all_workers_come_in_order_and_from_one_worker_at_a_time(dsn: str) -> None:
    place, own, other = Place(), Place(), Place()
    with worker(dsn, copy=Keeping(place), own=Keeping(own, True)) as one:
        with worker(dsn, copy=Keeping(place), own=Keeping(other, True)) as two:
            decide(one, 1, 2)
            decide(two, 3, 4)
            until(lambda: len(place.taken) == len(own.taken) + len(other.taken) == 8)
            assert [len({record.log for record in of.taken}) for of in (place, own, other)] == [2, 1, 1]
            fed = [state.batches > 0 for door in (one, two) for state in door.readers() if state.name == "copy"]
            assert sorted(fed) == [False, True], "one of the two feeds"
        decide(one, 5)
        until(lambda: whole(place, dsn))
    with worker(dsn, copy=Keeping(place)):
        pass
    assert whole(place, dsn), "what the last one wrote at its end too"
    assert len(chains(dsn)) == 3


def test_worker_that_is_gone_is_followed_by_another_when_its_lease_lapses(dsn: str) -> None:
    one, two = (PostgresRecords(dsn, lambda: 1) for _ in range(2))
    assert one.may_feed("copy") and one.may_feed("copy") and one.may_feed("other")
    assert not two.may_feed("copy")
    with psycopg.connect(dsn) as connection:
        connection.execute("update adjudge.feeders set until = clock_timestamp() where reader = 'copy'")
    assert two.may_feed("copy")
    one._leased["copy"] -= records_module.LEASE_S  # it was paused as long
    assert not one.may_feed("copy")
    two.close()
    with pytest.raises(AuditUnavailable, match="the records in PostgreSQL are closed"):
        two.ends(own=True)
    assert one.may_feed("copy"), "who closes gives it back"
    one.close()


def test_readers_go_on_when_the_way_to_the_database_is_mended(dsn: str, server: Server) -> None:
    way, place = Way(server.port), Place()
    through = dsn.replace(f":{server.port}/", f":{way.port}/")
    with capture_logs() as events, worker(through, copy=Keeping(place)) as door:
        decide(door, 1)
        until(lambda: len(place.taken) == 3)
        way.cut()
        until(lambda: "readers_unfed" in {event["event"] for event in events})
        way.is_cut = False
        until(lambda: _decided(door, 2))
        until(lambda: len(place.taken) >= 4)
    way.close()
    assert whole(place, dsn)


def _decided(door: Engine, number: int) -> bool:
    try:
        decide(door, number)
    except AuditUnavailable:
        return False
    return True


def written(dsn: str) -> tuple[PostgresRecords, list[LogRecord]]:
    """Return the records of a chain of six."""
    with worker(dsn) as door:
        decide(door, 1, 2, 3)
    records = PostgresRecords(dsn, lambda: 1)
    (end,) = records.ends(own=True)
    first = Position(log=end.log, seq=0, hash=BEFORE_FIRST)
    return records, list(records.read_from(first, max_records=500, max_bytes=10**9))


def test_records_come_from_every_position_and_in_bounded_batches(dsn: str) -> None:
    records, everything = written(dsn)
    assert [one.seq for one in everything] == list(range(1, 7))
    for at, one in enumerate(everything):
        for size in (1, 2, 99):
            found = records.read_from(one.position, max_records=size, max_bytes=10**9)
            assert list(found) == everything[at + 1 : at + 1 + size]
    assert len(records.read_from(everything[0].position, max_records=99, max_bytes=1)) == 1
    records.close()


@pytest.mark.parametrize(
    ("held", "error", "said"),
    [
        ({"seq": 900}, WrongPosition, "it holds record 900 of writer 1, whose chain ends with record 6"),
        ({"hash": "f" * 64}, WrongPosition, "its record 2 of writer 1 is not the one of the chain"),
        ({"seq": 6, "hash": "f" * 64}, WrongPosition, "its record 6 of writer 1 is not the one of the chain"),
        ({"log": "e" * 64}, WrongPosition, "it holds records of eeeeeeeeeeee…, and no chain of this database has"),
    ],
)
def test_position_that_is_none_of_a_chain_is_told(
    dsn: str, held: dict[str, Any], error: type[Exception], said: str
) -> None:
    records, everything = written(dsn)
    at = everything[1].position
    wrong = Position(**{"log": at.log, "seq": at.seq, "hash": at.hash, **held})
    with pytest.raises(error, match=said):
        records.read_from(wrong, max_records=5, max_bytes=10**9)
    records.close()


def test_record_that_was_changed_or_let_go_is_handed_to_nobody(dsn: str) -> None:
    records, everything = written(dsn)
    first = Position(log=everything[0].log, seq=0, hash=BEFORE_FIRST)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("update adjudge.records set line = %s where seq = 3", (everything[3].line,))
        with pytest.raises(AuditUnavailable, match="record 3 of the chain of writer 1 is not there"):
            records.read_from(first, max_records=9, max_bytes=10**9)
        changed = everything[2].line.replace(b'"outcome":"', b'"outcame":"')
        connection.execute("update adjudge.records set line = %s where seq = 3", (changed,))
        with pytest.raises(AuditBroken, match="the chain of writer 1: the record's bytes do not have the hash"):
            records.read_from(first, max_records=9, max_bytes=10**9)
        connection.execute("delete from adjudge.records where seq <= 3")
        with pytest.raises(AuditUnavailable, match="record 1 of the chain of writer 1 is not there: was its month"):
            records.read_from(first, max_records=9, max_bytes=10**9)
        again = PostgresRecords(dsn, lambda: 1)
        assert again.ends(own=True) == records.ends(own=True), "a checkpoint knows the log's name too"
        rest = again.read_from(everything[2].position, max_records=9, max_bytes=10**9)
        assert list(rest) == everything[3:]
        connection.execute("delete from adjudge.records")
        with pytest.raises(AuditUnavailable, match="record 4 of the chain of writer 1 is not there"):
            again.read_from(everything[2].position, max_records=9, max_bytes=10**9)
        newest = PostgresRecords(dsn, lambda: 1)
        assert not newest.ends(own=False)
    for one in (records, again, newest):
        one.close()
