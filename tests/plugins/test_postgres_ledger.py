"""The ledger in PostgreSQL keeps the contract of every ledger, over a real server and a way to it that is cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

psycopg = pytest.importorskip("psycopg", reason="needs the extra `postgres`")

from click.testing import CliRunner  # noqa: E402
from postgres_server import KEY, PROGRAMS, Server, Way, migrated, with_connection  # noqa: E402

from adjudge.audit.annotations import label_body  # noqa: E402
from adjudge.audit.elsewhere import write_files  # noqa: E402
from adjudge.audit.record import encode, encode_body  # noqa: E402
from adjudge.engine import Engine  # noqa: E402
from adjudge.errors import AuditBroken, AuditUnavailable, PluginError, RequestError  # noqa: E402
from adjudge.plugin import Claim, DecisionLedger, LedgerSettings  # noqa: E402
from adjudge.testing import SharedLedgerContract  # noqa: E402
from adjudge.testing.ledgers import FIRST, ID, call_of, decision_and_record, ended  # noqa: E402
from adjudge_plugins.postgres import _made as made_from  # noqa: E402
from adjudge_plugins.postgres.arrays import Array, Blobs, Flags, Floats, Numbers, Texts  # noqa: E402
from adjudge_plugins.postgres.command import postgres  # noqa: E402
from adjudge_plugins.postgres.ledger import PostgresLedger  # noqa: E402
from adjudge_plugins.postgres.migrate import migrate, migrations  # noqa: E402
from adjudge_plugins.postgres.reading import PostgresLog  # noqa: E402
from audit.audit_logs import assert_verifies  # noqa: E402

pytestmark = [
    pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL: apt-get install postgresql"),
    pytest.mark.xdist_group("postgres"),
]

ENOUGH = {"dsn": "x", "fingerprint_key": {"env": "ADJUDGE_LONG"}}


class Two(PostgresLedger):
    """A ledger with another holder of the same database beside it."""

    def __init__(self, dsn: str, other: str) -> None:
        super().__init__(dsn, KEY, answer_for_s=3600)
        self.twin = PostgresLedger(other, KEY, answer_for_s=3600)

    async def open(self) -> None:
        await super().open()
        await self.twin.open()

    async def aclose(self) -> None:
        await self.twin.aclose()
        await super().aclose()


class TestPostgresLedger(SharedLedgerContract):
    @pytest.fixture
    def port(self, server: Server) -> int:
        """Return the port where the contract is asked to hold."""
        return server.port

    @pytest.fixture(autouse=True)
    def _served(self, server: Server, port: int, tmp_path: Path) -> Iterator[None]:
        self.server, self.to, self.dsn, self.way = server, port, "", Way(port)
        yield
        self.way.close()
        if self.dsn:
            for log in exported(self.dsn, tmp_path / "chains"):
                assert_verifies(log)

    def begin(self) -> None:
        self.dsn = migrated(self.server).replace(f":{self.server.port}/", f":{self.to}/")

    def ledger(self, clock: Callable[[], datetime]) -> DecisionLedger:
        return Two(self.dsn.replace(f":{self.to}/", f":{self.way.port}/"), self.dsn)

    def another(self, ledger: DecisionLedger) -> DecisionLedger:
        assert isinstance(ledger, Two)
        return ledger.twin

    def program(self) -> str:
        return (
            "from adjudge_plugins.postgres.ledger import PostgresLedger\n"
            f"ledger = PostgresLedger({self.dsn!r}, {KEY!r}, answer_for_s=3600)"
        )

    @contextmanager
    def cut(self, ledger: DecisionLedger) -> Iterator[None]:
        self.way.cut()
        yield
        self.way.is_cut = False

    def test_decision_may_supersede_one_in_the_chain_of_another(self) -> None:
        async def work(ledger: DecisionLedger) -> None:
            first = _claim(await ledger.claim(ID, FIRST, again=False, lease_s=60))
            await ledger.conclude(first, *decision_and_record(ledger))
            twin = self.another(ledger)
            again = _claim(await twin.claim(ID, FIRST, again=True, lease_s=60))
            decision, record = decision_and_record(twin, decision_id="e" * 32, supersedes="d" * 32, status="supersedes")
            await twin.conclude(again, decision, record)
            assert await ledger.find(merchant_biz_id=ID) == decision

        self._run(work)


@pytest.mark.parametrize(
    ("kind", "items"),
    [
        (Texts.from_str, ["a", None, "", 'q"u{o},t\\e', "NULL", "漢字 \n", "x" * 70_000]),
        (Texts.from_str, []),
        (Numbers.from_int, [0, None, -1, 2**63 - 1, -(2**63)]),
        (Floats.from_float, [0.0, -1.5, 1e300, float("inf")]),
        (Flags.from_bool, [True, False]),
        (Blobs.of, [b"", None, bytes(range(256))]),
    ],
)
def test_array_comes_back_as_it_was(server: Server, kind: Callable[[list[Any]], Array], items: list[Any]) -> None:
    async def main(connection: Any) -> None:
        ((found,),) = await (await connection.execute("select %s", (kind(items),))).fetchall()
        assert found == items

    asyncio.run(with_connection(server.dsn("postgres"), main))


def exported(dsn: str, directory: Path) -> list[Path]:
    """Return the chains as logs of files."""
    return sorted(write_files(PostgresLog(dsn), directory))


def test_ledger_wants_its_tables_and_its_key(server: Server) -> None:
    async def opened(ledger: PostgresLedger) -> None:
        await ledger.open()
        await ledger.aclose()

    bare = server.dsn(server.database())
    with pytest.raises(AuditUnavailable, match="no tables of adjudge in this database: run `adjudge postgres migrate`"):
        asyncio.run(opened(PostgresLedger(bare, KEY, answer_for_s=60)))
    dsn = migrated(server)
    asyncio.run(opened(PostgresLedger(dsn, KEY, answer_for_s=60)))
    with pytest.raises(PluginError, match="every retry would be a conflict"):
        asyncio.run(opened(PostgresLedger(dsn, b"other" * 5, answer_for_s=60)))
    with pytest.raises(AuditUnavailable, match=r"^PostgreSQL: connection failed"):
        asyncio.run(opened(PostgresLedger("postgresql://nobody@127.0.0.1:1/x", KEY, answer_for_s=60)))
    with pytest.raises(AuditUnavailable, match="is not open"):
        asyncio.run(PostgresLedger(dsn, KEY, answer_for_s=60).spent())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dsm": "x"}, "unknown key `dsm`"),
        ({}, "`dsn` must say where it is"),
        ({"dsn": "x"}, "`fingerprint_key` must say where it is"),
        ({"dsn": {"env": "ADJUDGE_NOT_SET"}}, "the environment has no `ADJUDGE_NOT_SET`"),
        ({"dsn": "x", "fingerprint_key": {"file": "/none"}}, "/none: no such file or directory"),
        ({"dsn": "x", "fingerprint_key": {"env": "ADJUDGE_SHORT"}}, "has 5 bytes, where 16 are the least"),
        (ENOUGH | {"checkpoint": "often"}, "`checkpoint` must say when"),
        (ENOUGH | {"checkpoint": {"record": 1}}, "unknown key `record`"),
        (ENOUGH | {"checkpoint": {"records": 0}}, "`records` must be a number from 1 to 1000000"),
        (ENOUGH | {"checkpoint": {"every": "soon"}}, "`every` must be a time such as 60s"),
        (ENOUGH | {"key": "secret"}, "`key` must say where it is"),
        (ENOUGH | {"mac": {"env": "A", "file": "b"}}, "`mac` must say where it is"),
        (ENOUGH | {"retired": {"key": {"file": "x"}}}, "`retired` must be a list of earlier keys"),
        (ENOUGH | {"retired": [{"file": "x"}]}, "`retired` must be a list of earlier keys"),
        (ENOUGH | {"retired": [{"mac": {"env": "ADJUDGE_LONG"}}]}, "no `key` or `mac` took their place"),
        (ENOUGH | {"anchors": {"file": "x"}}, "`anchors` must be a list of files"),
    ],
)
def test_settings_that_will_not_do(settings: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADJUDGE_SHORT", "short")
    monkeypatch.setenv("ADJUDGE_LONG", "long" * 8)
    with pytest.raises(PluginError, match=said):
        made_from(LedgerSettings(settings=settings, answer_for_s=1.0, clock=lambda: datetime.now(UTC)))


def test_group_without_a_lost_claim_is_written_whole(server: Server) -> None:
    async def main() -> None:
        ledger = PostgresLedger(migrated_dsn, KEY, answer_for_s=3600)
        await ledger.open()
        claims = [await ledger.claim(f"{at:032d}", FIRST, again=False, lease_s=60) for at in range(20)]
        for at in (3, 7):
            await ledger.release(_claim(claims[at]))
        wanted = [
            ledger.conclude(_claim(one), *decision_and_record(ledger, f"{at:032d}", decision_id=f"{at:032x}"))
            for at, one in enumerate(claims)
        ]
        answers = await asyncio.gather(*wanted, return_exceptions=True)
        assert [at for at, one in enumerate(answers) if isinstance(one, Exception)] == [3, 7]
        assert {type(answers[at]).__name__ for at in (3, 7)} == {"LostClaim"}
        seqs = [one.seq for one in answers if not isinstance(one, BaseException)]
        assert seqs == list(range(2, 20)), "after the one that begins the chain"
        await ledger.aclose()

    migrated_dsn = migrated(server)
    asyncio.run(main())


def test_answer_of_a_commit_that_is_lost_changes_nothing(server: Server, tmp_path: Path) -> None:
    """The group has arrived, and its writer finds that out; or it has not, and nothing was decided."""

    async def main(dsn: str, way: Way) -> None:
        ledger = PostgresLedger(dsn.replace(str(server.port), str(way.port)), KEY, answer_for_s=3600)
        await ledger.open()
        for at, is_late in enumerate((False, True)):
            name = f"{at:032d}"
            claim = _claim(await ledger.claim(name, FIRST, again=False, lease_s=60))
            way.swallow = not is_late  # what the server answers is lost, or what it is asked
            way.drop = is_late
            decision, record = decision_and_record(ledger, name, decision_id=f"{at:032x}")
            if is_late:
                with pytest.raises(AuditUnavailable):
                    await ledger.conclude(claim, decision, record)
                assert await ledger.find(merchant_biz_id=name) is None
            else:
                await ledger.conclude(claim, decision, record)
                assert await ledger.find(merchant_biz_id=name) == decision
        await ledger.record("policy", {"policy": "contract"})
        await ledger.aclose()

    dsn, way = migrated(server), Way(server.port)
    try:
        asyncio.run(main(dsn, way))
    finally:
        way.close()
    (log,) = exported(dsn, tmp_path / "chains")
    assert_verifies(log)


def test_close_without_the_database_says_nothing_of_claims_that_lapse(server: Server) -> None:
    async def main(dsn: str, way: Way) -> None:
        ledger = PostgresLedger(dsn.replace(str(server.port), str(way.port)), KEY, answer_for_s=3600)
        await ledger.open()
        _claim(await ledger.claim(ID, FIRST, again=False, lease_s=60))
        way.cut()
        await ledger.aclose()

    way = Way(server.port)
    try:
        asyncio.run(main(migrated(server), way))
    finally:
        way.close()


def test_month_is_moved_into_its_partition_and_can_be_dropped(server: Server) -> None:
    async def main(connection: Any) -> None:
        row = "insert into adjudge.records values (%s, 1, %s, 'label', null, null, 'x')"
        for seq, day in enumerate(("2026-11-30", "2027-06-01", "2027-07-31"), 1):
            await connection.execute(row, (f"{day} 23:59:59.9Z", seq))
        made = await migrate(connection, date(2027, 5, 31))
        assert [name for name in made if name >= "records_2027_06"][:2] == ["records_2027_06", "records_2027_07"]
        assert await migrate(connection, date(2027, 5, 31)) == []
        stands = "select tableoid::regclass::text, seq from adjudge.records order by seq"
        found = await (await connection.execute(stands)).fetchall()
        assert [row[0].removeprefix("adjudge.") for row in found] == [
            "records_2026_11",
            "records_2027_06",
            "records_2027_07",
        ]
        await connection.execute("drop table adjudge.records_2027_06")
        assert [row[1] for row in await (await connection.execute(stands)).fetchall()] == [1, 3]

    dsn = server.dsn(server.database())
    asyncio.run(with_connection(dsn, lambda connection: migrate(connection, date(2026, 11, 2))))
    asyncio.run(with_connection(dsn, main))


def test_commands_say_what_they_did(server: Server, tmp_path: Path) -> None:
    dsn = server.dsn(server.database())
    run = CliRunner().invoke
    assert "adjudge postgres migrate" in run(postgres, ["status", dsn]).output
    first = run(postgres, ["migrate", dsn]).output.splitlines()
    assert first[0] == "made 0001_ledger.sql" and first[-1] == "up to date"
    assert run(postgres, ["migrate", dsn]).output == "up to date\n"

    async def decide() -> None:
        ledger = PostgresLedger(dsn, KEY, answer_for_s=3600)
        await ledger.open()
        claim = _claim(await ledger.claim(ID, FIRST, again=False, lease_s=60))
        await ledger.conclude(claim, *decision_and_record(ledger))
        await ledger.aclose()

    asyncio.run(decide())
    status = dict(line.rsplit(maxsplit=1) for line in run(postgres, ["status", dsn]).output.splitlines())
    assert status == {
        "version of the tables": f"{migrations()[-1][0]}",
        "writers": "1",
        "records": "3",
        "ids with a decision": "1",
        "claims under way": "0",
        "calls without a decision": "0",
        "records without a month": "0",
    }
    assert "adjudge audit export postgresql://" in run(postgres, ["export", dsn, "logs"]).output


def _claim(found: object) -> Claim:
    assert isinstance(found, Claim), found
    return found


def test_record_that_is_gone_is_named(server: Server) -> None:
    async def main() -> None:
        ledger = PostgresLedger(dsn, KEY, answer_for_s=3600)
        await ledger.open()
        claim = _claim(await ledger.claim(ID, FIRST, again=False, lease_s=60))
        await ledger.conclude(claim, *decision_and_record(ledger))
        delete = "delete from adjudge.records where kind = 'decision'"
        await with_connection(dsn, lambda connection: connection.execute(delete))
        with pytest.raises(AuditUnavailable, match=r"record 2 of writer 1, .* row of adjudge.answers to decide anew"):
            await ledger.claim(ID, FIRST, again=False, lease_s=60)
        await ledger.aclose()

    dsn = migrated(server)
    asyncio.run(main())


def test_database_that_can_only_be_read_is_told(server: Server) -> None:
    dsn = migrated(server)
    name = dsn.rsplit("/", 1)[1]
    only = f"alter database {name} set default_transaction_read_only = on"
    asyncio.run(with_connection(dsn, lambda connection: connection.execute(only)))
    with pytest.raises(AuditUnavailable, match="can only be read, as a replica can; to write, name the primary"):
        asyncio.run(PostgresLedger(dsn, KEY, answer_for_s=60).open())


def test_paths_are_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "fingerprint.key").write_bytes(KEY)
    (tmp_path / "dsn").write_text("postgresql://nobody@127.0.0.1:1/none\n")
    said = {"dsn": {"file": "dsn"}, "fingerprint_key": {"file": "fingerprint.key"}}
    (tmp_path / "adjudge.yaml").write_text(f"policies: [p.yaml]\nledger: {{postgres: {json.dumps(said)}}}\n")
    (tmp_path / "p.yaml").write_text("policy_language: 1\npolicy: p\nrules: [{id: r, when: 1 > 2, then: review}]\n")
    engine = Engine.open(tmp_path / "adjudge.yaml")
    with pytest.raises(AuditUnavailable, match="PostgreSQL"), engine:
        pass


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("update adjudge.records set line = overlay(line placing 'X' from 400) where decision_id = %s", "not what was"),
        (
            "update adjudge.records r set line = other.line from adjudge.records other"
            " where r.decision_id = %s and other.kind = 'decision' and other.decision_id <> r.decision_id",
            "another's record",
        ),
    ],
)
def test_record_that_was_changed_in_the_database_answers_nobody(server: Server, change: str, said: str) -> None:
    async def main() -> None:
        ledger = PostgresLedger(dsn, KEY, answer_for_s=3600)
        await ledger.open()
        try:
            for at, name in enumerate((ID, "9" * 32)):
                claim = _claim(await ledger.claim(name, FIRST, again=False, lease_s=60))
                of = {"decision_id": f"{at}" * 32, "merchant_biz_id": name}
                await ledger.conclude(claim, *decision_and_record(ledger, **of))
            await with_connection(dsn, lambda connection: connection.execute(change, ("0" * 32,)))
            for question in (
                lambda: ledger.claim(ID, FIRST, again=False, lease_s=60),
                lambda: ledger.find(merchant_biz_id=ID),
                lambda: ledger.find(decision_id="0" * 32),
            ):
                with pytest.raises(AuditBroken, match=said):
                    await question()
        finally:
            await ledger.aclose()

    dsn = migrated(server)
    asyncio.run(main())


def test_older_decision_that_somebody_put_back_answers_nobody(server: Server) -> None:
    async def main() -> None:
        ledger = PostgresLedger(dsn, KEY, answer_for_s=3600)
        await ledger.open()
        try:
            await ledger.conclude(
                _claim(await ledger.claim(ID, FIRST, again=False, lease_s=60)), *decision_and_record(ledger)
            )
            older = await with_connection(dsn, answers)
            newer, record = decision_and_record(ledger, decision_id="e" * 32, supersedes="d" * 32, status="supersedes")
            await ledger.conclude(_claim(await ledger.claim(ID, FIRST, again=True, lease_s=60)), newer, record)
            assert await ledger.claim(ID, FIRST, again=False, lease_s=60) == newer
            assert await ledger.find(merchant_biz_id=ID) == newer
            put = "update adjudge.answers set (decision_id, recorded_at, writer, seq) = (%s, %s, %s, %s)"
            await with_connection(dsn, lambda connection: connection.execute(put, older))
            for question in (
                lambda: ledger.claim(ID, FIRST, again=False, lease_s=60),
                lambda: ledger.claim(ID, FIRST, again=True, lease_s=60),
                lambda: ledger.find(merchant_biz_id=ID),
            ):
                with pytest.raises(AuditBroken, match=f"with {'d' * 32}, though {'e' * 32} has superseded it"):
                    await question()
            found = await ledger.find(decision_id="d" * 32)
            assert found is not None and found.decision_id == "d" * 32
        finally:
            await ledger.aclose()

    async def answers(connection: Any) -> Any:
        kept = await connection.execute("select decision_id, recorded_at, writer, seq from adjudge.answers")
        return await kept.fetchone()

    dsn = migrated(server)
    asyncio.run(main())


def test_label_of_no_decision_is_refused_unless_a_month_is_archived(server: Server) -> None:
    async def main() -> None:
        ledger = PostgresLedger(dsn, KEY, answer_for_s=3600)
        await ledger.open()
        try:
            claim = _claim(await ledger.claim(ID, FIRST, again=False, lease_s=60))
            await ledger.conclude(claim, *decision_and_record(ledger))
            await label(ledger, "d" * 32, ID)
            for of, whose in (("e" * 32, ID), ("d" * 32, "B" * 32)):
                with pytest.raises(RequestError, match=f"there is no decision {of} of the MerchantBizId {whose}"):
                    await label(ledger, of, whose)
            await ledger.record("archive", {"to": "/mnt/archive"})
            await label(ledger, "e" * 32, ID)
            with pytest.raises(RequestError):
                await label(ledger, "d" * 32, "B" * 32)
        finally:
            await ledger.aclose()

    async def label(ledger: PostgresLedger, of: str, whose: str) -> None:
        await ledger.label(of, whose, label_body(of, whose, "fraud", source="test", by="test"), confirms=False)

    dsn = migrated(server)
    asyncio.run(main())


def test_calls_of_a_database_of_before_are_found_by_their_records(server: Server) -> None:
    """Migration 0006 takes them over; what no decision held then is still used, or in doubt."""

    async def begun(connection: Any) -> None:
        await connection.execute("create schema adjudge")
        for number, _, text in migrations():
            if number < 6:
                await connection.execute(text)
        applied = "create table adjudge.migrations (number int primary key, name text, applied_at timestamptz)"
        await connection.execute(applied)
        await connection.execute("insert into adjudge.migrations values (5, 'x', now())")
        claim = Claim(merchant_biz_id=ID, fingerprint=FIRST, token=1)
        for at, (name, call) in enumerate(
            (("paid", ended(call_of(claim, call_id="paid"))), ("lost", call_of(claim, call_id="lost", signal="other")))
        ):
            line, _ = encode("call", at + 1, b"0" * 64, encode_body(call))
            row = "insert into adjudge.records values (now(), 1, %s, 'call', %s, null, %s)"
            await connection.execute(row, (at + 1, ID, line))
            row = "insert into adjudge.calls values (%s, %s, %s, 'acme.device', current_date, 1, %s, true, 'body')"
            await connection.execute(row, (name, ID, FIRST, call.billed))
        gone = "insert into adjudge.calls values ('gone', %s, %s, 'acme.device', current_date, 1, 'yes', true, 'body')"
        await connection.execute(gone, (ID, FIRST))
        await migrate(connection)

    async def main() -> None:
        await with_connection(dsn, begun)
        ledger = PostgresLedger(dsn, KEY, answer_for_s=3600)
        await ledger.open()
        found = _claim(await ledger.claim(ID, FIRST, again=False, lease_s=60)).calls
        assert found["device"].answer is not None and found["other"].is_in_doubt and len(found) == 2
        assert [one.call_id for one in await ledger.in_doubt()] == ["lost"]
        assert [tally.calls for tally in (await ledger.spent()).values()] == [3]
        await ledger.aclose()

    dsn = server.dsn(server.database())
    asyncio.run(main())


def test_chain_of_another_under_the_same_number_is_not_gone_on_with(server: Server) -> None:
    """In a database that was restored, a new worker may get the number of one that runs still."""

    async def main() -> None:
        ledger = PostgresLedger(dsn, KEY, answer_for_s=3600)
        await ledger.open()
        await ledger._claims._connections.rows("update adjudge.writers set hash = repeat('f', 64)")
        for _ in range(2):
            with pytest.raises((AuditBroken, AuditUnavailable), match=r"does not end with|replaced"):
                await ledger.record("note", {})
        counted = "select count(*) from adjudge.records"
        assert await ledger._claims._connections.rows(counted) == [(1,)]
        ledger.close()

    dsn = migrated(server)
    asyncio.run(main())
