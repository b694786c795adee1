"""Labels and erasures from the command line."""

from __future__ import annotations

import json
import os
import pwd
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli_documents import BIZ_ID, request_document

from adjudge.audit.log import AuditLog
from adjudge.audit.verify import verify

Run = Callable[..., Any]
DECISION = Callable[[int], str]


@pytest.fixture
def decision(run: Run, log: Path) -> DECISION:
    lines = run("audit", "show", log, "--format", "json").stdout.splitlines()
    ids = [json.loads(line).get("decision_id") for line in lines]
    return lambda number: [one for one in ids if one][number - 1]


def labels(run: Run, log: Path) -> list[dict[str, str]]:
    lines = map(json.loads, run("audit", "show", log, "--format", "json").stdout.splitlines())
    return [line for line in lines if line["kind"] == "label"]


def test_label_is_a_record_of_the_same_chain(run: Run, log: Path, decision: DECISION) -> None:
    asked = ["audit", "label", log, decision(1), "fraud", "--source", "chargeback", "--on", "2026-11-01"]
    assert run(*asked, "--note", "case 7").stdout == "1 label\n"
    (label,) = labels(run, log)
    assert {
        name: label[name] for name in ("decision_id", "merchant_biz_id", "label", "found_on", "source", "note")
    } == {
        "decision_id": decision(1),
        "merchant_biz_id": f"{BIZ_ID}1",
        "label": "fraud",
        "found_on": "2026-11-01",
        "source": "chargeback",
        "note": "case 7",
    }
    assert verify(log).problem is None
    assert f"{decision(1)}  fraud, chargeback, 2026-11-01" in run("audit", "show", log).stdout
    assert run("replay", log).exit_code == 0


def test_labels_from_a_table_by_decision_or_merchant_biz_id(run: Run, log: Path, decision: DECISION) -> None:
    Path("labels.csv").write_text(
        f"merchant_biz_id,decision_id,label,source,on\n{BIZ_ID}2,,genuine,review,\n,{decision(3)},fraud,review,2026-11-02\n"
    )
    result = run("audit", "label", log, "--from", "labels.csv", "--format", "json")
    assert [one["decision_id"] for one in json.loads(result.stdout)] == [decision(2), decision(3)]
    assert len(labels(run, log)) == 2


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("label,source\nfraud,x\n", "labels.csv:2: there is no decision  in log"),
        ("decision_id,label,source\n@,frod,x\n", "a label must be fraud or genuine, not `frod`"),
        ("decision_id,label,source\n@,fraud,\n", "a source must be a string of 1"),
        ("decision_id,label,source,on\n@,fraud,x,2999-01-01\n", "2999-01-01 is in the future"),
        ("decision_id,label,source,on\n@,fraud,x,soon\n", "Invalid isoformat"),
        ("decision_id,lable,source\n@,fraud,x\n", "there is no column `lable`"),
        ("decision_id,label\n@,fraud\n", "labels.csv:1: the column `source` is needed"),
        ("", "labels.csv: holds no row"),
    ],
)
def test_table_with_one_bad_row_writes_nothing(run: Run, log: Path, decision: DECISION, table: str, said: str) -> None:
    good = f"{decision(1)},genuine,x\n" if table.startswith("decision_id,label,source\n") else ""
    Path("labels.csv").write_text(table.replace("@", decision(2)) + good)
    result = run("audit", "label", log, "--from", "labels.csv")
    assert result.exit_code == 2 and said in result.stderr, result.stderr
    assert labels(run, log) == []


def test_label_without_its_parts_is_status_2(run: Run, log: Path, decision: DECISION) -> None:
    assert "name a DECISION_ID" in run("audit", "label", log, decision(1), "fraud").stderr
    result = run("audit", "label", log, "0" * 32, "fraud", "--source", "x")
    assert result.exit_code == 2 and f"there is no decision {'0' * 32} in log" in result.stderr


@pytest.mark.parametrize(("command", "call"), [("label", "engine.label"), ("erase", "engine.erase"), ("archive", "")])
def test_a_log_that_an_engine_writes_is_left_to_it(
    run: Run, log: Path, decision: DECISION, command: str, call: str
) -> None:
    """And what is said helps: another folder, as a second engine needs, would not."""
    asked = {
        "label": [decision(1), "fraud", "--source", "chargeback"],
        "erase": ["--merchant-biz-id", f"{BIZ_ID}3", "--yes"],
        "archive": ["--to", "away", "--before", "2026-01-01"],
    }[command]
    with AuditLog.open(log):
        result = run("audit", command, log, *asked)
    assert result.exit_code == 2
    first = f"call `{call}(…)` in the program that does, or " if call else ""
    said = f"{log}: an engine writes this log; {first}stop it for as long as this takes"
    assert result.stderr == f"error[log-in-use]: {said}\n"
    assert labels(run, log) == []


def every_byte(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def test_erase_by_merchant_biz_id_leaves_no_byte_and_the_chain_whole(run: Run, folder: Path, log: Path) -> None:
    assert b"canary@example.com" not in every_byte(log), "sealed even before"
    shown = run("audit", "erase", log, "--merchant-biz-id", f"{BIZ_ID}3", "--dry-run")
    assert shown.stdout == f"{BIZ_ID}3  email\nwould erase 1 value\n"
    assert run("audit", "erase", log, "--merchant-biz-id", f"{BIZ_ID}3", input="n\n").exit_code == 130
    assert json.loads(
        run("audit", "erase", log, "--merchant-biz-id", f"{BIZ_ID}3", "--dry-run", "--format", "json").stdout
    ) == {
        "erased": False,
        "subjects": {f"{BIZ_ID}3": ["email"]},
    }
    result = run("audit", "erase", log, "--merchant-biz-id", f"{BIZ_ID}3", "--yes", "--reason", "asked on 25 November")
    assert (result.exit_code, result.stdout) == (0, f"{BIZ_ID}3  email\nerased 1 value\n")
    assert b"canary@example.com" not in every_byte(log)
    assert verify(log).problem is None
    assert (
        "erasure   " in run("audit", "show", log).stdout and "asked on 25 November" in run("audit", "show", log).stdout
    )
    again = run("audit", "erase", log, "--merchant-biz-id", f"{BIZ_ID}3", "--yes")
    assert again.stdout == f"{BIZ_ID}3  nothing is held\nerased 0 values\n"


def test_erase_by_value_finds_everybody_who_gave_it(run: Run, folder: Path, log: Path) -> None:
    for number, email in ((5, "shared@example.com"), (6, "shared@example.com"), (7, "12")):
        document = request_document(number, inputs={"country": "SG", "email": email})
        Path("one.json").write_text(json.dumps(document))
        assert run("decide", "one.json", "--policy", "policy.yaml", "--audit", log).exit_code == 0
    result = run("audit", "erase", log, "--input", "email=shared@example.com", "--yes")
    assert result.stdout == f"{BIZ_ID}5  email\n{BIZ_ID}6  email\nerased 2 values\n"
    assert run("audit", "erase", log, "--input", "email=12", "--yes").stdout == f"{BIZ_ID}7  email\nerased 1 value\n"
    assert run("audit", "erase", log, "--input", "email=nobody", "--yes").stdout == "erased 0 values\n"
    assert verify(log).problem is None


def test_erase_without_saying_whose_is_status_2(run: Run, log: Path) -> None:
    assert "say whose values" in run("audit", "erase", log).stderr
    assert "NAME=VALUE" in run("audit", "erase", log, "--input", "email").stderr


def test_replay_says_what_it_can_no_longer_do(run: Run, folder: Path, log: Path) -> None:
    policy = (
        folder / "policy.yaml"
    ).read_text() + "  - {id: mail, when: 'email == \"x\"', then: review, when_unknown: pass}\n"
    (folder / "policy.yaml").write_text(policy)
    document = request_document(8, inputs={"country": "SG", "email": "canary@example.com"})
    Path("one.json").write_text(json.dumps(document))
    assert run("decide", "one.json", "--policy", "policy.yaml", "--audit", log).exit_code == 0
    assert run("replay", log).exit_code == 0
    assert run("audit", "erase", log, "--merchant-biz-id", f"{BIZ_ID}8", "--yes").exit_code == 0
    result = run("replay", log)
    assert result.exit_code == 0 and result.stdout == "4 of 5 decisions identical, 1 erased\n"
    assert "`email` was erased" in run("replay", log, "--verbose").stdout
    what_if = run("replay", log, "--policy", "policy.yaml")
    assert what_if.exit_code == 0
    assert "1 decision cannot be decided: what they depend on was erased, as the log says" in what_if.stdout
    assert json.loads(run("replay", log, "--policy", "policy.yaml", "--format", "json").stdout)["erased"] == 1


def test_signed_log_takes_marks_only_with_its_key(run: Run, folder: Path) -> None:
    assert run("audit", "keygen", "a.key").exit_code == 0
    (folder / "adjudge.yaml").write_text("policies: [policy.yaml]\naudit: {directory: log, key: {file: a.key}}\n")
    assert run("decide", "request.json", "--config", "adjudge.yaml").exit_code == 0
    lines = run("audit", "show", "log", "--format", "json").stdout.splitlines()
    decision_id = json.loads(lines[1])["decision_id"]
    asked = ["audit", "label", "log", decision_id, "fraud", "--source", "x"]
    result = run(*asked)
    assert result.exit_code == 2 and "this log is signed" in result.stderr
    assert run(*asked, "--key", "a.key").exit_code == 0
    result = run("audit", "verify", "log", "--key", "a.key.pub", "--format", "json")
    assert result.exit_code == 0 and json.loads(result.stdout)["is_authentic"]
    assert run("audit", "verify", "log", "--key", "request.json").exit_code == 2
    assert run("audit", "keygen", "a.key").exit_code == 2
    assert run("audit", "verify", "log", "--key", "a.key.pub", "--mac-key", "a.key", "--closed").exit_code == 0


def test_log_with_a_key_of_macs_alone(run: Run, folder: Path) -> None:
    (folder / "mac").write_text("0123456789abcdef" * 4 + "\n")
    (folder / "mac").chmod(0o600)
    (folder / "adjudge.yaml").write_text("policies: [policy.yaml]\naudit: {directory: log, mac: {file: mac}}\n")
    assert run("decide", "request.json", "--policy", "policy.yaml", "--audit", "log").exit_code == 0
    assert run("audit", "rekey", "log", "--by", "ann").exit_code == 2
    (folder / "empty").mkdir()
    (folder / "empty" / "audit-000001.jsonl").touch()
    result = run("audit", "rekey", "empty", "--mac-key", "mac", "--by", "ann")
    assert result.exit_code == 1 and "holds no audit log" in result.stderr
    result = run("audit", "rekey", "log", "--mac-key", "mac", "--by", "ann", "--yes")
    assert result.exit_code == 0 and result.stdout.startswith("macs prove the log from record 4 on, 3 records adopted")
    result = run("decide", "request.json", "--config", "adjudge.yaml")
    assert result.exit_code == 0 and "(duplicate" in result.stdout
    decision_id = json.loads(run("audit", "show", "log", "--format", "json").stdout.splitlines()[1])["decision_id"]
    label = ["audit", "label", "log", decision_id, "fraud", "--source", "x"]
    result = run(*label)
    assert result.exit_code == 2 and "written with a key" in result.stderr
    assert run(*label, "--mac-key", "mac").exit_code == 0
    result = run("audit", "verify", "log", "--mac-key", "mac")
    assert result.exit_code == 0 and "macs hold up to record" in result.stdout
    (folder / "mac").write_text("no key")
    result = run(*label, "--mac-key", "mac")
    assert result.exit_code == 2 and "holds no key of 64 hex digits" in result.stderr


def test_log_gets_its_first_key_and_another_one(run: Run, folder: Path) -> None:
    for name in ("a.key", "b.key"):
        assert run("audit", "keygen", name).exit_code == 0
    config = "policies: [policy.yaml]\naudit: {directory: log, key: {file: KEY}}\n"
    assert run("decide", "request.json", "--policy", "policy.yaml", "--audit", "log").exit_code == 0
    (folder / "a.yaml").write_text(config.replace("KEY", "a.key"))
    (folder / "b.yaml").write_text(config.replace("KEY", "b.key"))
    result = run("decide", "request.json", "--config", "a.yaml")
    assert result.exit_code == 1 and "record 1: it carries no mac" in result.stderr
    result = run("audit", "rekey", "log", "--key", "a.key")
    assert result.exit_code == 2 and "nothing proves 3 records" in result.stderr
    assert run("audit", "rekey", "log", "--key", "a.key", "--by", "ann", input="n\n").exit_code == 130
    result = run("audit", "rekey", "log", "--key", "a.key", "--by", "ann", "--yes")
    assert result.exit_code == 0 and "3 records adopted without proof" in result.stdout
    result = run("audit", "show", "log")
    assert "after 3 records, closed, 3 records adopted without proof by ann, signed with " in result.stdout
    result = run("decide", "request.json", "--config", "a.yaml")
    assert result.exit_code == 0 and "(duplicate" in result.stdout
    result = run("decide", "request.json", "--config", "b.yaml")
    assert result.exit_code == 1 and "this log is signed with another key" in result.stderr
    decision_id = json.loads(run("audit", "show", "log", "--format", "json").stdout.splitlines()[1])["decision_id"]
    label = ["audit", "label", "log", decision_id, "fraud", "--source", "x", "--key"]
    result = run(*label, "b.key")
    assert result.exit_code == 1 and "signed with another key" in result.stderr
    assert run("audit", "rekey", "log", "--key", "b.key", "--old-key", "a.key").exit_code == 0
    assert run(*label, "a.key").exit_code == 1
    assert run(*label, "b.key").exit_code == 0
    result = run("decide", "request.json", "--config", "b.yaml")
    assert result.exit_code == 0 and "(duplicate" in result.stdout
    assert run("audit", "verify", "log", "--key", "a.key.pub", "--key", "b.key.pub", "--closed").exit_code == 0


LATIN = "decision_id,label,source\n@,fraud,Cr\u00e9dit\n".encode("latin-1")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (LATIN, "labels.csv:2: the byte 0xe9 is not UTF-8; save the table as CSV in UTF-8"),
        (LATIN.replace(b"\n", b"\r"), "labels.csv:2: the byte 0xe9 is not UTF-8"),
        ("label,source\nfraud,x\n".encode("utf-16"), "labels.csv:1: is UTF-16, not UTF-8"),
        (b"decision_id,label,source,label\n@,fraud,x,genuine\n", "labels.csv:1: the column `label` appears twice"),
        (b"decision_id,label,source, label\n@,fraud,x,genuine\n", "labels.csv:1: the column `label` appears twice"),
        (b"decision_id;label;source\n@;fraud;x\n", "labels.csv:1: its cells are not divided by commas"),
        (b"decision_id,label,source\n@,fraud,x,y\n", "labels.csv:2: the row has 4 cells, and the header has 3"),
        (b'decision_id,label,source\n@,fraud,"x\n', "labels.csv:2: is not a CSV: unexpected end of data"),
        (b"decision_id,label,source\n", "labels.csv: holds no row"),
        (b"\n\n", "labels.csv: holds no row"),
        (b"decision_id,label,source\n@,fraud,\x00\n", None),
    ],
)
def test_table_that_cannot_be_read_is_named_with_its_line(
    run: Run, log: Path, decision: DECISION, table: bytes, said: str | None
) -> None:
    Path("labels.csv").write_bytes(table.replace(b"@", decision(2).encode()))
    result = run("audit", "label", log, "--from", "labels.csv")
    assert "Traceback" not in result.output
    if said is not None:
        assert result.exit_code == 2 and said in result.stderr, result.output
        assert labels(run, log) == []


def test_table_of_a_spreadsheet_is_taken(run: Run, log: Path, decision: DECISION) -> None:
    """With a byte order mark, Windows' line ends, blanks around cells, quotes, and empty lines."""
    row = f'{decision(2)}, fraud ,"Cr\u00e9dit, Lyon","two\r\nlines"'
    text = f"\ufeff decision_id , label,source,note\r\n\r\n{row}\r\n,,,\r\n"
    Path("labels.csv").write_bytes(text.encode())
    result = run("audit", "label", log, "--from", "labels.csv", "--by", "kim", "--format", "json")
    assert result.exit_code == 0, result.output
    (one,) = json.loads(result.stdout)
    assert (one["label"], one["source"], one["note"], one["by"]) == (
        "fraud",
        "Cr\u00e9dit, Lyon",
        "two\r\nlines",
        "kim",
    )


def test_marks_say_who(run: Run, log: Path, decision: DECISION, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account that runs the command, whatever the environment says, unless a name is given."""
    for variable in ("USER", "LOGNAME"):
        monkeypatch.setenv(variable, "somebody else")
    account = pwd.getpwuid(os.getuid()).pw_name
    assert run("audit", "label", log, decision(1), "fraud", "--source", "x").exit_code == 0
    erased = run("audit", "erase", log, "--merchant-biz-id", f"{BIZ_ID}3", "--yes", "--by", "kim", "--reason", "asked")
    assert erased.exit_code == 0
    for by in (" ", "k" * 1001):
        assert run("audit", "erase", log, "--merchant-biz-id", f"{BIZ_ID}2", "--yes", "--by", by).exit_code == 2
        assert run("audit", "label", log, decision(1), "fraud", "--source", "x", "--by", by).exit_code == 2
    records = [json.loads(line) for line in run("audit", "show", log, "--format", "json").stdout.splitlines()]
    assert [one["by"] for one in records if one["kind"] in ("label", "erasure")] == [account, "kim"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("label", "LOG", "DECISION", "fraud", "--source", "\udcff"),
        ("label", "LOG", "DECISION", "fraud", "--source", "x", "--by", "\udcff"),
        ("label", "LOG", "DECISION", "fraud", "--source", "x", "--note", "\udcff"),
        ("erase", "LOG", "--merchant-biz-id", f"{BIZ_ID}3", "--yes", "--reason", "\udcff"),
        ("erase", "LOG", "--merchant-biz-id", "\udcff", "--yes"),
        ("erase", "LOG", "--input", "\udcff=x", "--yes"),
        ("rekey", "LOG", "--key", "audit.key", "--by", "\udcff", "--yes"),
    ],
)
def test_text_that_is_not_utf8_is_the_callers_mistake_and_nothing_is_written(
    run: Run, log: Path, decision: DECISION, arguments: tuple[str, ...]
) -> None:
    run("audit", "keygen", "audit.key")
    before = (log / "audit-000001.jsonl").read_bytes()
    made = {"LOG": str(log), "DECISION": decision(1)}
    done = run("audit", *(made.get(one, one) for one in arguments))
    assert done.exit_code == 2
    assert "is not UTF-8" in done.stderr and "Traceback" not in done.stderr
    assert (log / "audit-000001.jsonl").read_bytes() == before


def test_retired_key_never_comes_back(run: Run, log: Path) -> None:
    """A log in which it signed again would never verify any more."""
    for name in ("one.key", "two.key"):
        run("audit", "keygen", name)
    assert run("audit", "rekey", log, "--key", "one.key", "--by", "kim", "--yes").exit_code == 0
    assert run("audit", "rekey", log, "--key", "two.key", "--old-key", "one.key").exit_code == 0
    before = (log / "audit-000001.jsonl").read_bytes()
    for how in (("--old-key", "two.key"), ("--by", "kim", "--yes")):
        back = run("audit", "rekey", log, "--key", "one.key", *how)
        assert back.exit_code == 2 and "a key that is retired stays so" in back.stderr
    assert (log / "audit-000001.jsonl").read_bytes() == before
    assert run("audit", "verify", log, "--key", "one.key.pub", "--key", "two.key.pub").exit_code == 0


def test_key_of_macs_is_replaced_and_never_comes_back(run: Run, log: Path) -> None:
    for name in "ab":
        (log.parent / f"{name}.mac").write_text(name * 64)
        (log.parent / f"{name}.mac").chmod(0o600)
    files = {name: str(log.parent / f"{name}.mac") for name in "ab"}
    assert run("audit", "rekey", log, "--mac-key", files["a"], "--by", "kim", "--yes").exit_code == 0
    done = run("audit", "rekey", log, "--mac-key", files["b"])
    assert done.exit_code == 2 and "give the --old-key or the --old-mac-key" in done.stderr
    done = run("audit", "rekey", log, "--mac-key", files["b"], "--old-mac-key", files["a"])
    assert done.exit_code == 0 and "without proof" not in done.stdout
    done = run("audit", "rekey", log, "--mac-key", files["a"], "--old-mac-key", files["b"])
    assert done.exit_code == 2 and "a key that is retired stays so" in done.stderr
    both = ("--mac-key", files["a"], "--mac-key", files["b"])
    assert run("audit", "verify", log, *both, "--closed").exit_code == 0
    assert run("audit", "verify", log, *both[:2], "--closed").exit_code == 1


def test_erase_deletes_a_key_whose_values_are_gone(run: Run, log: Path) -> None:
    """With the key somebody could read the values from a copy of the vault."""
    asked = ("audit", "erase", log, "--merchant-biz-id", f"{BIZ_ID}3")
    with closing(sqlite3.connect(log / "vault.sqlite")) as database:
        assert database.execute("delete from personal").rowcount
        database.commit()
    before = (log / "audit-000001.jsonl").read_bytes()
    with closing(sqlite3.connect(log / "vault-keys.sqlite")) as database:
        for how, keys in (("--dry-run", 1), ("--yes", 0)):
            assert run(*asked, how).stdout.startswith(f"{BIZ_ID}3  nothing is held\n")
            assert database.execute("select count(*) from keys").fetchone() == (keys,)
    assert (log / "audit-000001.jsonl").read_bytes() == before, "no value was erased: no record says so"
