"""Every command that reads a log takes the URL of a ledger in PostgreSQL, over a real server."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import subprocess
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

psycopg = pytest.importorskip("psycopg", reason="needs the extra `postgres`")

from cli_documents import BIZ_ID, POLICY, request_document  # noqa: E402
from hostile_logs import READERS, arguments  # noqa: E402

from adjudge import Engine  # noqa: E402
from adjudge.audit.checkpoints import Checkpoints  # noqa: E402
from adjudge.audit.signing import Signer, generate  # noqa: E402
from adjudge.audit.verify import verify_files  # noqa: E402
from adjudge.documents import decode_request  # noqa: E402
from adjudge.registry import Registry, parse_policy  # noqa: E402
from adjudge_plugins.postgres.command import _still_answers  # noqa: E402
from adjudge_plugins.postgres.database import connect  # noqa: E402
from adjudge_plugins.postgres.ledger import PostgresLedger  # noqa: E402
from adjudge_plugins.postgres.migrate import migrate  # noqa: E402
from plugins.postgres_server import POOLER, PROGRAMS, Pooler, Server, migrated  # noqa: E402

pytestmark = [
    pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL: apt-get install postgresql"),
    pytest.mark.xdist_group("postgres"),
]

Keys = tuple[Signer, Path]
KEY = b"k" * 32
IN_URL = "pa%3Ass%2Fw0rd"
PAGE = (Path(__file__).parents[2] / "docs" / "postgres.md").read_text("utf-8")


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    path = tmp_path_factory.mktemp("keys") / "audit.key"
    return generate(path), path


@pytest.fixture(scope="module")
def written(server: Server, signer: Keys) -> tuple[str, str]:
    """Two workers that decided, labelled and erased. Returns the URL, and the decision of a reject."""
    dsn = migrated(server)

    async def main() -> str:
        policy = parse_policy(POLICY)
        ledgers = [PostgresLedger(dsn, KEY, answer_for_s=3600, checkpoints=Checkpoints(every=5, signer=signer[0]))
                   for _ in range(2)]  # fmt: skip
        async with (
            Engine([policy], registry=Registry(), ledger=ledgers[0]) as one,
            Engine([policy], registry=Registry(), ledger=ledgers[1]) as other,
        ):
            found = []
            for number, change in enumerate(CHANGES, 1):
                request = decode_request(request_document(number, **change))
                found.append(await (one if number % 2 else other).decide(request))
            await one.label(found[1].decision_id, f"{BIZ_ID}2", "fraud", source="chargeback", by="ana")
            assert await one.erase(f"{BIZ_ID}4", by="ana") == 1
            return found[2].decision_id

    return dsn, asyncio.run(main())


CHANGES: list[dict[str, Any]] = [
    {},
    {"signals": {"device": {"score": 75, "emulator": False}}},
    {"inputs": {"country": "KP", "email": "canary@example.com"}},
    {"signals": {}, "inputs": {"country": "SG", "email": "gone@example.com"}},
]


def in_database(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def copy(server: Server, written: tuple[str, str]) -> str:
    """A copy of the database to tamper with."""
    name = f"copy_{server.database()}"
    in_database(server.dsn("postgres"), f"create database {name} template {written[0].rsplit('/', 1)[1]}")
    return server.dsn(name)


@pytest.mark.parametrize("reader", [name for name in READERS if name != "label"])
def test_reader_takes_the_url(run: Any, folder: Path, written: tuple[str, str], reader: str) -> None:
    url, decision_id = written
    result = run(*[url if one == "log" else one for one in arguments(reader, Path("log"), decision_id)])
    assert "Traceback" not in result.output
    assert result.exit_code == (2 if reader == "drift" else 0), result.output  # that one has too few rows


def test_log_in_a_database_reads_as_one_log(run: Any, folder: Path, written: tuple[str, str]) -> None:
    url, _ = written
    assert run("replay", url).stdout == "4 of 4 decisions identical\n"
    assert run("replay", url, "--jobs", 2, "--verbose").stdout.count("record writer-") == 4
    by = json.loads(run("audit", "show", url, "--by", "country", "--format", "json").stdout)["segments"]
    assert by == {} or sum(part["decisions"] for part in by) == 4
    assert run("audit", "show", url, "--where", "country == 'KP'", "--count").stdout == "1\n"
    assert run("audit", "show", url, "--kind", "decision", "--since", "1h", "--count").stdout == "4\n"
    assert run("audit", "show", url, "--until", "2020-01-01", "--count").stdout == "0\n"
    shown = run("audit", "show", url, f"{BIZ_ID}2").stdout
    assert "fraud, chargeback" in shown, "in the chain of another worker"
    assert re.search(r"^  record     writer-2:\d+, hash", shown, re.MULTILINE)
    found = run("backtest", "policy.yaml", url, "--where", "device.score >= 0", "--format", "json")
    assert json.loads(found.stdout)["data"] == url
    last = run("audit", "tail", url, "--last", 2).stdout.splitlines()
    assert [line.split()[1] for line in last] == ["checkpoint", "checkpoint"]
    alone = run("audit", "show", f"{url}#writer-2", "--format", "json").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in alone] == [*range(1, len(alone) + 1)]


def test_replay_and_export_go_on_where_they_stopped(run: Any, folder: Path, copy: str) -> None:
    assert "4 decisions and 1 label more" in run("audit", "export", copy, "out").stdout
    assert "0 decisions and 0 labels more" in run("audit", "export", copy, "out").stdout
    assert run("replay", copy, "--state", "state").exit_code == 0

    async def main() -> None:
        async with Engine(
            [parse_policy(POLICY)], registry=Registry(), ledger=PostgresLedger(copy, KEY, answer_for_s=3600)
        ) as engine:
            await engine.decide(decode_request(request_document(5)))

    asyncio.run(main())
    assert run("replay", copy, "--state", "state").stdout == "5 of 5 decisions identical\n"
    assert "1 decision and 0 labels more" in run("audit", "export", copy, "out").stdout
    in_database(copy, "delete from adjudge.records where writer = 2", "delete from adjudge.writers where writer = 2")
    assert "has the log been cut?" in run("audit", "export", copy, "out").stderr
    assert "has the log been cut?" in run("replay", copy, "--state", "state").stderr


def test_verify_checks_every_chain(run: Any, folder: Path, written: tuple[str, str], signer: Keys) -> None:
    url, _ = written
    keys = ("--key", f"{signer[1]}.pub", "--mac-key", signer[1])
    good = run("audit", "verify", url, *keys, "--closed", "--vault")
    assert good.exit_code == 0, good.output
    assert "writer-1\n  " in good.stdout and "writer-2\n  " in good.stdout and " in 2 chains" in good.stdout
    assert "vault: the log names 2 commitments: 1 held, 1 erased, 0 not as it says" in good.stdout
    said = json.loads(run("audit", "verify", url, *keys, "--format", "json").stdout)
    assert said["is_good"] and {*said["chains"]} == {"writer-1", "writer-2"}
    other = generate(folder / "other.key")
    unused = run("audit", "verify", url, "--key", f"{signer[1]}.pub", "--key", "other.key.pub")
    assert unused.exit_code == 1 and f"error[unused-key]: the key {other.key_id}" in unused.stdout
    last = said["chains"]["writer-2"]
    one = ("audit", "verify", f"{url}#writer-2", "--expect-count", last["last_seq"], "--expect-last", last["last_hash"])
    assert run(*one).exit_code == 0
    assert "name it, such as" in run("audit", "verify", url, "--expect-count", 1).stderr


def test_chains_as_files_verify_without_the_engine(
    run: Any, folder: Path, written: tuple[str, str], signer: Keys
) -> None:
    url, _ = written
    result = run("audit", "export", url, "chains", "--jsonl")
    assert result.exit_code == 0 and re.fullmatch(r"(chains/writer-[12]: \d+ records\n){2}", result.stdout)
    keys = {"key": [Path(f"{signer[1]}.pub")], "mac_key": [signer[1]]}
    logs = sorted(Path("chains").iterdir())
    found = [verify_files(log, **keys, closed=True) for log in logs]
    assert [one.problem for one in found] == [None, None]
    if shutil.which("node") is not None:
        asked = [{"log": str(log), "keys": [str(signer[1]) + ".pub"], "macKeys": [str(signer[1])]} for log in logs]
        program = Path(__file__).parents[1] / "audit" / "verify.mjs"
        lines = "".join(f"{json.dumps(one)}\n" for one in asked)
        done = subprocess.run(["node", program], input=lines, capture_output=True, text=True, check=True)
        said = [json.loads(line) for line in done.stdout.splitlines()]
        assert said == [{"good": True, "count": one.count} for one in found]
    again = run("audit", "export", url, "chains", "--jsonl")
    assert again.exit_code == 2 and "chains/writer-1: exists already" in again.stderr
    assert "leave the other options out" in run("audit", "export", url, "x", "--jsonl", "--since", "1d").stderr
    assert "a log of such files already" in run("audit", "export", logs[0], "x", "--jsonl").stderr


TAMPERING = {
    "changed": ("update adjudge.records set line = replace(encode(line, 'escape'), 'SG', 'KP')::bytea"
                " where writer = 2 and seq = 4", "writer-2:4: error[edited]: record 4"),
    "deleted": ("delete from adjudge.records where writer = 1 and seq = 4", "writer-1:4: error[missing]"),
    "doubled": ("insert into adjudge.records select recorded_at + interval '1 second', writer, seq, kind,"
                " merchant_biz_id, decision_id, line from adjudge.records where writer = 1 and seq = 3",
                "writer-1:4: error[inserted]"),
    "swapped": ("update adjudge.records r set line = o.line from adjudge.records o where r.writer = 1"
                " and o.writer = 1 and (r.seq, o.seq) in ((3, 4), (4, 3))", "writer-1:3: error[reordered]: record 4"),
    "cut off": ("delete from adjudge.records r using (select max(seq) as last from adjudge.records where writer = 1) m"
                " where r.writer = 1 and r.seq = m.last", "writer-1: error[unexpected-end]"),
    "without a beginning": ("delete from adjudge.records where writer = 1 and seq = 1", "writer-1:1: error[missing]"),
    "all gone": ("delete from adjudge.records where writer = 1", "writer-1: error[empty]"),
    "with a writer that is not known": ("delete from adjudge.writers where writer = 1", "no writer is known"),
    "of another chain": ("update adjudge.records r set line = o.line from adjudge.records o where r.writer = 1 and"
                         " o.writer = 2 and r.seq = 4 and o.seq = 4", "writer-1:4: error[edited]"),
}  # fmt: skip


def test_commands_of_the_page_do_what_it_says(run: Any, folder: Path, written: tuple[str, str], signer: Keys) -> None:
    (folder / "audit.key.pub").write_bytes(Path(f"{signer[1]}.pub").read_bytes())
    section = PAGE.split("## Reading it\n", 1)[1].split("\n## ", 1)[0]
    commands = section.split("```sh\n", 1)[1].split("```", 1)[0].splitlines()
    assert len(commands) == 5
    for command in commands:
        words = shlex.split(command.replace("postgresql://auditor@db.internal/adjudge", written[0]))
        result = run(*[word.replace("#writer-3", "#writer-2") for word in words[1:]])
        assert result.exit_code == 0, result.output


@pytest.mark.parametrize("what", TAMPERING)
def test_tampering_is_told_with_writer_and_record(run: Any, folder: Path, copy: str, what: str) -> None:
    statement, said = TAMPERING[what]
    in_database(copy, statement)
    result = run("audit", "verify", copy)
    assert result.exit_code == 1 and said in result.stdout, result.output
    assert result.stdout.count("error[") == 1, "of the other chain nothing is wrong"
    if what == "with a writer that is not known":
        return
    for reader in ("replay", "show", "export"):
        read = run(*[copy if one == "log" else one for one in arguments(reader, Path("log"))])
        assert read.exit_code == 1 and "error[audit-broken]" in read.stderr and "writer-" in read.stderr, read.output


@pytest.mark.skipif(POOLER is None, reason="needs PgBouncer: apt-get install pgbouncer")
def test_pooler_may_stand_between(run: Any, folder: Path, server: Server, written: tuple[str, str]) -> None:
    pooler = Pooler(server)
    try:
        url = written[0].replace(str(server.port), str(pooler.port))
        for reader in ("replay", "show some", "tail", "backtest"):
            read = run(*[url if one == "log" else one for one in arguments(reader, Path("log"))])
            assert read.exit_code == 0, read.output
        assert run("audit", "verify", url, "--vault").exit_code == 0
    finally:
        pooler.close()


def test_clock_that_was_set_back_changes_nothing(run: Any, folder: Path, copy: str) -> None:
    before = run("audit", "show", copy, "--format", "json").stdout.splitlines()
    in_database(
        copy, "update adjudge.records set recorded_at = recorded_at - interval '2 seconds' * seq where writer = 2"
    )
    after = run("audit", "show", copy, "--format", "json")
    assert after.exit_code == 0, after.output
    assert sorted(after.stdout.splitlines()) == sorted(before)
    assert run("replay", copy).exit_code == 0 and run("audit", "verify", copy).exit_code == 0
    assert run("audit", "tail", copy, "--last", 7).exit_code == 0
    assert run("audit", "tail", copy, "--last", 1000).stdout.count("\n") == len(before)


def test_auditor_may_only_read(run: Any, folder: Path, server: Server, written: tuple[str, str]) -> None:
    url, _ = written
    granted = PAGE.split('title="auditor.sql"\n', 1)[1].split("```", 1)[0].splitlines()
    in_database(url, *[line for line in granted if "personal" not in line])
    mine = url.replace("postgres@", f"auditor:{IN_URL}@", 1)
    good = run("audit", "verify", mine)
    assert good.exit_code == 0 and "w0rd" not in good.output
    assert "record is gone" not in good.stderr and "not looked at" not in good.stderr
    in_database(url, "revoke select on adjudge.answers from auditor")
    assert "was not looked at: this role may not read" in run("audit", "verify", mine).stderr
    vault = run("audit", "verify", mine, "--vault")
    assert vault.exit_code == 2 and "permission denied for table" in vault.stderr
    for reader in ("show", "what if", "backtest", "explain"):
        read = run(*[mine if one == "log" else one for one in arguments(reader, Path("log"))])
        assert "Traceback" not in read.output and "w0rd" not in read.output, read.output


def test_what_keeps_a_log_from_being_read_is_said_in_a_line(run: Any, folder: Path, server: Server, copy: str) -> None:
    bare = server.dsn(server.database())
    secret = f":{IN_URL}@"
    wrong = {
        copy.replace("postgres@", f"nobody{secret}"): "does not exist",
        copy.replace("postgres@", f"postgres{secret}").replace(str(server.port), "1"): "connection failed",
        bare: "no tables of adjudge",
        f"postgresql://u:pa/ss@w0rd@{server.port}": "cannot be read: write it as",
        "host=127.0.0.1 dbname=none password=w0rd": "named by its URL, such as postgresql://",
        f"{copy}#writer-9": "holds no audit log",
        f"mysql://u{secret}h/db": "no installed plugin reads logs by mysql://; those that are read: postgres",
    }
    for url, said in wrong.items():
        for command in (("audit", "verify"), ("replay",), ("audit", "show")):
            result = run(*command, url)
            assert result.exit_code in (1, 2) and said in result.stderr, result.output
            assert len(result.stderr.splitlines()) <= 4 and "Traceback" not in result.output
            assert not any(part in result.output for part in ("w0rd", "pa/ss", "pa:ss", "pa%3A")), result.output
    in_database(copy, "create role stranger superuser login password 'pa:ss/w0rd'")
    theirs = copy.replace("postgres@", f"stranger:{IN_URL}@")
    assert run("audit", "verify", theirs).exit_code == 0
    refused = run("audit", "verify", theirs.replace(IN_URL, "n0t-it")).stderr
    assert 'password authentication failed for user "stranger"' in refused and "n0t-it" not in refused
    in_database(copy, "update adjudge.migrations set number = 99 where number = 1")
    assert "of version 99, where this adjudge needs" in run("audit", "verify", copy).stderr


@pytest.mark.parametrize(
    "command",
    [
        ("audit", "label", "URL", "d" * 32, "fraud", "--source", "x"),
        ("audit", "erase", "URL", "--merchant-biz-id", "a" * 32),
        ("audit", "archive", "URL", "--to", "x", "--before", "2026-01-01"),
        ("audit", "rekey", "URL", "--key", "x"),
        ("explain", "d" * 32, "URL"),
        ("backtest", "URL", "policy.yaml"),
        ("audit", "verify", "URL", "URL"),
        ("audit", "verify", "URL", "--anchors", "URL"),
        ("postgres", "status", "URL", "URL"),
        ("postgres", "status", "postgresql://u:pa/ss:w0rd@h"),
    ],
)
def test_password_is_never_repeated(run: Any, folder: Path, command: tuple[str, ...]) -> None:
    url = f"postgresql://u:{IN_URL}@127.0.0.1:1/none"
    result = run(*[url if one == "URL" else one for one in command])
    assert result.exit_code == 2 and "Traceback" not in result.output
    assert "w0rd" not in result.output, result.output


def test_url_without_the_extra_says_what_to_install(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    result = run("audit", "verify", f"postgresql://u:{IN_URL}@h/db")
    assert result.exit_code == 2
    assert 'pip install "adjudge[postgres]"' in result.stderr and "w0rd" not in result.output


@pytest.fixture
def archived(run: Any, folder: Path, copy: str, signer: Keys) -> str:
    """A database of which a month was archived: the beginnings of two chains, and all of a third."""

    async def main() -> None:
        ledger = PostgresLedger(copy, KEY, answer_for_s=60, checkpoints=Checkpoints(signer=signer[0]))
        await ledger.open()
        await ledger.aclose()
        connection = await connect(copy)
        await migrate(connection, date(2020, 2, 1))
        await connection.close()

    then = "timestamptz '2020-03-05' + interval '1 s' * seq"
    in_database(copy, f"update adjudge.records set recorded_at = {then} where seq < 5")
    asyncio.run(main())
    in_database(copy, "update adjudge.records set recorded_at = '2020-03-31 23:59:59Z' where writer = 3")
    month = ("postgres", "archive", copy, "--month", "2020-03", "--to", "old", "--by", "ana", "--key", signer[1])
    result = run(*month)
    assert result.exit_code == 0 and "2020-03 is archived in old" in result.stdout, result.output
    assert "writer-3/audit-000001.jsonl  records 1 to 3" in result.stdout
    again = run(*month)
    assert again.exit_code == 2 and "that month is archived, or never was there" in again.stderr
    return copy


def test_month_that_was_archived_is_vouched_for(run: Any, folder: Path, archived: str, signer: Keys) -> None:
    keys = ("--key", f"{signer[1]}.pub", "--mac-key", signer[1])
    good = run("audit", "verify", archived, *keys, "--closed")
    assert good.exit_code == 0, good.output
    assert good.stdout.count("verified from record 5; 4 earlier ones are vouched for by the checkpoint of 20") == 2
    assert re.search(r"3 earlier ones are vouched for by .*, record \d+ of writer-4, signed with", good.stdout)
    result = run("replay", archived)
    assert result.exit_code == 0 and re.fullmatch(r"(\d) of \1 decisions identical\n", result.stdout), result.output
    assert run("audit", "export", archived, "parquet").exit_code == 0
    assert run("audit", "export", archived, "files", "--jsonl").exit_code == 0
    for chain in ("writer-1", "writer-2"):
        alone = run("audit", "verify", f"files/{chain}", *keys)
        assert alone.exit_code == 1 and "before this file, are missing" in alone.stdout
        whole = run("audit", "verify", f"files/{chain}", "--archive", f"old/{chain}", *keys, "--closed")
        assert whole.exit_code == 0 and "archived" not in whole.stdout, whole.output
    assert run("audit", "verify", "old/writer-3", *keys, "--closed").exit_code == 0


def test_chain_that_is_gone_whole_is_missed_by_the_ids_that_it_answered(run: Any, folder: Path, archived: str) -> None:
    good = run("audit", "verify", archived)
    assert good.exit_code == 0 and "whose record is gone" not in good.stderr, good.output
    for table in ("records", "writers"):
        in_database(archived, f"delete from adjudge.{table} where writer = 1")
    gone = run("audit", "verify", archived)
    assert re.search(r"#writer-1: \d ids? names? a decision whose record is gone$", gone.stderr, re.M), gone.output
    assert "record is gone" not in run("audit", "verify", f"{archived}#writer-2").stderr


AFTERWARDS = {
    "delete from adjudge.records where writer = 1 and seq = 5": "writer-1:1: error[missing]",
    "delete from adjudge.records where writer = 4 and kind = 'archive' and line like '%writer-2%'":
        "writer-2:1: error[missing]",
    "update adjudge.records set kind = 'note' where kind = 'archive'": "writer-3: error[empty]",
    "update adjudge.records set line = line || 'x' where writer = 2 and seq < 5": "writer-2: error[edited]",
    "delete from adjudge.records where writer = 4": "writer-3: error[empty]",
    "update adjudge.records set line = line || 'x' where writer = 4 and seq = 2": "writer-3: error[missing]",
    "delete from adjudge.records where writer = 2 and seq > 4": "writer-2: error[unexpected-end]",
    "delete from adjudge.records where writer = 1 and seq > 6": "was its last: its end was cut off\n",
}  # fmt: skip


@pytest.mark.parametrize("statement", AFTERWARDS)
def test_archive_hides_no_tampering(run: Any, folder: Path, archived: str, statement: str) -> None:
    in_database(archived, statement)
    result = run("audit", "verify", archived)
    assert result.exit_code == 1 and AFTERWARDS[statement] in result.stdout, result.output
    assert run("audit", "show", archived).exit_code == 1


def test_archive_waits_for_nobody_long_and_says_what_it_lacks(
    run: Any, folder: Path, server: Server, copy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = ("--month", "2020-03", "--to", "old", "--by", "ana")
    bare = run("postgres", "archive", server.dsn(server.database()), *month)
    assert bare.exit_code == 2 and "run `adjudge postgres migrate`" in bare.stderr

    async def main() -> None:
        connection = await connect(copy)
        await migrate(connection, date(2020, 3, 1))
        await connection.close()

    in_database(copy, "update adjudge.records set recorded_at = '2020-03-05' where writer = 1")
    asyncio.run(main())
    monkeypatch.setattr("adjudge_plugins.postgres.archive._LOCK_MS", 50)
    with psycopg.connect(copy) as reader:
        reader.execute("select count(*) from adjudge.records").fetchall()
        busy = run("postgres", "archive", copy, *month)
        assert busy.exit_code == 2 and "somebody reads or writes these records" in busy.stderr, busy.output
    done = run("postgres", "archive", copy, *month)
    assert done.exit_code == 0 and "48 hours" not in done.stderr, done.output


@pytest.mark.parametrize(("day", "is_told"), [("2026-09-02 23:59", True), ("2026-09-03 00:01", False)])
def test_archive_tells_of_decisions_that_still_answer(day: str, is_told: bool) -> None:
    assert _still_answers(datetime(2026, 8, 1), datetime.fromisoformat(day)) is is_told
    assert _still_answers(datetime(2025, 12, 1), datetime.fromisoformat(day)) is False


def test_month_is_archived_whole_or_not_at_all(run: Any, folder: Path, copy: str) -> None:
    month = ("postgres", "archive", copy, "--to", "old", "--month")
    assert "is not over yet" in run(*month, "2999-01", "--by", "ana").stderr
    assert "names nobody" in run(*month, "2020-03", "--by", " ").stderr

    async def main() -> None:
        connection = await connect(copy)
        await migrate(connection, date(2020, 3, 1))
        await connection.close()

    in_database(copy, "update adjudge.records set recorded_at = '2020-03-05' where writer = 1")
    asyncio.run(main())
    edit = "update adjudge.records set line = replace(encode(line, 'escape'), '{}', '{}')::bytea where writer = 1"
    count = "select count(*) from adjudge.records where writer = 1"
    in_database(copy, edit.format('"kind":"policy"', '"kind":"politics"'))
    broken = run(*month, "2020-03", "--by", "ana")
    assert broken.exit_code == 1 and "writer-1: " in broken.stderr and "nothing was moved" in broken.stderr
    in_database(copy, edit.format('"kind":"politics"', '"kind":"policy"'))
    Path("old/writer-1").mkdir(parents=True, exist_ok=True)
    Path("old/writer-1/audit-000001.jsonl").write_text("another")
    assert "exists already and is another" in run(*month, "2020-03", "--by", "ana").stderr
    with psycopg.connect(copy) as connection:
        row = connection.execute(count).fetchone()
    assert row is not None and row[0] > 5
    assert run("audit", "verify", copy).exit_code == 0
