"""The chains in PostgreSQL get checkpoints and signatures as a log of files does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec import structs

psycopg = pytest.importorskip("psycopg", reason="needs the extra `postgres`")

from postgres_server import PROGRAMS, Server, migrated  # noqa: E402

from adjudge.audit.checkpoints import Checkpoints, FileAnchor  # noqa: E402
from adjudge.audit.record import encode, encode_body, parse  # noqa: E402
from adjudge.audit.signing import Signer, generate  # noqa: E402
from adjudge.audit.verify import Findings, verify, verify_files  # noqa: E402
from adjudge.errors import AuditBroken  # noqa: E402
from adjudge.plugin import Claim, Decision, DecisionLedger, LedgerSettings  # noqa: E402
from adjudge.testing.ledgers import FIRST, ID, call_of, decision_and_record, ended  # noqa: E402
from adjudge_plugins.postgres import _made  # noqa: E402
from adjudge_plugins.postgres.ledger import PostgresLedger  # noqa: E402
from adjudge_plugins.postgres.sealing import Seal  # noqa: E402

pytestmark = [
    pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL: apt-get install postgresql"),
    pytest.mark.xdist_group("postgres"),
]

KEY = b"k" * 32


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return generate(tmp_path / "audit.key")


def lines_of(dsn: str) -> Iterable[bytes]:
    with psycopg.connect(dsn) as connection:
        for (line,) in connection.execute("select line from adjudge.records order by writer, seq"):
            yield line


def found(dsn: str, folder: Path, **keys: object) -> Findings:
    """Verify the only chain as a log of files."""
    folder.mkdir()
    (folder / "audit-000001.jsonl").write_bytes(b"".join(lines_of(dsn)))
    return verify(folder, **keys)  # type: ignore[arg-type]


def test_chain_with_a_key_is_signed_from_its_birth_to_its_close(server: Server, tmp_path: Path, signer: Signer) -> None:
    dsn = migrated(server)
    anchor = tmp_path / "anchors"

    async def main() -> None:
        points = Checkpoints(every=4, signer=signer)
        ledger = PostgresLedger(dsn, KEY, answer_for_s=60, checkpoints=points, anchors=[FileAnchor(anchor)])
        await ledger.open()
        born = [line.split(b'"kind":"')[1].split(b'"')[0] for line in lines_of(dsn)]
        assert born == [b"ledger", b"checkpoint"], "one that is killed now is signed"
        await asyncio.gather(*(ledger.record("note", {"n": n}) for n in range(9)))
        await ledger.aclose()

    asyncio.run(main())
    keys = {"keys": [signer.public], "mac_keys": [signer.mac_key]}
    whole = found(dsn, tmp_path / "log", **keys, closed=True)
    assert whole.is_good, whole.problem
    assert (whole.count, whole.checkpoints, whole.signed_seq, whole.is_closed) == (14, 4, 14, True)
    kept = verify_files(tmp_path / "log", key=[tmp_path / "audit.key.pub"], anchors=anchor)
    assert kept.is_good and kept.anchored == 4


def test_checkpoint_comes_when_its_time_is_up(server: Server, tmp_path: Path, signer: Signer) -> None:
    dsn = migrated(server)

    async def main() -> None:
        points = Checkpoints(seconds=0.01, signer=signer)
        ledger = PostgresLedger(dsn, KEY, answer_for_s=60, checkpoints=points)
        await ledger.open()
        await ledger.record("note", {})
        while len([*lines_of(dsn)]) < 4:
            await asyncio.sleep(0.01)
        ledger.close()

    asyncio.run(main())
    whole = found(dsn, tmp_path / "log", keys=[signer.public])
    assert whole.is_good and whole.signed_seq == 4 and not whole.is_closed


def test_chain_without_a_key_says_how_many_there_are(server: Server, tmp_path: Path) -> None:
    dsn = migrated(server)

    async def main() -> None:
        ledger = PostgresLedger(dsn, KEY, answer_for_s=60)
        await ledger.open()
        await ledger.aclose()
        await ledger.aclose()

    asyncio.run(main())
    whole = found(dsn, tmp_path / "log")
    assert whole.is_good and (whole.count, whole.checkpoints, whole.signed, whole.is_closed) == (2, 1, 0, False)


def test_keys_of_the_settings_sign(server: Server, tmp_path: Path, signer: Signer) -> None:
    dsn = migrated(server)
    (tmp_path / "print").write_bytes(KEY)
    said = {
        "dsn": dsn,
        "fingerprint_key": {"file": tmp_path / "print"},
        "key": {"file": tmp_path / "audit.key"},
        "checkpoint": {"records": 2, "every": "1m"},
        "anchors": [{"file": tmp_path / "anchors"}],
    }

    async def main() -> None:
        ledger = _made(LedgerSettings(settings=said, answer_for_s=60, clock=lambda: datetime.now(UTC)))
        await ledger.open()
        await ledger.record("note", {})
        await ledger.aclose()

    asyncio.run(main())
    whole = found(dsn, tmp_path / "log", keys=[signer.public], closed=True)
    assert whole.is_good and whole.count == 4
    assert len((tmp_path / "anchors").read_bytes().splitlines()) == 2


async def decided(ledger: DecisionLedger) -> None:
    claim = await ledger.claim(ID, FIRST, again=False, lease_s=60)
    assert isinstance(claim, Claim)
    await ledger.conclude(claim, *decision_and_record(ledger))


async def answers(ledger: DecisionLedger) -> list[object]:
    """Return what each way to ask for the decision comes to."""
    found: list[object] = []
    for ask in (
        lambda: ledger.claim(ID, FIRST, again=False, lease_s=60),
        lambda: ledger.find(merchant_biz_id=ID),
        lambda: ledger.find(decision_id="d" * 32),
    ):
        try:
            found.append(await ask())
        except AuditBroken as error:
            found.append(str(error))
    return found


def changed(dsn: str, chain_goes_on: bool) -> None:
    """Let a decision pass, as somebody can who may write to the database and has no key."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("select line from adjudge.records where writer = 1 order by seq").fetchall()
        prev, is_changed = "", False
        for (line,) in rows:
            record = parse(line)
            members = record.line[record.members_at : record.members_end]
            is_changed = is_changed or record.kind == "decision"
            if record.kind == "decision":
                members = members.replace(b'"review"', b'"pass"')
            made, digest = encode(record.kind, record.seq, (prev or record.prev).encode(), members)
            if is_changed and (chain_goes_on or record.kind == "decision"):
                connection.execute("update adjudge.records set line = %s where writer = 1 and seq = %s",
                                   (made, record.seq))  # fmt: skip
                prev = digest.decode()


@pytest.mark.parametrize("chain_goes_on", [False, True])
@pytest.mark.parametrize("only_mac", [False, True])
def test_record_that_no_key_proves_answers_nobody(
    server: Server, signer: Signer, chain_goes_on: bool, only_mac: bool
) -> None:
    dsn = migrated(server)
    points = Checkpoints(mac_key=b"m" * 32) if only_mac else Checkpoints(signer=signer)

    async def main() -> None:
        ledger = PostgresLedger(dsn, KEY, answer_for_s=60, checkpoints=points)
        await ledger.open()
        await decided(ledger)
        await ledger.record("note", {})
        assert all(isinstance(one, Decision) for one in await answers(ledger))
        changed(dsn, chain_goes_on)
        found = await answers(ledger)
        ledger.close()
        assert all("no key proves the record of the decision" in str(one) for one in found), found

    asyncio.run(main())


def test_record_of_an_earlier_key_answers_where_that_is_named(server: Server, tmp_path: Path, signer: Signer) -> None:
    dsn = migrated(server)
    generate(tmp_path / "new.key")
    for name, key in (("print", KEY), ("mac", b"6d" * 32)):
        (tmp_path / name).write_bytes(key)
        (tmp_path / name).chmod(0o600)

    def ledger(**said: object) -> DecisionLedger:
        settings = {"dsn": dsn, "fingerprint_key": {"file": tmp_path / "print"}} | said
        return _made(LedgerSettings(settings=settings, answer_for_s=60, clock=lambda: datetime.now(UTC)))

    async def main() -> None:
        old, new = {"file": tmp_path / "audit.key"}, {"file": tmp_path / "new.key"}
        first = ledger(key=old)
        await first.open()
        await decided(first)
        await first.aclose()
        for said, is_proven in (
            ({"key": new}, False),
            ({"key": new, "retired": [{"key": old}]}, True),
            ({"key": old, "mac": {"file": tmp_path / "mac"}}, True),  # its signature vouches for what came before
            ({}, True),  # who has no key asks for no proof
        ):
            later = ledger(**said)
            await later.open()
            found = await answers(later)
            await later.aclose()
            assert all(isinstance(one, Decision) is is_proven for one in found), (said, found)

    asyncio.run(main())


@pytest.mark.parametrize("every", [1, 3, 1000])
def test_checkpoints_come_as_often_as_they_say(every: int, signer: Signer, tmp_path: Path) -> None:
    """However records come in groups, and whatever of them is lost on the way."""
    seal = Seal(Checkpoints(every=every, signer=signer))
    seq, last, lines = 0, b"0" * 64, list[bytes]()
    for group in (1, 2, 5, 1, 7):
        records = [("note", b',"n":%d' % n) for n in range(group)]
        seal.linked(records, seq, last)  # a group that did not arrive
        linked = seal.linked(records, seq, last)
        seal.committed(linked)
        lines += [receipt.line for _, receipt in linked]
        seq, last = linked[-1][1].seq, linked[-1][1].hash.encode()
    log = tmp_path / "log"
    log.mkdir()
    (log / "audit-000001.jsonl").write_bytes(b"".join(lines))
    whole = verify(log, keys=[signer.public], mac_keys=[signer.mac_key])
    assert whole.is_good, whole.problem
    assert whole.count == len(lines)


def test_answer_of_a_call_that_no_key_proves_is_used_by_nobody(server: Server, signer: Signer) -> None:
    """What was paid for and no decision holds yet decides as well."""
    dsn = migrated(server)
    points = Checkpoints(signer=signer)

    async def main() -> None:
        ledger = PostgresLedger(dsn, KEY, answer_for_s=60, checkpoints=points)
        await ledger.open()
        calls = {}
        for name in (ID, "B" * 32):
            claim = await ledger.claim(name, FIRST, again=False, lease_s=60)
            assert isinstance(claim, Claim)
            call = call_of(claim, call_id=name.lower())
            await ledger.begin_call(claim, call)
            calls[name] = ended(call)
            await ledger.end_call(claim, calls[name])
            await ledger.release(claim)
        found = await ledger.claim(ID, FIRST, again=False, lease_s=60)
        assert isinstance(found, Claim) and found.calls["device"].answer == calls[ID].answer
        await ledger.release(found)
        better = encode_body(structs.replace(calls[ID], latency_ms=1.0))
        for line, said in (
            (encode("call", 7, b"0" * 64, better)[0], "no key proves the record of a call"),
            (b"{}", "is not what was written"),
            (encode("label", 7, b"0" * 64, better)[0], "its kind is label"),
            ("another", "another's record for a call"),
        ):
            with psycopg.connect(dsn) as connection:
                if line == "another":
                    take = "update adjudge.calls set line = (select line from adjudge.calls where merchant_biz_id = %s)"
                    connection.execute(f"{take} where merchant_biz_id = %s", ("B" * 32, ID))
                else:
                    connection.execute("update adjudge.calls set line = %s where merchant_biz_id = %s", (line, ID))
            with pytest.raises(AuditBroken, match=said):
                await ledger.claim(ID, FIRST, again=False, lease_s=60)
        ledger.close()

    asyncio.run(main())
