"""The vault held against the records of the log."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from adjudge.audit.custody import SHOWN, check_vault
from adjudge.audit.trail import AuditTrail
from adjudge.audit.vault import KEYS, VAULT
from adjudge.cli.group import adjudge
from adjudge.engine import Engine
from adjudge.model import Request
from adjudge.registry import parse_policy
from adjudge.testing import fake_provider, registry_of

POLICY = """
policy_language: 1
policy: p
inputs: {email: {type: string, personal: true}, country: string}
signals: {device: {provider: acme.device}}
rules: [{id: r, when: device.owner == email, then: review}]
"""
NAMES = ["device.owner", "email"]


def subject(n: int) -> str:
    return f"{n:032x}"


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Path:
    """Three decisions with two personal values each; those of the second are erased."""
    log = tmp_path / "log"
    fields = {"owner": {"type": "string", "personal": True}}
    provider = fake_provider("acme.device", fields, {"owner": "bob"}, price=Decimal("0.1"))
    registry = registry_of([provider])
    with Engine([parse_policy(POLICY, registry=registry)], registry=registry, trail=AuditTrail.open(log)) as engine:
        for n in range(3):
            inputs = {"email": f"{n}@example.com"}
            engine.decide_sync(Request(merchant_biz_id=subject(n), scene_code="s", inputs=inputs))
    shutil.copytree(log, tmp_path / "before")
    erased = run("erase", log, "--merchant-biz-id", subject(1), "--yes", "--by", "kim")
    assert erased[0] == 0, erased
    return log


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(adjudge, ["audit", *map(str, arguments)], prog_name="adjudge")
    return result.exit_code, result.output


def sql(log: Path, statement: str) -> None:
    with closing(sqlite3.connect(log / VAULT)) as database:
        database.execute("attach ? as keys", (str(log / KEYS),))
        assert database.execute(statement).rowcount > 0
        database.commit()


def test_vault_that_is_as_the_log_says_is_good(log: Path) -> None:
    """Each value is named by a call and a decision, or by a decision alone."""
    found = check_vault(log)
    assert (found.is_good, found.held, found.erased) == (True, 6, 3)
    status, said = run("verify", log, "--vault")
    assert status == 0 and said.endswith("vault: the log names 9 commitments: 6 held, 3 erased, 0 not as it says\n")
    status, said = run("verify", log, "--vault", "--format", "json")
    assert status == 0 and json.loads(said)["vault"]["strays"] == []


@pytest.mark.parametrize(
    ("change", "what", "named"),
    [
        (f"delete from personal where subject = '{subject(0)}' and name = 'email'", "missing", ["email"]),
        (f"delete from personal where subject = '{subject(0)}'", "missing", NAMES),
        (f"delete from keys where subject = '{subject(0)}'", "unreadable", NAMES),
        (f"update keys set key = zeroblob(32) where subject = '{subject(0)}'", "unreadable", NAMES),
        (f"update personal set sealed = zeroblob(60) where subject = '{subject(0)}' and name = 'email'",
         "unreadable", ["email"]),
        (f"update personal set name = 'phone' where subject = '{subject(0)}' and name = 'email'",
         "misfiled", ["email"]),
        (f"update personal set subject = '{subject(2)}' where subject = '{subject(0)}'", "unreadable", NAMES),
    ],
)  # fmt: skip
def test_what_was_taken_away_without_a_record_is_found(log: Path, change: str, what: str, named: list[str]) -> None:
    sql(log, change)
    found = check_vault(log)
    assert not found.is_good and found.erased == 3
    assert {(one.what, one.merchant_biz_id) for one in found.strays} == {(what, subject(0))}
    assert sorted({one.name for one in found.strays}) == named
    status, said = run("verify", log, "--vault")
    assert status == 1 and f"vault: error[{what}]: record " in said
    assert run("verify", log)[0] == 0, "the log itself is whole"


def _restored(name: str) -> Callable[[Path], None]:
    def restore(log: Path) -> None:
        shutil.copy(log.with_name("before") / name, log / name)

    return restore


def test_what_was_erased_and_is_there_is_found(log: Path) -> None:
    """Both files come back from a copy; with one of them nothing can be read, and nothing is amiss."""
    _restored(VAULT)(log)
    assert check_vault(log).is_good, "an older copy of the values tells nothing without the keys"
    _restored(KEYS)(log)
    found = check_vault(log)
    assert {(one.what, one.merchant_biz_id) for one in found.strays} == {("present", subject(1))}
    status, said = run("verify", log, "--vault")
    assert status == 1 and "says that it was erased; erase it again" in said
    assert run("erase", log, "--merchant-biz-id", subject(1), "--yes", "--by", "kim")[0] == 0
    assert check_vault(log).is_good


def test_value_that_was_filed_as_anothers_is_found(log: Path) -> None:
    """Who has the folder has both keys, and can seal one's value as another's: then no erasure would find it."""
    with closing(sqlite3.connect(log / KEYS)) as database:
        database.execute(
            "update keys set key = (select key from keys where subject = ?) where subject = ?", (subject(0), subject(2))
        )
        database.commit()
    sql(log, f"delete from personal where subject = '{subject(2)}'")
    sql(log, f"update personal set subject = '{subject(2)}' where subject = '{subject(0)}'")
    found = {(one.what, one.merchant_biz_id) for one in check_vault(log).strays}
    assert found == {("misfiled", subject(0)), ("missing", subject(2))}


def test_vault_that_is_gone_is_all_missing_and_not_all_named(log: Path) -> None:
    for name in (VAULT, KEYS):
        (log / name).unlink()
    found = check_vault(log)
    assert found.counts == {"missing": 6, "unreadable": 0, "misfiled": 0, "present": 0} and found.erased == 3
    assert len(found.strays) <= SHOWN
    assert (
        "vault: the log names 9 commitments: 0 held, 3 erased, 6 not as it says\n" in run("verify", log, "--vault")[1]
    )


def test_vault_is_not_looked_at_where_the_log_is_broken(log: Path) -> None:
    file = log / "audit-000001.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"scene_code":"s"', b'"scene_code":"t"'))
    status, said = run("verify", log, "--vault")
    assert status == 1 and said.endswith("vault: not checked, because the log is not as it should be\n")
    assert json.loads(run("verify", log, "--vault", "--format", "json")[1])["vault"] is None


def test_value_that_came_after_an_erasure_is_held_and_not_present_in_spite_of_it(log: Path) -> None:
    provider = fake_provider("acme.device", {"owner": {"type": "string", "personal": True}}, {"owner": "bob"})
    registry = registry_of([provider])
    with Engine([parse_policy(POLICY, registry=registry)], registry=registry, trail=AuditTrail.open(log)) as engine:
        inputs = {"email": "1@example.com"}
        engine.decide_sync(Request(merchant_biz_id=subject(1), scene_code="s", inputs=inputs), anew=True)
    found = check_vault(log)
    assert (found.is_good, found.held, found.erased) == (True, 8, 3)
