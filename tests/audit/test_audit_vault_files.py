"""The vault's two files: what a crash between their commits leaves, and reading without writing anywhere."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from adjudge.audit.vault import KEYS, VAULT, Vault
from adjudge.errors import AuditUnavailable

WITHOUT_WRITING = "import os, sys\nfrom pathlib import Path\nfrom adjudge.audit.vault import Vault\n"


def state(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in sorted(directory.iterdir())}


@pytest.fixture(name="copies")
def _copies(tmp_path: Path) -> dict[str, tuple[Path, dict[str, str]]]:
    """Return folders that hold a vault, and what of its values a reader is to find: by how they were left."""
    live = tmp_path / "live"
    live.mkdir()
    with Vault.open(live) as vault:
        kept = {vault.commit(f"s-{n}", "email", f"{n}@example.com"): f"{n}@example.com" for n in range(50)}
        shutil.copytree(live, tmp_path / "crashed")
        shutil.copytree(live, tmp_path / "copied", ignore=shutil.ignore_patterns("*-shm"))
        shutil.copytree(live, tmp_path / "checkpointed", ignore=shutil.ignore_patterns("*-shm"))
    shutil.copytree(live, tmp_path / "closed")
    shutil.copytree(live, tmp_path / "without keys", ignore=shutil.ignore_patterns(KEYS))
    shutil.copytree(live, tmp_path / "without values", ignore=shutil.ignore_patterns(VAULT))
    shutil.copytree(live, tmp_path / "empty values")
    (tmp_path / "empty values" / VAULT).write_bytes(b"")
    found = {name: (tmp_path / name, kept) for name in ("closed", "crashed", "copied", "checkpointed")}
    lacking = {name: (tmp_path / name, {}) for name in ("without keys", "without values", "empty values")}
    for name, (folder, _) in {**found, **lacking}.items():
        assert any(folder.iterdir()), name
    return {**found, **{name: (folder, dict.fromkeys(kept, "")) for name, (folder, _) in lacking.items()}}


@pytest.mark.parametrize(
    "left", ["closed", "crashed", "copied", "checkpointed", "without keys", "without values", "empty values"]
)
def test_vault_is_read_without_writing(copies: dict[str, tuple[Path, dict[str, str]]], left: str) -> None:
    folder, kept = copies[left]
    before = {name: data for name, data in state(folder).items() if not name.endswith("-shm")}
    with Vault.open(folder) as vault:
        assert {commitment: vault.reveal(commitment) or "" for commitment in kept} == kept
        has = left not in ("without values", "empty values")
        assert vault.names("s-7") == (("email",) if has else ())
        assert vault.subjects("email", "7@example.com") == (("s-7",) if any(kept.values()) else ())
    assert {name: data for name, data in state(folder).items() if not name.endswith("-shm")} == before
    if left != "crashed":
        assert state(folder) == before, "not even a file of SQLite's own beside it"


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """Mount a folder again, read-only, even for root; skip where that cannot be."""
    at = folder.with_name(folder.name + " (mounted)")
    at.mkdir()
    if subprocess.run(["mount", "--bind", folder, at], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", at], check=True)
        yield at
    finally:
        subprocess.run(["umount", at], check=True)


@pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() != 0, reason="needs to mount")
@pytest.mark.parametrize("left", ["closed", "crashed", "copied", "without keys"])
def test_vault_on_a_read_only_medium_is_read(copies: dict[str, tuple[Path, dict[str, str]]], left: str) -> None:
    folder, kept = copies[left]
    with read_only(folder) as mounted, Vault.open(mounted) as vault:
        assert {commitment: vault.reveal(commitment) or "" for commitment in kept} == kept
        with pytest.raises(AuditUnavailable):
            vault.commit("s-1", "email", "new@example.com")


@pytest.mark.parametrize("left", ["closed", "crashed", "copied"])
def test_vault_of_somebody_else_is_read(copies: dict[str, tuple[Path, dict[str, str]]], left: str) -> None:
    """By a user who may read the files, and may write neither them nor their folder."""
    folder, kept = copies[left]
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    for above in folder.parents:
        if above.stat().st_uid == os.geteuid() and above != Path("/"):
            above.chmod(above.stat().st_mode | 0o111)
    commitment, value = next(iter(kept.items()))
    code = (
        f"{WITHOUT_WRITING}"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        f"with Vault.open({str(folder)!r}) as vault: print(vault.reveal({commitment!r}))\n"
    )
    try:
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    finally:
        folder.chmod(0o755)
    if "Permission denied" in ended.stderr and "adjudge" not in ended.stderr.splitlines()[-1]:
        pytest.skip("another user cannot run this Python")
    assert (ended.stdout, ended.stderr) == (f"{value}\n", "")


def test_vault_reader_follows_a_writer_that_comes_later(tmp_path: Path) -> None:
    with Vault.open(tmp_path) as reader:
        assert reader.names("s-1") == ()
        with Vault.open(tmp_path) as writer:
            first = writer.commit("s-1", "email", "a@example.com")
            assert reader.reveal(first) == "a@example.com"
            second = writer.commit("s-1", "email", "b@example.com")
            assert reader.reveal(second) == "b@example.com"
        assert (reader.reveal(first), reader.reveal(second)) == ("a@example.com", "b@example.com")
        with Vault.open(tmp_path) as writer:
            writer.erase("s-1")
        assert reader.reveal(first) is None and reader.names("s-1") == ()


def test_vault_puts_a_write_ahead_log_together_as_sqlite_does(tmp_path: Path) -> None:
    """Transactions beyond a checkpoint, one that was never committed, a torn end, and frames of an earlier round."""
    with Vault.open(tmp_path) as vault:
        kept = {}
        for n in range(300):
            kept[vault.commit(f"s-{n}", "email", f"{n}" * 200)] = f"{n}" * 200
            if n == 150:
                assert vault._writer
                vault._writer.execute("pragma main.wal_checkpoint(restart)").fetchall()
        vault.erase("s-0")
        lost = vault.commit("s-5", "email", "the last")
        copy = tmp_path / "copy"
        shutil.copytree(tmp_path, copy, ignore=shutil.ignore_patterns("*-shm", "copy"))
    wal = copy / "vault.sqlite-wal"
    wal.write_bytes(wal.read_bytes()[:-100])
    with Vault.open(copy) as vault:
        found = {commitment: vault.reveal(commitment) for commitment in kept}
        assert list(found.values())[1:] == list(kept.values())[1:]
        assert vault.names("s-0") == ()
        assert vault.standing(lost) == "absent", "its transaction is torn"


@pytest.mark.parametrize("damage", [b"", b"garbage" * 40, b"\x37\x7f\x06\x82" + bytes(28)])
def test_vault_with_a_write_ahead_log_that_is_none_has_what_the_file_has(tmp_path: Path, damage: bytes) -> None:
    with Vault.open(tmp_path) as vault:
        commitment = vault.commit("s-1", "email", "a@example.com")
    (tmp_path / f"{VAULT}-wal").write_bytes(damage)
    with Vault.open(tmp_path) as vault:
        assert vault.reveal(commitment) == "a@example.com"


@pytest.mark.parametrize("name", [b"log\xe9", "журнал".encode(), b"a b", b"50%?x=#1", b"'quoted'"])
def test_vault_in_a_folder_of_any_name(tmp_path: Path, name: bytes) -> None:
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    with Vault.open(folder) as vault:
        commitment = vault.commit("s-1", "email", "a@example.com")
    with Vault.open(folder) as vault:
        assert vault.reveal(commitment) == "a@example.com"
    assert sorted(file.name for file in folder.iterdir()) == [KEYS, VAULT]
    assert [file.name for file in tmp_path.iterdir()] == [folder.name], "and nowhere else"


def _before(table: str) -> Callable[[Vault, Path], None]:
    """Return what makes the next insert into a table fail, as a full disk does."""

    def fail(vault: Vault, folder: Path) -> None:
        vault.commit("somebody", "email", "opens the files")
        assert vault._writer
        schema = "keys" if table == "keys" else "main"
        vault._writer.execute(
            f"create trigger {schema}.full before insert on {table} begin select raise(abort, 'disk full'); end"
        )

    return fail


@pytest.mark.parametrize("table", ["keys", "personal"])
def test_vault_that_fails_between_its_files_is_whole_when_the_disk_is(tmp_path: Path, table: str) -> None:
    with Vault.open(tmp_path) as vault:
        _before(table)(vault, tmp_path)
        with pytest.raises(AuditUnavailable, match="disk full"):
            vault.commit_all([("s-1", "email", b'"a@example.com"'), ("s-2", "email", b'"b@example.com"')])
        assert vault.names("s-1") == vault.names("s-2") == (), "all of them, or none"
        assert vault._writer
        vault._writer.execute("drop trigger full")
        commitment = vault.commit("s-1", "email", "a@example.com")
        assert vault.reveal(commitment) == "a@example.com"
        (keys,) = vault._writer.execute("select count(*) from keys where subject = 's-1'").fetchone()
        assert keys == 1


def test_vault_never_has_a_value_on_the_disk_before_its_key(tmp_path: Path) -> None:
    """Looked at by another connection, before every statement."""
    seen: list[tuple[int, int]] = []

    def look(statement: str) -> None:
        with Vault.open(tmp_path) as other:
            other.names("nobody")
            assert other._reader
            counted = "select (select count(*) from personal), (select count(*) from keys)"
            values, keys = other._reader.database.execute(counted).fetchone()
            without = "select count(*) from personal where subject not in (select subject from keys)"
            assert other._reader.database.execute(without).fetchone() == (0,), statement
            seen.append((values, keys))

    with Vault.open(tmp_path) as vault:
        vault.commit("s-0", "email", "opens the files")
        assert vault._writer
        vault._writer.set_trace_callback(look)
        vault.commit_all([(f"s-{n}", "email", b'"a@example.com"') for n in range(3)])
        vault._writer.set_trace_callback(None)
    assert (1, 1) in seen and (1, 3) in seen


def test_vault_whose_keys_are_those_of_an_older_copy_goes_on(tmp_path: Path) -> None:
    with Vault.open(tmp_path) as vault:
        first = vault.commit("s-1", "email", "a@example.com")
    shutil.copy(tmp_path / KEYS, tmp_path / "older")
    with Vault.open(tmp_path) as vault:
        lost = vault.commit("s-2", "email", "b@example.com")
    shutil.move(tmp_path / "older", tmp_path / KEYS)
    with Vault.open(tmp_path) as vault:
        assert (vault.reveal(first), vault.reveal(lost)) == ("a@example.com", None)
        again = vault.commit("s-2", "email", "b@example.com")
        assert again != lost and vault.reveal(again) == "b@example.com"
        assert vault.standing(lost) == "unreadable", "and no alarm"


FIRST_RELEASE = {
    VAULT: """
create table personal (
    commitment text primary key,
    subject text not null,
    name text not null,
    sealed blob not null
) strict, without rowid;
create index personal_subject on personal (subject, name);
insert into personal values('sha256:8d214c1836c26c7c824a0af3dd76e3ce345ccef851958765ed7741617d2f38cf', 's-1', 'email',
x'477c65dee7227e9676d355c25204272e8fb8ae1daa2531209a62d8b4e7c49da59f67636892fb6020ad29cabb9a56b26989017e0d9db978243d63b8');
""",
    KEYS: """
create table keys (subject text primary key, key blob not null) strict, without rowid;
insert into keys values('s-1', x'b74562ed322214655e6fd5329dad703e1da0866e7ded1ebe5635161a6544f28a');
""",
}
"""A vault that version 0.1.0 wrote."""


def test_vault_of_the_first_release_is_read_and_goes_on(tmp_path: Path) -> None:
    for name, script in FIRST_RELEASE.items():
        with closing(sqlite3.connect(tmp_path / name)) as database:
            database.execute("pragma journal_mode = wal").fetchall()
            database.executescript(script)
    old = "sha256:8d214c1836c26c7c824a0af3dd76e3ce345ccef851958765ed7741617d2f38cf"
    with Vault.open(tmp_path) as vault:
        assert vault.reveal(old) == "a@example.com"
        assert vault.commit("s-1", "email", "a@example.com") == old
        assert vault.erase("s-1") == 1 and vault.reveal(old) is None


def test_vault_that_is_no_database_is_named(tmp_path: Path) -> None:
    with Vault.open(tmp_path) as vault:
        vault.commit("s-1", "email", "a@example.com")
    (tmp_path / VAULT).write_bytes(b"no database at all" * 100)
    with Vault.open(tmp_path) as vault, pytest.raises(AuditUnavailable, match=r"vault\.sqlite: .*not a database"):
        vault.reveal("sha256:" + "0" * 64)


def test_vault_that_was_put_back_for_everybody_is_its_owners_again(tmp_path: Path) -> None:
    with Vault.open(tmp_path) as vault:
        vault.commit("s-1", "email", "a@example.com")
    for name in (VAULT, KEYS):
        (tmp_path / name).chmod(0o644)
    with Vault.open(tmp_path) as vault:
        vault.commit("s-1", "email", "b@example.com")
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
