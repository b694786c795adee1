"""Personal inputs: committed to in the log, kept in the vault."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import stat
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.audit.vault import Vault
from adjudge.errors import AuditUnavailable


def _rows(directory: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(directory / "vault.sqlite") as database:
        database.execute("attach ? as keys", (str(directory / "vault-keys.sqlite"),))
        rows = list(
            database.execute("select subject, name, commitment, sealed, key from personal join keys using (subject)")
        )
    database.close()
    return rows


def test_vault_commitment_is_the_salted_hash_of_the_json(tmp_path: Path) -> None:
    with Vault.open(tmp_path) as vault:
        commitment = vault.commit("s-1", "address", {"street": "Zürich", "no": 7})
    ((subject, name, kept, sealed, key),) = _rows(tmp_path)
    assert isinstance(key, bytes) and isinstance(sealed, bytes)
    opened = AESGCM(key).decrypt(sealed[:12], sealed[12:], commitment.encode())
    salt, value = opened[:16], opened[16:]
    assert (subject, name, value) == ("s-1", "address", '{"no":7,"street":"Zürich"}'.encode())
    assert commitment == kept == "sha256:" + hashlib.sha256(salt + value).hexdigest()


def test_vault_reveals_what_was_committed_after_reopening(tmp_path: Path) -> None:
    with Vault.open(tmp_path) as vault:
        commitment = vault.commit("s-1", "email", "a@example.com")
        assert vault.reveal(commitment) == "a@example.com"
    with Vault.open(tmp_path) as vault:
        assert vault.reveal(commitment) == "a@example.com"
        assert vault.reveal("sha256:" + "0" * 64) is None


def test_vault_same_value_shares_a_commitment_only_within_subject_and_name(tmp_path: Path) -> None:
    with Vault.open(tmp_path) as vault:
        first = vault.commit("s-1", "email", "a@example.com")
        assert vault.commit("s-1", "email", "a@example.com") == first
        others = {vault.commit("s-2", "email", "a@example.com"), vault.commit("s-1", "login", "a@example.com")}
        assert len({first, *others}) == 3
        assert vault.commit("s-1", "n", 1) != vault.commit("s-1", "n", 1.0) != vault.commit("s-1", "n", True)


def test_vault_takes_one_value_once_among_those_of_a_group(tmp_path: Path) -> None:
    group = [("ann", "name", b'"A"'), ("bob", "name", b'"A"'), ("ann", "name", b'"A"'), ("ann", "name", b'"B"')]
    with Vault.open(tmp_path) as vault:
        first = vault.commit_all(group)
        again = vault.commit_all([*reversed(group), ("ann", "alias", b'"A"'), ("cy", "name", b'"A"')])
        held = [vault.reveal(one) for one in again]
        counts = [vault.erase(one) for one in ("ann", "bob", "cy")]

    assert first[0] == first[2] and len(set(first)) == 3
    assert again[:4] == first[::-1] and not {*again[4:]} & {*first}
    assert held == ["B", "A", "A", "A", "A", "A"]
    assert counts == [3, 1, 1]


def test_vault_without_personal_values_makes_no_file(tmp_path: Path) -> None:
    with Vault.open(tmp_path) as vault:
        assert vault.reveal("sha256:" + "0" * 64) is None
    assert list(tmp_path.iterdir()) == []


def test_vault_files_are_its_owners_alone(tmp_path: Path) -> None:
    with Vault.open(tmp_path) as vault:
        vault.commit("s-1", "email", "a@example.com")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    names = [f"{name}.sqlite{more}" for name in ("vault", "vault-keys") for more in ("", "-wal", "-shm")]
    assert modes == dict.fromkeys(names, 0o600)


def test_vault_first_value_makes_the_name_of_its_file_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("adjudge.audit.vault_files.sync_directory", synced.append)
    with Vault.open(tmp_path) as vault:
        vault.commit("s-1", "email", "a@example.com")
        vault.commit("s-1", "email", "b@example.com")
    assert synced == [tmp_path]


def test_vault_syncs_before_it_answers(tmp_path: Path) -> None:
    with Vault.open(tmp_path) as vault:
        vault.commit("s-1", "email", "a@example.com")
        assert vault._writer
        for schema in ("main", "keys"):
            assert vault._writer.execute(f"pragma {schema}.synchronous").fetchone() == (2,)
            assert vault._writer.execute(f"pragma {schema}.journal_mode").fetchone() == ("wal",)
            assert vault._writer.execute(f"pragma {schema}.secure_delete").fetchone() == (1,)
        with sqlite3.connect(tmp_path / "vault.sqlite") as other:
            assert other.execute("select count(*) from personal").fetchone() == (1,)
        other.close()


def test_vault_shared_by_threads_keeps_every_value(tmp_path: Path) -> None:
    commitments: dict[str, str] = {}

    def work(thread: int) -> None:
        for n in range(20):
            commitments[f"{thread}-{n}"] = vault.commit(f"s-{n}", "value", f"{thread}-{n}")

    with Vault.open(tmp_path) as vault:
        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {value: vault.reveal(commitment) for value, commitment in commitments.items()} == {
            value: value for value in commitments
        }
    assert len(set(commitments.values())) == 80


def test_vault_that_cannot_be_used_is_unavailable(tmp_path: Path) -> None:
    with Vault.open(tmp_path / "absent") as vault, pytest.raises(AuditUnavailable, match="absent"):
        vault.commit("s-1", "email", "a@example.com")
    (tmp_path / "vault.sqlite").write_bytes(b"no database at all" * 100)
    with Vault.open(tmp_path) as vault, pytest.raises(AuditUnavailable, match="is missing beside a vault"):
        vault.commit("s-1", "email", "a@example.com")
    (tmp_path / "vault-keys.sqlite").touch()
    with Vault.open(tmp_path) as vault:
        with pytest.raises(AuditUnavailable, match="not a database"):
            vault.commit("s-1", "email", "a@example.com")
        with pytest.raises(AuditUnavailable, match="not a database"):
            vault.reveal("sha256:" + "0" * 64)


@pytest.mark.parametrize(
    "change",
    [
        "update personal set sealed = cast(substr(sealed, 1, 20) || x'00' || substr(sealed, 22) as blob)",
        "update personal set sealed = x''",
        "update personal set sealed = (select sealed from personal where subject = 's-2')",
        "delete from keys",
        "update keys set key = zeroblob(32)",
    ],
)
def test_vault_value_that_its_key_does_not_open_is_lacking_and_stops_nobody(tmp_path: Path, change: str) -> None:
    with Vault.open(tmp_path) as vault:
        first, other = (vault.commit(subject, "email", "a@example.com") for subject in ("s-1", "s-2"))
    with sqlite3.connect(tmp_path / "vault.sqlite") as database:
        database.execute("attach ? as keys", (str(tmp_path / "vault-keys.sqlite"),))
        database.execute(f"{change} where subject = 's-1'")
    database.close()
    with Vault.open(tmp_path) as vault:
        assert (vault.standing(first), vault.reveal(first)) == ("unreadable", None)
        again = vault.commit("s-1", "email", "a@example.com")
        assert again != first and vault.reveal(again) == "a@example.com"
        assert (vault.standing(again), vault.standing("sha256:" + "0" * 64)) == ("held", "absent")
        assert vault.standing(other) == "held"
        assert vault.erase("s-1") == 2
        assert vault.standing(first) == "absent"


def every_byte(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(directory.iterdir()))


def test_vault_erases_a_subject_for_good_and_nobody_else(tmp_path: Path) -> None:
    canaries = [f"canary-{n}@example.com" for n in range(40)]
    with Vault.open(tmp_path) as vault:
        kept = {value: vault.commit(f"s-{n % 4}", "email", value) for n, value in enumerate(canaries)}
        vault.commit("s-1", "device.owner", "canary")
        old = {name: (tmp_path / name).read_bytes() for name in ("vault.sqlite", "vault.sqlite-wal")}
        assert vault.subjects("email", canaries[5]) == ("s-1",) and vault.subjects("owner", canaries[5]) == ()
        assert vault.names("s-1") == ("device.owner", *["email"] * 10)
        key = sqlite3.connect(tmp_path / "vault-keys.sqlite")
        (secret,) = key.execute("select key from keys where subject = 's-1'").fetchone()
        key.close()
        assert vault.erase("s-1") == 11
        assert secret not in every_byte(tmp_path), "with its key, an old copy is lost too"
        assert vault.names("s-1") == vault.subjects("email", canaries[5]) == ()
        assert [value for value in canaries if vault.reveal(kept[value]) is None] == canaries[1::4]
        assert vault.erase("s-1") == vault.erase("nobody") == 0
        assert vault.commit("s-1", "email", canaries[1]) != kept[canaries[1]], "a new salt"
    for name, data in old.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "vault.sqlite-shm").unlink(missing_ok=True)
    with Vault.open(tmp_path) as vault:
        assert vault.reveal(kept[canaries[5]]) is None, "an older copy of the vault does not bring it back"
        assert vault.standing(kept[canaries[5]]) == "unreadable" and vault.reveal(kept[canaries[6]]) == canaries[6]


def test_vault_erasure_waits_for_readers_and_says_where_they_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Vault.open(tmp_path) as vault:
        vault.commit("s-1", "email", "a@example.com")
        assert vault._writer
        vault._writer.execute("pragma busy_timeout = 50")
        reader = sqlite3.connect(tmp_path / "vault.sqlite", isolation_level=None)
        reader.execute("begin")
        reader.execute("select * from personal").fetchall()
        with pytest.raises(AuditUnavailable, match="erase again"):
            vault.erase("s-1")
        reader.close()
        assert vault.erase("s-1") == 0
        assert vault.names("s-1") == ()


def test_vault_that_is_none_holds_nothing(tmp_path: Path) -> None:
    with Vault.open(tmp_path) as vault:
        assert (vault.names("s"), vault.subjects("email", "a"), vault.erase("s")) == ((), (), 0)
    assert list(tmp_path.iterdir()) == []


def test_vault_after_close_is_unavailable(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path)
    vault.commit("s-1", "email", "a@example.com")
    vault.close()
    vault.close()
    with pytest.raises(AuditUnavailable, match="is closed"):
        vault.commit("s-1", "email", "a@example.com")
    with pytest.raises(AuditUnavailable, match="is closed"):
        vault.reveal("sha256:" + "0" * 64)


JSON = st.recursive(
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(value=st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_vault_any_json_comes_back_and_order_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, value: Mapping[str, object]
) -> None:
    with Vault.open(tmp_path_factory.getbasetemp()) as vault:
        commitment = vault.commit("s-1", "value", value)
        assert vault.reveal(commitment) == json.loads(json.dumps(value))
        assert vault.commit("s-1", "value", dict(reversed(value.items()))) == commitment


@pytest.mark.parametrize(
    ("held", "asked", "is_found"),
    [
        (5, 5.0, True), (5, True, False), (True, True, True), (1, True, False), ("a", "a", True), ("a", "b", False),
        ("1991-01-01T02:00:00+02:00", "1991-01-01T00:00:00Z", True),
        ("1991-01-01T02:00:00Z", "1991-01-01T00:00:00Z", False),
        ("60m", "1h", True), (["a", "b"], "b", True), (["a", "b"], ["a", "b"], True), ({"k": ["x"]}, "x", True),
        ({"k": "x"}, "k", False), (["a"], "c", False), ("", "", True), ("1", 1, False),
        ("Zo\u00eb", "Zoe\u0308", True), ("Zoe\u0308", "Zo\u00eb", True), (["Zo\u00eb"], "Zoe\u0308", True),
        ("\u212b", "\u00c5", True), ("Zoe", "Zo\u00eb", False),
    ],
)  # fmt: skip
def test_vault_finds_a_value_however_it_was_written(
    tmp_path: Path, held: object, asked: object, is_found: bool
) -> None:
    with Vault.open(tmp_path) as vault:
        vault.commit("s", "name", held)
        vault.commit("other", "name", "nothing like it")
        assert vault.subjects("name", asked) == (("s",) if is_found else ())
